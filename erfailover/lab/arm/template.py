"""Deployment templates: the few functions that az uses in those it composes.

Owns the taking apart of a template into the resources it names, in words of the lab; pure.
What it does not know it refuses by name; it must never guess a value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from erfailover.lab.core import ids
from erfailover.lab.core.world import Body
from erfailover.lab.providers.registry import PROVIDERS

PARAMETER_TYPES = ("String", "SecureString", "Int", "Bool", "Object", "SecureObject", "Array")
"""The types of parameters, as deployments show them."""
_SECTIONS = frozenset(
    {"$schema", "contentversion", "parameters", "variables", "resources", "outputs", "metadata"}
)
_NOT_WRITTEN = frozenset({"type", "name", "apiVersion", "dependsOn", "comments"})
_WRITTEN = frozenset({"location", "tags", "properties", "sku", "zones", "identity", "plan"})
"""The keys of a resource that the lab reads, and those that it writes as they are."""
_TOKEN = re.compile(r"\s*(?:'((?:[^']|'')*)'|(-?\d+)|([A-Za-z_][A-Za-z0-9_]*)|([()\[\],.]))")


class NotModelled(Exception):
    """The template holds something that the lab does not model; the text names it."""


class Invalid(Exception):
    """The template is wrong, as Azure would say."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One resource of a template. ``depends_on`` are keys of others; ``body`` is what to PUT."""

    id: ids.ResourceId
    api_version: str
    body: Body
    depends_on: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a template asks for. ``shown`` is how the deployment shows its parameters."""

    resources: tuple[Planned, ...]
    shown: Body


@dataclass(frozen=True, slots=True)
class Scope:
    """What expressions may look at.

    ``reference`` gives a resource's properties by key; None while they are not known yet.
    """

    group: ids.ResourceId
    location: str
    parameters: Mapping[str, Any]
    variables: Mapping[str, Any]
    reference: Callable[[str], Any] | None = None


def read(properties: Body, group: ids.ResourceId, location: str) -> Plan:
    """The resources that a deployment's properties ask for; raises NotModelled or Invalid."""
    template, given = _parts(properties)
    scope = scope_of(properties, group, location)
    declared = template.get("parameters") or {}
    shown: Body = {}
    for name, declaration in declared.items():
        kind = _parameter_type(name, declaration)
        shown[name] = {"type": kind}
        if not kind.startswith("Secure"):
            shown[name]["value"] = scope.parameters[name.lower()]
    unknown = [name for name in given if name.lower() not in {each.lower() for each in declared}]
    if unknown:
        raise Invalid(
            f"The template parameters '{', '.join(unknown)}' in the parameters file are not valid; "
            "they are not present in the original template"
        )
    for name, each in (template.get("outputs") or {}).items():
        _parameter_type(name, each)
    listed = template.get("resources")
    if not isinstance(listed, list):
        raise NotModelled("templates whose resources are no list")
    planned = [_planned(scope, each) for each in listed]
    keys = [ids.key(each.id) for each in planned]
    if len(set(keys)) < len(keys):
        raise Invalid("the template defines one resource several times")
    return Plan(tuple(_linked(each, planned) for each in planned), shown)


def outputs(properties: Body, scope: Scope) -> Body:
    """The outputs of a deployment that has succeeded."""
    found: Body = {}
    for name, each in (_parts(properties)[0].get("outputs") or {}).items():
        kind = _parameter_type(name, each)
        found[name] = {"type": kind, "value": evaluate(each.get("value"), scope)}
    return found


def scope_of(
    properties: Body,
    group: ids.ResourceId,
    location: str,
    reference: Callable[[str], Any] | None = None,
) -> Scope:
    """What the expressions of a deployment may look at."""
    template, given = _parts(properties)
    supplied = {name.lower(): value for name, value in given.items()}
    values: dict[str, Any] = {}
    bare = Scope(group, location, {}, {})
    for name, declaration in (template.get("parameters") or {}).items():
        each = supplied.get(name.lower())
        if isinstance(each, dict) and "value" in each:
            values[name.lower()] = each["value"]
        elif isinstance(each, dict) and each:
            raise NotModelled("parameters that are references to secrets")
        elif isinstance(declaration, dict) and "defaultValue" in declaration:
            values[name.lower()] = evaluate(declaration["defaultValue"], bare)
        else:
            raise Invalid(f"The value for the template parameter '{name}' is not provided")
    variables: dict[str, Any] = {}
    scope = Scope(group, location, values, variables, reference)
    for name, value in (template.get("variables") or {}).items():
        variables[name.lower()] = evaluate(value, scope)
    return scope


def _parts(properties: Body) -> tuple[Body, Body]:
    for name in ("templateLink", "parametersLink", "onErrorDeployment"):
        if properties.get(name):
            raise NotModelled(f"deployments with a {name}")
    mode = properties.get("mode")
    if str(mode).lower() != "incremental":
        raise NotModelled(f"the deployment mode {mode}")
    template = properties.get("template")
    given = properties.get("parameters") or {}
    if not isinstance(template, dict) or not isinstance(given, dict):
        raise Invalid("the template and its parameters must be objects")
    for section in template:
        if section.lower() not in _SECTIONS:
            raise NotModelled(f"the template section {section}")
    for section in ("parameters", "variables", "outputs"):
        if not isinstance(template.get(section) or {}, dict):
            raise Invalid(f"the section {section} must be an object")
    return template, given


def _parameter_type(name: str, declaration: object) -> str:
    kind = str(declaration.get("type")) if isinstance(declaration, dict) else ""
    for each in PARAMETER_TYPES:
        if each.lower() == kind.lower():
            return each
    raise Invalid(f"the type '{kind}' of '{name}' is not valid")


def _planned(scope: Scope, resource: object) -> Planned:
    if not isinstance(resource, dict):
        raise Invalid("a resource of the template is no object")
    for key in resource:
        if key not in _WRITTEN | _NOT_WRITTEN:
            raise NotModelled(f"{key} of a resource in a template")
    found = evaluate(resource, scope)
    where = _id(scope.group, str(found.get("type")), str(found.get("name")))
    depends_on = found.get("dependsOn") or []
    if not isinstance(depends_on, list):
        raise Invalid("dependsOn must be a list")
    body = {key: value for key, value in found.items() if key not in _NOT_WRITTEN}
    version = str(found.get("apiVersion") or "")
    if not version:
        raise Invalid(f"the resource '{where.name}' has no apiVersion")
    return Planned(where, version, body, tuple(str(each) for each in depends_on))


def _id(group: ids.ResourceId, type_: str, name: str) -> ids.ResourceId:
    known = PROVIDERS.get(type_)
    if known is None:
        raise NotModelled(f"{type_} in a template")
    names = tuple(name.split("/"))
    if len(names) != len(known.types) or not all(names):
        raise Invalid(f"the name '{name}' does not fit the type '{type_}'")
    return ids.ResourceId(
        group.subscription, group.resource_group, known.provider, known.types, names
    )


def _linked(planned: Planned, others: list[Planned]) -> Planned:
    known: dict[str, str] = {}
    for each in others:
        key = ids.key(each.id)
        types, names = each.id.types, each.id.names
        path = "/".join(part for pair in zip(types, names, strict=True) for part in pair)
        for form in (key, f"{each.id.provider}/{path}", "/".join(names)):
            known[form.lower().strip("/")] = key
    found = []
    for text in planned.depends_on:
        key = known.get(text.lower().strip("/"), "")
        if not key:
            raise Invalid(f"The resource '{text}' is not defined in the template")
        found.append(key)
    return Planned(planned.id, planned.api_version, planned.body, tuple(found))


def evaluate(value: Any, scope: Scope) -> Any:
    """A JSON value with every expression in it replaced by what it stands for."""
    if isinstance(value, dict):
        return {key: evaluate(each, scope) for key, each in value.items()}
    if isinstance(value, list):
        return [evaluate(each, scope) for each in value]
    if not isinstance(value, str) or not (value.startswith("[") and value.endswith("]")):
        return value
    if value.startswith("[["):
        return value[1:]
    expression = _Expression(value[1:-1], scope)
    return expression.whole()


class _Expression:
    """One expression under evaluation: a call or a literal, with what is picked out of it."""

    def __init__(self, text: str, scope: Scope) -> None:
        self._text = text
        self._scope = scope
        self._tokens = self._split(text)
        self._next = 0

    @staticmethod
    def _split(text: str) -> list[tuple[str, str]]:
        found, at = [], 0
        while text[at:].strip():
            match = _TOKEN.match(text, at)
            if match is None:
                raise Invalid(f"the expression '{text}' cannot be read")
            string, number, name, mark = match.groups()
            if string is not None:
                found.append(("string", string.replace("''", "'")))
            else:
                kind = "number" if number else "name" if name else "mark"
                found.append((kind, number or name or mark))
            at = match.end()
        return found

    def whole(self) -> Any:
        """The value of all of it."""
        value = self._value()
        if self._next != len(self._tokens):
            raise Invalid(f"the expression '{self._text}' cannot be read")
        return value

    def _peek(self) -> str:
        kind, text = self._tokens[self._next] if self._next < len(self._tokens) else ("", "")
        return text if kind == "mark" else ""

    def _take(self) -> tuple[str, str]:
        if self._next >= len(self._tokens):
            raise Invalid(f"the expression '{self._text}' ends too soon")
        self._next += 1
        return self._tokens[self._next - 1]

    def _expect(self, mark: str) -> None:
        if self._take() != ("mark", mark):
            raise Invalid(f"'{mark}' was expected in the expression '{self._text}'")

    def _value(self) -> Any:
        kind, text = self._take()
        if kind == "string":
            return text
        if kind == "number":
            return int(text)
        if kind != "name":
            raise Invalid(f"the expression '{self._text}' cannot be read")
        self._expect("(")
        arguments = []
        while self._peek() != ")":
            arguments.append(self._value())
            if self._peek() != ")":
                self._expect(",")
        self._expect(")")
        return self._picked(self._call(text, arguments))

    def _picked(self, value: Any) -> Any:
        while self._peek() == ".":
            self._take()
            _, name = self._take()
            if not isinstance(value, dict) or name not in value:
                raise Invalid(f"the expression property '{name}' does not exist")
            value = value[name]
        if self._peek() == "[":
            raise NotModelled(f"the expression {self._text}")
        return value

    def _call(self, name: str, arguments: list[Any]) -> Any:
        scope = self._scope
        match name.lower(), arguments:
            case ("parameters", [str(which)]) if which.lower() in scope.parameters:
                return scope.parameters[which.lower()]
            case ("variables", [str(which)]) if which.lower() in scope.variables:
                return scope.variables[which.lower()]
            case "concat", [*parts] if all(isinstance(each, str | int) for each in parts):
                return "".join(str(each) for each in parts)
            case "resourceid", [str(type_), *names] if "/" in type_:
                return str(_id(scope.group, type_, "/".join(str(each) for each in names)))
            case "resourcegroup", []:
                group = scope.group
                return {"id": str(group), "name": group.name, "location": scope.location}
            case "subscription", []:
                number = scope.group.subscription
                return {"id": f"/subscriptions/{number}", "subscriptionId": number}
            case ("reference", [str(which)]) if scope.reference is not None:
                return scope.reference(which)
            case "parameters" | "variables", _:
                raise Invalid(f"the expression '{self._text}' names nothing of the template")
            case _:
                raise NotModelled(f"the template function {name} in '{self._text}'")
