"""Checks between a request and its resource: rights, locks, policies; and their own resources.

Owns their order: the client's rights, then the rights to resources that the body names (after a
token of the tenant that owns them), then locks, then policies (assumed, from the refusal that
appears if two would fit). It changes nothing but locks and policies themselves.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace

from erfailover.lab.arm.writes import raise_if_refused
from erfailover.lab.auth import deny_assignments, required_actions
from erfailover.lab.auth import errors as auth_errors
from erfailover.lab.auth.tokens import AUXILIARY
from erfailover.lab.core import arm_url, errors
from erfailover.lab.core.arm_url import Target, TargetKind
from erfailover.lab.core.errors import RefusalError
from erfailover.lab.core.protocol import Answer, Request
from erfailover.lab.core.world import Body
from erfailover.lab.engine.cloud import Cloud

_LOCKED = frozenset({TargetKind.ITEM, TargetKind.PART, TargetKind.GROUP, TargetKind.DEPLOYMENTS})


def admit(lab: Cloud, request: Request, target: Target) -> None:
    """Admit a request, or raise its refusal."""
    required = required_actions.find_required_action(request.method, target)
    principal = lab.identity.find_owner(target.subscription).object_id
    if required is not None and not lab.access.is_allowed(required.action, required.scope):
        raise RefusalError(errors.authorization_failed(principal, required.action, required.scope))
    if required is not None:
        raise_if_refused(
            deny_assignments.find_refusal(lab.world, principal, required.action, required.scope)
        )
    body = _read_body(request) if request.method in ("PUT", "PATCH") else {}
    if required is not None and target.kind is TargetKind.ITEM and target.type is not None:
        for linked_action in required_actions.find_linked_actions(target.type, body):
            raise_if_refused(_validate_linked_tenant(lab, request, required.scope, linked_action))
            if not lab.access.is_allowed(linked_action.action, linked_action.scope):
                raise_if_refused(
                    auth_errors.linked_forbidden(
                        principal,
                        required.action,
                        required.scope,
                        linked_action.action,
                        linked_action.scope,
                    )
                )
    if target.kind in _LOCKED and target.id is not None:
        raise_if_refused(lab.locks.find_refusal(request.method, str(target.id)))
    if target.kind is TargetKind.ITEM and target.type is not None and request.method == "PUT":
        resource = {**body, "type": target.type.type, "name": target.id.name if target.id else ""}
        raise_if_refused(lab.policies.find_refusal(str(target.id), resource))


def _validate_linked_tenant(
    lab: Cloud, request: Request, scope: str, linked: required_actions.RequiredAction
) -> errors.Refusal | None:
    """Return the refusal if a body names a resource of a tenant without a token."""
    subscription = scope.split("/")[2]
    other = linked.scope.split("/")[2] if linked.scope.count("/") > 1 else subscription
    tenant, owner = lab.identity.find_owner(subscription).id, lab.identity.find_owner(other).id
    auxiliary = lab.tokens.list_auxiliary_tenants(request.headers.get(AUXILIARY, ""))
    if owner == tenant or owner in auxiliary:
        return None
    return auth_errors.linked_tenant_forbidden(linked.action, scope, tenant, other)


def filter_visible(lab: Cloud, answer: Answer) -> Answer:
    """Remove from a list what the client may not read (published for lists)."""
    body = answer.body
    if not isinstance(body, dict) or not isinstance(body.get("value"), list):
        return answer
    rows = [row for row in body["value"] if _can_read(lab, row)]
    return replace(answer, body={**body, "value": rows})


def _can_read(lab: Cloud, row: Body) -> bool:
    row_id, type_ = str(row.get("id", "")), str(row.get("type", ""))
    if type_.lower() == "microsoft.resources/resourcegroups":
        type_ = required_actions.GROUP
    return not row_id or lab.access.is_allowed(f"{type_}/read", row_id)


def handle(lab: Cloud, request: Request, target: Target) -> Answer:
    """Answer a request for locks, permissions, policies or metrics of a scope."""
    type_, own = arm_url.resolve_extension_type(target.name)
    _require_scope(lab, target)
    match type_:
        case arm_url.LOCKS if "/" not in own:
            return lab.locks.handle(request, target.scope, own)
        case arm_url.DENIALS if not own and request.method == "GET":
            return Answer(
                200, {"value": deny_assignments.list_assignments(lab.world, target.scope)}
            )
        case arm_url.PERMISSIONS if not own and request.method == "GET":
            return Answer(200, {"value": lab.access.list_permissions(target.scope)})
        case arm_url.ELIGIBLE | arm_url.ACTIVATED if not own and request.method == "GET":
            if request.query.get("$filter") != "asTarget()":
                raise RefusalError(errors.not_modelled(f"{target.name} of others than the client"))
            active, client = type_ == arm_url.ACTIVATED, lab.identity.object_id
            rows = lab.access.list_eligibilities(target.scope, client, active=active)
            return Answer(200, {"value": rows})
        case arm_url.ASSIGNMENTS | arm_url.DEFINITIONS | arm_url.RESTRICTIONS if "/" not in own:
            return lab.policies.handle(request, target.scope, target.name)
        case arm_url.METRICS if not own and target.id is not None and target.type is not None:
            resource = lab.world.get(target.id)
            if resource is not None:
                return lab.metrics.answer(request, resource, dt.datetime.now(dt.UTC))
    raise RefusalError(errors.not_modelled(f"{request.method} {target.name}"))


def _require_scope(lab: Cloud, target: Target) -> None:
    """Raise a refusal if a scope does not exist."""
    if target.id is None:
        return
    if lab.world.get(target.id.group) is None:
        raise RefusalError(errors.group_not_found(target.group))
    if target.type is not None and lab.world.get(target.id) is None:
        raise RefusalError(errors.resource_not_found(target.id, lab.today))


def _read_body(request: Request) -> Body:
    """Return the body as far as it can be parsed; errors in it are reported later."""
    try:
        body = json.loads(request.body or b"null")
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}
