"""One watched site: stand by or lead, read, decide, notify, switch.

What the readings mean, and whether a switch may be made, is decided by ``planning.watch``. A switch
is ``erfailover switch`` itself (``runs``), under the site's own lease. Moments are wall time; on a
lab whose clock runs faster, the durations of the site file are shortened instead.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from uuid import uuid4

from erfailover.commands.context import Context
from erfailover.commands.watch import runs
from erfailover.commands.watch.approval import clear_approval, read_approval, write_approval
from erfailover.commands.watch.leadership import Leadership
from erfailover.commands.watch.memory_file import MemoryFile
from erfailover.commands.watch.pause import read_pause
from erfailover.commands.watch.reading import SiteReader, SiteReading
from erfailover.errors import Failure, StateFailure
from erfailover.model.history import RunRecord, collect_runs, find_unfinished
from erfailover.model.lease import LeaseStanding
from erfailover.model.site import Path
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
from erfailover.model.watch_settings import Watch
from erfailover.planning.watch import detector, events, policy
from erfailover.planning.watch.detector import Memory, Step
from erfailover.planning.watch.policy import Action, Decision, SwitchHistory
from erfailover.runtime.state.documents import Documents

log = logging.getLogger("erfailover.progress.watch")

STANDBY_S = 5.0
"""How often a standby asks for the leadership, in seconds."""
STORE_S = 5.0
"""How long after a failure of the store it is asked again, in seconds."""
RESUME_S = 15.0
"""How long after a run that was not completed it is resumed again, in seconds."""
SHOWN_EVENTS = 100
"""How many events the page shows."""


class SiteWatcher:
    """Watches one site.

    Args:
        context: the site.
        leadership: whether this process leads the watch of the site.
        documents: what all replicas share: the pause, the approval, the detector's memory.
        notify: sends events; returns at once.
        changed: called when the view has changed.
        draw: returns a reading as an SVG; empty if no page is served.
        wall: wall time, in seconds since 1970.
    """

    def __init__(
        self,
        context: Context,
        leadership: Leadership,
        documents: Documents,
        notify: Callable[[Iterable[Event]], None],
        changed: Callable[[], None] = lambda: None,
        draw: Callable[[Context, SiteReading], str] = lambda context, reading: "",
        wall: Callable[[], float] = time.time,
    ) -> None:
        site = context.site_file.site
        self._context, self._leadership, self._documents = context, leadership, documents
        self._notify, self._changed, self._draw, self._wall = notify, changed, draw, wall
        self._speed = getattr(context.clock, "speed", 1.0) if wall is time.time else 1.0
        self.rules = scale_rules(site.watch, self._speed)
        self._hold_s = site.timing.failback_hold_time_s / self._speed
        self._reader = SiteReader(context, wall)
        self._memory_file = MemoryFile(documents)
        self._memory = Memory()
        self._leads = False
        self._history = SwitchHistory()
        self._runs: tuple[RunRecord, ...] = ()
        self._pause: Pause | None = None
        self._approval: Approval | None = None
        self._thorough = True
        self._counters: Counter[str] = Counter()
        self.view = SiteView(site.name, site.watch.mode)

    def take_turn(self) -> float:
        """Do what is due; return in how many seconds to do it again."""
        try:
            return self._take_turn()
        except StateFailure as failure:
            self._note_store(failure.message)
            return STORE_S / self._speed

    def _take_turn(self) -> float:
        if not self._lead():
            return STANDBY_S / self._speed
        self._read_shared()
        began = self._wall()
        site_reading = self._reader.read(thorough=self._thorough)
        reading = self._add_operator_run(site_reading.reading)
        self._note_store(None)
        if not self._leadership.is_leader():
            return 0.0
        before = self._memory
        step = detector.advance(before, reading, self.rules, self._hold_s, self._pause)
        self._memory = step.memory
        self._thorough = step.state in (WatchState.SUSPECT, WatchState.FAILED)
        new = events.list_events(self.view.site, before, step, reading, self.rules)
        self._show(site_reading, reading, step, self._wall() - began)
        self._tell(new)
        self._act(step, reading)
        self._memory_file.save(self._memory, self.view.events)
        due = began + step.next_reading_in_s
        self._update(next_reading_at=due)
        return max(0.0, due - self._wall())

    def close(self) -> None:
        """Give the leadership up."""
        self._leadership.resign()

    # Leadership

    def _lead(self) -> bool:
        """Return whether this process leads; if it has just begun to, know what is known."""
        if self._leadership.is_leader():
            return True
        if self._leads:
            self._leads = False
            log.warning("%s: no longer the leader", self.view.site)
        if not self._leadership.try_lead():
            self._note_store(self._leadership.problem)
            self._update(is_leader=False, leader=self._leadership.leader, run=None)
            return False
        self._leads, self._thorough = True, True
        self._memory, shown = self._memory_file.load()
        self._update(is_leader=True, leader=self._leadership.leader, events=shown)
        self._read_runs()
        self._tell([self._build_event(EventType.LEADER_CHANGED, "leads the watch of the site")])
        return True

    def _note_store(self, problem: str | None) -> None:
        """Notify that the store was lost, or is back."""
        before = self.view.store_problem
        self._update(store_problem=problem)
        if problem is not None and before is None:
            text = f"the shared store cannot be used: {problem}. Nothing new is begun."
            self._tell([self._build_event(EventType.STORE_LOST, text, Severity.CRITICAL)])
        elif problem is None and before is not None:
            text = "the shared store can be used again"
            self._tell([self._build_event(EventType.STORE_BACK, text, resolves=True)])

    # What all replicas and operators share

    def _read_shared(self) -> None:
        """Read the pause and the approval that operators have written."""
        before = self._pause
        self._pause, resumed_at = read_pause(self._documents)
        if self._pause is not None and self._pause.is_over(self._wall()):
            self._pause = None
        self._memory = detector.resume(self._memory, resumed_at)
        if self._approval is not None:
            self._approval = read_approval(self._documents)
        if before != self._pause:
            self._update(pause=self._pause)

    def _read_runs(self) -> None:
        self._runs = tuple(collect_runs(self._context.journal.read().records))
        self._history = policy.summarize(self._runs, self._wall())

    def _add_operator_run(self, reading: WatchReading) -> WatchReading:
        """Return the reading with the run that holds the site's lease, and one to be resumed."""
        state = self._context.store.look()
        holder = None
        if state.standing is LeaseStanding.LIVE:
            holder = state.record.holder.name if state.record else "an unknown holder"
        last = find_unfinished(self._runs)
        is_ours = last is not None and policy.is_by_watch(last)
        return replace(
            reading, operator_run=holder, unfinished_run=last.id if last and is_ours else None
        )

    # Switches

    def _act(self, step: Step, reading: WatchReading) -> None:
        """Resume a run, make a switch, or ask for an approval, if one of them is called for."""
        if reading.unfinished_run is not None and reading.operator_run is None:
            self._resume()
            return
        decision = self._decide(step, reading)
        if decision.target is None:
            self._withdraw_approval("the path works again")
            self._update(withheld=None)
            return
        self._read_runs()
        decision = self._decide(step, reading)
        self._memory = decision.memory
        self._tell(events.list_withheld(self.view.site, self.view.withheld, decision, reading.at))
        self._update(withheld=decision.withheld)
        if decision.target is None or decision.action is Action.NOTHING:
            return
        if decision.action is Action.SWITCH:
            self._switch(decision.target, step.reason)
        else:
            self._ask(decision.target, step.reason)

    def _decide(self, step: Step, reading: WatchReading) -> Decision:
        return policy.decide(
            step, reading, self.rules, self._history, self._wall(), self._pause
        )

    def _resume(self) -> None:
        last = find_unfinished(self._runs)
        if last is None or last.target is None:
            return
        self._make(Path(last.target), f"{policy.REASON}resuming run {last.id}")

    def _switch(self, target: Path, reason: str) -> None:
        self._make(target, f"{policy.REASON}{reason}")

    def _make(self, target: Path, reason: str, approved: Approval | None = None) -> None:
        """Make a switch, and tell how it began and ended."""
        if not self._leadership.is_leader():
            return
        what = f"switch --to {target}"
        self._update(run=what)
        self._tell([self._build_event(EventType.RUN_STARTED, f"{what}: {reason}")])
        try:
            if approved is not None:
                end = runs.switch_by_plan(self._context, target, approved.plan, reason)
            else:
                end = runs.switch(self._context, target, reason)
        finally:
            self._update(run=None)
        self._counters["switches"] += end.has_begun
        self._counters["failed_switches"] += end.has_begun and end.exit_code != 0
        self._memory = detector.note_run(self._memory, end.exit_code, end.message, self._wall())
        self._tell([events.build_run_ended(self.view.site, what, end, self._wall())])
        self._thorough = True
        self._read_runs()

    def _ask(self, target: Path, reason: str) -> None:
        """Ask for an approval, or act on the one that was given."""
        waiting = read_approval(self._documents)
        now = self._wall()
        if waiting is not None and waiting.target is target and waiting.expires > now:
            self._approval = waiting
            self._update(approval=waiting)
            if waiting.approved_by is not None:
                self._withdraw_approval("")
                self._make(
                    target, f"{policy.REASON}approved by {waiting.approved_by}: {reason}", waiting
                )
            return
        text, document = runs.plan(self._context, target)
        approval = Approval(
            uuid4().hex[:8], target, now, now + self.rules.approval_expires_s, text, document
        )
        write_approval(self._documents, approval)
        self._approval = approval
        self._update(approval=approval)
        message = (
            f"switch --to {target} needs an approval: {reason}. Run: erfailover approve "
            f"{approval.id}"
        )
        event = self._build_event(EventType.APPROVAL_REQUESTED, message, Severity.CRITICAL)
        self._tell([replace(event, data={"approval": approval.id, "target": str(target)})])

    def _withdraw_approval(self, why: str) -> None:
        if self._approval is None:
            return
        clear_approval(self._documents)
        self._approval = None
        self._update(approval=None)
        if why:
            event = self._build_event(EventType.APPROVAL_ENDED, f"approval withdrawn: {why}")
            self._tell([replace(event, resolves=True)])

    # What others see

    def _show(
        self, site_reading: SiteReading, reading: WatchReading, step: Step, took_s: float
    ) -> None:
        self._counters["readings"] += 1
        self._counters["failed_readings"] += site_reading.picture is None
        self._update(
            state=step.state,
            since=step.memory.since,
            reading=reading,
            reading_s=took_s,
            pause=self._pause,
            svg=self._draw(self._context, site_reading),
            counters=dict(self._counters),
        )

    def _update(self, **values: object) -> None:
        view = replace(self.view, **values)  # type: ignore[arg-type]
        if view != self.view:
            self.view = view
            self._changed()

    def _tell(self, new: Iterable[Event]) -> None:
        """Log events, show them, and send them."""
        lines = list(new)
        if not lines:
            return
        for event in lines:
            log.info("%s: %s", event.site, event.text)
        self._update(events=(*reversed(lines), *self.view.events)[:SHOWN_EVENTS])
        self._notify(lines)

    def _build_event(
        self,
        type_: EventType,
        text: str,
        severity: Severity = Severity.INFO,
        *,
        resolves: bool = False,
    ) -> Event:
        return events.build(self.view.site, type_, self._wall(), severity, text, resolves=resolves)


def scale_rules(rules: Watch, speed: float) -> Watch:
    """Return the rules with durations in wall seconds, if the clock runs faster than the wall."""
    return replace(
        rules,
        interval_s=rules.interval_s / speed,
        confirm_after_s=rules.confirm_after_s / speed,
        cooldown_s=rules.cooldown_s / speed,
        approval_expires_s=rules.approval_expires_s / speed,
        backup_not_ready_s=rules.backup_not_ready_s / speed,
    )
