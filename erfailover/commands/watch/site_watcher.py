"""One watched site: lead if no other replica does, read, assess, notify, switch.

What a reading means, and whether a switch may be made, is decided by ``planning.watch``. A switch
is ``erfailover switch`` itself (``runs``), under the site's own lease. Moments are wall time; on a
lab whose clock runs faster, the durations of the site file are shortened instead.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from uuid import uuid4

from erfailover.commands.context import Context
from erfailover.commands.watch import runs
from erfailover.commands.watch.leadership import TRY_EVERY_S, Leadership
from erfailover.commands.watch.reading import SiteReader, SiteReading
from erfailover.commands.watch.reporter import OpenNotifier, Reporter
from erfailover.commands.watch.shared_document import SharedDocument
from erfailover.commands.watch.stop import Gate
from erfailover.errors import Failure, StateFailure
from erfailover.model.history import RunRecord, collect_runs
from erfailover.model.lease import LeaseStanding
from erfailover.model.observed import Gateway
from erfailover.model.site import Path, Role
from erfailover.model.watch import (
    Approval,
    Event,
    EventType,
    Pause,
    Severity,
    SiteView,
    WatchReading,
    WatchState,
)
from erfailover.model.watch_documents import (
    LeaderRecord,
    format_leader_record,
    parse_leader_record,
)
from erfailover.model.watch_settings import Watch
from erfailover.planning.watch import memory
from erfailover.planning.watch.assessment import Assessment, assess
from erfailover.planning.watch.drills import iter_drill_events
from erfailover.planning.watch.history import (
    APPROVED_REASON,
    AUTOMATIC_REASON,
    build_history,
    count_failed_failovers,
)
from erfailover.planning.watch.memory import Memory
from erfailover.planning.watch.policy import Action
from erfailover.planning.watch.resumption import find_run_to_resume
from erfailover.reporting.run.report import RunReport
from erfailover.runtime.state.documents import Conflict, Documents
from erfailover.runtime.state.watch_records import (
    clear_approval,
    read_approval,
    read_pause,
    write_approval,
)

log = logging.getLogger("erfailover.progress.watch")

STORE_S = 5.0
"""How soon the store is asked again after it failed, in wall seconds."""
FAILOVER_TRIES = 3
"""How often ``automatic`` begins a failover that fails, within a cooldown."""
MEMORY = "memory"
"""The key of what a leader leaves to its successor."""


@dataclass(frozen=True)
class Surroundings:
    """What a watcher works with beside the site.

    Attributes:
        leadership: whether this process leads the watch of the site.
        documents: what all replicas share.
        open_notifier: opens what sends events, with functions that load and store its outbox.
        changed: called when the view has changed.
        draw: returns a reading as an SVG; empty if no page is served.
        wall: wall time, in seconds since 1970.
    """

    leadership: Leadership
    documents: Documents
    open_notifier: OpenNotifier
    changed: Callable[[], None] = lambda: None
    draw: Callable[[Context, SiteReading], str] = lambda context, reading: ""
    wall: Callable[[], float] = time.time


class SiteWatcher:
    """Watches one site. ``take_turn`` is called from one thread; ``view`` is read from any.

    Args:
        context: the site.
        around: what it works with.
    """

    def __init__(self, context: Context, around: Surroundings) -> None:
        site = context.site_file.site
        self._context, self._around, self._wall = context, around, around.wall
        self._leadership, self._documents = around.leadership, around.documents
        speed = getattr(context.clock, "speed", 1.0)
        self._rules = scale_rules(site.watch, speed)
        self.gate = Gate()
        self.longest_step_s = site.timing.step_deadline_s
        self._hold_s = site.timing.failback_hold_time_s / speed
        self._tries = FAILOVER_TRIES if site.watch.mode == "automatic" else 1
        self._reader = SiteReader(context, around.wall)
        self._memory_file = SharedDocument(around.documents, MEMORY)
        self._memory = Memory()
        self._leads = False
        self._thorough = True
        self._runs: tuple[RunRecord, ...] = ()
        self._gateways: Mapping[Role, Gateway] = {}
        self._pause: Pause | None = None
        self._refused: tuple[str, int] | None = None
        """Why the last run was to be made and its exit code, if it was refused."""
        self._counters: Counter[str] = Counter()
        view = SiteView(site.name, site.watch.mode, interval_s=self._rules.interval_s)
        self._reporter = Reporter(
            view, around.documents, around.open_notifier, around.changed, around.wall
        )

    @property
    def view(self) -> SiteView:
        """The site as the page and the metrics show it."""
        return self._reporter.view

    def take_turn(self) -> float:
        """Do what is due; return after how many wall seconds to do it again."""
        self._reporter.update(heartbeat_at=self._wall())
        try:
            if not self._lead():
                return TRY_EVERY_S
            return self._read_and_act()
        except Conflict as conflict:
            log.info("%s: %s", self.view.site, conflict.message)
            self._stop_leading()
            return STORE_S
        except StateFailure as failure:
            self._reporter.note_store(failure.message)
            return STORE_S

    def close(self, timeout_s: float) -> None:
        """Give the leadership up, after the last notifications.

        Args:
            timeout_s: how long these may take, in seconds of Azure's time.
        """
        self._reporter.close(timeout_s)
        self._leadership.close()

    # Leadership

    def _lead(self) -> bool:
        """Return whether this process leads; if it has just begun to, learn what is known."""
        if self._leads and self._leadership.is_leader():
            return True
        if self._leads:
            self._stop_leading()
        if not self._leadership.try_lead():
            self._reporter.note_store(self._leadership.problem)
            leader = self._leadership.leader
            if leader not in (None, self.view.leader):
                log.info("%s: standing by; %s leads", self.view.site, leader)
            self._reporter.update(is_leader=False, leader=leader)
            return False
        self._begin_to_lead()
        return True

    def _stop_leading(self) -> None:
        """Forget what only a leader knows; if this process still leads, it learns it again."""
        self._leads = False
        self._reporter.stop_leading()

    def _begin_to_lead(self) -> None:
        record = parse_leader_record(self._memory_file.load())
        self._memory = memory.from_data(record.memory)
        self._read_runs()
        self._leads, self._thorough = True, True
        self._reporter.begin_to_lead(record.events, self._leadership.leader)

    # One reading

    def _read_and_act(self) -> float:
        began = self._wall()
        self._read_pause()
        site_reading = self._reader.read(thorough=self._thorough)
        self._gateways = site_reading.gateways
        reading = self._add_runs(site_reading.reading)
        self._reporter.note_store(None)
        assessment = self._assess(reading)
        if assessment.decision.action is not Action.NOTHING:
            self._read_runs()
            reading = self._add_runs(site_reading.reading)
            assessment = self._assess(reading)
        if not self._leadership.is_leader():
            return 0.0
        self._memory = assessment.step.memory
        self._thorough = self._memory.state in (WatchState.SUSPECT, WatchState.FAILED)
        self._show(site_reading, reading, assessment, self._wall() - began)
        self._reporter.tell([*assessment.events, *self._iter_drill_events()])
        with self.gate.enter() as may_act:
            if may_act and not self._resume(reading):
                self._act(assessment)
            if not self._leadership.is_leader():  # a run may outlast the leadership
                return 0.0
            self._store_memory()
        due = assessment.step.next_reading_in_s - (self._wall() - began)
        self._reporter.update(next_reading_at=self._wall() + max(due, 0.0))
        return max(due, 0.0)

    def _read_pause(self) -> None:
        """Read what operators have asked for."""
        pause, resumed_at = read_pause(self._documents)
        over = pause is not None and pause.is_over(self._wall())
        self._pause = None if over else pause
        if resumed_at is not None and resumed_at > self._memory.counted_from:
            self._memory = self._memory.unlock(resumed_at)
        self._reporter.update(pause=self._pause)

    def _read_runs(self) -> None:
        self._runs = tuple(collect_runs(self._context.journal.read().records))

    def _add_runs(self, reading: WatchReading) -> WatchReading:
        """Return the reading with the run that holds the site's lease, and one to be resumed."""
        state = self._context.store.look()
        holder = None
        if state.standing is LeaseStanding.LIVE:
            holder = state.record.holder.name if state.record else "an unknown holder"
        if holder is None and self.view.reading and self.view.reading.operator_run:
            self._read_runs()
        run = self._find_run_to_resume(reading)
        return replace(reading, operator_run=holder, unfinished_run=run.id if run else None)

    def _find_run_to_resume(self, reading: WatchReading) -> RunRecord | None:
        tries = self._tries if self._pause is None else 0
        return find_run_to_resume(self._runs, reading, self._memory, tries, self._count_failed())

    def _count_failed(self) -> int:
        """Return how often a failover has failed just now: within a cooldown, in a row."""
        return count_failed_failovers(self._runs, self._wall() - self._rules.cooldown_s)

    def _assess(self, reading: WatchReading) -> Assessment:
        return assess(
            self.view.site,
            self._memory,
            reading,
            self._rules,
            self._hold_s,
            build_history(self._runs),
            self._wall(),
            self._pause,
        )

    def _iter_drill_events(self) -> Iterator[Event]:
        known = {event.id for event in self.view.events}
        days = self._rules.drill_due_days
        return iter_drill_events(self.view.site, self._runs, self._wall(), days, known)

    # Switches

    def _resume(self, reading: WatchReading) -> bool:
        """Resume the last run of a watch if it is to be; return whether it is.

        A pause does not hold it up if a spoke may have no path.
        """
        if reading.unfinished_run is None or reading.operator_run:
            return False
        last = self._find_run_to_resume(reading)
        if last is None:
            return False
        self._switch(Path(str(last.target)), AUTOMATIC_REASON, f"resuming run {last.id}")
        return True

    def _act(self, assessment: Assessment) -> None:
        """Make a switch, or ask for an approval, if one of them is called for."""
        decision, why = assessment.decision, assessment.step.reason
        if decision.target is None or decision.action is Action.NOTHING:
            if self.view.approval is not None:
                self._withdraw(decision.withheld or f"the state is {assessment.step.state}")
            return
        if decision.action is Action.SWITCH:
            self._switch(decision.target, AUTOMATIC_REASON, why)
        else:
            self._ask(decision.target, why)

    def _switch(self, target: Path, kind: str, why: str, approved: Approval | None = None) -> None:
        """Make a switch, and report how it began and ended."""
        what, reason = f"switch --to {target}", f"{kind}{why}"
        self._reporter.update(run=what)
        refused = self._refused
        if refused is None or refused[0] != why:
            self._reporter.tell(
                [self._reporter.build_event(EventType.RUN_STARTED, f"{what} has started: {why}")]
            )
        try:
            if approved is None:
                read = self._gateways if target is Path.IPSEC else {}
                end = runs.switch(self._context, target, reason, read)
            else:
                end = runs.switch_by_plan(self._context, target, approved.plan, reason)
        finally:
            self._reporter.update(run=None)
            self._reader.forget_probes()
        self._counters["switches"] += end.has_begun
        self._counters["writes"] += end.writes
        self._thorough = True
        self._refused = None if end.has_begun else (why, end.exit_code)
        if self._refused is None or self._refused != refused:
            self._reporter.tell([self._build_run_ended(what, end)])
        self._read_runs()
        if end.has_begun and end.exit_code:
            self._counters["failed_switches"] += 1
            if target is not Path.IPSEC or self._count_failed() >= self._tries:
                self._memory = self._memory.lock_out(f"{what} did not end well: {end.message}")

    def _build_run_ended(self, what: str, end: runs.RunEnd) -> Event:
        text = f"{what}: {end.message if end.exit_code else 'done and verified.'}"
        severity = Severity.CRITICAL if end.exit_code else Severity.INFO
        outages = [outage.description for outage in RunReport(end.run).outages] if end.run else []
        text = " ".join([text, *outages])
        event = self._reporter.build_event(EventType.RUN_ENDED, text, severity)
        run = end.run.id if end.run else None
        return replace(event, data={"exit_code": end.exit_code, "run": run, "outages": outages})

    def _ask(self, target: Path, why: str) -> None:
        """Ask for an approval, or apply the one that was given."""
        now, waiting = self._wall(), read_approval(self._documents)
        if waiting is not None and (waiting.target is not target or waiting.expires <= now):
            self._reporter.update(approval=waiting)
            self._withdraw("it has expired" if waiting.target is target else f"now to {target}")
            waiting = None
        if waiting is None:
            self._request(target, why, now)
        elif waiting.approved_by is None:
            self._reporter.update(approval=waiting)
        else:
            clear_approval(self._documents, waiting.id)
            self._reporter.update(approval=None)
            self._switch(target, f"{APPROVED_REASON}{waiting.approved_by}: ", why, waiting)

    def _request(self, target: Path, why: str, now: float) -> None:
        try:
            text, document = runs.plan(self._context, target)
        except Failure as failure:
            log.warning("%s: no plan for %s: %s", self.view.site, target, failure.message)
            return
        expires = now + self._rules.approval_expires_s
        approval = Approval(uuid4().hex[:12], target, now, expires, text, document)
        write_approval(self._documents, approval)
        self._reporter.update(approval=approval)
        command = f"erfailover approve {approval.id}"
        message = f"switch --to {target} waits for approval: {why}. To approve it: {command}"
        event = self._reporter.build_event(
            EventType.APPROVAL_REQUESTED, message, Severity.CRITICAL, incident=approval.id
        )
        self._reporter.tell([replace(event, data={"approval": approval.id, "target": str(target)})])

    def _withdraw(self, why: str) -> None:
        """Withdraw the approval that was asked for."""
        approval = self.view.approval
        if approval is None:
            return
        clear_approval(self._documents, approval.id)
        self._reporter.update(approval=None)
        text = f"the approval {approval.id} is withdrawn: {why}"
        self._reporter.tell(
            [
                self._reporter.build_event(
                    EventType.APPROVAL_ENDED, text, incident=approval.id, resolves=True
                )
            ]
        )

    # What others learn

    def _store_memory(self) -> None:
        record = LeaderRecord(self._memory.to_data(), self.view.events)
        self._memory_file.store(format_leader_record(record))

    def _show(
        self,
        site_reading: SiteReading,
        reading: WatchReading,
        assessment: Assessment,
        took_s: float,
    ) -> None:
        self._counters["readings"] += 1
        self._counters["failed_readings"] += site_reading.picture is None
        self._reporter.update(
            state=assessment.step.state,
            since=assessment.step.memory.since,
            reading=reading,
            reading_s=took_s,
            withheld=assessment.decision.withheld,
            svg=self._around.draw(self._context, site_reading),
            counters={
                **self._counters,
                "writes": self._counters["writes"] + runs.count_writes(self._context),
                **self._reporter.count_notifications(),
            },
        )


def scale_rules(rules: Watch, speed: float) -> Watch:
    """Return the rules with durations in wall seconds, if the clock runs faster than the wall."""
    names = ("interval_s", "confirm_after_s", "cooldown_s", "approval_expires_s")
    scaled = {name: getattr(rules, name) / speed for name in (*names, "backup_not_ready_s")}
    return replace(rules, **scaled)
