"""Results on standard output, messages and questions on standard error.

The one place that prints a command's results. ``NO_COLOR`` and ``TERM=dumb`` are respected;
anything but a terminal gets neither colour nor a terminal's width.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, TextIO, TypeVar

from rich.console import Console, RenderableType

from erfailover.errors import STYLE, Interrupted, Refused, UsageFailure, escape_controls
from erfailover.reporting import formats
from erfailover.reporting.console import CleanConsole
from erfailover.reporting.formats import Query
from erfailover.reporting.screen import DRAWN, NARROWEST, WIDTH, Screen
from erfailover.reporting.words import wrap_lines
from erfailover.runtime import logs

T = TypeVar("T")
DUMB = ("dumb", "unknown")
"""Terminals that cannot redraw a line: they get the output of a file."""
UNFOLDED = 10_000
"""Columns of a table that is piped on: one line a row."""


@dataclass
class Output:
    """Where one invocation prints, and how it asks.

    Attributes:
        format: ``table``, ``json``, ``yaml``, ``tsv`` or ``none``.
        query: what to select from a result.
        yes: answer every confirmation with yes.
        quiet: show the outcome alone, and what a question is about.
        json_log: log the messages on standard error as JSON.
        query_failure: why the query could not be applied to the result.
        heading: returns where the command works and as whom, as lines for a screen; None if it
            concerns no site.
        heads_data: whether the heading precedes plain data too, on standard error.
        last_plan: the plan that was shown last, as text.
    """

    format: str = formats.TABLE
    query: Query | None = None
    yes: bool = False
    json_log: bool = False
    query_failure: UsageFailure | None = None
    quiet: bool = False
    heading: Callable[[Screen], str] | None = None
    heads_data: bool = False
    last_plan: str = ""
    _is_headed: bool = field(default=False, init=False)
    _unshown: list[RenderableType] = field(default_factory=list)

    @cached_property
    def console(self) -> Console:
        """Standard error, for progress."""
        if self.json_log:
            return CleanConsole(
                file=logs.LogStream(), highlight=False, soft_wrap=True, color_system=None
            )
        can_redraw = sys.stderr.isatty() and os.environ.get("TERM") not in DUMB
        return CleanConsole(
            stderr=True,
            highlight=False,
            soft_wrap=True,
            force_terminal=None if can_redraw else False,
        )

    def print_info(self, text: str = "") -> None:
        """Print a message on standard error, unless only the outcome is wanted."""
        if not self.quiet:
            self.warn(text)

    def warn(self, text: str) -> None:
        """Print a message on standard error that must not be missed."""
        self.print_heading()
        if not self.json_log:
            text = fit_text(text)
        self.console.print(text, markup=False)

    def present(self, subject: RenderableType) -> None:
        """Show what the next question is about; if only the outcome is wanted, with the question.

        Args:
            subject: a plan, or what is at stake.
        """
        if self.quiet:
            self._unshown.append(subject)
        else:
            self.print_heading()
            self.console.print(subject, markup=False)

    def _show_subject(self) -> None:
        for item in self._unshown:
            self.console.print(item, markup=False)
        self._unshown.clear()

    def print_heading(self) -> None:
        """Say where the command works, before the first message on standard error."""
        if not self.quiet:
            self._print_heading()

    def _print_heading(self) -> None:
        if self.heading is not None and not self._is_headed:
            self._is_headed = True
            text = self.heading(detect_screen(os.environ, sys.stderr))
            self.console.print(text, markup=False)

    def add_heading(self, text: str) -> str:
        """Return a result for people whose first line says where the command works.

        A terminal that has that line among the messages does not get it twice.
        """
        is_seen = self._is_headed and sys.stdout.isatty() and sys.stderr.isatty()
        if self.heading is None or is_seen or self.quiet:
            return text
        self._is_headed = True
        return f"{self.heading(_detect_screen())}\n{text}"

    def log_line(self, line: str) -> None:
        """Write a line of the log, above what is shown live."""
        self.console.print(line, markup=False, style="dim")

    @property
    def is_terminal(self) -> bool:
        """Whether results are shown on a terminal."""
        return sys.stdout.isatty()

    @property
    def shows_data(self) -> bool:
        """Whether a result is shown as plain data, or a query selects from it."""
        return self.format != formats.TABLE or self.query is not None

    def print_result(
        self, text: str, data: Any, rows: str = "", *, heads: bool = True, as_it_is: bool = False
    ) -> None:
        """Print a result on standard output, in the format asked for.

        Args:
            text: the result for people.
            data: the result as plain data.
            rows: the query for ``tsv`` without another: the columns that people want.
            heads: whether to say first where the command works; a document says it itself.
            as_it_is: the text is code, whose lines are never wrapped.
        """
        if not as_it_is:
            text = fit_text(text, err=False)
        if not self.shows_data and heads:
            text = self.add_heading(text)
        elif self.shows_data and self.heads_data:
            self.print_heading()
        try:
            show(text, data, self.format, self.query, rows)
        except UsageFailure as failure:
            # The result counts first; the query only decides the exit code afterwards.
            self.query_failure = failure
            self.warn(f"{text}\nerfailover: {failure.message}")

    def print_lines(self, rows: Iterable[Any]) -> None:
        """Print one JSON object a line on standard output."""
        for row in rows:
            sys.stdout.write(f"{json.dumps(row)}\n")
        sys.stdout.flush()

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
        self._print_question_heading()
        self._show_subject()
        question = fit_text(escape_controls(question), spare=len(" [y/N]: "))
        answer = _prompt(partial(click.confirm, question, default=False, err=True))
        if not answer:
            raise Refused("Nothing was changed.")

    def _print_question_heading(self) -> None:
        """Say where the command works right above a question: a plan may have scrolled it away."""
        self._is_headed = False
        self._print_heading()

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

    def confirm_by_name(self, question: str, name: str, typed: str | None, hint: str) -> None:
        """Have a name typed: for what cannot be undone, a yes would be too easy.

        Args:
            question: what is about to be done.
            name: what must be typed.
            typed: what was typed on the command line; None for nothing.
            hint: how to go ahead without a prompt.

        Raises:
            Refused: another name was typed, or the command cannot prompt.
        """
        if typed is None:
            import click

            _insist_on_terminal(
                f"{question} Cannot prompt: standard input is not a terminal.",
                hint,
            )
            self._print_question_heading()
            self._show_subject()
            self.warn(question)
            ask = partial(click.prompt, err=True, default="", show_default=False)
            typed = _prompt(partial(ask, f"To go ahead, type {name}")).strip()
        if typed != name:
            raise Refused(
                f"expected the name {name}, found {typed!r}. Nothing was changed.",
                "Type the name exactly as shown.",
            )


def fit_text(text: str, *, err: bool = True, spare: int = 0) -> str:
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
    """Prompt; after Ctrl-C, say that no further change was made."""
    import click

    try:
        return ask()
    except click.Abort:
        raise Interrupted("interrupted at the prompt; no further change was made") from None


def show(text: str, data: Any, format_: str, query: Query | None = None, rows: str = "") -> None:
    """Print a result on standard output, in the format asked for.

    Args:
        text: the result for people.
        data: the result as plain data.
        format_: one of ``formats.FORMATS``.
        query: what to select from ``data``.
        rows: the query for ``tsv`` without another.

    Raises:
        UsageFailure: the query does not suit this result; nothing was printed.
    """
    on = _detect_screen()
    of_query = on if format_ == formats.TABLE and query is not None else None
    try:
        message = formats.format_result(text, data, format_, query, of_query, rows)
        sys.stdout.write(escape_controls(message, STYLE) if on.colour else escape_controls(message))
    except formats.QueryProblem as problem:
        raise UsageFailure(f"--query: {problem}", "To see the whole result, use -o json.") from None
    sys.stdout.flush()


def _detect_screen() -> Screen:
    """Return what a result is shown on; what is piped is not folded."""
    screen = detect_screen(os.environ)
    return screen if sys.stdout.isatty() else replace(screen, width=UNFOLDED)


def detect_screen(environment: Mapping[str, str], out: TextIO | None = None) -> Screen:
    """Return what is shown on.

    Args:
        environment: the variables of this process.
        out: where to; None for standard output.
    """
    console = CleanConsole(file=out or sys.stdout)
    drawing = _can_draw(console.encoding) and environment.get("TERM") != "dumb"
    if not console.is_terminal:
        return Screen(WIDTH, colour=False, drawing=drawing)
    plain = bool(environment.get("NO_COLOR")) or console.is_dumb_terminal
    colour = not plain and console.color_system is not None
    return Screen(max(console.width, NARROWEST), colour, drawing)


def _can_draw(encoding: str) -> bool:
    """Whether an encoding has every character that a picture is drawn with."""
    try:
        DRAWN.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
