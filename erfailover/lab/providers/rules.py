"""What ARM refuses, of every type: locks, references, and resources in use.

Pure functions over a scene that answer with a refusal, or None; the rules of one type alone
stand in ``peering_rules``, ``gateway_rules`` and ``network_rules``.

A write puts the resource that it locks in Updating: a child its VNet, route table or security
group, else itself. Until it ends a second write to that resource is refused, and so is a
write to another one that refers to it (recorded).
"""

from __future__ import annotations

from collections.abc import Iterable

from erfailover.lab import errors, ids
from erfailover.lab import resource_types as rt
from erfailover.lab.errors import Refusal
from erfailover.lab.references import Reference, references
from erfailover.lab.scene import Scene
from erfailover.lab.world import Body, Resource

AT_ONCE_S = 1.0
"""Two subnets written within this time collide (409); later ones are held off (429): both are
recorded, that it depends on the time is inferred."""
RETRY_AFTER_S = 13
"""What a second write is told to wait (recorded: 11 to 14 s)."""

ANY_REGION = frozenset({"localNetworkGateway2"})
"""References across regions (recorded: a connection in westus to a local gateway in eastus)."""
SAME_REGION = frozenset({rt.NIC, rt.GATEWAY, rt.CONNECTION, rt.VM, rt.SUBNET})


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


def references_refused(scene: Scene, resource_id: ids.ResourceId, body: Body) -> Refusal | None:
    """References to what is not there, not modelled, elsewhere, or being written."""
    found = references(resource_id, body)
    for each in found:
        if (refusal := _missing(scene, resource_id, body, each)) is not None:
            return refusal
    return provisioned(scene, resource_id, (each.target for each in found))


def _missing(
    scene: Scene, resource_id: ids.ResourceId, body: Body, reference: Reference
) -> Refusal | None:
    target = ids.parse(reference.target)
    if target is None:
        return errors.reference_missing(reference.target, str(resource_id))
    if rt.find(target.provider, target.types) is None:
        return errors.not_modelled(f"the type {target.type}")
    resource = scene.world.get(target)
    if resource is None:
        return errors.reference_missing(reference.target, str(resource_id))
    owner = scene.world.get(target.parent) if target.parent else resource
    place = body.get("location")
    if (
        resource_id.type in SAME_REGION
        and reference.path not in ANY_REGION
        and place
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


def deletion_refused(scene: Scene, resource: Resource) -> Refusal | None:
    """The deletion of a resource that another one uses."""
    match resource.id.type:
        case rt.VNET:
            subnets = scene.world.children(resource.id, "subnets")
            found = (_subnet_in_use(scene, each) for each in subnets)
            return next((each for each in found if each is not None), None)
        case rt.SUBNET:
            return _subnet_in_use(scene, resource)
        case rt.PUBLIC_IP:
            return _public_ip_in_use(scene, resource)
        case rt.NIC:
            return _nic_in_use(scene, resource)
        case rt.ROUTE_TABLE | rt.SECURITY_GROUP:
            return _table_in_use(scene, resource)
        case rt.GATEWAY:
            return _gateway_in_use(scene, resource)
        case rt.CIRCUIT:
            return _circuit_in_use(scene, resource)
        case rt.LOCAL_GATEWAY:
            return _local_gateway_in_use(scene, resource)
        case _:
            return None


def _subnet_in_use(scene: Scene, subnet: Resource) -> Refusal | None:
    users = scene.references.users(subnet.id)
    if not users:
        return None
    return errors.subnet_in_use(subnet.id.name, users[0].via, scene.today)


def _public_ip_in_use(scene: Scene, public_ip: Resource) -> Refusal | None:
    users = scene.references.users(public_ip.id)
    if not users:
        return None
    return errors.public_ip_in_use(str(public_ip.id), users[0].via, scene.today)


def _nic_in_use(scene: Scene, nic: Resource) -> Refusal | None:
    users = scene.references.users(nic.id)
    if not users:
        return None
    return Refusal(
        400,
        "NicInUse",
        f"Network Interface {nic.id} is used by existing VM {users[0].source}.",
        details=(),
    )


def _table_in_use(scene: Scene, resource: Resource) -> Refusal | None:
    users = scene.references.users(resource.id)
    if not users:
        return None
    words = {
        rt.ROUTE_TABLE: ("InUseRouteTableCannotBeDeleted", "Route table"),
        rt.SECURITY_GROUP: ("InUseNetworkSecurityGroupCannotBeDeleted", "Network security group"),
    }
    code, noun = words[resource.id.type]
    return Refusal(
        400,
        code,
        f"{noun} {resource.id} is in use and cannot be deleted: it is used by {users[0].source}.",
        details=(),
    )


def _gateway_in_use(scene: Scene, gateway: Resource) -> Refusal | None:
    connections = scene.connections(gateway.id)
    if connections:
        return Refusal(
            400,
            "VirtualNetworkGatewayCannotBeDeleted",
            f"Virtual network gateway {gateway.id} cannot be deleted because connection "
            f"{connections[0].id} still uses it.",
            details=(),
        )
    for each in gateway.properties.get("ipConfigurations", ()):
        subnet = ids.parse((each["properties"].get("subnet") or {}).get("id", ""))
        if subnet is None or subnet.parent is None or len(scene.gateways(subnet.parent)) > 1:
            continue
        for peering in scene.peerings(subnet.parent):
            remote = (peering.properties.get("remoteVirtualNetwork") or {}).get("id", "")
            user = scene.opposite(subnet.parent, remote)
            if user is not None and user.properties.get("useRemoteGateways"):
                return scene.unknown.refuse(
                    "gateway used by a peering",
                    f"Virtual network gateway {gateway.id} cannot be deleted because peering "
                    f"{user.id} uses it as its remote gateway.",
                )
    return None


def _circuit_in_use(scene: Scene, circuit: Resource) -> Refusal | None:
    users = scene.references.users(circuit.id)
    if not users:
        return None
    return scene.unknown.refuse(
        "circuit in use",
        f"Circuit {circuit.id} cannot be deleted because connection {users[0].source} uses it.",
    )


def _local_gateway_in_use(scene: Scene, local: Resource) -> Refusal | None:
    users = scene.references.users(local.id)
    if not users:
        return None
    return scene.unknown.refuse(
        "local network gateway in use",
        f"Local network gateway {local.id} cannot be deleted because connection "
        f"{users[0].source} still uses it.",
    )
