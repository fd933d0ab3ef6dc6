"""Every command of the command line, and which of them print data."""

from __future__ import annotations

from collections.abc import Iterator

import click

from erfailover.cli.main import cli


def every() -> Iterator[tuple[str, click.Command]]:
    """Every command but the lab, which has a command line of its own; the whole is ``''``."""
    yield "", cli
    yield from _below(cli, ())


def _below(group: click.Group, above: tuple[str, ...]) -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if name == "lab":
            continue
        yield " ".join((*above, name)), command
        if isinstance(command, click.Group):
            yield from _below(command, (*above, name))


def prints_data() -> list[str]:
    """The commands that print data: those that take ``--query``."""
    return [
        name
        for name, command in every()
        if any("--query" in parameter.opts for parameter in command.params)
    ]
