"""Whether a policy's rule matches a resource; pure.

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


class RuleProblem(ValueError):
    """A rule that uses what is not modelled."""


def matches(rule: Any, resource: Body, parameters: Mapping[str, Any]) -> bool:
    """Whether the ``if`` of a rule matches a resource.

    Args:
        rule: the ``if`` of the rule, or a part of it.
        resource: ``type``, ``name``, ``location``, ``tags`` and ``properties``.
        parameters: the values of the parameters.

    Raises:
        RuleProblem: the rule uses what is not modelled.
    """
    if not isinstance(rule, Mapping):
        raise RuleProblem(f"the condition {rule!r}")
    if "allOf" in rule:
        return all([matches(each, resource, parameters) for each in rule["allOf"]])
    if "anyOf" in rule:
        return any([matches(each, resource, parameters) for each in rule["anyOf"]])
    if "not" in rule:
        return not matches(rule["not"], resource, parameters)
    operators = [each for each in rule if each != "field"]
    if "field" not in rule or len(operators) != 1 or operators[0] not in _OPERATORS:
        raise RuleProblem(f"the condition {sorted(rule)}")
    seen = _field(str(rule["field"]), resource)
    return _OPERATORS[operators[0]](seen, resolved(rule[operators[0]], parameters))


def resolved(value: Any, parameters: Mapping[str, Any]) -> Any:
    """A value with the parameter that it names put in.

    Raises:
        RuleProblem: an expression other than ``[parameters('name')]``, or no such parameter.
    """
    if not isinstance(value, str) or not value.startswith("["):
        return value
    found = _PARAMETER.fullmatch(value)
    if found is None or found[1] not in parameters:
        raise RuleProblem(f"the expression {value}")
    return parameters[found[1]]


def _field(name: str, resource: Body) -> Any:
    if name in ("type", "name", "location", "id"):
        return resource.get(name)
    type_ = str(resource.get("type", ""))
    if "/" not in name:
        raise RuleProblem(f"the field {name}")
    if not name.lower().startswith(f"{type_.lower()}/"):
        return None  # the alias of another type
    found: Any = resource.get("properties")
    for part in name[len(type_) + 1 :].split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _word(value: Any) -> str:
    return str(value).lower()


def _exists(seen: Any, wanted: Any) -> bool:
    return (seen is not None) is (_word(wanted) == "true")


def _in(seen: Any, wanted: Any) -> bool:
    return _word(seen) in [_word(each) for each in wanted]


_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "equals": lambda seen, wanted: _word(seen) == _word(wanted),
    "notEquals": lambda seen, wanted: _word(seen) != _word(wanted),
    "in": _in,
    "notIn": lambda seen, wanted: not _in(seen, wanted),
    "like": lambda seen, wanted: fnmatchcase(_word(seen), _word(wanted)),
    "exists": _exists,
}
