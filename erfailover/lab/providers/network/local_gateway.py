"""Local network gateways: defaults, rules, and what prevents a deletion."""

from __future__ import annotations

from erfailover.lab.core import addresses, errors
from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.errors import Refusal
from erfailover.lab.core.generated import ValueGenerator
from erfailover.lab.core.rule_context import RuleContext
from erfailover.lab.core.world import Body, Resource
from erfailover.lab.providers.bodies import Draft
from erfailover.lab.providers.provider import Coverage, Provider
from erfailover.lab.providers.shapes import BGP_SETTINGS, PREFIXES

LARGEST_ASN = 4_294_967_295
RESERVED_ASNS = frozenset({8074, 8075, 12076, 65515, 65517, 65518, 65519, 65520})
"""ASNs that a local network gateway may not have (documented)."""


def _complete(draft: Draft, existing: Resource | None, generator: ValueGenerator) -> None:
    """Complete a local network gateway's body (recorded)."""
    properties: Body = draft.body["properties"]
    properties.setdefault("localNetworkAddressSpace", {"addressPrefixes": []})
    properties["localNetworkAddressSpace"].setdefault("addressPrefixes", [])
    settings = properties.get("bgpSettings")
    if isinstance(settings, dict):
        properties["bgpSettings"] = {
            "asn": settings.get("asn"),
            "bgpPeeringAddress": settings.get("bgpPeeringAddress"),
            "peerWeight": settings.get("peerWeight") or 0,
        }


def validate_asn(context: RuleContext, settings: Body, reserved: frozenset[int]) -> Refusal | None:
    """Return the refusal of the ASN in BGP settings; None if it is valid."""
    asn = settings.get("asn")
    if asn is None or (isinstance(asn, int) and 0 <= asn <= LARGEST_ASN and asn not in reserved):
        return None
    return context.unknown.refuse("ASN not allowed", f"BGP ASN {asn} is not allowed.")


def _validate(context: RuleContext, draft: Draft, existing: Resource | None) -> Refusal | None:
    """Return the refusal if a local network gateway may not be written; None if it may."""
    properties, local_id = draft.body["properties"], draft.id
    for prefix in properties["localNetworkAddressSpace"]["addressPrefixes"]:
        if addresses.parse_network(prefix) is None:
            return errors.prefix_invalid(prefix, str(local_id))
    if properties.get("fqdn"):
        return errors.not_modelled("local network gateways by name (fqdn)")
    gateway_address = properties.get("gatewayIpAddress")
    if addresses.parse_address(gateway_address) is None:
        return errors.property_invalid("gatewayIpAddress", gateway_address, "an IPv4 address")
    settings = properties.get("bgpSettings")
    if settings is None:
        return None
    if addresses.parse_address(settings.get("bgpPeeringAddress")) is None:
        return errors.property_invalid(
            "bgpPeeringAddress", settings.get("bgpPeeringAddress"), "an IPv4 address"
        )
    return validate_asn(context, settings, RESERVED_ASNS)


def _validate_delete(context: RuleContext, local: Resource) -> Refusal | None:
    users = context.references.find_users(local.id)
    if not users:
        return None
    return context.unknown.refuse(
        "local network gateway in use",
        f"Local network gateway {local.id} cannot be deleted because connection "
        f"{users[0].source} still uses it.",
    )


LOCAL_GATEWAY = Provider(
    type=rt.LOCAL_GATEWAY,
    noun="LocalNetworkGateway",
    coverage=(
        Coverage(
            names="`Microsoft.Network/localNetworkGateways`",
            modelled="address, prefixes, BGP settings",
            not_modelled="FQDN (501)",
            rests_on="recording",
        ),
    ),
    shape={
        "gatewayIpAddress": str,
        "fqdn": str,
        "localNetworkAddressSpace": PREFIXES,
        "bgpSettings": BGP_SETTINGS,
    },
    has_guid=True,
    complete=_complete,
    validate=_validate,
    validate_delete=_validate_delete,
)
