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

from erfailover.azure.client.answers import wrap_parse_errors
from erfailover.azure.reader import Reader
from erfailover.azure.readers.references import get_reference
from erfailover.azure.readers.tunnels import CONNECTION_STATES
from erfailover.model.arm_json import (
    PROVISIONING_STATES,
    Body,
    get_provisioning_state,
    get_section,
    list_objects,
    parse_int,
    parse_text,
)
from erfailover.model.circuits import Circuit, Circuits, Connection, FailoverTest
from erfailover.model.edge_sessions import DEVICE_PATHS, EdgeNeighbor, EdgeSessions
from erfailover.model.observed import EXPRESSROUTE, VPN, Reading, attempt
from erfailover.model.resource_ids import LOCAL_GATEWAY, canonicalize, get_last_name
from erfailover.model.site import Drill, Role, Site
from erfailover.runtime.clock import run_all

PRIVATE_PEERING = "AzurePrivatePeering"
EDGE_DEADLINE_S = 60.0
"""How long an edge router may take to answer: one that is down need not, and a switch waits."""
CONNECTION_TYPES = ("IPsec", "Vnet2Vnet", "ExpressRoute", "VPNClient")
CIRCUIT_STATES = ("Enabled", "Disabled", "Enabling", "Disabling")
PROVIDER_STATES = ("NotProvisioned", "Provisioning", "Provisioned", "Deprovisioning")
PEERING_STATES = ("Enabled", "Disabled")
"""Enumerations, as Azure documents them; another value is kept as it is."""


@wrap_parse_errors("reading of connections")
def read_circuits(reader: Reader, gateway_id: str, gateway_type: str | None = None) -> Circuits:
    """Return the connections of a gateway with their circuits, and its site failover tests.

    Args:
        reader: where to read.
        gateway_id: the gateway.
        gateway_type: ``Vpn`` or ``ExpressRoute``; None if it is to be read as well.
    """
    value, body = _read_all(
        reader,
        [
            lambda: attempt(lambda: reader.list_connections(gateway_id)),
            lambda: _read_type(reader, gateway_id, gateway_type),
        ],
    )
    bodies: list[Body] = value.value or []
    reads: list[Callable[[], Any]] = [partial(_read_connection, reader, row) for row in bodies]
    express = body == EXPRESSROUTE
    if express:
        reads.append(partial(read_failover_tests, reader, gateway_id))
    rows = _read_all(reader, reads)
    tests = rows.pop() if express else None
    connections = Reading(None if value.value is None else tuple(rows), value.unknown)
    return Circuits(gateway_id, body, connections, tests)


def read_circuits_by_role(reader: Reader, site: Site) -> dict[Role, Circuits]:
    """Return what the gateways of both hubs hang on, read at once."""
    ids = [site.build_gateway_id(site.get_hub(role).gateway) for role in Role]
    return dict(
        zip(
            Role,
            _read_all(reader, [partial(read_circuits, reader, id_) for id_ in ids]),
            strict=True,
        )
    )


@wrap_parse_errors("GET of a local network gateway")
def read_stand_in_address(reader: Reader, site: Site) -> Reading[str] | None:
    """Return the BGP peering address of the drill's local network gateway; None without one."""
    drill = site.drill
    if not isinstance(drill, Drill):
        return None
    place = site.build_resource_id(LOCAL_GATEWAY, drill.local_network_gateway)
    reading = attempt(lambda: reader.get(place))
    if reading.value is None:
        return Reading(None, reading.unknown or "it does not exist in Azure")
    settings = get_section(reading.value, "properties", "bgpSettings")
    return Reading(parse_text(settings.get("bgpPeeringAddress")))


def read_edge_sessions(reader: Reader, gateway_id: str) -> tuple[EdgeSessions, ...]:
    """Return the BGP sessions of the edge routers of a gateway's circuits.

    None of a circuit that could not be read, and of a VPN gateway, which has no circuit.
    """
    reading = attempt(lambda: reader.list_connections(gateway_id))
    if reading.value is None:
        return (EdgeSessions(f"of {get_last_name(gateway_id)}", None, {}, reading.unknown),)
    peers = (get_reference(row, "peer") for row in reading.value)
    ids = {peer.lower(): peer for peer in peers if peer}
    return tuple(
        _read_all(reader, [partial(_read_circuit_sessions, reader, id_) for id_ in ids.values()])
    )


def _read_circuit_sessions(reader: Reader, circuit_id: str) -> EdgeSessions:
    body, *paths = _read_all(
        reader,
        [
            lambda: attempt(lambda: reader.get(circuit_id)),
            *(partial(_read_neighbors, reader, circuit_id, path) for path in DEVICE_PATHS),
        ],
    )
    name, peer_asn = (
        get_last_name(circuit_id),
        parse_int(_find_private_peering(body.value).get("peerASN")),
    )
    if peer_asn is None:
        missing = "it has no private peering" if body.value else "it does not exist in Azure"
        return EdgeSessions(name, None, {}, body.unknown or missing)
    return EdgeSessions(name, peer_asn, dict(zip(DEVICE_PATHS, paths, strict=True)))


def _read_neighbors(
    reader: Reader, circuit_id: str, path: str
) -> Reading[tuple[EdgeNeighbor, ...]]:
    """Return the route table summary of a device path.

    Published: ListRoutesTableSummary of expressRouteCircuits, REST 2023-09-01, whose example row
    is ``{"neighbor": "100.65.171.1", "v": 4, "as": 9583, "upDown": "never", "statePfxRcd":
    "Idle"}``.
    """
    answer = attempt(
        lambda: reader.read_action(
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
                neighbor=parse_text(row.get("neighbor")),
                asn=parse_int(row.get("as")),
                up_down=parse_text(row.get("upDown")),
                state=parse_text(row.get("statePfxRcd")),
            )
            for row in list_objects(get_section(answer.value).get("value"))
        )
    )


@wrap_parse_errors("list of site failover tests")
def read_failover_tests(reader: Reader, gateway_id: str) -> Reading[tuple[FailoverTest, ...]]:
    """Return the site failover tests of an ExpressRoute gateway, the oldest first.

    Published: getFailoverAllTestsDetails of virtualNetworkGateways, REST 2024-05-01.
    """
    reading = attempt(
        lambda: reader.read_gateway_action(
            gateway_id, "get_failover_all_test_details", type="All", fetch_latest=True
        )
    )
    if reading.value is None:
        return Reading(None, reading.unknown)
    return Reading(
        tuple(
            sorted(
                map(parse_failover_test, reading.value),
                key=lambda failover_test: failover_test.started,
            )
        )
    )


def _read_type(reader: Reader, gateway_id: str, known_type: str | None) -> str:
    if known_type is not None:
        return known_type
    body = attempt(lambda: reader.get(gateway_id)).value or {}
    return (
        parse_text(get_section(body, "properties").get("gatewayType"), (VPN, EXPRESSROUTE)) or VPN
    )


def _read_connection(reader: Reader, row: Body) -> Connection:
    """One connection: its circuit at the same time, since the list names it already."""
    properties = get_section(row, "properties")
    connection_id = canonicalize(parse_text(row.get("id")))
    circuit_id = get_reference(row, "peer") or None
    value, circuit = _read_all(
        reader,
        [
            lambda: attempt(lambda: reader.get(connection_id)),
            lambda: _read_circuit(reader, circuit_id) if circuit_id else None,
        ],
    )
    now = get_section(value.value or row, "properties")
    status = parse_text(now.get("connectionStatus"), CONNECTION_STATES) if value.value else ""
    return Connection(
        id=connection_id,
        name=parse_text(row.get("name")) or get_last_name(connection_id),
        type=parse_text(properties.get("connectionType"), CONNECTION_TYPES),
        provisioning_state=get_provisioning_state(now),
        status=Reading(status or None, None if status else value.unknown),
        circuit_id=circuit_id,
        circuit=circuit,
    )


def _read_circuit(reader: Reader, circuit_id: str) -> Reading[Circuit]:
    body = attempt(lambda: reader.get(circuit_id))
    if body.value is None:
        name = get_last_name(circuit_id)
        return Reading(None, body.unknown or f"{name} does not exist in Azure")
    properties = get_section(body.value, "properties")
    peering = _find_private_peering(body.value)
    return Reading(
        Circuit(
            id=circuit_id,
            name=parse_text(body.value.get("name")) or get_last_name(circuit_id),
            provisioning_state=get_provisioning_state(properties),
            circuit_state=parse_text(properties.get("circuitProvisioningState"), CIRCUIT_STATES),
            provider_state=parse_text(
                properties.get("serviceProviderProvisioningState"), PROVIDER_STATES
            ),
            peering_location=parse_text(
                get_section(properties, "serviceProviderProperties").get("peeringLocation")
            ),
            peering_state=parse_text(peering.get("state"), PEERING_STATES) or None,
            peering_provisioning_state=parse_text(
                peering.get("provisioningState"), PROVISIONING_STATES
            )
            or None,
        )
    )


def _find_private_peering(circuit: Body | None) -> Body:
    """Return the properties of a circuit's private peering; empty without one."""
    rows = (
        get_section(row, "properties")
        for row in list_objects(get_section(circuit, "properties").get("peerings"))
    )
    kinds = ((parse_text(row.get("peeringType"), [PRIVATE_PEERING]), row) for row in rows)
    return next((row for kind, row in kinds if kind == PRIVATE_PEERING), {})


@wrap_parse_errors("a site failover test")
def parse_failover_test(row: Body) -> FailoverTest:
    """Return one site failover test from its row."""
    return FailoverTest(
        id=parse_text(row.get("testGuid")),
        peering_location=parse_text(row.get("peeringLocation")),
        status=parse_text(row.get("status")) or "Invalid",
        started=parse_text(row.get("startTime")),
        ended=parse_text(row.get("endTime")),
    )


def _read_all(reader: Reader, reads: Sequence[Callable[[], Any]]) -> list[Any]:
    return run_all(reader.clock, reads)
