"""The state of a site before or after a run: as the journal keeps it, as a report shows it. Pure.

The journal keeps what is drawn, not how: the picture is drawn again for each report, so that
nothing of a journal becomes part of a page without being escaped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from erfailover.errors import UsageFailure, escape_controls
from erfailover.reporting.diagram import drawing, site
from erfailover.reporting.diagram.sheet import Sheet
from erfailover.reporting.screen import Screen
from erfailover.reporting.status.headline import format_headline
from erfailover.reporting.terminal.picture import draw_picture
from erfailover.reporting.topology.model import Picture

SCREEN = Screen(width=80)


@dataclass(frozen=True, slots=True)
class SiteState:
    """The state of a site at one moment.

    Attributes:
        taken_at: when it was read.
        verdict: the first line of a status.
        text: the picture of a status, as text.
        sheet: what the diagram shows.
    """

    taken_at: str
    verdict: str
    text: str
    sheet: Sheet

    def to_data(self) -> dict[str, Any]:
        """Return it as plain data, for a report."""
        return {"taken_at": self.taken_at, "verdict": self.verdict, "text": self.text}

    def render_diagram(self, prefix: str) -> str | None:
        """Return it as SVG to be part of a page; None if what lays it out is not installed.

        Args:
            prefix: what ids begin with, so that each is unique on the page.
        """
        try:
            return drawing.render_inline(self.sheet, prefix)
        except UsageFailure:
            return None


def record(picture: Picture) -> dict[str, Any]:
    """Return the state of a site as the journal keeps it."""
    verdict = format_headline(picture.health, drill=picture.drill_runs)
    state = SiteState(
        picture.taken_at,
        verdict,
        draw_picture(picture, SCREEN),
        site.build_sheet(picture, verdict),
    )
    body: dict[str, Any] = _build_adapter().dump_python(state, mode="json", exclude_defaults=True)
    return body


def from_record(body: Mapping[str, Any] | None) -> SiteState | None:
    """Return a state from what a journal keeps; None if there is none, or it cannot be parsed."""
    if body is None:
        return None
    try:
        state: SiteState = _build_adapter().validate_python(dict(body))
    except ValueError:
        return None
    return SiteState(
        escape_controls(state.taken_at),
        escape_controls(state.verdict),
        escape_controls(state.text),
        state.sheet,
    )


@cache
def _build_adapter() -> Any:
    from pydantic import TypeAdapter  # takes a tenth of a second: only reports need it

    return TypeAdapter(SiteState)
