"""The first line of a status: the verdict in plain words, of one spoke or of hundreds. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from erfailover.model.conditions import ConditionStatus
from erfailover.model.counting import join_names
from erfailover.planning.conditions import combine_verdicts
from erfailover.planning.health import Health, SpokeHealth
from erfailover.reporting.marks import HEALTH_WORD, SHORT_HEALTH_WORD
from erfailover.reporting.words import format_path

NAMED = 3
"""Up to this many spokes are named; of more, only the number is given."""


def format_headline(health: Health, *, drill: bool = False) -> str:
    """Return the verdict in one line.

    Args:
        health: the verdict.
        drill: whether a drill is known to run, so that a failure is expected.
    """
    by_path: dict[str, list[SpokeHealth]] = {}
    for spoke in health.spokes:
        by_path.setdefault(spoke.path, []).append(spoke)
    (path, most), *others = sorted(by_path.items(), key=lambda items: -len(items[1]))
    parts = [
        _describe_most(path, most),
        *(_describe_rest(where, spokes) for where, spokes in others),
    ]
    parts.append(_describe_readiness(health))
    return ("DRILL: " if drill else "") + " ".join(filter(None, parts))


def format_names(spokes: Sequence[SpokeHealth]) -> str:
    """Their names; of many, the first and how many more."""
    return join_names([spoke.name for spoke in spokes], NAMED)


def _format_subject(spokes: Sequence[SpokeHealth]) -> str:
    """Who: by name, or how many."""
    return format_names(spokes) if len(spokes) <= NAMED else f"{len(spokes)} spokes"


def _describe_most(path: str, spokes: Sequence[SpokeHealth]) -> str:
    """Return the path that most spokes are on, and whether it works for them."""
    subject, verb = _format_subject(spokes), "is" if len(spokes) == 1 else "are"
    if path == "unknown":
        return f"The path of {subject} is unknown."
    if path == "none":
        return f"{subject} {verb} on NO path: no remote gateway is in use."
    return f"{subject} {verb} on {format_path(path)}; {_describe_health(spokes)}."


def _describe_rest(path: str, spokes: Sequence[SpokeHealth]) -> str:
    """Return which spokes are on another path than most, and on which."""
    count, verb = len(spokes), "is" if len(spokes) == 1 else "are"
    if path == "unknown":
        return f"The path of {count} is unknown: {format_names(spokes)}."
    if path == "none":
        return f"{count} {verb} on NO path: {format_names(spokes)}."
    names = format_names(spokes)
    return f"{count} {verb} on {format_path(path)} ({names}); {_describe_health(spokes)}."


def _describe_health(spokes: Sequence[SpokeHealth]) -> str:
    """Return whether the path works for all of them, or for which it does not."""
    states = {spoke.healthy for spoke in spokes}
    if len(states) == 1:
        return HEALTH_WORD[states.pop()]
    return "; ".join(_list_exceptions(spokes))


def _list_exceptions(spokes: Sequence[SpokeHealth]) -> Iterator[str]:
    for state in (False, None):
        spoke_healths = [spoke for spoke in spokes if spoke.healthy is state]
        if spoke_healths:
            count = f"{len(spoke_healths)} of {len(spokes)}"
            yield f"{count} {SHORT_HEALTH_WORD[state]}: {format_names(spoke_healths)}"


def _describe_readiness(health: Health) -> str:
    if health.other is None:
        return ""
    other, left_out = format_path(health.other), list(health.left_out)
    site_is_ready = combine_verdicts(health.readiness) is ConditionStatus.HOLDS
    if site_is_ready and left_out and len(left_out) < len(health.spokes):
        count = f"{len(health.spokes) - len(left_out)} of {len(health.spokes)}"
        return f"{other} is ready to take over {count}, not {join_names(left_out, NAMED)}."
    if health.ready is ConditionStatus.HOLDS:
        return f"{other} is ready to take over."
    if health.ready is ConditionStatus.FAILS:
        return f"{other} is NOT ready."
    return f"Whether {other} is ready is unknown."
