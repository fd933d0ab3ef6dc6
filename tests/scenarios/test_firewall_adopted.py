"""Adopting hubs with an appliance: ``init --from-azure`` finds the tables and both next hops."""

from __future__ import annotations

import pytest

from erfailover.config import loader
from erfailover.lab.engine.faults import FOREVER, Fault, FaultKind
from erfailover.model.site import Site
from tests.support.firewall_stage import FirewallSite, firewall, firewall_worlds
from tests.support.firewall_world import PRIMARY, SPOKES, Appliance, Shape

__all__ = ["firewall", "firewall_worlds"]

MACHINES = Shape(Appliance.MACHINE, Appliance.MACHINE)
SHAPES = [Shape(), MACHINES, Shape(Appliance.BALANCED, Appliance.BALANCED)]


def load(site: FirewallSite) -> Site:
    return loader.load(site.stage.folder / "erfailover.yaml", {})


@pytest.mark.parametrize("firewall", SHAPES, indirect=True)
def test_the_tables_and_both_appliances_are_found_and_nothing_is_written(
    firewall: FirewallSite,
) -> None:
    report = firewall.stage.json(*firewall.init)
    shape = firewall.world.shape
    assert [
        (table.route_table, table.mode, str(table.on_expressroute), str(table.on_ipsec))
        for table in load(firewall).routing
    ] == [
        (
            firewall.world.id(f"routeTables/{name}"),
            "overlay",
            shape.primary_address,
            shape.backup_address,
        )
        for name in ("udr-dg", "udr-dg-web")
    ]
    assert [table["spokes"] for table in report["routing"]] == [
        ["vnet-app", "vnet-data"],
        ["vnet-web"],
    ]
    assert any("rules of the appliance" in remark for remark in report["remarks"])
    assert firewall.stage.writes() == []


def test_without_an_appliance_in_the_backup_hub_the_tables_are_comments_that_say_what_is_open(
    firewall: FirewallSite,
) -> None:
    firewall.delete("azureFirewalls/azfw-vnet-hub-dr")
    before = len(firewall.stage.writes())
    report = firewall.stage.json(*firewall.init)
    assert load(firewall).routing == ()
    assert [(table["on_ipsec"], table["adopted"]) for table in report["routing"]] == [
        (None, False),
        (None, False),
    ]
    text = (firewall.stage.folder / "erfailover.yaml").read_text()
    assert "# routing:\n" in text
    assert "#     on_expressroute: 10.5.0.4\n#     on_ipsec: ADDRESS\n" in text
    remark = "route table udr-dg: no next hop is proposed in vnet-hub-dr: it has no appliance"
    assert any(text.startswith(remark) for text in report["remarks"])
    assert len(firewall.stage.writes()) == before


def test_of_several_appliances_the_one_of_the_same_kind_is_proposed_and_the_others_are_named(
    firewall: FirewallSite,
) -> None:
    firewall.add_interface("nva-nic", machine=True)
    firewall.add_interface("spare-nic", machine=False)
    report = firewall.stage.json(*firewall.init)
    assert [str(table.on_ipsec) for table in load(firewall).routing] == ["10.15.0.4", "10.15.0.4"]
    assert (
        "route table udr-dg: next hop on IPsec: azfw-vnet-hub-dr (Azure Firewall, 10.15.0.4); "
        "vnet-hub-dr also has nva-nic (network interface, 10.15.1.4)" in report["remarks"]
    )


@pytest.mark.parametrize("firewall", [MACHINES], indirect=True)
def test_of_two_machines_none_is_proposed(firewall: FirewallSite) -> None:
    firewall.add_interface("second-nic", machine=True)
    report = firewall.stage.json(*firewall.init)
    assert load(firewall).routing == ()
    assert (
        "route table udr-dg: no next hop is proposed in vnet-hub-dr: it has several appliances, "
        "nva-vnet-hub-dr-nic (network interface, 10.15.1.4), second-nic (network interface, "
        "10.15.1.5)" in report["remarks"]
    )


def test_spokes_on_ipsec_with_their_next_hops_are_adopted_with_both(firewall: FirewallSite) -> None:
    for spoke in SPOKES:
        firewall.prepare(spoke)
        firewall.move(spoke)
        firewall.overlay(spoke.table)
    firewall.stage.pass_time(60.0)
    report = firewall.stage.json(*firewall.init)
    assert {spoke["path"] for spoke in report["spokes"]} == {"ipsec"}
    assert [
        (str(table.on_expressroute), str(table.on_ipsec)) for table in load(firewall).routing
    ] == [("10.5.0.4", "10.15.0.4")] * 2


def test_a_table_that_takes_the_gateways_routes_moves_no_next_hop(firewall: FirewallSite) -> None:
    arm = firewall.arm()
    for name in ("udr-dg", "udr-dg-web"):
        body = arm.get(firewall.world.id(f"routeTables/{name}"))
        properties = body["properties"]
        properties["disableBgpRoutePropagation"] = False
        properties["routes"] = [
            route for route in properties["routes"] if route["name"] == "to-firewall"
        ]
        arm.put(firewall.world.id(f"routeTables/{name}"), properties, location="westeurope")
    arm.pool.clear()
    report = firewall.stage.json(*firewall.init)
    assert load(firewall).routing == ()
    assert "routing" not in report


def test_a_table_that_leads_to_two_appliances_is_left_to_a_person(firewall: FirewallSite) -> None:
    for prefix, address in (("192.168.0.0/17", "10.5.0.4"), ("192.168.128.0/17", "10.5.1.9")):
        hop = {"nextHopType": "VirtualAppliance", "nextHopIpAddress": address}
        name = prefix.replace("/", "-")
        firewall.put(f"routeTables/udr-dg/routes/{name}", {"addressPrefix": prefix, **hop})
    report = firewall.stage.json(*firewall.init)
    assert [table.route_table.rpartition("/")[2] for table in load(firewall).routing] == [
        "udr-dg-web"
    ]
    assert (
        "route table udr-dg: it uses several appliances in vnet-hub (10.5.0.4, 10.5.1.9), but "
        "routing has one per path: use one appliance for these routes, or write the section "
        "yourself" in report["remarks"]
    )


def test_with_all_traffic_as_remote_prefix_complete_routes_are_exchanged(
    firewall: FirewallSite,
) -> None:
    firewall.stage.do(*firewall.init, "--remote-prefix", "0.0.0.0/0")
    assert [table.mode for table in load(firewall).routing] == ["replace", "replace"]


def test_appliances_that_may_not_be_read_are_a_remark(firewall: FirewallSite) -> None:
    answer = {"error": {"code": "AuthorizationFailed", "message": "no"}}
    path = f"*{firewall.world.id('azureFirewalls/azfw-vnet-hub-dr')}"
    fault = Fault(FaultKind.ANSWER, "GET", path, times=FOREVER, status=403, body=answer)
    firewall.stage.lab.add_faults(fault)
    report = firewall.stage.json(*firewall.init)
    assert load(firewall).routing == ()
    (remark,) = [text for text in report["remarks"] if text.startswith("route table udr-dg: ")]
    assert "some of its appliances could not be read (azfw-vnet-hub-dr: " in remark


def test_hubs_that_take_nothing_forwarded_as_in_the_tutorial_are_adopted_and_fail_over(
    firewall: FirewallSite,
) -> None:
    for spoke in SPOKES:
        path = f"virtualNetworks/{PRIMARY.name}/virtualNetworkPeerings/hub-to-{spoke.name}"
        body = firewall.get(path)["properties"]
        firewall.put(path, {**body, "allowForwardedTraffic": False})
    firewall.stage.do(*firewall.init)
    for target in ("ipsec", "expressroute"):
        monitor = firewall.monitor()
        firewall.stage.do("switch", "--to", target, "--yes", "--planned")
        assert [monitor.explain(spoke) for spoke in SPOKES] == ["", "", ""]
        assert (monitor.early, monitor.cuts) == ([], [])
        monitor.remove()
