"""POST actions, shared keys and parts of a resource: validate, accept, start the operation.

Owns an action until its first answer; ``action_results`` computes its result.
"""

from __future__ import annotations

import json

from erfailover.lab.arm import reads
from erfailover.lab.arm.reads import find
from erfailover.lab.arm.writes import raise_if_refused
from erfailover.lab.core import addresses, errors, ids
from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.arm_url import Target
from erfailover.lab.core.errors import Refusal, RefusalError
from erfailover.lab.core.operations import Operation
from erfailover.lab.core.protocol import (
    ALL_SINCE,
    Answer,
    Request,
    build_operation_headers,
    parse_body,
)
from erfailover.lab.core.world import Body, Resource
from erfailover.lab.engine import failover_tests
from erfailover.lab.engine.action_results import StartScript
from erfailover.lab.engine.cloud import Cloud
from erfailover.lab.engine.instance_view import build_instance_view
from erfailover.lab.providers import rules
from erfailover.lab.providers.network import network_manager
from erfailover.lab.providers.registry import PROVIDERS

SLOWEST_SCRIPT_S = 5400.0
"""A run command ends after 90 minutes at most (documented)."""
LONGEST_SHARED_KEY = 128
"""The most characters of a generated shared key."""


def answer_part(lab: Cloud, request: Request, target: Target) -> Answer:
    """Answer a request for an action or a part of a resource."""
    assert target.type is not None
    name, method = target.name, request.method
    if target.type.type == rt.CONNECTION and name in {"sharedkey", "sharedkey/reset"}:
        return _answer_shared_key(lab, request, target)
    if target.type.type == rt.GATEWAY and name == "connections" and method == "GET":
        return reads.list_connections(lab, target)
    if target.type.type == rt.VM and name == "instanceview" and method == "GET":
        return Answer(200, build_instance_view(lab, find(lab, target)))
    if name not in target.type.actions:
        raise RefusalError(errors.not_modelled(f"{method} {target.type.type}/{name}"))
    if method != "POST":
        raise RefusalError(errors.method_not_allowed(method, f"{target.type.type}/{name}"))
    resource = find(lab, target)
    if name == network_manager.EFFECTIVE:
        return Answer(200, network_manager.list_effective(resource))
    if target.type.type == rt.VM:
        return _accept_machine_action(lab, request, resource, name)
    return _accept_network_action(lab, request, resource, name)


def _get_location(lab: Cloud, resource: Resource) -> str:
    """Return a resource's location; a child has its parent's."""
    owner = lab.world.get(resource.id.parent) if resource.id.parent else resource
    return str((owner or resource).body.get("location", ""))


def _start(
    lab: Cloud,
    resource: Resource,
    action: str,
    duration_s: float,
    *,
    arguments: dict[str, str] | None = None,
    locks: tuple[str, ...] = (),
    writes: tuple[str, ...] = (),
    secrets: dict[str, str] | None = None,
) -> Operation:
    name = ids.to_key(resource.id)
    noun = PROVIDERS[resource.type].noun
    operation = Operation(
        id=lab.generator.make_guid(),
        name=f"{action[:1].upper()}{action[1:]}{noun}Operation",
        type=resource.id.type,
        subscription=resource.id.subscription,
        location=_get_location(lab, resource),
        effect="action",
        action=action,
        started=lab.world.now,
        ends=lab.world.now + duration_s,
        arguments={"resource": name, **(arguments or {})},
        locks=locks,
        secrets={name: secrets} if secrets else {},
        notifies=not resource.id.type.startswith(rt.COMPUTE) and lab.today >= ALL_SINCE,
    )
    for held in locks:
        resource_ = lab.world.get(held)
        if resource_ is not None:
            resource_.properties["provisioningState"] = "Updating"
    lab.operations.start(operation)
    return operation


def _accept_network_action(lab: Cloud, request: Request, resource: Resource, name: str) -> Answer:
    duration_s = lab.durations.draw_seconds(
        f"{resource.id.type}/{name}", "post", resource=ids.to_key(resource.id)
    )
    if resource.active is None:
        raise_if_refused(_refuse_unprovisioned(lab, resource))
    if name == "reset":
        raise_if_refused(rules.validate_idle(lab.context, resource.id))
        operation = _start(lab, resource, name, duration_s, locks=(ids.to_key(resource.id),))
        lab.world.notify_listeners()
        headers = build_operation_headers(request, operation, lab.speed, location=True)
        return Answer(202, None, headers)
    arguments = {}
    if name == "getadvertisedroutes":
        peer = request.query.get("peer", "")
        if not peer:
            raise RefusalError(errors.property_missing("peer", str(resource.id)))
        arguments["peer"] = peer
    if name in failover_tests.ACTIONS:
        body = parse_body(request) if name == "stopsitefailovertest" else None
        arguments = failover_tests.read_arguments(body, dict(request.query))
        raise_if_refused(failover_tests.find_refusal(lab, resource, name, arguments))
        failover_tests.begin(lab, resource, name, arguments)
    if name == "nexthop":
        arguments = _read_next_hop_query(lab, resource, parse_body(request))
    if name == "effectiveroutetable":
        raise_if_refused(_validate_attached(lab, resource))
    operation = _start(lab, resource, name, duration_s, arguments=arguments)
    # With Azure-AsyncOperation besides, clients would read no result (recorded: Location only).
    headers = build_operation_headers(
        request, operation, lab.speed, asynchronous=False, location=True
    )
    return Answer(202, None, headers)


def _refuse_unprovisioned(lab: Cloud, resource: Resource) -> Refusal:
    return lab.context.unknown.refuse(
        "action on a resource in the making",
        f"The operation cannot be performed because {resource.id} is not provisioned yet.",
    )


def _read_next_hop_query(lab: Cloud, watcher: Resource, body: Body) -> dict[str, str]:
    """Return the interface and destination of a next-hop request.

    Documented: a machine of the watcher's region, by the address of one of its interfaces. Which
    codes refuse another is not known.
    """
    for name in ("targetResourceId", "sourceIPAddress", "destinationIPAddress"):
        if not isinstance(body.get(name), str):
            raise RefusalError(errors.property_missing(name, str(watcher.id)))
    source, destination = body["sourceIPAddress"], body["destinationIPAddress"]
    if addresses.parse_address(destination) is None:
        expected = "an IPv4 address"
        raise RefusalError(errors.property_invalid("destinationIPAddress", destination, expected))
    machine = lab.world.get(body["targetResourceId"])
    if machine is None or machine.id.type != rt.VM:
        raise RefusalError(errors.not_modelled(f"the next hop of {body['targetResourceId']}"))
    if machine.body.get("location") != watcher.body.get("location"):
        text = f"{machine.id} is not in the region of {watcher.id}."
        raise_if_refused(lab.context.unknown.refuse("next hop in another region", text))
    for reference in machine.properties["networkProfile"]["networkInterfaces"]:
        nic = lab.world.get(reference["id"])
        known_addresses = [
            row["properties"].get("privateIPAddress")
            for row in (nic.properties.get("ipConfigurations") if nic else None) or []
        ]
        if nic is not None and source in known_addresses:
            raise_if_refused(_validate_attached(lab, nic))
            return {"nic": ids.to_key(nic.id), "destination": destination}
    text = f"{source} is no address of {machine.id}."
    raise RefusalError(lab.context.unknown.refuse("next hop from another address", text))


def _validate_attached(lab: Cloud, nic: Resource) -> Refusal | None:
    users = lab.references.find_users(nic.id, "networkProfile.networkInterfaces")
    machine = lab.world.get(users[0].source) if users else None
    if machine is not None and machine.hidden.get("powerState") == "running":
        return None
    return lab.context.unknown.refuse(
        "effective routes of an idle interface",
        f"Network interface {nic.id} must be attached to a running virtual machine.",
    )


def _accept_machine_action(lab: Cloud, request: Request, machine: Resource, name: str) -> Answer:
    key = ids.to_key(machine.id)
    raise_if_refused(rules.validate_idle(lab.context, machine.id))
    if machine.active is None:
        raise_if_refused(_refuse_unprovisioned(lab, machine))
    if name == "runcommand":
        operation = _run_command(lab, request, machine)
    else:
        duration_s = lab.durations.draw_seconds(rt.VM, "update", resource=key)
        operation = _start(lab, machine, name, duration_s, locks=(key,))
    lab.world.notify_listeners()
    return Answer(202, None, build_operation_headers(request, operation, lab.speed, location=True))


def _run_command(lab: Cloud, request: Request, machine: Resource) -> Operation:
    body = parse_body(request)
    if body.get("commandId") != "RunShellScript":
        raise RefusalError(errors.not_modelled(f"the run command {body.get('commandId')}"))
    if body.get("parameters"):
        raise RefusalError(errors.not_modelled("run commands with parameters"))
    script = body.get("script")
    if not isinstance(script, list) or not all(isinstance(line, str) for line in script):
        raise RefusalError(errors.format_invalid("a list of strings was expected at $.script"))
    if machine.hidden.get("powerState") != "running":
        text = "Cannot modify extensions in the VM when the VM is not running."
        raise RefusalError(Refusal(409, "OperationNotAllowed", text))
    lock = f"{ids.to_key(machine.id)}/runcommand"
    if lab.operations.find_holder(lock) is not None:
        # Documented: one script at a time.
        text = (
            "Run command extension execution is in progress. Please wait for completion before "
            "invoking a run command."
        )
        raise RefusalError(Refusal(409, "Conflict", text))
    overhead_s = lab.durations.draw_seconds(
        f"{rt.VM}/runcommand", "post", resource=ids.to_key(machine.id)
    )
    arguments = {"script": json.dumps(script)}
    longest_s = overhead_s + SLOWEST_SCRIPT_S
    operation = _start(lab, machine, "runcommand", longest_s, arguments=arguments, locks=(lock,))
    lab.world.schedule(lab.world.now + overhead_s, StartScript(lab, operation.id))
    return operation


def _answer_shared_key(lab: Cloud, request: Request, target: Target) -> Answer:
    connection = find(lab, target)
    method = request.method
    if target.name == "sharedkey" and method == "GET":
        return Answer(200, {"value": connection.hidden.get("sharedKey", "")})
    if (target.name, method) not in {("sharedkey", "PUT"), ("sharedkey/reset", "POST")}:
        raise RefusalError(errors.method_not_allowed(method, f"{rt.CONNECTION}/{target.name}"))
    body = parse_body(request)
    raise_if_refused(rules.validate_idle(lab.context, connection.id))
    verb = "update" if method == "PUT" else "post"
    duration_s = lab.durations.draw_seconds(
        f"{rt.CONNECTION}/sharedkey", verb, resource=ids.to_key(connection.id)
    )
    arguments = {}
    if method == "PUT":
        key = body.get("value")
        if not isinstance(key, str) or not key:
            raise RefusalError(errors.format_invalid("a string was expected at $.value"))
    else:
        length = body.get("keyLength")
        if type(length) is not int or not 1 <= length <= LONGEST_SHARED_KEY:
            raise RefusalError(
                errors.property_invalid("keyLength", length, f"1 to {LONGEST_SHARED_KEY}")
            )
        key = lab.generator.make_shared_key(length)
        arguments["keyLength"] = str(length)
    operation = _start(
        lab,
        connection,
        target.name,
        duration_s,
        arguments=arguments,
        locks=(ids.to_key(connection.id),),
        secrets={"sharedKey": key},
    )
    lab.world.notify_listeners()
    if method == "PUT":
        return Answer(200, {"value": key}, build_operation_headers(request, operation, lab.speed))
    headers = build_operation_headers(request, operation, lab.speed, location=True)
    return Answer(202, None, headers)
