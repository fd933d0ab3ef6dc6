"""Peerings as code: what two parsers of other people read in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import hcl2
import pytest
from pycep import BicepParser

from erfailover.planning.iac.export import (
    ExportedPeering,
    build_symbols,
    parse_peering,
    render_bicep,
    render_terraform,
)

AT = "2026-01-01T00:00:00Z"
USES: Any = {"useRemoteGateways": True, "allowForwardedTraffic": True}
LENDS: Any = {"allowGatewayTransit": True}


def body(
    network: str,
    name: str,
    remote: str,
    *,
    subscription: str = "s1",
    group: str = "rg",
    **more: Any,
) -> dict[str, Any]:
    def id_(vnet: str) -> str:
        base = f"/subscriptions/{subscription}/resourcegroups/{group}"
        return f"{base}/providers/Microsoft.Network/virtualNetworks/{vnet}"

    far = remote if remote.startswith("/") else id_(remote)
    return {
        "id": f"{id_(network)}/virtualNetworkPeerings/{name}",
        "properties": {"remoteVirtualNetwork": {"id": far}, **more},
    }


def resources(text: str) -> dict[str, Mapping[str, Any]]:
    """The resources of a Terraform text by their names, strings without their quotes."""

    def plain(value: Any) -> Any:
        if isinstance(value, list):
            return [plain(item) for item in value]
        quoted = isinstance(value, str) and value.startswith('"')
        return json.loads(value) if quoted else value

    document: dict[str, Mapping[str, Any]] = {}
    for block in hcl2.loads(text)["resource"]:
        ((type_, rows),) = ((key, item) for key, item in block.items() if key != "__is_block__")
        assert plain(type_) == "azurerm_virtual_network_peering"
        for name, row in rows.items():
            if name != "__is_block__":
                document[plain(name)] = {key: plain(item) for key, item in row.items()}
    return document


def test_terraform_says_names_flags_and_nothing_that_is_a_default() -> None:
    rows = [
        parse_peering(body("spoke", "up", "hub", **USES)),
        parse_peering(body("hub", "down", "spoke", **LENDS)),
    ]
    document = resources(render_terraform(rows, AT))
    up = document["spoke_up"]
    assert (up["name"], up["resource_group_name"], up["virtual_network_name"]) == (
        "up",
        "rg",
        "spoke",
    )
    assert up["remote_virtual_network_id"].endswith("/virtualNetworks/hub")
    assert [
        up[f"{name}"]
        for name in (
            "allow_virtual_network_access",
            "allow_forwarded_traffic",
            "allow_gateway_transit",
            "use_remote_gateways",
        )
    ] == [True, True, False, True]
    assert "peer_complete_virtual_networks_enabled" not in up
    assert "azurerm_virtual_network_peering.hub_down" in str(up["depends_on"])
    assert "depends_on" not in document["hub_down"]


def test_terraform_says_what_is_set_beside_its_default() -> None:
    subnets: Any = {
        "peerCompleteVnets": False,
        "enableOnlyIPv6Peering": True,
        "localSubnetNames": ["a", "b"],
        "remoteSubnetNames": ["c"],
        "futureField": {"x": 1},
    }
    (row,) = resources(
        render_terraform([parse_peering(body("v", "p", "w", **subnets))], AT)
    ).values()
    assert row["peer_complete_virtual_networks_enabled"] is False
    assert row["only_ipv6_peering_enabled"] is True
    assert (row["local_subnet_names"], row["remote_subnet_names"]) == (["a", "b"], ["c"])


def test_an_import_has_the_id_as_azurerm_spells_it() -> None:
    parsed: Any = hcl2.loads(render_terraform([parse_peering(body("v", "p", "w"))], AT))
    (imported,) = parsed["import"]
    assert "/resourceGroups/rg/" in imported["id"]


@pytest.mark.parametrize("name", ["1-2", "a.b", "a_b", "ä", "x" * 80])
def test_a_symbol_is_a_word_of_both_languages(name: str) -> None:
    rows = [
        parse_peering(body(name, "p", "w")),
        parse_peering(body(name.replace(".", "_"), "P", "w")),
    ]
    symbols = build_symbols(rows)
    assert len({text.lower() for text in symbols}) == 2
    assert all(text.isidentifier() and text.isascii() for text in symbols)
    assert set(resources(render_terraform(rows, AT))) == set(symbols)


@pytest.mark.parametrize("text", ["it's", 'a "b"', "${var.x}", "%{if}", "back\\slash"])
def test_no_text_breaks_out_of_its_quotes(text: str) -> None:
    row = ExportedPeering(
        f"/x/{text}", "s", "g", "n", text, "r", parse_peering(body("n", "p", "w")).settings
    )
    assert len(resources(render_terraform([row], AT))) == 1
    for file in render_bicep([row], AT).values():
        BicepParser().parse(text=file)


def test_a_subscription_has_one_provider_each() -> None:
    rows = [parse_peering(body("a", "p", "w", subscription=name)) for name in ("s1", "s2", "s1")]
    parsed: Any = hcl2.loads(render_terraform(rows, AT))
    assert len(parsed["provider"]) == 2
    assert {row["provider"] for row in resources(render_terraform(rows, AT)).values()} == {
        "${azurerm.subscription_s1}",
        "${azurerm.subscription_s2}",
    }


def test_bicep_has_a_file_for_each_group_and_one_that_deploys_them_in_turn() -> None:
    rows = [
        parse_peering(body("hub", "down", "spoke", **LENDS)),
        parse_peering(body("hub", "other", "spoke2")),
        parse_peering(body("spoke", "up", "hub", group="rg2", localSubnetNames=["a"], **USES)),
        parse_peering(body("spoke", "up", "hub", group="RG", subscription="s2")),
    ]
    files = {name: BicepParser().parse(text=text) for name, text in render_bicep(rows, AT).items()}
    assert list(files) == ["main.bicep", "01-rg.bicep", "02-rg2.bicep", "03-RG.bicep"]
    modules: Any = files["main.bicep"]
    assert [module["detail"]["path"] for module in modules["modules"].values()] == list(files)[1:]
    first: Any = files["01-rg.bicep"]
    assert first["resources"]["network01"]["existing"] is True
    down, other = first["resources"]["hub_down"], first["resources"]["hub_other"]
    assert down["config"]["properties"]["allowGatewayTransit"] is True
    assert "dependsOn" not in down["config"]
    assert "hub_down" in str(other["config"]["dependsOn"])
    up: Any = files["02-rg2.bicep"]
    assert up["resources"]["spoke_up"]["config"]["properties"]["localSubnetNames"] == ["a"]
