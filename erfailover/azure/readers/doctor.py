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

from erfailover.azure.client.answers import wrap_parse_errors
from erfailover.azure.client.raw_request import Answer
from erfailover.azure.reader import Reader
from erfailover.azure.readers import api_versions, appliances, network, network_watcher, routing
from erfailover.azure.readers.circuits import (
    read_circuits_by_role,
    read_edge_sessions,
    read_stand_in_address,
)
from erfailover.azure.readers.outcomes import CONCERNS_ALL, CONCERNS_SUBSCRIPTION
from erfailover.azure.readers.references import get_reference, read_required
from erfailover.errors import AzureErrorKind, AzureFailure, Failure, UnknownReading
from erfailover.model import journal_lines, resource_ids
from erfailover.model.arm_json import (
    get_section,
    list_objects,
    list_texts,
    parse_bool,
    parse_number,
    parse_text,
)
from erfailover.model.observed import EXPRESSROUTE, Reading, SiteSnapshot, attempt
from erfailover.model.peering_flags import Flags
from erfailover.model.probes import NextHop
from erfailover.model.resource_ids import NETWORK, PEERING, get_last_name, get_subscription
from erfailover.model.site import Path, Role, Site, SitePeering
from erfailover.planning.api_versions import ApiVersions
from erfailover.planning.doctor import permissions
from erfailover.planning.doctor.facts import (
    DenyAssignment,
    DoctorFacts,
    EligibleRole,
    GatewayDetail,
    GatewayLoad,
    HostReachability,
    Identity,
    Lock,
    Policies,
    SignIn,
    Watcher,
)
from erfailover.planning.doctor.permissions import ActionScope
from erfailover.runtime.clock import run_all
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
class DoctorSources:
    """Where to read: Azure, at which endpoint; the store; the hosts a switch needs, by purpose."""

    reader: Reader
    endpoint: str
    store: Store
    hosts: Mapping[str, str]


def read(
    sources: DoctorSources, site: Site, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> DoctorFacts:
    """Everything that ``doctor`` judges, at this moment."""
    reader = sources.reader
    outside = DoctorFacts(
        now(),
        sources.endpoint,
        Reading(None, "Azure was not reached"),
        SiteSnapshot(now().isoformat(), {}, {}),
        lease=attempt(sources.store.look),
        journal=attempt(partial(_describe_damage, sources.store)),
        hosts=tuple(
            run_all(
                reader.clock,
                [partial(_resolve_host, what, url) for what, url in sources.hosts.items()],
            )
        ),
    )
    first: Answer | None = None
    began = now()
    try:
        path = f"{permissions.list_groups(site)[0]}{AUTHORIZATION}/permissions"
        first = reader.ask("GET", path, PERMISSIONS_API)
    except AzureFailure as failure:
        only = (
            len({get_subscription(group) for group in permissions.list_groups(site)}) == 1
            and not site.tenants
        )
        if failure.kind in CONCERNS_ALL or (only and failure.kind in CONCERNS_SUBSCRIPTION):
            return replace(outside, unreachable=failure.message, remedy=failure.hint)
    met = replace(
        outside,
        now=began + (now() - began) / 2,
        identity=_parse_identity(first),
        date=_parse_date(first),
    )
    return _read_facts(reader, site, met)


def _describe_damage(store: Store) -> str:
    """Return what is damaged in the journal; empty if nothing is."""
    lines = journal_lines.read(store.read())
    return lines.describe_damage(store.name) if lines.damage else ""


def _read_facts(reader: Reader, site: Site, met: DoctorFacts) -> DoctorFacts:
    """Return what Azure says, all of it asked at once."""
    groups = permissions.list_groups(site)
    named = [resource for on in ActionScope for resource in permissions.list_resources(site, on)]
    places = tuple(dict.fromkeys(group.lower() for group in (*groups, *named)))
    probes = site.probes.values()
    asking = tuple(
        site.build_machine_id(probe.machine) for probe in probes if isinstance(probe, NextHop)
    )
    parts: Mapping[str, Callable[[], Any]] = {
        "observed": partial(network.observe, reader, site),
        "sign_ins": partial(_sign_ins, reader, site),
        "grants": partial(_read_each, reader, places, partial(_read_grants, reader)),
        "locks": partial(_read_each, reader, groups, partial(_read_locks, reader)),
        "denials": partial(_read_each, reader, groups, partial(_read_denials, reader)),
        "policies": partial(_read_each, reader, groups, partial(_check_policies, reader, site)),
        "eligible": partial(_read_each, reader, groups, partial(_read_eligible_roles, reader)),
        "watchers": partial(_read_each, reader, asking, partial(_find_watcher, reader)),
        "gateways": partial(_read_each, reader, tuple(Role), partial(_read_gateway, reader, site)),
        "load": partial(attempt, partial(_load, reader, site, met.now)),
        "remaining": partial(_read_remaining, reader, site),
        "around": partial(routing.read, reader, site),
        "circuits": partial(read_circuits_by_role, reader, site),
        "appliances": partial(appliances.read_by_role, reader, site) if site.routing else dict,
        "stand_in": partial(read_stand_in_address, reader, site),
        "sessions": partial(
            read_edge_sessions, reader, site.build_gateway_id(site.primary.gateway)
        ),
    }
    values = run_all(reader.clock, list(parts.values()))
    body = dict(zip(parts, values, strict=True))
    body["api_versions"] = attempt(partial(_read_api_versions, reader, site, body["observed"]))
    body["observed"] = network.add_other_gateways(reader, site, body["observed"])
    gateways = body["observed"].gateways
    body["circuits"] = {role: item for role, item in body["circuits"].items() if role in gateways}
    return replace(met, **body)


def _read_each(reader: Reader, keys: Sequence[K], read_: Callable[[K], T]) -> dict[K, Reading[T]]:
    """One reading for each of several keys, at once; ids as keys are put in lower case."""
    readings = run_all(reader.clock, [partial(attempt, partial(read_, key)) for key in keys])
    return {type(key)(key.lower()): reading for key, reading in zip(keys, readings, strict=True)}


def _parse_identity(answer: Answer | None) -> Reading[Identity]:
    body = answer.claims if answer else {}
    if not body:
        return Reading(None, "it cannot be read")
    user = body.get("upn") or body.get("unique_name") or body.get("preferred_username")
    application = body.get("appid") or body.get("azp") or "unknown"
    kind = "user" if user and body.get("idtyp") != "app" else "application"
    name = user if kind == "user" else application
    managed = "xms_mirid" in body  # the resource id of the managed identity (seen in public)
    object_id, tenant = str(body.get("oid", "")), str(body.get("tid", ""))
    return Reading(Identity(str(name), kind, object_id, tenant, managed))


def _sign_ins(reader: Reader, site: Site) -> dict[str, Reading[SignIn]]:
    """How each subscription is signed in to; nothing if there is one, and one tenant."""
    groups = {get_subscription(group): group for group in permissions.list_groups(site)}
    if not site.tenants and len(groups) == 1:
        return {}
    readings = _read_each(reader, tuple(groups.values()), partial(_sign_in, reader))
    return {subscription: readings[group.lower()] for subscription, group in groups.items()}


def _sign_in(reader: Reader, group: str) -> SignIn:
    try:
        answer = reader.ask("GET", f"{group}{AUTHORIZATION}/permissions", PERMISSIONS_API)
    except AzureFailure as failure:
        if failure.kind is AzureErrorKind.OTHER_TENANT:
            return SignIn(None, failure.message, failure.hint or "")
        raise
    identity = _parse_identity(answer).value
    if identity is None:
        raise UnknownReading("the token does not identify its owner")
    return SignIn(identity)


def _parse_date(answer: Answer | None) -> Reading[datetime]:
    try:
        if answer is not None:
            return Reading(parsedate_to_datetime(answer.headers["date"]))
    except (KeyError, ValueError):
        pass
    return Reading(None, "no response reported it")


@wrap_parse_errors("list of permissions")
def _read_grants(reader: Reader, place: str) -> tuple[permissions.Grant, ...]:
    rows = reader.ask_rows(f"{place}{AUTHORIZATION}/permissions", PERMISSIONS_API)
    return tuple(
        permissions.Grant(
            tuple(list_texts(row.get("actions"))), tuple(list_texts(row.get("notActions")))
        )
        for row in rows
    )


@wrap_parse_errors("list of locks")
def _read_locks(reader: Reader, group: str) -> tuple[Lock, ...]:
    rows = reader.ask_rows(f"{group}{AUTHORIZATION}/locks", LOCKS_API)
    return tuple(
        Lock(
            parse_text(row.get("name")),
            parse_text(row.get("id")).rsplit("/providers/Microsoft.Authorization/locks/", 1)[0],
            parse_text(get_section(row, "properties").get("level")),
        )
        for row in rows
    )


@wrap_parse_errors("check of eligible roles")
def _read_eligible_roles(reader: Reader, group: str) -> tuple[EligibleRole, ...]:
    """Return the roles that the identity may activate at a group or above, and which it has."""
    by_name, path = {"$filter": "asTarget()"}, f"{group}{AUTHORIZATION}/role"
    active = {
        _parse_assignment(ask_row)
        for ask_row in reader.ask_rows(f"{path}AssignmentScheduleInstances", PIM_API, by_name)
    }
    rows = reader.ask_rows(f"{path}EligibilityScheduleInstances", PIM_API, by_name)
    return tuple(
        EligibleRole(
            _get_role_name(row), _parse_assignment(row)[1], _parse_assignment(row) in active
        )
        for row in rows
    )


def _parse_assignment(row: Mapping[str, Any]) -> tuple[str, str]:
    """Return the role and the scope of a schedule instance, to be compared."""
    properties = get_section(row, "properties")
    role = get_last_name(parse_text(properties.get("roleDefinitionId")))
    return role.lower(), parse_text(properties.get("scope")).lower()


def _get_role_name(row: Mapping[str, Any]) -> str:
    named = get_section(row, "properties", "expandedProperties", "roleDefinition")
    return parse_text(named.get("displayName")) or f"role {_parse_assignment(row)[0]}"


@wrap_parse_errors("check of Network Watchers")
def _find_watcher(reader: Reader, machine_id: str) -> Watcher:
    return Watcher(*network_watcher.find_for_machine(reader, machine_id))


@wrap_parse_errors("check of api-versions")
def _read_api_versions(reader: Reader, site: Site, observed: SiteSnapshot) -> ApiVersions:
    subscriptions = dict.fromkeys(
        get_subscription(group) for group in permissions.list_groups(site)
    )
    regions = [
        virtual_network.location
        for virtual_network in observed.networks.values()
        if virtual_network.location
    ]
    machines = bool(permissions.list_resources(site, ActionScope.MACHINE))
    return api_versions.read(
        reader, list(subscriptions), regions, site.api_versions, machines=machines
    )


@wrap_parse_errors("list of deny assignments")
def _read_denials(reader: Reader, group: str) -> tuple[DenyAssignment, ...]:
    rows = reader.ask_rows(f"{group}{AUTHORIZATION}/denyAssignments", DENIALS_API)
    return tuple(map(_parse_denial, rows))


def _parse_denial(row: dict[str, Any]) -> DenyAssignment:
    properties = get_section(row, "properties")
    grants = (
        permissions.Grant(
            tuple(list_texts(body.get("actions"))), tuple(list_texts(body.get("notActions")))
        )
        for body in list_objects(properties.get("permissions"))
    )
    principals, excluded = (
        tuple(
            id_
            for body in list_objects(properties.get(name))
            if (id_ := parse_text(body.get("id")).lower())
        )
        for name in ("principals", "excludePrincipals")
    )
    return DenyAssignment(
        parse_text(properties.get("denyAssignmentName")) or parse_text(row.get("name")),
        parse_text(properties.get("scope")),
        tuple(grants),
        principals,
        excluded,
        not parse_bool(properties.get("doNotApplyToChildScopes")),
    )


@wrap_parse_errors("check of policies")
def _check_policies(reader: Reader, site: Site, group: str) -> Policies:
    """Ask Azure what policies would do to one peering of each kind in a resource group."""
    denials = []
    version = reader.get_api_version("network")
    for owner, peering, remote in _iter_peerings(site, group):
        flags = peering.get_flags(Path.IPSEC) or peering.get_flags(Path.EXPRESSROUTE) or Flags()
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
        section = get_section(answer.body, "contentEvaluationResult")
        for row in list_objects(section.get("policyEvaluations")):
            effect = parse_text(get_section(row, "effectDetails").get("policyEffect")) or "deny"
            verdict = parse_text(row.get("evaluationResult"))
            if verdict.lower() == "noncompliant" and effect.lower() == "deny":
                assignment = parse_text(get_section(row, "policyInfo").get("policyAssignmentId"))
                denials.append((peering.name, assignment))
    path = f"{group}{AUTHORIZATION}/policyAssignments"
    assigned = reader.ask_rows(path, ASSIGNMENTS_API, {"$filter": "atScope()"})
    above = [
        parse_text(get_section(body, "properties").get("displayName"))
        or parse_text(body.get("name"))
        for body in assigned
        if "/managementgroups/" in parse_text(body.get("id")).lower()
    ]
    return Policies(tuple(denials), tuple(above))


def _iter_peerings(site: Site, group: str) -> Iterator[tuple[str, SitePeering, str]]:
    """One peering of each kind whose network is in a group: the network, it, the other one."""
    visited = set()
    for spoke in site.spokes:
        for role in Role:
            hub = site.build_network_id(site.get_hub(role).virtual_network)
            own = site.build_network_id(spoke.virtual_network)
            for kind, owner, peering, remote in (
                ("outward", own, spoke.get_outward(role), hub),
                ("inward", hub, spoke.get_inward(role), own),
            ):
                inside = resource_ids.get_group_id(owner).lower() == group.lower()
                if inside and (kind, role) not in visited:
                    visited.add((kind, role))
                    yield owner, peering, remote


@wrap_parse_errors("GET of a gateway")
def _read_gateway(reader: Reader, site: Site, role: Role) -> GatewayDetail:
    gateway_id = site.build_gateway_id(site.get_hub(role).gateway)
    body = read_required(reader, gateway_id)
    properties = get_section(body, "properties")
    addresses = []
    for row in list_objects(properties.get("ipConfigurations")):
        address = get_reference(row, "publicIPAddress")
        if address:
            document = attempt(partial(reader.get, address)).value
            addresses.append(
                (get_last_name(address), parse_text(get_section(document, "sku").get("name")))
            )
    return GatewayDetail(
        name=parse_text(body.get("name")) or get_last_name(gateway_id),
        type=parse_text(properties.get("gatewayType"), network.GATEWAY_TYPES),
        sku=parse_text(get_section(properties, "sku").get("name")),
        generation=parse_text(properties.get("vpnGatewayGeneration")),
        addresses=tuple(addresses),
    )


@wrap_parse_errors("reading of metrics")
def _load(reader: Reader, site: Site, now: datetime) -> GatewayLoad:
    """Return what the primary carried: bits received by an ExpressRoute gateway, all of a VPN's.

    Published: supported metrics of virtualNetworkGateways. ``AverageBandwidth`` is bytes a second.
    Without a split the answer is the average of the instances, so they are asked for one by one and
    added up; a scalable ExpressRoute gateway has its own metric, without that dimension.
    """
    gateway_id = site.build_gateway_id(site.primary.gateway)
    properties = get_section(reader.get(gateway_id), "properties")
    expressroute = parse_text(properties.get("gatewayType"), network.GATEWAY_TYPES) == EXPRESSROUTE
    sku = parse_text(get_section(properties, "sku").get("name")).lower()
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
    for metric in list_objects(answer.body.get("value")):
        for series in list_objects(metric.get("timeseries")):
            for point in list_objects(series.get("data")):
                average = parse_number(point.get("average"))
                if average is not None:
                    at = parse_text(point.get("timeStamp"))
                    sums[at] = sums.get(at, 0.0) + average
    values = [sums[at] for at in sorted(sums)]
    if not values:
        raise Failure(f"Azure Monitor has no metric {name} of {get_last_name(gateway_id)}")
    bits = 1.0 if expressroute else 8.0
    return GatewayLoad(values[-1] * bits, max(values) * bits, "24 hours")


def _read_remaining(reader: Reader, site: Site) -> dict[tuple[str, str], Reading[int]]:
    """Return what is left of Azure's limits, from the headers of a GET and of a POST."""
    groups = {get_subscription(name): name for name in permissions.list_groups(site)}
    asks: dict[tuple[str, str], Callable[[], Answer]] = {}
    version = reader.get_api_version("network")
    for subscription, group in groups.items():
        content = {"type": NETWORK, "properties": {}}
        question = {"resourceDetails": {"resourceContent": content, "apiVersion": version}}
        asks[subscription, "reads"] = partial(
            reader.ask, "GET", f"{group}{AUTHORIZATION}/locks", LOCKS_API
        )
        asks[subscription, "writes"] = partial(
            reader.ask, "POST", f"{group}{RESTRICTIONS}", RESTRICTIONS_API, question
        )
    work = [partial(attempt, partial(_ask_remaining, ask, kind)) for (_, kind), ask in asks.items()]
    return dict(zip(asks, run_all(reader.clock, work), strict=True))


@wrap_parse_errors("headers of an answer")
def _ask_remaining(ask: Callable[[], Answer], kind: str) -> int:
    text = ask().headers.get(f"{LEFT}{kind}", "")
    if not text.isdecimal():
        raise Failure("Azure did not report it")
    return int(text)


def _resolve_host(what: str, url: str) -> HostReachability:
    parts = urlsplit(url)
    host = parts.hostname or url
    proxy = None if proxy_bypass(host) else getproxies().get(parts.scheme or "https")
    at = (urlsplit(proxy).hostname or proxy) if proxy else host
    return HostReachability(
        what, host, attempt(partial(_resolve_addresses, at)), at if proxy else None
    )


def _resolve_addresses(host: str) -> tuple[IPv4Address, ...]:
    try:
        rows = socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_STREAM)
    except OSError as error:
        raise Failure(f"{host} cannot be resolved: {error.strerror or error}") from None
    return tuple({IPv4Address(pair[4][0]): None for pair in rows})
