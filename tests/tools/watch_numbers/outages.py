"""How long traffic is cut once Azure shows that the primary path has failed.

Owns the moments, all of them the lab's: when the path failed, when the table of the primary
gateway showed it, and when the first packet passed over the backup.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from erfailover.lab.engine.lab import Lab
from erfailover.model.watch import EventType, Signal, SignalStatus
from tests.support.watched import STARTED
from tests.tools.bench.worlds import Worlds
from tests.tools.watch_numbers.watched_sites import (
    Sample,
    WatchedSite,
    open_sample,
    watch_stage,
)

SETTLE_S = 95.0
"""How long the watch runs before anything happens."""
AT_MOST_S = 900.0
PEERING_WRITE = "/virtualnetworkpeerings/"
MACHINE_PROBE = {"machine": "vm1", "ping": "10.5.0.4"}


@dataclass(frozen=True)
class Outage:
    """One failure. All durations are in seconds of Azure's time.

    Attributes:
        hidden_s: from the failure until Azure's table shows it.
        outage_s: from then until the first packet over the backup.
        wait_s: of it, until the reading that shows the failure begins.
        reading_s: until two readings have confirmed it.
        plan_s: until the first write.
        write_s: until the first packet.
        states: what the watch went through.
    """

    seed: int
    interval_s: float
    hidden_s: float
    outage_s: float
    wait_s: float
    reading_s: float
    plan_s: float
    write_s: float
    states: tuple[str, ...] = ()


def measure_outage(
    worlds: Worlds, seed: int, interval_s: float, by_machine: bool = False
) -> Outage:
    """Let the primary path fail at a random phase of the interval, and follow the watch.

    Args:
        worlds: makes the site.
        seed: draws the durations and the phase.
        interval_s: of the watch.
        by_machine: whether the probe is a ping from the spoke's machine, by Run Command.
    """
    watch = {"mode": "automatic", "interval_s": interval_s, "probes": ["office"]}
    sections: dict[str, Any] = {"watch": watch}
    if by_machine:
        sections["probes"] = {"office": MACHINE_PROBE}
    with open_sample(worlds, seed, **sections) as sample, watch_stage(sample.stage) as site:
        clock, watcher = site.clock, site.watcher
        site.run_for(SETTLE_S)
        sample.fail_after(random.Random(seed).uniform(0.0, interval_s))
        changes = sample.packets.changes["vnet1"]
        readings: list[tuple[float, bool]] = []
        until = clock.now() + AT_MOST_S
        while not (len(changes) > 1 and changes[-1][1]) and clock.now() < until:
            began = clock.now()
            site.turn()
            reading = watcher.view.reading
            down = reading is not None and (
                reading.signals[Signal.GATEWAY].status is SignalStatus.DOWN
            )
            readings.append((began, down))
        return _build_outage(seed, interval_s, sample, site, changes, readings)


def _build_outage(
    seed: int,
    interval_s: float,
    sample: Sample,
    site: WatchedSite,
    changes: list[tuple[float, bool]],
    readings: list[tuple[float, bool]],
) -> Outage:
    if len(changes) < 3 or not changes[-1][1]:
        raise RuntimeError(f"seed {seed}: no packet passes; states {site.states}")
    offset = sample.offset
    failed = next(at for at, up in changes if not up) + sample.began + offset
    passed = changes[-1][0] + sample.began + offset
    shown = next(at for at, up in sample.shown_at if not up) + offset
    first = next(began for began, down in readings if down)
    decided = next(
        event.at - STARTED
        for event in site.watcher.view.events
        if event.type is EventType.RUN_STARTED
    )
    written = _find_first_write(site.lab, decided - offset) + offset
    first = max(first, shown)
    return Outage(
        seed,
        interval_s,
        shown - failed,
        passed - shown,
        first - shown,
        decided - first,
        written - decided,
        passed - written,
        tuple(map(str, site.states)),
    )


def _find_first_write(lab: Lab, since: float) -> float:
    with lab.lock:
        return next(
            entry.at_s
            for entry in lab.trace
            if entry.at_s >= since and entry.method == "PUT" and PEERING_WRITE in entry.path.lower()
        )
