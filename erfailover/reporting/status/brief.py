"""A status that fits a terminal of 24 lines: verdict, picture, problems. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from erfailover.model.conditions import Condition, ConditionStatus
from erfailover.model.counting import format_count
from erfailover.reporting.marks import HEALTH_WORD, Mark
from erfailover.reporting.screen import PLAIN, WIDTH, Screen
from erfailover.reporting.status.text import (
    MANY_WARNINGS,
    format_opening,
    format_verdict_lines,
    iter_other_problems,
)
from erfailover.reporting.terminal.parts import format_hub_line
from erfailover.reporting.terminal.picture import draw_picture
from erfailover.reporting.topology.differences import describe_differences
from erfailover.reporting.topology.model import Picture, SpokeGroup
from erfailover.reporting.words import NO_PATH, cut_long_words, cut_middle, format_path, wrap

LINES = 20
"""A status has at most this many lines: 24, less those for the context and the result."""
DRAWN = 3
"""Up to this many groups of spokes are drawn as a picture; more are listed, a line each."""
AT_LEAST = 3
"""At least this many lines of problems are shown, even instead of a picture."""
GROUP_LINES = 2
"""A group has at most this many lines."""
DETAILS = "erfailover status --details"

Lines = list[list[str]]
"""Entries, each of one line or more."""


def format_brief(result: Picture, notes: Sequence[str] = (), screen: Screen = PLAIN) -> str:
    """Return a status for people, as short as it can be.

    Args:
        result: the site as it can be drawn, with the verdict and its conditions.
        notes: what comes first: a drill, an unfinished run.
        screen: what it is shown on.
    """
    first = "\n".join(format_opening(result, notes, screen, MANY_WARNINGS)).splitlines()
    differing = describe_differences(result.groups)
    broken = [*_iter_broken(result, screen)]
    if len(result.groups) <= DRAWN:
        below = [*broken, *_format_notes(result.groups, differing, screen)]
        for short in (False, True):
            picture = draw_picture(result, screen, brief=short).splitlines()
            for blank in ([""], []):
                room = LINES - len(first) - len(picture) - 2 * len(blank)
                if room >= min(_count_lines(below), AT_LEAST):
                    return _join_parts([*first, *blank, *picture], blank, below, room)
    groups = [*_group_lines(result.groups, differing, screen)]
    hubs = [line for hub in result.hubs for line in format_hub_line(result, hub, screen)]
    count = min(_count_lines(broken), AT_LEAST)
    room = LINES - len(first) - len(hubs) - count
    blank = [""] if room > _count_lines(groups) + 1 else []
    lines = [*first, *blank, *_fold_entries(groups, room - 2 * len(blank), "group"), *hubs]
    return _join_parts(lines, blank, broken, LINES - len(lines) - len(blank))


def _join_parts(lines: list[str], blank: list[str], broken: Lines, room: int) -> str:
    """Return the lines with the problems below them, and where to find more."""
    lines += [*blank, *_fold_entries(broken, room)] if broken else []
    if not broken and len(lines) < LINES:
        lines += [*(blank if len(lines) + len(blank) < LINES else ()), f"Tables: {DETAILS}"]
    return "\n".join(lines)


def _fold_entries(entries: Lines, room: int, noun: str = "") -> list[str]:
    """Return as many entries as there is room for, and how many more there are."""
    if _count_lines(entries) <= room:
        return [line for entry in entries for line in entry]
    lines: list[str] = []
    for count, entry in enumerate(entries):
        if lines and len(lines) + len(entry) > room - 1:
            more = len(entries) - count
            what = format_count(more, f"more {noun}") if noun else f"{more} more"
            return [*lines, f"{'':11}and {what}: {DETAILS}"]
        lines += entry[: max(room - 1, 1)]
    return lines


def _count_lines(entries: Lines) -> int:
    return sum(map(len, entries))


def _iter_broken(picture: Picture, screen: Screen) -> Iterator[list[str]]:
    """Yield the problems, each once: those of the path in use, then those of the other."""
    names: set[str] = set()
    for group in picture.groups:
        conditions = [
            condition for condition in group.sample.health.conditions if _is_bad(condition)
        ]
        entries = [(condition.status, condition.message) for condition in conditions]
        entries += [(ConditionStatus.FAILS, wrong.why) for wrong in iter_other_problems(group)]
        for verdict, seen_text in entries:
            if seen_text not in names:
                names.add(seen_text)
                more = _format_more(group, seen_text)
                yield [*format_verdict_lines(verdict, seen_text + more, screen)]
    for checked in picture.health.readiness:
        if _is_bad(checked) and checked.message not in names:
            names.add(checked.message)
            yield [*format_verdict_lines(checked.status, checked.message, screen)]
    for name, checked in picture.health.left_out.items():
        yield [
            *format_verdict_lines(
                checked.status, f"{name} would be left out: {checked.message}", screen
            )
        ]


def _is_bad(condition: Condition) -> bool:
    return condition.status is not ConditionStatus.HOLDS


def _format_more(group: SpokeGroup, problem: str) -> str:
    """Return how many more spokes have a similar problem; empty if they share this exact one."""
    others = [
        spoke
        for spoke in group.spokes[1:]
        if not any(condition.message == problem for condition in spoke.health.conditions)
    ]
    return f" ({group.sample.name} and {len(others)} more like it)" if others else ""


def _format_notes(groups: Sequence[SpokeGroup], differing: Sequence[str], screen: Screen) -> Lines:
    """Return why the spokes are drawn in several groups, for the groups without problems."""
    return [
        wrap(
            cut_long_words(
                f"{_format_short_names(group, screen)}: {difference}",
                screen.width // 3,
                screen.dots,
            ),
            screen.width,
            "     note  ",
        )
        for group, difference in zip(groups, differing, strict=True)
        if difference and group.condition.mark is Mark.SOUND
    ]


def _format_names(group: SpokeGroup, screen: Screen) -> str:
    return group.format_names(at_most=1 if screen.width < WIDTH else 2)


def _format_short_names(group: SpokeGroup, screen: Screen) -> str:
    """Return one name, and how many more, in a third of the screen; all of that if it fits."""
    room = screen.width // 3
    name = _format_names(group, screen)
    if len(name) <= room:
        return name
    more = group.format_names(at_most=1).removeprefix(group.sample.name)
    return cut_middle(group.sample.name, room - len(more), screen.dots) + more


def _group_lines(
    groups: Sequence[SpokeGroup], differing: Sequence[str], screen: Screen
) -> Iterator[list[str]]:
    """Yield each group in one line; in two if the screen is too narrow for how it differs."""
    counts = [format_count(len(group.spokes), "spoke") for group in groups]
    names = [_format_short_names(group, screen) for group in groups]
    widths = [max(map(len, column)) for column in (counts, names)]
    for group, count, name, difference in zip(groups, counts, names, differing, strict=True):
        health, mark = group.sample.health, group.condition.mark
        path = NO_PATH.get(health.path, format_path(health.path))
        first = f"{screen.get_sign(mark):>2} {count:>{widths[0]}}  {name:<{widths[1]}}  "
        text = f"{path}, {HEALTH_WORD[health.healthy]}  {difference}".strip()
        text = cut_long_words(text, screen.width // 3, screen.dots)
        lines = wrap(text, screen.width, first, " " * (widths[0] + 5))
        if len(lines) > GROUP_LINES:
            last = lines[GROUP_LINES - 1]
            if len(f"{last} {screen.dots}") > screen.width:
                last = last.rpartition(" ")[0]
            lines = [*lines[: GROUP_LINES - 1], f"{last} {screen.dots}"]
        yield [screen.apply_style(line, screen.get_style(mark)) for line in lines]
