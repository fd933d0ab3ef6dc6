"""What the lab's client may do: its role assignments, and what ARM refuses without them.

Owns the assignments and the matching of actions. It decides nothing about locks or policies
(``locks``, ``policies``), and never looks at a resource's properties. At first the client is an
owner; a lab's own path limits it.

Published (role-definitions, overview of Azure RBAC): an assignment grants what its ``actions``
match and its ``notActions`` do not; assignments add up, each for its scope and what lies below;
``*`` stands for any characters, and case does not matter.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from erfailover.lab.core.world import Body


class RoleProblem(ValueError):
    """A role definition that is none."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """A role at a scope: ``/`` for everywhere, or the id of a subscription, group or resource."""

    scope: str
    actions: tuple[str, ...]
    not_actions: tuple[str, ...] = ()

    def covers(self, scope: str) -> bool:
        """Whether the assignment holds at a scope."""
        own = self.scope.rstrip("/").lower()
        return f"{scope.rstrip('/').lower()}/".startswith(f"{own}/")

    def grants(self, action: str) -> bool:
        """Whether the role allows an action."""
        return _any(self.actions, action) and not _any(self.not_actions, action)


OWNER = Assignment("/", ("*",))


@dataclass(frozen=True, slots=True)
class Eligibility:
    """A role that the client may activate in Privileged Identity Management, at a scope.

    Whoever makes an active one adds its assignment as well.
    """

    role: str
    scope: str
    active: bool = False

    def row(self, type_: str, principal: str) -> Body:
        """A schedule instance (published: REST spec authorization 2020-10-01, its examples)."""
        role = uuid.uuid5(uuid.NAMESPACE_URL, self.role)
        definition = f"/providers/Microsoft.Authorization/roleDefinitions/{role}"
        name = uuid.uuid5(role, f"{type_} {self.scope}")
        return {
            "id": f"{self.scope}/providers/{type_}/{name}",
            "name": str(name),
            "type": type_,
            "properties": {
                "scope": self.scope,
                "roleDefinitionId": definition,
                "principalId": principal,
                "principalType": "User",
                "memberType": "Direct",
                "status": "Provisioned",
                "expandedProperties": {
                    "roleDefinition": {
                        "id": definition,
                        "displayName": self.role,
                        "type": "BuiltInRole",
                    }
                },
            },
        }


@dataclass(slots=True)
class Access:
    """The role assignments of the lab's client, and the roles that it may activate."""

    assignments: tuple[Assignment, ...] = (OWNER,)
    eligible: tuple[Eligibility, ...] = ()

    def may(self, action: str, scope: str) -> bool:
        """Whether the client may do something at a scope."""
        return any(each.covers(scope) and each.grants(action) for each in self.assignments)

    def permissions(self, scope: str) -> list[Body]:
        """What ``Microsoft.Authorization/permissions`` lists at a scope: a row an assignment.

        Published: REST spec authorization 2022-04-01, ``Permissions_ListForResource``.
        """
        return [
            {
                "actions": list(each.actions),
                "notActions": list(each.not_actions),
                "dataActions": [],
                "notDataActions": [],
            }
            for each in self.assignments
            if each.covers(scope)
        ]

    def eligibilities(self, scope: str, principal: str, *, active: bool) -> list[Body]:
        """What is listed ``asTarget()`` at a scope: what holds there, and what is below it."""
        type_ = f"Microsoft.Authorization/role{'Assignment' if active else 'Eligibility'}"
        return [
            each.row(f"{type_}ScheduleInstances", principal)
            for each in self.eligible
            if each.active or not active
            if Assignment(each.scope, ()).covers(scope) or Assignment(scope, ()).covers(each.scope)
        ]


def read_roles(found: object) -> tuple[Assignment, ...]:
    """Assignments from role definitions in the form that ``az role definition create`` takes.

    Each is assigned at all of its ``AssignableScopes``.

    Raises:
        RoleProblem: naming what is wrong.
    """
    rows = found if isinstance(found, list) else [found]
    return tuple(assignment for row in rows for assignment in _assigned(row))


def _assigned(row: object) -> Iterable[Assignment]:
    if not isinstance(row, Mapping):
        raise RoleProblem(f"a role definition is a mapping, not {row!r}")
    actions, not_actions = _texts(row, "Actions"), _texts(row, "NotActions")
    scopes = _texts(row, "AssignableScopes")
    if not scopes or not all(each.startswith("/") for each in scopes):
        raise RoleProblem("AssignableScopes must name scopes, such as /subscriptions/...")
    return [Assignment(each, actions, not_actions) for each in scopes]


def _texts(row: Mapping[Any, Any], name: str) -> tuple[str, ...]:
    found = row.get(name, [])
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise RoleProblem(f"{name} must be a list of strings")
    return tuple(found)


def _any(patterns: Iterable[str], action: str) -> bool:
    return any(_pattern(each.lower()).fullmatch(action.lower()) for each in patterns)


@lru_cache(maxsize=1024)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, text.split("*"))))
