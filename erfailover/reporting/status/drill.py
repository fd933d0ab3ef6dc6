"""What a status says of drills, connections and circuits: as text and as plain data. Pure."""

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
    """Return the text below the verdict while a drill runs; None if there is nothing to say."""
    if state.running:
        return f"*** {state.told}\n*** To stop it: {STOP}"
    return state.told


def build_data(state: DrillState) -> dict[str, Any]:
    """Return the same as plain data; documented in ``docs/reference.md``."""
    return {
        "running": state.running,
        "what": state.what,
        "peering_location": state.peering_location,
        "started": state.started,
        "to_stop": STOP if state.running else None,
        "told": state.told,
    }


def format_circuits(circuits: Circuits, screen: Screen = PLAIN) -> str:
    """Return what a gateway hangs on, for people; empty if it has no connection."""
    unread = [claim for claim in check_circuits(circuits) if claim.status == "UNKNOWN"]
    lines = ["  " + format_verdict(claim.status, claim.message) for claim in unread]
    rows = []
    for each in circuits.connections.value or ():
        found = each.known_circuit
        rows.append(
            (
                each.name,
                each.type,
                each.status.value,
                found.name if found else get_last_name(each.circuit_id or "") or None,
                found.peering_location if found else None,
                f"{found.circuit_state}, {found.provider_state}" if found else None,
                found.peering_state if found else None,
            )
        )
    headings = ("connection", "type", "status", "circuit", "location", "circuit state", "peering")
    title = f"{circuits.gateway_name}: connections"
    names, spare = ("connection", "circuit", "location"), ("type", "location")
    drawn = format_table(title, headings, rows, screen, names, spare) if rows else ""
    return "\n".join(filter(None, (drawn, *lines)))


def build_circuits_data(circuits: Mapping[Role, Circuits]) -> dict[str, list[dict[str, Any]]]:
    """Return the connections of each gateway as plain data, by the gateway's role."""
    return {str(role): [*_build_connections(each)] for role, each in circuits.items()}


def _build_connections(circuits: Circuits) -> Iterator[dict[str, Any]]:
    for each in circuits.connections.value or ():
        circuit = each.known_circuit
        yield {
            "id": each.id,
            "name": each.name,
            "type": each.type,
            "provisioning_state": each.provisioning_state,
            "status": each.status.value,
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
                for reading in (each.status, each.circuit)
                if reading is not None and reading.unknown
            ],
        }
