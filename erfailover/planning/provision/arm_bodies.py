"""The ARM bodies of what ``provision`` makes. Pure.

Owns how a site's topology is written in Azure's words: today's SKUs, zone-redundant static
addresses, no retired images. Values that only Azure knows, and secrets, are in a body as
``Reference`` and ``SecretName``; whoever writes it puts the values in.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from erfailover.model import ssh_keys
from erfailover.model.peering_flags import Flags
from erfailover.model.resource_ids import GATEWAY_SUBNET, get_last_name
from erfailover.model.topology import TopologyGateway, TopologyMachine, TopologyNetwork

Body = dict[str, Any]

TAG = "erfailover-site"
"""The tag that marks what erfailover created; its value is the site's name."""

ZONES = ["1", "2", "3"]
"""A VPN gateway's address must be zone-redundant (recorded: the refusal
``VmssVpnGatewayPublicIpsMustHaveZonesConfigured``)."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A value that Azure assigns to another resource: known once that exists."""

    resource_id: str
    path: tuple[str, ...]

    def __str__(self) -> str:
        return f"({'.'.join(self.path)} of {get_last_name(self.resource_id)})"


@dataclass(frozen=True, slots=True)
class SecretName:
    """A secret by its name; its value is never in a plan."""

    name: str

    def __str__(self) -> str:
        return f"(secret {self.name})"


@dataclass(frozen=True, slots=True)
class WriteOnceValue:
    """A value that is given at creation, shown by no answer and never changed after.

    Azure refuses another ``customData`` (published: PropertyChangeNotAllowed).
    """

    value: Any


def _build_resource(location: str, site: str, properties: Body, **more: Any) -> Body:
    return {"location": location, "tags": {TAG: site}, "properties": properties, **more}


def build_resource_group(location: str, site: str) -> Body:
    """Return a resource group."""
    return {"location": location, "tags": {TAG: site}}


def build_virtual_network(
    location: str, site: str, network: TopologyNetwork, route_tables: Mapping[str, str]
) -> Body:
    """Return a VNet with its subnets, so that they need no separate writes.

    Args:
        location: Azure's region.
        site: the site's name, for the tag.
        network: address space and subnets.
        route_tables: subnet name to the id of its route table.
    """
    subnets: list[Body] = []
    for name, subnet in network.subnets.items():
        properties: Body = {"addressPrefix": str(subnet.prefix)}
        if name in route_tables:
            properties["routeTable"] = {"id": route_tables[name]}
        if name != GATEWAY_SUBNET:
            # Documented: the default depends on the API version from 2025-07-01 on; say it.
            properties["defaultOutboundAccess"] = False
        subnets.append({"name": name, "properties": properties})
    space = {"addressPrefixes": [str(prefix) for prefix in network.address_space]}
    return _build_resource(location, site, {"addressSpace": space, "subnets": subnets})


def build_route_table(location: str, site: str, routes: Mapping[IPv4Network, IPv4Address]) -> Body:
    """Return a route table whose routes lead to virtual appliances."""
    rows = [
        {
            "name": format_route_name(prefix),
            "properties": {
                "addressPrefix": str(prefix),
                "nextHopType": "VirtualAppliance",
                "nextHopIpAddress": str(next_hop),
            },
        }
        for prefix, next_hop in routes.items()
    ]
    return _build_resource(location, site, {"disableBgpRoutePropagation": False, "routes": rows})


def format_route_name(prefix: IPv4Network) -> str:
    """Return the name of the route to a prefix."""
    return f"to-{prefix.network_address}-{prefix.prefixlen}"


def build_public_ip(location: str, site: str) -> Body:
    """Return a Standard, static, zone-redundant public address."""
    return _build_resource(
        location,
        site,
        {"publicIPAllocationMethod": "Static", "publicIPAddressVersion": "IPv4"},
        sku={"name": "Standard", "tier": "Regional"},
        zones=list(ZONES),
    )


def build_security_group(location: str, site: str) -> Body:
    """Return a security group with Azure's default rules only.

    They let in what comes from the VNet, its peers and its gateways, and nothing from the
    Internet: SSH stays closed until it is opened on purpose.
    """
    return _build_resource(location, site, {"securityRules": []})


def build_gateway(
    location: str, site: str, gateway_: TopologyGateway, network_id: str, address_id: str
) -> Body:
    """Return a route-based VPN gateway with BGP, active-standby."""
    configuration = {
        "name": "vnetGatewayConfig0",
        "properties": {
            "privateIPAllocationMethod": "Dynamic",
            "publicIPAddress": {"id": address_id},
            "subnet": {"id": f"{network_id}/subnets/{GATEWAY_SUBNET}"},
        },
    }
    return _build_resource(
        location,
        site,
        {
            "gatewayType": "Vpn",
            "vpnType": "RouteBased",
            "enableBgp": True,
            "activeActive": False,
            "sku": {"name": gateway_.sku, "tier": gateway_.sku},
            "bgpSettings": {"asn": gateway_.asn},
            "ipConfigurations": [configuration],
        },
    )


def build_local_network_gateway(
    location: str,
    site: str,
    far: TopologyGateway,
    far_space: Iterable[IPv4Network],
    far_address_id: str,
    far_gateway_id: str,
) -> Body:
    """Return a local network gateway that represents a far gateway, with its VNet's prefixes."""
    return _build_resource(
        location,
        site,
        {
            "gatewayIpAddress": Reference(far_address_id, ("properties", "ipAddress")),
            "localNetworkAddressSpace": {"addressPrefixes": [str(prefix) for prefix in far_space]},
            "bgpSettings": {
                "asn": far.asn,
                "bgpPeeringAddress": Reference(
                    far_gateway_id, ("properties", "bgpSettings", "bgpPeeringAddress")
                ),
            },
        },
    )


def build_connection(
    location: str, site: str, gateway_id: str, local_network_gateway_id: str, secret: str
) -> Body:
    """Return an IPsec connection with BGP.

    The empty ``properties`` beside the ids are what the az CLI sends (recorded).
    """
    return _build_resource(
        location,
        site,
        {
            "connectionType": "IPsec",
            "enableBgp": True,
            "virtualNetworkGateway1": {"id": gateway_id, "properties": {}},
            "localNetworkGateway2": {"id": local_network_gateway_id, "properties": {}},
            "sharedKey": SecretName(secret),
        },
    )


def build_peering(remote_network_id: str, flags: Flags) -> Body:
    """Return a peering; Azure keeps no tags on one."""
    return {
        "properties": {
            "remoteVirtualNetwork": {"id": remote_network_id},
            **flags.to_arm(),
        }
    }


def build_network_interface(
    location: str,
    site: str,
    subnet_id: str,
    address: IPv4Address,
    forwarding: bool,
    address_id: str | None,
    security_group_id: str | None,
) -> Body:
    """Return a network interface with a private address of our choice."""
    configuration: Body = {
        "primary": True,
        "privateIPAddress": str(address),
        "privateIPAddressVersion": "IPv4",
        "privateIPAllocationMethod": "Static",
        "subnet": {"id": subnet_id},
    }
    if address_id:
        configuration["publicIPAddress"] = {"id": address_id}
    properties: Body = {
        "enableIPForwarding": forwarding,
        "ipConfigurations": [{"name": "ipconfig1", "properties": configuration}],
    }
    if security_group_id:
        properties["networkSecurityGroup"] = {"id": security_group_id}
    return _build_resource(location, site, properties)


def build_virtual_machine(
    location: str,
    site: str,
    name: str,
    machine: TopologyMachine,
    interface_ids: Sequence[str],
    secret: str,
    custom_data: str | None = None,
) -> Body:
    """Return a Linux machine; it needs no sign-in: commands go through Run Command.

    It has the public key of SSH that the site names and no password, or else a password.
    ``custom_data`` is a script that cloud-init runs at its first start.
    """
    publisher, offer, sku, version = machine.image.split(":")
    interfaces = [
        {"id": id_, "properties": {"primary": i == 0}} for i, id_ in enumerate(interface_ids)
    ]
    return _build_resource(
        location,
        site,
        {
            "hardwareProfile": {"vmSize": machine.size},
            "storageProfile": {
                "imageReference": {
                    "publisher": publisher,
                    "offer": offer,
                    "sku": sku,
                    "version": version,
                },
                "osDisk": {"createOption": "FromImage", "deleteOption": "Delete"},
            },
            "osProfile": {
                "computerName": name,
                "adminUsername": machine.admin_username,
                **_build_sign_in(machine, secret),
                **({"customData": _encode(custom_data)} if custom_data else {}),
            },
            "networkProfile": {"networkInterfaces": interfaces},
        },
    )


def _build_sign_in(machine: TopologyMachine, secret: str) -> Body:
    """How a machine lets people in; Azure changes nothing of it afterwards.

    Observed: 409 PropertyChangeNotAllowed for the keys and for the switch. The path of the keys
    is limited to this one (observed: InvalidParameter, linuxConfiguration.ssh.publicKeys.path).
    """
    if machine.ssh_public_key is None:
        once = WriteOnceValue(False)
        return {
            "adminPassword": SecretName(secret),
            "linuxConfiguration": {"disablePasswordAuthentication": once},
        }
    path = f"/home/{machine.admin_username}/.ssh/authorized_keys"
    key = {"path": path, "keyData": ssh_keys.strip_key(machine.ssh_public_key)}
    return {
        "linuxConfiguration": {
            "disablePasswordAuthentication": WriteOnceValue(True),
            "ssh": WriteOnceValue({"publicKeys": [key]}),
        }
    }


def _encode(text: str) -> WriteOnceValue:
    return WriteOnceValue(base64.b64encode(text.encode()).decode())
