"""What Microsoft publishes of gateway SKUs: when they retire, what they carry. Pure.

Owns the tables, each line with its document. Figures and dates as of November 2026; an unknown
SKU is unknown, never a guess.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

VPN, EXPRESSROUTE = "Vpn", "ExpressRoute"


@dataclass(frozen=True, slots=True)
class Retirement:
    """When something retires, what takes its place, and where Microsoft says so."""

    on: date
    instead: str
    document: str


NON_AZ = "learn.microsoft.com/azure/vpn-gateway/gateway-sku-consolidation"
LEGACY = "learn.microsoft.com/azure/vpn-gateway/whats-new"
RETIREMENTS: Mapping[tuple[str, str], Retirement] = {
    **{
        (VPN, f"VpnGw{size}"): Retirement(date(2026, 9, 30), f"VpnGw{size}AZ", NON_AZ)
        for size in range(1, 6)
    },
    # Announced for 2025-09-30, then put off to March 2026.
    (VPN, "Standard"): Retirement(date(2026, 3, 31), "VpnGw1AZ", LEGACY),
    (VPN, "HighPerformance"): Retirement(date(2026, 3, 31), "VpnGw2AZ", LEGACY),
}
"""By gateway type and SKU. For the ExpressRoute SKUs without zones (Standard, HighPerformance,
UltraPerformance) no date is published."""

BASIC_ADDRESS = Retirement(
    date(2025, 9, 30),
    "a Standard public address",
    "learn.microsoft.com/azure/virtual-network/ip-services/public-ip-basic-upgrade-guidance",
)
"""Basic public addresses. VPN gateways were given until the end of June 2026 to migrate."""

WITHOUT_BGP = frozenset({(VPN, "Basic")})
"""SKUs that speak no BGP (published: about-gateway-skus)."""

MBPS = 1e6
_GENERATION_1 = {1: 650, 2: 1_000, 3: 1_250}
_GENERATION_2 = {2: 1_250, 3: 2_500, 4: 5_000, 5: 10_000}
"""Aggregate throughput of VpnGw sizes in Mbit/s (published: about-gateway-skus)."""
_EXPRESSROUTE = {
    "standard": 1_000,
    "ergw1az": 1_000,
    "highperformance": 2_000,
    "ergw2az": 2_000,
    "ultraperformance": 10_000,
    "ergw3az": 10_000,
}
"""Mbit/s (published: expressroute-about-virtual-network-gateways)."""
_LEGACY_VPN = {"basic": 100, "standard": 100, "highperformance": 200}


VPN_FIGURES = "learn.microsoft.com/azure/vpn-gateway/about-gateway-skus"
EXPRESSROUTE_FIGURES = (
    "learn.microsoft.com/azure/expressroute/expressroute-about-virtual-network-gateways"
)


def get_document(gateway_type: str) -> str:
    """Return the document with the throughput of a type's SKUs."""
    express = gateway_type.lower() == EXPRESSROUTE.lower()
    return EXPRESSROUTE_FIGURES if express else VPN_FIGURES


def find_retirement(gateway_type: str, sku: str) -> Retirement | None:
    """When a gateway's SKU retires; None if no date is published."""
    return next(
        (
            retirement
            for (type_, name), retirement in RETIREMENTS.items()
            if (type_.lower(), name.lower()) == (gateway_type.lower(), sku.lower())
        ),
        None,
    )


def can_speak_bgp(gateway_type: str, sku: str) -> bool:
    """Whether a gateway's SKU can have BGP sessions."""
    return (gateway_type.lower(), sku.lower()) not in {
        (text.lower(), name.lower()) for text, name in WITHOUT_BGP
    }


def find_capacity_bps(gateway_type: str, sku: str, generation: str = "") -> float | None:
    """Return the aggregate throughput that is published for a gateway, in bit/s; None if unknown.

    Args:
        gateway_type: ``Vpn`` or ``ExpressRoute``.
        sku: the SKU's name.
        generation: ``Generation1`` or ``Generation2``, of a VPN gateway.
    """
    name = sku.lower()
    if gateway_type.lower() == EXPRESSROUTE.lower():
        count = _EXPRESSROUTE.get(name)
    elif name.startswith("vpngw") and name[5:6].isdigit():
        size = int(name[5])
        first, second = _GENERATION_1.get(size), _GENERATION_2.get(size)
        count = (second or first) if generation == "Generation2" else (first or second)
    else:
        count = _LEGACY_VPN.get(name)
    return None if count is None else count * MBPS
