"""Commands whose help ends with examples, and groups of such commands."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from erfailover.cli.options import CONTEXT
from erfailover.errors import Failure

if TYPE_CHECKING:
    from erfailover.commands.context import Context

SYNONYMS = {
    "failover": "switch --to ipsec",
    "failback": "switch --to expressroute",
    "rollback": "switch --undo",
    "undo": "switch --undo",
    "plan": "switch --to ipsec --dry-run",
    "apply": "switch --plan FILE",
    "check": "doctor",
}
"""Names that people type for commands with another name."""


class CommandWithExamples(click.Command):
    """A command whose help ends with examples, and whose failures show where it worked."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except Failure as failure:
            context: Context | None = ctx.meta.get(CONTEXT)
            if context is None:
                raise
            context.print_failure_heading()
            explained = context.explain_failure(failure, str(ctx.info_name))
            if explained is failure:
                raise
            raise explained from failure

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what is at the end of a help."""
        super().format_epilog(ctx, formatter)
        _write_examples(ctx, formatter)


class Commands(click.Group):
    """A group whose help ends with its examples, as that of each of its commands does."""

    command_class = CommandWithExamples
    group_class = type

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the group's words; options of the command may precede it, as in kubectl and az."""
        return super().parse_args(ctx, self._move_leading_options(args))

    def _move_leading_options(self, args: list[str]) -> list[str]:
        own = {name for option in self.params for name in option.opts}
        options = {
            name: option
            for command in self.commands.values()
            for option in command.params
            if isinstance(option, click.Option)
            for name in option.opts
        }
        leading: list[str] = []
        rest = list(args)
        while rest and (name := _get_option_name(rest[0])) in options and name not in own:
            takes_value = not (options[name].is_flag or options[name].count or "=" in rest[0])
            count = 2 if takes_value else 1
            leading, rest = leading + rest[:count], rest[count:]
        if not leading or not rest or rest[0].startswith("-"):
            return list(args)
        return [rest[0], *leading, *rest[1:]]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command; raises ``UsageError`` with the command to type for a known synonym."""
        if args and self.get_command(ctx, args[0]) is None and args[0] in SYNONYMS:
            raise click.UsageError(
                f"No such command '{args[0]}'. Use: erfailover {SYNONYMS[args[0]]}", ctx
            )
        return super().resolve_command(ctx, args)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what is at the end of a help."""
        super().format_epilog(ctx, formatter)
        _write_examples(ctx, formatter)


def _get_option_name(word: str) -> str:
    """Return the option that a word names: ``--site`` of ``--site=x``, ``-v`` of ``-vv``."""
    return "-v" if re.fullmatch("-v+", word) else word.partition("=")[0]


def _write_examples(ctx: click.Context, formatter: click.HelpFormatter) -> None:
    from erfailover.cli.examples import EXAMPLES

    items = EXAMPLES.get(ctx.command_path.partition(" ")[2], ())
    if not items:
        return
    formatter.write_paragraph()
    formatter.write("Examples:\n")
    for number, (what, command) in enumerate(items):
        formatter.write("\n" if number else "")
        formatter.write(f"  # {what}\n  {command}\n")
