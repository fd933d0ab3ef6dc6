"""What is at risk while a plan of peerings is carried out, and what is not. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from erfailover.model.claims import Verdict
from erfailover.model.durations import HOLD_TIME_S, LEARNING_S, Usual, duration
from erfailover.model.plan import Change, Phase, StepKind, SwitchPlan
from erfailover.model.prefix_table import listed
from erfailover.model.resource_ids import last_of
from erfailover.model.site import ROLE_OF_PATH, Site
from erfailover.planning.hazards.scene import DEFAULT_ROUTE
from erfailover.planning.switch.estimate import Expected
from erfailover.planning.switch.procedure import RULES, in_words


@dataclass(frozen=True, slots=True)
class Risk:
    """Something that is at risk for a while.

    Attributes:
        when: during which steps.
        what: what is at risk, in words.
        usual: for how long; None if that is not an estimate of ours.
    """

    when: str
    what: str
    usual: Usual | None = None


def untouched(plan: SwitchPlan) -> str:
    """Return what no step of a plan puts at risk (``procedure``, invariant 1)."""
    moved = any(
        each.name == DEFAULT_ROUTE and each.verdict is Verdict.FAILS for each in plan.hazards
    )
    what = "t" if moved else "Internet and NAT, and t"
    return (
        f"{what}raffic between peered VNets: no peering with the primary hub is removed, and none "
        "loses access"
    )


def risks(site: Site, plan: SwitchPlan, expected: Expected | None) -> tuple[Risk, ...]:
    """Return what is at risk while a plan is carried out, in the order of its steps."""
    return tuple(_risks(site, plan, expected))


def _risks(site: Site, plan: SwitchPlan, expected: Expected | None) -> Iterator[Risk]:
    arriving, leaving = ROLE_OF_PATH[plan.target], ROLE_OF_PATH[plan.target.other]
    hub = last_of(site.hub(arriving).virtual_network)
    added = {step.kind for step in plan.writes if step.write.change is Change.CREATE}
    if added:
        yield Risk(
            in_words(added),
            f"new peerings add routes between the spokes and {hub}, and widen the VirtualNetwork "
            "tag of their security groups. No path changes",
        )
    moved = {step.kind for step in plan.writes if step.phase is Phase.SWITCH}
    broken, made = RULES[StepKind.BREAK], RULES[StepKind.MAKE]
    if StepKind.BREAK in moved:
        prefixes = listed(site.remote_prefixes)
        lost = last_of(site.hub(leaving).gateway)
        yield Risk(
            f"between {broken.number} and {made.number}, each spoke",
            f"the spoke cannot reach {prefixes}. Traffic that {lost} no longer carries is "
            "unaffected",
            expected.cut if expected else None,
        )
    if moved:
        yield Risk(
            f"after {made.number}",
            f"on-premises routers must learn the new route by BGP: about {duration(LEARNING_S)} "
            f"(assumed), up to {duration(HOLD_TIME_S)} until stale routes expire",
        )
    removed = {step.kind for step in plan.writes if step.write.change is Change.DELETE}
    if removed:
        yield Risk(
            in_words(removed),
            "the routes of these peerings go; none is removed that carries a path",
        )
