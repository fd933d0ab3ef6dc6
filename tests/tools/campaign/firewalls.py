"""Switches of a firewall hub killed at every write, in both modes and directions.

Each trial has a lab of its own, and a process of its own that is killed at a write of a peering
or a route, before it was done or after. The same command then finishes the switch. What may not be
cut is judged by packets at every change of the lab; see ``firewall_packets.Monitor``.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

from erfailover.lab.core.timing import Durations
from erfailover.lab.server.server import LabServer
from tests.support.clocks import ResumedClock
from tests.support.firewall_packets import Monitor, make_arm
from tests.support.firewall_world import (
    SPOKES,
    TABLES,
    UNUSED,
    FirewallWorld,
    Shape,
    build,
    write_site,
)
from tests.tools.campaign import checks, forked
from tests.tools.campaign.trial import Victim
from tests.tools.campaign.warm import HOLD_S, SETTLED_S, Quick, Ran, Warm
from tests.tools.campaign.watch import Seen, Watch

SPEED = 100.0
ROUTES = "Microsoft.Network/routeTables/routes"
MODES = ("overlay", "replace")
TRIES = 3
"""How often a trial is tried whose process was not killed: on a busy machine the gate's reading
can be too old, because modelled time goes on while the process waits for a processor."""


class Case(StrEnum):
    """Where a switch begins."""

    UNPLANNED = "unplanned"
    PLANNED = "planned"
    FAILBACK = "failback"

    @property
    def target(self) -> str:
        """The path that is switched to."""
        return "expressroute" if self is Case.FAILBACK else "ipsec"


@dataclass(frozen=True, slots=True)
class Trial:
    """One cell: the write at which the process is killed, before or after it was done."""

    mode: str
    case: Case
    write: int
    done: bool

    @property
    def id(self) -> str:
        """Its name."""
        when = "lost" if self.done else "before"
        return f"firewall:{self.mode}:{self.case}:write:{self.write}:{when}:killed"


Routes = dict[str, list[str]]
"""Prefix and next hop of each route of a table, in order."""


class FirewallWarm(Warm):
    """A lab with the doubled firewall tutorial, and the command line that meets it."""

    def __init__(self) -> None:
        super().__init__()
        with self.serving() as server:
            arm = make_arm(server.build_environment(), self.clock.sleep)
            self.world: FirewallWorld = build(arm, Shape())
            arm.pool.clear()
        self.lab.durations = Durations()
        self._made = self.lab.snapshot()

    def bring_to_case(self, mode: str, case: Case) -> None:
        """Bring the site to where a switch begins."""
        self.lab.restore(self._made)
        self.lab.durations = Quick()
        self.use_own_state()
        Path("erfailover.yaml").write_text(write_site(self.world.shape, mode), encoding="utf-8")
        if case is Case.PLANNED:
            return
        with self.serving() as server:
            self._cut(server, cut=True)
            if case is Case.FAILBACK:
                self.do("switch", "--to", "ipsec", "--yes")
                self._cut(server, cut=False)
                self.pass_time(HOLD_S)

    def list_routes(self) -> Routes:
        """The routes of the spokes' tables."""
        tables: Routes = {name: [] for name in TABLES}
        with self.lab.lock:
            self.lab.catch_up()
            for route in self.lab.world.iter_by_type(ROUTES):
                inner = route.properties
                if route.id.names[0] in tables:
                    text = f"{route.id.name} {inner['addressPrefix']} {inner['nextHopIpAddress']}"
                    tables[route.id.names[0]].append(text)
        return {name: sorted(rows) for name, rows in tables.items()}

    def _cut(self, server: LabServer, *, cut: bool) -> None:
        arm = make_arm(server.build_environment(), self.clock.sleep)
        path = self.world.id("localNetworkGateways/lng-hub-to-onprem")
        body = arm.get(path)
        body["properties"]["bgpSettings"]["bgpPeeringAddress"] = UNUSED if cut else "192.168.2.254"
        arm.finish([arm.begin(path, body)])
        arm.pool.clear()
        self.pass_time(SETTLED_S)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a trial came to, as it crosses the pipe."""

    id: str
    problems: list[str]
    writes: int
    routes: Routes
    detail: str = ""


def run(sample: int, seed: int, like: str, workers: int) -> bool:
    """Run the trials; whether all held. ``sample`` 0 runs every one."""
    warm, held, failed = FirewallWarm(), 0, 0
    try:
        for mode in MODES:
            for case in Case:
                warm.bring_to_case(mode, case)
                clean = Outcome(
                    **forked.one(partial(_try, warm, Trial(mode, case, 0, False), None))
                )
                if clean.problems:
                    raise SystemExit(f"{clean.id}: {clean.problems}\n{clean.detail}")
                work = [
                    (trial.id, partial(_try, warm, trial, clean.routes))
                    for trial in _choose(mode, case, clean.writes, sample, seed)
                    if like in trial.id
                ]
                by_id = dict(work)
                for id_, answer in forked.many(work, workers):
                    outcome = _read(id_, answer)
                    for _ in range(TRIES - 1):
                        if not any(text.startswith("fault fired") for text in outcome.problems):
                            break
                        _, answer = next(forked.many([(id_, by_id[id_])], 1))
                        outcome = _read(id_, answer)
                    bad = bool(outcome.problems)
                    held, failed = held + (not bad), failed + bad
                    if bad:
                        text = "; ".join(outcome.problems)[:600]
                        print(f"FAILED {id_} {text}\n{outcome.detail}", flush=True)
                print(f"{mode} {case}: {clean.writes} writes", flush=True)
    finally:
        warm.close()
    print(f"firewall hubs: {held + failed} runs, {failed} failed")
    return not failed and held > 0


def _read(id_: str, answer: Any) -> Outcome:
    if isinstance(answer, forked.Lost):
        return Outcome(id_, [f"did not end: {answer}"], 0, {})
    return Outcome(**answer)


def _choose(mode: str, case: Case, writes: int, sample: int, seed: int) -> Sequence[Trial]:
    every = [
        Trial(mode, case, write, done) for write in range(1, writes + 1) for done in (False, True)
    ]
    if not sample:
        return every
    return random.Random(f"{seed}:{mode}:{case}").sample(every, min(sample, len(every)))


def _try(warm: FirewallWarm, trial: Trial, desired: Routes | None) -> dict[str, Any]:
    """Switch, killed at a write; then again, and once more. Without ``desired`` none is killed."""
    arguments = ("switch", "--to", trial.case.target, "--yes", "--planned")
    warm.use_own_state()
    victim = Victim(warm, arguments, speed=SPEED) if desired is not None else None
    watch = Watch(
        warm.lab,
        warm.state,
        victim=victim.pid if victim is not None else None,
        kill_at_write=trial.write,
        kill_after=trial.done,
    )
    if victim is not None:
        warm.lab.clock = ResumedClock(SPEED, warm.clock.now())
    watch.install()
    monitor = Monitor(warm.lab, warm.world.shape).install(only_moves=trial.mode == "replace")
    runs: list[Ran | None] = []
    with warm.serving() as server:
        watch.begin(1)
        if victim is not None:
            runs.append(victim.run(server.build_environment()))
            warm.clock.sleep(warm.lab.clock.now() - warm.clock.now())
            warm.lab.clock = warm.clock
        else:
            runs.append(warm.run(*arguments))
        for number in (2, 3):
            watch.begin(number)
            runs.append(warm.run(*arguments))
    routes = warm.list_routes()
    problems = [*_find_problems(runs, watch.seen, monitor, killed=victim is not None)]
    if desired is not None and routes != desired:
        problems.append(f"routes as of a clean run: {routes}, expected {desired}")
    detail = "\n".join(ran.err + ran.out for ran in runs if ran is not None) if problems else ""
    writes = len([*checks.changes(watch.seen, 1)])
    return asdict(Outcome(trial.id, problems, writes, routes, detail))


def _find_problems(
    runs: Sequence[Ran | None], sightings: Sequence[Seen], monitor: Monitor, *, killed: bool
) -> Iterator[str]:
    yield from checks.find_killed_problems(runs, sightings, killed=killed)
    for item in checks.changes(sightings):
        if item.second:
            yield f"two remote gateways: {item.path} in run {item.run}"
    yield from (f"cut: {cut}" for cut in monitor.cuts[:3])
    yield from (f"stranded before its break: {early}" for early in monitor.early[:3])
    for spoke in SPOKES:
        if why := monitor.explain(spoke):
            yield f"stranded at the end: {spoke.name}: {why}"
