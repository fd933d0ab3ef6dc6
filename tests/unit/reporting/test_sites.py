"""One line for each site: aligned, with a reason for what could not be read, never two lines."""

from __future__ import annotations

import json

from erfailover.model.history import RunRecord
from erfailover.model.site import Path
from erfailover.planning.health import judge
from erfailover.reporting import sites
from erfailover.reporting.sites import SiteLine
from tests.support.schemas import hold
from tests.support.sites import make_snapshot, make_state, site

SITE = site("vnet1")
RUN = RunRecord(
    "4f1d8a0c2b3e", "switch", "2026-11-23T02:00:00.000Z", target="ipsec", outcome="done"
)
ON_PRIMARY = judge(SITE, make_snapshot(SITE, make_state(Path.EXPRESSROUTE, SITE)))
ON_BACKUP = judge(SITE, make_snapshot(SITE, make_state(Path.IPSEC, SITE)))
LINES = [
    SiteLine("poc.yaml", "poc", 6, ON_PRIMARY, last_run=RUN),
    SiteLine("night.yaml", "night", 6, ON_BACKUP, drill=True),
    SiteLine("wrong.yaml", None, 2, problem="line 8: spokes: expected a list, found a text"),
    SiteLine("far.yaml", "far", 5, problem="Azure did not answer " + "at all " * 30),
]


def alive(_: object) -> bool | None:
    return None


def test_a_site_is_one_line_and_one_that_cannot_be_read_has_its_reason() -> None:
    lines = sites.format_text(LINES, alive).splitlines()
    assert len(lines) == len(LINES) + 1
    heading, poc, night, wrong, far = lines
    at = {word: heading.index(word) for word in ("VERDICT", "BACKUP", "LAST RUN")}
    assert poc.startswith("poc ")
    assert poc[at["VERDICT"] :].startswith("ExpressRoute, NOT healthy")
    assert poc[at["LAST RUN"] :] == "done 2026-11-23 02:00 switch --to ipsec"
    assert night[at["VERDICT"] :].startswith("DRILL: IPsec, NOT healthy")
    assert night[at["BACKUP"] :].startswith("in use")
    assert night[at["LAST RUN"] :] == "none recorded"
    assert wrong.split(None, 1) == ["wrong.yaml", LINES[2].problem]
    assert far.endswith("at all ")
    hold("sites", json.dumps(sites.build_data(LINES, alive)))


def test_on_a_terminal_no_line_is_wider_than_the_screen() -> None:
    lines = sites.format_text(LINES, alive, 80).splitlines()
    assert max(map(len, lines)) == 80
    assert lines[-1].endswith("...")
    assert [line.split()[0] for line in lines] == ["SITE", "poc", "night", "wrong.yaml", "far"]
