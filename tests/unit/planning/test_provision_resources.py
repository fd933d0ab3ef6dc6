"""The desired resources of a site, against the facts of the proof of concept."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Any

import pytest

from erfailover.config.loader import load, read_template
from erfailover.model.resource_ids import (
    CONNECTION,
    GATEWAY,
    GROUP,
    INTERFACE,
    LOCAL_GATEWAY,
    MACHINE,
    NETWORK,
    PEERING,
    PUBLIC_IP,
    ROUTE_TABLE,
    SECURITY_GROUP,
)
from erfailover.model.site import Path, Site
from erfailover.planning.provision.arm_bodies import TAG, Reference, SecretName
from erfailover.planning.provision.nat import HOLDS, build_setups, is_holding
from erfailover.planning.provision.resources import DesiredResource, build_desired

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"


@pytest.fixture
def site(tmp_path: FilePath) -> Site:
    file = tmp_path / "erfailover.yaml"
    file.write_text(read_template(), encoding="utf-8")
    return load(file, {"AZURE_SUBSCRIPTION_ID": SUBSCRIPTION})


def get_properties_by_name(
    site: Site, type_: str, paths: dict[str, Path | None] | None = None
) -> dict[str, Any]:
    rows = (resource for resource in build_desired(site, paths) if resource.type == type_)
    return {resource.name: resource.body["properties"] for resource in rows}


def one(site: Site, type_: str, name: str) -> DesiredResource:
    return next(
        resource
        for resource in build_desired(site)
        if resource.type == type_ and resource.name == name
    )


def flags(properties: Any) -> str:
    keys = ("VirtualNetworkAccess", "ForwardedTraffic", "GatewayTransit")
    values = [properties[f"allow{key}"] for key in keys] + [properties["useRemoteGateways"]]
    return "/".join("yes" if value else "no" for value in values)


def placeholders(value: Any) -> Iterator[Any]:
    if isinstance(value, Reference | SecretName):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from placeholders(item)


def test_every_need_is_a_resource_of_the_graph_and_none_is_circular(site: Site) -> None:
    remaining = {resource.id: set(resource.needs) for resource in build_desired(site)}
    assert len(remaining) == len(build_desired(site))
    assert all(needs <= remaining.keys() for needs in remaining.values())
    while remaining:
        ready = [id_ for id_, needs in remaining.items() if not needs & remaining.keys()]
        assert ready, remaining
        for id_ in ready:
            del remaining[id_]


def test_the_virtual_networks_are_those_of_the_proof_of_concept(site: Site) -> None:
    assert {
        name: (
            network["addressSpace"]["addressPrefixes"],
            {item["name"]: item["properties"]["addressPrefix"] for item in network["subnets"]},
        )
        for name, network in get_properties_by_name(site, NETWORK).items()
    } == {
        "vnet1": (["10.1.0.0/16"], {"vnet1-sub1": "10.1.0.0/24"}),
        "vnet2": (
            ["10.2.0.0/16"],
            {
                "GatewaySubnet": "10.2.0.0/24",
                "vnet2-sub1": "10.2.1.0/24",
                "vnet2-sub2": "10.2.2.0/24",
            },
        ),
        "vnet3": (["10.3.0.0/16"], {"GatewaySubnet": "10.3.0.0/24"}),
        "vnet4": (["10.4.0.0/16"], {"GatewaySubnet": "10.4.0.0/24"}),
        "vnet5": (["10.5.0.0/16"], {"vnet5-sub1": "10.5.0.0/24"}),
    }


def test_the_gateways_run_bgp_with_their_asns_on_zone_redundant_addresses(site: Site) -> None:
    gateways = get_properties_by_name(site, GATEWAY)
    assert {name: item["bgpSettings"]["asn"] for name, item in gateways.items()} == {
        "vng1": 65000,
        "vng2": 65010,
        "vng3": 65020,
    }
    for name, gateway in gateways.items():
        assert (gateway["gatewayType"], gateway["vpnType"]) == ("Vpn", "RouteBased")
        assert (gateway["enableBgp"], gateway["activeActive"]) == (True, False)
        [configuration] = gateway["ipConfigurations"]
        address = configuration["properties"]["publicIPAddress"]["id"]
        assert address.endswith(f"/{name}-public-ip1")
        body = next(resource.body for resource in build_desired(site) if resource.id == address)
        assert body["sku"]["name"] == "Standard"
        assert body["zones"] == ["1", "2", "3"]
        assert body["properties"]["publicIPAllocationMethod"] == "Static"


def test_each_local_network_gateway_stands_for_the_far_gateway(site: Site) -> None:
    expected = {
        "lng1": ("vng3", "10.4.0.0/16", 65020),
        "lng2": ("vng3", "10.4.0.0/16", 65020),
        "lng3": ("vng1", "10.2.0.0/16", 65000),
        "lng4": ("vng2", "10.3.0.0/16", 65010),
    }
    body = get_properties_by_name(site, LOCAL_GATEWAY)
    assert body.keys() == expected.keys()
    for name, (gateway, prefix, asn) in expected.items():
        properties = body[name]
        assert properties["localNetworkAddressSpace"]["addressPrefixes"] == [prefix]
        assert properties["bgpSettings"]["asn"] == asn
        address, bgp = properties["gatewayIpAddress"], properties["bgpSettings"]
        assert address.resource_id.endswith(f"/{gateway}-public-ip1")
        assert address.path == ("properties", "ipAddress")
        assert bgp["bgpPeeringAddress"].resource_id.endswith(f"/virtualNetworkGateways/{gateway}")


def test_both_ends_of_a_tunnel_have_the_same_shared_key_and_tunnels_different_ones(
    site: Site,
) -> None:
    keys = {
        name: item["sharedKey"].name
        for name, item in get_properties_by_name(site, CONNECTION).items()
    }
    assert keys["vng1-to-vng3"] == keys["vng3-to-vng1"]
    assert keys["vng2-to-vng3"] == keys["vng3-to-vng2"]
    assert keys["vng1-to-vng3"] != keys["vng2-to-vng3"]


def test_secrets_and_values_of_azure_are_placeholders_only(site: Site) -> None:
    for resource in build_desired(site):
        rows = list(placeholders(resource.body))
        if resource.type == CONNECTION:
            assert [type(one) for one in rows] == [SecretName]
        elif resource.type == MACHINE:
            assert rows == [SecretName("admin-password")]
        elif resource.type == LOCAL_GATEWAY:
            assert {type(one) for one in rows} == {Reference}
        else:
            assert json.dumps(resource.body)


def test_the_peerings_have_the_flags_of_the_path(site: Site) -> None:
    unchanged = {
        "vnet4/vnet4-to-vnet5": "yes/yes/yes/no",
        "vnet5/vnet5-to-vnet4": "yes/yes/no/yes",
    }
    initial = {
        "vnet1/vnet1-to-vnet2": "yes/yes/no/yes",
        "vnet2/vnet2-to-vnet1": "yes/yes/yes/no",
    }
    switched = {
        "vnet1/vnet1-to-vnet2": "yes/no/no/no",
        "vnet2/vnet2-to-vnet1": "yes/no/no/no",
        "vnet1/vnet1-to-vnet3": "yes/yes/no/yes",
        "vnet3/vnet3-to-vnet1": "yes/yes/yes/no",
    }
    for path, expected in (
        (Path.EXPRESSROUTE, unchanged | initial),
        (Path.IPSEC, unchanged | switched),
        (None, unchanged),
    ):
        body = get_properties_by_name(site, PEERING, {"vnet1": path})
        assert {name: flags(item) for name, item in body.items()} == expected


def test_a_peering_that_uses_remote_gateways_comes_after_the_gateway_and_its_opposite(
    site: Site,
) -> None:
    outward = one(site, PEERING, "vnet1/vnet1-to-vnet2")
    inward = one(site, PEERING, "vnet2/vnet2-to-vnet1")
    assert site.build_gateway_id("vng1") in outward.needs
    assert inward.id in outward.needs
    assert outward.id not in inward.needs


def test_a_write_of_a_peering_owns_its_network_and_refers_to_the_remote_one(site: Site) -> None:
    outward = one(site, PEERING, "vnet1/vnet1-to-vnet2")
    assert site.build_network_id("vnet1").lower() in outward.owns
    assert site.build_network_id("vnet2").lower() in outward.refers
    assert site.build_gateway_id("vng1").lower() in outward.refers


def test_connections_of_one_gateway_never_overlap(site: Site) -> None:
    first = one(site, CONNECTION, "vng3-to-vng1")
    second = one(site, CONNECTION, "vng3-to-vng2")
    assert first.owns & second.owns == {site.build_gateway_id("vng3").lower()}


def test_gateways_do_not_wait_for_one_another(site: Site) -> None:
    gateways = [resource for resource in build_desired(site) if resource.type == GATEWAY]
    assert len(gateways) == 3
    ids = {gateway.id for gateway in gateways}
    for desired_resource in gateways:
        assert not desired_resource.needs & ids
        others = [other for other in gateways if other is not desired_resource]
        assert not any(desired_resource.owns & (other.owns | other.refers) for other in others)


def test_the_route_to_the_nat_machine_is_on_the_spoke_s_subnet(site: Site) -> None:
    [(name, table)] = get_properties_by_name(site, ROUTE_TABLE).items()
    assert name == "vnet1-sub1-routes"
    assert [item["properties"] for item in table["routes"]] == [
        {
            "addressPrefix": "8.8.4.4/32",
            "nextHopType": "VirtualAppliance",
            "nextHopIpAddress": "10.2.2.4",
        }
    ]
    vnet1 = one(site, NETWORK, "vnet1")
    [subnet] = vnet1.body["properties"]["subnets"]
    assert subnet["properties"]["routeTable"]["id"] == one(site, ROUTE_TABLE, name).id
    assert one(site, ROUTE_TABLE, name).id in vnet1.needs


def test_the_machines_have_the_interfaces_of_the_proof_of_concept(site: Site) -> None:
    machines = get_properties_by_name(site, MACHINE)
    body = get_properties_by_name(site, INTERFACE)
    assert {
        name: [item["id"].rsplit("/", 1)[-1] for item in machine["networkProfile"][key]]
        for name, machine in machines.items()
        for key in ("networkInterfaces",)
    } == {"vm1": ["vm1-nic1"], "vm2": ["vm2-nic1"], "vm3": ["vm3-nic1", "vm3-nic2"]}
    details = {}
    for name, interface in body.items():
        [configuration] = interface["ipConfigurations"]
        properties = configuration["properties"]
        details[name] = (
            properties["privateIPAddress"],
            interface["enableIPForwarding"],
            "publicIPAddress" in properties,
        )
    assert details == {
        "vm1-nic1": ("10.1.0.4", False, True),
        "vm2-nic1": ("10.5.0.4", False, True),
        "vm3-nic1": ("10.2.1.4", True, True),
        "vm3-nic2": ("10.2.2.4", True, False),
    }


def test_a_public_interface_has_a_security_group_that_opens_nothing_and_the_inside_has_none(
    site: Site,
) -> None:
    for name, interface in get_properties_by_name(site, INTERFACE).items():
        assert ("networkSecurityGroup" in interface) is (name != "vm3-nic2")
    for group in get_properties_by_name(site, SECURITY_GROUP).values():
        assert group["securityRules"] == []


def test_everything_that_takes_tags_carries_the_site_s(site: Site) -> None:
    for resource in build_desired(site):
        if resource.type != PEERING:
            assert resource.body["tags"] == {TAG: "poc"}, resource.title


def test_nothing_retired_is_asked_for(site: Site) -> None:
    for gateway in get_properties_by_name(site, GATEWAY).values():
        assert gateway["sku"]["name"].endswith("AZ")
    for resource in build_desired(site):
        if resource.type == PUBLIC_IP:
            assert resource.body["sku"]["name"] == "Standard"
    for machine in get_properties_by_name(site, MACHINE).values():
        assert machine["storageProfile"]["imageReference"]["sku"] != "18.04-LTS"
    for network in get_properties_by_name(site, NETWORK).values():
        for subnet in network["subnets"]:
            if subnet["name"] != "GatewaySubnet":
                assert subnet["properties"]["defaultOutboundAccess"] is False


def test_the_group_comes_before_everything_in_it(site: Site) -> None:
    group = next(resource for resource in build_desired(site) if resource.type == GROUP)
    assert group.id == site.build_group_id()
    for desired_resource in build_desired(site):
        if desired_resource.type not in (GROUP, PEERING):
            assert group.id in desired_resource.needs


def test_a_site_without_topology_asks_for_nothing(site: Site) -> None:
    from dataclasses import replace

    assert build_desired(replace(site, topology=None)) == ()
    assert list(build_setups(replace(site, topology=None))) == []


def test_the_nat_set_up_is_what_the_proof_of_concept_types_and_can_be_run_again(
    site: Site,
) -> None:
    [setup] = build_setups(site)
    script = "\n".join(setup.script)
    text = script.replace("$OUTSIDE", "eth0").replace("$INSIDE", "eth1")
    assert setup.machine_id == site.build_machine_id("vm3")
    for command in (
        "iptables -t nat -A POSTROUTING -o eth0 -j MASQUERADE",
        "iptables -A FORWARD -i eth1 -o eth0 -j ACCEPT",
        "iptables -A FORWARD -i eth0 -o eth1 -m state --state RELATED,ESTABLISHED -j ACCEPT",
        "PREFIX=10.0.0.0/8",
        "ROUTER=10.2.2.1",
        "ip route replace $PREFIX via $ROUTER dev eth1",
        "sysctl -w net.ipv4.ip_forward=1",
        "install -y -qq conntrack",
    ):
        assert command in text
    for line in setup.script:
        if " -A " in line:
            assert line.startswith("echo 'iptables")
            assert " -C " in line.split("||")[0]
    assert not any(" -A " in line or " -w " in line for line in setup.check)


def test_a_nat_machine_is_born_with_the_script_that_run_command_runs(site: Site) -> None:
    [setup] = build_setups(site)
    machines = {
        resource.name: resource for resource in build_desired(site) if resource.type == MACHINE
    }
    profile = machines["vm3"].body["properties"]["osProfile"]
    text = base64.b64decode(profile["customData"].value).decode()
    assert text.startswith("#!/bin/sh\nset -e\n")
    assert text.splitlines()[2:] == list(setup.script[2:])
    assert "cloud-init status --wait" in setup.script[1]
    assert "customData" not in machines["vm1"].body["properties"]["osProfile"]


def test_the_script_in_the_scripts_folder_is_the_one_that_is_installed() -> None:
    root = FilePath(__file__).parents[3]
    script = root / "scripts" / "nat-gateway"
    assert script.resolve() == root / "erfailover" / "data" / "nat-gateway"
    assert "'" not in "".join(script.read_text().splitlines())


def test_only_the_last_line_of_a_set_up_says_that_it_holds() -> None:
    assert is_holding(f"net.ipv4.ip_forward = 1\n{HOLDS}\n")
    assert not is_holding("net.ipv4.ip_forward = 1\n")
    assert not is_holding(f"echo '{HOLDS}'")
