"""Results on standard output, messages and questions on standard error.

The one place that prints a command's results. ``NO_COLOR`` and ``TERM=dumb`` are respected;
anything but a terminal gets neither colour nor a terminal's width.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, TextIO, TypeVar

from rich.console import Console

from erfailover.errors import STYLE, Interrupted, Refused, UsageFailure, printable
from erfailover.reporting import formats
from erfailover.reporting.console import CleanConsole
from erfailover.reporting.formats import Query
from erfailover.reporting.screen import DRAWN, NARROWEST, WIDTH, Screen
from erfailover.reporting.words import wrap_lines
from erfailover.runtime import logs

T = TypeVar("T")
UNFOLDED = 10_000
"""Columns of a table that is piped on: one line a row."""


@dataclass
class Output:
    """Where one invocation prints, and how it asks.

    Attributes:
        format: ``table``, ``json``, ``yaml``, ``tsv`` or ``none``.
        query: what to select from a result.
        yes: answer every confirmation with yes.
        json_log: log the messages on standard error as JSON.
        query_failure: why the query could not be applied to the result.
    """

    format: str = formats.TABLE
    query: Query | None = None
    yes: bool = False
    json_log: bool = False
    query_failure: UsageFailure | None = None

    @cached_property
    def console(self) -> Console:
        """Standard error, for progress."""
        if self.json_log:
            return CleanConsole(
                file=logs.ToLog(), highlight=False, soft_wrap=True, color_system=None
            )
        return CleanConsole(stderr=True, highlight=False, soft_wrap=True)

    def info(self, text: str = "") -> None:
        """Print a message on standard error."""
        if not self.json_log:
            text = fitted(text)
        self.console.print(text, markup=False)

    def log_line(self, line: str) -> None:
        """Write a line of the log, above what is shown live."""
        self.console.print(line, markup=False, style="dim")

    @property
    def shows_data(self) -> bool:
        """Whether a result is shown as plain data, or a query selects from it."""
        return self.format != formats.TABLE or self.query is not None

    def print_result(self, text: str, data: Any, *, as_it_is: bool = False) -> None:
        """Print a result on standard output, in the format asked for.

        Args:
            text: the result for people.
            data: the result as plain data.
            as_it_is: the text is code, whose lines are never wrapped.
        """
        try:
            lines = text if as_it_is else fitted(text, err=False)
            show(lines, data, self.format, self.query)
        except UsageFailure as failure:
            # The result counts first; the query only decides the exit code afterwards.
            self.query_failure = failure
            self.info(f"{text}\nerfailover: {failure.message}")

    def confirm(self, question: str) -> None:
        """Ask, unless ``--yes`` was given.

        Raises:
            Refused: the answer is no, or the command cannot prompt.
        """
        if self.yes:
            return
        self._ask(
            question,
            f"{question} Cannot prompt: standard input is not a terminal.",
            "Use --yes to skip the prompt.",
        )

    def _ask(self, question: str, unanswered: str, hint: str) -> None:
        """Ask a question; refuse with a message and a hint if no one can answer it."""
        import click

        _insist_on_terminal(unanswered, hint)
        question = fitted(printable(question), spare=len(" [y/N]: "))
        answer = _prompt(partial(click.confirm, question, default=False, err=True))
        if not answer:
            raise Refused("Nothing was changed.")

    def confirm_planned(self, question: str, healthy: str, *, planned: bool) -> None:
        """Ask whether to leave a path that works; ``--yes`` alone does not answer that.

        Args:
            question: what is asked.
            healthy: what works, in words.
            planned: whether ``--planned`` was given.

        Raises:
            Refused: the answer is no, or there is no terminal and ``--yes`` or ``--planned`` is
                missing.
        """
        if self.yes and planned:
            return
        self._ask(
            question,
            f"{healthy}, and this switch interrupts it",
            "To leave a healthy path without a prompt, use --yes --planned.",
        )

    def confirm_by_name(self, question: str, name: str, given: str | None, option: str) -> None:
        """Have a name typed, if ``--yes`` would be too easy.

        Args:
            question: what is about to be done.
            name: what must be typed.
            given: what was typed on the command line; None for nothing.
            option: with which option that is done.

        Raises:
            Refused: another name was typed, or the command cannot prompt.
        """
        if given is None:
            import click

            _insist_on_terminal(
                f"{question} Cannot prompt: standard input is not a terminal.",
                f"To go ahead without being asked: {option} {name} (--yes is not enough).",
            )
            self.info(question)
            ask = partial(click.prompt, err=True, default="", show_default=False)
            given = _prompt(partial(ask, f"To go ahead, type {name}")).strip()
        if given != name:
            raise Refused(
                f"expected the name {name}, found {given!r}. Nothing was changed.",
                "Type the name exactly as it is in Azure.",
            )


def fitted(text: str, *, err: bool = True, spare: int = 0) -> str:
    """Return a text in lines that a terminal shows without breaking a word; as it is elsewhere.

    Args:
        text: in lines of any length.
        err: whether it goes to standard error; otherwise to standard output.
        spare: how many columns of each line are needed for something else.
    """
    stream = sys.stderr if err else sys.stdout
    if not stream.isatty():
        return text
    return wrap_lines(text, max(CleanConsole(file=stream).width - spare, NARROWEST // 2))


def _insist_on_terminal(message: str, hint: str) -> None:
    if not sys.stdin.isatty():
        raise Refused(message, hint)


def _prompt(ask: Callable[[], T]) -> T:
    """Prompt; after Ctrl-C, say that nothing follows from the question."""
    import click

    try:
        return ask()
    except click.Abort:
        raise Interrupted("interrupted at the prompt; nothing was changed by it") from None


def show(text: str, data: Any, format_: str, query: Query | None = None) -> None:
    """Print a result on standard output, in the format asked for.

    Args:
        text: the result for people.
        data: the result as plain data.
        format_: one of ``formats.FORMATS``.
        query: what to select from ``data``.

    Raises:
        UsageFailure: the query does not suit this result; nothing was printed.
    """
    on = _screen()
    of_query = on if format_ == formats.TABLE and query is not None else None
    try:
        told = formats.printed(text, data, format_, query, of_query)
        sys.stdout.write(printable(told, STYLE) if on.colour else printable(told))
    except formats.QueryProblem as problem:
        raise UsageFailure(f"--query: {problem}", "Look at the result with -o json.") from None
    sys.stdout.flush()


def _screen() -> Screen:
    """Return what a result is shown on; the table of a query is not folded if it is piped."""
    found = screen(os.environ)
    return found if sys.stdout.isatty() else replace(found, width=UNFOLDED)


def screen(environment: Mapping[str, str], out: TextIO | None = None) -> Screen:
    """Return what is shown on.

    Args:
        environment: the variables of this process.
        out: where to; None for standard output.
    """
    console = CleanConsole(file=out or sys.stdout)
    drawing = _draws(console.encoding) and environment.get("TERM") != "dumb"
    if not console.is_terminal:
        return Screen(WIDTH, colour=False, drawing=drawing)
    plain = bool(environment.get("NO_COLOR")) or console.is_dumb_terminal
    colour = not plain and console.color_system is not None
    return Screen(max(console.width, NARROWEST), colour, drawing)


def _draws(encoding: str) -> bool:
    """Whether an encoding has every character that a picture is drawn with."""
    try:
        DRAWN.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
