"""Public IP addresses: defaults, rules, and what prevents a deletion."""

from __future__ import annotations

import datetime as dt

from erfailover.lab.core import errors, ids
from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.errors import Refusal
from erfailover.lab.core.generated import ValueGenerator
from erfailover.lab.core.rule_context import RuleContext
from erfailover.lab.core.world import Body, Resource
from erfailover.lab.providers.bodies import Draft
from erfailover.lab.providers.provider import Cloud, Coverage, Provider, View

BASIC_ADDRESSES_RETIRED = dt.date(2025, 9, 30)
"""From this day on no Basic public IP is made (announced by Azure)."""


def _complete(draft: Draft, existing: Resource | None, generator: ValueGenerator) -> None:
    sku = draft.body.setdefault("sku", {"name": "Basic"})
    sku.setdefault("tier", "Regional")
    properties = draft.body["properties"]
    if existing is not None and "ipAddress" in existing.properties:
        properties["ipAddress"] = existing.properties["ipAddress"]
    dns = properties.get("dnsSettings")
    if isinstance(dns, dict) and dns.get("domainNameLabel"):
        place = draft.body["location"]
        dns["fqdn"] = f"{dns['domainNameLabel']}.{place}.cloudapp.azure.com"


def validate_unused(context: RuleContext, public_ip: Resource, via: str) -> Refusal | None:
    """Return the refusal of a public IP that another IP configuration has (documented code)."""
    for reference in context.references.find_users(public_ip.id):
        if ids.to_key(reference.via) != ids.to_key(via):
            return Refusal(
                400,
                "PublicIPAddressInUse",
                f"Resource {via} is referencing public IP address {public_ip.id} that is already "
                f"allocated to resource {reference.via}.",
                details=(),
            )
    return None


def _validate(context: RuleContext, draft: Draft, existing: Resource | None) -> Refusal | None:
    """Return the refusal if a public IP may not be written; None if it may."""
    body, properties = draft.body, draft.body["properties"]
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
        return context.unknown.refuse(
            "Standard address not static",
            f"Standard sku publicIp {body['id']} must have AllocationMethod set to Static.",
        )
    if sku == "Basic" and existing is None and context.today >= BASIC_ADDRESSES_RETIRED:
        return context.unknown.refuse(
            "Basic address retired",
            f"Public IP address {body['id']} cannot be created: Basic SKU public IP addresses "
            "are retired. Please use Standard.",
        )
    return None


def _validate_delete(context: RuleContext, public_ip: Resource) -> Refusal | None:
    """Return the refusal to delete a public IP that is in use (recorded)."""
    users = context.references.find_users(public_ip.id)
    if not users:
        return None
    more = (
        " In order to delete the public IP, disassociate/detach the Public IP address from the "
        "resource.  To learn how to do this, see aka.ms/deletepublicip."
    )
    return Refusal(
        400,
        "PublicIPAddressCannotBeDeleted",
        f"Public IP address {public_ip.id} can not be deleted since it is still allocated to "
        f"resource {users[0].via}." + (more if context.today >= errors.WHAT_TO_DO_SINCE else ""),
        details=(),
    )


def _present(view: View, public_ip: Resource) -> Body:
    users = view.context.references.find_users(public_ip.id)
    return {"ipConfiguration": {"id": users[0].via}} if users else {}


def _assign_address(cloud: Cloud, public_ip: Resource) -> None:
    if public_ip.properties["publicIPAllocationMethod"] == "Static":
        public_ip.properties.setdefault("ipAddress", cloud.allocate_public_address())


PUBLIC_IP = Provider(
    type=rt.PUBLIC_IP,
    noun="PublicIpAddress",
    references=("publicIPPrefix",),
    coverage=(
        Coverage(
            names="`Microsoft.Network/publicIPAddresses`",
            modelled="Standard and (before its retirement) Basic, static and dynamic, zones",
            not_modelled="prefixes, DNS that resolves, IPv6",
            rests_on="recording",
        ),
    ),
    shape={
        "publicIPAllocationMethod": str,
        "publicIPAddressVersion": str,
        "idleTimeoutInMinutes": int,
        "dnsSettings": {"domainNameLabel": str},
    },
    defaults={
        "publicIPAddressVersion": "IPv4",
        "publicIPAllocationMethod": "Dynamic",
        "idleTimeoutInMinutes": 4,
        "ipTags": [],
        "ddosSettings": {"protectionMode": "VirtualNetworkInherited"},
    },
    read_only=frozenset({"ipAddress", "ipConfiguration", "natGateway"}),
    has_guid=True,
    complete=_complete,
    validate=_validate,
    validate_delete=_validate_delete,
    present=_present,
    finish_write=_assign_address,
)
