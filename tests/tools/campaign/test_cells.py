"""Which cells can occur, and what a campaign tells; decided without running anything."""

from __future__ import annotations

from tests.tools.campaign import cells, report
from tests.tools.campaign.cells import Direction, Moment
from tests.tools.campaign.checks import Ending
from tests.tools.campaign.report import Campaign
from tests.tools.campaign.trial import Result
from tests.tools.campaign.troubles import Trouble

PEERING = "virtualNetworks/vnet1/virtualNetworkPeerings/vnet1-to-vnet3"
SEEN = [
    ("GET", "virtualNetworks/vnet1", 200),
    ("POST", "virtualNetworkGateways/vng2/getLearnedRoutes", 202),
    ("GET", "locations/westeurope/operationResults/1", 200),
    ("GET", PEERING, 404),
    ("PUT", PEERING, 201),
    ("GET", "locations/westeurope/operations/2", 200),
    ("GET", PEERING, 200),
    ("DELETE", PEERING, 202),
]
CALLS = cells.calls((*pair, pair[0] == "PUT" or None) for pair in SEEN)
GRID = list(cells.grid(Direction.IPSEC, CALLS))


def test_polls_are_no_calls_of_their_own_and_repeated_calls_are_counted() -> None:
    assert [call.name for call in CALLS] == [
        "GET vnet1 #1",
        "POST vng2/getLearnedRoutes #1",
        "GET vnet1-to-vnet3 #1",
        "PUT vnet1-to-vnet3 #1",
        "GET vnet1-to-vnet3 #2",
        "DELETE vnet1-to-vnet3 #1",
    ]
    assert [call.missing_before for call in CALLS] == [False] * 4 + [True, False]


def test_a_reading_made_again_is_noted_until_something_is_written() -> None:
    read, write = ("GET", "virtualNetworks/vnet1", 200), ("PUT", PEERING, 200)
    calls = cells.calls((*pair, None) for pair in [read, read, write, read, read])
    assert [call.again for call in calls] == [False, True, False, False, True]


def test_every_cell_is_run_or_has_a_reason_and_ids_are_unique() -> None:
    possible = cells.possible(GRID)
    assert len(possible) + sum(cells.impossible(GRID).values()) == len(GRID)
    assert len(GRID) == len(CALLS) * len(Moment) * len(Trouble)
    assert len({cell.id for cell in possible}) == len(possible)


def test_every_trouble_strikes_a_write_or_a_reading() -> None:
    assert {cell.trouble for cell in cells.possible(GRID)} == set(Trouble)


def test_a_process_is_killed_at_all_four_moments_of_a_write() -> None:
    moments = {
        cell.moment
        for cell in cells.possible(GRID)
        if cell.call.method == "PUT" and cell.trouble is Trouble.KILLED
    }
    assert moments == set(Moment)


def test_the_summary_counts_what_must_never_be() -> None:
    good = Result("ipsec:PUT:x:1:lost:reset", [], [0, 0, 0], 40.0)
    bad = Result("ipsec:PUT:x:1:before:reset", ["Internet path: cut at 3 s"], [0, 0, 0], 50.0)
    line = report.summary(Campaign([good, bad], 2, {}))
    assert line.startswith("2 runs, 1 kinds, 1 failed, 0 stranded, 1 Internet path cut, ")
    assert line.endswith("longest recovery of a switch 50 s (modelled)")
    assert "again: scripts/fault-campaign --cell ipsec:PUT:x:1:before:reset" in report.failures(
        Campaign([good, bad], 2, {})
    )


def test_a_path_that_is_missing_when_the_process_ends_counts_in_the_row_of_its_ending() -> None:
    killed = Result("ipsec:PUT:x:1:lost:killed", [], stranded=[True, False], ending=Ending.KILLED)
    itself = Result("ipsec:PUT:x:1:lost:reset", ["stranded at the end: x"], stranded=[True, True])
    refused = Result(
        "ipsec-prestaged:PUT:x:1:before:401-for-good",
        [],
        stranded=[True, False],
        ending=Ending.REFUSED,
        last="erfailover: vnet1 has NO path: refused",
    )
    lines = report.paths([killed, itself, refused])
    assert "| SIGKILL | 1 | 1 | 0 |" in lines
    assert "| the process ended by itself | 1 | 1 | 1 |" in lines
    assert lines[-1] == (
        "- `ipsec-prestaged:PUT:x:1:before:401-for-good`: vnet1 has NO path: refused"
    )
    assert report.counts([killed, itself, refused])["stranded"] == 1


def test_the_table_replaces_the_one_before() -> None:
    table = report.table(Campaign([Result("ipsec:PUT:x:1:lost:reset", [], [0, 0, 0], 4.0)], 9, {}))
    once = report.written_into("# Reliability\n", table)
    assert once.count("| reset | 1 | 0 | 1 | 0 | 0 | 4 | 0 |") == 1
    assert report.written_into(once, table) == once
