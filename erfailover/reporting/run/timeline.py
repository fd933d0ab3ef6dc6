"""A run as the lanes of a timeline: its probes, its spokes or steps. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from erfailover.model.durations import format_duration, format_precise
from erfailover.reporting.run.report import Part, RunReport, SpokeRun, Step
from erfailover.reporting.run.timeline_svg import Bar, Lane, Moment, draw_svg

MOST = 20
"""At most this many spokes or steps are drawn: the slowest, and those that failed."""


def draw_timeline(report: RunReport) -> str | None:
    """Return the timeline of a run as SVG; None if nothing was started."""
    lanes = [
        *_build_probe_lanes(report),
        *(_build_spoke_lanes(report) or _build_step_lanes(report)),
    ]
    if not any(lane.bars for lane in lanes):
        return None
    moments = list(_iter_moments(report))
    bars = [bar for lane in lanes for bar in lane.bars]
    first_s = min([*(bar.began_s for bar in bars), *(moment.at_s for moment in moments)])
    last_s = report.to_report_time(report.last_s)
    margin_s = 0.02 * max(last_s - first_s, 1.0)
    left = 150.0 if report.is_switch else 330.0
    return draw_svg(
        f"Timeline of {report.run.typed}: {report.headline}",
        lanes,
        moments,
        first_s - margin_s,
        last_s + margin_s,
        left,
    )


def count_left_out(report: RunReport) -> int:
    """How many spokes, or steps, the picture leaves out."""
    return max(0, len(report.spokes or report.steps) - MOST)


def _iter_moments(report: RunReport) -> Iterator[Moment]:
    result = report.result
    names = {
        "decision_s": "plan confirmed",
        "control_plane_s": "control plane",
        "data_plane_s": "data plane",
        "verified_s": "verified" if report.verified else "verification ended",
    }
    for key, name in names.items():
        if result.get(key):
            at_s = report.to_report_time(float(result[key]))
            yield Moment(at_s, f"{name} {format_duration(max(0.0, at_s))}")


def _build_probe_lanes(report: RunReport) -> Iterator[Lane]:
    for outage in report.outages:
        if outage.measured and outage.known:
            bars = tuple(_build_lost_bar(report, *interval) for interval in outage.intervals)
            yield Lane(f"probe {outage.what}", bars)


def _build_lost_bar(report: RunReport, began_s: float, ended_s: float | None) -> Bar:
    began_s = report.to_report_time(began_s)
    ended_s = None if ended_s is None else report.to_report_time(ended_s)
    return Bar("lost", began_s, ended_s, title=f"no answer from {format_precise(began_s)}")


def _build_spoke_lanes(report: RunReport) -> list[Lane]:
    chosen = sorted(report.spokes, key=_rate_spoke, reverse=True)[:MOST]
    names = {spoke_run.name for spoke_run in chosen}
    spoke_runs = [spoke for spoke in report.spokes if spoke.name in names]
    spoke_runs.sort(key=lambda run: run.off_s if run.off_s is not None else float("inf"))
    return [
        Lane(spoke_run.name, tuple(_build_spoke_bars(report, spoke_run)))
        for spoke_run in spoke_runs
    ]


def _rate_spoke(spoke: SpokeRun) -> tuple[bool, float]:
    never = spoke.off_s is not None and spoke.again_s is None
    return bool(spoke.error) or never, spoke.without_s or 0.0


def _build_spoke_bars(report: RunReport, spoke: SpokeRun) -> Iterator[Bar]:
    if spoke.off_s is not None:
        off_s = report.to_report_time(spoke.off_s)
        again_s = None if spoke.again_s is None else report.to_report_time(spoke.again_s)
        existing = "" if spoke.without_s is None else f", for {format_precise(spoke.without_s)}"
        yield Bar(
            "without",
            off_s,
            again_s,
            title=f"without a path from {format_precise(off_s)}{existing}",
        )
    yield from (_build_bar(report, step) for step in report.steps if step.spoke == spoke.name)


def _build_step_lanes(report: RunReport) -> list[Lane]:
    longest = sorted(report.steps, key=lambda step: -(step.took_s or 0.0))[:MOST]
    steps = [item for item in report.steps if item in longest]
    return [Lane(item.record.title, (_build_bar(report, item),)) for item in steps]


def _build_bar(report: RunReport, step: Step) -> Bar:
    kind = str(step.part)
    label = step.label if step.part is not Part.ROLLBACK else "back"
    if step.record.outcome == "failed":
        kind, label = "failed", f"{label}!"
    took = "its end was not recorded" if step.took_s is None else format_duration(step.took_s)
    began_s = report.to_report_time(step.began_s)
    ended_s = None if step.ended_s is None else report.to_report_time(step.ended_s)
    title = f"{step.record.title}: from {format_precise(began_s)}, {took}, {step.record.outcome}"
    return Bar(kind, began_s, ended_s, label, title)
