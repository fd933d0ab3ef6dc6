"""The watch of a site of which a part is on each path: what is left on a failed path follows."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from erfailover.commands.switch import takeover
from erfailover.errors import StateFailure
from erfailover.lab.core.clock import SteppedClock
from erfailover.lab.engine.faults import FOREVER, Fault, FaultKind
from erfailover.model.watch import Signal, SignalStatus, WatchState
from erfailover.runtime.state.local import LocalStore
from tests.support.processes import ELSEWHERE, puts
from tests.support.stage import Stage
from tests.support.watched import Watched, set_far_end, watching
from tests.tools.bench.worlds import Worlds

SPOKES = ("vnet1", "spoke002", "spoke003")
PROBES = {
    "office": {"machine": "vm1", "ping": "10.5.0.4"},
    "other": {"machine": "spoke002-vm", "ping": "10.5.0.4"},
}

EXPIRED_S = 3600.0
"""How long ago whoever took the lease is seen to have renewed it."""


@pytest.fixture(scope="module")
def worlds() -> Iterator[Worlds]:
    made = Worlds()
    yield made
    made.close()


@pytest.fixture
def site(
    worlds: Worlds, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Stage]:
    """A prestaged site of three spokes, each with a machine, on ExpressRoute."""
    world = worlds.get(len(SPOKES), prestaged=True, dark=False, machines=True)
    text = yaml.safe_dump({**yaml.safe_load(world.site), "probes": PROBES}, sort_keys=False)
    clock = SteppedClock()
    with worlds.serve(world.snapshot, text, 1, clock) as served:
        monkeypatch.chdir(served.folder)
        yield Stage(served.lab, clock, served.folder, capsys, served.environment)


def list_paths(stage: Stage) -> list[str]:
    by_name = {spoke["name"]: spoke["path"] for spoke in stage.json("status")["spokes"]}
    return [by_name[name] for name in SPOKES]


def refuse_break(stage: Stage, spoke: str, times: int = 1) -> None:
    fault = Fault(FaultKind.FORBIDDEN, "PUT", f"*/{spoke}-to-vnet2", times=times)
    stage.lab.add_faults(fault)


@pytest.fixture
def cut_off(site: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    """A watch whose failover lost its lease at its breaks; what completed it ended right after."""
    complete, is_stolen, has_ended = takeover.complete, [False], [False]

    def steal() -> None:
        if puts(site) >= before + len(SPOKES) and not is_stolen[0]:
            is_stolen[0] = True
            folder = next(Path(site.folder, "state").rglob("lease.json")).parent
            LocalStore(folder, wall=lambda: time.time() - EXPIRED_S).acquire(
                ELSEWHERE, take_over=True
            )

    def complete_and_end(*arguments: object) -> None:
        complete(*arguments)  # type: ignore[arg-type]
        if is_stolen[0] and not has_ended[0]:
            has_ended[0] = True
            raise StateFailure("the process ended here")

    with watching(site, monkeypatch, mode="automatic", probes="[office]") as watched:
        watched.run_for(40.0)
        before = puts(site)
        refuse_break(site, "spoke002")
        site.lab.listen(steal)
        monkeypatch.setattr(takeover, "complete", complete_and_end)
        watched.set_primary(up=False)
        watched.run_until(lambda: is_stolen[0], 600.0)
        watched.run_until(lambda: has_ended[0], 1200.0)
        yield watched


def test_a_failover_of_which_only_the_crossing_spokes_were_completed_goes_on(
    site: Stage, cut_off: Watched
) -> None:
    assert list_paths(site) == ["ipsec", "expressroute", "ipsec"]
    assert site.json("status")["unfinished"]["to_continue"] == "erfailover switch --to ipsec"
    cut_off.run_until(lambda: cut_off.states[-1] is WatchState.ON_BACKUP, 600.0)
    cut_off.run_for(120.0)
    assert list_paths(site) == ["ipsec"] * 3
    assert [run["outcome"] for run in cut_off.list_switches()] == ["failed", "done", "done"]
    assert site.json("status")["unfinished"] is None


def test_the_rest_stays_while_the_primary_path_carries_it(site: Stage, cut_off: Watched) -> None:
    cut_off.set_primary(up=True)
    before = len(cut_off.list_events())
    cut_off.run_for(900.0)
    assert list_paths(site) == ["ipsec", "expressroute", "ipsec"], "a healthy path is not left"
    new = cut_off.list_events()[before:]
    assert not [text for text in new if "has started" in text]
    assert site.json("status")["unfinished"]["to_continue"] == "erfailover switch --to ipsec"
    cut_off.set_primary(up=False)
    cut_off.run_until(lambda: cut_off.states[-1] is WatchState.ON_BACKUP, 600.0)
    assert list_paths(site) == ["ipsec"] * 3


def test_a_rest_that_cannot_move_is_not_announced_at_every_reading(
    site: Stage, cut_off: Watched
) -> None:
    set_far_end(site, "lng2", up=False)
    before = len(cut_off.list_events("run_ended"))
    site.pass_time(200.0)
    cut_off.run_for(900.0)
    ended = cut_off.list_events("run_ended")[before:]
    assert len(ended) == 1, ended
    set_far_end(site, "lng2", up=True)
    cut_off.run_until(lambda: cut_off.states[-1] is WatchState.ON_BACKUP, 900.0)
    assert list_paths(site) == ["ipsec"] * 3


@pytest.mark.parametrize("times", [1, FOREVER], ids=["once", "always"])
def test_a_failover_that_failed_for_one_spoke_is_begun_again(
    site: Stage, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    with watching(site, monkeypatch, mode="automatic", probes="[office]") as watched:
        watched.run_for(40.0)
        refuse_break(site, "spoke002", times)
        watched.set_primary(up=False)
        end = WatchState.ON_BACKUP if times == 1 else WatchState.LOCKED_OUT
        watched.run_until(lambda: watched.states[-1] is end, 1800.0)
        outcomes = [run["outcome"] for run in watched.list_switches()]
        assert outcomes == (["failed", "done"] if times == 1 else ["failed"] * 3)
        assert list_paths(site)[1] == ("ipsec" if times == 1 else "expressroute")


def test_a_probe_over_the_backup_path_does_not_speak_for_the_primary(
    site: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.do("switch", "--to", "ipsec", "--spoke", "vnet1", "--planned", "--yes")
    with watching(site, monkeypatch, mode="automatic", cooldown_s=10, probes="[office]") as watched:
        watched.run_for(40.0)
        watched.set_primary(up=False)
        watched.run_for(600.0)
        reading = watched.watcher.view.reading
        assert reading is not None
        probe = reading.signals[Signal.PROBES]
        assert probe.status is SignalStatus.UNKNOWN
        assert probe.reason.endswith("concerns vnet1, on ipsec")
        assert watched.states[-1] is WatchState.DEGRADED, "one signal is not enough"
        assert list_paths(site) == ["ipsec", "expressroute", "expressroute"]


def test_the_rest_follows_a_canary_if_its_own_probe_fails(
    site: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.do("switch", "--to", "ipsec", "--spoke", "vnet1", "--planned", "--yes")
    site.do("verify", "--spoke", "vnet1")
    assert "office" in site.out
    assert "do not relate to the chosen spokes: other\n" in site.err
    settings = {"mode": "automatic", "cooldown_s": 10, "probes": "[office, other]"}
    with watching(site, monkeypatch, **settings) as watched:
        watched.run_for(40.0)
        assert watched.states[-1] is WatchState.HEALTHY
        watched.set_primary(up=False)
        watched.run_until(lambda: watched.states[-1] is WatchState.ON_BACKUP, 900.0)
        assert list_paths(site) == ["ipsec"] * 3
