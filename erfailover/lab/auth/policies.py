"""Azure Policy: custom definitions, assignments, what they deny, and the question what they would.

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
from erfailover.lab.auth.policy_rules import RuleProblem
from erfailover.lab.core import arm_url, errors
from erfailover.lab.core.errors import Refusal, Refused
from erfailover.lab.core.protocol import Answer, Request, parse_body
from erfailover.lab.core.world import Body

EFFECTS = frozenset({"deny", "audit", "disabled"})


@dataclass(slots=True)
class Policies:
    """Definitions and assignments, by their ids in lower case."""

    definitions: dict[str, Body] = field(default_factory=dict)
    assignments: dict[str, Body] = field(default_factory=dict)

    def refused(self, scope: str, resource: Body) -> Refusal | None:
        """Why a write of a resource is refused; None where no policy denies it."""
        found = list(self._denials(scope, resource))
        return auth_errors.disallowed_by_policy(str(resource["name"]), found) if found else None

    def handle(self, request: Request, scope: str, name: str) -> Answer:
        """A request to a definition, an assignment, a list of them, or the question."""
        type_, own = arm_url.type_of(name)
        if type_ == arm_url.RESTRICTIONS and request.method == "POST" and not own:
            return self._check(request, scope)
        if type_ == arm_url.RESTRICTIONS:
            raise Refused(errors.method_not_allowed(request.method, arm_url.spelled(type_)))
        store = self.definitions if type_ == arm_url.DEFINITIONS else self.assignments
        item_id = f"{scope}/providers/{arm_url.spelled(type_)}/{own}"
        if not own:
            return self._list(request, scope, type_)
        key = item_id.lower()
        match request.method:
            case "PUT":
                known = key in store
                store[key] = self._read(request, scope, type_, item_id)
                return Answer(200 if known else 201, store[key])
            case "GET" if key in store:
                return Answer(200, store[key])
            case "GET":
                raise Refused(auth_errors.policy_not_found(arm_url.spelled(type_), own))
            case "DELETE":
                gone = store.pop(key, None)
                return Answer(200, gone) if gone else Answer(204)
            case _:
                raise Refused(errors.method_not_allowed(request.method, arm_url.spelled(type_)))

    def _list(self, request: Request, scope: str, type_: str) -> Answer:
        if request.method != "GET":
            raise Refused(errors.method_not_allowed(request.method, arm_url.spelled(type_)))
        if type_ == arm_url.DEFINITIONS:
            rows = list(self.definitions.values())
            return Answer(200, {"value": [each for each in rows if _covers(each, scope)]})
        chosen = request.query.get("$filter", "")
        if chosen not in ("", "atScope()"):
            raise Refused(errors.not_modelled(f"the filter {chosen}"))
        rows = [
            each
            for each in self.assignments.values()
            if _covers(each, scope) or (not chosen and _below(each, scope))
        ]
        return Answer(200, {"value": rows})

    def _read(self, request: Request, scope: str, type_: str, item_id: str) -> Body:
        properties = parse_body(request).get("properties")
        if not isinstance(properties, dict):
            raise Refused(errors.property_missing("properties", item_id))
        found: Body = {
            "id": item_id,
            "type": arm_url.spelled(type_),
            "name": item_id.rsplit("/", 1)[1],
            "properties": dict(properties),
        }
        try:
            if type_ == arm_url.DEFINITIONS:
                _check_rule(properties)
            else:
                found["properties"] |= {
                    "scope": scope,
                    "enforcementMode": properties.get("enforcementMode", "Default"),
                }
                self._insist_on_definition(found)
        except RuleProblem as problem:
            raise Refused(errors.not_modelled(f"{problem} of a policy")) from None
        except (TypeError, AttributeError, KeyError, IndexError):
            raise Refused(errors.format_invalid("the properties of a policy")) from None
        return found

    def _insist_on_definition(self, assignment: Body) -> None:
        wanted = str(assignment["properties"].get("policyDefinitionId", ""))
        definition = self.definitions.get(wanted.lower())
        if definition is None:
            raise Refused(auth_errors.policy_not_found("policyDefinitions", wanted))
        parameters = _parameters(definition, assignment)
        policy_rules.resolved(definition["properties"]["policyRule"]["then"]["effect"], parameters)

    def _check(self, request: Request, scope: str) -> Answer:
        """What policies would place on a resource that is to be written."""
        details = parse_body(request).get("resourceDetails")
        content = details.get("resourceContent") if isinstance(details, dict) else None
        if not isinstance(details, dict) or not isinstance(content, dict) or "type" not in content:
            raise Refused(errors.format_invalid("resourceDetails.resourceContent with a type"))
        resource = {"name": "", **content}
        found = self._denials(str(details.get("scope") or scope), resource)
        return Answer(
            200,
            {
                "fieldRestrictions": [],
                "contentEvaluationResult": {
                    "policyEvaluations": [
                        {
                            "policyInfo": {
                                "policyDefinitionId": each.definition_id,
                                "policyAssignmentId": each.assignment_id,
                            },
                            "evaluationResult": "NonCompliant",
                            "effectDetails": {"policyEffect": "Deny"},
                        }
                        for each in found
                    ]
                },
            },
        )

    def _denials(self, scope: str, resource: Body) -> Iterator[Denial]:
        for assignment in self.assignments.values():
            inner = assignment["properties"]
            definition = self.definitions.get(str(inner["policyDefinitionId"]).lower())
            if definition is None or inner["enforcementMode"] != "Default":
                continue
            if not _covers(assignment, scope):
                continue
            rule, parameters = (
                definition["properties"]["policyRule"],
                _parameters(definition, assignment),
            )
            effect = str(policy_rules.resolved(rule["then"]["effect"], parameters)).lower()
            if effect == "deny" and policy_rules.matches(rule["if"], resource, parameters):
                yield Denial(
                    assignment["name"], assignment["id"], definition["name"], definition["id"]
                )


def _check_rule(properties: Mapping[str, Any]) -> None:
    rule = properties.get("policyRule")
    then = rule.get("then") if isinstance(rule, dict) else None
    if not isinstance(rule, dict) or not isinstance(then, dict) or "if" not in rule:
        raise RuleProblem("the rule")
    defaults = {
        name: each.get("defaultValue", "")
        for name, each in (properties.get("parameters") or {}).items()
    }
    effect = str(policy_rules.resolved(then.get("effect"), defaults)).lower()
    if effect and effect not in EFFECTS:
        raise RuleProblem(f"the effect {effect}")
    policy_rules.matches(rule["if"], {"type": "", "name": ""}, defaults)


def _parameters(definition: Body, assignment: Body) -> dict[str, Any]:
    known = definition["properties"].get("parameters") or {}
    given = assignment["properties"].get("parameters") or {}
    return {
        name: given[name]["value"] if name in given else each.get("defaultValue")
        for name, each in known.items()
    }


def _owner(item: Body) -> str:
    return str(item["id"]).lower().rsplit("/providers/microsoft.authorization/", 1)[0]


def _covers(item: Body, scope: str) -> bool:
    return f"{scope.rstrip('/').lower()}/".startswith(f"{_owner(item)}/")


def _below(item: Body, scope: str) -> bool:
    return f"{_owner(item)}/".startswith(f"{scope.rstrip('/').lower()}/")
