"""Wrong orders of a planned switch, which the lab's packets must catch.

The check: a spoke that works is stranded by nothing before its break. In the wrong variants the
next hops move before it: the answers of the path in use then arrive at an appliance that has
seen no request, or the requests at one that sends them nowhere.
"""

from __future__ import annotations

import pytest

from erfailover.commands.switch.next_hops import RoutedCrossing
from tests.support.firewall_packets import Monitor
from tests.support.firewall_stage import FirewallSite, firewall, firewall_worlds
from tests.support.firewall_world import SPOKES, Appliance, Shape

__all__ = ["firewall", "firewall_worlds"]

RIGHT = RoutedCrossing.pass_gate
MACHINES = Shape(Appliance.MACHINE, Appliance.MACHINE)
WEB = SPOKES[2]
"""It shares its route table with no other spoke."""
EACH = pytest.mark.parametrize(
    ("firewall", "mode"),
    [(Shape(), "overlay"), (Shape(), "replace"), (MACHINES, "overlay")],
    indirect=["firewall"],
)
ALONE = ("--spoke", WEB.name, "--yes", "--planned")


def move_first(crossing: RoutedCrossing) -> None:
    """Pass the gate, and move the next hops before the spoke is taken off its path."""
    RIGHT(crossing)
    assert crossing._move_routes(crossing.clock.now() + 60.0)


def switch(site: FirewallSite, target: str, mode: str) -> Monitor:
    monitor = site.monitor(only_moves=mode == "replace")
    site.stage.run("switch", "--to", target, *ALONE)
    assert monitor.is_connected(WEB), site.stage.err
    return monitor


@EACH
def test_the_order_as_it_is_strands_no_spoke_before_its_break(
    firewall: FirewallSite, mode: str
) -> None:
    firewall.write_site(mode)
    for target in ("ipsec", "expressroute"):
        monitor = switch(firewall, target, mode)
        assert (monitor.early, monitor.cuts) == ([], [])
        assert monitor.get_outage_s(WEB) > 0


@EACH
def test_next_hops_moved_before_the_break_are_caught(
    firewall: FirewallSite, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    firewall.write_site(mode)
    monkeypatch.setattr(RoutedCrossing, "pass_gate", move_first)
    assert switch(firewall, "ipsec", mode).early


@EACH
def test_next_hops_taken_back_before_the_failbacks_break_are_caught(
    firewall: FirewallSite, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    firewall.write_site(mode)
    assert switch(firewall, "ipsec", mode).early == []
    monkeypatch.setattr(RoutedCrossing, "pass_gate", move_first)
    assert switch(firewall, "expressroute", mode).early
