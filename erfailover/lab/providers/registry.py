"""The table of the resource types that the lab models.

To add one, write its module, name it here, and enter its durations in ``core.timing``.
"""

from __future__ import annotations

from erfailover.lab.core.resource_types import ResourceTypes
from erfailover.lab.providers.compute.machine import VM
from erfailover.lab.providers.network.azure_firewall import AZURE_FIREWALL
from erfailover.lab.providers.network.circuit import CIRCUIT, CIRCUIT_PEERING
from erfailover.lab.providers.network.connection import CONNECTION
from erfailover.lab.providers.network.gateway import GATEWAY
from erfailover.lab.providers.network.load_balancer import LOAD_BALANCER
from erfailover.lab.providers.network.local_gateway import LOCAL_GATEWAY
from erfailover.lab.providers.network.network_watcher import NETWORK_WATCHER
from erfailover.lab.providers.network.nic import NIC
from erfailover.lab.providers.network.peering import PEERING
from erfailover.lab.providers.network.public_ip import PUBLIC_IP
from erfailover.lab.providers.network.route_server import (
    HUB_CONFIGURATION,
    HUB_CONNECTION,
    VIRTUAL_HUB,
)
from erfailover.lab.providers.network.route_table import ROUTE, ROUTE_TABLE
from erfailover.lab.providers.network.security_group import SECURITY_GROUP, SECURITY_RULE
from erfailover.lab.providers.network.subnet import SUBNET
from erfailover.lab.providers.network.vnet import VNET
from erfailover.lab.providers.provider import Provider

PROVIDERS: ResourceTypes[Provider] = ResourceTypes(
    (
        VM,
        CONNECTION,
        GATEWAY,
        LOCAL_GATEWAY,
        CIRCUIT,
        CIRCUIT_PEERING,
        VIRTUAL_HUB,
        HUB_CONFIGURATION,
        HUB_CONNECTION,
        AZURE_FIREWALL,
        NETWORK_WATCHER,
        NIC,
        LOAD_BALANCER,
        PUBLIC_IP,
        VNET,
        SUBNET,
        PEERING,
        ROUTE_TABLE,
        ROUTE,
        SECURITY_GROUP,
        SECURITY_RULE,
    )
)
"""In the order in which a resource group's deletion takes resources out: users first."""
