"""A run as its report tells it: the outcome, the steps, the spokes, the outage. Pure.

Made of what the journal holds, and of nothing else, so that the report of a run is the same on the
night and a year later.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Any

from erfailover.model.command_line import switch_to
from erfailover.model.counting import join_names
from erfailover.model.durations import format_duration
from erfailover.model.history import OPEN, RunRecord, StepRecord
from erfailover.model.plan import StepKind
from erfailover.model.resource_ids import get_last_name
from erfailover.model.site import Path
from erfailover.planning.switch.procedure import NUMBERED
from erfailover.reporting.run.outage import Outage, compute_from_probes, compute_from_steps
from erfailover.reporting.run.site_state import SiteState, from_record
from erfailover.reporting.words import CHOSEN, format_path


class Part(StrEnum):
    """What a step of a switch is for."""

    PREPARE = "prepare"
    BREAK = "break"
    MAKE = "make"
    NEXT_HOPS = "next hops"
    AFTERWARDS = "afterwards"
    RETRY = "retry"
    ROLLBACK = "take back"
    """The value is what JSON reports have."""
    OTHER = "other"


ROLLED_BACK = "rolled back"
ROLLBACK_WORDS = (ROLLED_BACK, "taken back")
"""What a failure of a step that was rolled back has in its words; the second in older journals."""
PARTS = {
    StepKind.ALLOW_TRANSIT: Part.PREPARE,
    StepKind.PREPARE_SPOKE: Part.PREPARE,
    StepKind.BREAK: Part.BREAK,
    StepKind.MAKE: Part.MAKE,
    StepKind.MOVE_NEXT_HOPS: Part.NEXT_HOPS,
}


@dataclass(frozen=True)
class Step:
    """One step of a run. Times are seconds since the command began.

    Attributes:
        label: the step's number in the plan; empty if it has none.
        ended_s: None if its end was not recorded.
    """

    record: StepRecord
    spoke: str
    label: str
    part: Part
    began_s: float
    ended_s: float | None

    @property
    def took_s(self) -> float | None:
        """How long it took."""
        return None if self.ended_s is None else self.ended_s - self.began_s


@dataclass(frozen=True)
class SpokeRun:
    """The outcome for one spoke. Times are seconds since the command began.

    Attributes:
        state: in words: ``on IPsec``, ``still on ExpressRoute``, ``NO PATH (disconnected ...)``.
        off_s: when it was taken off its path: the gate was passed, the break follows.
        make_s: when Azure said that it uses the other gateway.
        shown_s: when the arriving gateway's table showed it.
        back_s: when it was rolled back, if that was done.
        error: why it was not moved.
    """

    name: str
    state: str
    off_s: float | None = None
    make_s: float | None = None
    shown_s: float | None = None
    back_s: float | None = None
    error: str | None = None

    @property
    def without_s(self) -> float | None:
        """From the break until it had a path, as far as is known; None if it is not."""
        if self.off_s is None or self.again_s is None:
            return None
        return round(max(0.0, self.again_s - self.off_s), 1)

    @property
    def again_s(self) -> float | None:
        """When the arriving gateway's table showed it, or it was rolled back."""
        return self.shown_s if self.shown_s is not None else self.back_s


@dataclass(frozen=True)
class RunReport:
    """Everything that is reported of a run."""

    run: RunRecord

    @property
    def result(self) -> dict[str, Any]:
        """The result as the command reported it."""
        return self.run.result

    @property
    def is_switch(self) -> bool:
        """Whether it is a run of ``switch``."""
        return self.run.command == "switch" and self.run.target is not None

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The steps, in the order in which they began; those never started are left out."""
        steps = [
            _build_step(self.run, step) for step in self.run.steps if step.outcome != "skipped"
        ]
        failed = {step.spoke: step for step in steps if step.record.outcome == "failed"}
        closed = [_end_rollback(step, failed.get(step.spoke)) for step in steps]
        return tuple(sorted(closed, key=lambda item: item.began_s))

    @cached_property
    def before(self) -> SiteState | None:
        """The state of the site before the run; None if it was not recorded."""
        return from_record(self.run.before)

    @cached_property
    def after(self) -> SiteState | None:
        """The state of the site after the run; None if it was not recorded."""
        return from_record(self.run.after)

    @cached_property
    def first_write_s(self) -> float | None:
        """When the first write began, in seconds since the command began; None if there is none."""
        return min((step.began_s for step in self.steps if step.record.change), default=None)

    @property
    def decided_in_s(self) -> float | None:
        """How long the reading and planning of a switch took, without the operator's answer."""
        decision_s = self.result.get("decision_s")
        if not decision_s:
            return None
        return max(0.0, float(decision_s) - float(self.result.get("answer_s") or 0.0))

    def to_report_time(self, seconds: float) -> float:
        """Return a time as a report shows it: since the first write, not since the command began.

        What precedes the first write is the operator's answer more than anything else. If there
        is no write, it counts from the decision; if there is none either, from the beginning.
        """
        zero_s = self.first_write_s
        if zero_s is None:
            zero_s = float(self.result.get("decision_s") or 0.0)
        return seconds - zero_s

    @property
    def not_begun(self) -> tuple[StepRecord, ...]:
        """The steps that were not started because something else had failed."""
        return tuple(step for step in self.run.steps if step.outcome == "skipped")

    @cached_property
    def spokes(self) -> tuple[SpokeRun, ...]:
        """The outcome for each spoke of a switch; empty for other runs."""
        if not self.is_switch:
            return ()
        names = dict.fromkeys(self.result.get("spokes") or ())
        names |= dict.fromkeys(step.spoke for step in self.steps if step.spoke)
        return tuple(self._build_spoke(name) for name in names)

    def _build_spoke(self, name: str) -> SpokeRun:
        if (why := (self.result.get("left_out") or {}).get(name)) is not None:
            return SpokeRun(name, "left out", error=why)
        steps = {step.part: step for step in self.steps if step.spoke == name}
        broken, result = steps.get(Part.BREAK), steps.get(Part.MAKE)
        gate_s = (self.result.get("gates_s") or {}).get(name)
        state = self._describe_state(name, broken, result, Part.ROLLBACK in steps)
        last = result or broken
        return SpokeRun(
            name,
            state,
            off_s=gate_s if gate_s is not None else broken.began_s if broken else None,
            make_s=result.ended_s if result and result.record.outcome == "done" else None,
            shown_s=(self.result.get("spokes_s") or {}).get(name),
            back_s=last.ended_s if last and state.startswith(ROLLED_BACK) else None,
            error=(self.result.get("failed") or {}).get(name),
        )

    def _describe_state(
        self, name: str, broken: Step | None, step: Step | None, rolled_back: bool
    ) -> str:
        target = str(self.run.target)
        there, back = format_path(target), format_path(str(Path(target).other))
        error = (self.result.get("failed") or {}).get(name)
        place = self.run.places.get(name)
        made = step is not None and step.record.outcome == "done"
        if place == "target" or (made and place not in ("origin", "nowhere")):
            return f"on {there}"
        if place == "origin":
            done = broken is not None and broken.record.outcome == "done"
            return f"{ROLLED_BACK} to {back}" if done else f"still on {back}"
        if place == "nowhere":
            return "on NO path"
        if place in ("changing", "unknown"):
            return "UNKNOWN"
        if rolled_back:
            return f"{ROLLED_BACK} to {back}" if _has_rolled_back(error) else "UNKNOWN"
        if broken is not None and broken.record.outcome != "failed":
            return "NO PATH (disconnected from both gateways)"
        if broken is not None and broken.record.correlation_ids:
            return "UNKNOWN"  # Azure accepted the break
        if error or broken is not None:
            return f"still on {back}"
        return (
            f"on {there}"
            if self.run.outcome == "done" or self._is_verified(name)
            else "not started"
        )

    def _is_verified(self, name: str) -> bool:
        return name in (self.result.get("spokes_s") or {})

    @property
    def changed(self) -> tuple[str, ...]:
        """The peerings and routes that a switch has written, by name, in order if known."""
        value = self.result.get("changed")
        if value:
            return tuple(value)
        done = [step for step in self.steps if step.record.outcome == "done"]
        written = [step for step in done if step.label and step.part is not Part.ROLLBACK]
        return tuple(_name_written(step.record.resource) for step in written)

    @property
    def moved(self) -> int:
        """How many spokes are on the path that was switched to."""
        there = f"on {format_path(str(self.run.target))}"
        return sum(spoke.state == there for spoke in self.spokes)

    @property
    def planned(self) -> bool | None:
        """Whether a spoke was taken off a path that worked; None if that is not recorded."""
        planned = self.result.get("planned")
        return None if planned is None else bool(planned)

    @property
    def verified(self) -> bool:
        """Whether routes and probes showed it."""
        return bool(self.result.get("verified"))

    @property
    def headline(self) -> str:
        """The outcome in one sentence."""
        run = self.run
        if not self.is_switch:
            return f"{run.command} of {run.site}: {_describe_end(run)}."
        name, there = self._subject, format_path(str(run.target))
        if run.outcome == "done" or (self.moved == len(self.spokes) and self.moved):
            how = "; verified." if self.verified else ", NOT verified."
            end = "" if run.outcome == "done" else f" {_format_sentence(run)}"
            verb = "are" if len(run.spokes) > 1 else "is"
            return f"{name} {verb} on {there}{how}{end}"
        some = f"{self.moved} of {len(self.spokes)} spokes of {run.site} are on {there}"
        lead = some if self.moved else f"{name} was NOT switched to {there}"
        others = Counter(spoke.state for spoke in self.spokes if spoke.state != f"on {there}")
        text = "".join(f"; {count} {state}" for state, count in others.items())
        return f"{lead}{text}. {_format_sentence(run)}"

    @property
    def _subject(self) -> str:
        """What was switched: the site, or the spokes that were chosen."""
        run = self.run
        return f"{join_names(run.spokes, CHOSEN)} of {run.site}" if run.spokes else run.site

    @property
    def outcome(self) -> str:
        """How it ended, in one line: what a screen ends with."""
        if not self.is_switch or self.run.outcome != "done" or not self.verified:
            return self.headline
        place = f"{self._subject} is on {format_path(str(self.run.target))} and healthy"
        cut = [spoke for spoke in self.spokes if spoke.without_s is not None]
        if not cut:
            return f"{place}."
        worst = max(cut, key=lambda spoke_run: spoke_run.without_s or 0.0)
        lost = format_duration(worst.without_s or 0.0)
        return f"{place}; longest time without a path {lost} ({worst.name})."

    @property
    def outages(self) -> tuple[Outage, ...]:
        """The outage as continuous probes measured it; if none did well, as the steps tell."""
        measured = compute_from_probes(self.result.get("continuous") or ())
        if any(outage.fine for outage in measured) or not self.is_switch:
            return measured
        return (*measured, *self._iter_step_outages())

    def _iter_step_outages(self) -> Iterator[Outage]:
        broken = [spoke for spoke in self.spokes if spoke.off_s is not None]
        if broken:
            never = [spoke_run for spoke_run in broken if spoke_run.again_s is None]
            worst = never[0] if never else max(broken, key=lambda run: run.without_s or 0.0)
            gateway = str(self.result.get("gateway") or "the arriving gateway")
            until = f"{gateway} originated its prefixes"
            if worst.shown_s is None and worst.back_s is not None:
                until = "it was rolled back"
            off_s = worst.off_s or 0.0
            yield compute_from_steps(
                worst.name, off_s, worst.again_s, until, self.to_report_time(off_s)
            )

    @property
    def began_at(self) -> str:
        """When it began, for people: UTC, to the second."""
        return f"{self.run.began[:19].replace('T', ' ')} UTC"

    @property
    def took_s(self) -> float | None:
        """How long the run took; None if its end was not recorded."""
        if self.run.took_s is not None or self.run.ended is None:
            return self.run.took_s
        return _compute_seconds(self.run.began, self.run.ended)

    @property
    def last_s(self) -> float:
        """Until when anything is known, in seconds since the command began."""
        rows = [step.ended_s or step.began_s for step in self.steps]
        return max([*rows, self.took_s or 0.0, 1.0])

    @property
    def to_go_back(self) -> str | None:
        """The command that goes back; None if there is none, or nothing was done."""
        if self.run.drill:
            return None
        if not self.steps and self.run.outcome != "done":
            return None
        if self.is_switch and self.run.outcome == "done":
            return switch_to(Path(str(self.run.target)).other, self.run.spokes)
        return self.run.to_go_back

    @property
    def way_back_refused(self) -> str | None:
        """Why that would have been refused at the time of the run; None if it would not."""
        return self.run.way_back_refused if self.to_go_back else None

    @property
    def to_continue(self) -> str | None:
        """The command that resumes it; None if it is complete, or its drill says what next."""
        return None if self.run.outcome == "done" or self.run.drill else self.run.to_continue


def _describe_end(run: RunRecord) -> str:
    words = {"done": "done", "failed": "FAILED", "interrupted": "INTERRUPTED"}
    return words.get(run.outcome, "its end was not recorded")


def _format_sentence(run: RunRecord) -> str:
    text = _describe_end(run)
    return f"{text[0].upper()}{text[1:]}."


def _name_written(resource_id: str) -> str:
    """Return the name of a peering that was written, or of a route after its table's name."""
    table, _, route = resource_id.partition("/routes/")
    return f"{get_last_name(table)}/{route}" if route else get_last_name(resource_id)


def _build_step(run: RunRecord, record: StepRecord) -> Step:
    spoke, _, label = record.task.rpartition("/")
    part = Part.OTHER
    if run.command == "switch":
        if label.startswith("back"):
            part = Part.ROLLBACK
        elif label.startswith("again"):
            part = Part.RETRY
        elif label.isdigit():
            rule = NUMBERED.get(int(label))
            part = PARTS.get(rule.kind, Part.AFTERWARDS) if rule else Part.AFTERWARDS
    if part is Part.OTHER:
        spoke, label = "", ""
    began_s = record.began_s
    if began_s is None:
        began_s = _compute_seconds(run.began, record.began)
    ended_s = record.ended_s
    if ended_s is None and record.outcome != OPEN and record.ended:
        ended_s = _compute_seconds(run.began, record.ended)
    return Step(record, spoke, label, part, began_s, ended_s)


def _end_rollback(step: Step, failed: Step | None) -> Step:
    """End a step that rolled another back together with it: the journal has one end for both."""
    if step.part is not Part.ROLLBACK or step.ended_s is not None or failed is None:
        return step
    if not _has_rolled_back(failed.record.note):
        return step
    return replace(step, record=replace(step.record, outcome="done"), ended_s=failed.ended_s)


def _has_rolled_back(text: str | None) -> bool:
    return any(words in (text or "") for words in ROLLBACK_WORDS)


def _compute_seconds(first: str, second: str) -> float:
    """Seconds between two times of the journal."""
    try:
        return (datetime.fromisoformat(second) - datetime.fromisoformat(first)).total_seconds()
    except ValueError:
        return 0.0
