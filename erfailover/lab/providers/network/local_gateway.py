"""Local network gateways: their defaults, what a write may not say, what keeps one."""

from __future__ import annotations

from erfailover.lab.core import addresses, errors, ids
from erfailover.lab.core.errors import Refusal
from erfailover.lab.core.scene import Scene
from erfailover.lab.core.world import Body, Resource

LARGEST_ASN = 4_294_967_295
RESERVED_ASNS = frozenset({8074, 8075, 12076, 65515, 65517, 65518, 65519, 65520})
"""ASNs that a local network gateway may not have (documented)."""


def complete_local(properties: Body) -> None:
    """Fill a local network gateway's body in (recorded)."""
    properties.setdefault("localNetworkAddressSpace", {"addressPrefixes": []})
    properties["localNetworkAddressSpace"].setdefault("addressPrefixes", [])
    settings = properties.get("bgpSettings")
    if isinstance(settings, dict):
        properties["bgpSettings"] = {
            "asn": settings.get("asn"),
            "bgpPeeringAddress": settings.get("bgpPeeringAddress"),
            "peerWeight": settings.get("peerWeight") or 0,
        }


def _asn_refused(scene: Scene, settings: Body, reserved: frozenset[int]) -> Refusal | None:
    asn = settings.get("asn")
    if asn is None or (isinstance(asn, int) and 0 <= asn <= LARGEST_ASN and asn not in reserved):
        return None
    return scene.unknown.refuse("ASN not allowed", f"BGP ASN {asn} is not allowed.")


def local_gateway_refused(scene: Scene, local_id: ids.ResourceId, body: Body) -> Refusal | None:
    """Why a local network gateway may not be written so."""
    properties = body["properties"]
    for prefix in properties["localNetworkAddressSpace"]["addressPrefixes"]:
        if addresses.network(prefix) is None:
            return errors.prefix_invalid(prefix, str(local_id))
    if properties.get("fqdn"):
        return errors.not_modelled("local network gateways by name (fqdn)")
    gateway_address = properties.get("gatewayIpAddress")
    if addresses.address(gateway_address) is None:
        return errors.property_invalid("gatewayIpAddress", gateway_address, "an IPv4 address")
    settings = properties.get("bgpSettings")
    if settings is None:
        return None
    if addresses.address(settings.get("bgpPeeringAddress")) is None:
        return errors.property_invalid(
            "bgpPeeringAddress", settings.get("bgpPeeringAddress"), "an IPv4 address"
        )
    return _asn_refused(scene, settings, RESERVED_ASNS)


def _local_gateway_in_use(scene: Scene, local: Resource) -> Refusal | None:
    users = scene.references.users(local.id)
    if not users:
        return None
    return scene.unknown.refuse(
        "local network gateway in use",
        f"Local network gateway {local.id} cannot be deleted because connection "
        f"{users[0].source} still uses it.",
    )
