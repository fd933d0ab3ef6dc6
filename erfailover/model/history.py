"""What the journal tells: runs, their steps, what was in flight when one ended early. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

OPEN = "in flight"


@dataclass
class StepRecord:
    """One step of a run.

    Attributes:
        outcome: ``done``, ``failed``, ``skipped`` or ``in flight`` (its end was not recorded).
        operation: the URL of Azure's operation, where one began.
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
        took_over: whose lease it took over, where it did.
        hint: what to do next, where it failed.
        took_s: how long it took, in seconds of the clock; None where its end was not recorded.
        result: what it came to, as the command tells it; empty where it told nothing.
        places: of each spoke that a switch was to move, where it was left: ``target``, ``origin``,
            ``nowhere``, ``changing`` or ``unknown``; ``moving`` if that was not recorded.
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
        """The command that goes back; None where there is none."""
        if self.command == "switch" and self.target:
            return "erfailover switch --undo"
        opposite = {"drill start": "drill stop", "drill stop": "drill start"}
        if self.command in opposite:
            return f"erfailover {opposite[self.command]}"
        return "erfailover destroy" if self.command == "provision" else None


def runs(records: Iterable[Mapping[str, Any]]) -> list[RunRecord]:
    """The runs that a journal tells of, oldest first."""
    found: dict[str, RunRecord] = {}
    took_over: dict[str, str] = {}
    for record in records:
        if record.get("event") == "begun":
            found[record["run"]] = _begun(record)
            found[record["run"]].took_over = took_over.get(record["run"])
            continue
        if record.get("event") == "took-over":
            what = f"the {record.get('standing')} lease of {record.get('holder')}"
            took_over[str(record.get("run"))] = f"{what} ({record.get('command')})"
            continue
        run = found.get(str(record.get("run")))
        if run is not None:
            _add(run, record)
    return list(found.values())


def _begun(record: Mapping[str, Any]) -> RunRecord:
    return RunRecord(
        id=record["run"],
        command=str(record.get("command", "")),
        began=str(record.get("at", "")),
        who=str(record.get("who", "")),
        host=str(record.get("host", "")),
        pid=int(record.get("pid") or 0),
        machine=str(record.get("machine", "")),
        started=str(record.get("started", "")),
        target=record.get("to"),
        digest=record.get("digest"),
        site=str(record.get("site", "")),
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
                step.outcome, step.ended = str(event), str(record.get("at", ""))
                step.note, step.ended_s = record.get("note"), record.get("at_s")
                step.attempts = int(record.get("attempts") or 1)
    elif event in ("ended", "interrupted"):
        run.outcome = str(record.get("outcome") or event)
        run.ended = str(record.get("at", ""))
        run.message, run.hint = record.get("message"), record.get("hint")
        run.took_s, run.result = record.get("at_s"), dict(record.get("result") or {})


def _intended(record: Mapping[str, Any]) -> StepRecord:
    return StepRecord(
        task=str(record.get("task", "")),
        title=str(record.get("title", "")),
        change=str(record.get("change", "")),
        resource=str(record.get("resource", "")),
        began=str(record.get("at", "")),
        began_s=record.get("at_s"),
    )


def _accepted(run: RunRecord, record: Mapping[str, Any]) -> None:
    resource = str(record.get("resource", "")).lower()
    for step in reversed(run.steps):
        if step.outcome == OPEN and step.resource.lower() == resource:
            step.operation = record.get("operation")
            if record.get("correlation_id"):
                step.correlation_ids.append(str(record["correlation_id"]))
            return


def unfinished(all_runs: Iterable[RunRecord]) -> RunRecord | None:
    """The last run, where it did not come to its end and nothing has finished since."""
    last = None
    for run in all_runs:
        last = run
    return last if last is not None and last.outcome in ("open", "interrupted", "failed") else None


def last_switch(all_runs: Iterable[RunRecord]) -> RunRecord | None:
    """The last switch that began."""
    found = [run for run in all_runs if run.command == "switch" and run.target]
    return found[-1] if found else None


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
    last = last_switch(run for run in all_runs if run.places)
    if last is None:
        return None
    on_a_path = ("target", "origin")
    spokes = tuple(name for name, place in last.places.items() if place not in on_a_path)
    return Owed(last.id, str(last.target), spokes) if spokes else None
