"""PUT, PATCH and DELETE of resources: check, accept, and start the operation.

Owns the way a write takes from its request to its first answer. Refusals are the rules'
business; what happens when the operation ends is ``completion``'.
"""

from __future__ import annotations

import copy

from erfailover.lab.core import errors, ids, timing
from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.arm_url import Target, valid_name
from erfailover.lab.core.errors import Refused
from erfailover.lab.core.operations import Operation
from erfailover.lab.core.protocol import Answer, Request, notifies, operation_headers, parse_body
from erfailover.lab.core.world import Body, Resource
from erfailover.lab.engine.cloud import Cloud
from erfailover.lab.providers import defaults, presentation, rules, shapes
from erfailover.lab.providers.bodies import Draft, location_name
from erfailover.lab.providers.provider import Plan
from erfailover.lab.providers.registry import PROVIDERS


def resource_id(target: Target) -> ids.ResourceId:
    """The id that an item's URL addresses."""
    assert target.id is not None
    return target.id


def find_group(lab: Cloud, target: Target) -> Resource:
    """The resource group of a target; refuses where it is not there."""
    group = lab.world.get(ids.ResourceId(target.subscription, target.group, "", (), ()))
    if group is None:
        raise Refused(errors.group_not_found(target.group))
    return group


def refuse(refusal: errors.Refusal | None) -> None:
    """Raise a refusal where there is one."""
    if refusal is not None:
        raise Refused(refusal)


def put(lab: Cloud, request: Request, target: Target) -> Answer:
    """Create or update a resource."""
    assert target.type is not None
    where, body = resource_id(target), parse_body(request)
    if not all(valid_name(name) for name in where.names):
        raise Refused(errors.name_invalid(where.name))
    group = find_group(lab, target)
    if group.state == "Deleting":
        raise Refused(errors.group_being_deleted(target.group))
    if where.parent is not None and lab.world.get(where.parent) is None:
        raise Refused(errors.parent_not_found(where))
    wrong = shapes.fault(body, PROVIDERS[where.type].shape)
    if wrong is not None:
        raise Refused(errors.format_invalid(wrong))
    existing = lab.world.get(where)
    _check_place(target.type, where, body, existing)
    _check_etag(request, existing, where)
    plan = _plan(lab, request, where, body, existing)
    _check(lab, request, plan)
    return _accept(lab, request, plan)


def _check_place(
    type_: rt.ResourceType, where: ids.ResourceId, body: Body, existing: Resource | None
) -> None:
    if not type_.tracked:
        return
    location = body.get("location")
    if not location:
        raise Refused(errors.location_missing())
    name = location_name(str(location))
    if not name.isalnum():
        raise Refused(errors.location_invalid(str(location)))
    if existing is not None and existing.body.get("location") != name:
        raise Refused(errors.location_changed(where, existing.body["location"], name))


def _check_etag(request: Request, existing: Resource | None, where: ids.ResourceId) -> None:
    wanted = request.headers.get("If-Match", "")
    if wanted and wanted != "*" and (existing is None or existing.body.get("etag") != wanted):
        raise Refused(errors.etag_mismatch(str(where)))
    if request.headers.get("If-None-Match") == "*" and existing is not None:
        raise Refused(errors.etag_mismatch(str(where)))


def _plan(
    lab: Cloud, request: Request, where: ids.ResourceId, body: Body, existing: Resource | None
) -> Plan:
    query = request.query
    plan = Plan(defaults.complete(where, body, existing, lab.fresh, query), existing)
    for child_type, named in plan.draft.children.items():
        if not all(valid_name(child_id.name) for child_id, _ in named):
            raise Refused(errors.name_invalid("of a child"))
        for child_id, child in named:
            known = lab.world.get(child_id)
            draft = defaults.complete(child_id, child, known, lab.fresh, query)
            plan.children.append((draft, known))
        kept = {ids.key(child_id) for child_id, _ in named}
        present = lab.world.children(where, child_type.rsplit("/", 1)[1])
        plan.dropped += [each for each in present if ids.key(each.id) not in kept]
    return plan


def _check(lab: Cloud, request: Request, plan: Plan) -> None:
    scene, where = lab.scene, plan.draft.id
    refuse(rules.held(scene, where, _operations_uri(lab, request, where)))
    for draft, known in ((plan.draft, plan.existing), *plan.children):
        refuse(rules.references_refused(scene, PROVIDERS, draft.id, draft.body))
        provider = PROVIDERS[draft.id.type]
        provider.prepare(scene, draft, known)
        refuse(provider.validate(scene, draft, known))
    refuse(PROVIDERS[where.type].validate_plan(scene, plan))
    for each in plan.dropped:
        refuse(PROVIDERS[each.id.type].validate_delete(scene, each))


def _operations_uri(lab: Cloud, request: Request, where: ids.ResourceId) -> str:
    owner = lab.world.get(where.parent) if where.parent else None
    place = owner.body.get("location", "") if owner else ""
    return (
        f"{request.base}/subscriptions/{where.subscription}/providers/{where.provider}"
        f"/locations/{place}/operations/"
    )


def _accept(lab: Cloud, request: Request, plan: Plan) -> Answer:
    where, existing = plan.draft.id, plan.existing
    type_, provider = where.type, PROVIDERS[where.type]
    first_s = timing.first_answer_s(type_, "PUT")
    unchanged = existing is not None and _unchanged(plan) and not provider.slow_without_change
    verb = "create" if existing is None else "update"
    size = _size(plan.draft.body)
    duration_s = 0.0 if unchanged else lab.durations.seconds(type_, verb, size, ids.key(where))
    now = lab.world.now
    resource = _store(lab, plan)
    operation = Operation(
        id=lab.fresh.guid(),
        name=f"Put{provider.noun}Operation",
        type=type_,
        subscription=where.subscription,
        location=_place(lab, resource),
        effect="write",
        started=now,
        ends=now + first_s + duration_s,
        writes=(ids.key(where), *(ids.key(draft.id) for draft, _ in plan.children)),
        deletes=tuple(ids.key(each.id) for each in plan.dropped),
        locks=(ids.key(where.parent),) if where.parent else (),
        secrets={ids.key(where): plan.draft.secrets},
        notifies=notifies(type_, verb, lab.today),
        arguments={"verb": verb},
    )
    at_once = unchanged or provider.is_instant(lab.scene, plan.draft)
    if at_once and lab.operations.doom is None:
        lab.operations.start(operation)
        lab.operations.end(operation.id)
    else:
        _lock_parent(lab, where)
        lab.operations.start(operation)
    lab.world.changed()
    body = presentation.shown(lab.scene, lab.bgp, resource, read=False)
    headers = operation_headers(request, operation, lab.speed)
    if type_ == rt.VM and verb == "update":
        headers.pop("Retry-After", None)  # recorded
    return Answer(201 if existing is None else 200, body, headers, pause_s=first_s)


def _lock_parent(lab: Cloud, where: ids.ResourceId) -> None:
    parent = lab.world.get(where.parent) if where.parent else None
    if parent is not None:
        parent.properties["provisioningState"] = "Updating"


def _store(lab: Cloud, plan: Plan) -> Resource:
    for draft, known in plan.children:
        _store_one(lab, draft, known)
    return _store_one(lab, plan.draft, plan.existing, first=True)


def _store_one(
    lab: Cloud, draft: Draft, known: Resource | None, *, first: bool = False
) -> Resource:
    if known is None:
        resource = Resource(draft.id, draft.body)
        if first:
            resource.hidden.update(draft.secrets)
        lab.world.add(resource)
    else:
        resource = known
        resource.body = draft.body
    lab.references.put(resource)
    return resource


def _unchanged(plan: Plan) -> bool:
    pairs = ((plan.draft, plan.existing), *plan.children)
    return not plan.dropped and all(
        known is not None and known.active is not None and _same(draft.body, known.active)
        for draft, known in pairs
    )


def _same(new: Body, old: Body) -> bool:
    return _plain(new) == _plain(old)


def _plain(body: Body) -> Body:
    """A body without what every write changes; tags may change without an update."""
    kept = {key: value for key, value in body.items() if key not in {"etag", "tags"}}
    properties = copy.copy(body["properties"])
    properties.pop("provisioningState", None)
    if "ipConfigurations" in properties:
        properties["ipConfigurations"] = [
            {
                key: {k: v for k, v in value.items() if k != "provisioningState"}
                if key == "properties"
                else value
                for key, value in each.items()
                if key != "etag"
            }
            for each in properties["ipConfigurations"]
        ]
    kept["properties"] = properties
    return kept


def _size(body: Body) -> str:
    sku = body["properties"].get("sku")
    return str(sku.get("name") or "") if isinstance(sku, dict) else ""


def _place(lab: Cloud, resource: Resource) -> str:
    owner = lab.world.get(resource.id.parent) if resource.id.parent else resource
    return str((owner or resource).body.get("location", ""))


def delete(lab: Cloud, request: Request, target: Target) -> Answer:
    """Delete a resource: 202, or 204 where it is not there."""
    where = resource_id(target)
    find_group(lab, target)
    resource = lab.world.get(where)
    if resource is None:
        if where.parent is not None and lab.world.get(where.parent) is None:
            raise Refused(errors.resource_not_found(where.parent, lab.today))
        return Answer(204)
    _check_etag(request, resource, where)
    scene = lab.scene
    refuse(rules.held(scene, where, _operations_uri(lab, request, where)))
    provider = PROVIDERS[where.type]
    targets = (
        each.target
        for each in scene.references.read(where, resource.body)
        if each.path in provider.idle_on_delete
    )
    refuse(rules.provisioned(scene, where, targets))
    refuse(provider.validate_delete(scene, resource))
    size = _size(resource.body)
    operation = Operation(
        id=lab.fresh.guid(),
        name=f"Delete{provider.noun}Operation",
        type=where.type,
        subscription=where.subscription,
        location=_place(lab, resource),
        effect="delete",
        started=lab.world.now,
        ends=lab.world.now + lab.durations.seconds(where.type, "delete", size, ids.key(where)),
        deletes=(ids.key(where),),
        locks=(ids.key(where.parent),) if where.parent else (),
        notifies=notifies(where.type, "delete", lab.today),
    )
    resource.properties["provisioningState"] = "Deleting"
    _lock_parent(lab, where)
    lab.operations.start(operation)
    lab.world.changed()
    return Answer(202, None, operation_headers(request, operation, lab.speed, location=True))


def patch(lab: Cloud, request: Request, target: Target) -> Answer:
    """Change the tags of a resource: at once, but for a gateway (recorded)."""
    assert target.type is not None
    where, body = resource_id(target), parse_body(request)
    find_group(lab, target)
    resource = lab.world.get(where)
    if resource is None:
        raise Refused(errors.resource_not_found(where, lab.today))
    if not target.type.tracked:
        raise Refused(errors.method_not_allowed("PATCH", where.type))
    wrong = shapes.fault({key: body[key] for key in body if key == "tags"}, {})
    if wrong is not None:
        raise Refused(errors.format_invalid(wrong))
    others = set(body) - {"tags", "id", "name", "type", "location", "etag"}
    if others:
        raise Refused(errors.not_modelled(f"PATCH of {', '.join(sorted(others))}"))
    refuse(rules.held(lab.scene, where))
    if isinstance(body.get("tags"), dict):
        resource.body["tags"] = dict(body["tags"])
        if resource.active is not None:
            resource.active = {**resource.active, "tags": dict(body["tags"])}
    if "etag" in resource.body:
        resource.body["etag"] = lab.fresh.etag()
    if PROVIDERS[where.type].slow_patch:
        _patch_slowly(lab, resource)
    lab.world.changed()
    return Answer(200, presentation.shown(lab.scene, lab.bgp, resource, read=False))


def _patch_slowly(lab: Cloud, resource: Resource) -> None:
    type_, key = resource.id.type, ids.key(resource.id)
    resource.properties["provisioningState"] = "Updating"
    operation = Operation(
        id=lab.fresh.guid(),
        name=f"Put{PROVIDERS[type_].noun}Operation",
        type=type_,
        subscription=resource.id.subscription,
        location=_place(lab, resource),
        effect="write",
        started=lab.world.now,
        ends=lab.world.now + lab.durations.seconds(type_, "patch", "", key),
        writes=(key,),
    )
    lab.operations.start(operation)
