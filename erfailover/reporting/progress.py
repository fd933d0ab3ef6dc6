"""A run as it happens: its lines, and the table of what is in flight. Pure.

A line is what a log without a terminal has, one an event; the table is redrawn a few times a
second on a terminal, and shows counts and what matters most, never hundreds of rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.text import Text

from erfailover.model.counting import format_count
from erfailover.model.durations import DurationEstimate, format_duration, format_rough
from erfailover.model.outlook import Outlook, SpokeCounts

ROWS = 8
"""So many tasks in flight are shown."""
TURNS = 2
"""Up to so many tasks that wait for their turn are listed; more are counted."""
FRAMES = "|/-\\"


def format_line(
    word: str, at_s: float, title: str, detail: str = "", note: str | None = None
) -> str:
    """One event: ``     done          5 s  1. allow ...  (5 s): written``."""
    text = f"{word:>9}  {format_duration(at_s):>11}  {title}"
    if detail:
        text += f"  ({detail})"
    return f"{text}: {note}" if note else text


def format_took(elapsed_s: float, attempts: int) -> str:
    """How long a task took, and how often it was tried: ``5 s, 2 attempts``."""
    return format_duration(elapsed_s) + (f", {attempts} attempts" if attempts > 1 else "")


def describe_wait(why: str, seconds: float | None, attempt: int) -> str:
    """Why a task waits: ``Azure is updating vnet3; attempt 2 in 13 s``."""
    if seconds is None:
        return why
    if attempt > 1:
        return f"{why}; attempt {attempt} in {format_duration(seconds)}"
    return f"{why} ({format_duration(seconds)})"


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A task that is in flight.

    Attributes:
        elapsed_s: since it was started.
        why: why it waits, if it does.
    """

    title: str
    elapsed_s: float
    usual: DurationEstimate | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class ProgressView:
    """A run at one moment.

    Attributes:
        total: how many tasks there are; None if that is not known.
        in_flight: what is in flight, in the order in which it was started.
        held_up: titles of what is ready and waits for another, and why.
        outlook: how far the run is and how long the rest usually takes; None if not known.
    """

    elapsed_s: float
    total: int | None
    done: int
    failed: int
    skipped: int
    in_flight: Sequence[TaskRow]
    held_up: Sequence[tuple[str, str]]
    outlook: Outlook | None = None


def build_table(view: ProgressView) -> RenderableType:
    """Return the picture of a run, for a terminal of any width."""
    rows = sorted(view.in_flight, key=lambda row: -row.elapsed_s)
    lines = [Text(f"{format_duration(view.elapsed_s):>11}  {_format_counts(view)}", style="bold")]
    remaining = _format_remaining(view)
    if remaining:
        lines.append(Text(f"{'':13}{remaining}"))
    for row in rows[:ROWS]:
        late = row.usual is not None and row.elapsed_s > row.usual.one_in_ten_s
        lines.append(
            Text(f"{_format_elapsed(row, late=late)}  {row.title}", "yellow" if late else "")
        )
        if row.why:
            lines.append(Text(f"{'':13}{row.why}", style="yellow"))
    if len(rows) > ROWS:
        lines.append(Text(f"{'':13}... and {len(rows) - ROWS} more in flight"))
    lines += [Text(f"{'queued':>11}  {turn}", style="dim") for turn in _format_turns(view.held_up)]
    for line in lines:
        line.no_wrap, line.overflow = True, "ellipsis"
    return Group(*lines)


def _format_counts(view: ProgressView) -> str:
    if view.outlook is not None and view.outlook.spokes is not None:
        return _format_spoke_counts(view.outlook.spokes, view.outlook.batch)
    of = f" of {view.total}" if view.total is not None else ""
    parts = [f"{view.done}{of} done", f"{len(view.in_flight)} in flight"]
    parts += [f"{len(view.held_up)} queued"] if view.held_up else []
    parts += [f"{view.failed} FAILED"] if view.failed else []
    parts += [f"{view.skipped} skipped"] if view.skipped else []
    return ", ".join(parts)


def _format_spoke_counts(spokes: SpokeCounts, batch: tuple[int, int] | None) -> str:
    """Return how far the spokes are: ``batch 1 of 3; spokes: 0 moved, 43 prepared, ...``."""
    part = f"batch {batch[0]} of {batch[1]}; " if batch else ""
    failed = f"{spokes.failed} {'FAILED' if spokes.failed else 'failed'} of {spokes.total}"
    if spokes.moved is None:
        return f"{part}spokes: {spokes.prepared} done, {failed}"
    return f"{part}spokes: {spokes.moved} moved, {spokes.prepared} prepared, {failed}"


def _format_remaining(view: ProgressView) -> str:
    """Return how long the rest usually takes; empty if that is not known."""
    outlook = view.outlook
    if outlook is None or outlook.done_s is None:
        return ""
    steps = f"{view.done} of {view.total} steps; " if outlook.spokes is not None else ""
    if round(outlook.done_s) == 0:
        return f"{steps}taking longer than usual"
    if outlook.spokes is None or outlook.moved_s is None:
        return f"{steps}about {format_rough(outlook.done_s)} left"
    if round(outlook.moved_s) == 0:
        return (
            f"{steps}the last move takes longer than usual; done in about "
            f"{format_rough(outlook.done_s)}"
        )
    moved = format_rough(outlook.moved_s)
    return f"{steps}all moved in about {moved}, done in {format_rough(outlook.done_s)}"


def _format_turns(held_up: Sequence[tuple[str, str]]) -> list[str]:
    """Return what waits for its turn: each if few do, otherwise how many."""
    if len(held_up) <= TURNS:
        return [f"{title}: {why}" for title, why in held_up]
    return [f"{format_count(len(held_up), 'step')} waiting for other writes"]


def render_activity(text: str, elapsed_s: float, frame: int) -> Text:
    """Return the line of something that is waited for: it moves, and counts the seconds."""
    line = f"{FRAMES[frame % len(FRAMES)]} {format_duration(elapsed_s):>6}  {text}"
    return Text(line, no_wrap=True, overflow="ellipsis")


def _format_elapsed(row: TaskRow, *, late: bool) -> str:
    """How long a task is in flight, against what is usual."""
    text = f"{format_duration(row.elapsed_s):>11}"
    if row.usual is None:
        return text
    return f"{text} ({'LATE, ' if late else ''}typically {format_duration(row.usual.usually_s)})"
