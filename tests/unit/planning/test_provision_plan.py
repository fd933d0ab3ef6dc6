"""What provision decides about what is there already."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from pathlib import Path as FilePath
from typing import Any

import pytest

from erfailover.config.loader import load, read_template
from erfailover.model.plan import Change
from erfailover.model.resource_ids import PEERING
from erfailover.model.site import Path, Site
from erfailover.planning.provision.arm_bodies import TAG, Reference, SecretName
from erfailover.planning.provision.nat import build_setups
from erfailover.planning.provision.plan import Action, ProvisionPlan, find_path, list_desired, plan

Existing = dict[str, Any]


@pytest.fixture
def site(tmp_path: FilePath) -> Site:
    file = tmp_path / "erfailover.yaml"
    file.write_text(read_template(), encoding="utf-8")
    return load(file, {"AZURE_SUBSCRIPTION_ID": "11111111-2222-3333-4444-555555555555"})


@pytest.fixture
def existing(site: Site) -> Existing:
    """Everything as provision leaves it."""
    document: Existing = {}
    for resource in list_desired(site):
        body = resolve_references(resource.body)
        body.setdefault("properties", {})["provisioningState"] = "Succeeded"
        document[resource.id.lower()] = body
    for name in ("vng1", "vng2", "vng3"):
        gateway = document[site.build_gateway_id(name).lower()]["properties"]
        gateway["bgpSettings"]["bgpPeeringAddress"] = "value"
        address = gateway["ipConfigurations"][0]["properties"]["publicIPAddress"]["id"]
        document[address.lower()]["properties"]["ipAddress"] = "value"
    return document


def resolve_references(value: Any) -> Any:
    if isinstance(value, Reference | SecretName):
        return "value"
    if isinstance(value, dict):
        return {key: resolve_references(item) for key, item in value.items()}
    if isinstance(value, list):
        return [resolve_references(item) for item in value]
    return copy.copy(value)


def make_plan(site: Site, existing: Existing, unsettled: Iterable[str] = ()) -> ProvisionPlan:
    nat = {setup.id: True for setup in build_setups(site)}
    return plan(site, existing, nat, [name.lower() for name in unsettled])


def only_change(result: ProvisionPlan) -> Action:
    [change] = result.changes
    assert isinstance(change, Action)
    return change


def peering(site: Site, existing: Existing, network: str, name: str) -> Any:
    return existing[site.build_peering_id(network, name).lower()]["properties"]


def put_switched_peerings(site: Site, existing: Existing) -> None:
    """The peerings as a switch to the backup leaves them."""
    spoke = site.spokes[0]
    own = {"vnet1": (spoke.spoke_to_primary, spoke.spoke_to_backup)}
    for network, peerings in own.items():
        for site_peering in peerings:
            put_flags(
                site, existing, network, site_peering.name, site_peering.get_flags(Path.IPSEC)
            )
    put_flags(
        site, existing, "vnet2", "vnet2-to-vnet1", spoke.primary_to_spoke.get_flags(Path.IPSEC)
    )
    put_flags(
        site, existing, "vnet3", "vnet3-to-vnet1", spoke.backup_to_spoke.get_flags(Path.IPSEC)
    )


def put_flags(site: Site, existing: Existing, network: str, name: str, flags: Any) -> None:
    remote = site.build_network_id(name.rsplit("-", 1)[-1])
    existing[site.build_peering_id(network, name).lower()] = {
        "properties": {
            "provisioningState": "Succeeded",
            "remoteVirtualNetwork": {"id": remote},
            "allowVirtualNetworkAccess": flags.allow_virtual_network_access,
            "allowForwardedTraffic": flags.allow_forwarded_traffic,
            "allowGatewayTransit": flags.allow_gateway_transit,
            "useRemoteGateways": flags.use_remote_gateways,
        }
    }


def test_with_nothing_there_everything_is_made(site: Site) -> None:
    result = plan(site, {}, {})
    assert {item.change for item in result.every} == {Change.CREATE}
    assert len(result.actions) == len(list_desired(site))


def test_with_everything_there_nothing_is_changed(site: Site, existing: Existing) -> None:
    assert make_plan(site, existing).changes == ()


def test_what_differs_is_updated_and_says_in_what(site: Site, existing: Existing) -> None:
    table = next(body for id_, body in existing.items() if "/routetables/" in id_)
    table["properties"]["routes"][0]["properties"]["nextHopIpAddress"] = "10.2.2.9"
    action = only_change(make_plan(site, existing))
    assert action.change is Change.UPDATE
    assert [str(difference) for difference in action.differences] == [
        "properties.routes[to-8.8.4.4-32].properties.nextHopIpAddress: 10.2.2.9 -> 10.2.2.4"
    ]


def test_an_interrupted_creation_is_waited_for(site: Site, existing: Existing) -> None:
    existing[site.build_gateway_id("vng1").lower()]["properties"]["provisioningState"] = "Updating"
    action = only_change(make_plan(site, existing))
    assert action.change is Change.UPDATE
    assert str(action.note).startswith("Updating: updated once that has ended")


def test_a_failed_resource_is_written_again(site: Site, existing: Existing) -> None:
    existing[site.build_gateway_id("vng1").lower()]["properties"]["provisioningState"] = "Failed"
    action = only_change(make_plan(site, existing))
    assert (action.change, action.note) == (Change.UPDATE, "its last write failed")


def test_a_resource_being_deleted_is_made_anew(site: Site, existing: Existing) -> None:
    existing[site.build_machine_id("vm1").lower()]["properties"]["provisioningState"] = "Deleting"
    assert only_change(make_plan(site, existing)).change is Change.CREATE


def test_a_disconnected_peering_is_written_anew(site: Site, existing: Existing) -> None:
    peering(site, existing, "vnet4", "vnet4-to-vnet5")["peeringState"] = "Disconnected"
    assert (
        only_change(make_plan(site, existing)).note == "Disconnected: written again to reconnect it"
    )


def test_a_gateway_made_anew_changes_the_local_network_gateways_that_stand_for_it(
    site: Site, existing: Existing
) -> None:
    existing[site.build_gateway_id("vng3").lower()] = None
    changes = make_plan(site, existing).changes
    assert [change.desired.name for change in changes if isinstance(change, Action)] == [
        "vng3",
        "lng1",
        "lng2",
    ]


def test_a_connection_whose_key_is_not_certain_is_written_anew(
    site: Site, existing: Existing
) -> None:
    name = "Microsoft.Network/connections"
    action = only_change(make_plan(site, existing, [site.build_resource_id(name, "vng1-to-vng3")]))
    assert action.desired.name == "vng1-to-vng3"
    assert "shared key" in str(action.note)
    assert action.differences == ()


def test_nat_rules_that_a_restart_has_taken_are_put_back(site: Site, existing: Existing) -> None:
    [setup] = build_setups(site)
    [change] = plan(site, existing, {setup.id: False}).changes
    assert change.change is Change.UPDATE
    assert not isinstance(change, Action)


def test_the_path_of_a_spoke_is_that_of_its_remote_gateway(site: Site, existing: Existing) -> None:
    [spoke] = site.spokes
    assert find_path(site, spoke, {}) is Path.EXPRESSROUTE
    assert find_path(site, spoke, existing) is Path.EXPRESSROUTE
    put_switched_peerings(site, existing)
    assert find_path(site, spoke, existing) is Path.IPSEC


def test_a_switched_spoke_stays_where_it_is(site: Site, existing: Existing) -> None:
    put_switched_peerings(site, existing)
    result = make_plan(site, existing)
    assert result.changes == ()
    assert result.held == ()


def test_a_switched_spoke_is_held_to_the_flags_of_its_path(site: Site, existing: Existing) -> None:
    put_switched_peerings(site, existing)
    peering(site, existing, "vnet3", "vnet3-to-vnet1")["allowForwardedTraffic"] = False
    action = only_change(make_plan(site, existing))
    assert action.desired.name == "vnet3/vnet3-to-vnet1"
    assert action.desired.body["properties"]["allowGatewayTransit"] is True


def test_a_switch_that_stopped_half_way_is_left_to_switch(site: Site, existing: Existing) -> None:
    put_switched_peerings(site, existing)
    peering(site, existing, "vnet1", "vnet1-to-vnet3")["useRemoteGateways"] = False
    result = make_plan(site, existing)
    assert result.held == ("vnet1",)
    assert result.changes == ()
    assert not any(action.desired.spoke for action in result.actions)


def test_remote_gateways_switched_off_by_hand_are_put_back_where_no_switch_is_under_way(
    site: Site, existing: Existing
) -> None:
    peering(site, existing, "vnet1", "vnet1-to-vnet2")["useRemoteGateways"] = False
    action = only_change(make_plan(site, existing))
    assert action.desired.name == "vnet1/vnet1-to-vnet2"
    assert [difference.path for difference in action.differences] == [
        "properties.useRemoteGateways"
    ]


def test_peerings_to_the_backup_that_are_there_early_are_no_concern(
    site: Site, existing: Existing
) -> None:
    switched_too: Existing = {}
    put_switched_peerings(site, switched_too)
    for id_, body in switched_too.items():
        if "vnet3" in id_.rsplit("/", 1)[-1]:
            body["properties"]["useRemoteGateways"] = False
            existing[id_] = body
    assert make_plan(site, existing).changes == ()


def test_an_untagged_resource_in_a_group_of_ours_is_updated(site: Site, existing: Existing) -> None:
    existing[site.build_network_id("vnet1").lower()]["tags"] = {}
    result = make_plan(site, existing)
    assert result.foreign == ()
    assert [difference.path for difference in only_change(result).differences] == [f"tags.{TAG}"]


def test_what_somebody_else_made_is_used_as_it_is_where_it_fits(
    site: Site, existing: Existing
) -> None:
    existing[site.build_group_id().lower()]["tags"] = {}
    existing[site.build_network_id("vnet1").lower()]["tags"] = {}
    result = make_plan(site, existing)
    assert (result.changes, result.foreign) == ((), ())
    [note] = [action.note for action in result.actions if action.note]
    assert note == "not created by erfailover; used unchanged"


@pytest.mark.parametrize("tags", [{}, {TAG: "another"}])
def test_what_somebody_else_made_and_does_not_fit_stands_in_the_way(
    site: Site, existing: Existing, tags: dict[str, str]
) -> None:
    existing[site.build_group_id().lower()]["tags"] = {}
    network = existing[site.build_network_id("vnet1").lower()]
    network["tags"] = tags
    network["properties"]["addressSpace"]["addressPrefixes"] = ["10.9.0.0/16"]
    assert make_plan(site, existing).foreign == ("VNet vnet1",)


def test_a_peering_belongs_to_whom_its_network_belongs(site: Site, existing: Existing) -> None:
    existing[site.build_network_id("vnet4").lower()]["tags"] = {TAG: "another"}
    peering(site, existing, "vnet4", "vnet4-to-vnet5")["allowForwardedTraffic"] = False
    assert make_plan(site, existing).foreign == ("peering vnet4/vnet4-to-vnet5",)
    assert any(action.desired.type == PEERING for action in make_plan(site, existing).actions)


def test_a_deleted_opposite_is_made_after_the_disconnected_peering_is_written_once(
    site: Site, existing: Existing
) -> None:
    inward = site.build_peering_id("vnet2", "vnet2-to-vnet1")
    outward = site.build_peering_id("vnet1", "vnet1-to-vnet2")
    existing[inward.lower()] = None
    peering(site, existing, "vnet1", "vnet1-to-vnet2")["peeringState"] = "Disconnected"
    action, first, last = [
        change for change in make_plan(site, existing).changes if isinstance(change, Action)
    ]
    assert (action.desired.id, first.desired.id, last.desired.id) == (inward, outward, outward)
    assert first.desired.body["properties"]["useRemoteGateways"] is False
    assert first.desired.body["properties"]["allowVirtualNetworkAccess"] is True
    assert last.desired.body["properties"]["useRemoteGateways"] is True
    assert first.desired.key in action.desired.needs
    assert action.desired.key in last.desired.needs
    assert action.desired.key not in first.desired.needs


def test_a_deleted_peering_is_made_after_its_disconnected_opposite_is_written(
    site: Site, existing: Existing
) -> None:
    existing[site.build_peering_id("vnet5", "vnet5-to-vnet4").lower()] = None
    peering(site, existing, "vnet4", "vnet4-to-vnet5")["peeringState"] = "Disconnected"
    written, action = [
        change for change in make_plan(site, existing).changes if isinstance(change, Action)
    ]
    assert (written.change, action.change) == (Change.UPDATE, Change.CREATE)
    assert written.desired.key in action.desired.needs
