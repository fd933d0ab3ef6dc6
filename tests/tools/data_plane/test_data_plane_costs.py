"""The tables of what the Linux data plane costs, and that the page has them."""

from __future__ import annotations

from tests.tools.data_plane.table import BEGIN, END, FILE, Cost, Program, format_table
from tests.tools.docs.shell import ROOT

COST = Cost(
    spokes=5,
    agent_s=0.31,
    applied_s=1.2,
    established_s=2.04,
    reachable_s=2.5,
    namespaces=22,
    links=21,
    files=111,
    programs={
        "bird": Program(3, 15.0, 4.0),
        "charon-systemd": Program(4, 24.0, 6.0),
        "agent": Program(1, 40.0, 30.0),
        "bwrap": Program(8, 16.0, 2.0),
        "sleep": Program(8, 8.0, 1.0),
        "lab": Program(1, 120.0, 110.0),
    },
)


def test_a_world_has_a_row_of_times_and_counts_and_one_of_memory() -> None:
    lines = format_table([COST]).splitlines()
    assert lines[2] == "| 5 | 0.3 s | 1.2 s | 2.0 s | 2.5 s | 22 | 21 | 25 | 111 |"
    assert lines[-1] == "| 5 | 15 (4) | 24 (6) | 40 (30) | 24 (3) | 120 (110) | 223 (153) |"


def test_the_page_has_a_row_for_each_number_of_spokes() -> None:
    written = (ROOT / FILE).read_text(encoding="utf-8").split(BEGIN)[1].split(END)[0]
    for spokes in (1, 5, 20, 50):
        assert written.count(f"\n| {spokes} | ") == 2
