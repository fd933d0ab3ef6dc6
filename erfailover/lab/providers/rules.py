"""What ARM refuses of every type: locks, and references that cannot be used.

Pure functions over a scene that answer with a refusal, or None; the rules of one type alone are in
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
from erfailover.lab.core.scene import Scene
from erfailover.lab.core.world import Body
from erfailover.lab.providers.provider import Provider

AT_ONCE_S = 1.0
"""Two subnets written within this time collide (409); later ones are held off (429): both are
recorded, that it depends on the time is inferred."""
RETRY_AFTER_S = 13
"""What a second write is told to wait (recorded: 11 to 14 s)."""


def locked(resource_id: ids.ResourceId) -> ids.ResourceId:
    """The resource that a write to ``resource_id`` puts in Updating."""
    return resource_id.parent or resource_id


def held(scene: Scene, resource_id: ids.ResourceId, uri: str = "") -> Refusal | None:
    """A second write while another one is under way.

    ``uri`` is where the other operation can be looked up, for the 409 that a subnet write
    meets at once with another subnet's of its VNet; all else is a 429 (recorded).
    """
    lock = locked(resource_id)
    holder = scene.operations.holder(ids.key(lock)) or scene.operations.holder(ids.key(resource_id))
    if holder is None:
        return None
    if resource_id.type == rt.VM:
        return Refusal(
            409,
            "Conflict",
            f"The request failed due to conflict with a concurrent request on {resource_id}.",
        )
    both_subnets = resource_id.type == rt.SUBNET and holder.type == rt.SUBNET
    if both_subnets and scene.world.now - holder.started < AT_ONCE_S:
        return errors.operation_in_progress(uri + holder.id)
    found = scene.world.get(lock)
    shown = found.body["id"] if found is not None else str(lock)
    return errors.another_operation(holder.name, holder.id, shown, RETRY_AFTER_S)


def references_refused(
    scene: Scene, types: ResourceTypes[Provider], resource_id: ids.ResourceId, body: Body
) -> Refusal | None:
    """References to what is not there, not modelled, elsewhere, or being written."""
    found = scene.references.read(resource_id, body)
    for each in found:
        if (refusal := _missing(scene, types, resource_id, body, each)) is not None:
            return refusal
    return provisioned(scene, resource_id, (each.target for each in found))


def _missing(
    scene: Scene,
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
    resource = scene.world.get(target)
    if resource is None:
        return errors.reference_missing(reference.target, str(resource_id))
    owner = scene.world.get(target.parent) if target.parent else resource
    place = body.get("location")
    if (
        place
        and reference.path not in types[resource_id.type].any_region
        and owner is not None
        and owner.body.get("location", place) != place
    ):
        return errors.reference_missing(reference.target, str(resource_id))
    return None


def provisioned(
    scene: Scene, resource_id: ids.ResourceId, targets: Iterable[str]
) -> Refusal | None:
    """A reference to a resource that an operation has in hand (recorded)."""
    for target in targets:
        holder = scene.operations.holder(ids.key(target))
        resource = scene.world.get(target)
        if holder is None or resource is None:
            continue
        make = (
            errors.reference_not_provisioned_retryable
            if resource_id.type == rt.NIC
            else errors.reference_not_provisioned
        )
        return make(resource.body["id"], str(resource_id), resource.state, holder.name)
    return None
