"""A drill: one spoke is switched to the backup path and back, by one command."""

from __future__ import annotations

import sys
from tests.support.stage import Stage

RUN = ("drill", "run", "--canary", "vnet1", "--yes")


def test_x(provisioned: Stage) -> None:
    stage = provisioned
    a = stage.do(*RUN, "--report", "r.html")
    e = stage.err
    h = stage.do("history")
    i = stage.json("history")[1]["id"]
    h += stage.do("history", i)
    print(a, e, h, open("r.html").read()[-3000:], file=sys.stderr)
    assert 0
