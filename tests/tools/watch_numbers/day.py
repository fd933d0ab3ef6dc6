"""A day of the whole process: ``erfailover watch`` with its page, hooks, faults and true failures.

Owns the script of the day, drawn by a seed, and what is right: a switch only while the primary path
has failed, one for every failure, a way back after every repair. Memory is the resident set of the
process after the allocator has returned its reserve; the lab's is in it, whose records are short.
"""

from __future__ import annotations

import ctypes
import gc
import http.client
import os
import random
import signal
import socket
import tempfile
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from erfailover.commands.context import Context
from erfailover.commands.watch import command, pause
from erfailover.commands.watch.web.settings import Address, WebSettings
from erfailover.lab.core import operations
from erfailover.lab.engine.faults import FOREVER, Fault, FaultKind
from erfailover.model.history import RunRecord, collect_runs
from erfailover.model.site import Path as SitePath
from erfailover.runtime.clock import start
from tests.support.watched import open_context
from tests.tools.bench.worlds import Worlds
from tests.tools.watch_numbers.watched_sites import (
    Sample,
    keep_modelled_time,
    open_sample,
    read_modelled,
)

HOUR_S = 3600.0
NOTICE_S = 1800.0
"""A failure that is there for so long must have been switched, faults or not."""
REPAIR_S = 60.0
"""How long after a repair the path may still be down."""
RESUME_S = 300.0
"""How soon an operator resumes a watch that is locked out because a switch met faults."""
KEPT_OPERATIONS, KEPT_TRACE = 300, 2000
STEP_S = 10.0
TABLES = "virtualNetworkGateways/*/get*"


@dataclass(frozen=True)
class Failure:
    """A true failure of the primary path, in modelled seconds."""

    began: float
    repaired: float

    def covers(self, moment: float, after_s: float = 0.0) -> bool:
        """Return whether the path was down at a moment, or may have been shortly after."""
        return self.began <= moment <= self.repaired + after_s


@dataclass(frozen=True)
class Trouble:
    """Faults of Azure's management for some modelled seconds."""

    began: float
    ended: float
    name: str


@dataclass
class Day:
    """What happened.

    Attributes:
        memory: the resident set after each hour, in MB.
        wrong: the switches that were wrong, in words.
        missed: the failures that were missed.
        resumed: how often an operator had to resume a watch that was locked out.
    """

    seed: int
    hours: float
    failures: tuple[Failure, ...] = ()
    troubles: Counter[str] = field(default_factory=Counter)
    switches: int = 0
    failbacks: int = 0
    not_verified: int = 0
    readings: int = 0
    failed_readings: int = 0
    notifications: int = 0
    writes: int = 0
    resumed: int = 0
    memory: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)

    @property
    def growth(self) -> float:
        """Return the memory at the end against that after the first hour."""
        return self.memory[-1] / self.memory[0] if self.memory else 1.0


def build_faults(name: str) -> Sequence[Fault]:
    """Return the faults of a kind of trouble."""

    def always(kind: FaultKind, path: str, method: str = "*", **more: Any) -> Fault:
        return Fault(kind, method, path, times=FOREVER, **more)

    return {
        "throttled": [always(FaultKind.THROTTLE, "*", chance=0.5, seconds=17.0)],
        "server errors": [always(FaultKind.ANSWER, "*", chance=0.3, status=503)],
        "empty tables": [always(FaultKind.EMPTY, TABLES, "POST", chance=0.5)],
        "half tables": [always(FaultKind.INSTANCE_MISSING, TABLES, "POST", chance=0.5)],
        "hanging tables": [always(FaultKind.STUCK, TABLES, "POST", chance=0.5, seconds=200.0)],
        "slow answers": [always(FaultKind.DELAY, "*", chance=0.3, seconds=20.0)],
        "connections dropped": [always(FaultKind.DROP_BEFORE, "*", "GET", chance=0.5)],
        "not reachable": [always(FaultKind.DROP_BEFORE, "*")],
        "tokens refused": [always(FaultKind.EXPIRED_TOKEN, "*", chance=0.2)],
    }[name]


TROUBLES = (
    "throttled",
    "server errors",
    "empty tables",
    "half tables",
    "hanging tables",
    "slow answers",
    "connections dropped",
    "not reachable",
    "tokens refused",
)


def draw_failures(chance: random.Random, hours: float) -> list[Failure]:
    """Return a failure of 40 to 70 minutes in every six hours or so, at a random moment."""
    many = max(1, round(hours / 6))
    part_s = hours * HOUR_S / many
    failures = []
    for number in range(many):
        length_s = min(chance.uniform(2400.0, 4200.0), part_s * 0.4)
        latest_s = part_s * 0.9 - length_s - min(3600.0, part_s * 0.3)
        began = number * part_s + chance.uniform(min(600.0, latest_s), latest_s)
        failures.append(Failure(began, began + length_s))
    return failures


def draw_troubles(chance: random.Random, hours: float) -> list[Trouble]:
    """Return two to three troubles an hour, of 1 to 10 minutes each, one after the other."""
    troubles, now = [], 300.0
    while now < hours * HOUR_S - 900.0:
        length_s = chance.uniform(60.0, 600.0)
        troubles.append(Trouble(now, now + length_s, chance.choice(TROUBLES)))
        now += length_s + chance.uniform(600.0, 1800.0)
    return troubles


def judge(failures: Sequence[Failure], switches: Sequence[RunRecord], hours: float) -> Day:
    """Return which switches were wrong, and which failures were missed."""
    day = Day(0, hours, tuple(failures))
    moments = [(read_modelled(run.began), run) for run in switches]
    for at, run in moments:
        is_down = any(failure.covers(at) for failure in failures)
        may_be_down = any(failure.covers(at, REPAIR_S) for failure in failures)
        if run.target == SitePath.IPSEC and not may_be_down:
            day.wrong.append(f"{at:.0f} s: to ipsec, and the primary path works")
        if run.target == SitePath.EXPRESSROUTE and is_down:
            day.wrong.append(f"{at:.0f} s: to expressroute, and the primary path is down")
        day.switches += run.target == SitePath.IPSEC
        day.failbacks += run.target == SitePath.EXPRESSROUTE
        day.not_verified += run.outcome != "done"
    for failure in failures:
        limit = failure.began + NOTICE_S
        if not any(
            failure.began <= at <= limit and run.target == SitePath.IPSEC for at, run in moments
        ):
            day.missed.append(f"the failure at {failure.began:.0f} s")
    return day


def measure_day(worlds: Worlds, seed: int, hours: float, say: Callable[[str], None]) -> Day:
    """Run the whole process for some modelled hours.

    Args:
        worlds: makes the site.
        seed: draws durations, failures and faults.
        hours: modelled.
        say: is told of each hour.
    """
    chance = random.Random(seed)
    failures, troubles = draw_failures(chance, hours), draw_troubles(chance, hours)
    with tempfile.TemporaryDirectory() as path, open_sample(worlds, seed) as sample:
        sink = Path(path) / "sink"
        script = ["sh", "-c", f"cat >/dev/null; echo >>{sink}"]
        _write_watch(sample, script)
        return _Run(sample, failures, troubles, seed, hours, sink, say).carry_out()


def _write_watch(sample: Sample, notify: Sequence[str]) -> None:
    file = sample.served.folder / "erfailover.yaml"
    site = yaml.safe_load(file.read_text("utf-8"))
    site["watch"] = {
        "mode": "automatic",
        "failback": "automatic",
        "probes": ["office"],
        "max_switches_per_day": 100,
        "cooldown_s": 900.0,
        "notifications": [{"command": list(notify)}],
    }
    file.write_text(yaml.safe_dump(site, sort_keys=False), "utf-8")


@dataclass
class _Run:
    """One day: the process in the main thread, and beside it whoever drives the day."""

    sample: Sample
    failures: Sequence[Failure]
    troubles: Sequence[Trouble]
    seed: int
    hours: float
    sink: Path
    say: Callable[[str], None]
    memory: list[float] = field(default_factory=list)
    resumed: int = 0
    resumed_run: str = ""
    port: int = 0
    metrics: Counter[str] = field(default_factory=Counter)

    def carry_out(self) -> Day:
        clock, lab = self.sample.served.clock, self.sample.served.lab
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        lab.trace = deque(maxlen=KEPT_TRACE)
        operations.KEPT, kept = KEPT_OPERATIONS, operations.KEPT
        before = Path.cwd()
        handler = signal.signal(signal.SIGINT, signal.default_int_handler)
        os.chdir(self.sample.served.folder)
        try:
            with keep_modelled_time(clock) as read_wall:
                context = open_context(self.sample.stage)
                settings = WebSettings(Address("127.0.0.1", self.port))
                driver = start(clock, lambda: self._drive(context, read_wall), "driver")
                command.run([context], settings, read_wall)
                driver.result()  # raises what has ended the day early
                switches = [
                    run for run in collect_runs(context.read_records()) if run.command == "switch"
                ]
                context.close()
        finally:
            operations.KEPT = kept
            signal.signal(signal.SIGINT, handler)
            os.chdir(before)
        day = judge(self.failures, switches, self.hours)
        day.seed, day.memory, day.resumed = self.seed, self.memory, self.resumed
        day.readings = self.metrics["erfailover_readings_total"]
        day.failed_readings = self.metrics["erfailover_readings_failed_total"]
        day.writes = self.metrics["erfailover_azure_writes_total"]
        day.troubles = Counter(trouble.name for trouble in self.troubles)
        day.notifications = len(self.sink.read_text().splitlines()) if self.sink.exists() else 0
        return day

    def _drive(self, context: Context, read_wall: Callable[[], float]) -> None:
        try:
            for at, act in sorted(self._list_acts(context, read_wall), key=lambda item: item[0]):
                self._wait_until(at)
                act()
            self._wait_until(self.hours * HOUR_S)
        finally:
            os.kill(os.getpid(), signal.SIGINT)

    def _wait_until(self, moment: float) -> None:
        clock = self.sample.served.clock
        clock.sleep(max(0.0, moment - clock.now()))

    def _list_acts(
        self, context: Context, read_wall: Callable[[], float]
    ) -> Iterator[tuple[float, Callable[[], object]]]:
        """Yield what is done at which moment."""
        lab = self.sample.served.lab
        for failure in self.failures:
            yield failure.began, lambda: self.sample.set_primary(up=False)
            yield failure.repaired, lambda: self.sample.set_primary(up=True)
        for trouble in self.troubles:
            faults = build_faults(trouble.name)
            yield trouble.began, partial(lab.add_faults, *faults)
            yield trouble.ended, lab.clear_faults
        for number in range(1, int(self.hours) + 1):
            yield number * HOUR_S, partial(self._note_hour, number)
        for number in range(1, int(self.hours * HOUR_S / RESUME_S)):
            yield number * RESUME_S, lambda: self._resume_if_locked(context, read_wall)

    def _note_hour(self, hour: int) -> None:
        """Look at the page and the metrics, as people and Prometheus do, and at the memory."""
        self._fetch("/")
        self.metrics = parse_totals(self._fetch("/metrics"))
        self.memory.append(read_memory_mb())
        self.say(f"hour {hour}: {self.memory[-1]:.1f} MB, {dict(self.metrics)}")

    def _fetch(self, path: str) -> str:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request("GET", path)
            return connection.getresponse().read().decode()

    def _resume_if_locked(self, context: Context, read_wall: Callable[[], float]) -> None:
        """Do what an operator does who finds the watch locked out."""
        own = open_context(self.sample.stage, "day")
        try:
            runs = [run for run in collect_runs(own.read_records()) if run.command == "switch"]
            if runs and runs[-1].outcome == "failed" and runs[-1].id != self.resumed_run:
                self.resumed_run = runs[-1].id
                pause.resume(own, read_wall)
                self.resumed += 1
        finally:
            own.close()


def parse_totals(text: str) -> Counter[str]:
    """Return the counters of Prometheus' text format, by their name without labels."""
    totals: Counter[str] = Counter()
    for line in text.splitlines():
        sample, _, value = line.rpartition(" ")
        name = sample.partition("{")[0]
        if name.endswith("_total") and not line.startswith("#"):
            totals[name] += int(float(value))
    return totals


def read_memory_mb() -> float:
    """Return the resident set of this process, in MB, without what the allocator has in reserve."""
    gc.collect()
    with suppress(OSError, AttributeError):  # not glibc
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
