"""A switch in a process of its own, interrupted by real signals at every write."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from tests.support.clocks import ResumedClock
from tests.support.pages import check_page
from tests.support.processes import SPEED, command, puts, wait_for_puts
from tests.support.stage import Stage, below_heading


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
@pytest.mark.parametrize("write", [1, 3, 4])
def test_an_interrupted_switch_says_where_it_stands_and_the_same_command_goes_on(
    provisioned: Stage, sent: signal.Signals, write: int
) -> None:
    stage = provisioned
    stage.do("drill", "start", "--yes")
    stage.watch("vm1-nic1", "8.8.4.4")
    stage.lab.clock = ResumedClock(SPEED, stage.clock.now())
    before = puts(stage)
    process = command("switch", "--to", "ipsec", "--yes", "--planned", "--report", "stopped.html")
    wait_for_puts(stage, process, write)
    process.send_signal(sent)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    text = check_page(Path("stopped.html").read_text("utf-8"))
    first = "poc was NOT switched to IPsec; 1 not started. INTERRUPTED."
    assert below_heading(out).splitlines()[0] == (
        first if write == 1 else "poc is on IPsec, NOT verified. INTERRUPTED."
    )
    assert below_heading(out).splitlines()[0] in text
    assert "Traceback" not in out + err
    done = 4 if write == 3 else write  # the make of what was broken is done all the same
    assert f"interrupted: {done} done, {5 - done} not started" in err
    assert "Run the command again to resume" in err

    again = command("switch", "--to", "ipsec", "--yes", "--planned")
    out, err = again.communicate(timeout=120)
    assert again.returncode == 0, err
    assert puts(stage) == before + 5
    assert stage.cuts == []


def test_a_second_ctrl_c_stops_at_once_and_the_same_command_goes_on(provisioned: Stage) -> None:
    stage = provisioned
    stage.watch("vm1-nic1", "8.8.4.4")
    stage.lab.clock = ResumedClock(2.0, stage.clock.now())
    process = command("switch", "--to", "ipsec", "--yes", "--planned", speed=2.0)
    wait_for_puts(stage, process, 1)
    process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130, err
    assert "Traceback" not in out + err
    assert "Azure is still processing: 1. allow vnet1 to use the gateway in vnet3" in err
    stage.lab.clock = ResumedClock(SPEED, stage.lab.clock.now())
    again = command("switch", "--to", "ipsec", "--yes", "--planned")
    out, err = again.communicate(timeout=120)
    assert again.returncode == 0, err
    assert "Resuming an operation of an earlier run: 1. allow vnet1 to use the gateway" in err
    assert stage.cuts == []
