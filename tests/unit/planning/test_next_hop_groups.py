"""Spokes that share route tables: what goes together, in which order, and what each does next."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from itertools import product

import pytest

from erfailover.model.conditions import Condition, ConditionStatus
from erfailover.model.observed import Reading, SiteSnapshot
from erfailover.model.plan import NextHopWrites, StepKind, SwitchPlan
from erfailover.model.route_tables import APPLIANCE, RouteTable, UserRoute
from erfailover.model.site import Path, Site, SpokeRouteTable
from erfailover.planning.next_hops.groups import Turn, choose_turn, iter_in_order, keep_together
from erfailover.planning.switch import procedure
from erfailover.planning.switch.schedule import schedule, split_batches
from tests.support import sites

NAMES = ("vnet1", "vnet4", "vnet5")
USED = {"vnet1": ("a",), "vnet4": ("a", "b"), "vnet5": ("c",)}
TIED = ("vnet1", "vnet4")
WHY = Condition("x", ConditionStatus.FAILS, "it is busy", "Wait.")


def make_site() -> Site:
    here, there = IPv4Address("10.2.1.4"), IPv4Address("10.3.1.4")
    return replace(
        sites.site(*NAMES), routing=tuple(SpokeRouteTable(name, here, there) for name in "abc")
    )


SITE = make_site()


def observe() -> SiteSnapshot:
    """All spokes on ExpressRoute; both GatewaySubnets send every spoke by the appliance."""
    snapshot = sites.make_snapshot(SITE, sites.make_state(Path.EXPRESSROUTE, SITE))
    networks, tables = dict(snapshot.networks), {}
    users: dict[str, list[str]] = {name: [] for name in "abc"}
    for name, used in USED.items():
        key = SITE.build_network_id(name)
        ids = [SITE.build_route_table_id(table).lower() for table in used]
        subnets = tuple((f"s{n}", id_) for n, id_ in enumerate(ids))
        networks[key.lower()] = replace(networks[key.lower()], subnet_tables=subnets)
        for n, table in enumerate(used):
            users[table].append(f"{key}/subnets/s{n}")
    default = UserRoute("default", "0.0.0.0/0", APPLIANCE, "10.2.1.4")
    for table, subnets_ in users.items():
        id_ = SITE.build_route_table_id(table)
        tables[id_.lower()] = Reading(RouteTable(id_, False, (default,), tuple(subnets_)))
    for hub, hop in (("vnet2", "10.2.1.4"), ("vnet3", "10.3.1.4")):
        id_, key = SITE.build_route_table_id(hub), SITE.build_network_id(hub).lower()
        routes = tuple(
            UserRoute(
                name,
                str(networks[SITE.build_network_id(name).lower()].address_space[0]),
                APPLIANCE,
                hop,
            )
            for name in NAMES
        )
        tables[id_.lower()] = Reading(RouteTable(id_, True, routes))
        networks[key] = replace(networks[key], subnet_tables=(("gatewaysubnet", id_.lower()),))
    return replace(snapshot, networks=networks, route_tables=tables)


def plan(*, tied: bool) -> SwitchPlan:
    planned = procedure.plan(SITE, observe(), Path.IPSEC)
    assert planned.left_out == {}
    return replace(planned, tied=planned.sharing if tied else (), leaves_healthy=NAMES)


def test_the_spokes_that_share_a_table_are_named_and_the_others_are_not() -> None:
    assert plan(tied=False).sharing == (TIED,)


@pytest.mark.parametrize("name", TIED)
def test_a_tied_group_is_left_out_with_one_of_it(name: str) -> None:
    rest = keep_together(plan(tied=True).drop_spokes({name: WHY}))
    assert set(rest.left_out) == set(TIED)
    assert {step.spoke for step in rest.steps} == {"vnet5"}
    (other,) = set(TIED) - {name}
    assert rest.left_out[other].message == (
        f"it shares a route table with {name}, which is left out: it is busy"
    )


def test_one_of_a_group_that_is_not_tied_is_left_out_alone() -> None:
    rest = keep_together(plan(tied=False).drop_spokes({"vnet1": WHY}))
    assert set(rest.left_out) == {"vnet1"}


def test_a_tied_group_with_a_spoke_off_its_path_goes_on() -> None:
    planned = plan(tied=True)
    steps = tuple(
        step for step in planned.steps if (step.spoke, step.kind) != ("vnet4", StepKind.BREAK)
    )
    rest = keep_together(replace(planned, steps=steps).drop_spokes({"vnet1": WHY}))
    assert set(rest.left_out) == {"vnet1"}


def test_by_hand_a_shared_table_is_written_once_after_the_last_make_of_its_group() -> None:
    kinds = [(step.spoke, step.kind) for step in iter_in_order(plan(tied=True))]
    moves = [n for n, (_, kind) in enumerate(kinds) if kind is StepKind.MOVE_NEXT_HOPS]
    makes = {name: kinds.index((name, StepKind.MAKE)) for name in NAMES}
    of_tied = [n for n in moves if kinds[n][0] in TIED]
    assert min(of_tied) > max(makes[name] for name in TIED)
    routes = [
        route.route_id
        for step in iter_in_order(plan(tied=True))
        if isinstance(step.write, NextHopWrites)
        for route in step.write.routes
    ]
    assert len(routes) == len(set(routes)) == 3
    assert len(kinds) == len(plan(tied=True).steps)


@pytest.mark.parametrize("tied", [True, False])
def test_spokes_that_share_a_table_wait_for_one_anothers_preparation(tied: bool) -> None:
    nodes = {node.id: node for node in schedule(SITE, plan(tied=tied))}
    prepared = {f"{name}/{number}" for name in TIED for number in (1, 2)}
    for name in TIED:
        node = nodes[f"{name}/3"]
        assert prepared <= node.needs | node.after
        assert (prepared <= node.needs) is tied
    assert not prepared & nodes["vnet5/3"].needs


def test_a_canary_brings_its_group_along() -> None:
    first, *_ = split_batches(SITE, plan(tied=True), "vnet4")
    assert first.is_canary
    assert {name for name, _ in first.members} == set(TIED)


def test_next_hops_complete_what_the_make_began() -> None:
    node = next(n for n in schedule(SITE, plan(tied=True)) if n.id == "vnet1/9")
    assert node.completes
    assert "vnet1/4" in node.needs


@pytest.mark.parametrize("made", list(product((True, False, None), repeat=3)))
def test_what_a_spoke_that_was_made_does_next(made: tuple[bool | None, ...]) -> None:
    assert choose_turn(tied=False, made=made) is Turn.MOVE
    turn = choose_turn(tied=True, made=made)
    assert (turn is Turn.RETURN) is (False in made)
    assert (turn is Turn.MOVE) is all(made)
