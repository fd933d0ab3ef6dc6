"""The report of a drill: both of its switches, and where the spokes are afterwards. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

from erfailover.model.counting import join_names
from erfailover.model.durations import format_duration
from erfailover.model.history import RunRecord
from erfailover.model.site import Path
from erfailover.reporting.run import data as run_data
from erfailover.reporting.run import html
from erfailover.reporting.run import text as run_text
from erfailover.reporting.run.outage import Outage
from erfailover.reporting.run.report import RunReport
from erfailover.reporting.words import CHOSEN, format_path

FORMAT = "erfailover-drill/1"
"""Counted up if a key changes its meaning or goes; further keys may come without."""


@dataclass(frozen=True)
class DrillReport:
    """Everything that is reported of a drill.

    Attributes:
        run: the run of the drill itself.
        there: the switch to the backup path; None if it did not begin.
        back: the last switch back; None if none began.
        places: the path of each spoke afterwards: ``expressroute``, ``ipsec``, ``none`` or
            ``unknown``.
        message: why it failed; None if it did not.
        hint: what to do next.
    """

    run: RunRecord
    there: RunReport | None
    back: RunReport | None
    places: Mapping[str, str]
    message: str | None = None
    hint: str | None = None

    @property
    def verified(self) -> bool:
        """Whether the backup path carried the spokes, and the way back was verified."""
        return all(report is not None and report.verified for report in (self.there, self.back))

    @property
    def headline(self) -> str:
        """The outcome in one line."""
        if self.message is not None:
            return f"Drill of {self.run.site} FAILED: {self.message}"
        names = join_names(self.run.spokes, CHOSEN)
        outages = ", ".join(
            f"{format_duration(seconds)} {which}"
            for seconds, which in ((self.outage_there_s, "there"), (self.outage_back_s, "back"))
            if seconds is not None
        )
        text = (
            f"Drill of {self.run.site} done: IPsec carried {names}; back on ExpressRoute; both "
            "verified."
        )
        return f"{text} Outage: {outages}." if outages else text

    @property
    def outage_there_s(self) -> float | None:
        """The longest outage of the switch to the backup path; None if it is not known."""
        return find_outage_s(self.there)

    @property
    def outage_back_s(self) -> float | None:
        """The longest outage of the switch back; None if it is not known."""
        return find_outage_s(self.back)


def find_outage_s(report: RunReport | None) -> float | None:
    """Return the longest outage of a run, as continuous probes measured it or else estimated."""
    known = [outage for outage in report.outages if outage.known] if report else []
    good: list[Outage] = [outage for outage in known if outage.fine or not outage.measured]
    seconds = [outage.longest_s or 0.0 for outage in good or known]
    return max(seconds, default=None)


def describe_places(places: Mapping[str, str]) -> str:
    """Return where spokes are: ``vnet1 is on ExpressRoute; vnet2 has NO path``."""
    words = {
        str(Path.EXPRESSROUTE): ("is on ExpressRoute", "are on ExpressRoute"),
        str(Path.IPSEC): ("is on IPsec", "are on IPsec"),
        "none": ("has NO path", "have NO path"),
        "unknown": ("may have NO path", "may have NO path"),
    }
    by_place: dict[str, list[str]] = {}
    for name, place in places.items():
        by_place.setdefault(place, []).append(name)
    return "; ".join(
        f"{join_names(names, CHOSEN)} {words[place][len(names) > 1]}"
        for place, names in by_place.items()
    )


def build_result(report: DrillReport) -> dict[str, Any]:
    """Return what the journal keeps of a drill beside its two switches."""
    return {
        "spokes": list(report.run.spokes),
        "there": report.there.run.id if report.there else None,
        "back": report.back.run.id if report.back else None,
        "verified": report.verified,
        "places": dict(report.places),
        "outage_there_s": report.outage_there_s,
        "outage_back_s": report.outage_back_s,
    }


def build_data(report: DrillReport) -> dict[str, Any]:
    """Return a drill as plain data: one document with the reports of both switches."""
    run = report.run
    return {
        "format": FORMAT,
        "run": run.id,
        "command": run.typed,
        "site": run.site,
        "spokes": list(run.spokes),
        "outcome": run.outcome,
        "headline": report.headline,
        "message": report.message,
        "hint": report.hint,
        "verified": report.verified,
        "places": dict(report.places),
        "outage_there_s": report.outage_there_s,
        "outage_back_s": report.outage_back_s,
        "began": run.began,
        "ended": run.ended,
        "took_s": run.took_s,
        "who": run.who,
        "host": run.host,
        "reason": run.reason,
        "ticket": run.ticket,
        "there": run_data.build_data(report.there) if report.there else None,
        "back": run_data.build_data(report.back) if report.back else None,
    }


def format_text(report: DrillReport) -> str:
    """Return the outcome of a drill for people."""
    lines = [report.headline]
    for which, run in _iter_runs(report):
        lines.append(f"{which}: {run.headline} (run {run.run.id})")
        lines += [f"  {outage.description}" for outage in run.outages]
    if report.hint:
        lines.append(report.hint)
    lines.append(f"Both switches in full: erfailover history {report.run.id[:6]}")
    return "\n".join(lines)


def _iter_runs(report: DrillReport) -> Iterator[tuple[str, RunReport]]:
    paths = (Path.IPSEC, report.there), (Path.EXPRESSROUTE, report.back)
    for path, run in paths:
        if run is not None:
            yield f"To {format_path(path)}", run


def format_content(report: DrillReport, suffix: str) -> str:
    """Return the report of a drill in the format of a file's suffix."""
    if suffix == ".json":
        return json.dumps(build_data(report), indent=2) + "\n"
    if suffix == ".html":
        return render_page(report)
    parts = [format_text(report)]
    for which, run in _iter_runs(report):
        parts.append(f"{which}\n{'-' * len(which)}\n{run_text.format_full_text(run)}")
    return "\n\n".join(parts) + "\n"


def render_page(report: DrillReport) -> str:
    """Return the report of a drill as one page."""
    run = report.run
    good = "good" if report.message is None else "bad"
    head = [
        f'<h1 class="{good}">{escape(report.headline)}</h1>',
        f'<p class="who"><code>erfailover {escape(run.typed)}</code> on site {escape(run.site)}, '
        f"by {escape(run.who)} on {escape(run.host)}. Run {escape(run.id)}.</p>",
    ]
    if run.ticket:
        head.append(f"<p>Ticket <b>{escape(run.ticket)}</b></p>")
    if run.reason:
        head.append(f"<p>Reason: {escape(run.reason)}</p>")
    if report.hint:
        head.append(f'<div class="panel">{escape(report.hint)}</div>')
    parts = [Markup("\n".join(head))]
    for which, switch in _iter_runs(report):
        parts += [Markup("<h2>{}</h2>").format(which), html.render_run(switch)]
    return html.render_document(f"{report.headline} ({run.id})", parts)
