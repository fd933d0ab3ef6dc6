"""Which probes concern the spokes that were chosen."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

import pytest

from erfailover.model.probes import (
    InterfaceRoute,
    LocalCommand,
    LocalConnect,
    LocalPing,
    LocalShell,
    MachineConnect,
    MachinePing,
    NextHop,
    Probe,
)
from erfailover.model.site import Path
from erfailover.planning.probes.chosen import is_relevant
from tests.support.sites import make_snapshot, make_state, site

WHOLE = site("vnet1", "vnet7")
PART = WHOLE.select_spokes(("vnet1",))
SEEN = make_snapshot(PART, make_state(Path.EXPRESSROUTE, PART))
NETWORKS = {
    "vm1": PART.build_network_id("vnet1").upper(),
    "vm7": PART.build_network_id("vnet7"),
    "nic1": PART.build_network_id("vnet1"),
    "office": PART.build_network_id("vnet5"),
    "lost": None,
}
IN_VNET1, ELSEWHERE = IPv4Address("10.1.0.4"), IPv4Address("10.5.0.4")


@pytest.mark.parametrize(
    ("probe", "expected"),
    [
        (MachinePing("vm1", ELSEWHERE), True),
        (MachinePing("vm7", ELSEWHERE), False),
        (MachinePing("vm7", IN_VNET1), False),
        (MachinePing("office", IN_VNET1), True),
        (MachinePing("office", ELSEWHERE), False),
        (MachinePing("lost", ELSEWHERE), True),
        (MachinePing("vm1", ELSEWHERE, through="office"), True),
        (MachineConnect("vm1", ELSEWHERE, 443), True),
        (MachineConnect("office", IN_VNET1, 443), True),
        (NextHop("vm7", ELSEWHERE, "Internet"), False),
        (InterfaceRoute("nic1", IPv4Network("10.5.0.0/16"), "VirtualNetworkGateway"), True),
        (InterfaceRoute("office", IPv4Network("10.1.2.0/24"), "VirtualNetworkGateway"), True),
        (InterfaceRoute("office", IPv4Network("10.0.0.0/8"), "VirtualNetworkGateway"), False),
        (LocalPing("10.1.0.4"), True),
        (LocalPing("10.5.0.4"), False),
        (LocalPing("vm1.example.net"), False),
        (LocalConnect("10.1.0.4:443"), True),
        (LocalConnect("[fd00::4]:443"), False),
        (LocalCommand(("true",)), False),
        (LocalShell("true"), False),
    ],
)
def test_a_probe_concerns_the_spoke_that_it_is_asked_from_or_leads_to(
    probe: Probe, expected: bool
) -> None:
    assert is_relevant(PART, SEEN, probe, NETWORKS) is expected
