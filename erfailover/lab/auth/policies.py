"""Azure Policy: custom definitions, assignments, denials, and checks of what they would deny.

Owns the policies. Only the effect ``deny`` does anything; ``audit`` and ``disabled`` are kept,
every other one is not modelled. Published: REST specs resources (policyDefinitions and
policyAssignments, 2023-04-01) and policyinsights (checkPolicyRestrictions, 2023-03-01); the
refusal is recorded (azure-cli issue 8058).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from erfailover.lab.auth import errors as auth_errors
from erfailover.lab.auth import policy_rules
from erfailover.lab.auth.errors import Denial
from erfailover.lab.auth.policy_rules import RuleError
from erfailover.lab.core import arm_url, errors
from erfailover.lab.core.errors import Refusal, RefusalError
from erfailover.lab.core.protocol import Answer, Request, parse_body
from erfailover.lab.core.world import Body

EFFECTS = frozenset({"deny", "audit", "disabled"})


@dataclass(slots=True)
class Policies:
    """Definitions and assignments, by their ids in lower case."""

    definitions: dict[str, Body] = field(default_factory=dict)
    assignments: dict[str, Body] = field(default_factory=dict)

    def find_refusal(self, scope: str, resource: Body) -> Refusal | None:
        """Return the refusal of a write; None if no policy denies it."""
        denials = list(self._find_denials(scope, resource))
        return auth_errors.disallowed_by_policy(str(resource["name"]), denials) if denials else None

    def handle(self, request: Request, scope: str, name: str) -> Answer:
        """Answer a request for a definition, an assignment, a list of them, or a policy check."""
        type_, own = arm_url.resolve_extension_type(name)
        if type_ == arm_url.RESTRICTIONS and request.method == "POST" and not own:
            return self._check_restrictions(request, scope)
        if type_ == arm_url.RESTRICTIONS:
            raise RefusalError(
                errors.method_not_allowed(request.method, arm_url.to_azure_spelling(type_))
            )
        store = self.definitions if type_ == arm_url.DEFINITIONS else self.assignments
        item_id = f"{scope}/providers/{arm_url.to_azure_spelling(type_)}/{own}"
        if not own:
            return self._list(request, scope, type_)
        key = item_id.lower()
        match request.method:
            case "PUT":
                exists = key in store
                store[key] = self._read(request, scope, type_, item_id)
                return Answer(200 if exists else 201, store[key])
            case "GET" if key in store:
                return Answer(200, store[key])
            case "GET":
                raise RefusalError(
                    auth_errors.policy_not_found(arm_url.to_azure_spelling(type_), own)
                )
            case "DELETE":
                gone = store.pop(key, None)
                return Answer(200, gone) if gone else Answer(204)
            case _:
                raise RefusalError(
                    errors.method_not_allowed(request.method, arm_url.to_azure_spelling(type_))
                )

    def _list(self, request: Request, scope: str, type_: str) -> Answer:
        if request.method != "GET":
            raise RefusalError(
                errors.method_not_allowed(request.method, arm_url.to_azure_spelling(type_))
            )
        if type_ == arm_url.DEFINITIONS:
            rows = list(self.definitions.values())
            return Answer(200, {"value": [row for row in rows if _covers(row, scope)]})
        chosen = request.query.get("$filter", "")
        if chosen not in ("", "atScope()"):
            raise RefusalError(errors.not_modelled(f"the filter {chosen}"))
        rows = [
            assignment
            for assignment in self.assignments.values()
            if _covers(assignment, scope) or (not chosen and _is_below(assignment, scope))
        ]
        return Answer(200, {"value": rows})

    def _read(self, request: Request, scope: str, type_: str, item_id: str) -> Body:
        properties = parse_body(request).get("properties")
        if not isinstance(properties, dict):
            raise RefusalError(errors.property_missing("properties", item_id))
        item: Body = {
            "id": item_id,
            "type": arm_url.to_azure_spelling(type_),
            "name": item_id.rsplit("/", 1)[1],
            "properties": dict(properties),
        }
        try:
            if type_ == arm_url.DEFINITIONS:
                _check_rule(properties)
            else:
                item["properties"] |= {
                    "scope": scope,
                    "enforcementMode": properties.get("enforcementMode", "Default"),
                }
                self._require_definition(item)
        except RuleError as problem:
            raise RefusalError(errors.not_modelled(f"{problem} of a policy")) from None
        except (TypeError, AttributeError, KeyError, IndexError):
            raise RefusalError(errors.format_invalid("the properties of a policy")) from None
        return item

    def _require_definition(self, assignment: Body) -> None:
        definition_id = str(assignment["properties"].get("policyDefinitionId", ""))
        definition = self.definitions.get(definition_id.lower())
        if definition is None:
            raise RefusalError(auth_errors.policy_not_found("policyDefinitions", definition_id))
        parameters = _merge_parameters(definition, assignment)
        policy_rules.resolve_value(
            definition["properties"]["policyRule"]["then"]["effect"], parameters
        )

    def _check_restrictions(self, request: Request, scope: str) -> Answer:
        """Return the restrictions that policies would impose on a resource to be written."""
        details = parse_body(request).get("resourceDetails")
        content = details.get("resourceContent") if isinstance(details, dict) else None
        if not isinstance(details, dict) or not isinstance(content, dict) or "type" not in content:
            raise RefusalError(errors.format_invalid("resourceDetails.resourceContent with a type"))
        resource = {"name": "", **content}
        denials = self._find_denials(str(details.get("scope") or scope), resource)
        return Answer(
            200,
            {
                "fieldRestrictions": [],
                "contentEvaluationResult": {
                    "policyEvaluations": [
                        {
                            "policyInfo": {
                                "policyDefinitionId": denial.definition_id,
                                "policyAssignmentId": denial.assignment_id,
                            },
                            "evaluationResult": "NonCompliant",
                            "effectDetails": {"policyEffect": "Deny"},
                        }
                        for denial in denials
                    ]
                },
            },
        )

    def _find_denials(self, scope: str, resource: Body) -> Iterator[Denial]:
        for assignment in self.assignments.values():
            inner = assignment["properties"]
            definition = self.definitions.get(str(inner["policyDefinitionId"]).lower())
            if definition is None or inner["enforcementMode"] != "Default":
                continue
            if not _covers(assignment, scope):
                continue
            rule, parameters = (
                definition["properties"]["policyRule"],
                _merge_parameters(definition, assignment),
            )
            effect = str(policy_rules.resolve_value(rule["then"]["effect"], parameters)).lower()
            if effect == "deny" and policy_rules.matches(rule["if"], resource, parameters):
                yield Denial(
                    assignment["name"], assignment["id"], definition["name"], definition["id"]
                )


def _check_rule(properties: Mapping[str, Any]) -> None:
    rule = properties.get("policyRule")
    then = rule.get("then") if isinstance(rule, dict) else None
    if not isinstance(rule, dict) or not isinstance(then, dict) or "if" not in rule:
        raise RuleError("the rule")
    defaults = {
        name: parameter.get("defaultValue", "")
        for name, parameter in (properties.get("parameters") or {}).items()
    }
    effect = str(policy_rules.resolve_value(then.get("effect"), defaults)).lower()
    if effect and effect not in EFFECTS:
        raise RuleError(f"the effect {effect}")
    policy_rules.matches(rule["if"], {"type": "", "name": ""}, defaults)


def _merge_parameters(definition: Body, assignment: Body) -> dict[str, Any]:
    declared = definition["properties"].get("parameters") or {}
    values = assignment["properties"].get("parameters") or {}
    return {
        name: values[name]["value"] if name in values else parameter.get("defaultValue")
        for name, parameter in declared.items()
    }


def _read_owner(item: Body) -> str:
    return str(item["id"]).lower().rsplit("/providers/microsoft.authorization/", 1)[0]


def _covers(item: Body, scope: str) -> bool:
    return f"{scope.rstrip('/').lower()}/".startswith(f"{_read_owner(item)}/")


def _is_below(item: Body, scope: str) -> bool:
    return f"{_read_owner(item)}/".startswith(f"{scope.rstrip('/').lower()}/")
