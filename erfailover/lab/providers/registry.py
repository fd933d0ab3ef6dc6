"""Which rules judge a write of which type.

Owns the mapping from a type to its rules; pure, like the rules.
"""

from __future__ import annotations

from erfailover.lab import circuits, gateway_rules, network_rules, peering_rules, route_servers
from erfailover.lab import resource_types as rt
from erfailover.lab.defaults import Draft
from erfailover.lab.errors import Refusal
from erfailover.lab.scene import Scene
from erfailover.lab.world import Resource


def type_refused(scene: Scene, draft: Draft, existing: Resource | None) -> Refusal | None:
    """Why a draft may not be written, by the rules of its own type."""
    where, body = draft.id, draft.body
    match where.type:
        case rt.VNET:
            return network_rules.vnet_refused(scene, where, body, existing)
        case rt.SUBNET:
            return network_rules.subnet_moved(scene, body, existing)
        case rt.PEERING:
            return peering_rules.peering_refused(scene, where, body, existing)
        case rt.PUBLIC_IP:
            return gateway_rules.public_ip_refused(scene, body, existing)
        case rt.NIC:
            return network_rules.nic_refused(scene, where, body)
        case rt.ROUTE:
            return network_rules.route_refused(where, body)
        case rt.SECURITY_RULE:
            return network_rules.rule_refused(scene, where, body)
        case rt.GATEWAY:
            return gateway_rules.gateway_refused(scene, where, body, existing)
        case rt.LOCAL_GATEWAY:
            return gateway_rules.local_gateway_refused(scene, where, body)
        case rt.CONNECTION:
            return gateway_rules.connection_refused(scene, where, body, existing)
        case rt.CIRCUIT:
            return circuits.circuit_refused(scene, where, body)
        case rt.CIRCUIT_PEERING:
            return circuits.peering_refused(scene, where, body)
        case rt.VIRTUAL_HUB:
            return route_servers.hub_refused(scene, where, body)
        case rt.HUB_CONFIGURATION:
            return route_servers.configuration_refused(scene, where, body)
        case rt.HUB_CONNECTION:
            return route_servers.connection_refused(scene, where, body)
        case rt.VM:
            return network_rules.machine_refused(scene, where, body, draft.secrets)
        case _:
            return None
