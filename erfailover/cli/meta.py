"""Commands about erfailover itself: version, schema, completion, help. They need no site."""

from __future__ import annotations

from typing import Any

import click

from erfailover.cli.help import CommandWithExamples
from erfailover.cli.options import WordChoice, add_output_options, complete_with, pop_output

SHELLS = ("bash", "zsh", "fish", "powershell")


@click.command(cls=CommandWithExamples)
@add_output_options
def version(**options: Any) -> None:
    """Show the versions of erfailover and its dependencies."""
    from erfailover.cli import version as command

    command.run(*pop_output(options))


@click.command(cls=CommandWithExamples)
@click.argument("name", required=False, shell_complete=complete_with("schemas"))
@add_output_options
def schema(name: str | None, **options: Any) -> None:
    """Print the JSON Schema of an output, or of the site file.

    Without NAME, list the schemas.
    """
    from erfailover.cli import schema as command

    command.run(name, *pop_output(options))


@click.command(cls=CommandWithExamples)
@click.argument("shell", type=WordChoice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the shell completion script.

    It completes spokes and probes from the site file, and runs from this machine's journal.
    """
    from erfailover.cli import completion as cli_completion

    click.echo(cli_completion.build_script(ctx.find_root().command, shell))


@click.command("help", cls=CommandWithExamples)
@click.argument("command", nargs=-1, shell_complete=complete_with("commands"))
@click.pass_context
def help_(ctx: click.Context, command: tuple[str, ...]) -> None:
    """Show the help of COMMAND, or of erfailover."""
    context = ctx.find_root()
    for number, word in enumerate(command):
        if not isinstance(context.command, click.Group):
            if context.info_name == "lab":
                context.invoke(context.command, arguments=(*command[number:], "--help"))
            raise click.UsageError(
                f"{context.command_path} has no commands; found {word!r}.", context
            )
        name, child, _ = context.command.resolve_command(context, [word])
        if child is not None:
            context = child.context_class(child, info_name=name, parent=context)
    if context.info_name == "lab":
        context.invoke(context.command, arguments=("--help",))
    click.echo(context.command.get_help(context))


ALL = (version, schema, completion, help_)
