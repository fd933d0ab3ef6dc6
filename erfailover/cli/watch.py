"""The commands that control the watch of a site."""

from __future__ import annotations

from typing import Any

import click

from erfailover.cli.help import CommandWithExamples
from erfailover.cli.options import (
    LONGEST_REASON,
    QUIET,
    YES,
    add_common_options,
    build_context,
    complete_with,
    parse_reason,
)
from erfailover.errors import escape_controls
from erfailover.model.moments import parse_period


class Period(click.ParamType[float]):
    """A length of time, in seconds."""

    name = "period"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the seconds; raise ``BadParameter`` if the text names no length of time."""
        try:
            return parse_period(str(value))
        except ValueError as error:
            self.fail(f"{escape_controls(str(value))[:80]!r}: {error}.", param, ctx)


@click.command(cls=CommandWithExamples)
@click.option(
    "--for",
    "for_s",
    metavar="TIME",
    type=Period(),
    help="Pause for this long: 30m, 2h, 7d. Default: until `resume`.",
)
@click.option(
    "--reason",
    metavar="TEXT",
    required=True,
    callback=parse_reason,
    help=f"Reason for the pause. One line of at most {LONGEST_REASON} characters.",
)
@add_common_options
def pause(for_s: float | None, **options: Any) -> None:
    """Keep the watch from switching.

    Every replica obeys, and goes on reading and notifying. A switch that is running is completed.
    `switch` by an operator is not affected. A pause never shortens another one: to end one early,
    use `resume`.
    """
    from erfailover.commands.watch import pause as command

    command.pause(build_context(options), for_s)


@click.command(cls=CommandWithExamples)
@click.option(
    "--reason",
    metavar="TEXT",
    callback=parse_reason,
    help=f"Reason; recorded. One line of at most {LONGEST_REASON} characters.",
)
@add_common_options
def resume(**options: Any) -> None:
    """Let the watch switch again, after a pause or a lock-out."""
    from erfailover.commands.watch import pause as command

    command.resume(build_context(options))


@click.command(cls=CommandWithExamples)
@click.argument("approval_id", metavar="ID", shell_complete=complete_with("approvals"))
@QUIET
@YES
@add_common_options
def approve(approval_id: str, **options: Any) -> None:
    """Approve the switch that the watch has asked for.

    ID is in the notification. The plan is shown before the prompt. The watch applies exactly that
    plan; it refuses if Azure has changed meanwhile.
    """
    from erfailover.commands.watch import approval as command

    command.approve(build_context(options), approval_id)


ALL = (pause, resume, approve)
