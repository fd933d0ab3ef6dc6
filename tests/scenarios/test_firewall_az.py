"""az, which we did not write, plays the script of a firewall hub's switch (``-o az``)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import az as az_cli
from tests.support.az import Az
from tests.support.firewall_packets import PEERINGS
from tests.support.firewall_stage import FirewallSite, firewall, firewall_worlds
from tests.support.firewall_world import SPOKES, TABLES

__all__ = ["firewall", "firewall_worlds"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

FLAGS = (
    "allowVirtualNetworkAccess",
    "allowForwardedTraffic",
    "allowGatewayTransit",
    "useRemoteGateways",
    "peeringState",
)


@pytest.fixture(scope="module")
def az() -> Az:
    return az_cli.install_az()


def read_state(site: FirewallSite) -> dict[str, Any]:
    """The flags of every peering, and the routes of the spokes' tables."""
    site.stage.lab.catch_up()
    state: dict[str, Any] = {
        str(peering.id): [peering.properties.get(flag) for flag in FLAGS]
        for peering in site.stage.lab.world.iter_by_type(PEERINGS)
    }
    return state | {table: site.list_routes(table) for table in TABLES}


@pytest.mark.parametrize("mode", ["overlay", "replace"])
@pytest.mark.parametrize("way", ["ipsec", "expressroute"])
def test_the_script_by_the_real_az_ends_where_a_switch_does_and_cuts_nothing_else(
    firewall: FirewallSite, az: Az, mode: str, way: str
) -> None:
    stage = firewall.stage
    firewall.write_site(mode)
    if way == "expressroute":
        stage.do("switch", "--to", "ipsec", "--yes", "--planned")
        stage.pass_time(200.0)
    script = stage.do("switch", "--to", way, "--dry-run", "-o", "az")
    before = stage.lab.snapshot()
    stage.do("switch", "--to", way, "--yes", "--planned")
    desired = read_state(firewall)
    stage.lab.restore(before)
    assert read_state(firewall) != desired

    monitor = firewall.monitor(only_moves=mode == "replace")
    az_cli.play_script(az, stage, script)
    assert read_state(firewall) == desired
    assert (monitor.early, monitor.cuts) == ([], [])
    assert [monitor.explain(spoke) for spoke in SPOKES] == ["", "", ""]
