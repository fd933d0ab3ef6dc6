"""The topology as it can be drawn: marks, reasons, and which spokes are alike."""

from __future__ import annotations

from dataclasses import replace

import pytest

from erfailover.model.circuits import Circuits, Connection
from erfailover.model.observed import Reading, SiteSnapshot, VirtualNetwork
from erfailover.model.peering_flags import Flags
from erfailover.model.site import Path, Role, Site
from erfailover.planning.health import judge
from erfailover.reporting.marks import Mark
from erfailover.reporting.topology.build import build_picture
from erfailover.reporting.topology.model import Picture
from tests.support.pictures import DARK, healthy
from tests.support.sites import State, gateway, make_snapshot, make_state, route, site


def sees(of: Site, snapshot: SiteSnapshot, circuits: dict[Role, Circuits] | None = None) -> Picture:
    return build_picture(of, snapshot, judge(of, snapshot), circuits or {})


def test_a_healthy_site_has_nothing_wrong_and_its_backup_peerings_are_rightly_absent() -> None:
    of = site()
    picture = sees(of, healthy(of))
    spoke = picture.spokes[0]
    assert picture.health.healthy is True
    assert [assessment.mark for assessment in (spoke.condition, picture.hubs[0].condition)] == [
        Mark.SOUND
    ] * 2
    assert spoke.get_pair(Role.PRIMARY).active
    assert spoke.get_pair(Role.BACKUP).condition.mark is Mark.ABSENT
    assert [hub.active for hub in picture.hubs] == [True, False]
    (far,) = picture.far_ends
    assert (far.name, far.roles, far.active) == ("AS 65020", (Role.PRIMARY, Role.BACKUP), True)
    (office,) = picture.remote_prefixes
    assert office.get_learned(Role.BACKUP).neighbors == ("10.4.0.254",)
    assert office.condition.mark is Mark.SOUND


def test_a_dark_session_breaks_gateway_and_prefix_but_no_peering() -> None:
    of = site()
    dark = gateway(Role.PRIMARY, route("10.1.0.0/16", "Network", "10.2.0.254"), peers=(DARK,))
    picture = sees(
        of, make_snapshot(of, make_state(Path.EXPRESSROUTE, of), (dark, gateway(Role.BACKUP)))
    )
    hub = picture.get_hub(Role.PRIMARY)
    assert hub.gateway.condition.mark is Mark.BROKEN
    assert "10.4.0.253 Connecting" in hub.gateway.condition.why
    (session,) = hub.gateway.sessions
    assert (session.active, session.condition.mark) == (True, Mark.BROKEN)
    assert picture.spokes[0].get_pair(Role.PRIMARY).condition.mark is Mark.SOUND
    assert picture.spokes[0].condition.mark is Mark.BROKEN
    assert picture.remote_prefixes[0].condition.mark is Mark.BROKEN


def test_what_was_not_read_is_unknown_with_azures_reason_and_never_broken() -> None:
    of = site()
    snapshot = make_snapshot(of, {}, (), vnet1="refused by Azure", vnet3="timed out")
    picture = sees(of, snapshot)
    assert picture.spokes[0].condition.mark is Mark.UNKNOWN
    assert "refused by Azure" in picture.spokes[0].condition.why
    assert {side.condition.mark for side in picture.spokes[0].get_pair(Role.BACKUP).sides} == {
        Mark.UNKNOWN
    }
    assert [hub.gateway.condition.mark for hub in picture.hubs] == [Mark.UNKNOWN] * 2
    assert picture.get_hub(Role.BACKUP).condition.why == "timed out"
    assert (picture.far_ends, picture.remote_prefixes[0].condition.mark) == ((), Mark.UNKNOWN)


def peerings(of: Site, **changed: tuple[Flags, str] | None) -> State:
    """The peerings on ExpressRoute, some of them otherwise, or not there."""
    state = make_state(Path.EXPRESSROUTE, of)
    for name, desired in changed.items():
        key = name.replace("_", "-")
        if desired is None:
            state.pop(key, None)
        else:
            state[key] = desired
    return state


@pytest.mark.parametrize(
    ("desired", "mark", "why"),
    [
        (None, Mark.BROKEN, "vnet2-to-vnet1 does not exist"),
        ((Flags(), "Disconnected"), Mark.BROKEN, "is Disconnected"),
        (
            (Flags(allow_virtual_network_access=False), "Connected"),
            Mark.BROKEN,
            "is closed: it allows no VNet access",
        ),
    ],
)
def test_a_peering_that_carries_nothing_is_broken(
    desired: tuple[Flags, str] | None, mark: Mark, why: str
) -> None:
    of = site()
    picture = sees(of, replace(healthy(of), networks=_networks(of, vnet2_to_vnet1=desired)))
    inward = picture.spokes[0].get_pair(Role.PRIMARY).inward
    assert inward.condition.mark is mark
    assert why in inward.condition.why
    assert picture.spokes[0].condition.mark is Mark.DEGRADED, "health looks at the spoke's own side"


def _networks(of: Site, **changed: tuple[Flags, str] | None) -> dict[str, VirtualNetwork]:
    return dict(make_snapshot(of, peerings(of, **changed)).networks)


def test_half_a_backup_peering_is_what_a_switch_completes_as_doctor_says() -> None:
    of = site()
    half = _networks(of, vnet1_to_vnet3=(Flags(), "Initiated"))
    pair = sees(of, replace(healthy(of), networks=half)).spokes[0].get_pair(Role.BACKUP)
    assert pair.inward.condition.mark is Mark.ABSENT
    assert pair.inward.condition.why == (
        "vnet3-to-vnet1 does not exist, but vnet1-to-vnet3 does; a switch creates it"
    )
    assert pair.outward.condition.mark is Mark.ABSENT
    assert pair.outward.condition.why == "vnet1-to-vnet3 is Initiated; a switch completes it"


def test_half_a_backup_peering_that_lost_its_other_half_is_broken() -> None:
    of = site()
    half = _networks(of, vnet1_to_vnet3=(Flags(), "Disconnected"))
    pair = sees(of, replace(healthy(of), networks=half)).spokes[0].get_pair(Role.BACKUP)
    assert pair.outward.condition.mark is Mark.BROKEN


def test_half_a_backup_peering_of_a_site_to_be_prestaged_is_broken() -> None:
    of = replace(site(), prestaged=True)
    half = _networks(of, vnet1_to_vnet3=(Flags(), "Initiated"))
    pair = sees(of, replace(healthy(of), networks=half)).spokes[0].get_pair(Role.BACKUP)
    assert pair.inward.condition.mark is Mark.BROKEN


def test_hundreds_of_spokes_are_one_group_and_those_that_differ_stand_alone() -> None:
    names = [f"spoke{number}" for number in range(1, 241)]
    of = site(*names)
    snapshot = healthy(of)
    lost = of.build_network_id("spoke7").lower()
    networks = {key: network for key, network in snapshot.networks.items() if key != lost}
    picture = sees(of, replace(snapshot, networks=networks, unknown={lost: "timed out"}))
    assert [group.title for group in picture.groups] == ["spoke7", "239 spokes"]
    assert [group.condition.mark for group in picture.groups] == [Mark.UNKNOWN, Mark.SOUND]
    assert picture.groups[1].format_names(2) == "spoke1, spoke2 and 237 more"


def test_a_connection_has_the_condition_of_its_status() -> None:
    of = site()
    tunnel = Connection("/c/t", "t", "IPsec", "Succeeded", Reading("NotConnected"))
    hangs = Circuits("/g/vng1", "Vpn", Reading((tunnel,)))
    picture = sees(of, healthy(of), {Role.PRIMARY: hangs})
    (drawn,) = picture.get_hub(Role.PRIMARY).gateway.connections
    assert (drawn.condition.mark, drawn.active) == (Mark.BROKEN, True)
    assert picture.get_hub(Role.BACKUP).gateway.connections_unknown == "they were not read"
