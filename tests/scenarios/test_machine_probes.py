"""Probes that run on a machine by Run Command, and next hops told by Network Watcher."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.probes import add_probes
from tests.support.provoked import arm_of
from tests.support.stage import Stage

MACHINE = "Microsoft.Compute/virtualMachines"


def run_verify(stage: Stage, *options: str) -> dict[str, dict[str, Any]]:
    return {item["name"]: item for item in stage.json("verify", *options)}


def run_commands(stage: Stage) -> list[str]:
    return [
        trace_entry.path.split("/")[-2]
        for trace_entry in stage.lab.trace
        if trace_entry.path.lower().endswith("/runcommand") and trace_entry.status == 202
    ]


def test_a_machine_opens_tcp_connections(provisioned: Stage) -> None:
    stage = provisioned
    add_probes(
        "ssh: {machine: vm1, address: 10.5.0.4, tcp: 22}",
        "refused: {machine: vm1, address: 10.5.0.4, tcp: 443}",
        "nobody: {machine: vm1, address: 10.5.0.99, tcp: 22}",
    )
    body = run_verify(stage)
    assert body["ssh"]["up"] is True
    assert body["ssh"]["seen"] == "connected"
    assert body["ssh"]["kind"] == "machine connect"
    assert body["refused"]["up"] is False
    assert "refused" in body["refused"]["seen"]
    assert body["nobody"]["up"] is False
    assert body["nobody"]["seen"] == "no answer within 5 s"


def test_many_probes_of_a_machine_share_commands_and_keep_their_own_answers(
    provisioned: Stage,
) -> None:
    """With 14 pings on one machine, three took the first answer of another (reproduced)."""
    stage = provisioned
    up = {f"up{n}": "10.5.0.4" for n in range(12)}
    down = {f"down{n}": f"10.5.0.{100 + n}" for n in range(12)}
    add_probes(*[f"{name}: {{machine: vm1, ping: {to}}}" for name, to in (down | up).items()])
    body = run_verify(stage)
    assert {name: body[name]["up"] for name in down} == dict.fromkeys(down, False)
    assert {name: body[name]["up"] for name in up} == dict.fromkeys(up, True)
    assert run_commands(stage).count("vm1") == 2
    assert run_commands(stage).count("vm3") == 1


def test_a_command_in_progress_on_the_machine_is_waited_out(provisioned: Stage) -> None:
    """409 Conflict "Run command extension execution is in progress" is contention."""
    stage = provisioned
    dead = {f"nat{n}": "down" for n in range(10)}
    add_probes(*[f"{name}: {{machine: vm3, ping: 10.5.0.99}}" for name in dead])
    body = run_verify(stage, "--expect", ",".join(f"{name}=down" for name in dead))
    refused = [
        trace_entry.code
        for trace_entry in stage.lab.trace
        if trace_entry.path.lower().endswith("/runcommand")
    ]
    assert "Conflict" in refused
    assert {row["as_expected"] for row in body.values()} == {True}
    assert body["internet"]["seen"] == "3 of 3 answered, in the NAT table"


def watcher_in(stage: Stage, region: str) -> None:
    arm = arm_of(stage)
    arm.put("networkWatchers/watcher", {}, location=region)
    arm.pool.clear()


@pytest.mark.parametrize("running", [True, False])
def test_the_next_hop_is_told_by_network_watcher(provisioned: Stage, running: bool) -> None:
    stage = provisioned
    watcher_in(stage, "westeurope")
    add_probes(
        "hop: {machine: vm1, address: 10.5.0.4, next_hop_type: VirtualNetworkGateway}",
        "hub: {machine: vm1, address: 10.2.1.4, next_hop_type: VNetPeering}",
        "own: {machine: vm1, address: 10.1.0.9, next_hop_type: VnetLocal}",
        "nat: {machine: vm1, address: 8.8.4.4, next_hop_type: VirtualAppliance, "
        "next_hop: 10.2.2.4}",
        "wrong: {machine: vm1, address: 8.8.4.4, next_hop_type: Internet}",
        "other: {machine: vm1, address: 8.8.4.4, next_hop_type: VirtualAppliance, "
        "next_hop: 10.2.1.5}",
    )
    if not running:
        stage.resource(MACHINE, "vm1").hidden["powerState"] = "deallocated"
    body = run_verify(stage)
    names = ("hop", "hub", "own", "nat", "wrong", "other")
    desired = [True, True, True, True, False, False] if running else [None] * 6
    assert [body[name]["up"] for name in names] == desired
    if running:
        assert body["nat"]["seen"] == "8.8.4.4 via VirtualAppliance 10.2.2.4"
        assert "routeTables/" in body["nat"]["output"]
        assert body["own"]["output"] == "route table: System Route"


@pytest.mark.parametrize("region", [None, "northeurope"])
def test_without_a_network_watcher_in_the_region_a_next_hop_is_unknown(
    provisioned: Stage, region: str | None
) -> None:
    stage = provisioned
    if region:
        watcher_in(stage, region)
    add_probes("hop: {machine: vm1, address: 10.5.0.4, next_hop_type: VirtualNetworkGateway}")
    body = run_verify(stage)
    assert body["hop"]["up"] is None
    assert "no Network Watcher in westeurope" in body["hop"]["seen"]
    stage.run("doctor")
    assert "FAIL  network-watcher: no Network Watcher that this identity can" in stage.out
    assert "az network watcher configure --locations westeurope --enabled" in " ".join(
        stage.out.split()
    )


def test_doctor_knows_the_network_watcher_of_a_probe(provisioned: Stage) -> None:
    stage = provisioned
    watcher_in(stage, "westeurope")
    add_probes("hop: {machine: vm1, address: 10.5.0.4, next_hop_type: VirtualNetworkGateway}")
    stage.run("doctor")
    assert "network-watcher" in stage.out
    assert "ok  network-watcher: watcher serves vm1" in stage.out
