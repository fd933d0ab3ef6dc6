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

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what is at the end of a help."""
        super().format_epilog(ctx, formatter)
        _write_examples(ctx, formatter)


def _write_examples(ctx: click.Context, formatter: click.HelpFormatter) -> None:
    from erfailover.command_line.examples import EXAMPLES

    found = EXAMPLES.get(ctx.command_path.partition(" ")[2], ())
    if not found:
        return
    formatter.write_paragraph()
    formatter.write("Examples:\n")
    for number, (what, command) in enumerate(found):
        formatter.write("\n" if number else "")
        formatter.write(f"  # {what}\n  {command}\n")
