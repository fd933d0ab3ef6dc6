"""The report of a run as one HTML page that needs nothing from elsewhere. Pure.

Names and messages come from site files and from Azure: everything is escaped by Jinja2, but the
pictures, which are made as XML.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from erfailover.model.durations import format_duration
from erfailover.reporting.azure_context import UNFOLDED, format_heading, place
from erfailover.reporting.run import data, timeline
from erfailover.reporting.run.report import RunReport


def render_page(report: RunReport) -> str:
    """Return the whole page."""
    return render_document(f"{report.headline} ({report.run.id})", [render_run(report)])


def render_document(title: str, parts: Sequence[Markup]) -> str:
    """Return a page of several parts, one below the other."""
    return _build_environment().from_string(_read("report")).render(title=title, parts=parts)


def render_run(report: RunReport) -> Markup:
    """Return what a page shows of a run."""
    environment = _build_environment()
    environment.filters["duration"] = lambda value: "-" if value is None else format_duration(value)
    environment.filters["seconds"] = lambda value: "-" if value is None else f"{value:.1f}"
    environment.filters["since"] = lambda value: (
        None if value is None else report.to_report_time(value)
    )
    states = [("before", report.before), ("after", report.after)]
    outages = [outage for outage in report.outages if outage.known]
    picture = timeline.draw_timeline(report)
    part = environment.from_string(_read("report-run")).render(
        report=report,
        heading=format_heading(report.run.context, UNFOLDED) if report.run.context else "",
        data=data.build_data(report),
        context=report.run.context,
        place=place(report.run.context) if report.run.context else None,
        outages=report.outages,
        worst=max(outages, key=lambda item: item.longest_s or 0.0, default=None),
        picture=Markup(picture) if picture else None,
        states=[
            (
                when,
                state,
                Markup(diagram) if (diagram := state.render_diagram(f"{when}/")) else None,
            )
            for when, state in states
            if state is not None
        ],
        left_out=timeline.count_left_out(report),
        most=timeline.MOST,
    )
    return Markup(part)


def _build_environment() -> Environment:
    return Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


def _read(name: str) -> str:
    return (resources.files("erfailover") / "data" / f"{name}.html").read_text("utf-8")
