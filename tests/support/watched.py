"""A watched site on a stage: turns on the stepped clock, and a failure that no operator makes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from erfailover.commands.context import Context
from erfailover.commands.output import Output
from erfailover.commands.site_file import SiteFile
from erfailover.commands.watch import approval, pause
from erfailover.commands.watch.command import open_watcher
from erfailover.commands.watch.site_watcher import SiteWatcher
from erfailover.lab.core.clock import SteppedClock
from erfailover.lab.engine.lab import Lab
from erfailover.model.watch import WatchState
from erfailover.reporting import formats
from erfailover.runtime import journal
from tests.support.direct import Direct
from tests.support.stage import Stage

STARTED = datetime(2040, 1, 2, 12, tzinfo=UTC).timestamp()
"""A Monday noon, at the modelled second 0; later than the provisioning, which the wall dates."""
PEER, UNUSED = "10.4.0.254", "10.4.0.253"


class ServedArm(Direct):
    """Writes into a lab that is served: of a stage, or of a benchmark."""

    def __init__(self, lab: Lab, clock: SteppedClock) -> None:
        self.lab, self.clock = lab, clock
        base = "https://127.0.0.1:1"
        self.token = self.lab.tokens.issue_access_token(f"{base}/t", base)
        self.group = f"/subscriptions/{self.lab.identity.subscription}/resourceGroups/rg-we"


@dataclass
class Watched:
    """The watch of the stage's site."""

    stage: Stage
    watcher: SiteWatcher
    context: Context
    states: list[WatchState] = field(default_factory=list)

    def turn(self) -> None:
        """Take one turn, and wait until the next is due."""
        pause_s = self.watcher.take_turn()
        state = self.watcher.view.state
        if not self.states or self.states[-1] is not state:
            self.states.append(state)
        self.stage.clock.sleep(max(pause_s, 0.01))

    def run_for(self, seconds: float) -> None:
        """Take turns for some modelled seconds."""
        until = self.stage.clock.now() + seconds
        while self.stage.clock.now() < until:
            self.turn()

    def run_until(self, holds: Callable[[], bool], at_most_s: float) -> None:
        """Take turns until something holds."""
        until = self.stage.clock.now() + at_most_s
        while not holds():
            assert self.stage.clock.now() < until, self.list_events()
            self.turn()

    def list_events(self, type_: str = "") -> list[str]:
        """Return the texts of the events, oldest first."""
        events = reversed(self.watcher.view.events)
        return [event.text for event in events if not type_ or str(event.type) == type_]

    def list_switches(self) -> list[dict[str, Any]]:
        """Return the switches in the journal, oldest first."""
        runs: list[dict[str, Any]] = self.stage.json("history")
        return [run for run in runs if run["command"] == "switch"]

    def pause(self, reason: str, for_s: float | None = None) -> None:
        """Pause the watch, as ``erfailover pause`` does."""
        with closing(self._open_context(reason)) as context:
            pause.pause(context, for_s, self.read_wall)

    def resume(self) -> None:
        """Resume it, as ``erfailover resume`` does."""
        with closing(self._open_context()) as context:
            pause.resume(context, self.read_wall)

    def approve(self, approval_id: str) -> None:
        """Give an approval, as ``erfailover approve`` does."""
        with closing(self._open_context()) as context:
            approval.approve(context, approval_id, self.read_wall)

    def read_wall(self) -> float:
        """Return the modelled wall time."""
        return STARTED + self.stage.clock.now()

    def _open_context(self, reason: str | None = None) -> Context:
        return open_context(self.stage, reason)

    def set_primary(self, *, up: bool) -> None:
        """Let the far end of the primary path fail, or have it repaired."""
        set_primary(self.stage, up=up)


def set_primary(stage: Stage, *, up: bool) -> None:
    """Let the far end of the primary path fail, or have it repaired; no operator does it."""
    set_far_end(stage, "lng1", up=up)


def set_far_end(stage: Stage, name: str, *, up: bool) -> None:
    """Let the far end that a local network gateway stands for fail, or have it repaired."""
    arm = ServedArm(stage.lab, stage.clock)
    body = dict(stage.resource("Microsoft.Network/localNetworkGateways", name).properties)
    settings = {**body["bgpSettings"], "bgpPeeringAddress": PEER if up else UNUSED}
    arm.put(f"localNetworkGateways/{name}", {**body, "bgpSettings": settings})
    arm.wait(20.0)


def set_watch(folder: Path, **settings: Any) -> None:
    """Write the watch section of the site file."""
    lines = "".join(f"  {key}: {value}\n" for key, value in settings.items())
    file = folder / "erfailover.yaml"
    file.write_text(f"{file.read_text('utf-8')}\nwatch:\n{lines}", "utf-8")


def open_context(stage: Stage, reason: str | None = None) -> Context:
    """Return a context of the stage's site that asks nothing and prints no result."""
    output = Output(format=formats.NONE, yes=True)
    site_file = SiteFile(Path("erfailover.yaml"), os.environ)
    return Context(site_file, output, reason=reason, clock=stage.clock)


@contextmanager
def watching(stage: Stage, patch: pytest.MonkeyPatch, **settings: Any) -> Iterator[Watched]:
    """Provide the watch of the stage's site, whose journal keeps modelled time."""

    def read_wall() -> float:
        return STARTED + stage.clock.now()

    def format_now() -> str:
        return datetime.fromtimestamp(read_wall(), UTC).isoformat()

    patch.setattr(journal, "_format_now", format_now)
    set_watch(stage.folder, **settings)
    context = open_context(stage)
    watcher = open_watcher(context, lambda: None, lambda context, reading: "", read_wall)
    try:
        yield Watched(stage, watcher, context)
    finally:
        watcher.close(1.0)
        context.close()
