"""The printed roles are enough for what they are for, and hold nothing that is not needed.

Every hub of these worlds has a Route Server, so that whatever is granted is used.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from uuid import UUID

from erfailover.lab.auth.rbac import Access, read_roles
from erfailover.lab.auth.required_actions import find_linked_actions, find_required_action
from erfailover.lab.core.arm_url import TargetKind as Asked
from erfailover.lab.core.arm_url import parse
from erfailover.lab.engine.cloud import TraceEntry
from erfailover.lab.engine.faults import Fault, FaultKind
from erfailover.lab.providers.registry import PROVIDERS
from tests.support.adopted import Adopted, Made, adopted, made_once
from tests.support.adopted_world import AdoptedWorld, Arm
from tests.support.resources import network
from tests.support.stage import Stage

__all__ = ["Made", "adopted", "made_once"]

NOWHERE = AdoptedWorld(())
THREE = ("vnet-erp-test", "vnet-monitoring", "vnet-shop")
"""Spokes in three subscriptions."""

LOST_ANSWER = Fault(FaultKind.DROP_AFTER, "PUT", "*/virtualNetworkPeerings/*")
"""The write is looked up then."""
POLLED = re.compile(r"/providers/(Microsoft\.\w+)/locations/[^/]+/(operations|operationResults)/")


def limited_to(stage: Stage, role: str, *more: str) -> set[str]:
    """Give the lab's client a printed role and nothing else; the role's actions, in lower case."""
    printed = json.loads(stage.do("permissions", "--role-definition", role, *more))
    stage.lab.access = Access(read_roles(printed))
    return {item.lower() for item in printed["Actions"]}


def route_server(arm: Arm, hub: str) -> None:
    """A Route Server in a hub, which has been told nothing; the hub summarises itself."""
    body = arm.get(hub)
    body["properties"]["summarizedGatewayPrefixes"] = body["properties"]["addressSpace"]
    arm.finish([arm.call("PUT", hub, body)])
    network = f"{hub.rsplit('/providers/', 1)[0]}/providers/Microsoft.Network"
    subnet = f"{hub}/subnets/RouteServerSubnet"
    space = arm.get(hub)["properties"]["addressSpace"]["addressPrefixes"][0]
    arm.put(subnet, {"addressPrefix": space.replace(".0.0/16", ".9.0/27")})
    address = f"{network}/publicIPAddresses/rs-ip"
    arm.put(
        address,
        {"publicIPAllocationMethod": "Static"},
        location="westeurope",
        sku={"name": "Standard"},
        zones=["1", "2", "3"],
    )
    arm.put(f"{network}/virtualHubs/rs", {"sku": "Standard"}, location="westeurope")
    parts = {"subnet": {"id": subnet}, "publicIPAddress": {"id": address}}
    arm.put(f"{network}/virtualHubs/rs/ipConfigurations/one", parts)
    peer = {"peerIp": space.replace(".0.0/16", ".2.4"), "peerAsn": 65099}
    arm.put(f"{network}/virtualHubs/rs/bgpConnections/nva", peer)
    arm.pool.clear()


def collect_actions(stage: Stage, trace: list[TraceEntry]) -> set[str]:
    """The actions of the requests that the lab has seen; polls under their documented names."""
    names = set()
    for trace_entry in trace:
        target = parse(trace_entry.path, PROVIDERS)
        polled = POLLED.search(trace_entry.path)
        if polled and target.kind in (Asked.OPERATION, Asked.OPERATION_RESULT):
            names.add(f"{polled[1]}/locations/{polled[2]}/read")
            continue
        action = find_required_action(trace_entry.method, target)
        if target.kind is Asked.PROVIDER:
            continue  # the offer of a provider, which the lab leaves open: assumed
        if action is None:  # a list of a subscription: what may be read is shown
            assert target.kind is Asked.COLLECTION, trace_entry
            assert target.type is not None
            names.add(f"{target.type.type}/read")
            continue
        names.add(action.action)
        if trace_entry.method == "PUT" and target.type is not None:
            remote = {"properties": {"remoteVirtualNetwork": {"id": "/"}}}
            names |= {other.action for other in find_linked_actions(target.type, remote)}
    return {name.lower() for name in names}


def test_the_switching_role_is_what_switch_drill_and_doctor_use(provisioned: Stage) -> None:
    stage = provisioned
    route_server(Adopted(stage, NOWHERE).arm(), network(stage, "virtualNetworks/vnet2"))
    role = limited_to(stage, "switch")
    before = len(stage.lab.trace)
    stage.do("doctor")
    stage.do("drill", "start", "--yes")
    stage.lab.add_faults(LOST_ANSWER)
    stage.do("switch", "--to", "ipsec", "--yes", "--planned")
    assert stage.run("doctor") == 3
    assert "1 check fails: drill" in stage.err
    assert "4 peerings Connected and in sync" in stage.out
    stage.do("status")
    stage.do("drill", "stop", "--yes")
    stage.do("switch", "--to", "expressroute", "--yes")
    trace = list(stage.lab.trace)[before:]
    assert [
        f"{trace_entry.method} {trace_entry.path}"
        for trace_entry in trace
        if trace_entry.status == 403
    ] == []
    assert collect_actions(stage, trace) == role


def test_the_reading_role_is_what_status_and_doctor_use(provisioned: Stage) -> None:
    stage = provisioned
    route_server(Adopted(stage, NOWHERE).arm(), network(stage, "virtualNetworks/vnet2"))
    role = limited_to(stage, "read")
    before = len(stage.lab.trace)
    stage.do("status")
    assert stage.run("doctor") == 3
    assert "virtualNetworkPeerings/write" in stage.out
    trace = list(stage.lab.trace)[before:]
    assert [
        f"{trace_entry.method} {trace_entry.path}"
        for trace_entry in trace
        if trace_entry.status == 403
    ] == []
    assert collect_actions(stage, trace) == role
    assert stage.run("switch", "--to", "ipsec", "--yes", "--planned") == 5
    assert "AuthorizationFailed" in stage.err
    assert "permission" in stage.err


def expressroute(adopted: Adopted) -> str:
    """Adopt a site of three subscriptions; the resource group of its circuits."""
    adopted.stage.do(*adopted.init, *(word for name in THREE for word in ("--spoke", name)))
    return adopted.world.circuit("circuit-ams").rsplit("/providers/", 1)[0]


def test_the_roles_of_an_expressroute_site_in_three_subscriptions_are_what_is_used(
    adopted: Adopted,
) -> None:
    stage = adopted.stage
    route_server(adopted.arm(), adopted.world.primary_hub)
    circuits = expressroute(adopted)
    role = limited_to(stage, "switch", "--scope", circuits)
    before = len(stage.lab.trace)
    stage.do("doctor")
    stage.do("drill", "start", "--gateway", "ergw-weu")
    stage.lab.add_faults(LOST_ANSWER)
    stage.do("switch", "--to", "ipsec", "--yes", "--planned")
    stage.do("drill", "stop", "--yes")
    stage.do("switch", "--to", "expressroute", "--yes")
    trace = list(stage.lab.trace)[before:]
    assert [
        f"{trace_entry.method} {trace_entry.path}"
        for trace_entry in trace
        if trace_entry.status == 403
    ] == []
    assert collect_actions(stage, trace) == role

    role = limited_to(stage, "read", "--scope", circuits)
    before = len(stage.lab.trace)
    stage.do("status")
    assert stage.run("doctor") == 3
    trace = list(stage.lab.trace)[before:]
    assert [
        f"{trace_entry.method} {trace_entry.path}"
        for trace_entry in trace
        if trace_entry.status == 403
    ] == []
    assert collect_actions(stage, trace) == role


def test_circuits_elsewhere_are_told_with_the_scope_that_reading_them_takes(
    adopted: Adopted,
) -> None:
    stage = adopted.stage
    circuits = expressroute(adopted)
    scopes = json.loads(stage.do("permissions", "--role-definition", "read"))["AssignableScopes"]
    assert {scope.split("/")[2] for scope in scopes} == set(adopted.world.subscriptions)
    assert circuits not in scopes
    limited_to(stage, "switch")
    value = stage.json("doctor")
    assert value["verdict"] == "ok"
    unknown = [item for item in value["checks"] if item["verdict"] == "unknown"]
    assert {item["name"] for item in unknown} == {"connections", "hold-time", "throughput"}
    remedies = {item["remedy"] for item in unknown if item["name"] != "throughput"}
    assert len(remedies) == 2
    assert all(remedy.endswith(f"--role-definition read --scope {circuits}") for remedy in remedies)


def test_a_scope_that_is_none_is_told_in_words(provisioned: Stage) -> None:
    for words in (["--scope", "/subscriptions/1"], ["--role-definition", "read", "--scope", "rg"]):
        assert provisioned.run("permissions", *words) == 2
        assert "expected --role-definition with it" in provisioned.err


def test_a_role_is_assignable_to_the_resource_groups_of_the_site(provisioned: Stage) -> None:
    stage = provisioned
    site = Path("erfailover.yaml")
    other = f"/subscriptions/{UUID(int=0)}/resourceGroups/hubs/providers/Microsoft.Network"
    text = site.read_text().split("\ntopology:")[0] + "\n"
    text = text.replace("  gateway: vng2", f"  gateway: {other}/virtualNetworkGateways/vng2")
    site.write_text(text)
    printed = json.loads(stage.do("permissions", "--role-definition", "read"))
    scopes = [item.rsplit("/", 1)[-1] for item in printed["AssignableScopes"]]
    assert scopes == ["rg-we", "hubs"]


def test_the_list_of_rights_names_who_needs_each(provisioned: Stage) -> None:
    rows = provisioned.json("permissions")["permissions"]
    assert all(row["on"] and row["needed_by"] for row in rows)
    assert {row["role"] for row in rows} == {"read", "switch"}
    text = provisioned.do("permissions")
    assert "on the probes' machines (2), for verify, switch: probes" in text


FAILOVER_TESTS = "Microsoft.Network/virtualNetworkGateways/getFailoverAllTestsDetails/action"


def test_a_role_names_what_the_providers_publish(adopted: Adopted) -> None:
    stage = adopted.stage
    expressroute(adopted)
    printed = json.loads(stage.do("permissions", "--role-definition", "read"))
    assert FAILOVER_TESTS in printed["Actions"]
    assert "Left out" not in stage.err
    path = "/providers/Microsoft.Authorization/providerOperations/Microsoft.Network"
    rows = [{"name": item} for item in printed["Actions"] if item != FAILOVER_TESTS]
    body = {"name": "Microsoft.Network", "operations": rows}
    stage.lab.add_faults(Fault(FaultKind.ANSWER, "GET", path, status=200, body=body))
    printed = json.loads(stage.do("permissions", "--role-definition", "read"))
    assert FAILOVER_TESTS not in printed["Actions"]
    assert f"Left out: {FAILOVER_TESTS}" in " ".join(stage.err.split())


def test_a_role_is_printed_without_azure_and_then_leaves_out_what_may_not_exist(
    adopted: Adopted,
) -> None:
    stage = adopted.stage
    expressroute(adopted)
    refuse = Fault(
        FaultKind.ANSWER, "GET", "*/providerOperations/*", times=0, status=403, code="No"
    )
    stage.lab.add_faults(refuse)
    printed = json.loads(stage.do("permissions", "--role-definition", "read"))
    assert FAILOVER_TESTS not in printed["Actions"]
    assert "Could not read which actions" in " ".join(stage.err.split())
    stage.do("permissions", "--role-definition", "switch")
    assert "Not confirmed: " in " ".join(stage.err.split())
    stage.lab.access = Access(read_roles(printed))
    assert stage.run("doctor", "-o", "json") == 3  # a role that reads may not switch
    lines = [load for load in json.loads(stage.out)["checks"] if load["name"] == "permissions"]
    rows = [line for line in lines if "known to Azure by another name" in line["seen"]]
    assert [(item["verdict"], item["required"]) for item in rows] == [("unknown", False)]
