"""A run as it happens: its lines, and the table of what is in flight. Pure.

A line is what a log without a terminal has, one an event; the table is drawn anew a few times a
second on a terminal, and shows counts and what matters most, never hundreds of rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.text import Text

from erfailover.model.durations import Usual, duration

ROWS = 8
"""So many tasks in flight are shown, and half as many that wait for their turn."""


def line(word: str, at_s: float, title: str, detail: str = "", note: str | None = None) -> str:
    """One event: ``     done      5 s  1. lend ...  (5 s): written``."""
    told = f"{word:>9}  {at_s:6.0f} s  {title}"
    if detail:
        told += f"  ({detail})"
    return f"{told}: {note}" if note else told


def took(elapsed_s: float, attempts: int) -> str:
    """How long a task took, and how often it was tried: ``5 s, 2 attempts``."""
    return duration(elapsed_s) + (f", {attempts} attempts" if attempts > 1 else "")


def waits(why: str, seconds: float | None, attempt: int) -> str:
    """Why a task waits: ``Azure is updating vnet3; attempt 2 in 13 s``."""
    if seconds is None:
        return why
    if attempt > 1:
        return f"{why}; attempt {attempt} in {duration(seconds)}"
    return f"{why} ({duration(seconds)})"


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A task that is in flight.

    Attributes:
        elapsed_s: since it was started.
        why: why it waits, if it does.
    """

    title: str
    elapsed_s: float
    usual: Usual | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class ProgressView:
    """A run at one moment.

    Attributes:
        total: how many tasks there are; None if that is not known.
        in_flight: what is in flight, in the order in which it was started.
        held_up: titles of what is ready and waits for another, and why.
    """

    elapsed_s: float
    total: int | None
    done: int
    failed: int
    skipped: int
    in_flight: Sequence[TaskRow]
    held_up: Sequence[tuple[str, str]]


def table(view: ProgressView) -> RenderableType:
    """Return the picture of a run, for a terminal of any width."""
    rows = sorted(view.in_flight, key=lambda row: -row.elapsed_s)
    lines = [Text(_counts(view), style="bold")]
    for row in rows[:ROWS]:
        late = row.usual is not None and row.elapsed_s > row.usual.one_in_ten_s
        lines.append(Text(f"  {_elapsed(row, late=late)}  {row.title}", "yellow" if late else ""))
        if row.why:
            lines.append(Text(f"{'':12}{row.why}", style="yellow"))
    if len(rows) > ROWS:
        lines.append(Text(f"{'':12}... and {len(rows) - ROWS} more in flight"))
    for title, why in view.held_up[: ROWS // 2]:
        lines.append(Text(f"     turn  {title}: {why}", style="dim"))
    for each in lines:
        each.no_wrap, each.overflow = True, "ellipsis"
    return Group(*lines)


def _counts(view: ProgressView) -> str:
    of = f" of {view.total}" if view.total is not None else ""
    parts = [f"{view.done}{of} done", f"{len(view.in_flight)} in flight"]
    parts += [f"{len(view.held_up)} wait for their turn"] if view.held_up else []
    parts += [f"{view.failed} FAILED"] if view.failed else []
    parts += [f"{view.skipped} skipped"] if view.skipped else []
    return f"{duration(view.elapsed_s):>9}  {', '.join(parts)}"


def _elapsed(row: TaskRow, *, late: bool) -> str:
    """How long a task is in flight, against what is usual."""
    told = f"{duration(row.elapsed_s):>7}"
    if row.usual is None:
        return told
    return f"{told} ({'LATE, ' if late else ''}usually {duration(row.usual.usually_s)})"
