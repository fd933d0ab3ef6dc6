"""A peering that lacks a prefix of the other VNet: synced before the gate, and never after it."""

from __future__ import annotations

from typing import Any

import pytest

from erfailover.lab.arm import fault_injection
from erfailover.lab.core.protocol import Request
from erfailover.lab.engine.faults import Fault, FaultKind
from tests.support.adopted import Adopted, Made, adopted, made_once
from tests.support.stage import Stage

__all__ = ["Made", "adopted", "made_once"]

PEERING = "Microsoft.Network/virtualNetworks/virtualNetworkPeerings"
NEW = "10.115.0.0/16"
TWO = ("--spoke", "vnet-data", "--spoke", "vnet-erp")


def grown(adopted: Adopted) -> None:
    """Give vnet-data, which is prestaged, a further prefix; its peerings are not synced."""
    arm = adopted.arm()
    ids = [str(resource.id) for resource in adopted.stage.lab.world.resources.values()]
    id_ = next(name for name in ids if name.endswith("/virtualNetworks/vnet-data"))
    body = arm.get(id_)
    body["properties"]["addressSpace"]["addressPrefixes"].append(NEW)
    arm.finish([arm.begin(id_, body)])
    arm.pool.clear()


def syncs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the peerings whose writes ask for a sync, from now on."""
    lines: list[str] = []
    around = fault_injection.answer_with_faults

    def record_sync(lab: Any, request: Request, judge: Any) -> Any:
        if request.method == "PUT" and "syncremoteaddressspace" in request.query:
            assert request.query["syncremoteaddressspace"] == "true"
            lines.append(request.path.rsplit("/", 1)[-1])
        return around(lab, request, judge)

    monkeypatch.setattr(fault_injection, "answer_with_faults", record_sync)
    return lines


def read_remote_prefixes(stage: Stage, name: str) -> list[str]:
    space = stage.resource(PEERING, name).properties["remoteAddressSpace"]
    return list(space["addressPrefixes"])


def test_a_prestaged_peering_out_of_sync_is_synced_before_the_gate(
    adopted: Adopted, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = adopted.stage
    stage.do(*adopted.init, *TWO)
    assert stage.json("status")["spokes"][0]["prestaged"] is True
    grown(adopted)
    status = stage.json("status")
    assert status["ready"] is True
    assert [item["prestaged"] for item in status["spokes"]] == [False, False]
    assert any(f"cannot reach {NEW} of vnet-data" in item for item in status["warnings"])

    plan = stage.json("switch", "--to", "ipsec", "--dry-run")
    requested = [step for step in plan["steps"] if step["write"]["sync"]]
    assert [(step["spoke"], step["write"]["change"]) for step in requested] == [
        ("vnet-data", "update")
    ]
    assert requested[0]["write"]["before"] == requested[0]["write"]["after"]
    assert requested[0]["number"] == 1
    assert not any(item["sync"] for step in plan["steps"] for item in step["contingency"])
    assert "syncs the address space with vnet-data" in stage.do(
        "switch", "--to", "ipsec", "--dry-run"
    )

    lines = syncs(monkeypatch)
    report = stage.json("switch", "--to", "ipsec", "--yes", "--planned")
    assert report["verified"] is True
    assert lines == ["standby-vnet-data"], "no write but the plan's asks for a sync"
    assert NEW in read_remote_prefixes(stage, "standby-vnet-data")
    assert NEW in next(item["seen"] for item in report["routes"] if item["spoke"] == "vnet-data")
    assert f"cannot reach {NEW}" not in stage.err, "what was synced is not warned of"


def test_prestage_syncs_it_on_a_quiet_day(
    adopted: Adopted, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = adopted.stage
    stage.do(*adopted.init, "--spoke", "vnet-data")
    grown(adopted)
    assert "erfailover prestage" in stage.do("doctor")
    lines = syncs(monkeypatch)
    assert stage.json("prestage", "--yes")["changed"] == ["standby-vnet-data"]
    assert lines == ["standby-vnet-data"]
    assert stage.json("status")["spokes"][0]["prestaged"] is True


def test_one_that_stays_out_of_sync_is_a_warning_that_names_the_prefix(adopted: Adopted) -> None:
    stage = adopted.stage
    stage.do(*adopted.init, *TWO)
    grown(adopted)
    stage.lab.add_faults(Fault(FaultKind.UNSYNCED, "PUT", "virtualNetworkPeerings/*", times=0))
    report = stage.json("switch", "--to", "ipsec", "--yes", "--planned")
    assert report["verified"] is True
    assert (report["left_out"], report["failed"]) == ({}, {})
    assert f"cannot reach {NEW} of vnet-data" in stage.err.replace("\n", " ")
    assert "az network vnet peering sync --ids" in stage.err.replace("\n", " ")
    status = stage.json("status")
    assert (status["path"], status["healthy"]) == ("ipsec", True)
    assert any(f"cannot reach {NEW} of vnet-data" in item for item in status["warnings"])
    before = len(stage.writes())
    stage.do("switch", "--to", "ipsec", "--yes", "--planned")
    assert [write for write in stage.writes()[before:] if "POST" not in write] == []


def test_a_sync_that_azure_refuses_does_not_keep_the_spoke(adopted: Adopted) -> None:
    stage = adopted.stage
    stage.do(*adopted.init, *TWO)
    grown(adopted)
    stage.lab.add_faults(
        Fault(
            FaultKind.ANSWER,
            "PUT",
            "virtualNetworkPeerings/standby-vnet-data",
            status=400,
            code="VnetAddressSpacesOverlap",
            message="they overlap",
        )
    )
    report = stage.json("switch", "--to", "ipsec", "--yes", "--planned")
    assert report["verified"] is True
    assert NEW not in read_remote_prefixes(stage, "standby-vnet-data")
    assert f"cannot reach {NEW} of vnet-data" in stage.err.replace("\n", " ")
    note = next(
        item["note"] for item in report["steps"] if item["resource"].endswith("/standby-vnet-data")
    )
    assert "not synced" in note
    assert "VnetAddressSpacesOverlap" in note
