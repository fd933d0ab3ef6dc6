"""The doubled firewall tutorial in the lab: what reaches what, and what next hops alone do."""

from __future__ import annotations

import pytest

from tests.support.firewall_stage import FirewallSite, firewall, firewall_worlds
from tests.support.firewall_world import (
    BACKUP,
    CORP,
    INTERNET,
    PREMISES,
    PRIMARY,
    SPOKES,
    Appliance,
    Shape,
    Spoke,
)

__all__ = ["firewall", "firewall_worlds"]

SHAPES = [
    Shape(),
    Shape(Appliance.MACHINE, Appliance.MACHINE),
    Shape(Appliance.BALANCED, Appliance.BALANCED),
]
APP, DATA, WEB = SPOKES


def hop(prefix: str, address: str) -> dict[str, str]:
    return {
        "addressPrefix": prefix,
        "nextHopType": "VirtualAppliance",
        "nextHopIpAddress": address,
    }


def peering(site: FirewallSite, owner: str, name: str, other: str, **flags: bool) -> None:
    properties = {
        "remoteVirtualNetwork": {"id": site.world.id(f"virtualNetworks/{other}")},
        "allowForwardedTraffic": True,
        **flags,
    }
    site.put(f"virtualNetworks/{owner}/virtualNetworkPeerings/{name}", properties)


def prepare(site: FirewallSite, spoke: Spoke) -> None:
    """Steps 1 and 2 of a switch."""
    name = spoke.name
    peering(site, BACKUP.name, f"hub-dr-to-{name}", name, allowGatewayTransit=True)
    peering(site, name, f"{name}-to-hub-dr", BACKUP.name)


def move(site: FirewallSite, spoke: Spoke) -> None:
    """Break and make."""
    name = spoke.name
    peering(site, name, f"{name}-to-hub", PRIMARY.name)
    peering(site, name, f"{name}-to-hub-dr", BACKUP.name, useRemoteGateways=True)


def overlay(site: FirewallSite, table: str) -> None:
    """The next hop to the premises, and no other."""
    name = "to-premises" if table == WEB.table else "erfailover-premises"
    site.put(f"routeTables/{table}/routes/{name}", hop(PREMISES, site.world.shape.backup_address))


@pytest.mark.parametrize("firewall", SHAPES, indirect=True)
def test_every_spoke_reaches_all_through_the_primarys_appliance(
    firewall: FirewallSite,
) -> None:
    monitor = firewall.monitor()
    assert monitor.cuts == []
    assert [monitor.explain(spoke) for spoke in SPOKES] == ["", "", ""]
    way = f"VirtualAppliance {firewall.world.shape.primary_address}"
    for destination in (CORP, INTERNET, DATA.address):
        trace = monitor.trace(APP.nic, destination)
        assert [hop for hop in trace.hops if hop.endswith(way)], trace


@pytest.mark.parametrize("firewall", SHAPES, indirect=True)
def test_overlays_after_the_make_bring_every_spoke_back_and_cut_nothing_else(
    firewall: FirewallSite,
) -> None:
    firewall.cut_expressroute()
    monitor = firewall.monitor()
    assert not any(monitor.is_connected(spoke) for spoke in SPOKES)
    for spoke in SPOKES:
        prepare(firewall, spoke)
        move(firewall, spoke)
        assert not monitor.is_connected(spoke), "the peerings alone move no packet"
        overlay(firewall, spoke.table)
        firewall.stage.pass_time(60.0)
        assert monitor.is_connected(spoke), monitor.explain(spoke)
    assert monitor.cuts == []
    assert monitor.looks > 10


@pytest.mark.parametrize("firewall", SHAPES, indirect=True)
def test_next_hops_moved_before_the_break_cut_what_worked(
    firewall: FirewallSite,
) -> None:
    for spoke in SPOKES:
        prepare(firewall, spoke)
    monitor = firewall.monitor()
    assert all(monitor.is_connected(spoke) for spoke in SPOKES)
    overlay(firewall, WEB.table)
    reason = "has not seen" if firewall.world.shape == Shape() else "FORWARD drops it"
    assert reason in monitor.explain(WEB)
    assert monitor.is_connected(APP)
    assert monitor.cuts == []


@pytest.mark.parametrize("firewall", SHAPES, indirect=True)
def test_an_overlay_removed_before_the_failbacks_break_cuts_what_worked(
    firewall: FirewallSite,
) -> None:
    for spoke in SPOKES:
        prepare(firewall, spoke)
        move(firewall, spoke)
        overlay(firewall, spoke.table)
    firewall.stage.pass_time(60.0)
    monitor = firewall.monitor()
    assert [monitor.explain(spoke) for spoke in SPOKES] == ["", "", ""]
    firewall.delete(f"routeTables/{APP.table}/routes/erfailover-premises")
    assert [monitor.is_connected(spoke) for spoke in SPOKES] == [False, False, True]
    assert monitor.cuts == []
