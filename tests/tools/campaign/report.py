"""What a campaign came to: the summary line, the failures, the table in the documentation. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tests.tools.campaign.cells import Direction, Stage, begins
from tests.tools.campaign.checks import Ending, name
from tests.tools.campaign.trial import Result
from tests.tools.campaign.troubles import Trouble

MESSAGE = 150
"""How much of a message is shown."""
BEGIN, END = "<!-- campaign -->", "<!-- end of campaign -->"
NEVER = {
    "stranded": ("stranded at the end", "neither path after the repeat"),
    "Internet path cut": ("Internet path",),
    "peering of spoke and primary hub deleted": ("peering of spoke and primary hub deleted",),
    "second remote gateway": ("second remote gateway attempted",),
    "write without the lease": ("write without the lease",),
    "write on UNKNOWN": ("write on an UNKNOWN reading",),
    "secret shown": ("secret in the output", "secret in the journal"),
    "traceback": ("traceback",),
}
"""What must be 0, in the words of the summary, and the checks that count it."""
OTHER = {
    "two-together": "two controllers started together",
    "provision": "provision killed at a write",
    "destroy": "destroy killed at a deletion",
}


@dataclass(frozen=True)
class Campaign:
    """Everything that was run.

    Attributes:
        can_occur: how many cells can occur, by direction; 0 where only some were chosen.
        cannot: how many cells cannot, by reason.
    """

    results: Sequence[Result]
    can_occur: int
    cannot: Mapping[str, int]

    @property
    def failed(self) -> list[Result]:
        """What did not hold."""
        return [result for result in self.results if result.problems]


def kind(id_: str) -> str:
    """The kind of trouble of a result, by its id."""
    last = id_.rsplit(":", 1)[-1]
    for part, words in OTHER.items():
        if part in id_.split(":"):
            return words
    return last


def _is_switch(result: Result, *ways: Direction) -> bool:
    """Whether a result is a switch's, in one of some directions."""
    begin = result.id.split(":")[0]
    return begin in {begins(way, stage) for way in ways or Direction for stage in Stage}


def counts(results: Iterable[Result]) -> dict[str, int]:
    """How many runs met each thing that must never be."""
    by_name = dict.fromkeys(NEVER, 0)
    for result in results:
        checks = {name(problem) for problem in result.problems}
        for words, of in NEVER.items():
            by_name[words] += bool(checks.intersection(of))
    return by_name


def summary(campaign: Campaign) -> str:
    """The last line."""
    results = campaign.results
    longest = max((result.recovery_s for result in results if _is_switch(result)), default=0.0)
    never = ", ".join(f"{count} {words}" for words, count in counts(results).items())
    return (
        f"{len(results)} runs, {len({kind(result.id) for result in results})} kinds, "
        f"{len(campaign.failed)} failed, {never}, {_exceptions(results)}"
        f"longest recovery of a switch {longest:.0f} s (modelled)"
    )


def _exceptions(results: Iterable[Result]) -> str:
    """How many ended without a path in the rows of their own."""
    rows = [
        result for result in results if result.ending != Ending.ITSELF and any(result.stranded[:1])
    ]
    return f"{len(rows)} without a path in rows of their own, " if rows else ""


def paths(results: Sequence[Result]) -> list[str]:
    """Where the spoke had no path: when the process ended, and after the same command once more."""
    lines = [
        "| the spoke has no path | runs | when the process ended | after the same command again |",
        "|---|--:|--:|--:|",
    ]
    switches = [result for result in results if len(result.stranded) == 2]
    for ending in Ending:
        rows = [switch for switch in switches if switch.ending == ending]
        ended, after = (sum(result.stranded[run] for result in rows) for run in (0, 1))
        lines.append(f"| {ending} | {len(rows)} | {ended} | {after} |")
    refused = [switch for switch in switches if switch.ending == Ending.REFUSED]
    if refused:
        lines += ["", "Rejected until the deadline, with the last message of each run:", ""]
    lines += [f"- `{result.id}`: {_shorter(result.last)}" for result in refused]
    return lines


def _shorter(message: str) -> str:
    """A message without what all have in common, cut short."""
    text = re.sub(r"rg-we/virtualNetworks/vnet1/virtualNetworkPeerings/", ".../", message)
    text = text.removeprefix("erfailover: ")
    return text if len(text) <= MESSAGE else f"{text[:MESSAGE]} ..."


def failures(campaign: Campaign) -> str:
    """Each run that did not hold, and how to run it again."""
    lines = []
    for result in campaign.failed:
        lines.append(f"FAILED {result.id}: exit codes {result.codes}")
        lines += [f"    {problem[:400]}" for problem in result.problems]
        lines.append(f"    again: scripts/fault-campaign --cell {result.id}")
    return "\n".join(lines)


def table(campaign: Campaign) -> str:
    """The table for the documentation, between its markers."""
    lines = [
        BEGIN,
        f"{len(campaign.results)} runs of {campaign.can_occur} cells that can occur.",
        "",
        "| trouble | to ipsec | to expressroute | passed over | stopped, then continued "
        "| failed | longest recovery (s) | longest without a path (s) |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    rows: dict[str, list[Result]] = {str(trouble): [] for trouble in Trouble}
    for result in campaign.results:
        rows.setdefault(kind(result.id), []).append(result)
    lines += [_row(words, row) for words, row in rows.items() if row]
    lines.append(_row("**all**", list(campaign.results)))
    lines += ["", *paths(campaign.results)]
    lines += ["", "All of these must be 0:", "", "| | runs |", "|---|--:|"]
    lines += [f"| {words} | {count} |" for words, count in counts(campaign.results).items()]
    lines += ["", "Not run, because it cannot occur or is the same as another cell:", ""]
    lines += [f"- {count}: {reason}" for reason, count in sorted(campaign.cannot.items())]
    lines.append(END)
    return "\n".join(lines)


def _row(words: str, results: Sequence[Result]) -> str:
    ways = [sum(_is_switch(result, way) for result in results) for way in Direction]
    good = [result for result in results if not result.problems]
    over = sum(result.codes[:1] == [0] for result in good)
    switches = [result for result in results if _is_switch(result)]
    longest = max(switch.recovery_s for switch in switches or results)
    without = max(result.without_s for result in results)
    failed = len(results) - len(good)
    cells = (words, *ways, over, len(good) - over, failed, f"{longest:.0f}", f"{without:.0f}")
    return f"| {' | '.join(map(str, cells))} |"


def written_into(text: str, table_: str) -> str:
    """A document with the table between its markers; at its end where there are none."""
    if BEGIN not in text or END not in text:
        return f"{text.rstrip()}\n\n{table_}\n"
    before, _, rest = text.partition(BEGIN)
    return before + table_ + rest.partition(END)[2]
