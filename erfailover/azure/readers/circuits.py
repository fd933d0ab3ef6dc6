"""Reads what a gateway hangs on: connections, circuits, site failover tests.

Never part of a switch: a circuit may lie in a subscription that the operator may not read, and
each of these reads costs requests. What could not be read is unknown, with the reason; nothing
is raised. A connection's answer holds its shared key: nothing of it is kept but what is named
here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from erfailover.azure.client.answers import understood
from erfailover.azure.reader import Reader
from erfailover.azure.readers.tunnels import CONNECTION_STATES
from erfailover.model.arm_json import (
    PROVISIONING_STATES,
    Body,
    provisioning_state,
    rows,
    section,
    text,
    whole,
)
from erfailover.model.circuits import Circuit, Circuits, Connection, FailoverTest
from erfailover.model.edge_sessions import DEVICE_PATHS, EdgeNeighbor, EdgeSessions
from erfailover.model.observed import EXPRESSROUTE, VPN, Reading, attempt
from erfailover.model.resource_ids import LOCAL_GATEWAY, canonical, last_of
from erfailover.model.site import Drill, Role, Site
from erfailover.runtime.clock import all_at_once

PRIVATE_PEERING = "AzurePrivatePeering"
EDGE_DEADLINE_S = 60.0
"""How long an edge router may take to answer: one that is down need not, and a switch waits."""
CONNECTION_TYPES = ("IPsec", "Vnet2Vnet", "ExpressRoute", "VPNClient")
CIRCUIT_STATES = ("Enabled", "Disabled", "Enabling", "Disabling")
PROVIDER_STATES = ("NotProvisioned", "Provisioning", "Provisioned", "Deprovisioning")
PEERING_STATES = ("Enabled", "Disabled")
"""Enumerations, as Azure documents them; another value is kept as it is."""


@understood("reading of connections")
def circuits(reader: Reader, gateway_id: str, gateway_type: str | None = None) -> Circuits:
    """Return the connections of a gateway with their circuits, and its site failover tests.

    Args:
        reader: where to read.
        gateway_id: the gateway.
        gateway_type: ``Vpn`` or ``ExpressRoute``; None if it is to be read as well.
    """
    listed, told = _all(
        reader,
        [
            lambda: attempt(lambda: reader.connections_of(gateway_id)),
            lambda: _type(reader, gateway_id, gateway_type),
        ],
    )
    bodies: list[Body] = listed.value or []
    reads: list[Callable[[], Any]] = [partial(_connection, reader, each) for each in bodies]
    express = told == EXPRESSROUTE
    if express:
        reads.append(partial(failover_tests, reader, gateway_id))
    found = _all(reader, reads)
    tests = found.pop() if express else None
    connections = Reading(None if listed.value is None else tuple(found), listed.unknown)
    return Circuits(gateway_id, told, connections, tests)


def of_both(reader: Reader, site: Site) -> dict[Role, Circuits]:
    """Return what the gateways of both hubs hang on, read at once."""
    ids = [site.gateway_id(site.hub(role).gateway) for role in Role]
    return dict(
        zip(Role, _all(reader, [partial(circuits, reader, each) for each in ids]), strict=True)
    )


@understood("GET of a local network gateway")
def stand_in_address(reader: Reader, site: Site) -> Reading[str] | None:
    """Return the BGP peering address of the drill's local network gateway; None without one."""
    drill = site.drill
    if not isinstance(drill, Drill):
        return None
    place = site.resource_id(LOCAL_GATEWAY, drill.local_network_gateway)
    found = attempt(lambda: reader.get(place))
    if found.value is None:
        return Reading(None, found.unknown or "it does not exist in Azure")
    settings = section(found.value, "properties", "bgpSettings")
    return Reading(text(settings.get("bgpPeeringAddress")))


def edge_sessions(reader: Reader, gateway_id: str) -> tuple[EdgeSessions, ...]:
    """Return the BGP sessions of the edge routers of a gateway's circuits.

    None of a circuit that could not be read, and of a VPN gateway, which has no circuit.
    """
    listed = attempt(lambda: reader.connections_of(gateway_id))
    if listed.value is None:
        return (EdgeSessions(f"of {last_of(gateway_id)}", None, {}, listed.unknown),)
    peers = (text(section(each, "properties", "peer").get("id")) for each in listed.value)
    ids = {each.lower(): canonical(each) for each in peers if each}
    return tuple(_all(reader, [partial(_edge_sessions, reader, each) for each in ids.values()]))


def _edge_sessions(reader: Reader, circuit_id: str) -> EdgeSessions:
    body, *paths = _all(
        reader,
        [
            lambda: attempt(lambda: reader.get(circuit_id)),
            *(partial(_neighbors, reader, circuit_id, path) for path in DEVICE_PATHS),
        ],
    )
    name, peer_asn = last_of(circuit_id), whole(_private_peering(body.value).get("peerASN"))
    if peer_asn is None:
        missing = "it has no private peering" if body.value else "it does not exist in Azure"
        return EdgeSessions(name, None, {}, body.unknown or missing)
    return EdgeSessions(name, peer_asn, dict(zip(DEVICE_PATHS, paths, strict=True)))


def _neighbors(reader: Reader, circuit_id: str, path: str) -> Reading[tuple[EdgeNeighbor, ...]]:
    """Return the route table summary of a device path.

    Published: ListRoutesTableSummary of expressRouteCircuits, REST 2023-09-01, whose example row
    is ``{"neighbor": "100.65.171.1", "v": 4, "as": 9583, "upDown": "never", "statePfxRcd":
    "Idle"}``.
    """
    answer = attempt(
        lambda: reader.action(
            circuit_id,
            "list_routes_table_summary",
            EDGE_DEADLINE_S,
            peering_name=PRIVATE_PEERING,
            device_path=path,
        )
    )
    if answer.value is None:
        return Reading(None, answer.unknown)
    return Reading(
        tuple(
            EdgeNeighbor(
                neighbor=text(row.get("neighbor")),
                asn=whole(row.get("as")),
                up_down=text(row.get("upDown")),
                state=text(row.get("statePfxRcd")),
            )
            for row in rows(section(answer.value).get("value"))
        )
    )


@understood("list of site failover tests")
def failover_tests(reader: Reader, gateway_id: str) -> Reading[tuple[FailoverTest, ...]]:
    """Return the site failover tests of an ExpressRoute gateway, the oldest first.

    Published: getFailoverAllTestsDetails of virtualNetworkGateways, REST 2024-05-01.
    """
    told = attempt(
        lambda: reader.gateway_action(
            gateway_id, "get_failover_all_test_details", type="All", fetch_latest=True
        )
    )
    if told.value is None:
        return Reading(None, told.unknown)
    return Reading(tuple(sorted(map(failover_test, told.value), key=lambda each: each.started)))


def _type(reader: Reader, gateway_id: str, known: str | None) -> str:
    if known is not None:
        return known
    body = attempt(lambda: reader.get(gateway_id)).value or {}
    return text(section(body, "properties").get("gatewayType"), (VPN, EXPRESSROUTE)) or VPN


def _connection(reader: Reader, listed: Body) -> Connection:
    """One connection: its circuit at the same time, since the list names it already."""
    properties = section(listed, "properties")
    connection_id = canonical(text(listed.get("id")))
    circuit_id = canonical(text(section(properties, "peer").get("id"))) or None
    found, circuit = _all(
        reader,
        [
            lambda: attempt(lambda: reader.get(connection_id)),
            lambda: _circuit(reader, circuit_id) if circuit_id else None,
        ],
    )
    now = section(found.value or listed, "properties")
    status = text(now.get("connectionStatus"), CONNECTION_STATES) if found.value else ""
    return Connection(
        id=connection_id,
        name=text(listed.get("name")) or last_of(connection_id),
        type=text(properties.get("connectionType"), CONNECTION_TYPES),
        provisioning_state=provisioning_state(now),
        status=Reading(status or None, None if status else found.unknown),
        circuit_id=circuit_id,
        circuit=circuit,
    )


def _circuit(reader: Reader, circuit_id: str) -> Reading[Circuit]:
    body = attempt(lambda: reader.get(circuit_id))
    if body.value is None:
        name = last_of(circuit_id)
        return Reading(None, body.unknown or f"{name} does not exist in Azure")
    properties = section(body.value, "properties")
    peering = _private_peering(body.value)
    return Reading(
        Circuit(
            id=circuit_id,
            name=text(body.value.get("name")) or last_of(circuit_id),
            provisioning_state=provisioning_state(properties),
            circuit_state=text(properties.get("circuitProvisioningState"), CIRCUIT_STATES),
            provider_state=text(
                properties.get("serviceProviderProvisioningState"), PROVIDER_STATES
            ),
            peering_location=text(
                section(properties, "serviceProviderProperties").get("peeringLocation")
            ),
            peering_state=text(peering.get("state"), PEERING_STATES) or None,
            peering_provisioning_state=text(peering.get("provisioningState"), PROVISIONING_STATES)
            or None,
        )
    )


def _private_peering(circuit: Body | None) -> Body:
    """Return the properties of a circuit's private peering; empty without one."""
    found = (
        section(each, "properties") for each in rows(section(circuit, "properties").get("peerings"))
    )
    kinds = ((text(each.get("peeringType"), [PRIVATE_PEERING]), each) for each in found)
    return next((each for kind, each in kinds if kind == PRIVATE_PEERING), {})


@understood("a site failover test")
def failover_test(row: Body) -> FailoverTest:
    """Return one site failover test from its row."""
    return FailoverTest(
        id=text(row.get("testGuid")),
        peering_location=text(row.get("peeringLocation")),
        status=text(row.get("status")) or "Invalid",
        started=text(row.get("startTime")),
        ended=text(row.get("endTime")),
    )


def _all(reader: Reader, reads: Sequence[Callable[[], Any]]) -> list[Any]:
    return all_at_once(reader.clock, reads)
