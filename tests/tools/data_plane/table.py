"""The table of what the Linux data plane costs, as Markdown in docs/data-plane.md. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

FILE = "docs/data-plane.md"
BEGIN = "<!-- costs: measured by scripts/data-plane-costs -->"
END = "<!-- /costs -->"


@dataclass(frozen=True, slots=True)
class Program:
    """The processes of one program: how many, and their memory together."""

    count: int
    rss_mib: float
    pss_mib: float


@dataclass(frozen=True, slots=True)
class Cost:
    """What one world costs. Seconds are real.

    Attributes:
        agent_s: until the agent answers.
        applied_s: until all that should exist does, from the start of the agent on as well.
        established_s: until every BGP session is Connected.
        reachable_s: until every machine runs and every spoke's reaches the office.
        programs: the agent's processes and the lab's own, by program.
        files: open file descriptors of the agent and the lab.
    """

    spokes: int
    agent_s: float
    applied_s: float
    established_s: float
    reachable_s: float
    namespaces: int
    links: int
    files: int
    programs: Mapping[str, Program]

    def sum_memory(self, names: Iterable[str]) -> Program:
        """Return some programs as one."""
        chosen = [self.programs[name] for name in names if name in self.programs]
        return Program(
            sum(program.count for program in chosen),
            sum(program.rss_mib for program in chosen),
            sum(program.pss_mib for program in chosen),
        )


ROUTERS = {"BIRD": ("bird",), "charon": ("charon-systemd",)}
LAB = "lab"
"""The name of the lab's own process among the programs."""
AGENT = "agent"


def format_table(costs: Sequence[Cost]) -> str:
    """Return both tables: times and counts, then memory."""
    times = _format(
        (
            *("spokes", "agent answers", "all is there", "all BGP sessions", "all machines"),
            *("namespaces", "links", "processes", "open files"),
        ),
        [
            (
                str(cost.spokes),
                *(f"{cost.agent_s:.1f} s", f"{cost.applied_s:.1f} s"),
                *(f"{cost.established_s:.1f} s", f"{cost.reachable_s:.1f} s"),
                *(str(cost.namespaces), str(cost.links)),
                *(str(sum(program.count for program in cost.programs.values())), str(cost.files)),
            )
            for cost in costs
        ],
    )
    names = {**ROUTERS, "agent": (AGENT,)}
    memory = _format(
        ("spokes", *names, "machines", "lab", "together"),
        [
            (
                str(cost.spokes),
                *(_format_memory(cost.sum_memory(each)) for each in names.values()),
                _format_memory(cost.sum_memory(_list_other(cost))),
                _format_memory(cost.sum_memory((LAB,))),
                _format_memory(cost.sum_memory(cost.programs)),
            )
            for cost in costs
        ],
    )
    return f"{times}\nMemory in MiB, RSS (PSS):\n\n{memory}"


def _list_other(cost: Cost) -> list[str]:
    """Return the programs of machines, and what holds their namespaces."""
    known = {name for names in ROUTERS.values() for name in names} | {AGENT, LAB}
    return [name for name in cost.programs if name not in known]


def _format_memory(program: Program) -> str:
    return f"{program.rss_mib:.0f} ({program.pss_mib:.0f})"


def _format(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", "|" + "--:|" * len(head)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"
