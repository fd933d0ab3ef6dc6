"""Deny assignments: what ARM refuses although a role grants it.

Published (deny-assignments): only Azure makes them, for deployment stacks and managed applications,
so here a resource group's tag ``lab:deny`` stands for one at the group: the actions that it denies,
divided by commas. It holds for everybody (the principal of all zeroes); rows have the form of REST
spec authorization 2022-04-01. The message of the refusal was seen in public.
"""

from __future__ import annotations

from erfailover.lab.auth.rbac import Assignment
from erfailover.lab.core import ids
from erfailover.lab.core.errors import Refusal
from erfailover.lab.core.world import Body, World

TAG = "lab:deny"
EVERYBODY = "00000000-0000-0000-0000-000000000000"
NAME = "Deny assignment created by a deployment stack"


def listed(world: World, scope: str) -> list[Body]:
    """Return the deny assignments that hold at a scope."""
    return [
        {
            "id": f"{each.scope}/providers/Microsoft.Authorization/denyAssignments/lab",
            "type": "Microsoft.Authorization/denyAssignments",
            "name": "lab",
            "properties": {
                "denyAssignmentName": NAME,
                "permissions": [
                    {
                        "actions": list(each.actions),
                        "notActions": [],
                        "dataActions": [],
                        "notDataActions": [],
                    }
                ],
                "scope": each.scope,
                "doNotApplyToChildScopes": False,
                "principals": [{"id": EVERYBODY, "type": "SystemDefined"}],
                "excludePrincipals": [],
                "isSystemProtected": True,
            },
        }
        for each in _at(world, scope)
    ]


def refused(world: World, principal: str, action: str, scope: str) -> Refusal | None:
    """Return why a request is refused; None if no deny assignment is in its way."""
    for each in _at(world, scope):
        if each.grants(action):
            return Refusal(
                403,
                "DenyAssignmentAuthorizationFailed",
                f"The client '{principal}' with object id '{principal}' has permission to perform "
                f"action '{action}' on scope '{scope}'; however, the access is denied because of "
                f"the deny assignment with name '{NAME}' and Id 'lab' at scope '{each.scope}'.",
                headers={"x-ms-failure-cause": "gateway"},
            )
    return None


def _at(world: World, scope: str) -> list[Assignment]:
    """The deny assignment of the group that a scope lies in, as the actions that it takes away."""
    parts = scope.strip("/").split("/")
    if len(parts) < 4:
        return []
    group = world.get(ids.key(f"/{'/'.join(parts[:4])}"))
    tags = (group.body.get("tags") or {}) if group is not None else {}
    actions = tuple(each.strip() for each in str(tags.get(TAG) or "").split(",") if each.strip())
    return [Assignment(str(group.body["id"]), actions)] if group is not None and actions else []
