"""Whether Azure's site failover test of an ExpressRoute gateway may start, and what stops it. Pure.

Published (ExpressRoute Gateway Resiliency Validation): the test needs circuits in at least two
peering locations and no other test under way; it disconnects the gateway from the circuits at
one location, with loss of what only those carry; it runs until it is stopped.
"""

from __future__ import annotations

from erfailover.errors import Refused, UnknownReading
from erfailover.model.circuits import Circuits, FailoverTest, find_locations
from erfailover.model.counting import format_count
from erfailover.model.observed import EXPRESSROUTE

INSTEAD = "To rehearse the switch only: erfailover switch --to ipsec, then back."


def check_start(circuits: Circuits, location: str) -> tuple[str, FailoverTest | None]:
    """Return the peering location to cut off, in Azure's spelling, and a test that already does so.

    Args:
        circuits: the circuits of the gateway.
        location: the location that the site file names.

    Raises:
        Refused: Azure has no such test for this gateway, or another one is in progress.
        UnknownReading: what that rests on could not be read.
    """
    name = _require_expressroute(circuits)
    running = _get_running(circuits)
    place = _resolve_location(circuits, location)
    if running is None:
        return place, None
    if running.peering_location.lower() == place.lower() and running.status != "Stopping":
        return place, running
    raise Refused(
        f"a site failover test of {name} at {running.peering_location} is {running.status}; "
        "expected none",
        "To stop it: erfailover drill stop",
    )


def check_stop(circuits: Circuits) -> FailoverTest | None:
    """Return the test in progress, at any location; None if there is none.

    Raises:
        Refused: the gateway is not of type ExpressRoute.
        UnknownReading: its tests could not be read.
    """
    _require_expressroute(circuits)
    return _get_running(circuits)


def list_other_connections(
    circuits: Circuits, cut_off: str, learned: bool
) -> list[tuple[str, str, bool]]:
    """Return the connections that remained while a location was cut off, as Azure records them.

    Args:
        circuits: what the gateway hangs on, read while the test ran.
        cut_off: the peering location.
        learned: whether the gateway had learned every remote prefix all the same.

    Returns:
        Name, peering location, and whether it was seen to work: Connected, and nothing missing.
    """
    return [
        (connection.name, place, learned and connection.status.value == "Connected")
        for place, connections in find_locations(circuits).connections.items()
        if place.lower() != cut_off.lower()
        for connection in connections
    ]


def _require_expressroute(circuits: Circuits) -> str:
    if circuits.gateway_type != EXPRESSROUTE:
        raise Refused(
            f"{circuits.gateway_name} is a gateway of type {circuits.gateway_type}; Azure's site "
            "failover test needs an ExpressRoute gateway",
            "For a VPN gateway, set drill.local_network_gateway in the site file.",
        )
    return circuits.gateway_name


def _get_running(circuits: Circuits) -> FailoverTest | None:
    if circuits.tests is None or circuits.tests.value is None:
        why = circuits.tests.unknown if circuits.tests else "not read yet"
        raise UnknownReading(
            f"unknown whether a site failover test of {circuits.gateway_name} is running: {why}"
        )
    return circuits.running


def _resolve_location(circuits: Circuits, location: str) -> str:
    """Return the location if Azure's rule of two holds."""
    locations, name = find_locations(circuits), circuits.gateway_name
    existing = ", ".join(sorted(locations.connections)) or "none"
    spelled = locations.find_spelling(location)
    if len(locations.connections) <= 1 or spelled is None:
        if locations.unknown:
            raise UnknownReading(
                f"some peering locations of {name} are unknown (known: {existing}): "
                + "; ".join(locations.unknown),
                "Grant the operator read access to the circuits.",
            )
        if len(locations.connections) <= 1:
            raise Refused(
                f"{name} has circuits at "
                f"{format_count(len(locations.connections), 'peering location')} ({existing});"
                " Azure's site failover test needs two",
                INSTEAD,
            )
        raise Refused(
            f"{name} has no circuit at peering location {location!r}; expected one of: {existing}",
            "Correct drill.peering_location in the site file.",
        )
    return spelled
