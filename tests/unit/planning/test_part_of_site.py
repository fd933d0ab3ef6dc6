"""Decisions about a part of a site: its steps alone, and what must know the whole site."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network

import pytest

from erfailover.model.conditions import ConditionStatus
from erfailover.model.observed import SiteSnapshot
from erfailover.model.site import Path, Role, Site, Spoke
from erfailover.planning.health import judge
from erfailover.planning.other_spokes import list_other_spaces
from erfailover.planning.switch import gates, procedure
from erfailover.reporting.status.headline import format_headline
from erfailover.reporting.status.part_of_site import list_notes, suggest_command
from tests.support.sites import gateway, make_snapshot, make_state, peer, route, site

WHOLE = site("vnet1", "vnet7", "vnet8")
PART = WHOLE.select_spokes(("vnet1",))
SPACES = {"vnet1": "10.1.0.0/16", "vnet7": "10.102.0.0/16", "vnet8": "10.104.0.0/16"}


def make_mixed_snapshot(
    of: Site = WHOLE, *, primary_up: bool = True, backup_up: bool = True
) -> SiteSnapshot:
    """A site whose vnet1 is on IPsec and whose other spokes are on ExpressRoute."""
    first = WHOLE.select_spokes(("vnet1",))
    rest = WHOLE.select_spokes(("vnet7", "vnet8"))
    snapshot = make_snapshot(
        WHOLE, {**make_state(Path.IPSEC, first), **make_state(Path.EXPRESSROUTE, rest)}
    )

    def own(name: str, address: str) -> object:
        space = snapshot.get_network(WHOLE.build_network_id(name))
        assert space is not None
        own = route(str(space.address_space[0]), "Network", address)
        return own._replace(local_address=address)

    gateways = []
    for role, address, spokes, up in (
        (Role.PRIMARY, "10.2.0.254", ("vnet7", "vnet8"), primary_up),
        (Role.BACKUP, "10.3.0.254", ("vnet1",), backup_up),
    ):
        peers = (peer() if up else peer(state="Connecting"),)
        rows = [route("10.5.0.0/16"), *(own(name, address) for name in spokes)]
        gateways.append(gateway(role, *rows, peers=peers))  # type: ignore[arg-type]
    networks = {
        key: network
        for key, network in snapshot.networks.items()
        if key in {of.build_network_id(name).lower() for name in of.list_network_names()}
    }
    return replace(snapshot, networks=networks, gateways={item.role: item for item in gateways})


def test_the_plan_of_a_part_writes_its_peerings_alone() -> None:
    snapshot = make_snapshot(WHOLE, make_state(Path.EXPRESSROUTE, WHOLE))
    part = procedure.plan(PART, snapshot, Path.IPSEC)
    whole = procedure.plan(WHOLE, snapshot, Path.IPSEC)
    assert part.steps == tuple(step for step in whole.steps if step.spoke == "vnet1")
    assert part.steps
    assert procedure.find_breaches(PART, part) == []
    others = [write for step in whole.writes if step.spoke != "vnet1" for write in (step.write,)]
    breaches = procedure.find_breaches(PART, whole)
    assert all(
        any(f"writes {write.name}, which belongs to no chosen spoke" in name for name in breaches)
        for write in others
    )
    assert not [name for name in breaches if "vnet1" in name.partition(" writes ")[2]]


def test_a_part_that_was_moved_is_verified_although_the_others_stay() -> None:
    snapshot = make_mixed_snapshot()
    arrived, condition = gates.check_outcome(PART, snapshot, Path.IPSEC, PART.spokes[0])
    assert (arrived.status, condition.status) == (ConditionStatus.HOLDS, ConditionStatus.HOLDS)


@pytest.mark.parametrize("spoke", WHOLE.spokes, ids=lambda spoke: spoke.name)
def test_an_outcome_needs_the_peerings_of_its_own_spoke_only(spoke: Spoke) -> None:
    snapshot = make_mixed_snapshot()
    kept = gates.keep_own_peerings(WHOLE, snapshot, spoke)
    for target in Path:
        outcome = gates.check_outcome(WHOLE, snapshot, target, spoke)
        assert gates.check_outcome(WHOLE, kept, target, spoke) == outcome
    hub = WHOLE.build_network_id(WHOLE.get_hub(Role.PRIMARY).virtual_network).lower()
    assert 1 <= len(kept.networks[hub].peerings) < len(snapshot.networks[hub].peerings)


def test_a_mixed_site_is_healthy_if_each_spoke_is_healthy_on_its_own_path() -> None:
    health = judge(WHOLE, make_mixed_snapshot())
    assert (health.path, health.healthy) == ("mixed", True)
    assert format_headline(health) == (
        "vnet7, vnet8 are on ExpressRoute; healthy. 1 is on IPsec (vnet1); healthy."
    )
    assert list_notes(WHOLE, make_mixed_snapshot(), health) == (
        "To move the rest to ExpressRoute (1 spoke): erfailover switch --to expressroute",
        "To move the rest to IPsec (2 spokes): erfailover switch --to ipsec",
    )


def test_the_command_that_lets_the_rest_follow_says_why_it_would_be_refused() -> None:
    snapshot = make_mixed_snapshot(primary_up=False)
    health = judge(WHOLE, snapshot)
    assert health.healthy is False
    first, second = list_notes(WHOLE, snapshot, health)
    assert first.startswith(
        "To move the rest to ExpressRoute (1 spoke): erfailover switch --to expressroute "
        "(refused for now: ExpressRoute is not ready: vng1: "
    )
    assert second.endswith("erfailover switch --to ipsec")
    assert suggest_command(WHOLE, snapshot, health) == "erfailover switch --to ipsec"


def test_status_of_a_part_says_so_and_names_commands_of_that_part() -> None:
    snapshot = make_mixed_snapshot(PART, backup_up=False)
    health = judge(PART, snapshot)
    assert (health.path, health.healthy) == ("ipsec", False)
    assert list_notes(PART, snapshot, health) == ("Shows 1 of 3 spokes; the others were not read.",)
    assert (
        suggest_command(PART, snapshot, health)
        == "erfailover switch --to expressroute --spoke vnet1"
    )


def test_without_a_path_that_works_both_ways_doctor_is_suggested() -> None:
    snapshot = make_mixed_snapshot(primary_up=False, backup_up=False)
    assert suggest_command(WHOLE, snapshot, judge(WHOLE, snapshot)) == "erfailover doctor"


def test_the_address_spaces_of_the_other_spokes_are_known_from_the_hubs() -> None:
    snapshot = make_mixed_snapshot(PART)
    hub = WHOLE.build_network_id("vnet2").lower()
    network = snapshot.networks[hub]
    peerings = tuple(
        replace(peering, remote_space=(SPACES[peering.name.split("-to-")[1]],))
        for peering in network.peerings
    )
    snapshot = replace(
        snapshot, networks={**snapshot.networks, hub: replace(network, peerings=peerings)}
    )
    assert list_other_spaces(PART, snapshot) == {
        "vnet7": (IPv4Network("10.102.0.0/16"),),
        "vnet8": (IPv4Network("10.104.0.0/16"),),
    }
    assert list_other_spaces(WHOLE, snapshot) == {}
