"""What a provision is likely to cost and how long it takes: estimates, labelled as such. Pure.

Prices are US dollars an hour, list prices of East US without any discount, as read from Azure's
retail prices by public tools; other regions, currencies and contracts differ. Durations are
medians (``durations``); a gateway may take 45 minutes (published).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from erfailover.model.plan import Change
from erfailover.model.resource_ids import GATEWAY, MACHINE, PUBLIC_IP
from erfailover.planning.critical_path import UNKNOWN_S, compute_longest_s
from erfailover.planning.provision.durations import SETUP, find_usual
from erfailover.planning.provision.plan import Action, ProvisionPlan, SetupAction

PRICES_AS_OF = "East US list prices, September 2026"
GATEWAY_USD: Mapping[str, float] = MappingProxyType({"VpnGw1AZ": 0.21})
MACHINE_USD: Mapping[str, float] = MappingProxyType({"Standard_B2ats_v2": 0.0094})
ADDRESS_USD = 0.005
DISK_USD = 0.0072
"""A machine's disk of 32 GiB (P4, $5.28 a month)."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What to expect of a plan.

    Attributes:
        hourly_usd: what the resources to make cost an hour, those without a known price left out.
        unpriced: SKUs and sizes whose price is not known here.
        duration_s: how long it takes, in seconds: the longest chain of what needs what.
    """

    hourly_usd: float
    unpriced: tuple[str, ...]
    duration_s: float


def estimate(plan: ProvisionPlan) -> Estimate:
    """Return what the changes of a plan are likely to cost and take."""
    total, unpriced = 0.0, set()
    for action in plan.actions:
        if action.change is Change.CREATE:
            price, unknown = _estimate_hourly_usd(action)
            total += price
            unpriced |= {unknown} if unknown else set()
    return Estimate(round(total, 4), tuple(sorted(unpriced)), _compute_longest_s(plan))


def _estimate_hourly_usd(action: Action) -> tuple[float, str]:
    """Return the price of one resource, and the SKU or size whose price is not known."""
    properties = action.desired.body.get("properties", {})
    if action.desired.type == PUBLIC_IP:
        return ADDRESS_USD, ""
    if action.desired.type == GATEWAY:
        sku = str(properties["sku"]["name"])
        return GATEWAY_USD.get(sku, 0.0), "" if sku in GATEWAY_USD else sku
    if action.desired.type == MACHINE:
        size = str(properties["hardwareProfile"]["vmSize"])
        return MACHINE_USD.get(size, 0.0) + DISK_USD, "" if size in MACHINE_USD else size
    return 0.0, ""


def _compute_longest_s(plan: ProvisionPlan) -> float:
    """Return the longest chain of changes; each after what it needs, as far as that changes too."""
    needs: dict[str, Iterable[str]] = {}
    takes_s: dict[str, float] = {}
    for change in plan.changes:
        if isinstance(change, SetupAction):
            needs[change.setup.id] = {change.setup.machine_id}
            takes_s[change.setup.id] = SETUP.usually_s
        else:
            usual = find_usual(change.desired.type, change.change)
            needs[change.desired.key] = change.desired.needs
            takes_s[change.desired.key] = usual.usually_s if usual else UNKNOWN_S
    return compute_longest_s(needs, takes_s)
