"""The story on sites that nobody could have made special cases for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from tests.support import azure
from tests.support.naive_bgp import tables
from tests.support.random_sites import Drawn, draw
from tests.support.stage import Stage

HELD = 400.0
"""Seconds after which every session has settled: hold time, connect time, and more."""


def check(stage: Stage, drawn: Drawn, on: str, *, primary_up: bool) -> None:
    """Every gateway's table, read by the SDK, is the reference's."""
    stage.pass_time(HELD)
    subscription = os.environ["AZURE_SUBSCRIPTION_ID"]
    group = f"/subscriptions/{subscription}/resourceGroups/{drawn.data['resource_group']}"
    desired = tables(drawn.routers(on, primary_up=primary_up))
    with azure.reader(stage.clock) as reader:
        for gateway, rows in desired.items():
            gateway_id = f"{group}/providers/Microsoft.Network/virtualNetworkGateways/{gateway}"
            names = {
                (
                    row["network"],
                    row.get("nextHop") or None,
                    row["sourcePeer"],
                    row["origin"],
                    row.get("asPath") or None,
                )
                for row in reader.read_gateway_action(gateway_id, "get_learned_routes")
            }
            assert names == rows, f"{gateway} on {on}, primary {'up' if primary_up else 'down'}"


@pytest.mark.parametrize("seed", range(4))
def test_the_story_on_a_random_site_with_every_table_checked(stage: Stage, seed: int) -> None:
    drawn = draw(seed)
    Path("erfailover.yaml").write_text(yaml.safe_dump(drawn.data))
    stage.do("provision", "--yes")
    check(stage, drawn, "expressroute", primary_up=True)
    stage.do("verify")
    first = next(iter(drawn.spokes))
    stage.watch(f"{first}-nic", "9.9.9.9")

    stage.do("drill", "start", "--yes")
    check(stage, drawn, "expressroute", primary_up=False)
    stage.do("verify", "--expect", "office=down,internet=up")

    stage.do("switch", "--to", "ipsec", "--yes", "--planned")
    check(stage, drawn, "ipsec", primary_up=False)
    assert stage.json("status")["path"] == "ipsec"

    stage.do("drill", "stop", "--yes")
    check(stage, drawn, "ipsec", primary_up=True)

    stage.do("switch", "--to", "expressroute", "--yes")
    check(stage, drawn, "expressroute", primary_up=True)
    status = stage.json("status")
    assert (status["path"], status["healthy"]) == ("expressroute", True)
    assert stage.cuts == []
    stage.do("destroy", "--yes")
    assert list(stage.lab.world.iter_by_type("Microsoft.Resources/resourceGroups")) == []
