"""A page, walked: its commands typed one after the other, its outputs taken.

Never decides what stands in a page; a command that does not end as the page says is a failure.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from erfailover.cli.main import cli
from erfailover.lab.cli.main import main as lab
from tests.tools.docs.blocks import Block, Kind, read
from tests.tools.docs.shell import ROOT, Ended, Shell

Cut = Callable[[str], str]
"""What of an output is shown."""

ASKING = ("erfailover switch", "erfailover drill", "erfailover provision", "erfailover destroy")
"""What ``--yes``, and ``--planned`` for a switch, answer for in a block that is answered."""

ALWAYS_DIFFERENT = re.compile(r"\b[0-9a-f]{12}\b|(?:\d+ (?:h|min) )*\d[\d.:]*|[─═┄-]{2,}|\s+")
"""What differs from run to run: ids, numbers and times, the width of tables."""


class NotAsWritten(AssertionError):
    """A page says something else than what happened."""


@dataclass(frozen=True)
class Walk:
    """A page that was walked.

    Attributes:
        ran: what each block's commands came to, by the number of the block.
        seconds: of the wall, in all.
    """

    blocks: tuple[Block, ...]
    ran: Mapping[int, tuple[Ended, ...]]

    @property
    def seconds(self) -> float:
        """How long it took by the wall clock."""
        return sum(ended.seconds for endeds in self.ran.values() for ended in endeds)

    def output(self, before: int) -> str:
        """What the last block printed that ran before the block of that number."""
        last = max((number for number in self.ran if number < before), default=None)
        return "" if last is None else "".join(ended.output for ended in self.ran[last])


def walk(page: Path, shell: Shell) -> Walk:
    """Type a page's commands.

    Raises:
        NotAsWritten: a command ended otherwise than the page says, with what it printed.
    """
    blocks, _ = read(page.read_text(encoding="utf-8"))
    ran: dict[int, tuple[Ended, ...]] = {}
    for number, block in enumerate(blocks):
        if block.kind in (Kind.RUN, Kind.HIDDEN):
            ran[number] = tuple(_type_commands(page, block, shell))
    return Walk(tuple(blocks), ran)


def _type_commands(page: Path, block: Block, shell: Shell) -> Iterator[Ended]:
    for command in block.commands:
        last = command == block.commands[-1]
        expected = block.exit_code if last else 0
        asks = block.answered and command.startswith(ASKING)
        answer = " --yes --planned" if command.startswith("erfailover switch") else " --yes"
        ended = shell.run(f"{command}{answer}" if asks else command)
        if ended.exit_code != expected:
            raise NotAsWritten(
                f"{page.name}, block at line {block.line}: {command!r} ended with "
                f"{ended.exit_code}; expected {expected}. It printed:\n{ended.output}"
            )
        yield ended


def outputs(page: Path, walked: Walk, cuts: Mapping[str, Cut], shell: Shell) -> dict[str, str]:
    """What goes into the page's places of output, by name."""
    _, places = read(page.read_text(encoding="utf-8"))
    whole = {place.name: shell.tellable(walked.output(place.blocks_before)) for place in places}
    return {name: cuts.get(name, str)(text) for name, text in whole.items()}


def missing(text: str, printed: str) -> list[str]:
    """The lines of an output on a page that were not printed, up to what always differs."""
    there = {ALWAYS_DIFFERENT.sub(" ", line).strip() for line in printed.splitlines()}
    lines = (line for line in text.splitlines() if line.strip() not in ("", "..."))
    return [line for line in lines if ALWAYS_DIFFERENT.sub(" ", line).strip() not in there]


def list_unparsed(block: Block) -> list[str]:
    """What of a block is no command line of erfailover's; nothing is carried out."""
    problems = []
    for command in block.commands:
        words = shlex.split(command, comments=True)
        if words and words[0] == "erfailover" and (problem := _problem(words[1:])):
            problems.append(f"{command}: {problem}")
    return problems


def _problem(words: list[str]) -> str | None:
    """What is wrong with a command line, in click's words."""
    context = click.Context(cli, info_name="erfailover")
    try:
        command: click.Command = cli
        while isinstance(command, click.Group):
            if not words:
                return f"{context.command_path} needs a command"
            if words[0].startswith("-"):
                break
            result = lab if words[0] == "lab" else command.get_command(context, words[0])
            if result is None:
                return f"{context.command_path} has no command {words[0]!r}"
            command, words = result, words[1:]
            context = click.Context(command, parent=context, info_name=command.name)
        command.parse_args(context, words)
    except click.exceptions.Exit:
        return None
    except click.ClickException as error:
        about = error.param if isinstance(error, click.BadParameter) else None
        # A file that a person is to name need not be here.
        named = about is not None and isinstance(about.type, click.Path)
        return None if named and not isinstance(error, click.MissingParameter) else str(error)
    return None


def not_in_file(block: Block) -> list[str]:
    """The commands of a block that the file which should run them does not name."""
    text = (ROOT / block.told).read_text(encoding="utf-8").split("\n")
    there = {" ".join(shlex.split(line, comments=True)) for line in text if line[:1] not in "#"}
    commands = (" ".join(shlex.split(command, comments=True)) for command in block.commands)
    return [command for command in commands if not any(line.startswith(command) for line in there)]
