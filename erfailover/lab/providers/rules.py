"""Rules of every type: locks, and references that cannot be used.

Pure functions of a context that return a refusal or None; the rules of a single type are in
its module.

A write puts the resource that it locks in Updating: a child its VNet, route table or security
group, else itself. Until it ends a second write to that resource is refused, and so is a
write to another one that refers to it (recorded).
"""

from __future__ import annotations

from collections.abc import Iterable

from erfailover.lab.core import errors, ids
from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.errors import Refusal
from erfailover.lab.core.references import Reference
from erfailover.lab.core.resource_types import ResourceTypes
from erfailover.lab.core.rule_context import RuleContext
from erfailover.lab.core.world import Body
from erfailover.lab.providers.provider import Provider

AT_ONCE_S = 1.0
"""Two subnets written within this time collide (409); later ones are held off (429): both are
recorded, that it depends on the time is inferred."""
RETRY_AFTER_S = 13
"""The ``Retry-After`` of a second write (recorded: 11 to 14 s)."""


def get_locked_id(resource_id: ids.ResourceId) -> ids.ResourceId:
    """Return the resource that a write to ``resource_id`` puts in Updating."""
    return resource_id.parent or resource_id


def validate_idle(
    context: RuleContext, resource_id: ids.ResourceId, uri: str = ""
) -> Refusal | None:
    """Return the refusal of a write while another one is in progress.

    ``uri`` is the other operation's URL, for the 409 that a subnet write
    meets at once with another subnet's of its VNet; all else is a 429 (recorded).
    """
    lock = get_locked_id(resource_id)
    holder = context.operations.find_holder(ids.to_key(lock)) or context.operations.find_holder(
        ids.to_key(resource_id)
    )
    if holder is None:
        return None
    if resource_id.type == rt.VM:
        return Refusal(
            409,
            "Conflict",
            f"The request failed due to conflict with a concurrent request on {resource_id}.",
        )
    both_subnets = resource_id.type == rt.SUBNET and holder.type == rt.SUBNET
    if both_subnets and context.world.now - holder.started < AT_ONCE_S:
        return errors.operation_in_progress(uri + holder.id)
    locked = context.world.get(lock)
    locked_id = locked.body["id"] if locked is not None else str(lock)
    return errors.another_operation_in_progress(holder.name, holder.id, locked_id, RETRY_AFTER_S)


def validate_references(
    context: RuleContext, types: ResourceTypes[Provider], resource_id: ids.ResourceId, body: Body
) -> Refusal | None:
    """Return the refusal of a reference that is missing, unmodelled, elsewhere or not ready."""
    references = context.references.read(resource_id, body)
    for reference in references:
        if (
            refusal := _validate_reference(context, types, resource_id, body, reference)
        ) is not None:
            return refusal
    return validate_provisioned(
        context, resource_id, (reference.target for reference in references)
    )


def _validate_reference(
    context: RuleContext,
    types: ResourceTypes[Provider],
    resource_id: ids.ResourceId,
    body: Body,
    reference: Reference,
) -> Refusal | None:
    target = ids.parse(reference.target)
    if target is None:
        return errors.reference_missing(reference.target, str(resource_id))
    if types.find(target.provider, target.types) is None:
        return errors.not_modelled(f"the type {target.type}")
    resource = context.world.get(target)
    if resource is None:
        return errors.reference_missing(reference.target, str(resource_id))
    owner = context.world.get(target.parent) if target.parent else resource
    place = body.get("location")
    if (
        place
        and reference.path not in types[resource_id.type].any_region
        and owner is not None
        and owner.body.get("location", place) != place
    ):
        return errors.reference_missing(reference.target, str(resource_id))
    return None


def validate_provisioned(
    context: RuleContext, resource_id: ids.ResourceId, targets: Iterable[str]
) -> Refusal | None:
    """Return the refusal of a reference to a resource with an active operation (recorded)."""
    for target in targets:
        holder = context.operations.find_holder(ids.to_key(target))
        resource = context.world.get(target)
        if holder is None or resource is None:
            continue
        make = (
            errors.reference_not_provisioned_retryable
            if resource_id.type == rt.NIC
            else errors.reference_not_provisioned
        )
        return make(resource.body["id"], str(resource_id), resource.state, holder.name)
    return None
