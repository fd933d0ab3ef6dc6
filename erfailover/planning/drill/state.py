"""Whether a drill runs, from what was read. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from erfailover.model.circuits import Circuits
from erfailover.model.observed import Reading
from erfailover.model.resource_ids import get_last_name
from erfailover.model.site import Drill, Site

STOP = "erfailover drill stop"


@dataclass(frozen=True, slots=True)
class DrillState:
    """Whether a drill runs, and what it does.

    Attributes:
        running: None if it is not known.
        what: ``site failover test`` or ``local network gateway``; None if no drill is known.
        description: one line about a drill that runs, or whose state is unknown.
        peering_location: what a site failover test cuts off.
        started: when, if Azure reports it.
    """

    running: bool | None
    what: str | None = None
    description: str | None = None
    peering_location: str | None = None
    started: str | None = None


def build_drill_state(
    site: Site, circuits: Circuits | None, stand_in: Reading[str] | None
) -> DrillState:
    """Return what is known of a drill.

    Args:
        site: with its drill, or none; a site failover test may run all the same.
        circuits: the circuits of the primary gateway; None if they were not read.
        stand_in: the BGP peering address of the drill's local network gateway now; None if
            the site has no such drill.
    """
    running = circuits.running if circuits else None
    if circuits is None and not isinstance(site.drill, Drill):
        text = "Unknown whether a site failover test is running: the primary gateway was not read"
        return DrillState(None, None, text)
    if circuits and running:
        place, since = (
            running.peering_location,
            running.started or "an unknown time",
        )
        text = (
            f"A SITE FAILOVER TEST OF {circuits.gateway_name} IS {running.status.upper()}: "
            f"disconnected from the circuits at {place} since {since}, until the test is stopped."
        )
        return DrillState(True, "site failover test", text, place, running.started or None)
    if isinstance(site.drill, Drill) and stand_in is not None:
        return _build_stand_in_state(site.drill, stand_in)
    if circuits and circuits.tests is not None and circuits.tests.value is None:
        what = f"a site failover test of {circuits.gateway_name}"
        why = circuits.tests.unknown
        return DrillState(None, "site failover test", f"Unknown whether {what} is running: {why}")
    return DrillState(False, "site failover test" if circuits and circuits.tests else None)


def _build_stand_in_state(drill: Drill, stand_in: Reading[str]) -> DrillState:
    what, name = "local network gateway", get_last_name(drill.local_network_gateway)
    if stand_in.value is None:
        text = f"Unknown whether a drill is running: {name}: {stand_in.unknown}"
        return DrillState(None, what, text)
    if stand_in.value != str(drill.unused_bgp_peering_address):
        return DrillState(False, what)
    text = (
        f"A DRILL IS RUNNING: the BGP peering address of {name} is {stand_in.value} "
        "(unused) until the drill is stopped."
    )
    return DrillState(True, what, text)
