"""The report of a run for people, as text: the outcome first. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from erfailover.model.conditions import ConditionStatus
from erfailover.model.counting import format_count, join_names
from erfailover.model.durations import format_duration
from erfailover.reporting.marks import format_verdict
from erfailover.reporting.probes import format_line as probe_line
from erfailover.reporting.run.history import format_heading_lines
from erfailover.reporting.run.report import RunReport, SpokeRun, Step
from erfailover.reporting.screen import NARROW, Screen
from erfailover.reporting.way_back import add_refusal
from erfailover.reporting.words import wrap

MANY = 10
"""From how many on a list is cut short for people."""
TABLES = 2
"""What is checked of a spoke in the gateways' tables: of either hub. More are its interfaces."""
NAMED, LONG = 6, 480
"""How many peerings are named, and how much of an error is shown; a page or JSON has all."""
FEW = 3
"""Up to this many spokes, every step is in the timeline."""


def format_text(report: RunReport, screen: Screen = NARROW) -> str:
    """Return the outcome of a run for people: in the first line, and in the last."""
    return "\n".join(
        [
            *format_heading_lines(report.run, screen),
            report.headline,
            *(_format_switch(report) if report.is_switch else _format_other_run(report)),
            *_format_next(report),
            report.outcome,
        ]
    )


def format_full_text(report: RunReport) -> str:
    """Return the same, with who ran what, and every step with its correlation ids: for a file."""
    run = report.run
    lines = [format_text(report), "", f"Run {run.id}, plan {run.digest}"]
    lines += [f"  erfailover {run.typed}"]
    lines += [f"  by {run.who} on {run.host} (process {run.pid})"]
    lines += [f"  began {run.began}, ended {run.ended or '-'}"]
    lines += [f"  took over {run.took_over}"] if run.took_over else []
    if run.context is not None:
        lines += [f"  erfailover {run.context.version}"]
    for state, when in ((report.before, "before"), (report.after, "after")):
        if state is not None:
            lines += ["", f"The site {when} the run, read {state.taken_at}", state.verdict]
            lines += ["", state.text]
    lines += ["", "Every step"]
    for step in report.steps:
        lines.append(f"{_format_step(report, step)}: {step.record.outcome}")
        if step.record.resource:
            lines.append(f"          {step.record.change} {step.record.resource}")
        lines += [
            f"          correlation id {correlation_id_}"
            for correlation_id_ in step.record.correlation_ids
        ]
    return "\n".join(lines)


def _format_switch(report: RunReport) -> Iterator[str]:
    changed = report.changed
    if changed:
        routes = sum("/" in name for name in changed)
        count = format_count(len(changed) - routes, "peering") if routes < len(changed) else ""
        counts = [count, format_count(routes, "route") if routes else ""]
        yield _wrap_text(
            f"{' and '.join(filter(None, counts))} written: {join_names(changed, NAMED)}"
        )
    elif report.run.outcome == "done":
        yield "No changes were needed."
    if report.planned is not None:
        kind, health = ("Planned", "") if report.planned else ("Unplanned", "not ")
        yield f"{kind} switch: the previous path was {health}healthy."
    for outage in report.outages:
        yield _wrap_text(outage.description)
    yield from _format_troubled(report.spokes)
    if report.steps:
        yield ""
        yield from _format_timeline(report)
    yield from _format_checks(report)


def _format_other_run(report: RunReport) -> Iterator[str]:
    yield from (_wrap_text(outage.description) for outage in report.outages)
    steps = report.steps
    if steps:
        yield ""
        yield _format_timeline_title(report)
        longest = sorted(steps, key=lambda step: -(step.took_s or 0.0))[: 2 * MANY]
        yield from (_format_step(report, item) for item in steps if item in longest)
        if len(steps) > len(longest):
            yield f"          ... and {len(steps) - len(longest)} shorter steps"


def _format_troubled(spokes: Iterable[SpokeRun]) -> Iterator[str]:
    """Yield the spokes that were not moved, and which path they are on."""
    spoke_runs = [spoke for spoke in spokes if spoke.error or spoke.state.isupper()]
    for spoke_run in spoke_runs[:MANY]:
        error = f": {spoke_run.error}" if spoke_run.error else ""
        yield _wrap_text(f" FAILED  {spoke_run.name}: {spoke_run.state}{error}", "         ", LONG)
    yield from _format_more(len(spoke_runs) - MANY, " " * 9)


def _format_timeline(report: RunReport) -> Iterator[str]:
    yield _format_timeline_title(report)
    events = list(_list_milestones(report))
    if len(report.spokes) <= FEW:
        events += [(step.began_s, _format_step(report, step)) for step in report.steps]
    # A moment precedes the steps that began at the same tenth of a second, since times are kept
    # with unequal precision; no step begins before the plan is confirmed.
    events.sort(key=lambda pair: round(pair[0], 1))
    if report.result.get("decision_s"):
        yield f"{_format_time(report, report.result['decision_s'])}  plan confirmed"
    yield from (line for _, line in events)
    if len(report.spokes) > FEW:
        yield from _format_slowest(report)


def _list_milestones(report: RunReport) -> Iterator[tuple[float, str]]:
    """Yield the moments of a switch; the three times among them."""
    result, spokes = report.result, report.spokes
    many = len(spokes) > FEW

    def format_milestone(seconds: float, text: str) -> tuple[float, str]:
        return seconds, f"{_format_time(report, seconds)}  {text}"

    if many:
        gates = [spoke.off_s for spoke in spokes if spoke.off_s is not None]
        if gates:
            yield format_milestone(min(gates), "the first spoke was disconnected")
            yield format_milestone(max(gates), "the last spoke was disconnected")
    else:
        for spoke_run in spokes:
            if spoke_run.off_s is not None:
                yield format_milestone(
                    spoke_run.off_s,
                    f"{spoke_run.name} disconnected from its previous gateway",
                )
    gateway = result.get("gateway") or "the arriving gateway"
    if result.get("control_plane_s") is not None:
        yield format_milestone(
            result["control_plane_s"], "control plane: Azure has switched the last spoke"
        )
    if many and result.get("data_plane_s") is not None:
        yield format_milestone(
            result["data_plane_s"], f"data plane: {gateway} originates the last spoke"
        )
    elif not many:
        for spoke_run in spokes:
            if spoke_run.shown_s is not None and spoke_run.off_s is not None:
                yield format_milestone(
                    spoke_run.shown_s, f"data plane: {gateway} originates {spoke_run.name}"
                )
    if result.get("verified_s"):
        yield format_milestone(
            result["verified_s"], "verified" if report.verified else "verification ended"
        )


def _format_slowest(report: RunReport) -> Iterator[str]:
    """Yield the spokes that were longest without a path."""
    spoke_runs = [spoke for spoke in report.spokes if spoke.without_s is not None]
    if not spoke_runs:
        return
    spoke_runs.sort(key=lambda spoke_run: -(spoke_run.without_s or 0.0))
    yield ""
    yield f"Longest without a path, of {len(spoke_runs)} spokes (start to end)"
    for run in spoke_runs[:MANY]:
        yield (
            f"{format_duration(run.without_s or 0.0):>12}  {run.name} "
            f"({_format_time(report, run.off_s or 0.0).strip()} to "
            f"{_format_time(report, run.again_s or 0.0).strip()})"
        )
    yield from _format_more(len(spoke_runs) - MANY, " " * 14)


def _format_more(count: int, indent: str) -> Iterator[str]:
    """How many a list leaves out, if any."""
    if count > 0:
        yield f"{indent}... and {count} more (use -o json to list all)"


def _format_step(report: RunReport, step: Step) -> str:
    took = "" if step.took_s is None else f"  ({format_duration(step.took_s)})"
    tries = f", {step.record.attempts} attempts" if step.record.attempts > 1 else ""
    took = took.replace(")", f"{tries})")
    ended = {"failed": "FAILED: ", "in flight": "NOT FINISHED: "}.get(step.record.outcome, "")
    if step.record.title.startswith("take back"):  # as older journals have it
        ended = ""
    return _wrap_text(
        f"{_format_time(report, step.began_s)}  {ended}{step.record.title}{took}", " " * 14
    )


def _format_timeline_title(report: RunReport) -> str:
    """Return the heading of the timeline: what its times count from."""
    first_s = report.first_write_s
    if first_s is None:
        return "Timeline"
    return f"Timeline (since the first write, {format_duration(first_s)} after the command began)"


def _format_time(report: RunReport, seconds: float) -> str:
    return f"{format_duration(max(0.0, report.to_report_time(seconds))):>12}"


def _format_checks(report: RunReport) -> Iterator[str]:
    """Yield what was verified, and how."""
    routes, probes = report.result.get("routes") or [], report.result.get("probes") or []
    if not routes and not probes:
        return
    yield ""
    by_spoke = Counter(route["spoke"] for route in routes)
    effective = max(by_spoke.values(), default=0) > TABLES
    where = "tables and effective routes" if effective else "tables"
    yield f"Checked in the gateways' {where}{' and by probes' if probes else ''}"
    bad = [route for route in routes if route["verdict"] != ConditionStatus.HOLDS]
    result = routes if len(routes) <= 2 * MANY else [*bad, *routes][: 2 * MANY]
    for item in result:
        yield _wrap_text(format_verdict(ConditionStatus(item["verdict"]), item["seen"]), " " * 9)
    yield from _format_more(len(routes) - len(result), " " * 9)
    yield from (_wrap_text(probe_line(probe), " " * 9) for probe in probes)


def _format_next(report: RunReport) -> Iterator[str]:
    yield ""
    if report.to_continue:
        yield f"To resume:  {report.to_continue}"
    if report.to_go_back:
        yield _wrap_text(
            f"To go back: {add_refusal(report.to_go_back, report.way_back_refused)}", " " * 12
        )
    run = report.run
    yield f"Run {run.id}, {report.began_at}, {run.who}@{run.host}"
    if run.ticket:
        yield f"Ticket {run.ticket}"
    if run.reason:
        yield _wrap_text(f"Reason: {run.reason}")
    yield f"Full report: erfailover history {run.id} --report FILE.html"


def _wrap_text(text: str, indent: str = "  ", most: int = 1000) -> str:
    """Words in lines that a terminal of 80 columns shows whole; cut short after ``most``."""
    text = text if len(text) <= most else f"{text[:most].rstrip()} ..."
    return "\n".join(wrap(text, 79, rest=indent))
