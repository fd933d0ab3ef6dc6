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
from erfailover.model.circuits import Circuit, Circuits, Connection, FailoverTest
from erfailover.model.edge_sessions import DEVICE_PATHS, EdgeNeighbor, EdgeSessions
from erfailover.model.observed import EXPRESSROUTE, VPN, Reading, attempt
from erfailover.model.resource_ids import LOCAL_GATEWAY, last_of
from erfailover.model.site import Drill, Role, Site
from erfailover.runtime.clock import all_at_once

Body = dict[str, Any]
PRIVATE_PEERING = "AzurePrivatePeering"
EDGE_DEADLINE_S = 60.0
"""How long an edge router may take to answer: one that is down need not, and a switch waits."""


@understood("reading of connections")
def circuits(reader: Reader, gateway_id: str, gateway_type: str | None = None) -> Circuits:
    """The connections of a gateway with their circuits, and its site failover tests.

    Args:
        reader: where to read.
        gateway_id: the gateway.
        gateway_type: ``Vpn`` or ``ExpressRoute``; None where it is to be read as well.
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
    """What the gateways of both hubs hang on, read at once."""
    ids = [site.gateway_id(site.hub(role).gateway) for role in Role]
    return dict(
        zip(Role, _all(reader, [partial(circuits, reader, each) for each in ids]), strict=True)
    )


@understood("GET of a local network gateway")
def stand_in_address(reader: Reader, site: Site) -> Reading[str] | None:
    """The BGP peering address of the drill's local network gateway; None without such a drill."""
    drill = site.drill
    if not isinstance(drill, Drill):
        return None
    place = site.resource_id(LOCAL_GATEWAY, drill.local_network_gateway)
    found = attempt(lambda: reader.get(place))
    if found.value is None:
        return Reading(None, found.unknown or "it does not exist in Azure")
    settings = found.value.get("properties", {}).get("bgpSettings") or {}
    return Reading(settings.get("bgpPeeringAddress") or "")


def edge_sessions(reader: Reader, gateway_id: str) -> tuple[EdgeSessions, ...]:
    """Return the BGP sessions of the edge routers of a gateway's circuits.

    None of a circuit that could not be read, and of a VPN gateway, which has no circuit.
    """
    listed = attempt(lambda: reader.connections_of(gateway_id))
    if listed.value is None:
        return (EdgeSessions(f"of {last_of(gateway_id)}", None, {}, listed.unknown),)
    peers = ((each.get("properties") or {}).get("peer") or {} for each in listed.value)
    ids = {str(each["id"]).lower(): str(each["id"]) for each in peers if each.get("id")}
    return tuple(_all(reader, [partial(_edge_sessions, reader, each) for each in ids.values()]))


def _edge_sessions(reader: Reader, circuit_id: str) -> EdgeSessions:
    body, *paths = _all(
        reader,
        [
            lambda: attempt(lambda: reader.get(circuit_id)),
            *(partial(_neighbors, reader, circuit_id, path) for path in DEVICE_PATHS),
        ],
    )
    name, peer_asn = last_of(circuit_id), _number(_private_peering(body.value).get("peerASN"))
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
                neighbor=str(row.get("neighbor") or ""),
                asn=_number(row.get("as")),
                up_down=str(row.get("upDown") or ""),
                state="" if row.get("statePfxRcd") is None else str(row["statePfxRcd"]),
            )
            for row in answer.value.get("value") or ()
            if isinstance(row, dict)
        )
    )


def _number(value: Any) -> int | None:
    """Return a number that may be written as text; None for anything else."""
    text = str(value)
    return int(text) if text.isascii() and text.isdecimal() else None


@understood("list of site failover tests")
def failover_tests(reader: Reader, gateway_id: str) -> Reading[tuple[FailoverTest, ...]]:
    """The site failover tests of an ExpressRoute gateway, the oldest first.

    Published: getFailoverAllTestsDetails of virtualNetworkGateways, REST 2024-05-01.
    """
    rows = attempt(
        lambda: reader.gateway_action(
            gateway_id, "get_failover_all_test_details", type="All", fetch_latest=True
        )
    )
    if rows.value is None:
        return Reading(None, rows.unknown)
    return Reading(tuple(sorted(map(failover_test, rows.value), key=lambda each: each.started)))


def _type(reader: Reader, gateway_id: str, known: str | None) -> str:
    if known is not None:
        return known
    body = attempt(lambda: reader.get(gateway_id)).value or {}
    return str(body.get("properties", {}).get("gatewayType") or VPN)


def _connection(reader: Reader, listed: Body) -> Connection:
    """One connection: its circuit at the same time, since the list names it already."""
    properties = listed.get("properties", {})
    circuit_id = (properties.get("peer") or {}).get("id")
    whole, circuit = _all(
        reader,
        [
            lambda: attempt(lambda: reader.get(listed["id"])),
            lambda: _circuit(reader, circuit_id) if circuit_id else None,
        ],
    )
    now = (whole.value or listed).get("properties", {})
    status = now.get("connectionStatus") if whole.value else None
    return Connection(
        id=listed["id"],
        name=listed.get("name") or last_of(listed["id"]),
        type=properties.get("connectionType", ""),
        provisioning_state=now.get("provisioningState") or "Succeeded",
        status=Reading(status, whole.unknown if status is None else None),
        circuit_id=circuit_id,
        circuit=circuit,
    )


def _circuit(reader: Reader, circuit_id: str) -> Reading[Circuit]:
    body = attempt(lambda: reader.get(circuit_id))
    if body.value is None:
        name = last_of(circuit_id)
        return Reading(None, body.unknown or f"{name} does not exist in Azure")
    properties = body.value.get("properties", {})
    provider = properties.get("serviceProviderProperties") or {}
    peering = _private_peering(body.value)
    return Reading(
        Circuit(
            id=body.value["id"],
            name=body.value["name"],
            provisioning_state=properties.get("provisioningState") or "Succeeded",
            circuit_state=properties.get("circuitProvisioningState") or "",
            provider_state=properties.get("serviceProviderProvisioningState") or "",
            peering_location=provider.get("peeringLocation") or "",
            peering_state=peering.get("state"),
            peering_provisioning_state=peering.get("provisioningState"),
        )
    )


def _private_peering(circuit: Body | None) -> Body:
    """Return the properties of a circuit's private peering; empty without one."""
    rows = ((circuit or {}).get("properties") or {}).get("peerings") or ()
    found = (each.get("properties") or {} for each in rows)
    return next((each for each in found if each.get("peeringType") == PRIVATE_PEERING), {})


@understood("a site failover test")
def failover_test(row: Body) -> FailoverTest:
    """Return one site failover test from its row."""
    return FailoverTest(
        id=row.get("testGuid") or "",
        peering_location=row.get("peeringLocation") or "",
        status=row.get("status") or "Invalid",
        started=row.get("startTime") or "",
        ended=row.get("endTime") or "",
    )


def _all(reader: Reader, reads: Sequence[Callable[[], Any]]) -> list[Any]:
    return all_at_once(reader.clock, reads)
