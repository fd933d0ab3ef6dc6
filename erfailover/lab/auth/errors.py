"""ARM's refusals if rights, locks or policies forbid a request.

Owns those codes and messages; ``core.errors`` has all others. It decides nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from erfailover.lab.core.errors import Refusal

_GATEWAY = {"x-ms-failure-cause": "gateway"}


@dataclass(frozen=True, slots=True)
class Denial:
    """A policy assignment that denies a write, and its definition."""

    assignment: str
    assignment_id: str
    definition: str
    definition_id: str


def linked_forbidden(principal: str, action: str, scope: str, linked: str, to: str) -> Refusal:
    """Return the 403 for a write that names a resource which the client may not use.

    Seen in public (terraform's azurerm, the peering of a hub), word for word.
    """
    return Refusal(
        403,
        "LinkedAuthorizationFailed",
        f"The client '{principal}' with object id '{principal}' has permission to perform action "
        f"'{action}' on scope '{scope}'; however, it does not have permission to perform "
        f"action(s) '{linked}' on the linked scope(s) '{to}' (respectively) or the linked "
        "scope(s) are invalid.",
        headers=_GATEWAY,
    )


def linked_tenant_forbidden(action: str, scope: str, tenant: str, subscription: str) -> Refusal:
    """Return the 403 for a reference to another tenant without a token of that tenant.

    Reported, word for word, of peerings: terraform-provider-azurerm 4546, azure-cli 16691,
    azure-sdk-for-go 21891. The action is that on the linked resource, the scope the request's.
    """
    return Refusal(
        403,
        "LinkedAuthorizationFailed",
        f"The client has permission to perform action '{action}' on scope '{scope}', however the "
        f"current tenant '{tenant}' is not authorized to access linked subscription "
        f"'{subscription}'.",
        headers=_GATEWAY,
    )


def scope_locked(scope: str, verb: str, locked: Iterable[str]) -> Refusal:
    """Return the 409 for what a management lock forbids (recorded, of a resource group)."""
    return Refusal(
        409,
        "ScopeLocked",
        f"The scope '{scope}' cannot perform {verb} operation because following scope(s) are "
        f"locked: '{','.join(dict.fromkeys(locked))}'. Please remove the lock and try again.",
        headers=_GATEWAY,
    )


def lock_not_found(name: str) -> Refusal:
    """Return the 404 for a lock that does not exist (assumed message)."""
    return Refusal(404, "LockNotFound", f"The lock '{name}' could not be found.", headers=_GATEWAY)


def disallowed_by_policy(resource: str, denials: Sequence[Denial]) -> Refusal:
    """Return the 403 for a write that policies deny (recorded)."""
    identifiers = json.dumps(
        [
            {
                "policyAssignment": {"name": denial.assignment, "id": denial.assignment_id},
                "policyDefinition": {"name": denial.definition, "id": denial.definition_id},
            }
            for denial in denials
        ],
        separators=(",", ":"),
    )
    violations = [
        {
            "type": "PolicyViolation",
            "info": {
                "policyDefinitionId": denial.definition_id,
                "policyDefinitionName": denial.definition,
                "policyDefinitionEffect": "deny",
                "policyAssignmentId": denial.assignment_id,
                "policyAssignmentName": denial.assignment,
            },
        }
        for denial in denials
    ]
    return Refusal(
        403,
        "RequestDisallowedByPolicy",
        f"Resource '{resource}' was disallowed by policy. Policy identifiers: '{identifiers}'.",
        headers=_GATEWAY,
        more={"target": resource, "additionalInfo": violations},
    )


def policy_not_found(type_: str, name: str) -> Refusal:
    """Return the 404 for a missing definition or assignment (ARM's documented codes)."""
    kind = "Assignment" if type_.endswith("policyAssignments") else "Definition"
    return Refusal(
        404,
        f"Policy{kind}NotFound",
        f"The policy {kind.lower()} '{name}' is not found.",
        headers=_GATEWAY,
    )
