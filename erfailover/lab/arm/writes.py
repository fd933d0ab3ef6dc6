"""PUT, PATCH and DELETE of resources: validate, accept, and start the operation.

Owns a write from its request to its first answer. The rules decide on refusals;
``completion`` applies the effects when the operation ends.
"""

from __future__ import annotations

import copy

from erfailover.lab.core import errors, ids, timing
from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.arm_url import Target, is_valid_name
from erfailover.lab.core.errors import RefusalError
from erfailover.lab.core.operations import Operation
from erfailover.lab.core.protocol import (
    Answer,
    Request,
    build_operation_headers,
    has_notification,
    parse_body,
)
from erfailover.lab.core.world import Body, Resource
from erfailover.lab.engine.cloud import Cloud
from erfailover.lab.providers import defaults, presentation, rules, shapes
from erfailover.lab.providers.bodies import Draft, to_location_name
from erfailover.lab.providers.provider import Plan
from erfailover.lab.providers.registry import PROVIDERS


def get_resource_id(target: Target) -> ids.ResourceId:
    """Return the resource id of a URL."""
    assert target.id is not None
    return target.id


def find_group(lab: Cloud, target: Target) -> Resource:
    """Return the resource group of a target; raise if it does not exist."""
    group = lab.world.get(ids.ResourceId(target.subscription, target.group, "", (), ()))
    if group is None:
        raise RefusalError(errors.group_not_found(target.group))
    return group


def raise_if_refused(refusal: errors.Refusal | None) -> None:
    """Raise a refusal if there is one."""
    if refusal is not None:
        raise RefusalError(refusal)


def put(lab: Cloud, request: Request, target: Target) -> Answer:
    """Create or update a resource."""
    assert target.type is not None
    where, body = get_resource_id(target), parse_body(request)
    if not all(is_valid_name(name) for name in where.names):
        raise RefusalError(errors.name_invalid(where.name))
    group = find_group(lab, target)
    if group.state == "Deleting":
        raise RefusalError(errors.group_being_deleted(target.group))
    if where.parent is not None and lab.world.get(where.parent) is None:
        raise RefusalError(errors.parent_not_found(where))
    wrong = shapes.find_fault(body, PROVIDERS[where.type].shape)
    if wrong is not None:
        raise RefusalError(errors.format_invalid(wrong))
    existing = lab.world.get(where)
    _check_place(target.type, where, body, existing)
    _check_etag(request, existing, where)
    plan = _make_plan(lab, request, where, body, existing)
    _check(lab, request, plan)
    return _accept(lab, request, plan)


def _check_place(
    type_: rt.ResourceType, where: ids.ResourceId, body: Body, existing: Resource | None
) -> None:
    if not type_.is_tracked:
        return
    location = body.get("location")
    if not location:
        raise RefusalError(errors.location_missing())
    name = to_location_name(str(location))
    if not name.isalnum():
        raise RefusalError(errors.location_invalid(str(location)))
    if existing is not None and existing.body.get("location") != name:
        raise RefusalError(errors.location_changed(where, existing.body["location"], name))


def _check_etag(request: Request, existing: Resource | None, where: ids.ResourceId) -> None:
    etag = request.headers.get("If-Match", "")
    if etag and etag != "*" and (existing is None or existing.body.get("etag") != etag):
        raise RefusalError(errors.etag_mismatch(str(where)))
    if request.headers.get("If-None-Match") == "*" and existing is not None:
        raise RefusalError(errors.etag_mismatch(str(where)))


def _make_plan(
    lab: Cloud, request: Request, where: ids.ResourceId, body: Body, existing: Resource | None
) -> Plan:
    query = request.query
    plan = Plan(defaults.complete(where, body, existing, lab.generator, query), existing)
    for child_type, named in plan.draft.children.items():
        if not all(is_valid_name(child_id.name) for child_id, _ in named):
            raise RefusalError(errors.name_invalid("of a child"))
        for child_id, child in named:
            existing_child = lab.world.get(child_id)
            draft = defaults.complete(child_id, child, existing_child, lab.generator, query)
            plan.children.append((draft, existing_child))
        kept_keys = {ids.to_key(child_id) for child_id, _ in named}
        present = lab.world.list_children(where, child_type.rsplit("/", 1)[1])
        plan.dropped += [child for child in present if ids.to_key(child.id) not in kept_keys]
    return plan


def _check(lab: Cloud, request: Request, plan: Plan) -> None:
    context, where = lab.context, plan.draft.id
    raise_if_refused(
        rules.validate_idle(context, where, _build_operations_uri(lab, request, where))
    )
    for draft, existing in ((plan.draft, plan.existing), *plan.children):
        raise_if_refused(rules.validate_references(context, PROVIDERS, draft.id, draft.body))
        provider = PROVIDERS[draft.id.type]
        provider.prepare(context, draft, existing)
        raise_if_refused(provider.validate(context, draft, existing))
    raise_if_refused(PROVIDERS[where.type].validate_plan(context, plan))
    for child in plan.dropped:
        raise_if_refused(PROVIDERS[child.id.type].validate_delete(context, child))


def _build_operations_uri(lab: Cloud, request: Request, where: ids.ResourceId) -> str:
    owner = lab.world.get(where.parent) if where.parent else None
    place = owner.body.get("location", "") if owner else ""
    return (
        f"{request.base}/subscriptions/{where.subscription}/providers/{where.provider}"
        f"/locations/{place}/operations/"
    )


def _accept(lab: Cloud, request: Request, plan: Plan) -> Answer:
    where, existing = plan.draft.id, plan.existing
    type_, provider = where.type, PROVIDERS[where.type]
    first_s = timing.get_first_answer_s(type_, "PUT")
    unchanged = existing is not None and _is_unchanged(plan) and not provider.slow_without_change
    verb = "create" if existing is None else "update"
    size = _get_size(plan.draft.body)
    duration_s = (
        0.0 if unchanged else lab.durations.draw_seconds(type_, verb, size, ids.to_key(where))
    )
    now = lab.world.now
    resource = _store(lab, plan)
    operation = Operation(
        id=lab.generator.make_guid(),
        name=f"Put{provider.noun}Operation",
        type=type_,
        subscription=where.subscription,
        location=_get_location(lab, resource),
        effect="write",
        started=now,
        ends=now + first_s + duration_s,
        writes=(ids.to_key(where), *(ids.to_key(draft.id) for draft, _ in plan.children)),
        deletes=tuple(ids.to_key(child.id) for child in plan.dropped),
        locks=(ids.to_key(where.parent),) if where.parent else (),
        secrets={ids.to_key(where): plan.draft.secrets},
        notifies=has_notification(type_, verb, lab.today),
        arguments={"verb": verb},
    )
    at_once = unchanged or provider.is_instant(lab.context, plan.draft)
    if at_once and lab.operations.injected is None:
        lab.operations.start(operation)
        lab.operations.end(operation.id)
    else:
        _lock_parent(lab, where)
        lab.operations.start(operation)
    lab.world.notify_listeners()
    body = presentation.present_resource(lab.context, lab.plane, resource, read=False)
    headers = build_operation_headers(request, operation, lab.speed)
    if type_ == rt.VM and verb == "update":
        headers.pop("Retry-After", None)  # recorded
    return Answer(201 if existing is None else 200, body, headers, pause_s=first_s)


def _lock_parent(lab: Cloud, where: ids.ResourceId) -> None:
    parent = lab.world.get(where.parent) if where.parent else None
    if parent is not None:
        parent.properties["provisioningState"] = "Updating"


def _store(lab: Cloud, plan: Plan) -> Resource:
    for draft, existing in plan.children:
        _store_one(lab, draft, existing)
    return _store_one(lab, plan.draft, plan.existing, first=True)


def _store_one(
    lab: Cloud, draft: Draft, existing: Resource | None, *, first: bool = False
) -> Resource:
    if existing is None:
        resource = Resource(draft.id, draft.body)
        if first:
            resource.hidden.update(draft.secrets)
        lab.world.add(resource)
    else:
        resource = existing
        resource.body = draft.body
    lab.references.add(resource)
    return resource


def _is_unchanged(plan: Plan) -> bool:
    pairs = ((plan.draft, plan.existing), *plan.children)
    return not plan.dropped and all(
        existing is not None
        and existing.active is not None
        and _is_same(draft.body, existing.active)
        for draft, existing in pairs
    )


def _is_same(new: Body, old: Body) -> bool:
    return _strip_volatile(new) == _strip_volatile(old)


def _strip_volatile(body: Body) -> Body:
    """Return a body without what every write changes; tags may change without an update."""
    stable = {key: value for key, value in body.items() if key not in {"etag", "tags"}}
    properties = copy.copy(body["properties"])
    properties.pop("provisioningState", None)
    if "ipConfigurations" in properties:
        properties["ipConfigurations"] = [
            {
                key: {k: v for k, v in value.items() if k != "provisioningState"}
                if key == "properties"
                else value
                for key, value in configuration.items()
                if key != "etag"
            }
            for configuration in properties["ipConfigurations"]
        ]
    stable["properties"] = properties
    return stable


def _get_size(body: Body) -> str:
    sku = body["properties"].get("sku")
    return str(sku.get("name") or "") if isinstance(sku, dict) else ""


def _get_location(lab: Cloud, resource: Resource) -> str:
    owner = lab.world.get(resource.id.parent) if resource.id.parent else resource
    return str((owner or resource).body.get("location", ""))


def delete(lab: Cloud, request: Request, target: Target) -> Answer:
    """Delete a resource: 202, or 204 if it does not exist."""
    where = get_resource_id(target)
    find_group(lab, target)
    resource = lab.world.get(where)
    if resource is None:
        if where.parent is not None and lab.world.get(where.parent) is None:
            raise RefusalError(errors.resource_not_found(where.parent, lab.today))
        return Answer(204)
    _check_etag(request, resource, where)
    context = lab.context
    raise_if_refused(
        rules.validate_idle(context, where, _build_operations_uri(lab, request, where))
    )
    provider = PROVIDERS[where.type]
    targets = (
        reference.target
        for reference in context.references.read(where, resource.body)
        if reference.path in provider.idle_on_delete
    )
    raise_if_refused(rules.validate_provisioned(context, where, targets))
    raise_if_refused(provider.validate_delete(context, resource))
    size = _get_size(resource.body)
    operation = Operation(
        id=lab.generator.make_guid(),
        name=f"Delete{provider.noun}Operation",
        type=where.type,
        subscription=where.subscription,
        location=_get_location(lab, resource),
        effect="delete",
        started=lab.world.now,
        ends=lab.world.now
        + lab.durations.draw_seconds(where.type, "delete", size, ids.to_key(where)),
        deletes=(ids.to_key(where),),
        locks=(ids.to_key(where.parent),) if where.parent else (),
        notifies=has_notification(where.type, "delete", lab.today),
    )
    resource.properties["provisioningState"] = "Deleting"
    _lock_parent(lab, where)
    lab.operations.start(operation)
    lab.world.notify_listeners()
    return Answer(202, None, build_operation_headers(request, operation, lab.speed, location=True))


def patch(lab: Cloud, request: Request, target: Target) -> Answer:
    """Change the tags of a resource: at once, except for a gateway (recorded)."""
    assert target.type is not None
    where, body = get_resource_id(target), parse_body(request)
    find_group(lab, target)
    resource = lab.world.get(where)
    if resource is None:
        raise RefusalError(errors.resource_not_found(where, lab.today))
    if not target.type.is_tracked:
        raise RefusalError(errors.method_not_allowed("PATCH", where.type))
    wrong = shapes.find_fault({key: body[key] for key in body if key == "tags"}, {})
    if wrong is not None:
        raise RefusalError(errors.format_invalid(wrong))
    others = set(body) - {"tags", "id", "name", "type", "location", "etag"}
    if others:
        raise RefusalError(errors.not_modelled(f"PATCH of {', '.join(sorted(others))}"))
    raise_if_refused(rules.validate_idle(lab.context, where))
    if isinstance(body.get("tags"), dict):
        resource.body["tags"] = dict(body["tags"])
        if resource.active is not None:
            resource.active = {**resource.active, "tags": dict(body["tags"])}
    if "etag" in resource.body:
        resource.body["etag"] = lab.generator.make_etag()
    if PROVIDERS[where.type].slow_patch:
        _accept_slow_patch(lab, resource)
    lab.world.notify_listeners()
    return Answer(200, presentation.present_resource(lab.context, lab.plane, resource, read=False))


def _accept_slow_patch(lab: Cloud, resource: Resource) -> None:
    type_, key = resource.id.type, ids.to_key(resource.id)
    resource.properties["provisioningState"] = "Updating"
    operation = Operation(
        id=lab.generator.make_guid(),
        name=f"Put{PROVIDERS[type_].noun}Operation",
        type=type_,
        subscription=resource.id.subscription,
        location=_get_location(lab, resource),
        effect="write",
        started=lab.world.now,
        ends=lab.world.now + lab.durations.draw_seconds(type_, "patch", "", key),
        writes=(key,),
    )
    lab.operations.start(operation)
