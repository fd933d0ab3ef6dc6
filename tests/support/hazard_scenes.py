"""A site and what lives around its spokes."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network

from erfailover.model.observed import Reading
from erfailover.model.route_tables import RouteTable
from erfailover.model.routing import RoutingEnvironment, Subnet, VnetRouting
from erfailover.model.site import Role
from tests.support import sites

SITE = sites.site()


def net(text: str) -> IPv4Network:
    return IPv4Network(text)


def around(
    spoke: RouteTable | None = None,
    gateway_subnet: RouteTable | None = None,
    kinds: tuple[str, str] | None = ("Vpn", "Vpn"),
    **more: object,
) -> RoutingEnvironment:
    """What a site's VNets have, with a table at the spoke's subnet or at both GatewaySubnets."""
    networks = {}
    for name, number in (("vnet1", 1), ("vnet2", 2), ("vnet3", 3)):
        own = net(f"10.{number}.0.0/16")
        key = "spoke" if name == "vnet1" else "gateways"
        has = spoke if name == "vnet1" else gateway_subnet
        subnet = "sub1" if name == "vnet1" else "GatewaySubnet"
        subnets = (Subnet(subnet, (own,), key if has else None),)
        networks[SITE.build_network_id(name).lower()] = Reading(
            VnetRouting(SITE.build_network_id(name), name, (own,), subnets)
        )
    tables = {"spoke": spoke, "gateways": gateway_subnet}
    types = dict(zip(Role, map(Reading, kinds), strict=True)) if kinds else {}
    base = RoutingEnvironment(networks, {k: Reading(v) for k, v in tables.items() if v}, types)
    base = replace(base, tunnels=Reading(()), managed=dict.fromkeys(networks, Reading(())))
    return replace(base, **more)  # type: ignore[arg-type]
