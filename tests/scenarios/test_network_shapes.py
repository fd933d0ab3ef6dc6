"""The table of network shapes in docs/adopting.md: each row happens as it says, in these words."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from erfailover.planning.coexistence import NATIVE
from tests.support.adopted import Adopted, Made, adopted, made_once
from tests.support.adopted_changes import (
    change_vnet_answers,
    circuits_announce,
    disable_bgp,
    paths,
    route_by_appliance,
    subnet_peered,
    summarize,
)
from tests.support.adopted_world import OVER_BOTH, SPOKES

__all__ = ["Made", "adopted", "made_once"]

PAGE = Path(__file__).parents[2] / "docs" / "adopting.md"
NETWORK = "Microsoft.Network/virtualNetworks"
ERP = SPOKES[0]


def table() -> dict[str, str]:
    """The rows of the table: what is said of each network."""
    part = PAGE.read_text().split("## Does it fit your network?")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \| (.+) \|$", part, re.MULTILINE)
    return {shape: value for shape, value in rows if shape != "network"}


def leave_unchanged(_: Adopted) -> None:
    pass


def static(adopted: Adopted) -> None:
    disable_bgp(adopted, *OVER_BOTH)


def dual_stack(adopted: Adopted) -> None:
    value = adopted.stage.resource(NETWORK, "vnet-erp").body["properties"]
    value["addressSpace"]["addressPrefixes"].append("fd00:11::/48")


def forced_tunnelling(adopted: Adopted) -> None:
    circuits_announce(adopted, "0.0.0.0/0")


def dns_in_the_hub(adopted: Adopted) -> None:
    value = adopted.stage.resource(NETWORK, "vnet-erp").body["properties"]
    value["dhcpOptions"] = {"dnsServers": ["10.100.0.4"]}
    arm, hub = adopted.arm(), adopted.world.primary_hub
    subnet = f"{hub}/subnets/dns"
    arm.put(subnet, {"addressPrefix": "10.100.200.0/28"})
    address = {"name": "ip", "properties": {"subnet": {"id": subnet}}}
    interface = f"{hub.partition('/virtualNetworks/')[0]}/networkInterfaces/dns"
    arm.put(interface, {"ipConfigurations": [address]}, location="westeurope")
    arm.pool.clear()


def route_by_firewall(adopted: Adopted) -> None:
    route_by_appliance(adopted, adopted.world.spoke(ERP), "10.100.1.4")


def tunnel_over_circuit(adopted: Adopted) -> None:
    resource = adopted.stage.resource("Microsoft.Network/connections", "to-premises")
    resource.body["properties"]["useLocalAzureIpAddress"] = True


def add_network_manager(name: str, enforcement: str) -> Callable[[Adopted], None]:
    def provoke(adopted: Adopted) -> None:
        body = adopted.stage.resource(NETWORK, name).body
        body.setdefault("tags", {})["lab:network-manager"] = enforcement

    return provoke


def summarize_prefixes(adopted: Adopted) -> None:
    summarize(adopted, adopted.world.backup_hub, "10.8.0.0/13", "10.200.0.0/16")


def drop_remote_gateways(adopted: Adopted) -> None:
    summarize(adopted, adopted.world.primary_hub, "10.0.0.0/8")
    for resource in adopted.stage.lab.world.iter_by_type(f"{NETWORK}/virtualNetworkPeerings"):
        resource.body["properties"]["useRemoteGateways"] = False


def virtual_wan(adopted: Adopted) -> None:
    def attach(properties: Any) -> None:
        remote = adopted.world.primary_hub.replace("hub-weu", "HV_wan-weu_1234")
        uses = {"useRemoteGateways": True, "remoteVirtualNetwork": {"id": remote}}
        peering = {"name": "RemoteVnetToHubPeering_5678", "properties": uses}
        properties["virtualNetworkPeerings"].append(peering)

    change_vnet_answers(adopted, "vnet-shared", attach)


SHAPES: dict[str, Callable[[Adopted], None]] = {
    "one ExpressRoute hub": leave_unchanged,
    "hubs in two regions": leave_unchanged,
    "a backup without BGP": static,
    "dual stack": dual_stack,
    "forced tunnelling": forced_tunnelling,
    "DNS servers": dns_in_the_hub,
    "the same without `routing`": route_by_firewall,
    "tunnels over the same circuit": tunnel_over_circuit,
    "subnet peering": subnet_peered,
    "Azure Virtual Network Manager, peerings not enforced": add_network_manager(
        "vnet-erp", "Unenforced"
    ),
    "Azure Virtual Network Manager, peerings enforced": add_network_manager("hub-weu", "Enforced"),
    "hubs with `summarizedGatewayPrefixes`": summarize_prefixes,
    "spokes that take no remote gateway": drop_remote_gateways,
    "Virtual WAN": virtual_wan,
}
ELSEWHERE = (
    "a VPN gateway beside the ExpressRoute gateway",
    "spokes, or a hub, of another tenant",
    "the same, signed in with a managed identity",
    "a firewall in the primary hub",
)
"""Rows of other worlds; ``test_coexistence``, ``test_tenants`` and ``test_firewall_switch`` show
them."""


def told_of(shape: str) -> str:
    (text,) = [message for name, message in table().items() if name.startswith(shape)]
    return text


def test_every_row_of_the_table_is_shown() -> None:
    names = (*SHAPES, *ELSEWHERE)
    assert [name for name in table() if not name.startswith(names)] == []
    assert all(told_of(shape).startswith(("works", "refused", "left out")) for shape in names)
    assert f'"{NATIVE}"' in told_of(ELSEWHERE[0])


@pytest.mark.parametrize("shape", SHAPES)
def test_a_network_works_or_is_refused_as_the_page_says(adopted: Adopted, shape: str) -> None:
    stage, message, printed = adopted.stage, told_of(shape), []
    quoted = re.findall(r'"([^"]+)"', message)

    def run(*words: str) -> int:
        code = stage.run(*words)
        printed.extend([stage.out, stage.err])
        return code

    if SHAPES[shape] is subnet_peered:
        stage.do(*adopted.init, "--spoke", "vnet-erp", "--spoke", "vnet-shop")
    SHAPES[shape](adopted)
    if shape == "Virtual WAN":
        run(*adopted.init)
        hub = adopted.world.primary_hub.replace("virtualNetworks/hub-weu", "virtualHubs/wan-weu")
        code = run(*adopted.init, "--force", "--primary-hub", hub)
    elif SHAPES[shape] is drop_remote_gateways:
        code = run(*adopted.init)
    else:
        if SHAPES[shape] is not subnet_peered:
            run(*adopted.init, "--spoke", "vnet-erp")
        doctor = run("doctor")
        assert ("`doctor` fails" in message or message.startswith("refused")) is (doctor == 3)
        run("switch", "--to", "ipsec", "--dry-run", "-o", "json")
        code = run("switch", "--to", "ipsec", "--yes", "--planned")
        run("status", "-o", "json")
        moved = paths(adopted)["vnet-erp"] == "hub-neu"
        assert moved is message.startswith("works"), stage.err[-900:] + printed[-3][-1500:]
    assert (code == 0) is message.startswith("works"), printed
    text = " ".join(" ".join(printed).split())
    for words in quoted:
        assert words in text, words
    assert quoted or not message.startswith(("works with remarks", "refused"))
