"""What a status says of drills, connections and circuits: as text and as plain data. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from erfailover.circuits import Circuits, claims
from erfailover.model import Reading
from erfailover.report import MARK, table
from erfailover.site import Drill, Role, Site

STOP = "erfailover drill stop"


@dataclass(frozen=True, slots=True)
class DrillState:
    """Whether a drill runs, and what it does.

    Attributes:
        running: None where it is not known.
        what: ``site failover test`` or ``local network gateway``; None where no drill is known.
        told: it in one line; for a drill that runs, or that nothing is known of.
        peering_location: what a site failover test cuts off.
        started: when, where Azure tells.
    """

    running: bool | None
    what: str | None = None
    told: str | None = None
    peering_location: str | None = None
    started: str | None = None


def drill_state(site: Site, circuits: Circuits | None, stand_in: Reading[str] | None) -> DrillState:
    """What is known of a drill.

    Args:
        site: with its drill, or none; a site failover test may run all the same.
        circuits: what the primary gateway hangs on; None where it was not read.
        stand_in: the BGP peering address of the drill's local network gateway now; None where
            the site has no such drill.
    """
    running = circuits.running if circuits else None
    if circuits is None and not isinstance(site.drill, Drill):
        told = "Whether a site failover test runs is unknown: the primary's gateway was not read"
        return DrillState(None, None, told)
    if circuits and running:
        place, since = (
            running.peering_location,
            running.started or "a time that Azure does not tell",
        )
        told = (
            f"A SITE FAILOVER TEST OF {circuits.gateway_name} IS {running.status.upper()}: it is "
            f"cut off the circuits at {place} since {since}, until the test is stopped."
        )
        return DrillState(True, "site failover test", told, place, running.started or None)
    if isinstance(site.drill, Drill) and stand_in is not None:
        return _stand_in(site.drill, stand_in)
    if circuits and circuits.tests is not None and circuits.tests.value is None:
        what = f"a site failover test of {circuits.gateway_name}"
        why = circuits.tests.unknown
        return DrillState(None, "site failover test", f"Whether {what} runs is unknown: {why}")
    return DrillState(False, "site failover test" if circuits and circuits.tests else None)


def _stand_in(drill: Drill, stand_in: Reading[str]) -> DrillState:
    what, name = "local network gateway", drill.local_network_gateway.rsplit("/", 1)[-1]
    if stand_in.value is None:
        told = f"Whether the drill runs is unknown: {name}: {stand_in.unknown}"
        return DrillState(None, what, told)
    if stand_in.value != str(drill.unused_bgp_peering_address):
        return DrillState(False, what)
    told = (
        f"A DRILL IS RUNNING: the BGP peering address of {name} is {stand_in.value}, at which "
        "nobody answers, until the drill is stopped."
    )
    return DrillState(True, what, told)


def drill_text(state: DrillState) -> str | None:
    """The first lines of a status while a drill runs; None where there is nothing to say."""
    if state.running:
        return f"*** {state.told}\n*** To stop it: {STOP}"
    return state.told


def drill_data(state: DrillState) -> dict[str, Any]:
    """The same as plain data; documented in ``docs/reference.md``."""
    return {
        "running": state.running,
        "what": state.what,
        "peering_location": state.peering_location,
        "started": state.started,
        "to_stop": STOP if state.running else None,
        "told": state.told,
    }


def circuits_text(circuits: Circuits) -> str:
    """What a gateway hangs on, for people; empty where it has no connection."""
    unread = [claim for claim in claims(circuits) if claim.verdict == "UNKNOWN"]
    lines = [f"  {MARK[claim.verdict]:>7}  {claim.seen}" for claim in unread]
    rows = []
    for each in circuits.connections.value or ():
        found = each.circuit.value if each.circuit else None
        rows.append(
            (
                each.name,
                each.type,
                each.status.value,
                found.name if found else (each.circuit_id or "").rsplit("/", 1)[-1] or None,
                found.peering_location if found else None,
                f"{found.circuit_state}, {found.provider_state}" if found else None,
                found.peering_state if found else None,
            )
        )
    headings = ("connection", "type", "status", "circuit", "location", "circuit state", "peering")
    drawn = table(f"{circuits.gateway_name}: connections", headings, rows) if rows else ""
    return "\n".join(filter(None, (drawn, *lines)))


def circuits_data(circuits: Mapping[Role, Circuits]) -> dict[str, list[dict[str, Any]]]:
    """The connections of each gateway as plain data, by the gateway's role."""
    return {str(role): [*_connections(each)] for role, each in circuits.items()}


def _connections(circuits: Circuits) -> Iterator[dict[str, Any]]:
    for each in circuits.connections.value or ():
        circuit = each.circuit.value if each.circuit else None
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
