"""The client's role assignments, and what ARM refuses without them.

Owns the assignments and the matching of actions. It decides nothing about locks or policies
(``locks``, ``policies``), and never reads a resource's properties. By default the client is an
owner; a lab's own path limits it.

Published (role-definitions, overview of Azure RBAC): an assignment grants what its ``actions``
match and its ``notActions`` do not; assignments add up, each for its scope and what lies below;
``*`` matches any characters, and case does not matter.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from erfailover.lab.core.world import Body


class RoleError(ValueError):
    """A malformed role definition."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """A role at a scope: ``/`` for everywhere, or the id of a subscription, group or resource."""

    scope: str
    actions: tuple[str, ...]
    not_actions: tuple[str, ...] = ()

    def covers(self, scope: str) -> bool:
        """Return whether the assignment applies at a scope."""
        own = self.scope.rstrip("/").lower()
        return f"{scope.rstrip('/').lower()}/".startswith(f"{own}/")

    def grants(self, action: str) -> bool:
        """Return whether the role allows an action."""
        return _matches_any(self.actions, action) and not _matches_any(self.not_actions, action)


OWNER = Assignment("/", ("*",))


@dataclass(frozen=True, slots=True)
class Eligibility:
    """A role that the client may activate in Privileged Identity Management, at a scope.

    The creator of an active one also adds its assignment.
    """

    role: str
    scope: str
    active: bool = False

    def to_row(self, type_: str, principal: str) -> Body:
        """Return the schedule instance (REST spec authorization 2020-10-01, its examples)."""
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

    def is_allowed(self, action: str, scope: str) -> bool:
        """Return whether the client may perform an action at a scope."""
        return any(
            assignment.covers(scope) and assignment.grants(action)
            for assignment in self.assignments
        )

    def list_permissions(self, scope: str) -> list[Body]:
        """Return the rows of ``Microsoft.Authorization/permissions``: one for each assignment.

        Published: REST spec authorization 2022-04-01, ``Permissions_ListForResource``.
        """
        return [
            {
                "actions": list(assignment.actions),
                "notActions": list(assignment.not_actions),
                "dataActions": [],
                "notDataActions": [],
            }
            for assignment in self.assignments
            if assignment.covers(scope)
        ]

    def list_eligibilities(self, scope: str, principal: str, *, active: bool) -> list[Body]:
        """Return the ``asTarget()`` rows of a scope: those that apply there or below."""
        type_ = f"Microsoft.Authorization/role{'Assignment' if active else 'Eligibility'}"
        return [
            eligibility.to_row(f"{type_}ScheduleInstances", principal)
            for eligibility in self.eligible
            if eligibility.active or not active
            if Assignment(eligibility.scope, ()).covers(scope)
            or Assignment(scope, ()).covers(eligibility.scope)
        ]


def read_roles(definitions: object) -> tuple[Assignment, ...]:
    """Parse role definitions in the format of ``az role definition create``.

    Each is assigned at all of its ``AssignableScopes``.

    Raises:
        RoleProblem: naming what is wrong.
    """
    rows = definitions if isinstance(definitions, list) else [definitions]
    return tuple(assignment for row in rows for assignment in _read_assignments(row))


def _read_assignments(row: object) -> Iterable[Assignment]:
    if not isinstance(row, Mapping):
        raise RoleError(f"a role definition must be a JSON object, not {row!r}")
    actions, not_actions = _read_texts(row, "Actions"), _read_texts(row, "NotActions")
    scopes = _read_texts(row, "AssignableScopes")
    if not scopes or not all(scope.startswith("/") for scope in scopes):
        raise RoleError("AssignableScopes must list scopes, such as /subscriptions/...")
    return [Assignment(scope, actions, not_actions) for scope in scopes]


def _read_texts(row: Mapping[Any, Any], name: str) -> tuple[str, ...]:
    texts = row.get(name, [])
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise RoleError(f"{name} must be a list of strings")
    return tuple(texts)


def _matches_any(patterns: Iterable[str], action: str) -> bool:
    return any(_compile_pattern(pattern.lower()).fullmatch(action.lower()) for pattern in patterns)


@lru_cache(maxsize=1024)
def _compile_pattern(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, text.split("*"))))
