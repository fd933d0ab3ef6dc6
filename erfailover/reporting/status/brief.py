"""A status that fits a terminal of 24 lines: verdict, picture, what does not hold. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from erfailover.model.claims import Claim, Verdict
from erfailover.reporting.marks import HEALTH_WORD, Mark
from erfailover.reporting.screen import PLAIN, Screen
from erfailover.reporting.status.text import MANY_WARNINGS, beside, marked, opening
from erfailover.reporting.terminal.parts import hub_line
from erfailover.reporting.terminal.picture import terminal_picture
from erfailover.reporting.topology.differences import differences
from erfailover.reporting.topology.model import Picture, SpokeGroup
from erfailover.reporting.words import NO_PATH, path_name, wrap

LINES = 20
"""So many lines a status has at most: 24, without those that say where it is and how it ended."""
DRAWN = 3
"""Of so many groups of spokes a picture is drawn; more are a line each."""
AT_LEAST = 3
"""So many lines of what does not hold are shown, before a picture."""
DETAILS = "erfailover status --details"

Lines = list[list[str]]
"""Entries, each of one line or more."""


def brief(seen: Picture, notes: Sequence[str] = (), screen: Screen = PLAIN) -> str:
    """Return a status for people, as short as it can be.

    Args:
        seen: the site as it can be drawn, with the verdict and its claims.
        notes: what must be known before all else: a drill, a run that did not end.
        screen: what it is shown on.
    """
    first = "\n".join(opening(seen, notes, screen, MANY_WARNINGS)).splitlines()
    told = differences(seen.groups)
    broken = [*_broken(seen, screen)]
    if len(seen.groups) <= DRAWN:
        broken += _notes(seen.groups, told, screen)
        for short in (False, True):
            picture = terminal_picture(seen, screen, brief=short).splitlines()
            for blank in ([""], []):
                room = LINES - len(first) - len(picture) - 2 * len(blank)
                if room >= min(_height(broken), AT_LEAST):
                    return _joined([*first, *blank, *picture], blank, broken, room)
    lines = [*first, ""]
    groups = [_group_lines(*each, screen) for each in zip(seen.groups, told, strict=True)]
    hubs = [line for hub in seen.hubs for line in hub_line(seen, hub, screen)]
    room = LINES - len(lines) - len(hubs) - 1
    kept = min(_height(broken), AT_LEAST) if broken else 0
    lines += _folded(groups, max(room - kept - 1, AT_LEAST), "group")
    return _joined([*lines, *hubs], [""], broken, max(LINES - len(lines) - len(hubs) - 1, AT_LEAST))


def _joined(lines: list[str], blank: list[str], broken: Lines, room: int) -> str:
    """Return the lines with what does not hold below them, and where there is more."""
    lines += [*blank, *_folded(broken, room, "problem")] if broken else []
    if not broken and len(lines) + len(blank) < LINES:
        lines += [*blank, f"Tables: {DETAILS}"]
    return "\n".join(lines)


def _folded(entries: Lines, room: int, noun: str) -> list[str]:
    """Return as many entries as there is room for, and how many more there are."""
    if _height(entries) <= room:
        return [line for entry in entries for line in entry]
    shown: list[str] = []
    for count, entry in enumerate(entries):
        if shown and len(shown) + len(entry) > room - 1:
            more = len(entries) - count
            plural = "" if more == 1 else "s"
            return [*shown, f"{'':9}  and {more} more {noun}{plural}: {DETAILS}"]
        shown += entry
    return shown


def _height(entries: Lines) -> int:
    return sum(map(len, entries))


def _broken(seen: Picture, screen: Screen) -> Iterator[list[str]]:
    """Yield what does not hold, each once: of the path in use, then of the other."""
    told: set[str] = set()
    for group in seen.groups:
        claims = [claim for claim in group.sample.health.claims if _is_bad(claim)]
        entries = [(claim.verdict, claim.seen) for claim in claims]
        wrong = beside(group, group.sample.health.claims)
        if wrong is not None:
            entries.append((Verdict.FAILS, wrong.why))
        for verdict, seen_text in entries:
            if seen_text not in told:
                told.add(seen_text)
                more = _more(group, seen_text)
                yield [*marked(verdict, seen_text + more, screen)]
    for claim in (*seen.health.readiness, *seen.health.left_out.values()):
        if _is_bad(claim) and claim.seen not in told:
            told.add(claim.seen)
            yield [*marked(claim.verdict, claim.seen, screen)]


def _is_bad(claim: Claim) -> bool:
    return claim.verdict is not Verdict.HOLDS


def _more(group: SpokeGroup, told: str) -> str:
    """Return of how many more spokes the like is true; empty if they share this very problem."""
    others = [
        spoke
        for spoke in group.spokes[1:]
        if not any(claim.seen == told for claim in spoke.health.claims)
    ]
    return f" ({group.sample.name}; {len(others)} more are alike)" if others else ""


def _notes(groups: Sequence[SpokeGroup], told: Sequence[str], screen: Screen) -> Lines:
    """Return why the spokes are drawn in several groups, unless that does not hold either."""
    return [
        wrap(
            f"{_who(group, screen)}: {difference}",
            screen.width,
            "     note  ",
            cut_words=True,
            dots=screen.dots,
        )
        for group, difference in zip(groups, told, strict=True)
        if difference and group.condition.mark is Mark.SOUND
    ]


def _who(group: SpokeGroup, screen: Screen) -> str:
    return group.named(at_most=1 if screen.width < 100 else 2)  # noqa: PLR2004


def _group_lines(group: SpokeGroup, difference: str, screen: Screen) -> list[str]:
    """Return a group in one line; in two if the screen is too narrow for how it differs."""
    health = group.sample.health
    mark = group.condition.mark
    path = NO_PATH.get(health.path, path_name(health.path))
    count = f"{len(group.spokes)} spoke{'' if len(group.spokes) == 1 else 's'}"
    first = f"{screen.sign(mark):>2} {count:>10}  {path}, {HEALTH_WORD[health.healthy]}  "
    rest = "  ".join(filter(None, (group.named(at_most=2), difference)))
    lines = wrap(rest, screen.width, first, " " * 15, cut_words=True, dots=screen.dots)
    return [screen.styled(line, screen.style(mark)) for line in lines]
