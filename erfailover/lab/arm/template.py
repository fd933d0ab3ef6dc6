"""Deployment templates: the few functions that az uses in the ones it composes.

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


class NotModelledError(Exception):
    """An unmodelled element of a template; the text names it."""


class InvalidTemplateError(Exception):
    """An invalid template; the text is Azure's."""


@dataclass(frozen=True, slots=True)
class PlannedResource:
    """A resource of a template."""

    id: ids.ResourceId
    api_version: str
    body: Body
    depends_on: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TemplatePlan:
    """The resources of a template. ``shown`` is how the deployment presents its parameters."""

    resources: tuple[PlannedResource, ...]
    shown: Body


@dataclass(frozen=True, slots=True)
class ExpressionScope:
    """The values that expressions can access.

    ``reference`` gives a resource's properties by key; None while they are not known yet.
    """

    group: ids.ResourceId
    location: str
    parameters: Mapping[str, Any]
    variables: Mapping[str, Any]
    reference: Callable[[str], Any] | None = None


def read(properties: Body, group: ids.ResourceId, location: str) -> TemplatePlan:
    """Return the resources of a deployment; raise NotModelledError or InvalidTemplateError."""
    template, values = _split_properties(properties)
    scope = make_scope(properties, group, location)
    declared = template.get("parameters") or {}
    parameters: Body = {}
    for name, declaration in declared.items():
        kind = _read_parameter_type(name, declaration)
        parameters[name] = {"type": kind}
        if not kind.startswith("Secure"):
            parameters[name]["value"] = scope.parameters[name.lower()]
    unknown = [name for name in values if name.lower() not in {name.lower() for name in declared}]
    if unknown:
        raise InvalidTemplateError(
            f"The template parameters '{', '.join(unknown)}' in the parameters file are not valid; "
            "they are not present in the original template"
        )
    for name, output in (template.get("outputs") or {}).items():
        _read_parameter_type(name, output)
    value = template.get("resources")
    if not isinstance(value, list):
        raise NotModelledError("templates whose resources are no list")
    planned = [_plan_resource(scope, declaration) for declaration in value]
    keys = [ids.to_key(resource.id) for resource in planned]
    if len(set(keys)) < len(keys):
        raise InvalidTemplateError("the template defines one resource several times")
    return TemplatePlan(
        tuple(_link_dependencies(resource, planned) for resource in planned), parameters
    )


def evaluate_outputs(properties: Body, scope: ExpressionScope) -> Body:
    """Return the outputs of a deployment that has succeeded."""
    outputs: Body = {}
    for name, output in (_split_properties(properties)[0].get("outputs") or {}).items():
        kind = _read_parameter_type(name, output)
        outputs[name] = {"type": kind, "value": evaluate(output.get("value"), scope)}
    return outputs


def make_scope(
    properties: Body,
    group: ids.ResourceId,
    location: str,
    reference: Callable[[str], Any] | None = None,
) -> ExpressionScope:
    """Return the scope of a deployment's expressions."""
    template, arguments = _split_properties(properties)
    supplied = {name.lower(): value for name, value in arguments.items()}
    values: dict[str, Any] = {}
    bare = ExpressionScope(group, location, {}, {})
    for name, declaration in (template.get("parameters") or {}).items():
        argument = supplied.get(name.lower())
        if isinstance(argument, dict) and "value" in argument:
            values[name.lower()] = argument["value"]
        elif isinstance(argument, dict) and argument:
            raise NotModelledError("parameters that are references to secrets")
        elif isinstance(declaration, dict) and "defaultValue" in declaration:
            values[name.lower()] = evaluate(declaration["defaultValue"], bare)
        else:
            raise InvalidTemplateError(
                f"The value for the template parameter '{name}' is not provided"
            )
    variables: dict[str, Any] = {}
    scope = ExpressionScope(group, location, values, variables, reference)
    for name, value in (template.get("variables") or {}).items():
        variables[name.lower()] = evaluate(value, scope)
    return scope


def _split_properties(properties: Body) -> tuple[Body, Body]:
    for name in ("templateLink", "parametersLink", "onErrorDeployment"):
        if properties.get(name):
            raise NotModelledError(f"deployments with a {name}")
    mode = properties.get("mode")
    if str(mode).lower() != "incremental":
        raise NotModelledError(f"the deployment mode {mode}")
    template = properties.get("template")
    values = properties.get("parameters") or {}
    if not isinstance(template, dict) or not isinstance(values, dict):
        raise InvalidTemplateError("the template and its parameters must be objects")
    for section in template:
        if section.lower() not in _SECTIONS:
            raise NotModelledError(f"the template section {section}")
    for section in ("parameters", "variables", "outputs"):
        if not isinstance(template.get(section) or {}, dict):
            raise InvalidTemplateError(f"the section {section} must be an object")
    return template, values


def _read_parameter_type(name: str, declaration: object) -> str:
    kind = str(declaration.get("type")) if isinstance(declaration, dict) else ""
    for known_kind in PARAMETER_TYPES:
        if known_kind.lower() == kind.lower():
            return known_kind
    raise InvalidTemplateError(f"the type '{kind}' of '{name}' is not valid")


def _plan_resource(scope: ExpressionScope, resource: object) -> PlannedResource:
    if not isinstance(resource, dict):
        raise InvalidTemplateError("a resource of the template is no object")
    for key in resource:
        if key not in _WRITTEN | _NOT_WRITTEN:
            raise NotModelledError(f"{key} of a resource in a template")
    evaluated = evaluate(resource, scope)
    where = _build_id(scope.group, str(evaluated.get("type")), str(evaluated.get("name")))
    depends_on = evaluated.get("dependsOn") or []
    if not isinstance(depends_on, list):
        raise InvalidTemplateError("dependsOn must be a list")
    body = {key: value for key, value in evaluated.items() if key not in _NOT_WRITTEN}
    version = str(evaluated.get("apiVersion") or "")
    if not version:
        raise InvalidTemplateError(f"the resource '{where.name}' has no apiVersion")
    return PlannedResource(
        where, version, body, tuple(str(dependency) for dependency in depends_on)
    )


def _build_id(group: ids.ResourceId, type_: str, name: str) -> ids.ResourceId:
    provider = PROVIDERS.get(type_)
    if provider is None:
        raise NotModelledError(f"{type_} in a template")
    names = tuple(name.split("/"))
    if len(names) != len(provider.types) or not all(names):
        raise InvalidTemplateError(f"the name '{name}' does not fit the type '{type_}'")
    return ids.ResourceId(
        group.subscription, group.resource_group, provider.provider, provider.types, names
    )


def _link_dependencies(planned: PlannedResource, others: list[PlannedResource]) -> PlannedResource:
    keys: dict[str, str] = {}
    for other in others:
        key = ids.to_key(other.id)
        types, names = other.id.types, other.id.names
        path = "/".join(part for pair in zip(types, names, strict=True) for part in pair)
        for form in (key, f"{other.id.provider}/{path}", "/".join(names)):
            keys[form.lower().strip("/")] = key
    dependencies = []
    for text in planned.depends_on:
        key = keys.get(text.lower().strip("/"), "")
        if not key:
            raise InvalidTemplateError(f"The resource '{text}' is not defined in the template")
        dependencies.append(key)
    return PlannedResource(planned.id, planned.api_version, planned.body, tuple(dependencies))


def evaluate(value: Any, scope: ExpressionScope) -> Any:
    """Return a JSON value with every expression replaced by its value."""
    if isinstance(value, dict):
        return {key: evaluate(item, scope) for key, item in value.items()}
    if isinstance(value, list):
        return [evaluate(item, scope) for item in value]
    if not isinstance(value, str) or not (value.startswith("[") and value.endswith("]")):
        return value
    if value.startswith("[["):
        return value[1:]
    expression = _Expression(value[1:-1], scope)
    return expression.evaluate()


class _Expression:
    """An expression under evaluation: a call or a literal, with member accesses."""

    def __init__(self, text: str, scope: ExpressionScope) -> None:
        self._text = text
        self._scope = scope
        self._tokens = self._tokenize(text)
        self._next = 0

    @staticmethod
    def _tokenize(text: str) -> list[tuple[str, str]]:
        tokens, at = [], 0
        while text[at:].strip():
            match = _TOKEN.match(text, at)
            if match is None:
                raise InvalidTemplateError(f"the expression '{text}' cannot be read")
            string, number, name, mark = match.groups()
            if string is not None:
                tokens.append(("string", string.replace("''", "'")))
            else:
                kind = "number" if number else "name" if name else "mark"
                tokens.append((kind, number or name or mark))
            at = match.end()
        return tokens

    def evaluate(self) -> Any:
        """Return the value of the whole expression."""
        value = self._parse_value()
        if self._next != len(self._tokens):
            raise InvalidTemplateError(f"the expression '{self._text}' cannot be read")
        return value

    def _peek(self) -> str:
        kind, text = self._tokens[self._next] if self._next < len(self._tokens) else ("", "")
        return text if kind == "mark" else ""

    def _take(self) -> tuple[str, str]:
        if self._next >= len(self._tokens):
            raise InvalidTemplateError(f"the expression '{self._text}' ends too soon")
        self._next += 1
        return self._tokens[self._next - 1]

    def _expect(self, mark: str) -> None:
        if self._take() != ("mark", mark):
            raise InvalidTemplateError(f"'{mark}' was expected in the expression '{self._text}'")

    def _parse_value(self) -> Any:
        kind, text = self._take()
        if kind == "string":
            return text
        if kind == "number":
            return int(text)
        if kind != "name":
            raise InvalidTemplateError(f"the expression '{self._text}' cannot be read")
        self._expect("(")
        arguments = []
        while self._peek() != ")":
            arguments.append(self._parse_value())
            if self._peek() != ")":
                self._expect(",")
        self._expect(")")
        return self._pick_members(self._call(text, arguments))

    def _pick_members(self, value: Any) -> Any:
        while self._peek() == ".":
            self._take()
            _, name = self._take()
            if not isinstance(value, dict) or name not in value:
                raise InvalidTemplateError(f"the expression property '{name}' does not exist")
            value = value[name]
        if self._peek() == "[":
            raise NotModelledError(f"the expression {self._text}")
        return value

    def _call(self, name: str, arguments: list[Any]) -> Any:
        scope = self._scope
        match name.lower(), arguments:
            case ("parameters", [str(which)]) if which.lower() in scope.parameters:
                return scope.parameters[which.lower()]
            case ("variables", [str(which)]) if which.lower() in scope.variables:
                return scope.variables[which.lower()]
            case "concat", [*parts] if all(isinstance(part, str | int) for part in parts):
                return "".join(str(part) for part in parts)
            case "resourceid", [str(type_), *names] if "/" in type_:
                return str(_build_id(scope.group, type_, "/".join(str(part) for part in names)))
            case "resourcegroup", []:
                group = scope.group
                return {"id": str(group), "name": group.name, "location": scope.location}
            case "subscription", []:
                number = scope.group.subscription
                return {"id": f"/subscriptions/{number}", "subscriptionId": number}
            case ("reference", [str(which)]) if scope.reference is not None:
                return scope.reference(which)
            case "parameters" | "variables", _:
                raise InvalidTemplateError(
                    f"the expression '{self._text}' names nothing of the template"
                )
            case _:
                raise NotModelledError(f"the template function {name} in '{self._text}'")
