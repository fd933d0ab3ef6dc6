"""GET of resources, lists and operations.

Owns the answers to reads; it changes nothing but an operation's count of polls.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial

from erfailover.lab.arm.odata import expand, ip_configuration
from erfailover.lab.arm.writes import find_group
from erfailover.lab.core import errors, ids, timing
from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.arm_url import Target
from erfailover.lab.core.errors import Refused
from erfailover.lab.core.operations import Operation
from erfailover.lab.core.protocol import (
    Answer,
    Request,
    operation_headers,
    operation_url,
    retry_headers,
)
from erfailover.lab.core.world import Body, Resource
from erfailover.lab.engine.cloud import Cloud
from erfailover.lab.engine.instance_view import instance_view
from erfailover.lab.providers import presentation
from erfailover.lab.providers.registry import PROVIDERS

_FILTER = re.compile(r"(resourceType|name|resourceGroup)\s+eq\s+'([^']*)'", re.IGNORECASE)


def find(lab: Cloud, target: Target) -> Resource:
    """The resource of an item's URL; refuses where it, its parent or its group is not there."""
    assert target.id is not None
    found = lab.world.get(target.id)
    if found is not None:
        return found
    find_group(lab, target)
    parent = target.id.parent
    if parent is None:
        raise Refused(errors.resource_not_found(target.id, lab.today))
    if lab.world.get(parent) is None:
        raise Refused(errors.resource_not_found(parent, lab.today))
    raise Refused(errors.child_not_found(target.id))


def get(lab: Cloud, request: Request, target: Target) -> Answer:
    """One resource."""
    resource = find(lab, target)
    body = presentation.shown(lab.scene, lab.bgp, resource)
    if resource.id.type == rt.VM and "instanceview" in request.query.get("$expand", "").lower():
        body["properties"]["instanceView"] = instance_view(lab, resource)
    else:
        expand(body, request.query.get("$expand", ""), partial(_expanded, lab))
    headers = {}
    if "etag" in body and PROVIDERS[resource.id.type].etag_header:
        headers["ETag"] = body["etag"]  # recorded: not for gateways and connections
    return Answer(200, body, headers)


def _expanded(lab: Cloud, resource_id: str) -> Body | None:
    found = lab.world.get(resource_id)
    if found is not None:
        return presentation.shown(lab.scene, lab.bgp, found)
    return ip_configuration(lab.world, resource_id)


def list_(lab: Cloud, target: Target) -> Answer:
    """The resources of a type: in a subscription, in a group, or below a parent."""
    assert target.type is not None
    if target.id is None:
        found: Iterable[Resource] = (
            each
            for each in lab.world.of_type(target.type.type)
            if each.id.subscription == target.subscription
        )
    elif target.id.names:
        find_group(lab, target)
        if lab.world.get(target.id) is None:
            raise Refused(errors.resource_not_found(target.id))
        found = lab.world.children(target.id, target.type.collection)
    else:
        find_group(lab, target)
        group = ids.key(target.id)
        found = (
            each for each in lab.world.of_type(target.type.type) if ids.key(each.id.group) == group
        )
    # Reported: connectionStatus is in no list.
    rows = [presentation.shown(lab.scene, lab.bgp, each, read=False) for each in found]
    return Answer(200, {"value": rows})


def connections(lab: Cloud, target: Target) -> Answer:
    """The connections of a gateway, in whichever group (published; without their status)."""
    found = lab.scene.connections(find(lab, target).id)
    rows = [presentation.shown(lab.scene, lab.bgp, each, read=False) for each in found]
    return Answer(200, {"value": rows})


def list_resources(lab: Cloud, request: Request, target: Target) -> Answer:
    """All resources of a subscription or a group, by ``$filter``, as ARM lists them."""
    if target.group:
        find_group(lab, target)
    text = request.query.get("$filter", "")
    wanted = {name.lower(): value.lower() for name, value in _FILTER.findall(text)}
    if text and len(wanted) != len(re.findall(r"\beq\b", text)):
        raise Refused(errors.not_modelled(f"the filter {text}"))
    rows: list[Body] = []
    for each in lab.world.resources.values():
        known = PROVIDERS.get(each.type)
        if known is None or not known.tracked or each.id.subscription != target.subscription:
            continue
        if target.group and each.id.resource_group.lower() != target.group.lower():
            continue
        if wanted.get("resourcetype", each.type) != each.type:
            continue
        if wanted.get("name", each.id.name.lower()) != each.id.name.lower():
            continue
        row = {key: each.body[key] for key in ("id", "name", "type", "location")}
        if each.body.get("tags"):
            row["tags"] = each.body["tags"]
        if each.body.get("sku"):
            row["sku"] = each.body["sku"]
        rows.append(row)
    return Answer(200, {"value": rows})


def operation(lab: Cloud, request: Request, target: Target) -> Answer:
    """A poll of ``Azure-AsyncOperation``."""
    found = _operation(lab, target)
    compute = found.type.startswith("Microsoft.Compute")
    if compute and request.query.get("monitor"):
        return operation_result(lab, request, target)
    body: Body = {"status": found.status}
    if compute:
        body = {"startTime": lab.timestamp(found.started), **body, "name": found.id}
        if found.done:
            body["endTime"] = lab.timestamp(found.ends)
            if found.result is not None:
                body["properties"] = {"output": found.result}
    elif found.done and found.action.endswith("reset"):
        body["properties"] = {}  # recorded
    if found.error is not None:
        body["error"] = found.error
    return Answer(200, body, _poll_headers(lab, found))


def _poll_headers(lab: Cloud, found: Operation) -> dict[str, str]:
    if found.done:
        return {}
    if found.type.startswith("Microsoft.Compute") and lab.speed in {None, 1}:
        return _machine_poll_headers(found)
    seconds = timing.poll_retry_after_s(found.type, found.polls)
    found.polls += 1
    return retry_headers(seconds, lab.speed)


def _machine_poll_headers(found: Operation) -> dict[str, str]:
    """The first poll of a machine's creation or deletion carries an estimate (recorded)."""
    found.polls += 1
    long = found.effect == "delete" or found.arguments.get("verb") == "create"
    return {"Retry-After": str(timing.MACHINE_ESTIMATE_S)} if long and found.polls == 1 else {}


def operation_result(lab: Cloud, request: Request, target: Target) -> Answer:
    """A poll of ``Location``: 202 while under way, then what the operation ends with."""
    found = _operation(lab, target)
    action_read = found.effect == "action" and not found.action.endswith("reset")
    if not found.done:
        headers = _poll_headers(lab, found)
        headers["Location"] = operation_url(request, found, "operationResults")
        return Answer(202, None, headers)
    if found.error is not None:
        status = 409 if found.effect == "group" else 400
        return Answer(status, {"error": found.error}, code=str(found.error.get("code")))
    if found.effect == "group" or (found.effect == "delete" and found.type == rt.VM):
        return Answer(200)  # recorded: all else ends in 204
    headers = operation_headers(
        request, found, lab.speed, asynchronous=not action_read, location=True
    )
    for name in ("Retry-After", "x-ms-retry-after-ms"):
        headers.pop(name, None)
    if found.type == rt.VM:
        headers = {}  # recorded
    return Answer(found.result_status, found.result, headers)


def _operation(lab: Cloud, target: Target) -> Operation:
    found = lab.operations.get(target.name)
    if found is None or found.subscription != target.subscription:
        text = f"The operation '{target.name}' could not be found."
        raise Refused(errors.Refusal(404, "OperationNotFound", text))
    return found
