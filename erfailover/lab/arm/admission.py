"""What stands between a request and its resource: rights, locks, policies; and their resources.

Owns the order in which they are asked: the client's rights, then those to what the body names,
then locks, then policies (assumed, from which refusal is seen where two would fit). It changes
nothing but locks and policies themselves.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace

from erfailover.lab import errors, governance_errors, request_actions
from erfailover.lab import extensions as ext
from erfailover.lab.answers import Answer, Request
from erfailover.lab.arm_url import Kind, Target
from erfailover.lab.errors import Refused
from erfailover.lab.lab import Lab
from erfailover.lab.world import Body
from erfailover.lab.writes import refuse

_LOCKED = frozenset({Kind.ITEM, Kind.PART, Kind.GROUP, Kind.DEPLOYMENTS})


def admit(lab: Lab, request: Request, target: Target) -> None:
    """Let a request pass, or refuse it."""
    wanted = request_actions.wanted(request.method, target)
    if wanted is not None and not lab.access.may(wanted.action, wanted.scope):
        known = lab.identity.object_id
        raise Refused(errors.forbidden(known, wanted.action, wanted.scope))
    body = _body(request) if request.method in ("PUT", "PATCH") else {}
    if wanted is not None and target.kind is Kind.ITEM and target.type is not None:
        for each in request_actions.linked(target.type.type, body):
            if not lab.access.may(each.action, each.scope):
                refuse(
                    governance_errors.linked_forbidden(
                        lab.identity.object_id,
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


def visible(lab: Lab, answer: Answer) -> Answer:
    """A list as the client sees it: what it may not read is not in it (published for lists)."""
    body = answer.body
    if not isinstance(body, dict) or not isinstance(body.get("value"), list):
        return answer
    rows = [each for each in body["value"] if _may_read(lab, each)]
    return replace(answer, body={**body, "value": rows})


def _may_read(lab: Lab, row: Body) -> bool:
    row_id, type_ = str(row.get("id", "")), str(row.get("type", ""))
    if type_.lower() == "microsoft.resources/resourcegroups":
        type_ = request_actions.GROUP
    return not row_id or lab.access.may(f"{type_}/read", row_id)


def handle(lab: Lab, request: Request, target: Target) -> Answer:
    """A request to locks, permissions, policies or metrics of a scope."""
    type_, own = ext.type_of(target.name)
    _insist_on_scope(lab, target)
    match type_:
        case ext.LOCKS if "/" not in own:
            return lab.locks.handle(request, target.scope, own)
        case ext.PERMISSIONS if not own and request.method == "GET":
            return Answer(200, {"value": lab.access.permissions(target.scope)})
        case ext.ASSIGNMENTS | ext.DEFINITIONS | ext.RESTRICTIONS if "/" not in own:
            return lab.policies.handle(request, target.scope, target.name)
        case ext.METRICS if not own and target.id is not None and target.type is not None:
            resource = lab.world.get(target.id)
            if resource is not None:
                return lab.metrics.answer(request, resource, dt.datetime.now(dt.UTC))
    raise Refused(errors.not_modelled(f"{request.method} {target.name}"))


def _insist_on_scope(lab: Lab, target: Target) -> None:
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
