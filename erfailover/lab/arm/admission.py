"""What stands between a request and its resource: rights, locks, policies; and their resources.

Owns the order in which they are asked: the client's rights, then those to what the body names
(before them a token of the tenant that owns it), then locks, then policies (assumed, from which
refusal is seen where two would fit). It changes nothing but locks and policies themselves.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace

from erfailover.lab.arm.writes import refuse
from erfailover.lab.auth import deny_assignments, required_actions
from erfailover.lab.auth import errors as auth_errors
from erfailover.lab.auth.tokens import AUXILIARY
from erfailover.lab.core import arm_url, errors
from erfailover.lab.core.arm_url import Kind, Target
from erfailover.lab.core.errors import Refused
from erfailover.lab.core.protocol import Answer, Request
from erfailover.lab.core.world import Body
from erfailover.lab.engine.cloud import Cloud

_LOCKED = frozenset({Kind.ITEM, Kind.PART, Kind.GROUP, Kind.DEPLOYMENTS})


def admit(lab: Cloud, request: Request, target: Target) -> None:
    """Let a request pass, or refuse it."""
    wanted = required_actions.wanted(request.method, target)
    known = lab.identity.owner_of(target.subscription).object_id
    if wanted is not None and not lab.access.may(wanted.action, wanted.scope):
        raise Refused(errors.forbidden(known, wanted.action, wanted.scope))
    if wanted is not None:
        refuse(deny_assignments.refused(lab.world, known, wanted.action, wanted.scope))
    body = _body(request) if request.method in ("PUT", "PATCH") else {}
    if wanted is not None and target.kind is Kind.ITEM and target.type is not None:
        for each in required_actions.linked(target.type, body):
            refuse(_of_another_tenant(lab, request, wanted.scope, each))
            if not lab.access.may(each.action, each.scope):
                refuse(
                    auth_errors.linked_forbidden(
                        known,
                        wanted.action,
                        wanted.scope,
                        each.action,
                        each.scope,
                    )
                )
    if target.kind in _LOCKED and target.id is not None:
        refuse(lab.locks.refused(request.method, str(target.id)))
    if target.kind is Kind.ITEM and target.type is not None and request.method == "PUT":
        resource = {**body, "type": target.type.type, "name": target.id.name if target.id else ""}
        refuse(lab.policies.refused(str(target.id), resource))


def _of_another_tenant(
    lab: Cloud, request: Request, scope: str, linked: required_actions.Wanted
) -> errors.Refusal | None:
    """Why a body may not name a resource of a tenant of which the request has no token."""
    subscription = scope.split("/")[2]
    other = linked.scope.split("/")[2] if linked.scope.count("/") > 1 else subscription
    tenant, owner = lab.identity.owner_of(subscription).id, lab.identity.owner_of(other).id
    auxiliary = lab.tokens.auxiliary_tenants(request.headers.get(AUXILIARY, ""))
    if owner == tenant or owner in auxiliary:
        return None
    return auth_errors.linked_of_another_tenant(linked.action, scope, tenant, other)


def visible(lab: Cloud, answer: Answer) -> Answer:
    """A list as the client sees it: what it may not read is not in it (published for lists)."""
    body = answer.body
    if not isinstance(body, dict) or not isinstance(body.get("value"), list):
        return answer
    rows = [each for each in body["value"] if _may_read(lab, each)]
    return replace(answer, body={**body, "value": rows})


def _may_read(lab: Cloud, row: Body) -> bool:
    row_id, type_ = str(row.get("id", "")), str(row.get("type", ""))
    if type_.lower() == "microsoft.resources/resourcegroups":
        type_ = required_actions.GROUP
    return not row_id or lab.access.may(f"{type_}/read", row_id)


def handle(lab: Cloud, request: Request, target: Target) -> Answer:
    """A request to locks, permissions, policies or metrics of a scope."""
    type_, own = arm_url.type_of(target.name)
    _insist_on_scope(lab, target)
    match type_:
        case arm_url.LOCKS if "/" not in own:
            return lab.locks.handle(request, target.scope, own)
        case arm_url.DENIALS if not own and request.method == "GET":
            return Answer(200, {"value": deny_assignments.listed(lab.world, target.scope)})
        case arm_url.PERMISSIONS if not own and request.method == "GET":
            return Answer(200, {"value": lab.access.permissions(target.scope)})
        case arm_url.ELIGIBLE | arm_url.ACTIVATED if not own and request.method == "GET":
            if request.query.get("$filter") != "asTarget()":
                raise Refused(errors.not_modelled(f"{target.name} of others than the client"))
            active, client = type_ == arm_url.ACTIVATED, lab.identity.object_id
            rows = lab.access.eligibilities(target.scope, client, active=active)
            return Answer(200, {"value": rows})
        case arm_url.ASSIGNMENTS | arm_url.DEFINITIONS | arm_url.RESTRICTIONS if "/" not in own:
            return lab.policies.handle(request, target.scope, target.name)
        case arm_url.METRICS if not own and target.id is not None and target.type is not None:
            resource = lab.world.get(target.id)
            if resource is not None:
                return lab.metrics.answer(request, resource, dt.datetime.now(dt.UTC))
    raise Refused(errors.not_modelled(f"{request.method} {target.name}"))


def _insist_on_scope(lab: Cloud, target: Target) -> None:
    """Refuse a scope that is not there."""
    if target.id is None:
        return
    if lab.world.get(target.id.group) is None:
        raise Refused(errors.group_not_found(target.group))
    if target.type is not None and lab.world.get(target.id) is None:
        raise Refused(errors.resource_not_found(target.id, lab.today))


def _body(request: Request) -> Body:
    """The body as far as it can be read; what is wrong with it is told later."""
    try:
        found = json.loads(request.body or b"null")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
