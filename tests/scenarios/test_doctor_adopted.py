"""``doctor`` on a network that somebody else made: three subscriptions, ExpressRoute, 12 spokes."""

from __future__ import annotations

import json
from typing import Any

from erfailover.lab.auth.rbac import Access, Assignment
from tests.support.adopted import Adopted, Made, adopted, made_once
from tests.support.adopted_world import SPOKES

__all__ = ["Made", "adopted", "made_once"]

SHOP_WEB = next(
    spoke_network
    for spoke_network in SPOKES
    if (spoke_network.group, spoke_network.name) == ("rg-shop", "vnet-web")
)


def run_doctor(adopted: Adopted, code: int) -> dict[str, list[dict[str, Any]]]:
    """The lines of ``doctor`` by check; it must end with an exit code and have written nothing."""
    before = len(adopted.stage.lab.trace)
    assert adopted.stage.run("doctor", "-o", "json") == code, adopted.stage.out
    value = json.loads(adopted.stage.out)
    assert adopted.reads_only(before)
    lines: dict[str, list[dict[str, Any]]] = {}
    for item in value["checks"]:
        lines.setdefault(item["name"], []).append(item)
    return lines


def failing(lines: dict[str, list[dict[str, Any]]]) -> dict[str, str]:
    """What fails, by check, as seen."""
    return {
        name: "; ".join(row["seen"] for row in line if row["verdict"] == "FAIL")
        for name, line in lines.items()
        if any(row["verdict"] == "FAIL" for row in line)
    }


def test_an_adopted_network_passes_and_networks_of_one_name_are_told_apart(
    adopted: Adopted,
) -> None:
    adopted.stage.do(*adopted.init)
    lines = run_doctor(adopted, 0)
    assert failing(lines) == {}
    unknown = {row["name"] for rows in lines.values() for row in rows if row["verdict"] != "ok"}
    # Nobody measures in a lab; and one prefix of the premises is announced to the primary alone.
    assert unknown == {"throughput", "all-that-is-learned-comes-along"}
    (lacked,) = lines["all-that-is-learned-comes-along"]
    assert lacked["verdict"] == "warning"
    assert lacked["seen"].startswith("ergw-weu has learned 192.168.50.0/24 and")
    (networks, *_) = lines["permissions"]
    assert (
        "(hub-weu, hub-neu, vnet-data, vnet-erp, vnet-erp-test, vnet-iot and 8 more)"
        in networks["seen"]
    )
    (peerings,) = lines["peerings"]
    # Four of the standby ones are whole; half of one waits for its other side.
    assert peerings["seen"].startswith("28 peerings Connected and in sync; a switch creates")
    assert "completes 20: " in peerings["seen"]
    assert lines["prestaged"][0]["seen"] == "2 of 12 spokes prestaged (vnet-data, rg-web/vnet-web)"
    assert [line["seen"] for line in lines["connections"]] == [
        "2 connections of ergw-weu: no problem found",
        "1 connection of vpngw-neu: no problem found",
    ]
    assert len(lines["throttling"]) == 2 * len(adopted.world.subscriptions)


def test_what_is_wrong_in_another_subscription_is_told_with_its_place(adopted: Adopted) -> None:
    stage, world = adopted.stage, adopted.world
    stage.do(*adopted.init)
    file = stage.folder / "erfailover.yaml"
    file.write_text(f"prestaged: true\n{file.read_text()}")
    shop = world.spoke(SHOP_WEB)
    arm = adopted.arm()
    lock = f"{world.spoke(SPOKES[0])}/providers/Microsoft.Authorization/locks/keep"
    arm.call("PUT", lock, {"properties": {"level": "ReadOnly"}})
    body = arm.get(shop)
    body["properties"]["addressSpace"]["addressPrefixes"].append("10.13.128.0/17")
    arm.finish([arm.begin(shop, body)])
    arm.pool.clear()
    stage.do("drill", "start", "--gateway", "ergw-weu")
    most = Assignment("/", ("*",), ("*/virtualNetworkPeerings/write",))
    elsewhere = [
        Assignment(f"/subscriptions/{subscription}", ("*",))
        for subscription in world.subscriptions[:2]
    ]
    stage.lab.access = Access((most, *elsewhere))

    lines = run_doctor(adopted, 3)
    by_name = failing(lines)
    stale = [line for line in lines["peerings"] if line["verdict"] == "unknown"]
    assert len(stale) == 1
    assert "LocalNotInSync" in stale[0]["seen"]
    assert "cannot reach 10.13.128.0/17 of vnet-web" in stale[0]["seen"]
    assert "az network vnet peering sync --ids" in stale[0]["remedy"]
    assert set(by_name) == {
        "permissions",
        "locks",
        "prestaged",
        "address-overlaps",
        "drill",
    }
    assert "rg-shop/vnet-web" in by_name["permissions"]
    assert "vnet-erp" not in by_name["permissions"]
    assert "rejects writes and POSTs to vnet-erp" in by_name["locks"]
    assert by_name["prestaged"].endswith(
        "vnet-erp, vnet-erp-test, vnet-iot, vnet-iot-edge, vnet-ml, vnet-ml-lab and 4 more"
    )
    overlap = by_name["address-overlaps"]
    assert "rg-shop/vnet-web (10.13.128.0/17) overlaps rg-web/vnet-web (10.13.0.0/16)" in overlap
    assert "A SITE FAILOVER TEST OF ergw-weu IS RUNNING" in by_name["drill"]


def test_a_primary_that_is_out_of_service_keeps_nobody_from_leaving_it(adopted: Adopted) -> None:
    stage, arm = adopted.stage, adopted.arm()
    stage.do(*adopted.init, "--spoke", "vnet-erp", "--spoke", "vnet-shop")
    for name in ("circuit-ams", "circuit-dub"):
        peering = f"{adopted.world.circuit(name)}/peerings/AzurePrivatePeering"
        arm.put(peering, arm.get(peering)["properties"] | {"state": "Disabled"})
    arm.pool.clear()
    stage.pass_time(120.0)
    lines = run_doctor(adopted, 0)
    assert stage.run("status") == 6
    (primary, _) = lines["connections"]
    assert "circuit circuit-ams (Amsterdam): its private peering is Disabled" in primary["seen"]
    assert primary["seen"].endswith("This does not prevent leaving ergw-weu")
    assert stage.json("switch", "--to", "ipsec", "--yes", "--planned")["verified"] is True
