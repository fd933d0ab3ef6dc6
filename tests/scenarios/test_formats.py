"""Results on standard output in the format asked for, progress elsewhere; times as promised."""

from __future__ import annotations

import json
import os

import pytest
import yaml

from erfailover.azure.cloud import Azure
from erfailover.lab.timing import spread_of
from tests.scenarios.conftest import Stage

COMMANDS = [
    ["provision", "--dry-run"],
    ["provision", "--yes"],
    ["provision", "--yes"],
    ["status"],
    ["verify"],
    ["drill", "start", "--yes"],
    ["switch", "--to", "ipsec", "--dry-run"],
    ["switch", "--to", "ipsec", "--yes"],
    ["drill", "stop", "--yes"],
    ["switch", "--undo", "--yes", "--force"],
    ["history"],
    ["destroy", "--dry-run"],
    ["destroy", "--yes"],
]


@pytest.mark.parametrize("format_", ["json", "yaml"])
def test_every_command_prints_one_document_and_nothing_else(stage: Stage, format_: str) -> None:
    stage.do("init")
    parse = json.loads if format_ == "json" else yaml.safe_load
    for command in COMMANDS:
        out = stage.do(*command, "-o", format_)
        assert isinstance(parse(out), dict | list), command
        if command[0] == "provision":
            stage.pass_time(60.0)


def test_status_takes_about_as_long_as_the_slowest_single_read(provisioned: Stage) -> None:
    stage = provisioned
    azure = Azure(
        stage.clock, os.environ["AZURE_SUBSCRIPTION_ID"], os.environ["ERFAILOVER_ENDPOINT"]
    )
    gateway = str(stage.resource("Microsoft.Network/virtualNetworkGateways", "vng1").id)
    slowest = 0.0
    for action in ("get_bgp_peer_status", "get_learned_routes"):
        began = stage.clock.now()
        assert azure.gateway_action(gateway, action)
        slowest = max(slowest, stage.clock.now() - began)
    azure.close()
    began = stage.clock.now()
    stage.do("status")
    assert stage.clock.now() - began <= 1.2 * slowest


def test_three_gateways_take_as_long_as_one(stage: Stage) -> None:
    stage.do("init")
    began = stage.clock.now()
    stage.do("provision", "--yes")
    took = stage.clock.now() - began
    one = spread_of("Microsoft.Network/virtualNetworkGateways", "create", "VpnGw1AZ").p50
    assert one < took < 1.1 * one
