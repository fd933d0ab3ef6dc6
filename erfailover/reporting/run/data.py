"""The report of a run as plain data: the JSON that ``docs/reference.md`` documents. Pure."""

from __future__ import annotations

from typing import Any

from erfailover.reporting.run.report import RunReport, SpokeRun, Step

FORMAT = "erfailover-report/1"
"""Counted up if a key changes its meaning or goes; further keys may come without."""
INNER = frozenset({"spokes", "gates_s", "gateway", "continuous"})
"""What a result holds for the report alone."""


def build_data(report: RunReport) -> dict[str, Any]:
    """Return a run as plain data: what the command tells, and how it went."""
    run = report.run
    return {
        "format": FORMAT,
        "run": run.id,
        "command": run.typed,
        "outcome": run.outcome,
        "headline": report.headline,
        "message": run.message,
        "hint": run.hint,
        "began": run.began,
        "ended": run.ended,
        "took_s": report.took_s,
        "first_write_s": report.first_write_s,
        "who": run.who,
        "host": run.host,
        "plan": run.digest,
        "took_over": run.took_over,
        "reason": run.reason,
        "ticket": run.ticket,
        "before": report.before.to_data() if report.before else None,
        "after": report.after.to_data() if report.after else None,
        "site": run.site,
        "context": run.context.to_data() if run.context else None,
        **(_build_switch_data(report) if report.is_switch else {}),
        "outages": [outage.to_data() for outage in report.outages],
        "spokes": [_build_spoke_data(spoke) for spoke in report.spokes],
        "steps": [_build_step_data(step) for step in report.steps],
        "not_begun": [step.title for step in report.not_begun],
        "to_continue": report.to_continue,
        "to_go_back": report.to_go_back,
        "way_back_refused": report.way_back_refused,
    }


def _build_switch_data(report: RunReport) -> dict[str, Any]:
    """Return what a switch reported; of one that died, that it reported nothing."""
    nothing: dict[str, Any] = {
        "to": report.run.target,
        "planned": None,
        "verified": False,
        "failed": {},
        "left_out": {},
        "decision_s": 0.0,
        "answer_s": None,
        "control_plane_s": None,
        "data_plane_s": None,
        "verified_s": 0.0,
        "spokes_s": {},
        "routes": [],
        "probes": [],
    }
    body = {key: value for key, value in report.result.items() if key not in INNER}
    return {**nothing, **body, "changed": list(report.changed)}


def _build_spoke_data(spoke: SpokeRun) -> dict[str, Any]:
    return {
        "name": spoke.name,
        "state": spoke.state,
        "off_s": spoke.off_s,
        "make_s": spoke.make_s,
        "shown_s": spoke.shown_s,
        "back_s": spoke.back_s,
        "without_s": spoke.without_s,
        "error": spoke.error,
    }


def _build_step_data(step: Step) -> dict[str, Any]:
    record = step.record
    return {
        "step": step.label or None,
        "spoke": step.spoke or None,
        "part": str(step.part),
        "title": record.title,
        "change": record.change,
        "resource": record.resource,
        "began_s": round(step.began_s, 1),
        "ended_s": None if step.ended_s is None else round(step.ended_s, 1),
        "outcome": record.outcome,
        "attempts": record.attempts,
        "note": record.note,
        "correlation_ids": list(record.correlation_ids),
    }
