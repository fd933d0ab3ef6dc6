"""``status`` and ``status --watch`` as typed: what is on the screen, and how they end."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from erfailover.cli.main import invoke
from erfailover.lab.core.clock import SteppedClock
from erfailover.lab.engine.faults import Fault, FaultKind
from tests.support.express_site import Maker
from tests.support.stage import Stage, below_heading

EVERY_S = 17.0


@dataclass
class Watched:
    """The stage's clock; between two readings something happens, and then somebody leaves."""

    clock: SteppedClock
    between: list[Callable[[], object]]
    waits: list[float] = field(default_factory=list)

    def now(self) -> float:
        return self.clock.now()

    def sleep(self, seconds: float) -> None:
        self.clock.sleep(seconds)
        if seconds != EVERY_S:
            return
        self.waits.append(seconds)
        if not self.between:
            raise KeyboardInterrupt
        self.between.pop(0)()

    def wait_for(self, ready: Callable[[], bool], timeout_s: float) -> bool:
        return self.clock.wait_for(ready, timeout_s)

    def notify(self) -> None:
        self.clock.notify()

    def join(self, participants: int = 1) -> None:
        self.clock.join(participants)

    def leave(self) -> None:
        self.clock.leave()


def watch(stage: Stage, *between: Callable[[], object], more: tuple[str, ...] = ()) -> int:
    """Watch, with something happening after each reading; what was printed is ``stage.out``."""
    clock = Watched(stage.clock, list(between))
    stage.capture.readouterr()
    code = invoke(["status", "--watch", f"{EVERY_S:.0f}", *more], clock)
    stage.out, stage.err = stage.capture.readouterr()
    assert len(clock.waits) == len(between) + 1 or code != 0
    return code


def delete_peering(stage: Stage, network: str, name: str) -> None:
    """Delete one side of a peering, as somebody else: the other is then Disconnected."""
    other = Maker(stage.lab, stage.clock, "rg-we")
    path = f"virtualNetworks/{network}/virtualNetworkPeerings/{name}"
    assert other.ask("DELETE", path).status in (200, 202)
    stage.pass_time(30.0)


def test_a_healthy_site_is_one_glance(provisioned: Stage) -> None:
    lines = below_heading(provisioned.do("status")).splitlines()
    assert lines[0] == "vnet1 is on ExpressRoute; healthy. IPsec is ready to take over."
    picture = lines[2:16]
    assert "vnet2, primary hub" in picture[0]
    assert "in use" in picture[1]
    assert "✓ learned 10.5.0.0/16" in "".join(picture)
    assert "✗" not in provisioned.out
    assert max(map(len, lines)) <= 100


def test_a_drill_shows_the_dark_session_and_after_the_switch_the_other_path(
    provisioned: Stage,
) -> None:
    stage = provisioned
    stage.do("drill", "start", "--yes")
    assert stage.run("status") == 6
    first, *rest = below_heading(stage.out).splitlines()
    assert first == "DRILL: vnet1 is on ExpressRoute; NOT healthy. IPsec is ready to take over."
    assert rest[0].startswith("*** A DRILL IS RUNNING")
    assert "✗ NOT learned: 10.5.0.0/16" in stage.out
    assert "DOWN" in stage.out

    stage.do("switch", "--to", "ipsec", "--yes", "--planned")
    first = below_heading(stage.do("status")).splitlines()[0]
    assert first == "DRILL: vnet1 is on IPsec; healthy. ExpressRoute is NOT ready."
    backup = stage.out[stage.out.index("╔") :]
    assert backup.startswith("╔ vnet3, backup hub")


def test_a_lost_peering_is_broken_in_the_picture_and_told_by_name(provisioned: Stage) -> None:
    stage = provisioned
    delete_peering(stage, "vnet2", "vnet2-to-vnet1")
    assert stage.run("status") == 6
    assert "BROKEN" in stage.out
    assert "    FAILS  vnet2-to-vnet1 does not exist" in stage.out
    assert stage.run("status", "--details") == 6
    assert "✗  vnet2-to-vnet1  vnet1  missing" in stage.out
    assert "✗  vnet1-to-vnet2  vnet2  Disconnected" in stage.out
    assert "vnet1-to-vnet2 is Disconnected" in stage.out


def test_what_azure_refuses_to_tell_is_unknown_in_words(provisioned: Stage) -> None:
    stage = provisioned
    stage.lab.add_faults(Fault(FaultKind.FORBIDDEN, "*", "virtualNetworkGateways/vng1", times=0))
    stage.lab.add_faults(Fault(FaultKind.FORBIDDEN, "*", "virtualNetworks/vnet3", times=0))
    assert stage.run("status") == 4
    first = below_heading(stage.out).splitlines()[0]
    assert first.startswith("vnet1 is on ExpressRoute; health unknown.")
    assert "? vng1: not read" in stage.out
    assert "? VNet: not read" in stage.out


def test_colour_only_where_it_is_wanted_and_ascii_where_nothing_else_is_shown(
    provisioned: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = provisioned
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    assert "\x1b[" in stage.do("status")
    monkeypatch.setenv("NO_COLOR", "1")
    plain = stage.do("status")
    assert "\x1b" not in plain
    assert "╞══════════╣" in plain
    assert max(map(len, plain.splitlines())) <= 80
    monkeypatch.setenv("TERM", "dumb")
    assert stage.do("status").isascii()


def test_a_watch_tells_each_change_once_and_ctrl_c_is_no_error(provisioned: Stage) -> None:
    stage = provisioned

    def drill() -> None:
        assert invoke(["drill", "start", "--yes"], stage.clock) == 0

    assert watch(stage, lambda: None, drill, lambda: None) == 0
    lines = [
        line.split("  ", 1)[1]
        for line in below_heading(stage.out).splitlines()
        if line.startswith("20")
    ]
    assert lines[0] == "vnet1 is on ExpressRoute; healthy. IPsec is ready to take over."
    assert lines.count("vng1: BGP session with 10.4.0.253: Connecting (new)") == 1
    assert lines[-1] == "DRILL: vnet1 is on ExpressRoute; NOT healthy. IPsec is ready to take over."
    assert "interrupted" not in stage.err


def test_a_reading_that_fails_does_not_end_a_watch(provisioned: Stage) -> None:
    stage = provisioned

    def cut() -> None:
        stage.lab.add_faults(Fault(FaultKind.EXPIRED_TOKEN, "*", "*", times=0))

    def mend() -> None:
        stage.lab.clear_faults()

    assert watch(stage, cut, lambda: None, mend) == 0
    lines = [line.split("  ", 1)[1] for line in below_heading(stage.out).splitlines()]
    failed = [name for name in lines if name.startswith("read failed: ")]
    assert len(failed) == 1, "the same failure is told once"
    assert lines[-1] == "read succeeded again"


def test_a_watch_whose_first_reading_fails_ends_with_its_exit_code(provisioned: Stage) -> None:
    stage = provisioned
    stage.lab.add_faults(Fault(FaultKind.EXPIRED_TOKEN, "*", "*", times=0))
    assert watch(stage) == 5


def test_a_watch_as_json_is_one_status_a_line(provisioned: Stage) -> None:
    stage = provisioned
    assert watch(stage, lambda: None, more=("-o", "json")) == 0
    first, second = map(json.loads, stage.out.splitlines())
    assert first.keys() == second.keys() == stage.json("status").keys()


@pytest.mark.parametrize("seconds", ["4", "soon", "0"])
def test_a_watch_that_asks_too_often_is_refused(stage: Stage, seconds: str) -> None:
    assert stage.run("status", "--watch", seconds) == 2
