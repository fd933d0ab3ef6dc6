"""What would keep traffic on the path being left, or bring it back another way. Pure.

Owns the conditions about the surroundings of a spoke. If one FAILS that is not only a warning, a
plan is refused unless forced, or leaves out the spoke if the condition concerns only that one.
An UNKNOWN one is reported and refuses nothing: a missing right to read a table must not keep a
spoke on a dead hub. Each function documents its sources; ``docs/hazards.md`` is for operators.

*Leaving* and *arriving* mean what they mean in ``procedure``: ``--to ipsec`` leaves the primary.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from erfailover.model.conditions import Condition, ConditionStatus
from erfailover.model.observed import SiteSnapshot
from erfailover.model.plan import SwitchPlan
from erfailover.model.routing import RoutingEnvironment
from erfailover.model.site import ROLE_OF_PATH, Path, Site
from erfailover.planning.hazards import hubs, spokes
from erfailover.planning.hazards.coverage import check_coverage
from erfailover.planning.hazards.scene import (
    ADVERTISED,
    APPLIANCES,
    ENFORCED,
    GATEWAY_SUBNET,
    NEXT_HOP,
    PROPAGATION,
    ROUTE_SERVER,
    HazardContext,
    build_unknown,
)
from erfailover.planning.next_hops.surroundings import move_tables


def check_hazards(
    site: Site, surroundings: RoutingEnvironment, observed: SiteSnapshot, target: Path
) -> tuple[Condition, ...]:
    """Return what else could go wrong with a switch of all spokes, and what is left behind.

    Args:
        site: what there should be.
        surroundings: what is around the spokes, see ``azure.readers.routing``.
        observed: what a switch observes anyway.
        target: the path to move to.

    Returns:
        For each of ``scene.NAMES`` and ``scene.REMARKS``, in that order: one condition for every
        hazard found (FAILS) or undecided (UNKNOWN), each with its remedy; or one that HOLDS.
    """
    scene = build_scene(site, surroundings, observed, target)
    arriving, leaving = scene.arriving, scene.leaving
    of_tables = (
        (
            PROPAGATION,
            spokes.check_propagation(scene),
            "every subnet receives gateway routes, or needs none",
        ),
        (
            APPLIANCES,
            spokes.check_appliances(scene),
            f"no route sends a remote prefix through {scene.get_hub_name(leaving)}",
        ),
        (
            NEXT_HOP,
            spokes.check_next_hops(scene),
            "no route has a next hop that a gateway does not support",
        ),
    )
    conditions: list[Condition] = []
    unread = tuple(spokes.list_unread_tables(scene))
    for name, checks, well in of_tables:
        conditions += _summarize(
            name, [*checks, *(build_unknown(name, why) for why in unread)], well
        )
    hub = scene.get_hub_name(arriving)
    conditions += _summarize(
        GATEWAY_SUBNET,
        hubs.check_gateway_subnet(scene),
        f"no route table diverts traffic at {hub}/GatewaySubnet",
    )
    well = f"{scene.get_hub_name(leaving)} has no Route Server whose routes the spokes need"
    conditions += _summarize(ROUTE_SERVER, hubs.check_route_server(scene), well)
    well = f"{scene.get_hub_name(leaving)} stops advertising the spokes' prefixes after a switch"
    conditions += _summarize(ADVERTISED, hubs.check_advertised(scene), well)
    well = "no Virtual Network Manager enforces a peering"
    conditions += _summarize(ENFORCED, hubs.check_enforced(scene), well)
    return (*conditions, *check_coverage(scene))


def check_left_behind(
    site: Site, surroundings: RoutingEnvironment, observed: SiteSnapshot
) -> tuple[Condition, ...]:
    """Return what a switch to IPsec leaves behind, and what could not be decided."""
    scene = build_scene(site, surroundings, observed, Path.IPSEC)
    return (*hubs.check_enforced(scene), *check_coverage(scene))


def build_scene(
    site: Site, surroundings: RoutingEnvironment, observed: SiteSnapshot, target: Path
) -> HazardContext:
    """Return what every check of a switch to a path looks at.

    The route tables whose next hops the switch moves are judged as it leaves them.
    """
    moved = move_tables(site, surroundings, observed, target)
    return HazardContext(site, moved, observed, ROLE_OF_PATH[target], ROLE_OF_PATH[target.other])


def add_hazards(
    plan: SwitchPlan, conditions: tuple[Condition, ...], *, pass_by: bool
) -> SwitchPlan:
    """Return a plan with its hazards, without the spokes that one of them concerns.

    Args:
        plan: a plan of a switch.
        conditions: the hazards.
        pass_by: whether they are overridden, so that every spoke stays in the plan.
    """
    plan = replace(plan, hazards=conditions)
    leaving = {step.spoke for step in plan.steps if step.takes_off}
    left_out: dict[str, Condition] = {}
    for condition in conditions:
        if condition.status is ConditionStatus.FAILS and condition.spoke in leaving and not pass_by:
            left_out.setdefault(condition.spoke, condition)
    return plan.drop_spokes(left_out)


def _summarize(name: str, conditions: Iterable[Condition], well: str) -> list[Condition]:
    return list(dict.fromkeys(conditions)) or [Condition(name, ConditionStatus.HOLDS, well)]
