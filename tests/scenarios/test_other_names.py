"""Peerings under other names than the site file's, and resource groups in other alphabets."""

from __future__ import annotations

import re
import shlex
import subprocess
from typing import Any

import pytest

from erfailover.lab.engine.faults import Fault, FaultKind
from tests.support.adopted import Adopted, Made, adopted, made_once

__all__ = ["Made", "adopted", "made_once"]

ERP = ("--spoke", "vnet-erp")


def network(adopted: Adopted, name: str) -> str:
    ids = [str(resource.id) for resource in adopted.stage.lab.world.resources.values()]
    return next(id_ for id_ in ids if id_.endswith(f"/virtualNetworks/{name}"))


def recreate_peerings(adopted: Adopted) -> None:
    """Somebody's Terraform makes both peerings of vnet-erp with the primary hub anew."""
    hub, erp = adopted.world.primary_hub, network(adopted, "vnet-erp")
    arm = adopted.arm()
    old = (
        f"{erp}/virtualNetworkPeerings/peer-vnet-erp-to-hub-weu",
        f"{hub}/virtualNetworkPeerings/peer-hub-weu-to-vnet-erp",
    )
    for path in old:
        arm.finish([arm.call("DELETE", path)])
    flags = {"allowVirtualNetworkAccess": True, "allowForwardedTraffic": True}
    arm.put(
        f"{hub}/virtualNetworkPeerings/hub-to-erp-v2",
        {"remoteVirtualNetwork": {"id": erp}, "allowGatewayTransit": True, **flags},
    )
    arm.put(
        f"{erp}/virtualNetworkPeerings/erp-to-hub-v2",
        {"remoteVirtualNetwork": {"id": hub}, "useRemoteGateways": True, **flags},
    )
    arm.pool.clear()
    adopted.stage.pass_time(120.0)


def test_a_peering_under_another_name_is_judged_and_switched_as_what_it_is(
    adopted: Adopted,
) -> None:
    stage = adopted.stage
    stage.do(*adopted.init, *ERP)
    recreate_peerings(adopted)

    value = stage.json("status")
    assert (value["path"], value["healthy"]) == ("expressroute", True)
    assert {"erp-to-hub-v2", "hub-to-erp-v2"} <= {item["name"] for item in value["peerings"]}
    lines = (stage.folder / "erfailover.yaml").read_text().splitlines()
    for remark, old, new in zip(
        value["remarks"],
        ("peer-vnet-erp-to-hub-weu", "peer-hub-weu-to-vnet-erp"),
        ("erp-to-hub-v2", "hub-to-erp-v2"),
        strict=True,
    ):
        number = re.match(r"erfailover\.yaml:(\d+): ", remark)
        assert number, remark
        assert old in lines[int(number[1]) - 1]
        assert remark.endswith(f"write name: {new}")
    assert "is called erp-to-hub-v2 in Azure" in " ".join(stage.do("status").split())

    stage.run("doctor", "-o", "json")
    checks = [item for item in stage.json("doctor")["checks"] if item["name"] == "peering-names"]
    assert [check["verdict"] for check in checks] == ["warning", "warning"]
    assert "a switch uses erp-to-hub-v2" in checks[0]["seen"]
    assert "write name: erp-to-hub-v2" in checks[0]["remedy"]

    plan = stage.json("switch", "--to", "ipsec", "--dry-run")
    written = {item["write"]["peering"].rpartition("/")[2]: item for item in plan["steps"]}
    assert written["erp-to-hub-v2"]["write"]["change"] == "update"
    assert "peer-vnet-erp-to-hub-weu" not in written
    assert plan["remarks"] == value["remarks"]

    stage.do("switch", "--to", "ipsec", "--yes", "--planned")
    assert stage.json("status")["path"] == "ipsec"
    assert not [write for write in stage.writes() if "peer-vnet-erp-to-hub-weu" in write][1:]
    assert 'name                         = "erp-to-hub-v2"' in stage.do("export", "terraform")

    text = (stage.folder / "erfailover.yaml").read_text()
    text = text.replace("peer-vnet-erp-to-hub-weu", "erp-to-hub-v2")
    text = text.replace("peer-hub-weu-to-vnet-erp", "hub-to-erp-v2")
    (stage.folder / "erfailover.yaml").write_text(text)
    assert stage.json("status")["remarks"] == []


def test_a_standby_peering_under_another_name_is_used_and_no_second_one_made(
    adopted: Adopted,
) -> None:
    stage = adopted.stage
    stage.do(*adopted.init, "--spoke", "vnet-data")
    file = stage.folder / "erfailover.yaml"
    text = file.read_text()
    assert "name: standby\n" in text
    file.write_text(text.replace("name: standby\n", "name: my-standby\n"))
    stage.do("switch", "--to", "ipsec", "--yes", "--planned")
    assert "is called standby in Azure" in " ".join(stage.err.split())
    assert not [write for write in stage.writes() if write.endswith("/my-standby")]


def test_names_of_a_vnet_that_was_not_read_are_unknown_to_doctor(adopted: Adopted) -> None:
    stage = adopted.stage
    stage.do(*adopted.init, "--spoke", "vnet-erp", "--spoke", "vnet-shop")
    stage.lab.add_faults(Fault(FaultKind.FORBIDDEN, "GET", network(adopted, "vnet-erp"), times=0))
    checks = [item for item in stage.json("doctor")["checks"] if item["name"] == "peering-names"]
    assert [(check["verdict"], check["seen"]) for check in checks] == [
        ("unknown", "unknown for vnet-erp")
    ]


@pytest.mark.parametrize("group", ["rg-größe", "データ", "rg-(prod)"])
def test_a_resource_group_may_have_any_name_that_azure_allows(adopted: Adopted, group: str) -> None:
    stage, hub, arm = adopted.stage, adopted.world.primary_hub, adopted.arm()
    where = f"/subscriptions/{hub.split('/')[2]}/resourceGroups/{group}"
    spoke = f"{where}/providers/Microsoft.Network/virtualNetworks/vnet-web"
    arm.call("PUT", where, {"location": "westeurope"})
    space = {"addressSpace": {"addressPrefixes": ["10.66.0.0/16"]}}
    arm.put(spoke, space, location="westeurope")
    flags: dict[str, Any] = {"allowVirtualNetworkAccess": True}
    sides = (
        (f"{hub}/virtualNetworkPeerings/to-new", spoke, {"allowGatewayTransit": True}),
        (f"{spoke}/virtualNetworkPeerings/to-hub", hub, {"useRemoteGateways": True}),
    )
    for id_, remote, more in sides:
        arm.put(id_, {"remoteVirtualNetwork": {"id": remote}, **flags, **more})
    arm.pool.clear()
    stage.pass_time(120.0)
    stage.do(*adopted.init)
    assert f"{group}/vnet-web" in [item["name"] for item in stage.json("status")["spokes"]]
    stage.do(*adopted.init, "--spoke", spoke, "--force")
    assert spoke in (stage.folder / "erfailover.yaml").read_text("utf-8")
    script = stage.do("switch", "--to", "ipsec", "--dry-run", "-o", "az")
    subprocess.run(["/bin/sh", "-n"], input=script, text=True, check=True)
    assert any(group in word.split("/") for word in shlex.split(script, comments=True))
    stage.do("switch", "--to", "ipsec", "--yes", "--planned")
    assert stage.json("status")["path"] == "ipsec"
    assert f'resource_group_name          = "{group}"' in stage.do("export", "terraform")
