"""Template deployments: accepted, checked, and told about.

Owns the verbs below ``.../providers/Microsoft.Resources/deployments`` as az uses them. A
deployment is a resource of the world; its resources are written by ``deployment_run`` through the
same door as everybody else's, so every rule holds. Recorded (deployments that az composed for
a connection and for a virtual machine): 201 with ``Azure-AsyncOperation``, polls that answer
Running and then Succeeded, and the bodies. Azure's check before acceptance goes further: it
also asks the providers (not modelled).
"""

from __future__ import annotations

import json
import re
from typing import Any

from erfailover.lab.arm import template
from erfailover.lab.arm.deployment_run import Advance, Step, read_steps, write_steps
from erfailover.lab.arm.writes import find_group, refuse
from erfailover.lab.core import errors, ids
from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.arm_url import Target
from erfailover.lab.core.errors import Refusal, Refused
from erfailover.lab.core.operations import Operation
from erfailover.lab.core.protocol import Answer, Request, parse_body, retry_headers
from erfailover.lab.core.world import Body, Resource
from erfailover.lab.engine.cloud import Cloud

FIRST_ANSWER_S = 1.4
"""The first answer took 1.2 to 2.3 s (recorded, as the deployment's own duration)."""
POLL_S = 10
"""Azure sends no Retry-After with a deployment; a scaled clock asks for this one."""
_NAME = re.compile(r"[-\w.()]{1,64}")


def handle(lab: Cloud, request: Request, target: Target) -> Answer:
    """Any request to a resource group's deployments; ``target.name`` is what follows them."""
    group = find_group(lab, target)
    parts = target.name.split("/") if target.name else []
    verb = request.method
    if not parts and verb == "GET":
        return Answer(200, {"value": [_shown(lab, each) for each in _all(lab, group)]})
    if len(parts) == 1:
        match verb:
            case "PUT":
                return _put(lab, request, target, group, parts[0])
            case "GET":
                return Answer(200, _shown(lab, _find(lab, group, parts[0])))
            case "HEAD":
                known = lab.world.get(_id(group, parts[0])) is not None
                return Answer(204 if known else 404)
            case "DELETE":
                return _delete(lab, group, parts[0])
    match verb, [part.lower() for part in parts[1:]]:
        case "POST", ["validate"]:
            return _validate(lab, request, target, group, parts[0])
        case "GET", ["operationstatuses", number]:
            return _poll(lab, number)
        case "GET", ["operations"]:
            return _operations(lab, _find(lab, group, parts[0]))
    what = "/".join(("Microsoft.Resources/deployments", *parts[1:]))
    raise Refused(errors.not_modelled(f"{verb} {what}"))


def _id(group: Resource, name: str) -> ids.ResourceId:
    where = group.id
    return ids.ResourceId(
        where.subscription, where.resource_group, "Microsoft.Resources", ("deployments",), (name,)
    )


def _all(lab: Cloud, group: Resource) -> list[Resource]:
    inside = lab.world.of_type(rt.DEPLOYMENT)
    return [each for each in inside if ids.key(each.id.group) == ids.key(group.id)]


def _find(lab: Cloud, group: Resource, name: str) -> Resource:
    found = lab.world.get(_id(group, name))
    if found is None:
        text = f"Deployment '{name}' could not be found."
        raise Refused(Refusal(404, "DeploymentNotFound", text))
    return found


def _operation(lab: Cloud, deployment: Resource) -> Operation | None:
    return lab.operations.get(deployment.hidden["operation"])


def _shown(lab: Cloud, deployment: Resource) -> Body:
    """What GET answers; the state and the error are the operation's."""
    operation = _operation(lab, deployment)
    properties = dict(deployment.properties)
    if operation is not None:
        state = "Running" if operation.status == "InProgress" else operation.status
        properties["provisioningState"] = state
        ended = operation.ends if operation.done else lab.world.now
        properties["timestamp"] = _timestamp(lab, ended)
        properties["duration"] = f"PT{ended - operation.started:.7f}S"
        if operation.error is not None:
            properties["error"] = operation.error
    return {**deployment.body, "properties": properties}


def _timestamp(lab: Cloud, at_s: float) -> str:
    return lab.timestamp(at_s).replace("+00:00", "Z")


def _plan(request: Request, group: Resource, name: str) -> tuple[Body, template.Plan]:
    if not _NAME.fullmatch(name):
        raise Refused(errors.name_invalid(name))
    body = parse_body(request)
    properties = body.get("properties")
    if not isinstance(properties, dict):
        raise Refused(errors.content_invalid("the deployment has no properties"))
    try:
        return properties, template.read(properties, group.id, group.body["location"])
    except template.NotModelled as found:
        raise Refused(errors.not_modelled(str(found))) from None
    except template.Invalid as found:
        text = f"Deployment template validation failed: '{found}.'."
        raise Refused(Refusal(400, "InvalidTemplate", text)) from None


def _put(lab: Cloud, request: Request, target: Target, group: Resource, name: str) -> Answer:
    if group.state == "Deleting":
        raise Refused(errors.group_being_deleted(target.group))
    properties, plan = _plan(request, group, name)
    where = _id(group, name)
    known = lab.world.get(where)
    refuse(_active(lab, known))
    now = lab.world.now
    operation = Operation(
        id=f"{int(lab.fresh.guid().replace('-', '')[:16], 16):020d}",
        name="Deployment",
        type=rt.DEPLOYMENT,
        subscription=where.subscription,
        location=group.body["location"],
        effect="deployment",
        started=now,
        ends=float("inf"),
    )
    steps = [
        Step(str(each.id), each.api_version, each.body, each.depends_on) for each in plan.resources
    ]
    body = _body(lab, where, plan)
    deployment = Resource(where, body, body)
    deployment.hidden = {
        "operation": operation.id,
        "base": request.base,
        "properties": json.dumps(properties),
        "steps": write_steps(steps),
    }
    if known is not None:
        lab.world.remove(where)
    lab.world.add(deployment)
    lab.operations.start(operation)
    lab.world.at(now + FIRST_ANSWER_S, Advance(lab, ids.key(where)))
    lab.world.changed()
    shown = _shown(lab, deployment)
    shown["properties"]["provisioningState"] = "Accepted"
    url = f"{request.base}{where}/operationStatuses/{operation.id}"
    headers = {"Azure-AsyncOperation": f"{url}?api-version={request.api_version}"} | _wait(lab)
    return Answer(201 if known is None else 200, shown, headers, pause_s=FIRST_ANSWER_S)


def _wait(lab: Cloud) -> dict[str, str]:
    return {} if lab.speed in {None, 1} else retry_headers(POLL_S, lab.speed)


def _active(lab: Cloud, known: Resource | None) -> Refusal | None:
    operation = _operation(lab, known) if known is not None else None
    if known is None or operation is None or operation.done:
        return None
    text = (
        f"Unable to edit or replace deployment '{known.id.name}': previous deployment from "
        f"'{_timestamp(lab, operation.started)}' is still active."
    )
    return Refusal(409, "DeploymentActive", text)


def _body(lab: Cloud, where: ids.ResourceId, plan: template.Plan) -> Body:
    providers: dict[str, dict[str, list[str]]] = {}
    for each in plan.resources:
        types = providers.setdefault(each.id.provider, {})
        places = types.setdefault("/".join(each.id.types), [])
        place = str(each.body.get("location", "")).replace(" ", "").lower()
        if place and place not in places:
            places.append(place)
    by_key = {ids.key(each.id): each.id for each in plan.resources}
    return {
        "id": str(where),
        "name": where.name,
        "type": rt.DEPLOYMENT,
        "properties": {
            "templateHash": str(int(lab.fresh.guid().replace("-", "")[:15], 16)),
            "parameters": plan.shown,
            "mode": "Incremental",
            "provisioningState": "Accepted",
            "correlationId": lab.fresh.guid(),
            "providers": [
                {
                    "namespace": name,
                    "resourceTypes": [
                        {"resourceType": type_, "locations": places}
                        for type_, places in types.items()
                    ],
                }
                for name, types in providers.items()
            ],
            "dependencies": [
                {"dependsOn": [_named(by_key[key]) for key in each.depends_on], **_named(each.id)}
                for each in plan.resources
                if each.depends_on
            ],
        },
    }


def _named(where: ids.ResourceId) -> Body:
    names = "/".join(where.names)
    return {"id": str(where), "resourceType": where.type, "resourceName": names}


def _validate(lab: Cloud, request: Request, target: Target, group: Resource, name: str) -> Answer:
    _, plan = _plan(request, group, name)
    body = _body(lab, _id(group, name), plan)
    body["properties"] |= {
        "provisioningState": "Succeeded",
        "timestamp": _timestamp(lab, lab.world.now),
        "duration": "PT0S",
        "validatedResources": [{"id": str(each.id)} for each in plan.resources],
    }
    return Answer(200, body)


def _poll(lab: Cloud, number: str) -> Answer:
    operation = lab.operations.get(number)
    if operation is None or operation.type != rt.DEPLOYMENT:
        text = f"The deployment operation '{number}' could not be found."
        raise Refused(Refusal(404, "DeploymentOperationNotFound", text))
    if not operation.done:
        return Answer(200, {"status": "Running"}, _wait(lab))
    body: Body = {"status": operation.status}
    if operation.error is not None:
        body["error"] = operation.error
    return Answer(200, body)


def _operations(lab: Cloud, deployment: Resource) -> Answer:
    rows: list[Any] = []
    for number, step in enumerate(read_steps(deployment)):
        where = ids.parse(step.id)
        if where is None or step.state == "waiting":
            continue
        state = {"running": "Running", "done": "Succeeded", "failed": "Failed"}[step.state]
        properties: Body = {
            "provisioningOperation": "Create",
            "provisioningState": state,
            "targetResource": _named(where),
        }
        if step.state == "failed":
            properties["statusCode"] = step.status
            properties["statusMessage"] = step.error
        elif step.state == "done":
            properties["statusCode"] = "OK"
        rows.append(
            {
                "id": f"{deployment.id}/operations/{number:016X}",
                "operationId": f"{number:016X}",
                "properties": properties,
            }
        )
    return Answer(200, {"value": rows})


def _delete(lab: Cloud, group: Resource, name: str) -> Answer:
    """Forget a deployment; its resources stay. Azure takes a moment (assumed: at once)."""
    found = lab.world.get(_id(group, name))
    if found is None:
        return Answer(204)
    refuse(_active(lab, found))
    lab.world.remove(found.id)
    lab.world.changed()
    return Answer(204)
