"""Starts and stops Azure's site failover test of an ExpressRoute gateway."""

from __future__ import annotations

from collections.abc import Iterable

from erfailover.azure.reader import Reader
from erfailover.azure.readers.circuits import parse_failover_test
from erfailover.azure.writer import Writer
from erfailover.model.circuits import UNDER_WAY


def start_failover_test(
    writer: Writer, reader: Reader, gateway_id: str, peering_location: str, deadline_s: float
) -> None:
    """Cut a gateway off the circuits of a peering location, until the test is stopped."""
    writer.change_gateway(
        gateway_id,
        "start_express_route_site_failover_simulation",
        deadline_s,
        lambda: _is_under_way(reader, gateway_id, peering_location),
        peering_location=peering_location,
    )


def stop_failover_test(
    writer: Writer,
    reader: Reader,
    gateway_id: str,
    peering_location: str,
    deadline_s: float,
    verified: Iterable[tuple[str, str, bool]],
) -> None:
    """End the site failover test of a peering location.

    Args:
        writer: sends the request.
        reader: looks whether it was done, if the answer was lost.
        gateway_id: the gateway.
        peering_location: the location that is cut off.
        deadline_s: how long it may take, in seconds.
        verified: the connections that traffic went on by: name, peering location, whether it
            was seen to work. Azure files that with the test (published:
            ExpressRouteFailoverStopApiParameters).
    """
    details = [
        {"failoverConnectionName": name, "failoverLocation": where, "isVerified": is_visible}
        for name, where, is_visible in verified
    ]
    writer.change_gateway(
        gateway_id,
        "stop_express_route_site_failover_simulation",
        deadline_s,
        lambda: not _is_under_way(reader, gateway_id, peering_location),
        stop_parameters={
            "peeringLocation": peering_location,
            "wasSimulationSuccessful": bool(details)
            and all(detail["isVerified"] for detail in details),
            "details": details,
        },
    )


def _is_under_way(reader: Reader, gateway_id: str, peering_location: str) -> bool:
    rows = reader.read_gateway_action(
        gateway_id, "get_failover_all_test_details", type="All", fetch_latest=True
    )
    return any(
        failover_test.status in UNDER_WAY
        and failover_test.peering_location.lower() == peering_location.lower()
        for failover_test in map(parse_failover_test, rows)
    )
