"""A way back that would be refused says so wherever it is offered; one that works is offered."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.support.clocks import ResumedClock
from tests.support.pages import check_page
from tests.support.processes import SPEED, command, wait_for_puts
from tests.support.stage import Stage

REFUSED = "(refused for now: ExpressRoute is not ready: vng1"


def words(text: str) -> str:
    return " ".join(text.split())


def test_after_a_switch_off_a_dead_path_the_way_back_says_that_it_is_refused(
    provisioned: Stage,
) -> None:
    stage = provisioned
    stage.do("drill", "start", "--yes")
    stage.do("switch", "--to", "ipsec", "--yes", "--report", "page.html")
    assert f"To go back: erfailover switch --to expressroute {REFUSED}" in words(stage.out)
    page = check_page(Path("page.html").read_text("utf-8"))
    assert (
        "When the run began, this would have been refused: ExpressRoute is not ready: vng1"
        in words(page)
    )
    report = stage.json("history")[-1]
    assert report["way_back_refused"].startswith("ExpressRoute is not ready: vng1")
    assert stage.run("switch", "--undo", "--yes") == 3
    assert "--force" not in stage.out.partition("To go back")[2]

    stage.do("drill", "stop", "--yes")
    stage.do("switch", "--to", "expressroute", "--yes")
    assert "To go back: erfailover switch --to ipsec\n" in stage.out
    assert "refused" not in stage.out


def test_status_offers_the_way_back_of_a_cut_off_run_by_its_own_reading(
    provisioned: Stage,
) -> None:
    stage = provisioned
    stage.do("drill", "start", "--yes")
    stage.lab.clock = ResumedClock(SPEED, stage.clock.now())
    process = command("switch", "--to", "ipsec", "--yes")
    wait_for_puts(stage, process, 3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert f"To go back: erfailover switch --undo {REFUSED}" in words(out)
    stage.clock.sleep(stage.lab.clock.now() - stage.clock.now())
    stage.lab.clock = stage.clock

    stage.run("status")
    assert f"to go back: erfailover switch --undo {REFUSED}" in words(stage.out)
    refused = stage.json("status")["unfinished"]["way_back_refused"]
    assert refused.startswith("ExpressRoute is not ready")
    assert stage.run("switch", "--undo", "--yes") == 3

    stage.do("drill", "stop", "--yes")
    assert stage.json("status")["unfinished"] is None, "the drill was the last run"
