"""The command that goes back, with the reason if it would be refused. Pure.

Used by everything that shows the command that undoes a switch. The reasons are those of
``planning.switch.gates.list_refusals``, from the same reading.
"""

from __future__ import annotations

from collections.abc import Sequence

from erfailover.model.conditions import Condition, ConditionStatus
from erfailover.reporting.words import format_path


def format_way_back(command: str, target: str, refusals: Sequence[Condition]) -> str:
    """Return the command that goes back, with the reason if it would be refused now.

    Args:
        command: what to type.
        target: the path that it leads to.
        refusals: what it would be refused for.
    """
    return add_refusal(command, explain_refusals(target, refusals))


def add_refusal(command: str, refused: str | None) -> str:
    """Return a command, with why it would be refused now."""
    return f"{command} (refused for now: {refused})" if refused else command


def explain_refusals(target: str, refusals: Sequence[Condition]) -> str:
    """Return why a switch to a path would be refused: ``ExpressRoute is not ready: ...``."""
    if not refusals:
        return ""
    fails = any(condition.status is ConditionStatus.FAILS for condition in refusals)
    reasons = [
        item.message for item in refusals if not fails or item.status is ConditionStatus.FAILS
    ]
    is_ready = (
        f"{format_path(target)} is not ready"
        if fails
        else (f"whether {format_path(target)} is ready is unknown")
    )
    return f"{is_ready}: {'; '.join(dict.fromkeys(reasons))}"
