"""Reads what forwards in a hub: Azure Firewalls, interfaces with IP forwarding, load balancers.

A VNet lists the IP configurations in its subnets; each owner is read once, and the power state
of a machine only if its interface forwards. Rules of a firewall are not read: whether they let a
packet pass cannot be judged from here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from ipaddress import IPv4Address

from erfailover.azure.client.answers import wrap_parse_errors
from erfailover.azure.reader import Reader
from erfailover.azure.readers.references import get_reference, read_required
from erfailover.errors import AzureErrorKind, AzureFailure
from erfailover.model.appliances import Appliance, ApplianceKind
from erfailover.model.arm_json import (
    Body,
    get_section,
    list_objects,
    parse_bool,
    parse_ipv4_address,
    parse_text,
)
from erfailover.model.observed import Reading, attempt
from erfailover.model.resource_ids import (
    FIREWALL,
    INTERFACE,
    LOAD_BALANCER,
    canonicalize,
    get_last_name,
    parse,
)
from erfailover.model.site import Role, Site
from erfailover.runtime.clock import run_all

MOST_OWNERS = 500
"""So many resources of a hub are read; a hub with more is unknown."""
VIEW_API = "2024-07-01"
"""Published (REST spec compute, ``virtualMachines/instanceView``)."""

KINDS = {
    FIREWALL.lower(): ApplianceKind.FIREWALL,
    INTERFACE.lower(): ApplianceKind.INTERFACE,
    LOAD_BALANCER.lower(): ApplianceKind.FRONT_END,
}


def read_by_role(reader: Reader, site: Site) -> dict[Role, Reading[tuple[Appliance, ...]]]:
    """Return the appliances of both hubs, those that forward nothing included."""
    hubs = [site.build_network_id(site.get_hub(role).virtual_network) for role in Role]
    readings = run_all(
        reader.clock, [partial(attempt, partial(_read_hub, reader, hub)) for hub in hubs]
    )
    return dict(zip(Role, readings, strict=True))


@wrap_parse_errors("reading of a hub's appliances")
def _read_hub(reader: Reader, hub_id: str) -> tuple[Appliance, ...]:
    body = read_required(reader, hub_id)
    owners = dict.fromkeys(_iter_owners(body))
    if len(owners) > MOST_OWNERS:
        raise AzureFailure(
            AzureErrorKind.NOT_SUPPORTED,
            f"{get_last_name(hub_id)} has {len(owners)} interfaces; at most {MOST_OWNERS} are read",
        )
    readings = run_all(
        reader.clock, [partial(attempt, partial(read_required, reader, id_)) for id_ in owners]
    )
    bodies = {
        id_.lower(): reading.value
        for id_, reading in zip(owners, readings, strict=True)
        if reading.value is not None
    }
    unread = {
        id_: str(reading.unknown)
        for id_, reading in zip(owners, readings, strict=True)
        if reading.value is None
    }
    appliances = [
        Appliance(id_, KINDS[parse(id_).type.lower()], (), unknown=why)
        for id_, why in unread.items()
    ]
    machines = _read_machines(reader, bodies)
    for id_ in owners:
        if id_.lower() in bodies:
            appliances.append(_build(id_, bodies, machines))
    return tuple(appliances)


def _iter_owners(hub: Body) -> Iterator[str]:
    """Yield the id of each resource in a VNet that may forward, as often as it has an address."""
    for subnet in list_objects(get_section(hub, "properties").get("subnets")):
        for row in list_objects(get_section(subnet, "properties").get("ipConfigurations")):
            parts = parse_text(row.get("id")).split("/")
            owner = canonicalize("/".join(parts[:9]))
            if "/".join(parts[6:8]).lower() in KINDS:
                yield owner


def _read_machines(reader: Reader, bodies: Mapping[str, Body]) -> dict[str, Reading[str]]:
    """Return the power state of each machine whose interface forwards, by its id in lower case."""
    ids = dict.fromkeys(
        get_reference(body, "virtualMachine").lower()
        for body in bodies.values()
        if parse_bool(get_section(body, "properties").get("enableIPForwarding"))
    )
    ids.pop("", None)
    readings = run_all(
        reader.clock, [partial(attempt, partial(_read_power, reader, id_)) for id_ in ids]
    )
    return dict(zip(ids, readings, strict=True))


@wrap_parse_errors("instance view of a machine")
def _read_power(reader: Reader, machine_id: str) -> str:
    """Return ``running``, ``deallocated`` and so on; empty if the view does not say."""
    answer = reader.ask("GET", f"{machine_id}/instanceView", VIEW_API)
    codes = [parse_text(row.get("code")) for row in list_objects(answer.body.get("statuses"))]
    return next(
        (code.partition("/")[2] for code in codes if code.lower().startswith("powerstate/")), ""
    )


def _build(
    resource_id: str, bodies: Mapping[str, Body], machines: Mapping[str, Reading[str]]
) -> Appliance:
    kind, body = KINDS[parse(resource_id).type.lower()], bodies[resource_id.lower()]
    properties = get_section(body, "properties")
    if kind is ApplianceKind.INTERFACE:
        addresses = _parse_addresses(properties, "ipConfigurations")
        pooled = any(
            get_section(row, "properties").get("loadBalancerBackendAddressPools")
            for row in list_objects(properties.get("ipConfigurations"))
        )
        fault, unknown = _judge_interface(body, machines)
        return Appliance(resource_id, kind, addresses, fault, unknown, pooled)
    if kind is ApplianceKind.FRONT_END:
        addresses = _parse_addresses(properties, "frontendIPConfigurations")
        fault, unknown = _judge_pool(body, bodies, machines)
        return Appliance(resource_id, kind, addresses, fault, unknown)
    addresses = _parse_addresses(properties, "ipConfigurations")
    state = parse_text(properties.get("provisioningState"))
    fault = "" if addresses else "it has no private address, so it is stopped"
    if state and state not in ("Succeeded", "Updating"):
        fault = f"its state is {state}"
    return Appliance(resource_id, kind, addresses, fault)


def _judge_interface(body: Body, machines: Mapping[str, Reading[str]]) -> tuple[str, str]:
    """Return why an interface forwards nothing, and what is unknown of it."""
    if not parse_bool(get_section(body, "properties").get("enableIPForwarding")):
        return "IP forwarding is off", ""
    machine = get_reference(body, "virtualMachine")
    if not machine:
        return "it is not attached to a machine", ""
    power = machines.get(machine.lower(), Reading(None, "it was not read"))
    name = get_last_name(machine)
    if power.value is None:
        return "", f"it is unknown whether {name} is running: {power.unknown}"
    if power.value != "running":
        return f"{name} is {power.value or 'in an unknown power state'}", ""
    return "", ""


def _judge_pool(
    body: Body, bodies: Mapping[str, Body], machines: Mapping[str, Reading[str]]
) -> tuple[str, str]:
    """Return why a load balancer delivers to none that forwards, and what is unknown of it."""
    properties = get_section(body, "properties")
    ids = [
        "/".join(parse_text(member.get("id")).split("/")[:9]).lower()
        for pool in list_objects(properties.get("backendAddressPools"))
        for member in list_objects(get_section(pool, "properties").get("backendIPConfigurations"))
    ]
    if not ids:
        return "its pools have no members", ""
    rules = list_objects(properties.get("loadBalancingRules"))
    if not any(
        parse_text(get_section(rule, "properties").get("protocol")).lower() == "all"
        for rule in rules
    ):
        return "it has no rule for all ports", ""
    verdicts = [_judge_interface(bodies[id_], machines) for id_ in ids if id_ in bodies]
    if any(verdict == ("", "") for verdict in verdicts):
        return "", ""
    unknown = [why for _, why in verdicts if why]
    if unknown or len(verdicts) < len(ids):
        return "", next(iter(unknown), "a member of its pools could not be read")
    return f"no member of its pools forwards: {verdicts[0][0]}", ""


def _parse_addresses(properties: Body, name: str) -> tuple[IPv4Address, ...]:
    addresses = (
        parse_ipv4_address(get_section(row, "properties").get("privateIPAddress"))
        for row in list_objects(properties.get(name))
    )
    return tuple(address for address in addresses if address is not None)
