"""What an operation does to the world when it ends.

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
from erfailover.lab.engine.action_results import result_of
from erfailover.lab.engine.cloud import Cloud
from erfailover.lab.providers.registry import PROVIDERS


def finish(lab: Cloud, operation: Operation) -> None:
    """Carry an operation's effect out."""
    for held in operation.locks:
        _release(lab, held)
    match operation.effect:
        case "write":
            for each in operation.deletes:
                remove(lab, each)
            for each in operation.writes:
                _settle(lab, operation, each)
        case "delete":
            for each in operation.deletes:
                remove(lab, each)
        case "group":
            remove_group(lab, operation.deletes[0])
        case "action":
            result_of(lab, operation)


def spoil(lab: Cloud, operation: Operation) -> None:
    """End an operation that failed or was cancelled: nothing changes but the state shown."""
    for held in operation.locks:
        _release(lab, held)
    if operation.effect == "action":
        gateway = lab.world.get(operation.arguments.get("resource", ""))
        if gateway is not None and operation.action in failover_tests.ACTIONS:
            failover_tests.failed(gateway, operation.action)
        return
    state = "Succeeded" if operation.effect == "group" else "Failed"
    shown = operation.writes if operation.effect == "write" else operation.deletes
    for each in shown:
        resource = lab.world.get(each)
        if resource is not None and resource.state in {"Updating", "Deleting"}:
            resource.properties["provisioningState"] = state


def _release(lab: Cloud, name: str) -> None:
    resource = lab.world.get(name)
    if resource is not None and resource.state == "Updating":
        resource.properties["provisioningState"] = "Succeeded"
        resource.body["etag"] = lab.fresh.etag()


def _settle(lab: Cloud, operation: Operation, name: str) -> None:
    resource = lab.world.get(name)
    if resource is None or resource.state == "Deleting":
        return
    created = resource.active is None
    resource.properties["provisioningState"] = "Succeeded"
    if "etag" in resource.body:
        resource.body["etag"] = lab.fresh.etag()
    for each in resource.properties.get("ipConfigurations", ()):
        each["etag"] = resource.body["etag"]
        each["properties"]["provisioningState"] = "Succeeded"
    secrets = operation.secrets.get(name)
    if secrets:
        resource.hidden.update(secrets)
    PROVIDERS[resource.id.type].finish_write(lab, resource)
    resource.active = copy.deepcopy(resource.body)
    if resource.id.type == rt.VM and created:
        resource.hidden["powerState"] = "running"
        lab.machines.boot(resource)


def remove(lab: Cloud, name: str) -> None:
    """Take a resource out of the world, with its children and what is deleted with it."""
    resource = lab.world.get(name)
    if resource is None:
        return
    gone = [resource]
    for child_type in PROVIDERS.children(resource.id.type):
        gone += lab.world.children(resource.id, child_type.collection)
    for each in gone:
        lab.references.drop(each.id)
    others: list[str] = []
    for each in gone:
        provider = PROVIDERS.get(each.id.type)  # None for a group or a deployment
        others += provider.finish_delete(lab, each) if provider is not None else ()
    lab.world.remove(resource.id)
    for other in others:
        remove(lab, other)


DELETION_ORDER = (*(each.type for each in PROVIDERS if each.tracked), rt.DEPLOYMENT)
"""The order in which a resource group's deletion takes its resources out."""


def remove_group(lab: Cloud, name: str) -> None:
    """Take a resource group out of the world with everything in it, users first."""
    inside = [each for each in lab.world.resources.values() if ids.key(each.id.group) == name]
    for type_ in DELETION_ORDER:
        for each in inside:
            if each.id.type == type_:
                remove(lab, ids.key(each.id))
    remove(lab, name)
