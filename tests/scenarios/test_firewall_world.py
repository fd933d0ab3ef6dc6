"""The doubled firewall tutorial in the lab: what reaches what, and what next hops alone do."""

from __future__ import annotations

import pytest

from tests.support.firewall_stage import FirewallSite, firewall, firewall_worlds
from tests.support.firewall_world import (
    CORP,
    INTERNET,
    SPOKES,
    Appliance,
    Shape,
)

__all__ = ["firewall", "firewall_worlds"]

SHAPES = [
    Shape(),
    Shape(Appliance.MACHINE, Appliance.MACHINE),
    Shape(Appliance.BALANCED, Appliance.BALANCED),
]
APP, DATA, WEB = SPOKES


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
        firewall.prepare(spoke)
        firewall.move(spoke)
        assert not monitor.is_connected(spoke), "the peerings alone move no packet"
        firewall.overlay(spoke.table)
        firewall.stage.pass_time(60.0)
        assert monitor.is_connected(spoke), monitor.explain(spoke)
    assert monitor.cuts == []
    assert monitor.looks > 10


@pytest.mark.parametrize("firewall", SHAPES, indirect=True)
def test_next_hops_moved_before_the_break_cut_what_worked(
    firewall: FirewallSite,
) -> None:
    for spoke in SPOKES:
        firewall.prepare(spoke)
    monitor = firewall.monitor()
    assert all(monitor.is_connected(spoke) for spoke in SPOKES)
    firewall.overlay(WEB.table)
    reason = "has not seen" if firewall.world.shape == Shape() else "iptables drops it"
    assert reason in monitor.explain(WEB)
    assert monitor.is_connected(APP)
    assert monitor.cuts == []


@pytest.mark.parametrize("firewall", SHAPES, indirect=True)
def test_an_overlay_removed_before_the_failbacks_break_cuts_what_worked(
    firewall: FirewallSite,
) -> None:
    for spoke in SPOKES:
        firewall.prepare(spoke)
        firewall.move(spoke)
        firewall.overlay(spoke.table)
    firewall.stage.pass_time(60.0)
    monitor = firewall.monitor()
    assert [monitor.explain(spoke) for spoke in SPOKES] == ["", "", ""]
    firewall.delete(f"routeTables/{APP.table}/routes/erfailover-premises")
    assert [monitor.is_connected(spoke) for spoke in SPOKES] == [False, False, True]
    assert monitor.cuts == []
