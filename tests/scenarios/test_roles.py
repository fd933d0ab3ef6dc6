"""The printed roles are enough for what they are for, and hold nothing that is not needed."""

from __future__ import annotations

import json
import re
from pathlib import Path

from erfailover.lab.access import Access, read_roles
from erfailover.lab.arm_url import Kind, parse
from erfailover.lab.lab import Traced
from erfailover.lab.request_actions import linked, wanted
from tests.scenarios.conftest import Stage

POLLED = re.compile(r"/providers/(Microsoft\.\w+)/locations/[^/]+/(operations|operationResults)/")


def limited_to(stage: Stage, role: str) -> set[str]:
    """Give the lab's client a printed role and nothing else; the role's actions, in lower case."""
    printed = json.loads(stage.do("permissions", "--role-definition", role))
    stage.lab.access = Access(read_roles(printed))
    return {each.lower() for each in printed["Actions"]}


def asked(stage: Stage, trace: list[Traced]) -> set[str]:
    """The actions of the requests that the lab has seen; polls under their documented names."""
    found = set()
    for each in trace:
        target = parse(each.path)
        polled = POLLED.search(each.path)
        if polled and target.kind in (Kind.OPERATION, Kind.OPERATION_RESULT):
            found.add(f"{polled[1]}/locations/{polled[2]}/read")
            continue
        action = wanted(each.method, target)
        assert action is not None, each
        found.add(action.action)
        if each.method == "PUT" and target.type is not None:
            remote = {"properties": {"remoteVirtualNetwork": {"id": "/"}}}
            found |= {other.action for other in linked(target.type.type, remote)}
    return {each.lower() for each in found}


def test_the_switching_role_is_what_switch_drill_and_doctor_use(provisioned: Stage) -> None:
    stage = provisioned
    role = limited_to(stage, "switch")
    before = len(stage.lab.trace)
    stage.do("doctor")
    stage.do("drill", "start", "--yes")
    stage.do("switch", "--to", "ipsec", "--yes")
    assert "4 peering(s) Connected and in sync" in stage.do("doctor")
    stage.do("drill", "stop", "--yes")
    stage.do("switch", "--to", "expressroute", "--yes")
    trace = list(stage.lab.trace)[before:]
    assert [each for each in trace if each.status == 403] == []
    assert asked(stage, trace) == role


def test_the_reading_role_is_what_status_and_doctor_use(provisioned: Stage) -> None:
    stage = provisioned
    role = limited_to(stage, "read")
    before = len(stage.lab.trace)
    stage.do("status")
    assert stage.run("doctor") == 3
    assert "virtualNetworkPeerings/write" in stage.out
    trace = list(stage.lab.trace)[before:]
    assert [each for each in trace if each.status == 403] == []
    assert asked(stage, trace) == role
    assert stage.run("switch", "--to", "ipsec", "--yes") == 5
    assert "AuthorizationFailed" in stage.err
    assert "permission" in stage.err


def test_a_role_is_assignable_to_the_resource_groups_of_the_site(provisioned: Stage) -> None:
    stage = provisioned
    site = Path("erfailover.yaml")
    other = "/subscriptions/0000/resourceGroups/hubs/providers/Microsoft.Network"
    text = site.read_text().split("\ntopology:")[0] + "\n"
    text = text.replace("  gateway: vng2", f"  gateway: {other}/virtualNetworkGateways/vng2")
    site.write_text(text)
    printed = json.loads(stage.do("permissions", "--role-definition", "read"))
    scopes = [each.rsplit("/", 1)[-1] for each in printed["AssignableScopes"]]
    assert scopes == ["rg-we", "hubs"]


def test_the_list_of_rights_names_who_needs_each(provisioned: Stage) -> None:
    rows = provisioned.json("permissions")["permissions"]
    assert all(each["on"] and each["needed_by"] for each in rows)
    assert {each["role"] for each in rows} == {"read", "switch"}
    text = provisioned.do("permissions")
    assert "on the machines of the probes (2), for verify, switch: probes" in text
