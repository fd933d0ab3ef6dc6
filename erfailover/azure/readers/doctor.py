"""Reads what ``doctor`` judges, all at once, without a write.

What cannot be read is in the facts as unknown, with the reason; if nothing can (no token,
no answer), that is one fact and nothing more is asked.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from ipaddress import IPv4Address
from typing import Any, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from erfailover.azure.client.answers import understood
from erfailover.azure.client.raw_request import Answer
from erfailover.azure.reader import Reader
from erfailover.azure.readers import api_versions, network, network_watcher, routing
from erfailover.azure.readers.circuits import edge_sessions, of_both, stand_in_address
from erfailover.azure.readers.outcomes import CONCERNS_ALL, CONCERNS_SUBSCRIPTION
from erfailover.errors import AzureFailure, Failure, Kind, UnknownReading
from erfailover.model import journal_lines, resource_ids
from erfailover.model.arm_json import number, rows, section, text, texts, truth
from erfailover.model.observed import EXPRESSROUTE, Observed, Reading, attempt
from erfailover.model.peering_flags import Flags
from erfailover.model.probes import NextHop
from erfailover.model.resource_ids import NETWORK, PEERING, last_of, subscription_of
from erfailover.model.site import Path, Role, Site, SitePeering
from erfailover.planning.api_versions import ApiVersions
from erfailover.planning.doctor import permissions
from erfailover.planning.doctor.facts import (
    DenyAssignment,
    EligibleRole,
    Facts,
    GatewayDetail,
    HostPath,
    Identity,
    Load,
    Lock,
    Policies,
    SignIn,
    Watcher,
)
from erfailover.planning.doctor.permissions import On
from erfailover.runtime.clock import all_at_once
from erfailover.runtime.state.store import Store

T = TypeVar("T")
K = TypeVar("K", bound=str)

AUTHORIZATION = "/providers/Microsoft.Authorization"
RESTRICTIONS = "/providers/Microsoft.PolicyInsights/checkPolicyRestrictions"
PERMISSIONS_API, LOCKS_API, DENIALS_API = "2022-04-01", "2016-09-01", "2022-04-01"
ASSIGNMENTS_API, RESTRICTIONS_API, METRICS_API = "2023-04-01", "2023-03-01", "2018-01-01"
PIM_API = "2020-10-01"
"""Published: REST specs authorization (PIM too), resources, policyinsights, monitor."""

LOAD_PERIOD = timedelta(hours=24)
LEFT = "x-ms-ratelimit-remaining-subscription-"


@dataclass(frozen=True)
class Asked:
    """Where to read: Azure, at which endpoint; the store; the hosts a switch needs, by purpose."""

    reader: Reader
    endpoint: str
    store: Store
    hosts: Mapping[str, str]


def read(
    asked: Asked, site: Site, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Facts:
    """Everything that ``doctor`` judges, at this moment."""
    reader = asked.reader
    outside = Facts(
        now(),
        asked.endpoint,
        Reading(None, "Azure was not reached"),
        Observed(now().isoformat(), {}, {}),
        lease=attempt(asked.store.look),
        journal=attempt(partial(_damage, asked.store)),
        hosts=tuple(
            all_at_once(
                reader.clock, [partial(_host, what, url) for what, url in asked.hosts.items()]
            )
        ),
    )
    first: Answer | None = None
    began = now()
    try:
        path = f"{permissions.groups(site)[0]}{AUTHORIZATION}/permissions"
        first = reader.ask("GET", path, PERMISSIONS_API)
    except AzureFailure as failure:
        only = (
            len({subscription_of(each) for each in permissions.groups(site)}) == 1
            and not site.tenants
        )
        if failure.kind in CONCERNS_ALL or (only and failure.kind in CONCERNS_SUBSCRIPTION):
            return replace(outside, unreachable=failure.message, remedy=failure.hint)
    met = replace(
        outside, now=began + (now() - began) / 2, identity=_identity(first), date=_date(first)
    )
    return _asked(reader, site, met)


def _damage(store: Store) -> str:
    """Return what is damaged in the journal; empty if nothing is."""
    lines = journal_lines.read(store.read())
    return lines.told(store.name) if lines.damage else ""


def _asked(reader: Reader, site: Site, met: Facts) -> Facts:
    """Return what Azure says, all of it asked at once."""
    groups = permissions.groups(site)
    named = [each for on in On for each in permissions.resources(site, on)]
    places = tuple(dict.fromkeys(each.lower() for each in (*groups, *named)))
    probes = site.probes.values()
    asking = tuple(site.machine_id(each.machine) for each in probes if isinstance(each, NextHop))
    parts: Mapping[str, Callable[[], Any]] = {
        "observed": partial(network.observe, reader, site),
        "sign_ins": partial(_sign_ins, reader, site),
        "grants": partial(_each, reader, places, partial(_grants, reader)),
        "locks": partial(_each, reader, groups, partial(_locks, reader)),
        "denials": partial(_each, reader, groups, partial(_denials, reader)),
        "policies": partial(_each, reader, groups, partial(_policies, reader, site)),
        "eligible": partial(_each, reader, groups, partial(_eligible, reader)),
        "watchers": partial(_each, reader, asking, partial(_watcher, reader)),
        "gateways": partial(_each, reader, tuple(Role), partial(_gateway, reader, site)),
        "load": partial(attempt, partial(_load, reader, site, met.now)),
        "remaining": partial(_remaining, reader, site),
        "around": partial(routing.read, reader, site),
        "circuits": partial(of_both, reader, site),
        "stand_in": partial(stand_in_address, reader, site),
        "sessions": partial(edge_sessions, reader, site.gateway_id(site.primary.gateway)),
    }
    values = all_at_once(reader.clock, list(parts.values()))
    found = dict(zip(parts, values, strict=True))
    found["api_versions"] = attempt(partial(_api_versions, reader, site, found["observed"]))
    found["observed"] = network.with_gateways_beside(reader, site, found["observed"])
    gateways = found["observed"].gateways
    found["circuits"] = {role: each for role, each in found["circuits"].items() if role in gateways}
    return replace(met, **found)


def _each(reader: Reader, keys: Sequence[K], read_: Callable[[K], T]) -> dict[K, Reading[T]]:
    """One reading for each of several keys, at once; ids as keys are put in lower case."""
    found = all_at_once(reader.clock, [partial(attempt, partial(read_, key)) for key in keys])
    return {type(key)(key.lower()): each for key, each in zip(keys, found, strict=True)}


def _identity(answer: Answer | None) -> Reading[Identity]:
    told = answer.claims if answer else {}
    if not told:
        return Reading(None, "it cannot be read")
    user = told.get("upn") or told.get("unique_name") or told.get("preferred_username")
    application = told.get("appid") or told.get("azp") or "unknown"
    kind = "user" if user and told.get("idtyp") != "app" else "application"
    name = user if kind == "user" else application
    managed = "xms_mirid" in told  # the resource id of the managed identity (seen in public)
    object_id, tenant = str(told.get("oid", "")), str(told.get("tid", ""))
    return Reading(Identity(str(name), kind, object_id, tenant, managed))


def _sign_ins(reader: Reader, site: Site) -> dict[str, Reading[SignIn]]:
    """How each subscription is signed in to; nothing if there is one, and one tenant."""
    groups = {subscription_of(each): each for each in permissions.groups(site)}
    if not site.tenants and len(groups) == 1:
        return {}
    found = _each(reader, tuple(groups.values()), partial(_sign_in, reader))
    return {subscription: found[group.lower()] for subscription, group in groups.items()}


def _sign_in(reader: Reader, group: str) -> SignIn:
    try:
        answer = reader.ask("GET", f"{group}{AUTHORIZATION}/permissions", PERMISSIONS_API)
    except AzureFailure as failure:
        if failure.kind is Kind.OTHER_TENANT:
            return SignIn(None, failure.message, failure.hint or "")
        raise
    identity = _identity(answer).value
    if identity is None:
        raise UnknownReading("the token does not identify its owner")
    return SignIn(identity)


def _date(answer: Answer | None) -> Reading[datetime]:
    try:
        if answer is not None:
            return Reading(parsedate_to_datetime(answer.headers["date"]))
    except (KeyError, ValueError):
        pass
    return Reading(None, "no response reported it")


@understood("list of permissions")
def _grants(reader: Reader, place: str) -> tuple[permissions.Grant, ...]:
    listed = reader.ask_rows(f"{place}{AUTHORIZATION}/permissions", PERMISSIONS_API)
    return tuple(
        permissions.Grant(tuple(texts(each.get("actions"))), tuple(texts(each.get("notActions"))))
        for each in listed
    )


@understood("list of locks")
def _locks(reader: Reader, group: str) -> tuple[Lock, ...]:
    listed = reader.ask_rows(f"{group}{AUTHORIZATION}/locks", LOCKS_API)
    return tuple(
        Lock(
            text(each.get("name")),
            text(each.get("id")).rsplit("/providers/Microsoft.Authorization/locks/", 1)[0],
            text(section(each, "properties").get("level")),
        )
        for each in listed
    )


@understood("check of eligible roles")
def _eligible(reader: Reader, group: str) -> tuple[EligibleRole, ...]:
    """Return the roles that the identity may activate at a group or above, and which it has."""
    mine, path = {"$filter": "asTarget()"}, f"{group}{AUTHORIZATION}/role"
    active = {
        _assigned(each)
        for each in reader.ask_rows(f"{path}AssignmentScheduleInstances", PIM_API, mine)
    }
    found = reader.ask_rows(f"{path}EligibilityScheduleInstances", PIM_API, mine)
    return tuple(
        EligibleRole(_role_name(each), _assigned(each)[1], _assigned(each) in active)
        for each in found
    )


def _assigned(row: Mapping[str, Any]) -> tuple[str, str]:
    """Return the role and the scope of a schedule instance, to be compared."""
    properties = section(row, "properties")
    role = last_of(text(properties.get("roleDefinitionId")))
    return role.lower(), text(properties.get("scope")).lower()


def _role_name(row: Mapping[str, Any]) -> str:
    named = section(row, "properties", "expandedProperties", "roleDefinition")
    return text(named.get("displayName")) or f"role {_assigned(row)[0]}"


@understood("check of Network Watchers")
def _watcher(reader: Reader, machine_id: str) -> Watcher:
    return Watcher(*network_watcher.of_machine(reader, machine_id))


@understood("check of api-versions")
def _api_versions(reader: Reader, site: Site, observed: Observed) -> ApiVersions:
    subscriptions = dict.fromkeys(subscription_of(each) for each in permissions.groups(site))
    regions = [each.location for each in observed.networks.values() if each.location]
    machines = bool(permissions.resources(site, On.MACHINE))
    return api_versions.read(
        reader, list(subscriptions), regions, site.api_versions, machines=machines
    )


@understood("list of deny assignments")
def _denials(reader: Reader, group: str) -> tuple[DenyAssignment, ...]:
    found = reader.ask_rows(f"{group}{AUTHORIZATION}/denyAssignments", DENIALS_API)
    return tuple(map(_denial, found))


def _denial(row: dict[str, Any]) -> DenyAssignment:
    properties = section(row, "properties")
    grants = (
        permissions.Grant(tuple(texts(each.get("actions"))), tuple(texts(each.get("notActions"))))
        for each in rows(properties.get("permissions"))
    )
    principals, excluded = (
        tuple(id_ for each in rows(properties.get(name)) if (id_ := text(each.get("id")).lower()))
        for name in ("principals", "excludePrincipals")
    )
    return DenyAssignment(
        text(properties.get("denyAssignmentName")) or text(row.get("name")),
        text(properties.get("scope")),
        tuple(grants),
        principals,
        excluded,
        not truth(properties.get("doNotApplyToChildScopes")),
    )


@understood("check of policies")
def _policies(reader: Reader, site: Site, group: str) -> Policies:
    """Ask Azure what policies would do to one peering of each kind in a resource group."""
    denials = []
    version = reader.api_version("network")
    for owner, peering, remote in _peerings_in(site, group):
        flags = peering.on(Path.IPSEC) or peering.on(Path.EXPRESSROUTE) or Flags()
        content = {
            "type": PEERING,
            "name": peering.name,
            "properties": {
                "remoteVirtualNetwork": {"id": remote},
                **flags.to_arm(),
            },
        }
        details = {"resourceContent": content, "apiVersion": version, "scope": owner}
        question = {"resourceDetails": details}
        answer = reader.ask("POST", f"{group}{RESTRICTIONS}", RESTRICTIONS_API, question)
        found = section(answer.body, "contentEvaluationResult")
        for each in rows(found.get("policyEvaluations")):
            effect = text(section(each, "effectDetails").get("policyEffect")) or "deny"
            verdict = text(each.get("evaluationResult"))
            if verdict.lower() == "noncompliant" and effect.lower() == "deny":
                assignment = text(section(each, "policyInfo").get("policyAssignmentId"))
                denials.append((peering.name, assignment))
    path = f"{group}{AUTHORIZATION}/policyAssignments"
    assigned = reader.ask_rows(path, ASSIGNMENTS_API, {"$filter": "atScope()"})
    above = [
        text(section(each, "properties").get("displayName")) or text(each.get("name"))
        for each in assigned
        if "/managementgroups/" in text(each.get("id")).lower()
    ]
    return Policies(tuple(denials), tuple(above))


def _peerings_in(site: Site, group: str) -> Iterator[tuple[str, SitePeering, str]]:
    """One peering of each kind whose network is in a group: the network, it, the other one."""
    seen = set()
    for spoke in site.spokes:
        for role in Role:
            hub = site.network_id(site.hub(role).virtual_network)
            own = site.network_id(spoke.virtual_network)
            for kind, owner, peering, remote in (
                ("outward", own, spoke.outward(role), hub),
                ("inward", hub, spoke.inward(role), own),
            ):
                inside = resource_ids.group_of(owner).lower() == group.lower()
                if inside and (kind, role) not in seen:
                    seen.add((kind, role))
                    yield owner, peering, remote


@understood("GET of a gateway")
def _gateway(reader: Reader, site: Site, role: Role) -> GatewayDetail:
    gateway_id = site.gateway_id(site.hub(role).gateway)
    body = reader.get(gateway_id)
    if body is None:
        raise Failure(f"{last_of(gateway_id)} does not exist in Azure")
    properties = section(body, "properties")
    addresses = []
    for each in rows(properties.get("ipConfigurations")):
        address = text(section(each, "properties", "publicIPAddress").get("id"))
        if address:
            found = attempt(partial(reader.get, address)).value
            addresses.append((last_of(address), text(section(found, "sku").get("name"))))
    return GatewayDetail(
        name=text(body.get("name")) or last_of(gateway_id),
        type=text(properties.get("gatewayType"), network.GATEWAY_TYPES),
        sku=text(section(properties, "sku").get("name")),
        generation=text(properties.get("vpnGatewayGeneration")),
        addresses=tuple(addresses),
    )


@understood("reading of metrics")
def _load(reader: Reader, site: Site, now: datetime) -> Load:
    """Return what the primary carried: bits received by an ExpressRoute gateway, all of a VPN's.

    Published: supported metrics of virtualNetworkGateways. ``AverageBandwidth`` is bytes a second.
    Without a split the answer is the average of the instances, so they are asked for one by one and
    added up; a scalable ExpressRoute gateway has its own metric, without that dimension.
    """
    gateway_id = site.gateway_id(site.primary.gateway)
    properties = section(reader.get(gateway_id), "properties")
    expressroute = text(properties.get("gatewayType"), network.GATEWAY_TYPES) == EXPRESSROUTE
    sku = text(section(properties, "sku").get("name")).lower()
    name, dimension = ("AverageBandwidth", "Instance")
    if expressroute:
        name, dimension = ("ExpressRouteGatewayBitsPerSecond", "roleInstance")
    if sku.startswith("ergwscale"):
        name, dimension = ("ScalableExpressRouteGatewayBitsPerSecond", "")
    began = now - LOAD_PERIOD
    answer = reader.ask(
        "GET",
        f"{gateway_id}/providers/Microsoft.Insights/metrics",
        METRICS_API,
        query={
            "metricnames": name,
            "timespan": f"{began:%Y-%m-%dT%H:%M:%SZ}/{now:%Y-%m-%dT%H:%M:%SZ}",
            "interval": "PT5M",
            "aggregation": "Average",
            **({"$filter": f"{dimension} eq '*'"} if dimension else {}),
        },
    )
    sums: dict[str, float] = {}
    for metric in rows(answer.body.get("value")):
        for series in rows(metric.get("timeseries")):
            for point in rows(series.get("data")):
                average = number(point.get("average"))
                if average is not None:
                    at = text(point.get("timeStamp"))
                    sums[at] = sums.get(at, 0.0) + average
    values = [sums[at] for at in sorted(sums)]
    if not values:
        raise Failure(f"Azure Monitor has no {name} of {last_of(gateway_id)}")
    bits = 1.0 if expressroute else 8.0
    return Load(values[-1] * bits, max(values) * bits, "24 hours")


def _remaining(reader: Reader, site: Site) -> dict[tuple[str, str], Reading[int]]:
    """Return what is left of Azure's limits, from the headers of a GET and of a POST."""
    groups = {subscription_of(each): each for each in permissions.groups(site)}
    asks: dict[tuple[str, str], Callable[[], Answer]] = {}
    version = reader.api_version("network")
    for subscription, group in groups.items():
        content = {"type": NETWORK, "properties": {}}
        question = {"resourceDetails": {"resourceContent": content, "apiVersion": version}}
        asks[subscription, "reads"] = partial(
            reader.ask, "GET", f"{group}{AUTHORIZATION}/locks", LOCKS_API
        )
        asks[subscription, "writes"] = partial(
            reader.ask, "POST", f"{group}{RESTRICTIONS}", RESTRICTIONS_API, question
        )
    work = [partial(attempt, partial(_left, ask, kind)) for (_, kind), ask in asks.items()]
    return dict(zip(asks, all_at_once(reader.clock, work), strict=True))


@understood("headers of an answer")
def _left(ask: Callable[[], Answer], kind: str) -> int:
    told = ask().headers.get(f"{LEFT}{kind}", "")
    if not told.isdecimal():
        raise Failure("Azure did not say")
    return int(told)


def _host(what: str, url: str) -> HostPath:
    parts = urlsplit(url)
    host = parts.hostname or url
    proxy = None if proxy_bypass(host) else getproxies().get(parts.scheme or "https")
    at = (urlsplit(proxy).hostname or proxy) if proxy else host
    return HostPath(what, host, attempt(partial(_addresses, at)), at if proxy else None)


def _addresses(host: str) -> tuple[IPv4Address, ...]:
    try:
        found = socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_STREAM)
    except OSError as error:
        raise Failure(f"{host} cannot be resolved: {error.strerror or error}") from None
    return tuple({IPv4Address(each[4][0]): None for each in found})
