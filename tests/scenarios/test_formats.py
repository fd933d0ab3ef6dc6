"""Results on standard output in the format asked for, progress elsewhere; times as promised."""

from __future__ import annotations

import json

import pytest
import yaml

from erfailover.lab.core.timing import get_percentiles
from tests.support import azure
from tests.support.commands import prints_data
from tests.support.stage import Stage

COMMANDS = [
    ["init", "--force"],
    ["validate"],
    ["permissions"],
    ["permissions", "--role-definition", "switch"],
    ["provision", "--dry-run"],
    ["provision", "--yes"],
    ["provision", "--yes"],
    ["status"],
    ["sites", "."],
    ["doctor"],
    ["export", "bicep"],
    ["verify"],
    ["prestage", "--dry-run"],
    ["prestage", "--yes"],
    ["unprestage", "--dry-run"],
    ["unprestage", "--yes"],
    ["drill", "run", "--canary", "vnet1", "--yes"],
    ["drill", "show-circuit-test"],
    ["drill", "start", "--yes"],
    ["switch", "--to", "ipsec", "--dry-run"],
    ["switch", "--to", "ipsec", "--yes", "--planned"],
    ["drill", "stop", "--yes"],
    ["switch", "--undo", "--yes", "--force"],
    ["pause", "--reason", "test"],
    ["resume"],
    ["history"],
    ["destroy", "--dry-run"],
    ["destroy", "--yes"],
    ["destroy", "--yes"],
]


def test_every_command_that_prints_data_is_among_them() -> None:
    elsewhere = {"demo", "version", "schema", "approve"}
    typed = {" ".join(lines[:2]) if lines[0] == "drill" else lines[0] for lines in COMMANDS}
    assert typed == set(prints_data()) - elsewhere


def test_one_run_is_told_as_its_schema_says(provisioned: Stage) -> None:
    run = provisioned.do("history", "--query", "[-1].id", "-o", "tsv").strip()
    assert provisioned.json("history", run)["command"] == "provision"


def test_a_query_selects_from_what_a_command_prints(provisioned: Stage) -> None:
    stage = provisioned
    assert stage.do("status", "--query", "path") == '"expressroute"\n'
    assert stage.do("status", "--query", "path", "-o", "tsv") == "expressroute\n"
    peers = "gateways[].peers[].{neighbor: neighbor, asn: asn}"
    table = stage.do("status", "-o", "table", "--query", peers).splitlines()
    assert table[0].split() == ["Neighbor", "Asn"]
    assert len(table) == 4
    assert stage.do("status", "-o", "none") == ""


def test_a_query_that_fails_on_the_result_loses_neither_the_work_nor_its_report(
    provisioned: Stage,
) -> None:
    stage = provisioned
    words = ["switch", "--to", "ipsec", "--yes", "--planned", "--query", "sum(to)"]
    assert stage.run(*words) == 2
    assert stage.out == ""
    assert "poc is on IPsec; verified." in stage.err
    assert "--query: sum(to)" in stage.err
    assert stage.do("history", "--query", "[-1].outcome", "-o", "tsv") == "done\n"
    stage.do("drill", "start", "--yes")
    words = ["switch", "--to", "expressroute", "--yes", "--force", "-o", "none"]
    assert stage.run(*words) == 6
    assert stage.out == ""
    assert stage.run("status", "--query", "sum(path)") == 6
    assert "--query: sum(path)" in stage.err


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
    gateway = str(stage.resource("Microsoft.Network/virtualNetworkGateways", "vng1").id)
    slowest = 0.0
    with azure.reader(stage.clock) as reader:
        for action in ("get_bgp_peer_status", "get_learned_routes"):
            began = stage.clock.now()
            assert reader.read_gateway_action(gateway, action)
            slowest = max(slowest, stage.clock.now() - began)
    began = stage.clock.now()
    stage.do("status")
    assert stage.clock.now() - began <= 1.2 * slowest


def test_three_gateways_take_as_long_as_one(stage: Stage) -> None:
    stage.do("init")
    began = stage.clock.now()
    stage.do("provision", "--yes")
    took = stage.clock.now() - began
    one = get_percentiles("Microsoft.Network/virtualNetworkGateways", "create", "VpnGw1AZ").p50
    assert one < took < 1.1 * one
