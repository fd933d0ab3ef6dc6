"""Commands whose help ends with examples, and groups of such commands."""

from __future__ import annotations

import click


class Explained(click.Command):
    """A command whose help ends with its examples."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what is at the end of a help."""
        super().format_epilog(ctx, formatter)
        _write_examples(ctx, formatter)


class Commands(click.Group):
    """A group whose help ends with its examples, as that of each of its commands does."""

    command_class = Explained
    group_class = type

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the group's words; raises ``UsageError``, also for an option of its commands."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            name = error.option_name
            taken = {
                each for sub in self.commands.values() for opt in sub.params for each in opt.opts
            }
            if name not in taken:
                raise
            problem = f"{name} goes after the command: {ctx.command_path} COMMAND {name}"
            raise click.UsageError(problem, ctx) from None

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what is at the end of a help."""
        super().format_epilog(ctx, formatter)
        _write_examples(ctx, formatter)


def _write_examples(ctx: click.Context, formatter: click.HelpFormatter) -> None:
    from erfailover.cli.examples import EXAMPLES

    found = EXAMPLES.get(ctx.command_path.partition(" ")[2], ())
    if not found:
        return
    formatter.write_paragraph()
    formatter.write("Examples:\n")
    for number, (what, command) in enumerate(found):
        formatter.write("\n" if number else "")
        formatter.write(f"  # {what}\n  {command}\n")
