"""Public IP addresses: their defaults, what a write may not say, what keeps one."""

from __future__ import annotations

import datetime as dt

from erfailover.lab.core import errors, ids
from erfailover.lab.core.errors import Refusal
from erfailover.lab.core.scene import Scene
from erfailover.lab.core.world import Body, Resource
from erfailover.lab.providers.bodies import Draft

BASIC_ADDRESSES_RETIRED = dt.date(2025, 9, 30)
"""From this day on no Basic public IP is made (announced by Azure)."""


def _complete_public_ip(draft: Draft, existing: Resource | None) -> None:
    sku = draft.body.setdefault("sku", {"name": "Basic"})
    sku.setdefault("tier", "Regional")
    properties = draft.body["properties"]
    if existing is not None and "ipAddress" in existing.properties:
        properties["ipAddress"] = existing.properties["ipAddress"]
    dns = properties.get("dnsSettings")
    if isinstance(dns, dict) and dns.get("domainNameLabel"):
        place = draft.body["location"]
        dns["fqdn"] = f"{dns['domainNameLabel']}.{place}.cloudapp.azure.com"


def address_taken(scene: Scene, public_ip: Resource, via: str) -> Refusal | None:
    """A public IP that another IP configuration has already (documented code)."""
    for each in scene.references.users(public_ip.id):
        if ids.key(each.via) != ids.key(via):
            return Refusal(
                400,
                "PublicIPAddressInUse",
                f"Resource {via} is referencing public IP address {public_ip.id} that is already "
                f"allocated to resource {each.via}.",
                details=(),
            )
    return None


def public_ip_refused(scene: Scene, body: Body, existing: Resource | None) -> Refusal | None:
    """Why a public IP may not be written so."""
    properties = body["properties"]
    sku = str(body["sku"].get("name") or "")
    if sku not in {"Basic", "Standard"}:
        return errors.not_modelled(f"public IP addresses of SKU {sku}")
    if body["sku"].get("tier") == "Global":
        if sku == "Standard":
            return errors.not_modelled("global public IP addresses")
        return Refusal(
            400,
            "GlobalPublicIPAddressNotSupportedForBasicPublicIpAddress",
            "Global publicIP addresses are only supported for standard SKU public IP addresses. "
            f"Public IP address {body['id']} is not standard SKU.",
            details=(),
        )
    if properties["publicIPAllocationMethod"] not in {"Static", "Dynamic"}:
        return errors.property_invalid(
            "publicIPAllocationMethod", properties["publicIPAllocationMethod"], "Static or Dynamic"
        )
    if sku == "Standard" and properties["publicIPAllocationMethod"] != "Static":
        return scene.unknown.refuse(
            "Standard address not static",
            f"Standard sku publicIp {body['id']} must have AllocationMethod set to Static.",
        )
    if sku == "Basic" and existing is None and scene.today >= BASIC_ADDRESSES_RETIRED:
        return scene.unknown.refuse(
            "Basic address retired",
            f"Public IP address {body['id']} cannot be created: Basic SKU public IP addresses "
            "are retired. Please use Standard.",
        )
    return None


def _public_ip_in_use(scene: Scene, public_ip: Resource) -> Refusal | None:
    users = scene.references.users(public_ip.id)
    if not users:
        return None
    return errors.public_ip_in_use(str(public_ip.id), users[0].via, scene.today)
