"""Peerings are found by the VNets that they join, whatever the site file calls them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from erfailover.model.observed import Peering, SiteSnapshot, VirtualNetwork
from erfailover.model.peering_flags import Flags
from erfailover.model.site import Hub, Path, Site, SitePeering, Spoke
from erfailover.planning.health import find_path
from erfailover.planning.peering_names import LONGEST_NAME, resolve_names
from erfailover.planning.switch import procedure

GROUP = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks"
USES = Flags(use_remote_gateways=True)


def side(name: str) -> SitePeering:
    return SitePeering(name, Flags(), Flags())


def site(outward: str = "up", inward: str = "down") -> Site:
    spoke = Spoke(
        f"{GROUP}/spoke",
        SitePeering(outward, USES, Flags()),
        side(inward),
        SitePeering("up-backup", "absent", USES),
        side("down-backup"),
    )
    hubs = Hub(f"{GROUP}/primary", "gw"), Hub(f"{GROUP}/backup", "gw2")
    return Site("s", *hubs, (spoke,), (), resource_group="rg", subscription="s")


def peering(owner: str, name: str, remote: str, flags: Flags, state: str = "Connected") -> Peering:
    id_ = f"{GROUP}/{owner}/virtualNetworkPeerings/{name}"
    far = f"{GROUP}/{remote}".replace("resourceGroups", "RESOURCEGROUPS")
    return Peering(id_, name, f"{GROUP}/{owner}", far, state, "FullyInSync", "Succeeded", flags)


def make_snapshot(*peerings: Peering, unread: tuple[str, ...] = ()) -> SiteSnapshot:
    networks = {
        f"{GROUP}/{name}".lower(): VirtualNetwork(
            f"{GROUP}/{name}",
            name,
            "Succeeded",
            (),
            name != "spoke",
            {},
            tuple(item for item in peerings if item.virtual_network == f"{GROUP}/{name}"),
        )
        for name in ("primary", "backup", "spoke")
        if name not in unread
    }
    return SiteSnapshot("now", networks, {})


def test_names_that_are_right_are_kept_in_any_letter_case() -> None:
    snapshot = make_snapshot(
        peering("spoke", "UP", "primary", USES), peering("primary", "down", "spoke", Flags())
    )
    assert resolve_names(site(), snapshot) == (site(), ())


def test_a_peering_of_another_name_is_used_and_named() -> None:
    snapshot = make_snapshot(
        peering("spoke", "erp-v2", "primary", USES), peering("primary", "hub-v2", "spoke", Flags())
    )
    resolved, (outward, inward) = resolve_names(site(), snapshot)
    assert find_path(site(), snapshot, site().spokes[0]) == "none"
    assert find_path(resolved, snapshot, resolved.spokes[0]) == Path.EXPRESSROUTE
    assert resolved.spokes[0].spoke_to_primary == replace(
        site().spokes[0].spoke_to_primary, name="erp-v2"
    )
    assert outward.keys == ("spokes", 0, "spoke_to_primary", "name")
    assert outward.description == "spoke's peering with primary is called erp-v2 in Azure, not up"
    assert (inward.keys[2], inward.remedy) == ("primary_to_spoke", "write name: hub-v2")


def test_a_plan_writes_the_peering_that_there_is_and_makes_no_second_one() -> None:
    snapshot = make_snapshot(
        peering("spoke", "erp-v2", "primary", USES), peering("primary", "hub-v2", "spoke", Flags())
    )
    resolved, _ = resolve_names(site(), snapshot)
    names = {step.write.name for step in procedure.plan(resolved, snapshot, Path.IPSEC).writes}
    assert "erp-v2" in names
    assert not names & {"up", "down"}


def test_a_name_that_leads_elsewhere_is_not_taken_for_the_peering() -> None:
    snapshot = make_snapshot(peering("spoke", "up-backup", "elsewhere", Flags()))
    resolved, (only,) = resolve_names(site(), snapshot)
    assert resolved.spokes[0].spoke_to_backup.name == "up-backup-2"
    assert only.description == (
        "spoke's peering up-backup leads to elsewhere, not to backup; a new one would be called "
        "up-backup-2"
    )
    long = "x" * LONGEST_NAME
    site_snapshot = make_snapshot(peering("spoke", long, "elsewhere", Flags()))
    resolved, _ = resolve_names(site(outward=long), site_snapshot)
    name = resolved.spokes[0].spoke_to_primary.name
    assert len(name) <= LONGEST_NAME
    assert name != long


def test_of_a_vnet_that_was_not_read_the_names_stay_as_they_are() -> None:
    snapshot = make_snapshot(peering("primary", "hub-v2", "spoke", Flags()), unread=("spoke",))
    resolved, differing = resolve_names(site(), snapshot)
    assert resolved.spokes[0].spoke_to_primary.name == "up"
    assert [renamed_peering.written for renamed_peering in differing] == ["down"]


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_the_connected_one_counts(order: int) -> None:
    peerings = [
        peering("spoke", "old", "primary", Flags(), "Disconnected"),
        peering("spoke", "new", "primary", USES),
    ]
    resolved, _ = resolve_names(site(), make_snapshot(*peerings[::order]))
    assert resolved.spokes[0].spoke_to_primary.name == "new"
