"""What a switch says, and how it ends, if some spokes are not moved while the others are."""

from __future__ import annotations

from collections.abc import Mapping

from erfailover.commands.output import Output
from erfailover.commands.switch.options import Options, insist
from erfailover.errors import (
    AzureErrorKind,
    AzureFailure,
    Failure,
    LeaseLost,
    Refused,
    UnknownReading,
)
from erfailover.model.command_line import switch_to
from erfailover.model.conditions import Condition, ConditionStatus
from erfailover.model.counting import join_names
from erfailover.model.plan import SwitchPlan
from erfailover.model.site import Site
from erfailover.planning.switch.result import Outcome, describe_standing
from erfailover.reporting.way_back import format_way_back

MANY = 10
"""So many spokes are named with their reason."""


def insist_on_others(output: Output, options: Options, plan: SwitchPlan) -> None:
    """Refuse if no spoke is left to move, or if the canary is left out.

    Raises:
        Refused: what keeps a spoke fails.
        UnknownReading: what keeps it is not known.
    """
    if not plan.steps:
        insist(output, options, plan.left_out.values(), "switch")
    if options.canary is not None and options.canary in plan.left_out:
        what = f"switch the canary {options.canary}"
        insist(output, options, [plan.left_out[options.canary]], what)


def build_failure(
    left_out: Mapping[str, Condition],
    failed: Mapping[str, Failure],
    done: str,
    again: str,
    *,
    others: bool,
    standing: str = "",
) -> Failure | None:
    """Return what is raised if some spokes were not moved: with the exit code of the first reason.

    Args:
        left_out: the spokes that the plan left out, and why.
        failed: those that failed, and why.
        done: what was not done to them: ``switched to ipsec``.
        again: what to do once the reasons are gone.
        others: whether it was done to any other spoke.
        standing: where the spokes that failed are now; empty if that is as before.
    """
    reasons = {name: condition.message for name, condition in left_out.items()}
    reasons |= {name: failure.message for name, failure in failed.items()}
    if not reasons:
        return None
    named = join_names((f"{name}: {why}" for name, why in reasons.items()), MANY, "; ")
    subject = "1 spoke was" if len(reasons) == 1 else f"{len(reasons)} spokes were"
    message = f"{subject} not {done}: {named}"
    if standing:
        message = f"{message}; {standing}"
    remedies = dict.fromkeys(
        condition.remedy for condition in [*left_out.values()][:MANY] if condition.remedy
    )
    remedies |= dict.fromkeys(failure.hint for failure in list(failed.values())[:1] if failure.hint)
    hint = " ".join([*([f"The others were {done}."] if others else []), *remedies, again])
    failures = [*map(_to_failure, left_out.values()), *failed.values()]
    first = failures[0]
    if isinstance(first, AzureFailure):
        return AzureFailure(first.kind, message, hint, code=first.code, status=first.status)
    if isinstance(first, Refused | UnknownReading):
        return type(first)(message, hint)
    return AzureFailure(AzureErrorKind.REFUSED, message, hint)


def _to_failure(condition: Condition) -> Failure:
    kind = UnknownReading if condition.status is ConditionStatus.UNKNOWN else Refused
    return kind(condition.message)


def build_stranded_failure(outcome: Outcome) -> Failure | None:
    """Return what is raised if a spoke was left without a path; None if none was."""
    if not outcome.stranded:
        return None
    first = outcome.failed[outcome.stranded[0]]
    message = first.message
    if len(outcome.failed) > 1:
        message = f"{describe_standing(outcome)}: {message}"
    hint = f"Run this now: {switch_to(outcome.target, outcome.chosen)}"
    if isinstance(first, LeaseLost):
        return LeaseLost(
            message, f"The run that holds the lease completes the switch. {first.hint or ''}"
        )
    return AzureFailure(AzureErrorKind.SERVER, message, hint)


def insist_on_any(site: Site, outcome: Outcome) -> None:
    """Raise the first failure if every spoke failed, with where each of them is."""
    if outcome.failed and len(outcome.failed) == len(site.spokes):
        raise _build_total_failure(outcome)


def _build_total_failure(outcome: Outcome) -> Failure:
    if (stranded := build_stranded_failure(outcome)) is not None:
        return stranded
    first = next(iter(outcome.failed.values()))
    hint = first.hint
    if isinstance(first, AzureFailure):
        back = format_way_back("erfailover switch --undo", outcome.target.other, outcome.way_back)
        hint = f"{hint or ''} To go back: {back}".strip()
    return first.reword(f"{first.message}; {describe_standing(outcome)}", hint)
