"""Whether a drill that switches spokes to the backup path and back may begin. Pure.

A drill takes spokes off a path that works, so everything has to be healthy before: the site, the
backup path for these spokes, and the way back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from erfailover.errors import Refused, UnknownReading
from erfailover.model.conditions import Condition, ConditionStatus
from erfailover.model.counting import join_names
from erfailover.model.durations import format_duration
from erfailover.model.history import RunRecord
from erfailover.model.plan import SwitchPlan
from erfailover.model.site import Path
from erfailover.model.watch import Pause
from erfailover.planning.drill.state import STOP, DrillState
from erfailover.planning.health import HEALTHY, Health

MANY = 6
"""So many reasons of a refusal are shown."""
STATUS_OF = {healthy: status for status, healthy in HEALTHY.items()}


def check_site(
    health: Health,
    state: DrillState,
    unfinished: RunRecord | None,
    state_problems: Sequence[str] = (),
    pause: Pause | None = None,
    now: float = 0.0,
) -> Iterator[Condition]:
    """Yield what does not hold of the site as a whole.

    Args:
        health: the verdict on the whole site.
        state: whether a simulated failure of the primary path is running.
        unfinished: the last run, if it is unfinished.
        state_problems: what is wrong with the journal and the lease, in words.
        pause: the pause of ``erfailover watch`` that an operator asked for; None for none.
        now: in seconds since 1970.
    """
    if pause is not None and not pause.is_over(now):
        left = f" for another {format_duration(pause.until - now)}" if pause.until else ""
        by = f" by {pause.by}" if pause.by else ""
        message = f"the site is paused{by}{left}: {pause.reason}"
        yield _fail("site_is_not_paused", message, "To end the pause: erfailover resume")
    if unfinished is not None:
        message = f"run {unfinished.id} ({unfinished.brief}) is unfinished"
        yield _fail("no_run_is_unfinished", message, f"Run this first: {unfinished.to_continue}")
    for problem in state_problems:
        yield Condition("state_can_be_read", ConditionStatus.UNKNOWN, problem)
    if state.running is not False:
        message = state.description or "whether a drill is running is unknown"
        status = ConditionStatus.FAILS if state.running else ConditionStatus.UNKNOWN
        remedy = f"To stop it: {STOP}" if state.running else ""
        yield Condition("no_drill_is_running", status, message, remedy)
    yield from _check_spokes(health)
    for warning in health.warnings:
        yield _fail("nothing_is_degraded", warning, "")


def _check_spokes(health: Health) -> Iterator[Condition]:
    for spoke in health.spokes:
        if spoke.path in (Path.IPSEC, "none"):
            where = "is on IPsec" if spoke.path == Path.IPSEC else "has NO path"
            remedy = "To switch back: erfailover switch --to expressroute"
            message = f"{spoke.name} {where}; expected ExpressRoute"
            yield _fail("spoke_is_on_expressroute", message, remedy)
        elif not spoke.healthy:
            message = f"{spoke.name} is not healthy: {'; '.join(spoke.reasons)}"
            yield Condition(
                "spoke_is_healthy", STATUS_OF[spoke.healthy], message, "See erfailover status."
            )


def check_plan(
    plan: SwitchPlan, canaries: Collection[str], hazards: Sequence[Condition] = ()
) -> Iterator[Condition]:
    """Yield what does not hold for the way there, and for the way back.

    Args:
        plan: the switch of the canaries to the backup path.
        canaries: their names.
        hazards: what a switch would be refused for beside the guards.
    """
    checks = [*plan.guards, *plan.left_out.values(), *plan.way_back, *hazards]
    for check in checks:
        if check.status is not ConditionStatus.HOLDS:
            yield replace(check, remedy=check.remedy.replace("--spoke", "--canary"))
    left = plan.left_out.keys()
    unmoved = [name for name in canaries if name not in plan.leaves_healthy and name not in left]
    if unmoved:
        message = f"{join_names(unmoved)} would not be taken off a healthy ExpressRoute path"
        yield _fail("canary_is_on_a_healthy_path", message, "See erfailover status.")


def insist(conditions: Sequence[Condition], what: str) -> None:
    """Refuse unless there is nothing that does not hold.

    Raises:
        Refused: something is less than healthy.
        UnknownReading: nothing is known to be, but something is unknown.
    """
    if not conditions:
        return
    messages = dict.fromkeys(condition.message for condition in conditions)
    remedies = dict.fromkeys(filter(None, (condition.remedy for condition in conditions)))
    hint = " ".join(["Nothing was changed.", *list(remedies)[:MANY]])
    message = join_names(messages, MANY, "; ")
    if any(condition.status is ConditionStatus.FAILS for condition in conditions):
        raise Refused(f"refusing to {what}: {message}", hint)
    raise UnknownReading(f"refusing to {what} on an unknown reading: {message}", hint)


def _fail(name: str, message: str, remedy: str) -> Condition:
    return Condition(name, ConditionStatus.FAILS, message, remedy)
