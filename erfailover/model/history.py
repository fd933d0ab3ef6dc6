"""What the journal tells: runs, their steps, what was in flight when one ended early. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from erfailover.errors import printable
from erfailover.model.azure_context import AzureContext, from_data
from erfailover.model.journal_lines import DAMAGED

OPEN = "in flight"


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
        places: of each spoke that a switch was to move, where it was left: ``target``, ``origin``,
            ``nowhere``, ``changing`` or ``unknown``; ``moving`` if that was not recorded.
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
    context: AzureContext | None = None

    @property
    def in_flight(self) -> list[StepRecord]:
        """The steps whose end was not recorded."""
        return [step for step in self.steps if step.outcome == OPEN]

    @property
    def typed(self) -> str:
        """The command with the path it leads to: ``switch --to ipsec``."""
        return self.command + (f" --to {self.target}" if self.target else "")

    @property
    def to_continue(self) -> str:
        """The command that goes on with this run."""
        return f"erfailover {self.typed}"

    @property
    def to_go_back(self) -> str | None:
        """The command that goes back; None if there is none."""
        if self.command == "switch" and self.target:
            return "erfailover switch --undo"
        opposite = {"drill start": "drill stop", "drill stop": "drill start"}
        if self.command in opposite:
            return f"erfailover {opposite[self.command]}"
        return "erfailover destroy" if self.command == "provision" else None


def runs(records: Iterable[Mapping[str, Any]]) -> list[RunRecord]:
    """Return the runs that a journal tells of, oldest first."""
    found: dict[str, RunRecord] = {}
    took_over: dict[str, str] = {}
    for record in records:
        if record.get("event") == "begun":
            run = _begun(record)
            run.took_over = took_over.get(run.id)
            found[run.id] = run
            continue
        if record.get("event") == "took-over":
            what = f"the {record.get('standing')} lease of {record.get('holder')}"
            took_over[str(record.get("run"))] = f"{what} ({record.get('command')})"
            continue
        if (known := found.get(str(record.get("run")))) is not None:
            _add(known, record)
    return list(found.values())


def _begun(record: Mapping[str, Any]) -> RunRecord:
    return RunRecord(
        id=_text(record, "run"),
        command=_text(record, "command"),
        began=_text(record, "at"),
        who=_text(record, "who"),
        host=_text(record, "host"),
        pid=int(record.get("pid") or 0),
        machine=_text(record, "machine"),
        started=_text(record, "started"),
        target=record.get("to"),
        digest=_text(record, "digest") or None,
        site=_text(record, "site"),
        context=from_data(record.get("context")),
    )


def _add(run: RunRecord, record: Mapping[str, Any]) -> None:
    event = record.get("event")
    if event == "intent":
        run.steps.append(_intended(record))
    elif event == "accepted":
        _accepted(run, record)
    elif event == "path":
        run.places[str(record.get("spoke"))] = str(record.get("place"))
    elif event == "crossing":
        run.places |= dict.fromkeys(map(str, record.get("spokes") or ()), "moving")
    elif event in ("done", "failed", "skipped"):
        known = [step for step in run.steps if step.task == record.get("task")]
        if not known and event != "done" and record.get("title"):
            known = [_intended(record)]
            run.steps += known
        for step in known:
            if step.outcome == OPEN:
                step.outcome, step.ended = str(event), _text(record, "at")
                step.note, step.ended_s = _text(record, "note") or None, record.get("at_s")
                step.attempts = int(record.get("attempts") or 1)
    elif event in ("ended", "interrupted"):
        run.outcome = str(record.get("outcome") or event)
        run.ended = _text(record, "at")
        run.message, run.hint = _text(record, "message") or None, _text(record, "hint") or None
        run.took_s, run.result = record.get("at_s"), dict(record.get("result") or {})


def _intended(record: Mapping[str, Any]) -> StepRecord:
    return StepRecord(
        task=_text(record, "task"),
        title=_text(record, "title"),
        change=_text(record, "change"),
        resource=_text(record, "resource"),
        began=_text(record, "at"),
        began_s=record.get("at_s"),
    )


def _accepted(run: RunRecord, record: Mapping[str, Any]) -> None:
    resource = _text(record, "resource").lower()
    for step in reversed(run.steps):
        if step.outcome == OPEN and step.resource.lower() == resource:
            step.operation = _text(record, "operation") or None
            if record.get("correlation_id"):
                step.correlation_ids.append(_text(record, "correlation_id"))
            return


def _text(record: Mapping[str, Any], name: str) -> str:
    return printable(str(record.get(name) or ""))


def unfinished(all_runs: Iterable[RunRecord]) -> RunRecord | None:
    """Return the last run if it did not come to its end and nothing has finished since."""
    last = None
    for run in all_runs:
        last = run
    return last if last is not None and last.outcome in ("open", "interrupted", "failed") else None


def last_switch(records: Iterable[Mapping[str, Any]]) -> RunRecord | None:
    """Return the last switch that began; None if there is none.

    Raises:
        ValueError: records are damaged, and that of a later switch may be among them.
    """
    last = None
    damaged = False
    for record in records:
        if record.get("event") == DAMAGED:
            damaged = True
        elif record.get("event") == "begun" and record.get("command") == "switch":
            last, damaged = record, False
    if damaged:
        raise ValueError("a record is damaged, and it may be that of the last switch")
    return _begun(last) if last is not None and last.get("to") else None


@dataclass(frozen=True, slots=True)
class Owed:
    """Spokes that a switch was moving when its journal ends.

    Attributes:
        run: the id of that switch.
        target: the path it was moving them to.
        spokes: their names.
    """

    run: str
    target: str
    spokes: tuple[str, ...]


def owed(all_runs: Iterable[RunRecord]) -> Owed | None:
    """Return the spokes that the last switch left without a path, or not known to have one."""
    switches = [run for run in all_runs if run.target and run.places]
    if not switches:
        return None
    last = switches[-1]
    on_a_path = ("target", "origin")
    spokes = tuple(name for name, place in last.places.items() if place not in on_a_path)
    return Owed(last.id, str(last.target), spokes) if spokes else None
