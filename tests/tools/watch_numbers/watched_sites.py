"""Watched sites of the lab without an operator: the sample site, and one with ExpressRoute.

Owns how they are made, how their primary path fails, and what is true of them: whether a packet
passes, and what Azure's table of the primary gateway shows.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from erfailover.cli.main import invoke
from erfailover.commands.context import Context
from erfailover.commands.watch.command import open_watcher
from erfailover.commands.watch.site_watcher import SiteWatcher
from erfailover.lab.core.clock import SteppedClock
from erfailover.lab.engine.faults import Faults
from erfailover.lab.engine.lab import Lab
from erfailover.model.history import RunRecord, collect_runs
from erfailover.model.watch import WatchState
from erfailover.runtime import journal
from erfailover.runtime.clock import start
from tests.support import express_site
from tests.support.door import open_door
from tests.support.express_site import Maker
from tests.support.stage import Stage
from tests.support.watched import STARTED, ServedArm, open_context
from tests.tools.bench.outages import Packets
from tests.tools.bench.worlds import PRIMARY_GATEWAY, Served, Worlds

SPOKE = "vnet1"
FAR_LOCAL_GATEWAY = "lng3"
"""What the far end of the primary path knows of the primary gateway."""
UNUSED_ADDRESS = "10.2.0.200"
LEAST_PAUSE_S = 0.01


class _Silent:
    """Stands in for pytest's capture: these commands print nothing that is judged."""

    def readouterr(self) -> tuple[str, str]:
        return "", ""


@dataclass
class WatchedSite:
    """A watched site, and what is true of it."""

    lab: Lab
    clock: SteppedClock
    folder: Path
    watcher: SiteWatcher
    context: Context
    states: list[WatchState] = field(default_factory=list)

    def turn(self) -> None:
        """Take one turn of the watch, and wait until the next is due."""
        pause_s = self.watcher.take_turn()
        state = self.watcher.view.state
        if self.states[-1:] != [state]:
            self.states.append(state)
        self.clock.sleep(max(pause_s, LEAST_PAUSE_S))

    def run_for(self, seconds: float) -> None:
        """Take turns for some modelled seconds."""
        self.run_until(lambda: False, seconds)

    def run_until(self, holds: Callable[[], bool], at_most_s: float) -> None:
        """Take turns until something holds, or some modelled seconds have passed."""
        until = self.clock.now() + at_most_s
        while self.clock.now() < until and not holds():
            self.turn()

    def list_switches(self) -> list[RunRecord]:
        """Return the switches in the journal, oldest first."""
        runs = collect_runs(self.context.read_records())
        return [run for run in runs if run.command == "switch"]


def read_modelled(text: str | None) -> float:
    """Return the modelled second of a moment in the journal."""
    return datetime.fromisoformat(str(text)).timestamp() - STARTED


@contextmanager
def keep_modelled_time(clock: Any) -> Iterator[Callable[[], float]]:
    """Let the journal keep modelled time; yields what reads it, in seconds since 1970."""

    def read_wall() -> float:
        return float(STARTED + clock.now())

    def format_now() -> str:
        return datetime.fromtimestamp(read_wall(), UTC).isoformat()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal, "_format_now", format_now)
        yield read_wall


@contextmanager
def watch_stage(stage: Stage) -> Iterator[WatchedSite]:
    """Watch the site of a stage, whose folder is the working directory meanwhile."""
    before = Path.cwd()
    os.chdir(stage.folder)
    try:
        with keep_modelled_time(stage.clock) as read_wall:
            context = open_context(stage)
            watcher = open_watcher(context, lambda: None, lambda context, reading: "", read_wall)
            try:
                yield WatchedSite(stage.lab, stage.clock, stage.folder, watcher, context)
            finally:
                watcher.close(1.0)
                context.close()
    finally:
        os.chdir(before)


def build_stage(served: Served) -> Stage:
    """Return a served world as a stage."""
    return Stage(
        served.lab,
        served.clock,
        served.folder,
        _Silent(),  # type: ignore[arg-type]
        served.environment,
    )


def set_site(folder: Path, **sections: Any) -> None:
    """Write sections of the site file of a folder."""
    file = folder / "erfailover.yaml"
    site = yaml.safe_load(file.read_text("utf-8"))
    file.write_text(yaml.safe_dump({**site, **sections}, sort_keys=False), "utf-8")


def build_door_probe(port: int) -> dict[str, Any]:
    """Return a probe that asks whether a packet passes in the lab."""
    script = f"exec 3<>/dev/tcp/127.0.0.1/{port}; read -r word <&3; [ $word = up ]"
    return {"command": ["bash", "-c", script]}


@dataclass
class Sample:
    """The sample site, prestaged, with one spoke, on the stepped clock."""

    served: Served
    stage: Stage
    packets: Packets
    port: int
    """Where a probe can ask whether a packet passes."""
    began: float
    """The modelled second of the lab at which the packets begin."""
    address: str = ""
    """The primary gateway's, as the far end knows it."""
    shown_at: list[tuple[float, bool]] = field(default_factory=list)
    """When Azure's table of the primary gateway began to show a failure, or a repair."""

    @property
    def offset(self) -> float:
        """What is to be added to a second of the lab for one of the clock."""
        return float(self.served.clock.now() - self.served.lab.world.now)

    def set_primary(self, *, up: bool) -> None:
        """Let the far end of the primary path fail, or have it repaired.

        The far end stops at once; the primary gateway notices when its hold time has passed.
        """
        lab, arm = self.served.lab, ServedArm(self.served.lab, self.served.clock)
        path = f"localNetworkGateways/{FAR_LOCAL_GATEWAY}"
        with lab.lock:
            faults, lab.faults = lab.faults, Faults(0)  # what happens there meets none of them
            body: Any = arm.ask("GET", path).body
            settings = dict(body["properties"]["bgpSettings"])
            self.address = self.address or settings["bgpPeeringAddress"]
            settings["bgpPeeringAddress"] = self.address if up else UNUSED_ADDRESS
            answer = arm.write(path, {**body["properties"], "bgpSettings": settings})
            lab.faults = faults
        if answer.status not in (200, 201):
            raise RuntimeError(f"{FAR_LOCAL_GATEWAY}: {answer}")

    def fail_after(self, seconds: float) -> None:
        """Let the primary path fail in some seconds, beside the watch."""

        def fail() -> None:
            self.served.clock.sleep(seconds)
            self.set_primary(up=False)

        start(self.served.clock, fail, "failure")

    def note_table(self) -> None:
        """Note from now on when Azure's table of the primary gateway shows a change."""
        lab = self.served.lab

        def look() -> None:
            gateway = lab.world.get(PRIMARY_GATEWAY.lower())
            assert gateway is not None
            up = any(row["origin"] == "EBgp" for row in lab.plane.list_learned_routes(gateway))
            if self.shown_at[-1:] == [] or self.shown_at[-1][1] is not up:
                self.shown_at.append((lab.world.now, up))

        with lab.lock:
            look()
            lab.listen(look)


@contextmanager
def open_sample(worlds: Worlds, seed: int | None, **sections: Any) -> Iterator[Sample]:
    """Serve the sample site with durations drawn by a seed.

    Args:
        worlds: makes it.
        seed: None for the median durations.
        sections: of the site file.
    """
    world = worlds.get(1, True, dark=False)
    with worlds.serve(world.snapshot, world.site, seed) as served:
        packets = Packets(served.lab, [SPOKE])
        with open_door(lambda: packets.passes_now(SPOKE)) as port:
            probes = {"office": build_door_probe(port)}
            set_site(served.folder, **{"probes": probes, **sections})
            sample = Sample(served, build_stage(served), packets, port, served.lab.world.now)
            sample.note_table()
            yield sample


@contextmanager
def open_express(
    worlds: Worlds, circuits: int, seed: int | None, **sections: Any
) -> Iterator[tuple[Stage, Maker]]:
    """Serve a prestaged site with an ExpressRoute gateway and so many circuits."""
    with worlds.serve(None, "", seed) as served:
        stage = build_stage(served)
        maker = express_site.make(stage, *("Amsterdam", "Dublin")[:circuits])
        set_site(served.folder, **sections)
        run_quietly(served.clock, "prestage", "--yes")
        yield stage, maker


def run_quietly(clock: Any, *arguments: str) -> None:
    """Type a command that must succeed.

    Raises:
        RuntimeError: it did not.
    """
    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(out):
        code = invoke(list(arguments), clock)
    if code:
        raise RuntimeError(f"erfailover {' '.join(arguments)}: exit code {code}\n{out.getvalue()}")
