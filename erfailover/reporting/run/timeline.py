"""A run as the lanes of a timeline: its probes, its spokes or steps. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from erfailover.model.durations import duration, precise
from erfailover.reporting.run.report import Part, RunReport, SpokeRun, Step
from erfailover.reporting.run.timeline_svg import Bar, Lane, Moment, svg

MOST = 20
"""So many spokes or steps are drawn at most: those that were slowest, or went wrong."""


def picture(report: RunReport) -> str | None:
    """Return the timeline of a run as SVG; None if nothing was begun."""
    lanes = [*_probe_lanes(report), *(_spoke_lanes(report) or _step_lanes(report))]
    if not any(lane.bars for lane in lanes):
        return None
    decided_s = float(report.result.get("decision_s") or 0.0)
    bars = [bar for lane in lanes for bar in lane.bars]
    first_s = min([*(bar.began_s for bar in bars), *([decided_s] if decided_s else [])])
    last_s = report.last_s
    margin_s = 0.02 * max(last_s - first_s, 1.0)
    left = 150.0 if report.is_switch else 330.0
    return svg(
        f"Timeline of {report.run.typed}: {report.headline}",
        lanes,
        _moments(report),
        max(0.0, first_s - margin_s),
        last_s + margin_s,
        left,
    )


def left_out(report: RunReport) -> int:
    """How many spokes, or steps, the picture leaves out."""
    return max(0, len(report.spokes or report.steps) - MOST)


def _moments(report: RunReport) -> Iterator[Moment]:
    result = report.result
    names = {
        "decision_s": "decided",
        "control_plane_s": "control plane",
        "data_plane_s": "data plane",
        "verified_s": "verified" if report.verified else "verification ended",
    }
    for key, told in names.items():
        if result.get(key):
            yield Moment(float(result[key]), f"{told} {duration(result[key])}")


def _probe_lanes(report: RunReport) -> Iterator[Lane]:
    for each in report.outages:
        if each.measured and each.known:
            bars = tuple(
                Bar("lost", began_s, ended_s, title=f"no answer from {precise(began_s)} on")
                for began_s, ended_s in each.intervals
            )
            yield Lane(f"probe {each.what}", bars)


def _spoke_lanes(report: RunReport) -> list[Lane]:
    chosen = sorted(report.spokes, key=_badness, reverse=True)[:MOST]
    names = {each.name for each in chosen}
    shown = [each for each in report.spokes if each.name in names]
    shown.sort(key=lambda each: each.off_s if each.off_s is not None else float("inf"))
    return [Lane(each.name, tuple(_spoke_bars(report, each))) for each in shown]


def _badness(spoke: SpokeRun) -> tuple[bool, float]:
    never = spoke.off_s is not None and spoke.again_s is None
    return bool(spoke.error) or never, spoke.without_s or 0.0


def _spoke_bars(report: RunReport, spoke: SpokeRun) -> Iterator[Bar]:
    if spoke.off_s is not None:
        known = "" if spoke.without_s is None else f", for {precise(spoke.without_s)}"
        title = f"without a path from {precise(spoke.off_s)} on{known}"
        yield Bar("without", spoke.off_s, spoke.again_s, title=title)
    yield from (_bar(each) for each in report.steps if each.spoke == spoke.name)


def _step_lanes(report: RunReport) -> list[Lane]:
    longest = sorted(report.steps, key=lambda each: -(each.took_s or 0.0))[:MOST]
    return [Lane(each.record.title, (_bar(each),)) for each in report.steps if each in longest]


def _bar(step: Step) -> Bar:
    kind = str(step.part)
    label = step.label if step.part is not Part.TAKE_BACK else "back"
    if step.record.outcome == "failed":
        kind, label = "failed", f"{label}!"
    took = "its end was not recorded" if step.took_s is None else duration(step.took_s)
    title = f"{step.record.title}: from {precise(step.began_s)}, {took}, {step.record.outcome}"
    return Bar(kind, step.began_s, step.ended_s, label, title)
