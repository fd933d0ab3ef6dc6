"""Evaluation of policy rules against a resource; pure.

Owns the part of the policy language that is modelled: ``allOf``, ``anyOf``, ``not``, and ``field``
with ``equals``, ``notEquals``, ``in``, ``notIn``, ``like``, ``exists`` and their parameters
(published: policy definition structure). A rule with anything else is refused when it is written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from erfailover.lab.core.world import Body

_PARAMETER = re.compile(r"\[parameters\('([^']+)'\)\]")


class RuleError(ValueError):
    """A rule that uses an unmodelled part of the policy language."""


def matches(rule: Any, resource: Body, parameters: Mapping[str, Any]) -> bool:
    """Return whether the ``if`` of a rule matches a resource.

    Args:
        rule: the ``if`` of the rule, or a part of it.
        resource: ``type``, ``name``, ``location``, ``tags`` and ``properties``.
        parameters: the values of the parameters.

    Raises:
        RuleProblem: the rule uses what is not modelled.
    """
    if not isinstance(rule, Mapping):
        raise RuleError(f"the condition {rule!r}")
    if "allOf" in rule:
        return all([matches(part, resource, parameters) for part in rule["allOf"]])
    if "anyOf" in rule:
        return any([matches(part, resource, parameters) for part in rule["anyOf"]])
    if "not" in rule:
        return not matches(rule["not"], resource, parameters)
    operators = [key for key in rule if key != "field"]
    if "field" not in rule or len(operators) != 1 or operators[0] not in _OPERATORS:
        raise RuleError(f"the condition {sorted(rule)}")
    value = _read_field(str(rule["field"]), resource)
    return _OPERATORS[operators[0]](value, resolve_value(rule[operators[0]], parameters))


def resolve_value(value: Any, parameters: Mapping[str, Any]) -> Any:
    """Return a value with the parameter that it names filled in.

    Raises:
        RuleProblem: an expression other than ``[parameters('name')]``, or no such parameter.
    """
    if not isinstance(value, str) or not value.startswith("["):
        return value
    match = _PARAMETER.fullmatch(value)
    if match is None or match[1] not in parameters:
        raise RuleError(f"the expression {value}")
    return parameters[match[1]]


def _read_field(name: str, resource: Body) -> Any:
    if name in ("type", "name", "location", "id"):
        return resource.get(name)
    type_ = str(resource.get("type", ""))
    if "/" not in name:
        raise RuleError(f"the field {name}")
    if not name.lower().startswith(f"{type_.lower()}/"):
        return None  # the alias of another type
    value: Any = resource.get("properties")
    for part in name[len(type_) + 1 :].split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _to_word(value: Any) -> str:
    return str(value).lower()


def _matches_exists(value: Any, expected: Any) -> bool:
    return (value is not None) is (_to_word(expected) == "true")


def _is_in(value: Any, expected: Any) -> bool:
    return _to_word(value) in [_to_word(value) for value in expected]


_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "equals": lambda value, expected: _to_word(value) == _to_word(expected),
    "notEquals": lambda value, expected: _to_word(value) != _to_word(expected),
    "in": _is_in,
    "notIn": lambda value, expected: not _is_in(value, expected),
    "like": lambda value, expected: fnmatchcase(_to_word(value), _to_word(expected)),
    "exists": _matches_exists,
}
