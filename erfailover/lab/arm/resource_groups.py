"""Resource groups: made at once, deleted with everything in them.

Owns the verbs of resource groups. Recorded: PUT answers at once; DELETE answers 202 with
``Location``, which ends in 200 with an empty body.
"""

from __future__ import annotations

from erfailover.lab.arm.writes import find_group, refuse
from erfailover.lab.core import errors, ids
from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.arm_url import Target
from erfailover.lab.core.errors import Refusal, Refused
from erfailover.lab.core.operations import Operation
from erfailover.lab.core.protocol import Answer, Request, operation_headers, parse_body
from erfailover.lab.core.world import Body, Resource
from erfailover.lab.engine.cloud import Cloud
from erfailover.lab.engine.completion import DELETION_ORDER
from erfailover.lab.providers import rules
from erfailover.lab.providers.bodies import location_name
from erfailover.lab.providers.regions import REGIONS
from erfailover.lab.providers.shapes import fault

LONGEST_NAME = 90
"""Characters that a group's name may have (published: resource name rules)."""


def handle(lab: Cloud, request: Request, target: Target) -> Answer:
    """GET, HEAD, PUT, PATCH and DELETE of one group.

    Published (resource name rules): letters and digits of any alphabet, and ``-.()_``.
    """
    wrong = "".join(each for each in target.group if not (each.isalnum() or each in "-.()_"))
    if wrong:
        raise Refused(errors.group_name_invalid(target.group, wrong))
    match request.method:
        case "PUT":
            return _put(lab, request, target)
        case "GET":
            return Answer(200, find_group(lab, target).body)
        case "HEAD":
            known = lab.world.get(_id(target)) is not None
            return Answer(204 if known else 404)
        case "PATCH":
            return _patch(lab, request, target)
        case "DELETE":
            return _delete(lab, request, target)
        case _:
            raise Refused(errors.method_not_allowed(request.method, rt.GROUP))


def list_(lab: Cloud, target: Target) -> Answer:
    """Every group of a subscription."""
    found = [
        each.body
        for each in lab.world.of_type(rt.GROUP)
        if each.id.subscription == target.subscription
    ]
    return Answer(200, {"value": found})


def _id(target: Target) -> ids.ResourceId:
    return ids.ResourceId(target.subscription, target.group, "", (), ())


def _put(lab: Cloud, request: Request, target: Target) -> Answer:
    body = parse_body(request)
    wrong = fault(body, {})
    if wrong is not None:
        raise Refused(errors.content_invalid(wrong))
    if len(target.group) > LONGEST_NAME or target.group.endswith("."):
        raise Refused(errors.name_invalid(target.group))
    location = body.get("location")
    if not location:
        raise Refused(errors.location_missing())
    name = location_name(location)
    if not name.isalnum():
        raise Refused(errors.location_invalid(location))
    if name not in REGIONS:
        raise Refused(errors.location_not_available(location, REGIONS))
    existing = lab.world.get(_id(target))
    if existing is not None and existing.state == "Deleting":
        raise Refused(errors.group_being_deleted(target.group))
    if existing is not None and existing.body["location"] != name:
        raise Refused(errors.location_changed(_id(target), existing.body["location"], name))
    kept: Body = existing.body if existing is not None else {}
    new: Body = {
        "id": kept.get("id", str(_id(target))),
        "name": kept.get("name", target.group),
        "type": rt.GROUP,
        "location": name,
    }
    if isinstance(body.get("tags"), dict):
        new["tags"] = dict(body["tags"])
    new["properties"] = {"provisioningState": "Succeeded"}
    resource = existing or Resource(_id(target), new)
    resource.body, resource.active = new, new
    if existing is None:
        lab.world.add(resource)
    lab.world.changed()
    return Answer(200 if existing is not None else 201, new)


def _patch(lab: Cloud, request: Request, target: Target) -> Answer:
    body = parse_body(request)
    group = find_group(lab, target)
    wrong = fault(body, {})
    if wrong is not None:
        raise Refused(errors.content_invalid(wrong))
    if isinstance(body.get("tags"), dict):
        group.body["tags"] = dict(body["tags"])
        lab.world.changed()
    return Answer(200, group.body)


def _delete(lab: Cloud, request: Request, target: Target) -> Answer:
    group = find_group(lab, target)
    refuse(rules.held(lab.scene, group.id))
    name = ids.key(group.id)
    inside = [each for each in lab.world.resources.values() if ids.key(each.id.group) == name]
    refuse(_blocked(lab, target, inside))
    types = {each.id.type for each in inside if each.id.type in DELETION_ORDER}
    one_by_one_s = sum(
        lab.durations.seconds(type_, "delete", resource=name) for type_ in sorted(types)
    )
    duration_s = max(lab.durations.seconds(rt.GROUP, "delete", resource=name), one_by_one_s)
    operation = Operation(
        id=lab.fresh.guid(),
        name="DeleteResourceGroup",
        type=rt.GROUP,
        subscription=target.subscription,
        location=group.body["location"],
        effect="group",
        started=lab.world.now,
        ends=lab.world.now + duration_s,
        deletes=tuple(ids.key(each.id) for each in (group, *inside) if each is not None),
    )
    for each in (group, *inside):
        each.properties["provisioningState"] = "Deleting"
    lab.operations.start(operation)
    lab.world.changed()
    headers = operation_headers(request, operation, lab.speed, asynchronous=False, location=True)
    return Answer(202, None, headers)


def _blocked(lab: Cloud, target: Target, inside: list[Resource]) -> Refusal | None:
    """A resource of the group that one outside of it uses (recorded code, at the end of a poll).

    Azure finds out at the end; the lab says so at once (assumed). Peerings never block.
    """
    own = {ids.key(each.id) for each in inside}
    for each in inside:
        for user in lab.references.users(each.id):
            if user.path != "remoteVirtualNetwork" and ids.key(user.source) not in own:
                return Refusal(
                    409,
                    "ResourceGroupDeletionBlocked",
                    f"Deletion of resource group '{target.group}' failed as resources with "
                    f"identifiers '{each.id.type}/{each.id.name}' could not be deleted: it is "
                    f"used by {user.source}.",
                )
    return None
