"""az, which we did not write, plays the script of a firewall hub's switch (``-o az``)."""

from __future__ import annotations

import os
import subprocess
from typing import Any

import pytest

from erfailover.lab.server.az_config import write_configuration
from tests.support import az as az_cli
from tests.support.az import Az
from tests.support.clocks import ResumedClock
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
    firewall: FirewallSite, az: Az, monkeypatch: pytest.MonkeyPatch, mode: str, way: str
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
    endpoint = stage.environment["ERFAILOVER_ENDPOINT"]
    folder = write_configuration(stage.folder / "az", stage.lab.identity, endpoint)
    monkeypatch.setenv("AZURE_CONFIG_DIR", str(folder))
    monkeypatch.setenv("PATH", f"{az.program.parent}{os.pathsep}{os.environ['PATH']}")
    stage.lab.clock = ResumedClock(20.0, stage.clock.now())
    file = stage.folder / "switch.sh"
    file.write_text(script)
    done = subprocess.run(["/bin/sh", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert read_state(firewall) == desired
    assert (monitor.early, monitor.cuts) == ([], [])
    assert [monitor.explain(spoke) for spoke in SPOKES] == ["", "", ""]
