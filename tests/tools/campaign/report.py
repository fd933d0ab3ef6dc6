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
        return [each for each in self.results if each.problems]


def kind(id_: str) -> str:
    """The kind of trouble of a result, by its id."""
    last = id_.rsplit(":", 1)[-1]
    for part, words in OTHER.items():
        if part in id_.split(":"):
            return words
    return last


def _switched(result: Result, *ways: Direction) -> bool:
    """Whether a result is a switch's, in one of some directions."""
    begin = result.id.split(":")[0]
    return begin in {begins(way, stage) for way in ways or Direction for stage in Stage}


def counts(results: Iterable[Result]) -> dict[str, int]:
    """How many runs met each thing that must never be."""
    found = dict.fromkeys(NEVER, 0)
    for each in results:
        checks = {name(problem) for problem in each.problems}
        for words, of in NEVER.items():
            found[words] += bool(checks.intersection(of))
    return found


def summary(campaign: Campaign) -> str:
    """The last line."""
    results = campaign.results
    longest = max((each.recovery_s for each in results if _switched(each)), default=0.0)
    never = ", ".join(f"{count} {words}" for words, count in counts(results).items())
    return (
        f"{len(results)} runs, {len({kind(each.id) for each in results})} kinds, "
        f"{len(campaign.failed)} failed, {never}, {_exceptions(results)}"
        f"longest recovery of a switch {longest:.0f} s (modelled)"
    )


def _exceptions(results: Iterable[Result]) -> str:
    """How many ended without a path in the rows of their own."""
    found = [each for each in results if each.ending != Ending.ITSELF and any(each.stranded[:1])]
    return f"{len(found)} without a path in rows of their own, " if found else ""


def paths(results: Sequence[Result]) -> list[str]:
    """Where the spoke had no path: when the process ended, and after the same command once more."""
    lines = [
        "| the spoke has no path | runs | when the process ended | after the same command again |",
        "|---|--:|--:|--:|",
    ]
    switches = [each for each in results if len(each.stranded) == 2]
    for ending in Ending:
        mine = [each for each in switches if each.ending == ending]
        ended, after = (sum(each.stranded[run] for each in mine) for run in (0, 1))
        lines.append(f"| {ending} | {len(mine)} | {ended} | {after} |")
    refused = [each for each in switches if each.ending == Ending.REFUSED]
    if refused:
        lines += ["", "Refused until the deadline, with the last message of each:", ""]
    lines += [f"- `{each.id}`: {_shorter(each.last)}" for each in refused]
    return lines


def _shorter(message: str) -> str:
    """A message without what all have in common, cut short."""
    text = re.sub(r"rg-we/virtualNetworks/vnet1/virtualNetworkPeerings/", ".../", message)
    text = text.removeprefix("erfailover: ")
    return text if len(text) <= MESSAGE else f"{text[:MESSAGE]} ..."


def failures(campaign: Campaign) -> str:
    """Each run that did not hold, and how to run it again."""
    lines = []
    for each in campaign.failed:
        lines.append(f"FAILED {each.id}: exit codes {each.codes}")
        lines += [f"    {problem[:400]}" for problem in each.problems]
        lines.append(f"    again: scripts/fault-campaign --cell {each.id}")
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
    rows: dict[str, list[Result]] = {str(each): [] for each in Trouble}
    for each in campaign.results:
        rows.setdefault(kind(each.id), []).append(each)
    lines += [_row(words, found) for words, found in rows.items() if found]
    lines.append(_row("**all**", list(campaign.results)))
    lines += ["", *paths(campaign.results)]
    lines += ["", "Of each of these there must be none:", "", "| | runs |", "|---|--:|"]
    lines += [f"| {words} | {count} |" for words, count in counts(campaign.results).items()]
    lines += ["", "Not run, because it cannot occur or is the same as another cell:", ""]
    lines += [f"- {count}: {reason}" for reason, count in sorted(campaign.cannot.items())]
    lines.append(END)
    return "\n".join(lines)


def _row(words: str, found: Sequence[Result]) -> str:
    ways = [sum(_switched(each, way) for each in found) for way in Direction]
    good = [each for each in found if not each.problems]
    over = sum(each.codes[:1] == [0] for each in good)
    switches = [each for each in found if _switched(each)]
    longest = max(each.recovery_s for each in switches or found)
    without = max(each.without_s for each in found)
    failed = len(found) - len(good)
    cells = (words, *ways, over, len(good) - over, failed, f"{longest:.0f}", f"{without:.0f}")
    return f"| {' | '.join(map(str, cells))} |"


def written_into(text: str, table_: str) -> str:
    """A document with the table between its markers; at its end where there are none."""
    if BEGIN not in text or END not in text:
        return f"{text.rstrip()}\n\n{table_}\n"
    before, _, rest = text.partition(BEGIN)
    return before + table_ + rest.partition(END)[2]
