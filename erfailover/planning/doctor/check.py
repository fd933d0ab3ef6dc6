"""The result of a check: one line or several, each with a verdict and a remedy. Pure.

Owns the names of the checks and the form of a line; what is checked is in the other modules.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from erfailover.model.conditions import Condition, ConditionStatus
from erfailover.model.observed import Reading
from erfailover.model.resource_ids import get_last_name

GROUP_PARTS = len(("subscriptions", "ID", "resourceGroups", "NAME"))
GIGA = 1e9


class Group(StrEnum):
    """What the lines are shown under, in this order."""

    IDENTITY = "identity and rights"
    NETWORKS = "networks and peerings"
    GATEWAYS = "gateways"
    AZURE = "Azure and the way to it"
    RUN = "who writes"


class CheckName(StrEnum):
    """Every check."""

    CREDENTIALS = "credentials"
    TENANTS = "tenants"
    PERMISSIONS = "permissions"
    DENIALS = "deny-assignments"
    LOCKS = "locks"
    POLICIES = "policies"
    ELIGIBLE_ROLES = "eligible-roles"
    NETWORKS = "networks"
    OWN_GATEWAY = "spoke-gateway"
    PEERINGS = "peerings"
    PEERING_NAMES = "peering-names"
    OVERLAPS = "address-overlaps"
    PRESTAGED = "prestaged"
    APPLIANCES = "appliances"
    RETURN_ROUTES = "return-routes"
    ROUTE_TABLES = "route-tables"
    BACKUP_GATEWAY = "backup-gateway"
    BACKUP_SESSION = "backup-bgp-session"
    BACKUP_PREFIXES = "backup-prefixes"
    GATEWAY_SKU = "gateway-sku"
    ADDRESS_SKU = "public-address-sku"
    THROUGHPUT = "throughput"
    CONNECTIONS = "connections"
    SECOND_GATEWAYS = "second-gateways"
    HOLD_TIME = "hold-time"
    DRILL = "drill"
    NETWORK_WATCHER = "network-watcher"
    API_VERSIONS = "api-versions"
    LIMITS = "platform-limits"
    THROTTLING = "throttling"
    CLOCK = "clock"
    ENDPOINT_PATH = "endpoint-path"
    STORE_PATH = "store-path"
    LEASE = "lease"
    JOURNAL = "journal"


@dataclass(frozen=True, slots=True)
class Check:
    """One line.

    Attributes:
        message: what was seen, and what was expected if it does not hold.
        remedy: what to do; empty if it holds.
        required: whether a switch depends on it: an unknown one then counts.
        warning: whether a switch still works if it fails.
    """

    name: str
    group: Group
    verdict: ConditionStatus
    message: str
    remedy: str = ""
    required: bool = True
    warning: bool = False

    @property
    def fails(self) -> bool:
        """Return a check that does not hold."""
        return self.verdict is ConditionStatus.FAILS and not self.warning


@dataclass(frozen=True, slots=True)
class CheckBuilder:
    """Makes the lines of one check."""

    name: CheckName
    group: Group
    required: bool = True

    def report_ok(self, message: str) -> Check:
        """Return a check that holds."""
        return Check(self.name, self.group, ConditionStatus.HOLDS, message, "", self.required)

    def report_failure(self, message: str, remedy: str) -> Check:
        """Return a check that does not hold."""
        return Check(self.name, self.group, ConditionStatus.FAILS, message, remedy, self.required)

    def report_warning(self, message: str, remedy: str) -> Check:
        """Return a check that does not hold but does not prevent a switch."""
        return Check(
            self.name, self.group, ConditionStatus.FAILS, message, remedy, self.required, True
        )

    def report_unknown(self, message: str, remedy: str) -> Check:
        """Return a check that could not be decided."""
        return Check(self.name, self.group, ConditionStatus.UNKNOWN, message, remedy, self.required)

    def report_condition(self, condition: Condition, remedy: str) -> Check:
        """Return the line of a condition, with its remedy if it does not hold."""
        text = "" if condition.status is ConditionStatus.HOLDS else remedy
        return Check(
            self.name, self.group, condition.status, condition.message, text, self.required
        )


def compute_verdict(lines: Iterable[Check]) -> ConditionStatus:
    """FAILS if a line fails; UNKNOWN if a required one is unknown; HOLDS otherwise."""
    checks = list(lines)
    if any(check.fails for check in checks):
        return ConditionStatus.FAILS
    unknown = any(check.verdict is ConditionStatus.UNKNOWN and check.required for check in checks)
    return ConditionStatus.UNKNOWN if unknown else ConditionStatus.HOLDS


def report_conditions(
    line: CheckBuilder, conditions: list[Condition], remedy: str, right: str
) -> Iterator[Check]:
    """Yield the conditions that do not hold, or one line if all do."""
    bad = [condition for condition in conditions if condition.status is not ConditionStatus.HOLDS]
    yield from (line.report_condition(condition, remedy) for condition in bad)
    if not bad:
        yield line.report_ok(right)


def explain_unread(reading: Reading[Any] | None) -> str:
    """Why something is not known."""
    return (reading.unknown if reading else None) or "could not be read"


def format_scope(resource_id: str) -> str:
    """Return a scope for people: ``rg-we``, ``virtualNetworks/vnet1``, ``subscription 0000``."""
    parts = resource_id.strip("/").split("/")
    if len(parts) < GROUP_PARTS - 1:
        return f"subscription {parts[-1]}"
    return "/".join(parts[-2:]) if len(parts) > GROUP_PARTS else parts[-1]


def disambiguate_names(resource_ids: Iterable[str]) -> dict[str, str]:
    """Name resources or groups; with what contains them if two have the same name."""
    ids = list(dict.fromkeys(resource_ids))
    short = {id_: get_last_name(id_) for id_ in ids}
    for at in (4, 2):  # the resource group's name, then the subscription's id
        alike = {name for name in short.values() if list(short.values()).count(name) > 1}
        for text, name in short.items():
            parts = text.split("/")
            if name in alike and at < len(parts) - 1:
                short[text] = f"{parts[at]}/{name}"
    return short


def shorten_action(action: str) -> str:
    """Return an action for people: ``virtualNetworkPeerings/write``, ``getLearnedRoutes``."""
    parts = action.removesuffix("/action").split("/")
    return "/".join(parts[-2:]) if not action.endswith("/action") else parts[-1]


def format_rate(bps: float) -> str:
    """Return a rate for people: ``650 Mbit/s``."""
    return f"{bps / GIGA:.3g} Gbit/s" if bps >= GIGA else f"{bps / 1e6:.3g} Mbit/s"
