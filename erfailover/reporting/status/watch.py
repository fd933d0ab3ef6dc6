"""What ``status --watch`` shows: a page drawn anew on a terminal, elsewhere lines. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from erfailover.model.azure_context import AzureContext
from erfailover.model.durations import format_duration
from erfailover.reporting.azure_context import heading
from erfailover.reporting.screen import Screen
from erfailover.reporting.status.changes import StatusChange, format_changes, list_parts
from erfailover.reporting.status.headline import format_headline
from erfailover.reporting.status.text import format_opening
from erfailover.reporting.terminal.boxes import cut
from erfailover.reporting.terminal.picture import draw_picture
from erfailover.reporting.topology.model import Picture

KEPT = 200
"""So many changes are remembered."""
AT_LEAST = 5
"""So many of them are shown, however small the terminal."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that was noticed: when (RFC 3339, UTC), and what, in words."""

    at: str
    text: str

    @property
    def time(self) -> str:
        """The time of day alone, UTC."""
        return self.at[11:19]


@dataclass(frozen=True, slots=True)
class Page:
    """What a watch knows at one moment.

    Attributes:
        context: where it is read, and as whom.
        seen: the last reading that succeeded.
        changed: what it changed from the one before.
        events: everything noticed so far, the oldest first.
        took_s: how long that reading took, in seconds.
        failure: why the reading after it failed; None if none did.
    """

    context: AzureContext
    seen: Picture
    notes: tuple[str, ...]
    changed: tuple[StatusChange, ...] = ()
    events: tuple[Event, ...] = ()
    took_s: float = 0.0
    failure: str | None = None


def render_page(shown: Page, now: str, screen: Screen, height: int | None = None) -> str:
    """Return the whole page.

    Args:
        shown: what is known.
        now: what goes on at the moment: ``next in 12 s``.
        screen: what it is shown on.
        height: how many lines there are; None for as many as needed.
    """
    first, *rest = format_opening(shown.seen, shown.notes, screen)
    read = f"read at {shown.seen.taken_at[11:19]} UTC, took {format_duration(shown.took_s)}"
    where = heading(shown.context, screen)
    lines = [*where.splitlines(), *first.splitlines()]
    lines.append(screen.apply_style(cut(f"{read}; {now}", screen.width, screen), "dim"))
    if shown.failure:
        told = cut(f"the reading after that failed: {shown.failure}", screen.width, screen)
        lines.append(screen.apply_style(told, "bold red"))
    lines += [line for each in rest for line in each.splitlines()]
    lines += ["", *draw_picture(shown.seen, screen, list_parts(shown.changed)).splitlines(), ""]
    room = len(shown.events) if height is None else max(height - len(lines) - 2, AT_LEAST)
    return "\n".join([*lines, *_format_events(shown, room, screen)])


def _format_events(shown: Page, room: int, screen: Screen) -> list[str]:
    """Return what was noticed, the newest first; of this reading's marked."""
    if not shown.events:
        return ["Nothing has changed so far."]
    lines = ["Changes, the newest first (UTC):"]
    for event in reversed(shown.events[-room:]):
        latest = event.at == shown.seen.taken_at
        told = cut(f"{'*' if latest else ' '} {event.time}  {event.text}", screen.width, screen)
        lines.append(screen.apply_style(told, "bold") if latest else told)
    return lines


def list_first_events(shown: Page) -> list[Event]:
    """How a watch without a terminal begins: the verdict, and what must be known besides."""
    at = shown.seen.taken_at
    told = [format_headline(shown.seen.health, drill=shown.seen.drill_runs)]
    told += [note.splitlines()[0].lstrip("* ") for note in shown.notes]
    told += [f"warning: {each}" for each in shown.seen.health.warnings]
    return [Event(at, each) for each in told]


def list_events(before: Page, after: Page, found: Sequence[StatusChange]) -> list[Event]:
    """Return what changed since the last reading; the verdict itself last, if it is new."""
    at = after.seen.taken_at
    told = format_changes(found)
    old, new = (
        format_headline(each.seen.health, drill=each.seen.drill_runs) for each in (before, after)
    )
    if old != new:
        told.append(new)
    return [Event(at, each) for each in told]
