"""Template deployments: accept, validate and report.

Owns the verbs below ``.../providers/Microsoft.Resources/deployments`` as az uses them. A
deployment is a resource of the world; its resources are written by ``deployment_run`` through the
same functions as any other write, so every rule applies. Recorded (deployments that az composed for
a connection and for a virtual machine): 201 with ``Azure-AsyncOperation``, polls that answer
Running and then Succeeded, and the bodies. Azure's check before acceptance goes further: it
also consults the providers (not modelled).
"""

from __future__ import annotations

import json
import re
from typing import Any

from erfailover.lab.arm import template
from erfailover.lab.arm.deployment_run import (
    DeploymentProgress,
    DeploymentStep,
    read_steps,
    write_steps,
)
from erfailover.lab.arm.writes import find_group, raise_if_refused
from erfailover.lab.core import errors, ids
from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.arm_url import Target
from erfailover.lab.core.errors import Refusal, RefusalError
from erfailover.lab.core.operations import Operation
from erfailover.lab.core.protocol import Answer, Request, build_retry_headers, parse_body
from erfailover.lab.core.world import Body, Resource
from erfailover.lab.engine.cloud import Cloud

FIRST_ANSWER_S = 1.4
"""The first answer took 1.2 to 2.3 s (recorded, as the deployment's own duration)."""
POLL_S = 10
"""Azure sends no Retry-After with a deployment; a scaled clock sends this one."""
_NAME = re.compile(r"[-\w.()]{1,64}")


def handle(lab: Cloud, request: Request, target: Target) -> Answer:
    """Answer a request for a resource group's deployments; ``target.name`` is the rest."""
    group = find_group(lab, target)
    parts = target.name.split("/") if target.name else []
    verb = request.method
    if not parts and verb == "GET":
        return Answer(
            200,
            {"value": [_present(lab, deployment) for deployment in _list_deployments(lab, group)]},
        )
    if len(parts) == 1:
        match verb:
            case "PUT":
                return _put(lab, request, target, group, parts[0])
            case "GET":
                return Answer(200, _present(lab, _find(lab, group, parts[0])))
            case "HEAD":
                exists = lab.world.get(_build_id(group, parts[0])) is not None
                return Answer(204 if exists else 404)
            case "DELETE":
                return _delete(lab, group, parts[0])
    match verb, [part.lower() for part in parts[1:]]:
        case "POST", ["validate"]:
            return _validate(lab, request, target, group, parts[0])
        case "GET", ["operationstatuses", number]:
            return _poll(lab, number)
        case "GET", ["operations"]:
            return _list_operations(lab, _find(lab, group, parts[0]))
    what = "/".join(("Microsoft.Resources/deployments", *parts[1:]))
    raise RefusalError(errors.not_modelled(f"{verb} {what}"))


def _build_id(group: Resource, name: str) -> ids.ResourceId:
    where = group.id
    return ids.ResourceId(
        where.subscription, where.resource_group, "Microsoft.Resources", ("deployments",), (name,)
    )


def _list_deployments(lab: Cloud, group: Resource) -> list[Resource]:
    inside = lab.world.iter_by_type(rt.DEPLOYMENT)
    return [
        deployment
        for deployment in inside
        if ids.to_key(deployment.id.group) == ids.to_key(group.id)
    ]


def _find(lab: Cloud, group: Resource, name: str) -> Resource:
    deployment = lab.world.get(_build_id(group, name))
    if deployment is None:
        text = f"Deployment '{name}' could not be found."
        raise RefusalError(Refusal(404, "DeploymentNotFound", text))
    return deployment


def _find_operation(lab: Cloud, deployment: Resource) -> Operation | None:
    return lab.operations.get(deployment.hidden["operation"])


def _present(lab: Cloud, deployment: Resource) -> Body:
    """Return the answer to a GET; state and error are those of the operation."""
    operation = _find_operation(lab, deployment)
    properties = dict(deployment.properties)
    if operation is not None:
        state = "Running" if operation.status == "InProgress" else operation.status
        properties["provisioningState"] = state
        ended = operation.ends if operation.is_done else lab.world.now
        properties["timestamp"] = _format_timestamp(lab, ended)
        properties["duration"] = f"PT{ended - operation.started:.7f}S"
        if operation.error is not None:
            properties["error"] = operation.error
    return {**deployment.body, "properties": properties}


def _format_timestamp(lab: Cloud, at_s: float) -> str:
    return lab.format_timestamp(at_s).replace("+00:00", "Z")


def _make_plan(request: Request, group: Resource, name: str) -> tuple[Body, template.TemplatePlan]:
    if not _NAME.fullmatch(name):
        raise RefusalError(errors.name_invalid(name))
    body = parse_body(request)
    properties = body.get("properties")
    if not isinstance(properties, dict):
        raise RefusalError(errors.content_invalid("the deployment has no properties"))
    try:
        return properties, template.read(properties, group.id, group.body["location"])
    except template.NotModelledError as error:
        raise RefusalError(errors.not_modelled(str(error))) from None
    except template.InvalidTemplateError as error:
        text = f"Deployment template validation failed: '{error}.'."
        raise RefusalError(Refusal(400, "InvalidTemplate", text)) from None


def _put(lab: Cloud, request: Request, target: Target, group: Resource, name: str) -> Answer:
    if group.state == "Deleting":
        raise RefusalError(errors.group_being_deleted(target.group))
    properties, plan = _make_plan(request, group, name)
    where = _build_id(group, name)
    existing = lab.world.get(where)
    raise_if_refused(_validate_inactive(lab, existing))
    now = lab.world.now
    operation = Operation(
        id=f"{int(lab.generator.make_guid().replace('-', '')[:16], 16):020d}",
        name="Deployment",
        type=rt.DEPLOYMENT,
        subscription=where.subscription,
        location=group.body["location"],
        effect="deployment",
        started=now,
        ends=float("inf"),
    )
    steps = [
        DeploymentStep(str(resource.id), resource.api_version, resource.body, resource.depends_on)
        for resource in plan.resources
    ]
    body = _build_body(lab, where, plan)
    deployment = Resource(where, body, body)
    deployment.hidden = {
        "operation": operation.id,
        "base": request.base,
        "properties": json.dumps(properties),
        "steps": write_steps(steps),
    }
    if existing is not None:
        lab.world.remove(where)
    lab.world.add(deployment)
    lab.operations.start(operation)
    lab.world.schedule(now + FIRST_ANSWER_S, DeploymentProgress(lab, ids.to_key(where)))
    lab.world.notify_listeners()
    answer = _present(lab, deployment)
    answer["properties"]["provisioningState"] = "Accepted"
    url = f"{request.base}{where}/operationStatuses/{operation.id}"
    headers = {
        "Azure-AsyncOperation": f"{url}?api-version={request.api_version}"
    } | _build_retry_headers(lab)
    return Answer(201 if existing is None else 200, answer, headers, pause_s=FIRST_ANSWER_S)


def _build_retry_headers(lab: Cloud) -> dict[str, str]:
    return {} if lab.speed in {None, 1} else build_retry_headers(POLL_S, lab.speed)


def _validate_inactive(lab: Cloud, existing: Resource | None) -> Refusal | None:
    operation = _find_operation(lab, existing) if existing is not None else None
    if existing is None or operation is None or operation.is_done:
        return None
    text = (
        f"Unable to edit or replace deployment '{existing.id.name}': previous deployment from "
        f"'{_format_timestamp(lab, operation.started)}' is still active."
    )
    return Refusal(409, "DeploymentActive", text)


def _build_body(lab: Cloud, where: ids.ResourceId, plan: template.TemplatePlan) -> Body:
    providers: dict[str, dict[str, list[str]]] = {}
    for resource in plan.resources:
        types = providers.setdefault(resource.id.provider, {})
        places = types.setdefault("/".join(resource.id.types), [])
        place = str(resource.body.get("location", "")).replace(" ", "").lower()
        if place and place not in places:
            places.append(place)
    by_key = {ids.to_key(resource.id): resource.id for resource in plan.resources}
    return {
        "id": str(where),
        "name": where.name,
        "type": rt.DEPLOYMENT,
        "properties": {
            "templateHash": str(int(lab.generator.make_guid().replace("-", "")[:15], 16)),
            "parameters": plan.shown,
            "mode": "Incremental",
            "provisioningState": "Accepted",
            "correlationId": lab.generator.make_guid(),
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
                {
                    "dependsOn": [_identify(by_key[key]) for key in resource.depends_on],
                    **_identify(resource.id),
                }
                for resource in plan.resources
                if resource.depends_on
            ],
        },
    }


def _identify(where: ids.ResourceId) -> Body:
    names = "/".join(where.names)
    return {"id": str(where), "resourceType": where.type, "resourceName": names}


def _validate(lab: Cloud, request: Request, target: Target, group: Resource, name: str) -> Answer:
    _, plan = _make_plan(request, group, name)
    body = _build_body(lab, _build_id(group, name), plan)
    body["properties"] |= {
        "provisioningState": "Succeeded",
        "timestamp": _format_timestamp(lab, lab.world.now),
        "duration": "PT0S",
        "validatedResources": [{"id": str(resource.id)} for resource in plan.resources],
    }
    return Answer(200, body)


def _poll(lab: Cloud, number: str) -> Answer:
    operation = lab.operations.get(number)
    if operation is None or operation.type != rt.DEPLOYMENT:
        text = f"The deployment operation '{number}' could not be found."
        raise RefusalError(Refusal(404, "DeploymentOperationNotFound", text))
    if not operation.is_done:
        return Answer(200, {"status": "Running"}, _build_retry_headers(lab))
    body: Body = {"status": operation.status}
    if operation.error is not None:
        body["error"] = operation.error
    return Answer(200, body)


def _list_operations(lab: Cloud, deployment: Resource) -> Answer:
    rows: list[Any] = []
    for number, step in enumerate(read_steps(deployment)):
        where = ids.parse(step.id)
        if where is None or step.state == "waiting":
            continue
        state = {"running": "Running", "done": "Succeeded", "failed": "Failed"}[step.state]
        properties: Body = {
            "provisioningOperation": "Create",
            "provisioningState": state,
            "targetResource": _identify(where),
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
    """Delete a deployment; its resources stay. Azure takes a moment (assumed: none)."""
    deployment = lab.world.get(_build_id(group, name))
    if deployment is None:
        return Answer(204)
    raise_if_refused(_validate_inactive(lab, deployment))
    lab.world.remove(deployment.id)
    lab.world.notify_listeners()
    return Answer(204)
