"""GET of resources, lists and operations.

Owns the answers to reads; it changes nothing but an operation's count of polls.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial

from erfailover.lab.arm.odata import expand, find_ip_configuration
from erfailover.lab.arm.writes import find_group
from erfailover.lab.core import errors, ids, timing
from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.arm_url import Target
from erfailover.lab.core.errors import RefusalError
from erfailover.lab.core.operations import Operation
from erfailover.lab.core.protocol import (
    Answer,
    Request,
    build_operation_headers,
    build_operation_url,
    build_retry_headers,
)
from erfailover.lab.core.world import Body, Resource
from erfailover.lab.engine.cloud import Cloud
from erfailover.lab.engine.instance_view import build_instance_view
from erfailover.lab.providers import presentation
from erfailover.lab.providers.registry import PROVIDERS

_FILTER = re.compile(r"(resourceType|name|resourceGroup)\s+eq\s+'([^']*)'", re.IGNORECASE)


def find(lab: Cloud, target: Target) -> Resource:
    """Return the resource of a URL; raise if it, its parent or its group does not exist."""
    assert target.id is not None
    resource = lab.world.get(target.id)
    if resource is not None:
        return resource
    find_group(lab, target)
    parent = target.id.parent
    if parent is None:
        raise RefusalError(errors.resource_not_found(target.id, lab.today))
    if lab.world.get(parent) is None:
        raise RefusalError(errors.resource_not_found(parent, lab.today))
    raise RefusalError(errors.child_not_found(target.id))


def get(lab: Cloud, request: Request, target: Target) -> Answer:
    """Answer a GET of a resource."""
    resource = find(lab, target)
    body = presentation.present_resource(lab.context, lab.plane, resource)
    if resource.id.type == rt.VM and "instanceview" in request.query.get("$expand", "").lower():
        body["properties"]["instanceView"] = build_instance_view(lab, resource)
    else:
        expand(body, request.query.get("$expand", ""), partial(_present_by_id, lab))
    headers = {}
    if "etag" in body and PROVIDERS[resource.id.type].etag_header:
        headers["ETag"] = body["etag"]  # recorded: not for gateways and connections
    return Answer(200, body, headers)


def _present_by_id(lab: Cloud, resource_id: str) -> Body | None:
    resource = lab.world.get(resource_id)
    if resource is not None:
        return presentation.present_resource(lab.context, lab.plane, resource)
    return find_ip_configuration(lab.world, resource_id)


def list_(lab: Cloud, target: Target) -> Answer:
    """Answer a list of one type: in a subscription, in a group, or below a parent."""
    assert target.type is not None
    if target.id is None:
        resources: Iterable[Resource] = (
            resource
            for resource in lab.world.iter_by_type(target.type.type)
            if resource.id.subscription == target.subscription
        )
    elif target.id.names:
        find_group(lab, target)
        if lab.world.get(target.id) is None:
            raise RefusalError(errors.resource_not_found(target.id))
        resources = lab.world.list_children(target.id, target.type.collection)
    else:
        find_group(lab, target)
        group = ids.to_key(target.id)
        resources = (
            resource
            for resource in lab.world.iter_by_type(target.type.type)
            if ids.to_key(resource.id.group) == group
        )
    # Reported: connectionStatus is in no list.
    rows = [
        presentation.present_resource(lab.context, lab.plane, resource, read=False)
        for resource in resources
    ]
    return Answer(200, {"value": rows})


def list_connections(lab: Cloud, target: Target) -> Answer:
    """Answer a list of a gateway's connections, in any group (published; without status)."""
    connections = lab.context.list_connections(find(lab, target).id)
    rows = [
        presentation.present_resource(lab.context, lab.plane, resource, read=False)
        for resource in connections
    ]
    return Answer(200, {"value": rows})


def list_resources(lab: Cloud, request: Request, target: Target) -> Answer:
    """Answer a list of all resources of a subscription or group, filtered by ``$filter``."""
    if target.group:
        find_group(lab, target)
    text = request.query.get("$filter", "")
    criteria = {name.lower(): value.lower() for name, value in _FILTER.findall(text)}
    if text and len(criteria) != len(re.findall(r"\beq\b", text)):
        raise RefusalError(errors.not_modelled(f"the filter {text}"))
    rows: list[Body] = []
    for resource in lab.world.resources.values():
        provider = PROVIDERS.get(resource.type)
        if (
            provider is None
            or not provider.is_tracked
            or resource.id.subscription != target.subscription
        ):
            continue
        if target.group and resource.id.resource_group.lower() != target.group.lower():
            continue
        if criteria.get("resourcetype", resource.type) != resource.type:
            continue
        if criteria.get("name", resource.id.name.lower()) != resource.id.name.lower():
            continue
        row = {key: resource.body[key] for key in ("id", "name", "type", "location")}
        if resource.body.get("tags"):
            row["tags"] = resource.body["tags"]
        if resource.body.get("sku"):
            row["sku"] = resource.body["sku"]
        rows.append(row)
    return Answer(200, {"value": rows})


def poll_operation(lab: Cloud, request: Request, target: Target) -> Answer:
    """Answer a poll of ``Azure-AsyncOperation``."""
    operation = _find_operation(lab, target)
    compute = operation.type.startswith("Microsoft.Compute")
    if compute and request.query.get("monitor"):
        return poll_operation_result(lab, request, target)
    body: Body = {"status": operation.status}
    if compute:
        body = {"startTime": lab.format_timestamp(operation.started), **body, "name": operation.id}
        if operation.is_done:
            body["endTime"] = lab.format_timestamp(operation.ends)
            if operation.result is not None:
                body["properties"] = {"output": operation.result}
    elif operation.is_done and operation.action.endswith("reset"):
        body["properties"] = {}  # recorded
    if operation.error is not None:
        body["error"] = operation.error
    return Answer(200, body, _build_poll_headers(lab, operation))


def _build_poll_headers(lab: Cloud, operation: Operation) -> dict[str, str]:
    if operation.is_done:
        return {}
    if operation.type.startswith("Microsoft.Compute") and lab.speed in {None, 1}:
        return _build_machine_poll_headers(operation)
    seconds = timing.get_poll_retry_after_s(operation.type, operation.polls)
    operation.polls += 1
    return build_retry_headers(seconds, lab.speed)


def _build_machine_poll_headers(operation: Operation) -> dict[str, str]:
    """Return the estimate of a machine's first poll (recorded), as headers."""
    operation.polls += 1
    long = operation.effect == "delete" or operation.arguments.get("verb") == "create"
    return {"Retry-After": str(timing.MACHINE_ESTIMATE_S)} if long and operation.polls == 1 else {}


def poll_operation_result(lab: Cloud, request: Request, target: Target) -> Answer:
    """Answer a poll of ``Location``: 202 until the operation ends, then its result."""
    operation = _find_operation(lab, target)
    action_read = operation.effect == "action" and not operation.action.endswith("reset")
    if not operation.is_done:
        headers = _build_poll_headers(lab, operation)
        headers["Location"] = build_operation_url(request, operation, "operationResults")
        return Answer(202, None, headers)
    if operation.error is not None:
        status = 409 if operation.effect == "group" else 400
        return Answer(status, {"error": operation.error}, code=str(operation.error.get("code")))
    if operation.effect == "group" or (operation.effect == "delete" and operation.type == rt.VM):
        return Answer(200)  # recorded: all else ends in 204
    headers = build_operation_headers(
        request, operation, lab.speed, asynchronous=not action_read, location=True
    )
    for name in ("Retry-After", "x-ms-retry-after-ms"):
        headers.pop(name, None)
    if operation.type == rt.VM:
        headers = {}  # recorded
    return Answer(operation.result_status, operation.result, headers)


def _find_operation(lab: Cloud, target: Target) -> Operation:
    operation = lab.operations.get(target.name)
    if operation is None or operation.subscription != target.subscription:
        text = f"The operation '{target.name}' could not be found."
        raise RefusalError(errors.Refusal(404, "OperationNotFound", text))
    return operation
