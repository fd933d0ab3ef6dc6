"""Providers that extend any scope: ``{scope}/providers/Microsoft.Authorization/...``; pure.

Owns their names, and which action of Azure RBAC a request to them is (published: resource
provider operations of Microsoft.Authorization, Microsoft.PolicyInsights, Microsoft.Insights).
"""

from __future__ import annotations

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

_SPELLED = {
    LOCKS: "Microsoft.Authorization/locks",
    PERMISSIONS: "Microsoft.Authorization/permissions",
    ASSIGNMENTS: "Microsoft.Authorization/policyAssignments",
    DEFINITIONS: "Microsoft.Authorization/policyDefinitions",
    RESTRICTIONS: "Microsoft.PolicyInsights/checkPolicyRestrictions",
    METRICS: "Microsoft.Insights/metrics",
}


def split(parts: list[str]) -> int | None:
    """Where in a path's parts an extension begins; None for a path without one."""
    low = [each.lower() for each in parts]
    for at in range(len(low) - 2, 0, -1):
        if low[at - 1] == "providers" and low[at] in PROVIDERS and low[at + 1] != "register":
            return at
    return None


def type_of(name: str) -> tuple[str, str]:
    """The type of what an extension's path names, in lower case, and its own name, if any."""
    provider, kind, *rest = name.split("/")
    return f"{provider}/{kind}".lower(), "/".join(rest)


def spelled(type_: str) -> str:
    """A type as Azure spells it."""
    return _SPELLED.get(type_, type_)


def action(name: str, verb: str) -> str:
    """The action that a request is; asking about policies is a read, although a POST."""
    type_, _ = type_of(name)
    return f"{spelled(type_)}/{'read' if type_ == RESTRICTIONS else verb}"
