"""Drills, connections and circuits in a status, as text and as plain data. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from erfailover.model.circuits import Circuits, check_circuits
from erfailover.model.resource_ids import get_last_name
from erfailover.model.site import Role
from erfailover.planning.drill.state import STOP, DrillState
from erfailover.reporting.marks import format_verdict
from erfailover.reporting.screen import PLAIN, Screen
from erfailover.reporting.tables import format_table


def format_text(state: DrillState) -> str | None:
    """Return the text below the verdict while a drill runs; None if there is nothing to report."""
    if state.running:
        return f"*** {state.description}\n*** To stop it: {STOP}"
    return state.description


def build_data(state: DrillState) -> dict[str, Any]:
    """Return the same as plain data; documented in ``docs/reference.md``."""
    return {
        "running": state.running,
        "what": state.what,
        "peering_location": state.peering_location,
        "started": state.started,
        "to_stop": STOP if state.running else None,
        "told": state.description,
    }


def format_circuits(circuits: Circuits, screen: Screen = PLAIN) -> str:
    """Return a gateway's connections and circuits, for people; empty if it has no connection."""
    unread = [condition for condition in check_circuits(circuits) if condition.status == "UNKNOWN"]
    lines = ["  " + format_verdict(condition.status, condition.message) for condition in unread]
    rows = []
    for connection in circuits.connections.value or ():
        circuit = connection.known_circuit
        rows.append(
            (
                connection.name,
                connection.type,
                connection.status.value,
                circuit.name if circuit else get_last_name(connection.circuit_id or "") or None,
                circuit.peering_location if circuit else None,
                f"{circuit.circuit_state}, {circuit.provider_state}" if circuit else None,
                circuit.peering_state if circuit else None,
            )
        )
    headings = ("connection", "type", "status", "circuit", "location", "circuit state", "peering")
    title = f"{circuits.gateway_name}: connections"
    names, spare = ("connection", "circuit", "location"), ("type", "location")
    drawn = format_table(title, headings, rows, screen, names, spare) if rows else ""
    return "\n".join(filter(None, (drawn, *lines)))


def build_circuits_data(circuits: Mapping[Role, Circuits]) -> dict[str, list[dict[str, Any]]]:
    """Return the connections of each gateway as plain data, by the gateway's role."""
    return {str(role): [*_build_connections(circuit)] for role, circuit in circuits.items()}


def _build_connections(circuits: Circuits) -> Iterator[dict[str, Any]]:
    for connection in circuits.connections.value or ():
        circuit = connection.known_circuit
        yield {
            "id": connection.id,
            "name": connection.name,
            "type": connection.type,
            "provisioning_state": connection.provisioning_state,
            "status": connection.status.value,
            "circuit": {
                "id": circuit.id,
                "peering_location": circuit.peering_location or None,
                "provisioning_state": circuit.provisioning_state,
                "circuit_provisioning_state": circuit.circuit_state,
                "service_provider_provisioning_state": circuit.provider_state,
                "peering_state": circuit.peering_state,
                "peering_provisioning_state": circuit.peering_provisioning_state,
            }
            if circuit
            else None,
            "unknown": [
                reading.unknown
                for reading in (connection.status, connection.circuit)
                if reading is not None and reading.unknown
            ],
        }
