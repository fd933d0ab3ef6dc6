"""What is at risk while a plan of peerings is carried out, and what is not. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from erfailover.model.conditions import ConditionStatus
from erfailover.model.counting import join_names
from erfailover.model.durations import HOLD_TIME_S, LEARNING_S, DurationEstimate, format_duration
from erfailover.model.plan import (
    Change,
    NextHopWrites,
    PeeringWrite,
    Phase,
    RouteWrite,
    StepKind,
    SwitchPlan,
)
from erfailover.model.prefix_table import ANYWHERE, format_prefixes
from erfailover.model.resource_ids import get_last_name
from erfailover.model.site import ROLE_OF_PATH, Site
from erfailover.planning.hazards.scene import DEFAULT_ROUTE
from erfailover.planning.switch.estimate import SwitchEstimate
from erfailover.planning.switch.procedure import RULES, format_steps


@dataclass(frozen=True, slots=True)
class Risk:
    """Something that is at risk for a while.

    Attributes:
        when: during which steps.
        what: what is at risk, in words.
        usual: for how long; None if there is no estimate.
    """

    when: str
    what: str
    usual: DurationEstimate | None = None


def describe_untouched(plan: SwitchPlan) -> str:
    """Return what no step of a plan puts at risk (``procedure``, invariant 1)."""
    moved = any(
        hazard.name == DEFAULT_ROUTE and hazard.status is ConditionStatus.FAILS
        for hazard in plan.hazards
    )
    what = "t" if moved or _list_moved_egress(plan) else "Internet, NAT, and t"
    return (
        f"{what}raffic between peered VNets: no peering with the primary hub is removed or "
        "loses access"
    )


def list_risks(site: Site, plan: SwitchPlan, expected: SwitchEstimate | None) -> tuple[Risk, ...]:
    """Return what is at risk while a plan is carried out, in the order of its steps."""
    return tuple(_iter_risks(site, plan, expected))


def _iter_risks(site: Site, plan: SwitchPlan, expected: SwitchEstimate | None) -> Iterator[Risk]:
    arriving, leaving = ROLE_OF_PATH[plan.target], ROLE_OF_PATH[plan.target.other]
    hub = get_last_name(site.get_hub(arriving).virtual_network)
    peerings = [step for step in plan.writes if isinstance(step.write, PeeringWrite)]
    added = {step.kind for step in peerings if step.write.change is Change.CREATE}
    if added:
        yield Risk(
            format_steps(added),
            f"new peerings add routes between the spokes and {hub}, and widen the VirtualNetwork "
            "tag of their security groups. No path changes",
        )
    moved = {step.kind for step in plan.writes if step.phase is Phase.SWITCH}
    broken, rule = RULES[StepKind.BREAK], RULES[StepKind.MAKE]
    if StepKind.MOVE_NEXT_HOPS in moved:
        rule = RULES[StepKind.MOVE_NEXT_HOPS]
    if StepKind.BREAK in moved:
        prefixes = format_prefixes(site.remote_prefixes)
        lost = get_last_name(site.get_hub(leaving).gateway)
        yield Risk(
            f"between {broken.number} and {rule.number}, each spoke",
            f"the spoke cannot reach {prefixes}. Traffic that {lost} no longer carries is "
            "unaffected",
            expected.cut if expected else None,
        )
    if moved:
        yield Risk(
            f"after {rule.number}",
            "on-premises routers must learn the new route by BGP: about "
            f"{format_duration(LEARNING_S)} "
            f"(assumed), up to {format_duration(HOLD_TIME_S)} until stale routes expire",
        )
    yield from _iter_egress_risks(plan)
    removed = {step.kind for step in peerings if step.write.change is Change.DELETE}
    if removed:
        yield Risk(
            format_steps(removed),
            "these peerings and their routes are removed; a peering in use is never removed",
        )


def _list_moved_egress(plan: SwitchPlan) -> list[RouteWrite]:
    """Return the default routes whose next hop a plan exchanges, each once."""
    rows = {
        route.route_id.lower(): route
        for step in plan.writes
        if isinstance(step.write, NextHopWrites)
        for route in step.write.routes
        if route.before and route.after and route.after.network == ANYWHERE
    }
    return list(rows.values())


def _iter_egress_risks(plan: SwitchPlan) -> Iterator[Risk]:
    """Yield that the way to the Internet moves, and to which appliance."""
    moved = _list_moved_egress(plan)
    for hop in dict.fromkeys(route.after.next_hop for route in moved if route.after):
        tables = dict.fromkeys(
            get_last_name(route.table_id)
            for route in moved
            if route.after and route.after.next_hop == hop
        )
        yield Risk(
            format_steps({StepKind.MOVE_NEXT_HOPS}),
            f"Internet traffic of {join_names(tables)} moves to the appliance {hop}: existing "
            "flows break, and the public address changes",
        )
