"""Resources that a recording refers to and never shows, as plain as they can be.

Owns what is made up: a VNet and subnet around the addresses that interfaces have in them, an
empty security group or route table, a public address, an interface, a connection.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from erfailover.lab.core import ids
from erfailover.lab.core import resource_types as rt
from erfailover.lab.providers.registry import PROVIDERS

Json = Any


def invent_body(key: str, body: Mapping[str, Json]) -> Json:
    """A body for a resource that is referred to; None where none can be made up."""
    where = ids.parse(key)
    provider = PROVIDERS.find(where.provider, where.types) if where is not None else None
    if where is None or provider is None:
        return None
    location = next((item["location"] for item in body.values() if "location" in item), "westus")
    value: Json = {"id": key, "name": where.name, "location": location, "properties": {}}
    match provider.type:
        case rt.VNET:
            prefixes = {_around(address, 16) for address in _addresses(key + "/", body)}
            value["properties"] = {
                "addressSpace": {"addressPrefixes": sorted(prefixes) or ["10.0.0.0/16"]}
            }
        case rt.SUBNET:
            del value["location"]
            addresses = _addresses(key, body)
            prefix = _around(addresses[0], 24) if addresses else "10.0.0.0/24"
            value["properties"] = {"addressPrefix": prefix}
        case rt.PUBLIC_IP:
            value["properties"] = {"publicIPAllocationMethod": "Dynamic"}
        case rt.NIC:
            subnet = f"{where.group}/providers/Microsoft.Network/virtualNetworks/presumed"
            configuration = {"subnet": {"id": f"{subnet}/subnets/presumed"}}
            value["properties"] = {
                "ipConfigurations": [{"name": "ipconfig1", "properties": configuration}]
            }
        case rt.CONNECTION:
            near, far = (_first(name, body) for name in (rt.GATEWAY, rt.LOCAL_GATEWAY))
            if near is None or far is None:
                return None
            value["location"] = body[ids.to_key(near)]["location"]
            value["properties"] = {
                "connectionType": "IPsec",
                "virtualNetworkGateway1": {"id": near},
                "localNetworkGateway2": {"id": far},
                "sharedKey": "lab-key",
            }
        case rt.SECURITY_GROUP | rt.ROUTE_TABLE:
            pass
        case _:
            return None
    return value


def _first(type_: str, document: Mapping[str, Json]) -> str | None:
    """The first resource of a type that the recording shows."""
    for key, body in document.items():
        where = ids.parse(key)
        if where is not None and where.type.lower() == type_.lower():
            return str(body["id"])
    return None


def _addresses(start: str, document: Mapping[str, Json]) -> list[str]:
    """The private addresses that interfaces have in a subnet, or in any subnet of a VNet."""
    lines = []
    for body in document.values():
        for item in body.get("properties", {}).get("ipConfigurations") or ():
            inner = item.get("properties") or {}
            subnet = ids.to_key((inner.get("subnet") or {}).get("id", ""))
            if subnet.startswith(start) and inner.get("privateIPAddress"):
                lines.append(str(inner["privateIPAddress"]))
    return lines


def _around(address: str, length: int) -> str:
    return str(ipaddress.ip_network((address, length), strict=False))
