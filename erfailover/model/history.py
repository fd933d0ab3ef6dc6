"""What the journal tells: runs, their steps, what was in flight when one ended early. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from erfailover.errors import escape_controls
from erfailover.model.azure_context import AzureContext, from_data
from erfailover.model.command_line import format_spoke_options, switch_to
from erfailover.model.journal_lines import DAMAGED
from erfailover.model.site import Path

OPEN = "in flight"
DRILL_RUN = "drill run"
"""The command of the run of a drill, whose two switches are runs with its id."""
NAMED = 2
"""So many chosen spokes are named in a list; of more, one and how many more."""


@dataclass
class StepRecord:
    """One step of a run.

    Attributes:
        outcome: ``done``, ``failed``, ``skipped`` or ``in flight`` (its end was not recorded).
        operation: the URL of Azure's operation, if one began.
        correlation_ids: one for every request that Azure accepted.
        began_s, ended_s: seconds since the command began; None in records that lack them.
        attempts: how often it was tried, waits for other operations included.
    """

    task: str
    title: str
    change: str
    resource: str
    began: str
    ended: str | None = None
    outcome: str = OPEN
    note: str | None = None
    operation: str | None = None
    correlation_ids: list[str] = field(default_factory=list)
    began_s: float | None = None
    ended_s: float | None = None
    attempts: int = 1


@dataclass
class RunRecord:
    """One run of a command that may write.

    Attributes:
        outcome: ``done``, ``failed``, ``interrupted``, or ``open``: its end was not recorded,
            because it is still under way or because it died.
        took_over: whose lease it took over, if it did.
        hint: what to do next, if it failed.
        took_s: how long it took, in seconds of the clock; None if its end was not recorded.
        result: the outcome as the command reported it; empty if it reported nothing.
        reason: why it was made, in the operator's words; None if none was given.
        ticket: the change or incident that it belongs to; None if none was given.
        before, after: the state of the site, to be drawn; None if it was not recorded.
        places: of each spoke that a switch was to move, where it was left: ``target``, ``origin``,
            ``nowhere``, ``changing`` or ``unknown``; ``moving`` if that was not recorded.
        spokes: the spokes that were chosen with ``--spoke``; empty for the whole site.
        way_back_refused: why a switch back would have been refused when it began; None if it
            would not have been, or that is not recorded.
        completes: the run whose spokes it put on their path after that had lost its lease.
        drill: the id of the run of the drill that this switch belongs to; None for any other.
        context: where it worked and as whom; None in records that lack it.
    """

    id: str
    command: str
    began: str
    who: str = ""
    host: str = ""
    pid: int = 0
    machine: str = ""
    started: str = ""
    target: str | None = None
    digest: str | None = None
    ended: str | None = None
    outcome: str = "open"
    message: str | None = None
    took_over: str | None = None
    steps: list[StepRecord] = field(default_factory=list)
    site: str = ""
    hint: str | None = None
    took_s: float | None = None
    result: dict[str, Any] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    spokes: tuple[str, ...] = ()
    way_back_refused: str | None = None
    completes: str | None = None
    drill: str | None = None
    reason: str | None = None
    ticket: str | None = None
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    context: AzureContext | None = None

    @property
    def in_flight(self) -> list[StepRecord]:
        """The steps whose end was not recorded."""
        return [step for step in self.steps if step.outcome == OPEN]

    @property
    def typed(self) -> str:
        """The command with the path it leads to: ``switch --to ipsec``."""
        path = f" --to {self.target}" if self.target else ""
        if self.command == DRILL_RUN:
            return self.command + format_spoke_options(self.spokes, "--canary")
        return f"{self.command}{path}{format_spoke_options(self.spokes)}"

    @property
    def brief(self) -> str:
        """The same, with at most one of many spokes: for a list."""
        if len(self.spokes) <= NAMED:
            return self.typed
        one = replace(self, spokes=self.spokes[:1])
        return f"{one.typed} and {len(self.spokes) - 1} more"

    @property
    def is_of_drill(self) -> bool:
        """Whether it is the run of a drill, or one of its two switches."""
        return self.command == DRILL_RUN or self.drill is not None

    @property
    def to_continue(self) -> str:
        """The command that resumes this run; for a drill, the one that ends it."""
        if self.is_of_drill:
            return switch_to(Path.EXPRESSROUTE, self.spokes)
        return f"erfailover {self.typed}"

    @property
    def to_go_back(self) -> str | None:
        """The command that goes back; None if there is none."""
        if self.is_of_drill:
            return None
        if self.command == "switch" and self.target:
            return "erfailover switch --undo"
        opposite = {"drill start": "drill stop", "drill stop": "drill start"}
        if self.command in opposite:
            return f"erfailover {opposite[self.command]}"
        return "erfailover destroy" if self.command == "provision" else None


def collect_runs(records: Iterable[Mapping[str, Any]]) -> list[RunRecord]:
    """Return the runs that a journal tells of, oldest first."""
    runs: dict[str, RunRecord] = {}
    took_over: dict[str, str] = {}
    for record in records:
        if record.get("event") == "begun":
            run = _build_run(record)
            run.took_over = took_over.get(run.id)
            runs[run.id] = run
            continue
        if record.get("event") == "took-over":
            what = f"the {record.get('standing')} lease of {record.get('holder')}"
            took_over[str(record.get("run"))] = f"{what} ({record.get('command')})"
            continue
        if (run_record := runs.get(str(record.get("run")))) is not None:
            _add(run_record, record)
    return list(runs.values())


def _build_run(record: Mapping[str, Any]) -> RunRecord:
    return RunRecord(
        id=_read_text(record, "run"),
        command=_read_text(record, "command"),
        began=_read_text(record, "at"),
        who=_read_text(record, "who"),
        host=_read_text(record, "host"),
        pid=int(record.get("pid") or 0),
        machine=_read_text(record, "machine"),
        started=_read_text(record, "started"),
        target=record.get("to"),
        digest=_read_text(record, "digest") or None,
        site=_read_text(record, "site"),
        spokes=tuple(escape_controls(str(name)) for name in record.get("spokes") or ()),
        way_back_refused=_read_text(record, "way_back_refused") or None,
        completes=_read_text(record, "completes") or None,
        drill=_read_text(record, "drill") or None,
        reason=_read_text(record, "reason") or None,
        ticket=_read_text(record, "ticket") or None,
        context=from_data(record.get("context")),
    )


def _add(run: RunRecord, record: Mapping[str, Any]) -> None:
    event = record.get("event")
    if event == "intent":
        run.steps.append(_build_step(record))
    elif event == "accepted":
        _add_acceptance(run, record)
    elif event == "path":
        run.places[str(record.get("spoke"))] = str(record.get("place"))
    elif event == "crossing":
        run.places |= dict.fromkeys(map(str, record.get("spokes") or ()), "moving")
    elif event == "states":
        run.before, run.after = (_parse_mapping(record.get(name)) for name in ("before", "after"))
    elif event in ("done", "failed", "skipped"):
        steps = [step for step in run.steps if step.task == record.get("task")]
        if not steps and event != "done" and record.get("title"):
            steps = [_build_step(record)]
            run.steps += steps
        for step in steps:
            if step.outcome == OPEN:
                step.outcome, step.ended = str(event), _read_text(record, "at")
                step.note, step.ended_s = _read_text(record, "note") or None, record.get("at_s")
                step.attempts = int(record.get("attempts") or 1)
    elif event in ("ended", "interrupted"):
        run.outcome = str(record.get("outcome") or event)
        run.ended = _read_text(record, "at")
        run.message, run.hint = (
            _read_text(record, "message") or None,
            _read_text(record, "hint") or None,
        )
        run.took_s, run.result = record.get("at_s"), dict(record.get("result") or {})


def _build_step(record: Mapping[str, Any]) -> StepRecord:
    return StepRecord(
        task=_read_text(record, "task"),
        title=_read_text(record, "title"),
        change=_read_text(record, "change"),
        resource=_read_text(record, "resource"),
        began=_read_text(record, "at"),
        began_s=record.get("at_s"),
    )


def _add_acceptance(run: RunRecord, record: Mapping[str, Any]) -> None:
    resource = _read_text(record, "resource").lower()
    for step in reversed(run.steps):
        if step.outcome == OPEN and step.resource.lower() == resource:
            step.operation = _read_text(record, "operation") or None
            if record.get("correlation_id"):
                step.correlation_ids.append(_read_text(record, "correlation_id"))
            return


def _read_text(record: Mapping[str, Any], name: str) -> str:
    return escape_controls(str(record.get(name) or ""))


def _parse_mapping(value: Any) -> Mapping[str, Any] | None:
    return value if isinstance(value, Mapping) else None


def find_unfinished(all_runs: Iterable[RunRecord]) -> RunRecord | None:
    """Return the last run if it is incomplete and nothing has finished since.

    A drill is incomplete until its switch back has ended. A drill that failed without one has
    changed nothing. A run that only completed another, whose lease was lost, has put the spokes
    without a path on one; that other run is incomplete until its command has been run again.
    """
    runs = {run.id: run for run in all_runs}
    last = next(reversed(runs.values()), None)
    if last is None:
        return None
    if last.completes:
        return _find_completed(last, runs)
    if last.command == DRILL_RUN:
        return last if last.outcome == "open" else None
    if last.drill and last.outcome == "done" and last.target == Path.IPSEC:
        return runs.get(last.drill, last)
    return last if last.outcome in ("open", "interrupted", "failed") else None


def _find_completed(run: RunRecord, runs: Mapping[str, RunRecord]) -> RunRecord:
    """Return the run that a run completes: the first, if that completed another in turn."""
    seen = {run.id}
    while (earlier := runs.get(run.completes or "")) is not None and earlier.id not in seen:
        run = earlier
        seen.add(run.id)
    return run


def is_cut_off(all_runs: Sequence[RunRecord]) -> bool:
    """Return whether the last run died.

    One that only completed another was cut off as well: the rest of that was to follow.
    """
    return bool(all_runs) and (all_runs[-1].outcome == "open" or bool(all_runs[-1].completes))


def find_last_switch(records: Iterable[Mapping[str, Any]]) -> RunRecord | None:
    """Return the last switch that began; None if there is none.

    One that only completed another, whose lease was lost, is a part of that.

    Raises:
        ValueError: records are damaged, and that of a later switch may be among them.
    """
    last = None
    damaged = False
    for record in records:
        if record.get("event") == DAMAGED:
            damaged = True
        elif record.get("event") == "begun" and record.get("command") == "switch":
            if last is not None and record.get("completes"):
                continue
            last, damaged = record, False
    if damaged:
        raise ValueError("a damaged record may be that of the last switch")
    return _build_run(last) if last is not None and last.get("to") else None


def find_spokes_to_undo(all_runs: Iterable[RunRecord], names: Iterable[str]) -> tuple[str, ...]:
    """Return the spokes for which to undo the last switch.

    Those that it was to move. A switch of the whole site leaves out the spokes that an
    earlier, completed ``--spoke`` run had moved to the same path: it found them there.

    Args:
        all_runs: the runs of the site, oldest first.
        names: the spokes of the site.
    """
    switches = [
        run for run in all_runs if run.command == "switch" and run.target and not run.completes
    ]
    if not switches:
        return ()
    last = switches.pop()
    if last.spokes:
        return tuple(name for name in names if name in last.spokes)
    return tuple(name for name in names if not _was_moved_before(name, last, switches))


def _was_moved_before(name: str, last: RunRecord, earlier: list[RunRecord]) -> bool:
    """Return whether an earlier ``--spoke`` run moved a spoke to the path of the last switch."""
    for run in reversed(earlier):
        if run.spokes and name not in run.spokes:
            continue
        if run.target != last.target:
            return False
        if run.spokes and run.outcome == "done":
            return True
    return False


@dataclass(frozen=True, slots=True)
class OwedSpokes:
    """Spokes that a switch was moving when its journal ends.

    Attributes:
        run: the id of that switch.
        target: the path it was moving them to.
        spokes: their names.
        to_continue: the command that resumes that switch.
    """

    run: str
    target: str
    spokes: tuple[str, ...]
    to_continue: str


ON_A_PATH = ("target", "origin")


def find_owed(all_runs: Iterable[RunRecord]) -> OwedSpokes | None:
    """Return the spokes that the last switch left without a path, or not known to have one."""
    switches = [run for run in all_runs if run.target and run.places]
    return _build_owed(switches[-1], switches[-1].places) if switches else None


def find_all_owed(all_runs: Iterable[RunRecord]) -> tuple[OwedSpokes, ...]:
    """Return the same of all switches: each spoke by the last that moved it.

    A switch that was completed has left none of its spokes without a path.
    """
    last: dict[str, RunRecord] = {}
    for run in all_runs:
        if run.target is None:
            continue
        last |= dict.fromkeys(run.places, run)
        if run.outcome == "done":
            last = {name: by for name, by in last.items() if run.spokes and name not in run.spokes}
    oweds = [
        _build_owed(run, {name: run.places[name] for name, by in last.items() if by is run})
        for run in {id(run_record): run_record for run_record in last.values()}.values()
    ]
    return tuple(owed for owed in oweds if owed is not None)


def _build_owed(run: RunRecord, places: Mapping[str, str]) -> OwedSpokes | None:
    spokes = tuple(name for name, place in places.items() if place not in ON_A_PATH)
    return OwedSpokes(run.id, str(run.target), spokes, run.to_continue) if spokes else None
