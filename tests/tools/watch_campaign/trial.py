"""One trial: three replicas, a path that fails, and something that goes wrong meanwhile."""

from __future__ import annotations

import json
import logging
import signal
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import ContainerClient

from erfailover.lab.auth import identity
from erfailover.lab.core.clock import ScaledClock
from erfailover.lab.core.timing import Durations
from erfailover.lab.engine.lab import Lab
from erfailover.lab.engine.throttling import Limits, Throttling
from erfailover.lab.server.server import LabServer
from tests.tools.azurite import ACCOUNT, Azurite, Credential
from tests.tools.bench import worlds
from tests.tools.watch_campaign import plan as plans
from tests.tools.watch_campaign import replica as variants
from tests.tools.watch_campaign import replicas as processes
from tests.tools.watch_campaign.cloud import Watch
from tests.tools.watch_campaign.gate import GateState, gate
from tests.tools.watch_campaign.judge import Span, Trial, judge
from tests.tools.watch_campaign.plan import Kind, Moment, Plan
from tests.tools.watch_campaign.replicas import Replica
from tests.tools.watch_campaign.report import Result

CONTAINER = "state"
REPLICAS, SPOKES = 3, 3
SPEED = 12.0
"""How many times faster than the wall the lab runs."""
STEP_DEADLINE_S, COOLDOWN_S = 600.0, 480.0
LOOK_S = 0.05
START_S, MOVED_S, LEAD_S, SETTLE_S = 180.0, 240.0, 60.0, 6.0
"""How long all replicas may take to start, the spokes to be on IPsec, and a replica to lead, and
how long a trial goes on afterwards; in wall seconds."""


@dataclass(frozen=True)
class Setting:
    """What all trials share.

    Attributes:
        world: the lab's world, both paths up and prestaged.
        azurite: the store.
        variant: of the replicas: ``replica.RIGHT``, or a wrong one.
    """

    world: worlds.World
    azurite: Azurite
    variant: str = variants.RIGHT


def write_site(world: worlds.World, folder: str, path: Path) -> None:
    """Write the site file of a trial, whose state is in a folder of the container."""
    site: dict[str, Any] = yaml.safe_load(world.site)
    site["state"] = f"azblob://{ACCOUNT}/{CONTAINER}/{folder}"
    site["probes"] = {"office": {"machine": "vm1", "ping": "10.5.0.4"}}
    site["timing"]["step_deadline_s"] = STEP_DEADLINE_S
    site["watch"] = {"mode": "automatic", "probes": ["office"], "cooldown_s": COOLDOWN_S}
    path.write_text(yaml.safe_dump(site, sort_keys=False), "utf-8")


def run(setting: Setting, drawn: Plan, index: int) -> Result:
    """Make a trial, and judge it."""
    result = Result(drawn.seed, index, str(drawn.kind), drawn.description)
    began = time.monotonic()
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    trial = Trial(step_deadline_s=STEP_DEADLINE_S / SPEED)
    try:
        with _staged(setting, drawn) as stage:
            _Course(stage, drawn, trial).run()
    except Exception:
        trial.notes.append(f"campaign: {traceback.format_exc()}")
    result.problems = judge(trial)
    result.takeovers = [round(took, 1) for took in trial.takeovers if took is not None]
    result.took_s = round(time.monotonic() - began, 1)
    senders = [write.replica for write in trial.writes]
    result.writes = [senders.count(number) for number in range(REPLICAS)]
    result.detail = _describe(trial)
    return result


@dataclass
class _Stage:
    watch: Watch
    replicas: list[Replica]
    read_journal: Callable[[], list[dict[str, Any]]]
    read_kept_aside: Callable[[], list[dict[str, Any]]]


@contextmanager
def _staged(setting: Setting, drawn: Plan) -> Iterator[_Stage]:
    """Provide a lab with the world, and replicas that have just been started."""
    seed = drawn.seed
    mine = replace(identity.make_identity(), subscription=worlds.SUBSCRIPTION)
    lab = Lab(ScaledClock(SPEED), identity_=mine, seed=1, draw_seed=seed, refuse_lab_paths=True)
    lab.restore(setting.world.snapshot)
    lab.durations, lab.throttling = Durations(seed), Throttling(Limits())
    watch = Watch(lab)
    watch.install()
    state = f"trial-{seed}-{time.time_ns()}"
    with ExitStack() as stack:
        path = stack.enter_context(tempfile.TemporaryDirectory(prefix="erfailover-watch-"))
        folder = Path(path)
        server = stack.enter_context(LabServer(lab, folder))
        write_site(setting.world, state, folder / "erfailover.yaml")
        bundle = folder / "bundle.pem"
        bundle.write_bytes(server.ca_file.read_bytes() + setting.azurite.ca_file.read_bytes())
        shared = server.build_environment() | worlds.SECRETS
        if drawn.records:
            shared[variants.KILLED_AT] = ",".join(map(str, drawn.records))
            shared[variants.KILLED_DONE] = "1" if drawn.is_done else ""
        store_port = int(setting.azurite.endpoint.split(":")[2].split("/")[0])
        for number in range(REPLICAS):
            store = stack.enter_context(gate(store_port))
            to_lab = stack.enter_context(gate(int(server.endpoint.rpartition(":")[2])))
            endpoint = f"https://127.0.0.1:{to_lab.port}"
            own = {name: value.replace(server.endpoint, endpoint) for name, value in shared.items()}
            own["REQUESTS_CA_BUNDLE"] = str(bundle)
            own["ERFAILOVER_BLOB_ENDPOINT"] = f"https://127.0.0.1:{store.port}/{ACCOUNT}"
            started = processes.start(number, store, to_lab, folder, own, setting.variant)
            stack.callback(started.close)
            watch.replicas.append(started)
        yield _Stage(
            watch,
            watch.replicas,
            lambda: _read_journal(setting.azurite, state),
            lambda: _read_kept_aside(folder),
        )


def _read_kept_aside(folder: Path) -> list[dict[str, Any]]:
    """Return the records that the store did not take: the machine keeps them until its next run."""
    files = folder.glob("state-*/sites/*/journal.jsonl")
    lines = [line for file in files for line in file.read_text("utf-8").splitlines()]
    return [json.loads(line) for line in lines if line.endswith("}")]


def _read_journal(azurite: Azurite, folder: str) -> list[dict[str, Any]]:
    """Return the records of a trial's journal, as the store has them."""
    with ContainerClient(
        azurite.endpoint,
        CONTAINER,
        credential=Credential(),
        connection_verify=str(azurite.ca_file),
    ) as container:
        try:
            data = container.download_blob(f"{folder}/journal.jsonl").readall()
        except ResourceNotFoundError:
            return []
    return [json.loads(line) for line in data.decode().splitlines() if line.strip()]


class _Course:
    """The course of a trial."""

    def __init__(self, stage: _Stage, drawn: Plan, trial: Trial) -> None:
        self._watch, self._replicas = stage.watch, stage.replicas
        self._stage, self._plan, self._trial = stage, drawn, trial
        self._has_come = threading.Event()
        self._leader: Replica | None = None
        self._came_at = 0.0

    def run(self) -> None:
        """Run it from the start of the replicas to their end."""
        trial = self._trial
        trial.process_ids = [item.process.pid for item in self._replicas]
        trial.writes = self._watch.writes
        try:
            self._start()
            self._bring_about()
            self._end()
        finally:
            trial.logs = {item.number: [line for _, line in item.lines] for item in self._replicas}
            trial.records = self._stage.read_journal()
            trial.spokes = self._watch.read_spokes(worlds.spoke_names(SPOKES))

    def _start(self) -> None:
        """Wait until one leads, the others stand by, and the site was found healthy."""
        self._wait("start", lambda: self._find_leader() is not None, START_S)
        self._wait("start", lambda: all(r.store.accepted for r in self._replicas), START_S)
        self._wait("start", lambda: self._has_logged("HEALTHY"), START_S)

    def _bring_about(self) -> None:
        """Let the path fail, and the trouble come at its moment."""
        drawn = self._plan
        if drawn.moment is Moment.BEFORE:
            time.sleep(drawn.delay_s)
            self._strike()
        elif drawn.moment is Moment.WRITE:
            self._watch.is_done_first = drawn.is_done
            self._watch.struck = self._strike
            self._watch.strike_at = drawn.write
        self._watch.fail_primary()
        if drawn.moment is Moment.RECORD:
            self._see_kills_through()
            return
        if drawn.moment is Moment.DETECTING:
            time.sleep(drawn.delay_s)
            self._strike()
        elif drawn.moment is Moment.AFTER:
            self._wait_until_moved()
            self._wait("run ended", self._is_quiet, LEAD_S)
            time.sleep(drawn.delay_s)
            self._strike()
        else:
            self._wait("the moment", self._has_come.is_set, MOVED_S)
        self._see_it_through()
        self._wait_until_moved()

    def _see_kills_through(self) -> None:
        """Wait for the successors of replicas that are killed at a record, and for the last run."""
        known: list[Replica] = []

        def find_killed() -> Replica | None:
            return next(
                (
                    item
                    for item in self._replicas
                    if item not in known and item.process.poll() is not None
                ),
                None,
            )

        def is_over() -> bool:
            return find_killed() is not None or (self._is_moved() and self._is_quiet())

        for _ in self._plan.records:
            self._wait("a kill, or the end of the switch", is_over, MOVED_S)
            killed = find_killed()
            if killed is None:
                break
            known.append(killed)
            killed.is_leader = False
            self._time_takeover(killed, time.time())
        self._wait_until_moved()

    def _strike(self) -> None:
        """Bring the trouble about, at the replica that leads."""
        drawn = self._plan
        leader = self._find_leader()
        if drawn.moment is Moment.WRITE and self._watch.writes:
            leader = self._replicas[self._watch.writes[-1].replica]
        if leader is None:
            raise RuntimeError("nobody leads")
        self._leader, self._came_at = leader, time.time()
        if drawn.kind in plans.KILLS:
            leader.kill()
        elif drawn.kind in plans.STOPS:
            leader.stop()
        elif drawn.kind is Kind.END:
            leader.end()
        else:
            silent = drawn.kind in (Kind.SILENCE, Kind.SILENCE_ALL)
            self._set_stores(GateState.SILENT if silent else GateState.CUT)
        self._has_come.set()

    def _set_stores(self, state: GateState) -> None:
        assert self._leader is not None
        of_all = self._plan.kind in plans.STORE_OF_ALL
        for item in self._replicas if of_all else [self._leader]:
            item.store.state = state

    def _see_it_through(self) -> None:
        """Wait for the successor, and end what does not end by itself."""
        drawn, leader = self._plan, self._leader
        assert leader is not None
        kind = drawn.kind
        if kind in plans.STORE_OF_ALL:
            self._sleep_until(self._came_at + drawn.lasts_s)
            self._set_stores(GateState.OPEN)
            back_at = time.time()
            self._trial.store_lost = Span(self._came_at, back_at)
            self._wait("a leader again", lambda: self._find_leader() is not None, LEAD_S)
            return
        if kind is Kind.STOP_BRIEFLY:
            self._sleep_until(self._came_at + drawn.lasts_s)
            leader.continue_()
            return
        if kind is Kind.STOP_LONG:
            threading.Thread(target=self._continue_later, daemon=True).start()
        if kind is Kind.END:
            self._trial.exit_codes.append(leader.process.wait(STEP_DEADLINE_S))
            leader.is_leader = False
            ended_at = time.time()
            self._time_takeover(leader, ended_at, self._came_at)
        else:
            self._time_takeover(leader, self._came_at)
        if kind is Kind.KILL_TWO:
            time.sleep(drawn.lasts_s)
            successor = self._find_leader()
            if successor is not None:
                successor.kill()
                self._time_takeover(successor, time.time())
        elif kind is Kind.STOP_INTO_SWITCH:
            self._wait("a write of the successor", self._has_successor_written, MOVED_S)
            time.sleep(drawn.lasts_s)
            leader.continue_()
        elif kind is Kind.STOP_PAST_SWITCH:
            self._wait_until_moved()
            time.sleep(drawn.lasts_s)
            leader.continue_()
        elif kind in plans.STORE_OF_ONE:
            self._sleep_until(self._came_at + drawn.lasts_s)
            self._set_stores(GateState.OPEN)

    def _continue_later(self) -> None:
        assert self._leader is not None
        self._sleep_until(self._came_at + self._plan.lasts_s)
        self._leader.continue_()

    def _time_takeover(self, lost: Replica, since: float, after: float | None = None) -> None:
        """Wait until another replica leads; note how long that took.

        Args:
            lost: the one that led.
            since: when it was lost.
            after: when another one can have begun to lead at the earliest, if that is before.
        """
        earliest = since if after is None else after

        def find() -> Replica | None:
            others = [item for item in self._replicas if item is not lost]
            new = [item for item in others if item.is_leader and (item.led_at or 0.0) > earliest]
            return new[0] if new else None

        deadline = time.time() + LEAD_S
        while (successor := find()) is None and time.time() < deadline:
            time.sleep(LOOK_S)
        led_at = successor.led_at if successor is not None else None
        self._trial.takeovers.append(None if led_at is None else max(0.0, led_at - since))

    def _end(self) -> None:
        """See that nothing comes after, and end the replicas."""
        self._wait("run ended", self._is_quiet, LEAD_S)
        time.sleep(SETTLE_S)
        running = [item for item in self._replicas if item.is_running]
        for item in running:
            item.end()
        for item in running:
            try:
                code: int | None = item.process.wait(processes.END_S)
            except Exception:
                code = None
            if not (self._plan.records and code == -signal.SIGKILL):
                self._trial.exit_codes.append(code)

    # What is looked at

    def _find_leader(self) -> Replica | None:
        leaders = [item for item in self._replicas if item.is_leader and item.is_running]
        return max(leaders, key=lambda item: item.led_at or 0.0, default=None)

    def _has_logged(self, text: str) -> bool:
        return any(text in line for item in self._replicas for _, line in list(item.lines))

    def _has_successor_written(self) -> bool:
        """Return whether the leader that was lost was followed by another one's write, or done."""
        assert self._leader is not None
        after = [write for write in self._watch.writes if write.at > self._came_at]
        return self._is_moved() or any(write.replica != self._leader.number for write in after)

    def _is_moved(self) -> bool:
        users = [
            self._watch.list_users(name) == (f"{name}-to-{worlds.BACKUP}",)
            for name in worlds.spoke_names(SPOKES)
        ]
        return all(users)

    def _is_quiet(self) -> bool:
        """Return whether the last run in the journal has ended, and none is to follow it."""
        records = self._stage.read_journal()
        if not records:
            return False
        last = records[-1].get("run")
        of_last = [
            record
            for record in (*records, *self._stage.read_kept_aside())
            if record.get("run") == last
        ]
        has_ended = any(record.get("event") == "ended" for record in of_last)
        return has_ended and not any(record.get("completes") for record in of_last)

    def _wait_until_moved(self) -> None:
        self._wait("all spokes on IPsec", self._is_moved, MOVED_S)

    def _wait(self, what: str, holds: Callable[[], bool], at_most_s: float) -> None:
        deadline = time.time() + at_most_s
        while not holds():
            if time.time() > deadline:
                raise TimeoutError(f"{what}: not within {at_most_s:.0f} s")
            time.sleep(LOOK_S if at_most_s is not LEAD_S else 10 * LOOK_S)

    @staticmethod
    def _sleep_until(moment: float) -> None:
        time.sleep(max(0.0, moment - time.time()))


def _describe(trial: Trial) -> str:
    """Return the writes, the journal and the logs of a trial, for whoever looks into it."""
    lines = [str(write) for write in trial.writes]
    lines += [json.dumps(record)[:300] for record in trial.records]
    for number, log in trial.logs.items():
        lines += [f"--- replica {number} (process {trial.process_ids[number]})", *log]
    return "\n".join(lines)
