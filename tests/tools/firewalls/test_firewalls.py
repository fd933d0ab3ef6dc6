"""The table of interruptions: what it says of measurements, and that the page has it."""

from __future__ import annotations

from tests.tools.docs.shell import ROOT
from tests.tools.firewalls.measuring import MODES, Kind, Measured, Traffic
from tests.tools.firewalls.table import BEGIN, END, FILE, insert, render


def row(mode: str, kind: Kind, premises: float, spokes: float, moved: int) -> Measured:
    seconds = {
        Traffic.PREMISES: (premises, premises + 2, premises + 1),
        Traffic.INTERNET: (0.0, 0.0, 0.0),
        Traffic.SPOKES: (spokes, 0.0, 0.0),
    }
    return Measured(mode, kind, 1, seconds, moved)


def test_a_row_has_the_median_and_the_longest_of_all_spokes_and_draws() -> None:
    rows = [row("overlay", Kind.PLANNED, 9.0, 0.0, 0), row("overlay", Kind.PLANNED, 19.0, 0.0, 0)]
    assert (
        "| `overlay` | failover, planned | 15 s, at most 21 s | not interrupted | not interrupted "
        "| no |\n" in render(rows)
    )


def test_another_appliance_for_the_internet_is_said() -> None:
    line = render([row("replace", Kind.FAILBACK, 1.0, 4.0, 3)]).splitlines()[-1]
    assert line.endswith("| not interrupted | 0 s, at most 4 s | yes |")


def test_the_table_is_put_between_the_marks_of_the_page() -> None:
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    assert insert(page, "| new |\n") == f"before\n{BEGIN}\n\n| new |\n\n{END}\nafter\n"


def test_the_page_has_a_row_for_each_mode_and_switch_and_overlay_interrupts_nothing_else() -> None:
    page = (ROOT / FILE).read_text(encoding="utf-8")
    written = page.split(BEGIN)[1].split(END)[0]
    lines = [line for line in written.splitlines() if line.startswith("| `")]
    assert len(lines) == len(MODES) * len(Kind)
    overlay = [line for line in lines if "`overlay`" in line]
    assert all(line.endswith("| not interrupted | not interrupted | no |") for line in overlay)
