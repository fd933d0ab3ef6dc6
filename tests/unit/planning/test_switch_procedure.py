"""The procedure's decisions in every state of ``tests.support.peering_states``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from erfailover.model.conditions import ConditionStatus
from erfailover.model.peering_flags import Flags
from erfailover.model.plan import Change, PeeringWrite, SwitchPlan, SwitchStep
from erfailover.model.site import Path, Role, SitePeering
from erfailover.planning.switch import gates, procedure
from tests.support import sites
from tests.support.peering_states import IN_B, IN_P, OPPOSITE, OURS, OUT_B, OUT_P, SITE, STATES
from tests.support.sites import HUB_LENDS, OPEN, SPOKE_USES, State


class RefusedByAzureError(Exception):
    pass


def write(state: State, change: PeeringWrite) -> State:
    """What Azure makes of a write, with its rules written down again, independently."""
    state = dict(state)
    opposite = OPPOSITE[change.name]
    if change.after is None or change.change is Change.DELETE:
        del state[change.name]
        if opposite in state:
            state[opposite] = (state[opposite][0], "Disconnected")
        return state
    flags = change.after
    if change.name not in state and opposite in state and state[opposite][1] == "Disconnected":
        raise RefusedByAzureError("RemotePeeringIsDisconnected")
    if flags.use_remote_gateways:
        users = [
            name for name in (OUT_P, OUT_B) if name in state and state[name][0].use_remote_gateways
        ]
        if [name for name in users if name != change.name]:
            raise RefusedByAzureError("a second peering with remote gateways")
        if opposite not in state or not state[opposite][0].allow_gateway_transit:
            raise RefusedByAzureError("the opposite side forbids transit")
    used = opposite in state and state[opposite][0].use_remote_gateways
    if used and not flags.allow_gateway_transit:
        raise RefusedByAzureError("transit is in use")
    connected = opposite in state
    state[change.name] = (flags, "Connected" if connected else "Initiated")
    if connected:
        state[opposite] = (state[opposite][0], "Connected")
    return state


def plan(state: State, target: Path) -> SwitchPlan:
    return procedure.plan(SITE, sites.make_snapshot(SITE, state), target, OURS)


def remote_gateways(state: State) -> list[str]:
    return [name for name, (flags, _) in state.items() if flags.use_remote_gateways]


def check_invariants(state: State) -> None:
    assert OUT_P in state
    assert IN_P in state
    assert state[OUT_P][0].allow_virtual_network_access
    assert state[IN_P][0].allow_virtual_network_access
    assert len(remote_gateways(state)) <= 1


def carried_out(state: State, plan: SwitchPlan) -> Iterator[State]:
    """The states that a plan goes through."""
    for step in plan.writes:
        state = write(state, step.peering)
        yield state


def test_there_are_enough_states_to_speak_of() -> None:
    assert len(STATES) > 100


@pytest.mark.parametrize("target", list(Path))
def test_every_plan_is_accepted_by_azure_keeps_the_invariants_and_ends_as_the_site_says(
    target: Path,
) -> None:
    for start in STATES:
        last = start
        for state in carried_out(start, plan(start, target)):
            check_invariants(state)
            last = state
        assert {name: flags for name, (flags, _) in last.items()} == {
            name: flags for name, (flags, _) in sites.make_state(target, SITE).items()
        }, start
        assert {peering_state for _, peering_state in last.values()} == {"Connected"}


@pytest.mark.parametrize("target", list(Path))
@pytest.mark.parametrize("afterwards", list(Path))
def test_a_run_that_died_anywhere_is_finished_or_undone_by_the_next(
    target: Path, afterwards: Path
) -> None:
    for start in STATES:
        for halfway in carried_out(start, plan(start, target)):
            last = halfway
            for state in carried_out(halfway, plan(halfway, afterwards)):
                check_invariants(state)
                last = state
            used = OUT_P if afterwards is Path.EXPRESSROUTE else OUT_B
            assert remote_gateways(last) == [used]


@pytest.mark.parametrize("target", list(Path))
def test_a_second_run_has_nothing_to_write(target: Path) -> None:
    for start in STATES:
        last = list(carried_out(start, plan(start, target)))
        again = plan(last[-1] if last else start, target)
        assert again.writes == ()


@pytest.mark.parametrize("target", list(Path))
def test_the_spoke_is_without_a_gateway_only_between_break_and_make(target: Path) -> None:
    start = sites.make_state(target.other, SITE)
    without = [
        step.number
        for step, state in zip(
            plan(start, target).writes, carried_out(start, plan(start, target)), strict=True
        )
        if not remote_gateways(state)
    ]
    assert without == [3]


def test_the_contingency_puts_the_spoke_back_on_its_path() -> None:
    start = sites.make_state(Path.EXPRESSROUTE, SITE)
    state = start
    for step in plan(start, Path.IPSEC).writes:
        if step.number == 4:
            assert [peering_write.name for peering_write in step.peerings_back] == [OUT_B, OUT_P]
            for back in step.peerings_back:
                state = write(state, back)
            break
        state = write(state, step.peering)
    assert remote_gateways(state) == [OUT_P]
    check_invariants(state)


def test_a_plan_to_ipsec_reads_as_the_procedure_says() -> None:
    steps = plan(sites.make_state(Path.EXPRESSROUTE, SITE), Path.IPSEC).writes
    assert [(step.number, step.peering.name, step.peering.change) for step in steps] == [
        (1, IN_B, Change.CREATE),
        (2, OUT_B, Change.CREATE),
        (3, OUT_P, Change.UPDATE),
        (4, OUT_B, Change.UPDATE),
        (5, IN_P, Change.UPDATE),
    ]
    assert [step.number for step in steps if step.gated] == [3]


def test_a_plan_back_removes_the_backup_peerings_only_if_they_are_ours() -> None:
    start = sites.make_state(Path.IPSEC, SITE)
    ours = plan(start, Path.EXPRESSROUTE).writes
    assert [(step.number, step.peering.name, step.peering.change) for step in ours] == [
        (1, IN_P, Change.UPDATE),
        (3, OUT_B, Change.UPDATE),
        (4, OUT_P, Change.UPDATE),
        (6, OUT_B, Change.DELETE),
        (7, IN_B, Change.DELETE),
    ]
    theirs = procedure.plan(SITE, sites.make_snapshot(SITE, start), Path.EXPRESSROUTE).writes
    assert Change.DELETE not in {step.peering.change for step in theirs}
    assert [step.number for step in theirs] == [1, 3, 4]


def test_with_many_spokes_all_are_prepared_before_one_is_broken() -> None:
    many = sites.site("vnet1", "vnet6", "vnet7")
    steps = procedure.plan(
        many, sites.make_snapshot(many, sites.make_state(Path.EXPRESSROUTE, many)), Path.IPSEC
    ).writes
    numbers = [step.number for step in steps]
    assert numbers == [1, 2] * 3 + [3, 4] * 3 + [5] * 3
    assert [step.spoke for step in steps if step.number == 3] == ["vnet1", "vnet6", "vnet7"]


def test_nothing_is_planned_on_a_network_that_was_not_read() -> None:
    snapshot = sites.make_snapshot(
        SITE, sites.make_state(Path.EXPRESSROUTE, SITE), vnet3="timed out"
    )
    result = procedure.plan(SITE, snapshot, Path.IPSEC)
    assert all("virtualNetworks/vnet3/" not in step.peering.peering_id for step in result.writes)
    assert ConditionStatus.UNKNOWN in {condition.status for condition in result.guards}


def test_a_target_without_a_connected_peer_is_refused_and_an_unread_one_is_unknown() -> None:
    down = sites.gateway(Role.BACKUP, sites.route("10.5.0.0/16"), peers=(sites.peer(state="Idle"),))
    silent = sites.gateway(Role.BACKUP, peers=())
    state = sites.make_state(Path.EXPRESSROUTE, SITE)
    for gateways, expected in (
        ((down,), ConditionStatus.FAILS),
        ((silent,), ConditionStatus.UNKNOWN),
        ((), ConditionStatus.UNKNOWN),
    ):
        guards = list(
            gates.check_guards(SITE, sites.make_snapshot(SITE, state, gateways), Path.IPSEC)
        )
        verdicts = {
            condition.status for condition in guards if condition.name.startswith("gateway_has")
        }
        assert verdicts == {expected}


def test_the_state_of_the_hub_being_left_gates_nothing() -> None:
    backup = sites.gateway(Role.BACKUP, sites.route("10.5.0.0/16"))
    snapshot = sites.make_snapshot(SITE, sites.make_state(Path.EXPRESSROUTE, SITE), (backup,))
    assert {condition.status for condition in gates.check_guards(SITE, snapshot, Path.IPSEC)} == {
        ConditionStatus.HOLDS
    }
    ready = dict(sites.make_state(Path.EXPRESSROUTE, SITE))
    ready[OUT_B] = (SPOKE_USES.drop_remote_gateways(), "Connected")
    ready[IN_B] = (HUB_LENDS, "Connected")
    snapshot = sites.make_snapshot(SITE, ready, (backup,))
    gate = list(gates.check_gate(SITE, snapshot, Path.IPSEC, SITE.spokes[0]))
    assert {condition.status for condition in gate} == {ConditionStatus.HOLDS}


@pytest.mark.parametrize("state", ["Initiated", "Disconnected"])
def test_the_gate_is_closed_while_a_peering_is_not_connected(state: str) -> None:
    start = dict(sites.make_state(Path.EXPRESSROUTE, SITE))
    start[OUT_B] = (SPOKE_USES.drop_remote_gateways(), state)
    start[IN_B] = (HUB_LENDS, "Connected")
    gate = gates.check_gate(SITE, sites.make_snapshot(SITE, start), Path.IPSEC, SITE.spokes[0])
    assert [
        condition.message for condition in gate if condition.status is ConditionStatus.FAILS
    ] == [f"{OUT_B} is {state}; expected Connected"]


def test_a_plan_that_would_cut_the_internet_path_is_named_a_breach() -> None:
    good = plan(sites.make_state(Path.EXPRESSROUTE, SITE), Path.IPSEC)
    assert procedure.find_breaches(SITE, good) == []
    broken = PeeringWrite(
        Change.DELETE,
        SITE.build_peering_id("vnet1", OUT_P),
        SITE.build_network_id("vnet2"),
        OPEN,
        None,
    )
    steps = tuple(
        SwitchStep(step.kind, step.phase, step.number, step.spoke, step.title, step.why, broken)
        for step in good.steps[:1]
    )
    assert procedure.find_breaches(SITE, SwitchPlan("poc", Path.IPSEC, steps, ())) == [
        f"step 1 deletes {OUT_P}"
    ]


@pytest.mark.parametrize("forwarded", [False, True])
@pytest.mark.parametrize("result", [False, True])
def test_forwarded_traffic_that_the_site_keeps_is_as_found_in_every_state(
    forwarded: bool, result: bool
) -> None:
    """On both paths, or on the way there only (then home says what it is)."""
    away = Flags(allow_forwarded_traffic="keep")
    home = Flags(allow_forwarded_traffic="keep" if result else True, use_remote_gateways=True)
    spoke = replace(
        sites.spoke(), spoke_to_primary=SitePeering(OUT_P, on_expressroute=home, on_ipsec=away)
    )
    site = replace(SITE, spokes=(spoke,))
    uses = replace(SPOKE_USES, allow_forwarded_traffic=forwarded)
    state = sites.make_state(Path.EXPRESSROUTE, SITE) | {OUT_P: (uses, "Connected")}
    there = procedure.plan(site, sites.make_snapshot(site, state), Path.IPSEC, OURS)
    for step in there.writes:
        state = write(state, step.peering)
        assert state[OUT_P][0].allow_forwarded_traffic is forwarded
        for back in step.peerings_back:
            assert back.name != OUT_P or back.after == replace(
                uses, allow_forwarded_traffic=forwarded if result else True
            )
    assert state[OUT_P][0] == Flags(allow_forwarded_traffic=forwarded)
    for step in procedure.plan(
        site, sites.make_snapshot(site, state), Path.EXPRESSROUTE, OURS
    ).writes:
        state = write(state, step.peering)
    assert state[OUT_P][0].allow_forwarded_traffic is (forwarded if result else True)
