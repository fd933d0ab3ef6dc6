"""Which spokes a plan leaves out and why, and which peerings it syncs, in every legal state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Network
from typing import Any

import pytest

from erfailover.model.conditions import Condition, ConditionStatus
from erfailover.model.observed import Peering, SiteSnapshot, VirtualNetwork
from erfailover.model.plan import Change, Phase
from erfailover.model.site import Path, Role
from erfailover.planning.hazards.checks import add_hazards
from erfailover.planning.health import judge
from erfailover.planning.switch import gates, prestage, procedure
from tests.support import sites
from tests.support.peering_states import IN_B, OUT_B, OUT_P, SITE, STATES
from tests.support.sites import HUB_LENDS, SPOKE_USES

TWO = sites.site("vnet1", "vnet4")


def change_network(
    snapshot: SiteSnapshot, name: str, change: Callable[[VirtualNetwork], VirtualNetwork]
) -> SiteSnapshot:
    key = TWO.build_network_id(name).lower()
    return replace(snapshot, networks={**snapshot.networks, key: change(snapshot.networks[key])})


def peerings(snapshot: SiteSnapshot, **fields: Any) -> SiteSnapshot:
    """The same, every peering with some fields changed."""
    networks = {
        key: replace(network, peerings=tuple(replace(one, **fields) for one in network.peerings))
        for key, network in snapshot.networks.items()
    }
    return replace(snapshot, networks=networks)


def state_of(**fields: Any) -> Callable[[VirtualNetwork], VirtualNetwork]:
    return lambda network: replace(network, **fields)


def partial(network: VirtualNetwork) -> VirtualNetwork:
    return replace(
        network, peerings=tuple(replace(peering, is_partial=True) for peering in network.peerings)
    )


@pytest.mark.parametrize(
    ("change", "condition", "verdict"),
    [
        (state_of(provisioning_state="Updating"), gates.IN_PROGRESS, ConditionStatus.UNKNOWN),
        (state_of(provisioning_state="Failed"), "network_is_at_rest", ConditionStatus.FAILS),
        (state_of(has_gateway=True), "spoke_has_no_gateway_of_its_own", ConditionStatus.FAILS),
        (partial, "peering_joins_the_complete_networks", ConditionStatus.FAILS),
    ],
)
@pytest.mark.parametrize("target", Path)
def test_a_spoke_that_cannot_be_moved_is_left_out_and_the_other_is_planned(
    change: Callable[[VirtualNetwork], VirtualNetwork],
    condition: str,
    verdict: ConditionStatus,
    target: Path,
) -> None:
    snapshot = change_network(
        sites.make_snapshot(TWO, sites.make_state(target.other, TWO)), "vnet1", change
    )
    plan = procedure.plan(TWO, snapshot, target)
    assert [(name, item.name, item.status) for name, item in plan.left_out.items()] == [
        ("vnet1", condition, verdict)
    ]
    assert {step.spoke for step in plan.steps} == {"vnet4"}
    assert {checked.status for checked in plan.guards} == {ConditionStatus.HOLDS}
    health = judge(TWO, snapshot)
    assert health.ready is verdict
    assert health.left_out == plan.left_out
    if target is Path.IPSEC:
        assert prestage.prestage(TWO, snapshot).left_out == plan.left_out


def test_an_unread_spoke_is_left_out_whatever_is_known_of_the_hub() -> None:
    snapshot = sites.make_snapshot(TWO, sites.make_state(Path.EXPRESSROUTE, TWO), vnet1="403")
    plan = procedure.plan(TWO, snapshot, Path.IPSEC)
    assert plan.left_out["vnet1"].message == "403"
    assert plan.left_out["vnet1"].status is ConditionStatus.UNKNOWN
    assert {step.spoke for step in plan.steps} == {"vnet4"}


def test_a_spoke_without_a_path_is_not_left_out_by_what_may_be_overcome() -> None:
    lost = sites.make_state(Path.EXPRESSROUTE, TWO)
    lost[OUT_P] = (replace(SPOKE_USES, use_remote_gateways=False), "Connected")
    snapshot = change_network(
        sites.make_snapshot(TWO, lost), "vnet1", state_of(provisioning_state="Updating")
    )
    plan = procedure.plan(TWO, snapshot, Path.IPSEC)
    assert plan.left_out == {}
    hazard = Condition(
        "subnets_take_gateway_routes", ConditionStatus.FAILS, "a route", spoke="vnet1"
    )
    assert add_hazards(plan, (hazard,), pass_by=False).left_out == {}


def test_a_hazard_of_one_spoke_leaves_out_that_spoke_unless_it_is_overridden() -> None:
    plan = procedure.plan(
        TWO, sites.make_snapshot(TWO, sites.make_state(Path.EXPRESSROUTE, TWO)), Path.IPSEC
    )
    of_one = Condition(
        "subnets_take_gateway_routes", ConditionStatus.FAILS, "a route", spoke="vnet4"
    )
    of_hub = Condition("gateway_subnet_sends_nothing_astray", ConditionStatus.FAILS, "a route")
    unknown = Condition(
        "subnets_take_gateway_routes", ConditionStatus.UNKNOWN, "unread", spoke="vnet1"
    )
    switch_plan = add_hazards(plan, (of_one, of_hub, unknown), pass_by=False)
    assert switch_plan.left_out == {"vnet4": of_one}
    assert switch_plan.hazards == (of_one, of_hub, unknown)
    assert {step.spoke for step in switch_plan.steps} == {"vnet1"}
    assert add_hazards(plan, (of_one,), pass_by=True).left_out == {}


@pytest.mark.parametrize("target", Path)
def test_what_is_not_left_out_passes_the_gate_once_it_is_prepared(target: Path) -> None:
    """In every legal state: what the gate would refuse is known when the plan is made."""
    moved = 0
    for state in STATES:
        plan = procedure.plan(SITE, sites.make_snapshot(SITE, state), target)
        if not any(step.takes_off for step in plan.steps):
            continue
        moved += 1
        prepared = dict(state)
        for step in plan.writes:
            if step.phase is Phase.PREPARE:
                assert step.peering.after is not None
                prepared[step.peering.name] = (step.peering.after, "Connected")
        written = {step.peering.name for step in plan.writes if step.phase is Phase.PREPARE}
        if written & {IN_B, OUT_B}:
            for name in (IN_B, OUT_B):
                prepared[name] = (prepared[name][0], "Connected")
        conditions = gates.check_gate(
            SITE, sites.make_snapshot(SITE, prepared), target, SITE.spokes[0]
        )
        assert {condition.status for condition in conditions} == {ConditionStatus.HOLDS}, state
    assert moved


STALE: dict[str, Any] = {
    "sync_level": "LocalNotInSync",
    "known_space": ("10.1.0.0/16",),
    "remote_space": ("10.1.0.0/16", "10.115.0.0/16"),
}


@pytest.mark.parametrize("target", Path)
def test_only_the_preparation_syncs_and_only_while_the_spoke_is_on_its_path(target: Path) -> None:
    synced = 0
    for state in STATES:
        snapshot = peerings(sites.make_snapshot(SITE, state), **STALE)
        plan = procedure.plan(SITE, snapshot, target)
        moves = any(step.takes_off for step in plan.steps)
        for step in plan.steps:
            assert not any(write.sync for write in step.peerings_back)
            if step.peering.sync:
                synced += 1
                assert moves
                assert step.phase is Phase.PREPARE
                assert step.peering.change is Change.UPDATE
            elif moves and step.phase is Phase.PREPARE and step.peering.before is not None:
                (peering,) = [
                    item
                    for network in snapshot.networks.values()
                    for item in network.peerings
                    if item.name == step.peering.name
                ]
                assert peering.state == "Disconnected", "one that is there is synced"
    assert synced


def one(**fields: Any) -> Peering:
    state = sites.make_state(Path.IPSEC, SITE)
    peering = sites.make_snapshot(SITE, state).get_peering(SITE.build_peering_id("vnet3", IN_B))
    assert peering is not None
    return replace(peering, **fields)


@pytest.mark.parametrize(
    ("fields", "needs"),
    [
        ({"sync_level": "FullyInSync"}, False),
        ({"sync_level": None}, False),
        (STALE, True),
        (STALE | {"state": "Initiated"}, True),
        (STALE | {"state": "Disconnected"}, False),
        (STALE | {"known_space": STALE["remote_space"]}, False),
        (STALE | {"known_space": None}, True),
        (STALE | {"known_space": ("10.1.0.0/16", "10.9.0.0/16"), "remote_space": ()}, True),
    ],
)
def test_the_side_that_lacks_something_is_synced(fields: dict[str, Any], needs: bool) -> None:
    assert one(**fields).needs_sync is needs


def test_a_prefix_that_is_not_in_force_is_no_failure_of_the_switch() -> None:
    snapshot = sites.make_snapshot(SITE, sites.make_state(Path.IPSEC, SITE))
    assert HUB_LENDS in {peering.flags for peering in snapshot.networks[_hub()].peerings}
    grown = change_network(
        snapshot,
        "vnet1",
        lambda network: replace(network, address_space=(*network.address_space, _new())),
    )
    stale = change_network(
        grown,
        "vnet3",
        lambda virtual_network: replace(
            virtual_network,
            peerings=tuple(replace(one, **STALE) for one in virtual_network.peerings),
        ),
    )
    gateway = sites.gateway(
        Role.BACKUP,
        sites.route("10.5.0.0/16"),
        sites.route("10.1.0.0/16", "Network", "10.3.0.254"),
    )
    stale = replace(stale, gateways={**stale.gateways, Role.BACKUP: gateway})
    kept = gates.keep_own_peerings(SITE, stale, SITE.spokes[0])
    for observed in (stale, kept):
        arrived, _ = gates.check_outcome(SITE, observed, Path.IPSEC, SITE.spokes[0])
        assert arrived.status is ConditionStatus.HOLDS
    (warning,) = gates.find_out_of_sync(SITE, stale, Role.BACKUP, SITE.spokes[0])
    assert "cannot reach 10.115.0.0/16 of vnet1" in warning.message
    synced = replace(grown, gateways=stale.gateways)
    arrived, _ = gates.check_outcome(SITE, synced, Path.IPSEC, SITE.spokes[0])
    assert arrived.status is ConditionStatus.FAILS


def _hub() -> str:
    return SITE.build_network_id("vnet3").lower()


def _new() -> Any:
    return IPv4Network("10.115.0.0/16")
