"""What an ARM URL addresses; pure.

Owns the parsing of paths, in any letter case and with doubled slashes, and the names of the
providers that extend any scope (``{scope}/providers/Microsoft.Authorization/...``) with the action
of Azure RBAC that a request to them needs (published: resource provider operations of
Microsoft.Authorization, Microsoft.PolicyInsights, Microsoft.Insights). It never reads the world.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum

from erfailover.lab.core import ids
from erfailover.lab.core import resource_types as rt

AUTHORIZATION = "microsoft.authorization"
POLICY_INSIGHTS = "microsoft.policyinsights"
INSIGHTS = "microsoft.insights"
PROVIDERS = frozenset({AUTHORIZATION, POLICY_INSIGHTS, INSIGHTS})

LOCKS = f"{AUTHORIZATION}/locks"
PERMISSIONS = f"{AUTHORIZATION}/permissions"
ASSIGNMENTS = f"{AUTHORIZATION}/policyassignments"
DEFINITIONS = f"{AUTHORIZATION}/policydefinitions"
RESTRICTIONS = f"{POLICY_INSIGHTS}/checkpolicyrestrictions"
METRICS = f"{INSIGHTS}/metrics"
ELIGIBLE = f"{AUTHORIZATION}/roleeligibilityscheduleinstances"
ACTIVATED = f"{AUTHORIZATION}/roleassignmentscheduleinstances"
DENIALS = f"{AUTHORIZATION}/denyassignments"

_SPELLED = {
    LOCKS: "Microsoft.Authorization/locks",
    PERMISSIONS: "Microsoft.Authorization/permissions",
    ASSIGNMENTS: "Microsoft.Authorization/policyAssignments",
    DEFINITIONS: "Microsoft.Authorization/policyDefinitions",
    RESTRICTIONS: "Microsoft.PolicyInsights/checkPolicyRestrictions",
    METRICS: "Microsoft.Insights/metrics",
    ELIGIBLE: "Microsoft.Authorization/roleEligibilityScheduleInstances",
    ACTIVATED: "Microsoft.Authorization/roleAssignmentScheduleInstances",
    DENIALS: "Microsoft.Authorization/denyAssignments",
}


class TargetKind(Enum):
    """Kinds of things that a path addresses."""

    TENANTS = "tenants"
    SUBSCRIPTIONS = "subscriptions"
    SUBSCRIPTION = "subscription"
    LOCATIONS = "locations"
    PROVIDERS = "providers"
    PROVIDER = "provider"
    RESOURCES = "resources"
    GROUPS = "groups"
    GROUP = "group"
    DEPLOYMENTS = "deployments"
    """A group's deployments and what lies below; ``name`` is the rest of the path."""
    IMAGES = "images"
    """Below the publishers of images of a location; ``name`` is the rest of the path."""
    SIZES = "sizes"
    """The sizes of machines, and other SKUs of Microsoft.Compute."""
    OPERATION = "operation"
    OPERATION_RESULT = "operation result"
    COLLECTION = "collection"
    ITEM = "item"
    PART = "part"
    """Below an item: an action, or a part of it like ``instanceView`` or ``sharedkey``."""
    EXTENSION = "extension"
    """A provider that extends ``scope``: locks, permissions; ``name`` is what follows it."""
    OPERATIONS = "provider operations"
    """The actions of a provider, ``name``; without one, of all."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Target:
    """The target of a path.

    ``id`` is the resource, or the parent of a collection (a group's id if it has none);
    ``type`` is the modelled type, None if the lab has none of that name, which ``name``
    then holds; ``name`` is otherwise the provider, the operation, or the part. Of an extension
    they are those of the ``scope`` that it extends.
    """

    kind: TargetKind
    subscription: str = ""
    group: str = ""
    id: ids.ResourceId | None = None
    type: rt.ResourceType | None = None
    name: str = ""
    location: str = ""
    scope: str = ""


_PUBLISHERS = ("microsoft.compute", "locations", "publishers")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.()\-]{0,89}")


def is_valid_name(name: str) -> bool:
    """Return whether Azure accepts a name for a resource."""
    return bool(_NAME.fullmatch(name)) and not name.endswith(".")


def parse(path: str, types: rt.ResourceTypes[rt.ResourceType]) -> Target:
    """Parse an ARM path; ``types`` are the resource types that the lab models."""
    parts = [part for part in path.split("/") if part]
    low = [part.lower() for part in parts]
    if low[:3] == ["providers", AUTHORIZATION, "provideroperations"] and not low[4:]:
        return Target(TargetKind.OPERATIONS, name="".join(parts[3:]))
    at = find_extension(parts)
    if at is not None:
        scope = f"/{'/'.join(parts[: at - 1])}"
        name, extended = "/".join(parts[at:]), parse(scope, types)
        is_known = extended.kind in (TargetKind.SUBSCRIPTION, TargetKind.GROUP, TargetKind.ITEM)
        kind = TargetKind.EXTENSION if is_known else TargetKind.UNKNOWN
        return replace(extended, kind=kind, name=name, scope=scope)
    if low == ["tenants"]:
        return Target(TargetKind.TENANTS)
    if not low or low[0] != "subscriptions":
        return Target(TargetKind.UNKNOWN, name=path)
    if len(low) == 1:
        return Target(TargetKind.SUBSCRIPTIONS)
    subscription = low[1]
    if not low[2:]:
        return Target(TargetKind.SUBSCRIPTION, subscription)
    if low[2] == "resourcegroups":
        return _parse_in_groups(types, subscription, parts[3:], low[3:])
    if low[2] == "providers":
        return _parse_in_subscription(types, subscription, parts[3:], low[3:])
    if low[2] == "operationresults" and len(low[3:]) == 1:
        return Target(TargetKind.OPERATION_RESULT, subscription, name=low[3])
    if low[2:] == ["resources"]:
        return Target(TargetKind.RESOURCES, subscription)
    if low[2:] == ["locations"]:
        return Target(TargetKind.LOCATIONS, subscription)
    return Target(TargetKind.UNKNOWN, subscription, name="/".join(parts[2:]))


def _parse_in_groups(
    modelled: rt.ResourceTypes[rt.ResourceType], subscription: str, parts: list[str], low: list[str]
) -> Target:
    if not parts:
        return Target(TargetKind.GROUPS, subscription)
    group = ids.ResourceId(subscription, parts[0], "", (), ())
    if len(parts) == 1:
        return Target(TargetKind.GROUP, subscription, parts[0], group)
    if low[1:] == ["resources"]:
        return Target(TargetKind.RESOURCES, subscription, parts[0], group)
    if low[1:4] == ["providers", "microsoft.resources", "deployments"]:
        rest = "/".join(parts[4:])
        return Target(TargetKind.DEPLOYMENTS, subscription, parts[0], group, name=rest)
    if low[1] != "providers" or not parts[3:]:
        name = f"Microsoft.Resources/resourceGroups/{'/'.join(parts[1:])}"
        return Target(TargetKind.UNKNOWN, subscription, parts[0], group, name=name)
    return _parse_resource(modelled, group, parts[2], parts[3:])


def _parse_in_subscription(
    modelled: rt.ResourceTypes[rt.ResourceType], subscription: str, parts: list[str], low: list[str]
) -> Target:
    if not parts:
        return Target(TargetKind.PROVIDERS, subscription)
    if low[1:] in ([], ["register"]):
        return Target(TargetKind.PROVIDER, subscription, name=parts[0])
    if low[1] == "locations" and len(parts[4:]) == 1:
        kind = {
            "operations": TargetKind.OPERATION,
            "operationresults": TargetKind.OPERATION_RESULT,
        }.get(low[3])
        if kind is not None:
            return Target(kind, subscription, name=low[4], location=low[2])
    if parts[4:] and (low[0], low[1], low[3]) == _PUBLISHERS:
        rest = "/".join(parts[4:])
        return Target(TargetKind.IMAGES, subscription, name=rest, location=low[2])
    if low == ["microsoft.compute", "skus"]:
        return Target(TargetKind.SIZES, subscription, name="Microsoft.Compute/skus")
    if not parts[2:]:
        type_ = modelled.find(parts[0], (parts[1],))
        if type_ is not None:
            return Target(TargetKind.COLLECTION, subscription, type=type_, name=type_.type)
    return Target(TargetKind.UNKNOWN, subscription, name="/".join(parts))


def _parse_resource(
    modelled: rt.ResourceTypes[rt.ResourceType],
    group: ids.ResourceId,
    provider: str,
    parts: list[str],
) -> Target:
    types, names = tuple(parts[::2]), tuple(parts[1::2])
    type_ = modelled.find(provider, types)
    at = (group.subscription, group.resource_group)
    if type_ is None:
        owner = modelled.find(provider, types[:-1]) if len(parts) % 2 else None
        if owner is None and len(parts) in (4, 6):  # a part of a part: sharedkey/reset
            owner, part = modelled.find(provider, types[:-1]), "/".join(parts[-2:])
            names = names[:-1]
        else:
            part = parts[-1]
        if owner is None:
            return Target(TargetKind.UNKNOWN, *at, group, name="/".join((provider, *types)))
        return Target(TargetKind.PART, *at, _build_id(group, owner, names), owner, part.lower())
    if len(parts) % 2:
        parent = modelled[type_.parent] if type_.parent else None
        owner_id = _build_id(group, parent, names) if parent else group
        return Target(TargetKind.COLLECTION, *at, owner_id, type_, type_.type)
    return Target(TargetKind.ITEM, *at, _build_id(group, type_, names), type_)


def _build_id(
    group: ids.ResourceId, resource_type: rt.ResourceType, names: tuple[str, ...]
) -> ids.ResourceId:
    return ids.ResourceId(
        group.subscription, group.resource_group, resource_type.provider, resource_type.types, names
    )


def find_extension(parts: list[str]) -> int | None:
    """Return the index of the path part that begins an extension; None if there is none."""
    low = [part.lower() for part in parts]
    for at in range(len(low) - 2, 0, -1):
        if low[at - 1] == "providers" and low[at] in PROVIDERS and low[at + 1] != "register":
            return at
    return None


def resolve_extension_type(name: str) -> tuple[str, str]:
    """Return the type of an extension's path in lower case, and its name, if any."""
    provider, kind, *rest = name.split("/")
    return f"{provider}/{kind}".lower(), "/".join(rest)


def to_azure_spelling(type_: str) -> str:
    """Return a type as Azure spells it."""
    return _SPELLED.get(type_, type_)


def resolve_action(name: str, verb: str) -> str:
    """Return the RBAC action of a request; a policy check is a read, although a POST."""
    type_, _ = resolve_extension_type(name)
    return f"{to_azure_spelling(type_)}/{'read' if type_ == RESTRICTIONS else verb}"
