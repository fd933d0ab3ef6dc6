"""What ``status --watch`` shows: a page redrawn on a terminal, lines elsewhere. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from erfailover.model.azure_context import AzureContext
from erfailover.model.durations import format_duration
from erfailover.reporting.azure_context import format_heading
from erfailover.reporting.screen import Screen
from erfailover.reporting.status.changes import StatusChange, format_changes, list_parts
from erfailover.reporting.status.headline import format_headline
from erfailover.reporting.status.text import format_opening
from erfailover.reporting.terminal.boxes import cut
from erfailover.reporting.terminal.picture import draw_picture
from erfailover.reporting.topology.model import Picture

KEPT = 200
"""How many changes are remembered."""
AT_LEAST = 5
"""At least this many of them are shown, however small the terminal is."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that was noticed: when (RFC 3339, UTC), and what, in words."""

    at: str
    text: str

    @property
    def time(self) -> str:
        """The time of day, UTC."""
        return self.at[11:19]


@dataclass(frozen=True, slots=True)
class Page:
    """What a watch knows at one moment.

    Attributes:
        context: where it is read, and as whom.
        picture: the last reading that succeeded.
        changed: what differs from the one before.
        events: everything noticed so far, the oldest first.
        took_s: how long that reading took, in seconds.
        failure: why the reading after it failed; None if none did.
    """

    context: AzureContext
    picture: Picture
    notes: tuple[str, ...]
    changed: tuple[StatusChange, ...] = ()
    events: tuple[Event, ...] = ()
    took_s: float = 0.0
    failure: str | None = None


def render_page(page: Page, now: str, screen: Screen, height: int | None = None) -> str:
    """Return the whole page.

    Args:
        page: what is known.
        now: what is happening: ``next in 12 s``.
        screen: what it is shown on.
        height: how many lines there are; None for as many as needed.
    """
    first, *rest = format_opening(page.picture, page.notes, screen)
    read = f"read at {page.picture.taken_at[11:19]} UTC, took {format_duration(page.took_s)}"
    where = format_heading(page.context, screen)
    lines = [*where.splitlines(), *first.splitlines()]
    lines.append(screen.apply_style(cut(f"{read}; {now}", screen.width, screen), "dim"))
    if page.failure:
        text = cut(f"the next read failed: {page.failure}", screen.width, screen)
        lines.append(screen.apply_style(text, "bold red"))
    lines += [line for name in rest for line in name.splitlines()]
    lines += ["", *draw_picture(page.picture, screen, list_parts(page.changed)).splitlines(), ""]
    room = len(page.events) if height is None else max(height - len(lines) - 2, AT_LEAST)
    return "\n".join([*lines, *_format_events(page, room, screen)])


def _format_events(page: Page, room: int, screen: Screen) -> list[str]:
    """Return what was noticed, newest first; what this reading found is marked."""
    if not page.events:
        return ["Nothing has changed so far."]
    lines = ["Changes, newest first (UTC):"]
    for event in reversed(page.events[-room:]):
        latest = event.at == page.picture.taken_at
        text = cut(f"{'*' if latest else ' '} {event.time}  {event.text}", screen.width, screen)
        lines.append(screen.apply_style(text, "bold") if latest else text)
    return lines


def list_first_events(page: Page) -> list[Event]:
    """Return the first lines of a watch without a terminal: the verdict, notes and warnings."""
    at = page.picture.taken_at
    lines = [format_headline(page.picture.health, drill=page.picture.drill_runs)]
    lines += [note.splitlines()[0].lstrip("* ") for note in page.notes]
    lines += [f"warning: {warning}" for warning in page.picture.health.warnings]
    return [Event(at, name) for name in lines]


def list_events(before: Page, after: Page, changes: Sequence[StatusChange]) -> list[Event]:
    """Return what changed since the last reading; the verdict itself last, if it is new."""
    at = after.picture.taken_at
    lines = format_changes(changes)
    old, new = (
        format_headline(page.picture.health, drill=page.picture.drill_runs)
        for page in (before, after)
    )
    if old != new:
        lines.append(new)
    return [Event(at, name) for name in lines]
