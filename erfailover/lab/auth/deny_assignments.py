"""Deny assignments: what ARM refuses although a role grants it.

Published (deny-assignments): only Azure makes them, for deployment stacks and managed applications,
so here a resource group's tag ``lab:deny`` represents one at the group: the denied actions,
separated by commas. It applies to every principal (the one of all zeroes); rows have the form of
REST spec authorization 2022-04-01. The message of the refusal was seen in public.
"""

from __future__ import annotations

from erfailover.lab.auth.rbac import Assignment
from erfailover.lab.core import ids
from erfailover.lab.core.errors import Refusal
from erfailover.lab.core.world import Body, World

TAG = "lab:deny"
EVERYBODY = "00000000-0000-0000-0000-000000000000"
NAME = "Deny assignment created by a deployment stack"


def list_assignments(world: World, scope: str) -> list[Body]:
    """Return the deny assignments that apply at a scope."""
    return [
        {
            "id": f"{assignment.scope}/providers/Microsoft.Authorization/denyAssignments/lab",
            "type": "Microsoft.Authorization/denyAssignments",
            "name": "lab",
            "properties": {
                "denyAssignmentName": NAME,
                "permissions": [
                    {
                        "actions": list(assignment.actions),
                        "notActions": [],
                        "dataActions": [],
                        "notDataActions": [],
                    }
                ],
                "scope": assignment.scope,
                "doNotApplyToChildScopes": False,
                "principals": [{"id": EVERYBODY, "type": "SystemDefined"}],
                "excludePrincipals": [],
                "isSystemProtected": True,
            },
        }
        for assignment in _read_assignments(world, scope)
    ]


def find_refusal(world: World, principal: str, action: str, scope: str) -> Refusal | None:
    """Return the refusal of a request; None if no deny assignment blocks it."""
    for assignment in _read_assignments(world, scope):
        if assignment.grants(action):
            return Refusal(
                403,
                "DenyAssignmentAuthorizationFailed",
                f"The client '{principal}' with object id '{principal}' has permission to perform "
                f"action '{action}' on scope '{scope}'; however, the access is denied because of "
                f"the deny assignment with name '{NAME}' and Id 'lab' at scope "
                f"'{assignment.scope}'.",
                headers={"x-ms-failure-cause": "gateway"},
            )
    return None


def _read_assignments(world: World, scope: str) -> list[Assignment]:
    """Return the denied actions of the group that contains a scope."""
    parts = scope.strip("/").split("/")
    if not parts[3:]:
        return []
    group = world.get(ids.to_key(f"/{'/'.join(parts[:4])}"))
    tags = (group.body.get("tags") or {}) if group is not None else {}
    actions = tuple(part.strip() for part in str(tags.get(TAG) or "").split(",") if part.strip())
    return [Assignment(str(group.body["id"]), actions)] if group is not None and actions else []
