"""What an operation changes in the world when it ends.

Owns the changes of resources at the end of an operation: Updating turns Succeeded, the body
becomes active, a deleted resource goes, an action's result is worked out. Nothing here
refuses anything; that was done when the operation was accepted.
"""

from __future__ import annotations

import copy

from erfailover.lab.core import ids
from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.operations import Operation
from erfailover.lab.engine import failover_tests
from erfailover.lab.engine.action_results import compute_result
from erfailover.lab.engine.cloud import Cloud
from erfailover.lab.providers.registry import PROVIDERS


def finish(lab: Cloud, operation: Operation) -> None:
    """Apply an operation's effect."""
    for held in operation.locks:
        _release_resource(lab, held)
    match operation.effect:
        case "write":
            for deleted_id in operation.deletes:
                remove(lab, deleted_id)
            for written_id in operation.writes:
                _settle(lab, operation, written_id)
        case "delete":
            for deleted_id in operation.deletes:
                remove(lab, deleted_id)
        case "group":
            remove_group(lab, operation.deletes[0])
        case "action":
            compute_result(lab, operation)


def fail_operation(lab: Cloud, operation: Operation) -> None:
    """End an operation that failed or was cancelled: only the provisioning state changes."""
    for held in operation.locks:
        _release_resource(lab, held)
    if operation.effect == "action":
        gateway = lab.world.get(operation.arguments.get("resource", ""))
        if gateway is not None and operation.action in failover_tests.ACTIONS:
            failover_tests.record_failure(gateway, operation.action)
        return
    state = "Succeeded" if operation.effect == "group" else "Failed"
    resource_ids = operation.writes if operation.effect == "write" else operation.deletes
    for resource_id in resource_ids:
        resource = lab.world.get(resource_id)
        if resource is not None and resource.state in {"Updating", "Deleting"}:
            resource.properties["provisioningState"] = state


def _release_resource(lab: Cloud, name: str) -> None:
    resource = lab.world.get(name)
    if resource is not None and resource.state == "Updating":
        resource.properties["provisioningState"] = "Succeeded"
        resource.body["etag"] = lab.generator.make_etag()


def _settle(lab: Cloud, operation: Operation, name: str) -> None:
    resource = lab.world.get(name)
    if resource is None or resource.state == "Deleting":
        return
    created = resource.active is None
    resource.properties["provisioningState"] = "Succeeded"
    if "etag" in resource.body:
        resource.body["etag"] = lab.generator.make_etag()
    for configuration in resource.properties.get("ipConfigurations", ()):
        configuration["etag"] = resource.body["etag"]
        configuration["properties"]["provisioningState"] = "Succeeded"
    secrets = operation.secrets.get(name)
    if secrets:
        resource.hidden.update(secrets)
    PROVIDERS[resource.id.type].finish_write(lab, resource)
    resource.active = copy.deepcopy(resource.body)
    if resource.id.type == rt.VM and created:
        resource.hidden["powerState"] = "running"
        lab.plane.boot(resource)


def remove(lab: Cloud, name: str) -> None:
    """Remove a resource, its children, and what is deleted with it."""
    resource = lab.world.get(name)
    if resource is None:
        return
    deleted = [resource]
    for child_type in PROVIDERS.get_children(resource.id.type):
        deleted += lab.world.list_children(resource.id, child_type.collection)
    for member in deleted:
        lab.references.remove(member.id)
    others: list[str] = []
    for member in deleted:
        provider = PROVIDERS.get(member.id.type)  # None for a group or a deployment
        others += provider.finish_delete(lab, member) if provider is not None else ()
    lab.world.remove(resource.id)
    for other in others:
        remove(lab, other)


DELETION_ORDER = (*(provider.type for provider in PROVIDERS if provider.is_tracked), rt.DEPLOYMENT)
"""The order in which a resource group's deletion takes its resources out."""


def remove_group(lab: Cloud, name: str) -> None:
    """Remove a resource group and its contents, users of other resources first."""
    inside = [
        resource
        for resource in lab.world.resources.values()
        if ids.to_key(resource.id.group) == name
    ]
    for type_ in DELETION_ORDER:
        for resource in inside:
            if resource.id.type == type_:
                remove(lab, ids.to_key(resource.id))
    remove(lab, name)
