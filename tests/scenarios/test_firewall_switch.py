"""A switch of spokes behind a firewall: peerings and next hops move in one procedure.

What may not be cut is judged by the lab's packets at every change (``firewall_packets.Monitor``).
"""

from __future__ import annotations

import pytest

from tests.support.firewall_stage import FirewallSite, firewall, firewall_worlds
from tests.support.firewall_world import PREMISES, SPOKES, Appliance, Shape

__all__ = ["firewall", "firewall_worlds"]

MACHINES = Shape(Appliance.MACHINE, Appliance.MACHINE)
BALANCED = Shape(Appliance.BALANCED, Appliance.BALANCED)
AWAY, HOME = ("switch", "--to", "ipsec"), ("switch", "--to", "expressroute")
MODES = ("overlay", "replace")


def list_tables(firewall: FirewallSite) -> dict[str, dict[str, tuple[str, str]]]:
    return {table: firewall.list_routes(table) for table in ("udr-dg", "udr-dg-web")}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("firewall", [Shape(), MACHINES, BALANCED], indirect=True)
def test_an_unplanned_switch_and_its_failback_move_every_spoke(
    firewall: FirewallSite, mode: str
) -> None:
    before = list_tables(firewall)
    firewall.write_site(mode)
    firewall.cut_expressroute()
    monitor = firewall.monitor(only_moves=mode == "replace")
    firewall.stage.do(*AWAY, "--yes")
    assert [monitor.explain(spoke) for spoke in SPOKES] == ["", "", ""]
    hop = firewall.world.shape.backup_address
    moved = list_tables(firewall)
    if mode == "overlay":
        assert moved["udr-dg"] == before["udr-dg"] | {"erfailover-192.168.0.0-16": (PREMISES, hop)}
        assert moved["udr-dg-web"] == before["udr-dg-web"] | {"to-premises": (PREMISES, hop)}
    else:
        assert {value[1] for table in moved.values() for value in table.values()} == {hop}
    firewall.cut_expressroute(repair=True)
    firewall.stage.do(*HOME, "--yes")
    assert [monitor.explain(spoke) for spoke in SPOKES] == ["", "", ""]
    assert list_tables(firewall) == before
    assert monitor.cuts == []


@pytest.mark.parametrize("mode", MODES)
def test_a_planned_switch_and_its_failback_interrupt_each_spoke_once(
    firewall: FirewallSite, mode: str
) -> None:
    before = list_tables(firewall)
    firewall.write_site(mode)
    monitor = firewall.monitor(only_moves=mode == "replace")
    firewall.stage.do(*AWAY, "--yes", "--planned")
    assert [len(monitor.changes[spoke.name]) for spoke in SPOKES] == [3, 3, 3]
    firewall.stage.do(*HOME, "--yes")
    assert [len(monitor.changes[spoke.name]) for spoke in SPOKES] == [5, 5, 5]
    assert [monitor.explain(spoke) for spoke in SPOKES] == ["", "", ""]
    assert list_tables(firewall) == before
    assert monitor.cuts == []


@pytest.mark.parametrize("mode", MODES)
def test_a_second_run_writes_nothing(firewall: FirewallSite, mode: str) -> None:
    firewall.write_site(mode)
    firewall.cut_expressroute()
    firewall.stage.do(*AWAY, "--yes")
    writes = len(firewall.stage.writes())
    assert "No changes were needed." in firewall.stage.do(*AWAY, "--yes")
    assert len(firewall.stage.writes()) == writes
