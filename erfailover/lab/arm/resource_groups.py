"""Resource groups: created at once, deleted with their contents.

Owns the verbs of resource groups. Recorded: PUT answers at once; DELETE answers 202 with
``Location``, which ends in 200 with an empty body.
"""

from __future__ import annotations

from erfailover.lab.arm.writes import find_group, raise_if_refused
from erfailover.lab.core import errors, ids
from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.arm_url import Target
from erfailover.lab.core.errors import Refusal, RefusalError
from erfailover.lab.core.operations import Operation
from erfailover.lab.core.protocol import Answer, Request, build_operation_headers, parse_body
from erfailover.lab.core.world import Body, Resource
from erfailover.lab.engine.cloud import Cloud
from erfailover.lab.engine.completion import DELETION_ORDER
from erfailover.lab.providers import rules
from erfailover.lab.providers.bodies import to_location_name
from erfailover.lab.providers.regions import REGIONS
from erfailover.lab.providers.shapes import find_fault

LONGEST_NAME = 90
"""Characters that a group's name may have (published: resource name rules)."""


def handle(lab: Cloud, request: Request, target: Target) -> Answer:
    """Answer GET, HEAD, PUT, PATCH and DELETE of a group.

    Published (resource name rules): letters and digits of any alphabet, and ``-.()_``.
    """
    wrong = "".join(
        character for character in target.group if not (character.isalnum() or character in "-.()_")
    )
    if wrong:
        raise RefusalError(errors.group_name_invalid(target.group, wrong))
    match request.method:
        case "PUT":
            return _put(lab, request, target)
        case "GET":
            return Answer(200, find_group(lab, target).body)
        case "HEAD":
            exists = lab.world.get(_build_id(target)) is not None
            return Answer(204 if exists else 404)
        case "PATCH":
            return _patch(lab, request, target)
        case "DELETE":
            return _delete(lab, request, target)
        case _:
            raise RefusalError(errors.method_not_allowed(request.method, rt.GROUP))


def list_(lab: Cloud, target: Target) -> Answer:
    """Answer a list of a subscription's groups."""
    groups = [
        group.body
        for group in lab.world.iter_by_type(rt.GROUP)
        if group.id.subscription == target.subscription
    ]
    return Answer(200, {"value": groups})


def _build_id(target: Target) -> ids.ResourceId:
    return ids.ResourceId(target.subscription, target.group, "", (), ())


def _put(lab: Cloud, request: Request, target: Target) -> Answer:
    body = parse_body(request)
    wrong = find_fault(body, {})
    if wrong is not None:
        raise RefusalError(errors.content_invalid(wrong))
    if len(target.group) > LONGEST_NAME or target.group.endswith("."):
        raise RefusalError(errors.name_invalid(target.group))
    location = body.get("location")
    if not location:
        raise RefusalError(errors.location_missing())
    name = to_location_name(location)
    if not name.isalnum():
        raise RefusalError(errors.location_invalid(location))
    if name not in REGIONS:
        raise RefusalError(errors.location_not_available(location, REGIONS))
    existing = lab.world.get(_build_id(target))
    if existing is not None and existing.state == "Deleting":
        raise RefusalError(errors.group_being_deleted(target.group))
    if existing is not None and existing.body["location"] != name:
        raise RefusalError(
            errors.location_changed(_build_id(target), existing.body["location"], name)
        )
    old: Body = existing.body if existing is not None else {}
    new: Body = {
        "id": old.get("id", str(_build_id(target))),
        "name": old.get("name", target.group),
        "type": rt.GROUP,
        "location": name,
    }
    if isinstance(body.get("tags"), dict):
        new["tags"] = dict(body["tags"])
    new["properties"] = {"provisioningState": "Succeeded"}
    resource = existing or Resource(_build_id(target), new)
    resource.body, resource.active = new, new
    if existing is None:
        lab.world.add(resource)
    lab.world.notify_listeners()
    return Answer(200 if existing is not None else 201, new)


def _patch(lab: Cloud, request: Request, target: Target) -> Answer:
    body = parse_body(request)
    group = find_group(lab, target)
    wrong = find_fault(body, {})
    if wrong is not None:
        raise RefusalError(errors.content_invalid(wrong))
    if isinstance(body.get("tags"), dict):
        group.body["tags"] = dict(body["tags"])
        lab.world.notify_listeners()
    return Answer(200, group.body)


def _delete(lab: Cloud, request: Request, target: Target) -> Answer:
    group = find_group(lab, target)
    raise_if_refused(rules.validate_idle(lab.context, group.id))
    name = ids.to_key(group.id)
    inside = [
        resource
        for resource in lab.world.resources.values()
        if ids.to_key(resource.id.group) == name
    ]
    raise_if_refused(_validate_delete(lab, target, inside))
    types = {member.id.type for member in inside if member.id.type in DELETION_ORDER}
    one_by_one_s = sum(
        lab.durations.draw_seconds(type_, "delete", resource=name) for type_ in sorted(types)
    )
    duration_s = max(lab.durations.draw_seconds(rt.GROUP, "delete", resource=name), one_by_one_s)
    operation = Operation(
        id=lab.generator.make_guid(),
        name="DeleteResourceGroup",
        type=rt.GROUP,
        subscription=target.subscription,
        location=group.body["location"],
        effect="group",
        started=lab.world.now,
        ends=lab.world.now + duration_s,
        deletes=tuple(ids.to_key(member.id) for member in (group, *inside) if member is not None),
    )
    for member in (group, *inside):
        member.properties["provisioningState"] = "Deleting"
    lab.operations.start(operation)
    lab.world.notify_listeners()
    headers = build_operation_headers(
        request, operation, lab.speed, asynchronous=False, location=True
    )
    return Answer(202, None, headers)


def _validate_delete(lab: Cloud, target: Target, inside: list[Resource]) -> Refusal | None:
    """Return the refusal if a resource outside the group uses one inside (recorded code).

    Azure reports it at the end; the lab reports it at once (assumed). Peerings never block.
    """
    own = {ids.to_key(member.id) for member in inside}
    for member in inside:
        for user in lab.references.find_users(member.id):
            if user.path != "remoteVirtualNetwork" and ids.to_key(user.source) not in own:
                return Refusal(
                    409,
                    "ResourceGroupDeletionBlocked",
                    f"Deletion of resource group '{target.group}' failed as resources with "
                    f"identifiers '{member.id.type}/{member.id.name}' could not be deleted: it is "
                    f"used by {user.source}.",
                )
    return None
