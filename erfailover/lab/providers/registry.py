"""Which rules judge a write of which type.

Owns the mapping from a type to its rules; pure, like the rules.
"""

from __future__ import annotations

from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.errors import Refusal
from erfailover.lab.core.generated import Fresh
from erfailover.lab.core.scene import Scene
from erfailover.lab.core.world import Body, Resource
from erfailover.lab.providers.bodies import Draft
from erfailover.lab.providers.compute import machine
from erfailover.lab.providers.compute.machine import complete_machine
from erfailover.lab.providers.network import (
    circuit,
    connection,
    gateway,
    local_gateway,
    nic,
    peering,
    public_ip,
    route_server,
    route_table,
    security_group,
    vnet,
)
from erfailover.lab.providers.network.circuit import (
    _circuit_in_use,
    complete_circuit,
    complete_peering,
)
from erfailover.lab.providers.network.connection import complete_connection
from erfailover.lab.providers.network.gateway import _gateway_in_use, complete_gateway
from erfailover.lab.providers.network.local_gateway import _local_gateway_in_use, complete_local
from erfailover.lab.providers.network.nic import _complete_nic, _nic_in_use
from erfailover.lab.providers.network.public_ip import _complete_public_ip, _public_ip_in_use
from erfailover.lab.providers.network.route_server import complete_hub
from erfailover.lab.providers.network.route_table import _table_in_use
from erfailover.lab.providers.network.vnet import _complete_subnet, _subnet_in_use


def type_refused(scene: Scene, draft: Draft, existing: Resource | None) -> Refusal | None:
    """Why a draft may not be written, by the rules of its own type."""
    where, body = draft.id, draft.body
    match where.type:
        case rt.VNET:
            return vnet.vnet_refused(scene, where, body, existing)
        case rt.SUBNET:
            return vnet.subnet_moved(scene, body, existing)
        case rt.PEERING:
            return peering.peering_refused(scene, where, body, existing)
        case rt.PUBLIC_IP:
            return public_ip.public_ip_refused(scene, body, existing)
        case rt.NIC:
            return nic.nic_refused(scene, where, body)
        case rt.ROUTE:
            return route_table.route_refused(where, body)
        case rt.SECURITY_RULE:
            return security_group.rule_refused(scene, where, body)
        case rt.GATEWAY:
            return gateway.gateway_refused(scene, where, body, existing)
        case rt.LOCAL_GATEWAY:
            return local_gateway.local_gateway_refused(scene, where, body)
        case rt.CONNECTION:
            return connection.connection_refused(scene, where, body, existing)
        case rt.CIRCUIT:
            return circuit.circuit_refused(scene, where, body)
        case rt.CIRCUIT_PEERING:
            return circuit.peering_refused(scene, where, body)
        case rt.VIRTUAL_HUB:
            return route_server.hub_refused(scene, where, body)
        case rt.HUB_CONFIGURATION:
            return route_server.configuration_refused(scene, where, body)
        case rt.HUB_CONNECTION:
            return route_server.connection_refused(scene, where, body)
        case rt.VM:
            return machine.machine_refused(scene, where, body, draft.secrets)
        case _:
            return None


def _complete_type(draft: Draft, request: Body, existing: Resource | None, fresh: Fresh) -> None:
    match draft.id.type:
        case rt.VNET:
            if isinstance(draft.body["properties"].get("dhcpOptions"), dict):
                draft.body["properties"]["dhcpOptions"].setdefault("dnsServers", [])
        case rt.SUBNET:
            _complete_subnet(draft)
        case rt.PUBLIC_IP:
            _complete_public_ip(draft, existing)
        case rt.NIC:
            _complete_nic(draft, existing)
        case rt.GATEWAY:
            complete_gateway(draft.id, draft.body, existing)
        case rt.LOCAL_GATEWAY:
            complete_local(draft.body["properties"])
        case rt.CONNECTION:
            draft.secrets = complete_connection(draft.body["properties"])
        case rt.CIRCUIT:
            complete_circuit(draft.body, existing, fresh)
        case rt.CIRCUIT_PEERING:
            complete_peering(draft.id, draft.body["properties"])
        case rt.VIRTUAL_HUB:
            complete_hub(draft.body)
        case rt.VM:
            draft.secrets = complete_machine(draft.id, draft.body, existing, fresh)
        case _:
            pass


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
