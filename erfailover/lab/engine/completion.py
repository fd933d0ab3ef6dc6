"""What an operation does to the world when it ends.

Owns the changes of resources at the end of an operation: Updating turns Succeeded, the body
becomes active, a deleted resource goes, an action's result is worked out. Nothing here
refuses anything; that was done when the operation was accepted.
"""

from __future__ import annotations

import copy

from erfailover.lab.core import addresses, ids
from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.addresses import GATEWAY_ASN
from erfailover.lab.core.operations import Operation
from erfailover.lab.core.scene import remote_of
from erfailover.lab.core.world import Resource
from erfailover.lab.engine import failover_tests
from erfailover.lab.engine.action_results import result_of
from erfailover.lab.engine.cloud import Cloud
from erfailover.lab.providers.network import peering
from erfailover.lab.providers.network.gateway import DEFAULT_ASN


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
    _complete(lab, resource)
    resource.active = copy.deepcopy(resource.body)
    if resource.id.type == rt.PEERING:
        peering.connect(lab.scene, lab.fresh, resource)
    if resource.id.type == rt.VM and created:
        resource.hidden["powerState"] = "running"
        lab.machines.boot(resource)


def _complete(lab: Cloud, resource: Resource) -> None:
    match resource.id.type:
        case rt.GATEWAY:
            _assign_gateway_addresses(lab, resource)
        case rt.PUBLIC_IP:
            properties = resource.properties
            if properties["publicIPAllocationMethod"] == "Static":
                properties.setdefault("ipAddress", lab.new_public_address())
        case rt.VM:
            properties = resource.properties
            properties["timeCreated"] = properties.get("timeCreated") or lab.timestamp()
            for each in properties["networkProfile"]["networkInterfaces"]:
                nic = lab.world.get(each["id"])
                if nic is not None:
                    nic.properties.setdefault("macAddress", lab.fresh.mac_address())
                    nic.properties["primary"] = bool(
                        (each.get("properties") or {}).get("primary", True)
                    )
        case _:
            pass


def _assign_gateway_addresses(lab: Cloud, gateway: Resource) -> None:
    properties = gateway.properties
    settings = properties["bgpSettings"]
    settings["asn"] = settings["asn"] or DEFAULT_ASN
    rows = {ids.key(row["ipconfigurationId"]): row for row in settings["bgpPeeringAddresses"]}
    given: list[str] = []
    for number, each in enumerate(properties["ipConfigurations"]):
        inner = each["properties"]
        subnet = lab.world.get(inner["subnet"]["id"])
        prefix = str(subnet.properties["addressPrefix"]) if subnet is not None else ""
        found = addresses.gateway_addresses(prefix, bool(properties["activeActive"]))
        row = rows[ids.key(each["id"])]
        if found:
            row["defaultBgpIpAddresses"] = [found[min(number, len(found) - 1)]]
        public_ip = lab.world.get((inner.get("publicIPAddress") or {}).get("id", ""))
        if public_ip is not None:
            public_ip.properties.setdefault("ipAddress", lab.new_public_address())
            _share(public_ip)
            row["tunnelIpAddresses"] = [public_ip.properties["ipAddress"]]
        given += row["defaultBgpIpAddresses"]  # published: not the custom ones
        if properties["gatewayType"] != "Vpn":
            given = list(addresses.express_addresses(prefix))
    if properties["gatewayType"] != "Vpn":
        settings["asn"] = GATEWAY_ASN
    settings["bgpPeeringAddress"] = ",".join(given)


def _share(public_ip: Resource) -> None:
    """A dynamic address, assigned with its first user, is active at once."""
    if public_ip.active is not None and "ipAddress" not in public_ip.active["properties"]:
        public_ip.active = copy.deepcopy(public_ip.body)


def remove(lab: Cloud, name: str) -> None:
    """Take a resource out of the world, with its children; opposites turn Disconnected."""
    resource = lab.world.get(name)
    if resource is None:
        return
    gone = [resource]
    for child_type in rt.children(resource.id.type):
        gone += lab.world.children(resource.id, child_type.collection)
    for each in gone:
        lab.references.drop(each.id)
    if resource.id.type == rt.VNET:
        # One that was only Initiated has lost its other end as well (assumed).
        for user in lab.references.users(resource.id, "remoteVirtualNetwork"):
            peering.disconnect(lab.fresh, lab.world.get(user.source))
    for each in gone:
        if each.id.type == rt.PEERING and each.id.parent is not None:
            peering.disconnect(lab.fresh, lab.scene.opposite(each.id.parent, remote_of(each)))
    lab.world.remove(resource.id)
    if resource.id.type == rt.VM:
        for reference in resource.properties["networkProfile"]["networkInterfaces"]:
            option = (reference.get("properties") or {}).get("deleteOption")
            if option == "Delete":
                remove(lab, reference["id"])


GROUP_ORDER = (
    rt.VM,
    rt.CONNECTION,
    rt.GATEWAY,
    rt.LOCAL_GATEWAY,
    rt.CIRCUIT,
    rt.VIRTUAL_HUB,
    rt.NIC,
    rt.PUBLIC_IP,
    rt.VNET,
    rt.ROUTE_TABLE,
    rt.SECURITY_GROUP,
    rt.DEPLOYMENT,
)
"""The order in which a resource group's deletion takes its resources out."""


def remove_group(lab: Cloud, name: str) -> None:
    """Take a resource group out of the world with everything in it, users first."""
    inside = [each for each in lab.world.resources.values() if ids.key(each.id.group) == name]
    for type_ in GROUP_ORDER:
        for each in inside:
            if each.id.type == type_:
                remove(lab, ids.key(each.id))
    remove(lab, name)
