"""The gate's age limit counts from when Azure made a table, not from when it was fetched."""

from __future__ import annotations

from erfailover.lab.engine.faults import Fault, FaultKind
from tests.support.stage import Stage

USED_UP = {"Retry-After": "3600", "x-ms-ratelimit-remaining-subscription-reads": "0"}
TABLE, NETWORK = "/vng2/getLearnedRoutes", "/virtualNetworks/vnet1"


def test_a_table_that_waits_for_room_under_the_limits_is_read_again(provisioned: Stage) -> None:
    stage = provisioned
    stage.do("drill", "start", "--yes")
    before = len(stage.lab.trace)
    stage.lab.add_faults(
        Fault(
            FaultKind.ANSWER,
            "GET",
            f"*{NETWORK}",
            nth=2,
            status=429,
            code="Throttled",
            headers=USED_UP,
        )
    )
    stage.do("switch", "--to", "ipsec", "--yes")
    trace = list(stage.lab.trace)[before:]
    assert any(entry.status == 429 for entry in trace)
    (broken_s,) = [
        entry.at_s
        for entry in trace
        if entry.method == "PUT" and entry.path.endswith("vnet1-to-vnet2")
    ]
    read_s = max(
        entry.at_s for entry in trace if entry.path.endswith(TABLE) and entry.at_s < broken_s
    )
    assert broken_s - read_s < 40.0
