"""A view at the bottom of a terminal: what other threads print meanwhile is not lost."""

from __future__ import annotations

import threading
import time
from io import StringIO

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from erfailover.commands.live_view import LiveView
from erfailover.reporting.console import CleanConsole


class Slow:
    """Rows whose number changes, and whose drawing takes so long that others want to print."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for row in range(1 + self.number % 6):
            time.sleep(0.0005)
            yield Text(f"row {row}")


def screen_of(written: str) -> list[str]:
    """What stands on a terminal, or has scrolled off it, after so much was written to it."""
    lines, row = [""], 0
    for part in written.split("\x1b"):
        rest = part
        if part.startswith("[") and (
            end := next((n for n, c in enumerate(part) if c.isalpha()), 0)
        ):
            code, rest = part[1 : end + 1], part[end + 1 :]
            if code.endswith("A"):
                row -= int(code[:-1] or 1)
            elif code == "2K":
                lines[row] = ""
        for character in rest:
            if character == "\n":
                row += 1
                lines += [""] * (row + 1 - len(lines))
            elif character != "\r":
                lines[row] += character
    return lines


def test_no_line_is_erased_that_another_thread_prints_while_the_view_changes_its_height() -> None:
    out, numbers = StringIO(), iter(range(10_000))
    console = CleanConsole(file=out, width=60, force_terminal=True, color_system=None)
    view = LiveView(console, lambda: Slow(next(numbers)))
    with view:

        def refresh() -> None:
            for _ in range(60):
                view.refresh()

        refresher = threading.Thread(target=refresh)
        refresher.start()
        for number in range(60):
            console.print(f"done {number}", markup=False)
        refresher.join()
    lines = [name for name in screen_of(out.getvalue()) if name.startswith("done")]
    assert lines == [f"done {number}" for number in range(60)]
