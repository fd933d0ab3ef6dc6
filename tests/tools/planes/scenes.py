"""A site of rare cases, side by side: each found wrong once, or too rare among random sites.

``EXPECTED`` says of each echo whether it is answered.
"""

from __future__ import annotations

import random
from typing import Any

from tests.support.worlds import Builder, reference, resource_id
from tests.tools.planes.details import FORWARD
from tests.tools.planes.site import Site

PING = tuple[str, str]
EXPECTED: dict[PING, bool] = {
    # The answer goes by a router whose security group has not seen the request: *Network
    # security groups* keep flows for each interface.
    ("group-a", "10.1.2.4"): False,
    ("group-b", "10.1.1.4"): False,
    ("group-a", "10.1.3.4"): False,
    # A router that does not translate: Azure translates an interface's own addresses only.
    ("public-a", "8.8.8.8"): False,
    ("public-router", "8.8.8.8"): True,
    # An answer over another peering than the request, where traffic forwarded is not let in.
    ("peered-a", "10.4.1.4"): False,
    ("peered-b", "10.3.1.4"): False,
    ("peered-a", "10.5.1.4"): True,
    # The route of the whole VNet leads to an appliance in it (*Routing example*).
    ("covered-a", "10.6.2.4"): True,
    ("covered-b", "10.6.1.4"): True,
    # One of two instances has the tunnel, with BGP and without.
    ("twins-a", "10.8.1.4"): True,
    ("twins-b", "10.7.1.4"): True,
    ("static-a", "10.10.1.4"): True,
    ("static-b", "10.9.1.4"): True,
    # The route table of a GatewaySubnet leads what a gateway delivers to a router.
    ("inspected-far", "10.11.1.4"): True,
    ("inspected-a", "10.12.1.4"): True,
    ("inspected-far", "10.11.3.4"): False,
    ("inspected-far", "10.13.1.4"): True,
    ("inspected-open", "10.12.1.4"): True,
    ("inspected-far", "10.14.1.4"): False,
    # A load balancer's front end is the next hop: both directions meet the same router.
    ("balanced-a", "10.15.2.4"): True,
    ("balanced-b", "10.15.1.4"): True,
    ("balanced-a", "8.8.8.8"): False,
}


def build_scenes() -> Site:
    """Return the site."""
    site = Site(random.Random(0))
    _build_answer_by_router(site)
    _build_public_addresses(site)
    _build_answer_by_peering(site)
    _build_covered_next_hop(site)
    _build_twins(site, "twins", 7, bgp=True)
    _build_twins(site, "static", 9, bgp=False)
    _build_inspection(site)
    _build_balanced_routers(site)
    return site


def _add_vnet(site: Site, name: str, octet: int, subnets: int = 1) -> None:
    site.vnets[name] = [f"10.{octet}.0.0/16"]
    site.builder.vnet(name, f"10.{octet}.0.0/16")
    for number in range(1, subnets + 1):
        site.builder.subnet(name, f"sub{number}", f"10.{octet}.{number}.0/24")


def _add_machine(
    site: Site, name: str, vnet: str, subnet: int, *, router: bool = False, **nic: Any
) -> None:
    octet = site.vnets[vnet][0].split(".")[1]
    address = f"10.{octet}.{subnet}.4"
    site.builder.nic(f"{name}-nic0", vnet, f"sub{subnet}", address, forwarding=router, **nic)
    machine = site.builder.machine(name, f"{name}-nic0")
    machine.active_properties["vmId"] = machine.properties["vmId"] = f"id-{name}"
    site.machines[name] = address
    if router:
        site.scripts[name] = FORWARD


def _route(site: Site, vnet: str, subnet: int, prefix: str, hop: str) -> None:
    b, table = site.builder, f"rt-{vnet}-{subnet}"
    b.put("routeTables", table)
    b.put(
        "routeTables/routes",
        table,
        "route",
        addressPrefix=prefix,
        nextHopType="VirtualAppliance",
        nextHopIpAddress=hop,
    )
    route_table = reference("routeTables", table)
    b.patch("virtualNetworks/subnets", vnet, f"sub{subnet}", routeTable=route_table)


def _build_answer_by_router(site: Site) -> None:
    b: Builder = site.builder
    _add_vnet(site, "group", 1, subnets=3)
    b.put("networkSecurityGroups", "closed")
    b.put(
        "networkSecurityGroups/securityRules",
        "closed",
        "nothing",
        direction="Inbound",
        access="Deny",
        priority=100,
        protocol="*",
        sourceAddressPrefix="*",
        destinationAddressPrefix="*",
        sourcePortRange="*",
        destinationPortRange="*",
    )
    closed = reference("networkSecurityGroups", "closed")
    _add_machine(site, "group-a", "group", 1)
    _add_machine(site, "group-b", "group", 2)
    _add_machine(site, "group-router", "group", 3, router=True, networkSecurityGroup=closed)
    _route(site, "group", 2, "10.1.1.4/32", "10.1.3.4")


def _build_public_addresses(site: Site) -> None:
    _add_vnet(site, "public", 2, subnets=2)
    for name in ("public-a", "public-router"):
        site.builder.public_ip(f"{name}-public-ip")
    _add_machine(site, "public-a", "public", 1, public_ip="public-a-public-ip")
    _add_machine(
        site, "public-router", "public", 2, router=True, public_ip="public-router-public-ip"
    )
    _route(site, "public", 1, "0.0.0.0/0", "10.2.2.4")


def _build_answer_by_peering(site: Site) -> None:
    for name, octet in (("peered-a", 3), ("peered-b", 4), ("peered-hub", 5)):
        _add_vnet(site, name, octet)
        _add_machine(site, name, name, 1, router=name == "peered-hub")
    for one, other in (("a", "b"), ("a", "hub"), ("b", "hub")):
        for here, there in ((one, other), (other, one)):
            site.builder.peer(f"peered-{here}", f"peered-{there}")
    _route(site, "peered-b", 1, "10.3.0.0/16", "10.5.1.4")


def _build_covered_next_hop(site: Site) -> None:
    _add_vnet(site, "covered", 6, subnets=3)
    _add_machine(site, "covered-a", "covered", 1)
    _add_machine(site, "covered-b", "covered", 2)
    _add_machine(site, "covered-router", "covered", 3, router=True)
    for subnet in (1, 2):
        _route(site, "covered", subnet, "10.6.0.0/16", "10.6.3.4")


def _build_twins(site: Site, name: str, octet: int, *, bgp: bool) -> None:
    """Build two hubs; only the second instance of the first one's gateway has a tunnel."""
    b = site.builder
    for suffix, number in (("a", octet), ("b", octet + 1)):
        _add_vnet(site, f"{name}-{suffix}", number)
        _add_machine(site, f"{name}-{suffix}", f"{name}-{suffix}", 1)
        b.subnet(f"{name}-{suffix}", "GatewaySubnet", f"10.{number}.0.0/24")
    here, there = f"vng-{name}-a", f"vng-{name}-b"
    site.gateways[here] = [f"10.{octet}.0.4", f"10.{octet}.0.5"]
    site.gateways[there] = [f"10.{octet + 1}.0.254"]
    b.gateway(here, f"{name}-a", 65000 + octet, *site.gateways[here], bgp=bgp)
    b.gateway(there, f"{name}-b", 65001 + octet, *site.gateways[there], bgp=bgp)
    for near, far, number in ((here, there, 1), (there, here, 2)):
        asn = 65000 + octet + (far == there)
        address = site.gateways[far][number - 1]
        space = [] if bgp else site.vnets[far.removeprefix("vng-")]
        b.local_gateway(f"to-{far}", b.public_address(far, number), asn, address, *space)
        b.connection(f"{near}-to-{far}", near, f"to-{far}", bgp=bgp)


def _build_inspection(site: Site) -> None:
    """Build a hub whose gateway delivers by routers, one of which has a group that drops all.

    Of two spokes one lets in what is forwarded.
    """
    b, hub, far = site.builder, "inspected-a", "inspected-far"
    _add_vnet(site, hub, 11, subnets=4)
    _add_vnet(site, far, 12)
    for octet, name in ((13, "inspected-open"), (14, "inspected-shut")):
        _add_vnet(site, name, octet)
        _add_machine(site, name, name, 1)
        b.peer(hub, name, forwarded=True, transit=True)
        b.peer(name, hub, forwarded=name == "inspected-open", remote_gateways=True)
    for name in (hub, far):
        _add_machine(site, name, name, 1)
    _add_machine(site, "inspected-router", hub, 2, router=True)
    _add_machine(site, "inspected-other", hub, 3)
    closed = reference("networkSecurityGroups", "closed")
    _add_machine(site, "inspected-closed", hub, 4, router=True, networkSecurityGroup=closed)
    for number, name in ((11, hub), (12, far)):
        b.subnet(name, "GatewaySubnet", f"10.{number}.0.0/24")
    site.gateways |= {"vng-hub": ["10.11.0.254"], "vng-far": ["10.12.0.254"]}
    b.gateway("vng-hub", hub, 65111, "10.11.0.254")
    b.gateway("vng-far", far, 65112, "10.12.0.254")
    for near, there, asn, address in (
        ("vng-hub", "vng-far", 65112, "10.12.0.254"),
        ("vng-far", "vng-hub", 65111, "10.11.0.254"),
    ):
        b.local_gateway(f"to-{there}", b.public_address(there), asn, address)
        b.connection(f"{near}-to-{there}", near, f"to-{there}")
    b.put("routeTables", "inspection")
    for number, (prefix, hop) in enumerate(
        (
            ("10.11.1.0/24", "10.11.2.4"),
            ("10.11.3.0/24", "10.11.4.4"),
            ("10.13.0.0/16", "10.11.2.4"),
            ("10.14.0.0/16", "10.11.2.4"),
        )
    ):
        b.put(
            "routeTables/routes",
            "inspection",
            f"route{number}",
            addressPrefix=prefix,
            nextHopType="VirtualAppliance",
            nextHopIpAddress=hop,
        )
    route_table = reference("routeTables", "inspection")
    b.patch("virtualNetworks/subnets", hub, "GatewaySubnet", routeTable=route_table)


def _build_balanced_routers(site: Site) -> None:
    """Build two routers behind a load balancer's front end, 10.15.3.100."""
    b = site.builder
    _add_vnet(site, "balanced", 15, subnets=4)
    _add_machine(site, "balanced-a", "balanced", 1)
    _add_machine(site, "balanced-b", "balanced", 2)
    front, pool = (
        {"id": str(resource_id(f"loadBalancers/{kind}", "lb", "all"))}
        for kind in ("frontendIPConfigurations", "backendAddressPools")
    )
    for subnet in (3, 4):
        name = f"balanced-router{subnet}"
        _add_machine(site, name, "balanced", subnet, router=True)
        nic = b.get("networkInterfaces", f"{name}-nic0").active_properties
        nic["ipConfigurations"][0]["properties"]["loadBalancerBackendAddressPools"] = [pool]
        b.patch("networkInterfaces", f"{name}-nic0", ipConfigurations=nic["ipConfigurations"])
    place = reference("virtualNetworks/subnets", "balanced", "sub3")
    address = {"privateIPAddress": "10.15.3.100", "subnet": place}
    rule = {
        "frontendIPConfiguration": front,
        "backendAddressPool": pool,
        "protocol": "All",
        "frontendPort": 0,
        "backendPort": 0,
    }
    b.put(
        "loadBalancers",
        "lb",
        frontendIPConfigurations=[front | {"properties": address}],
        backendAddressPools=[pool],
        loadBalancingRules=[{"name": "all", "properties": rule}],
    )
    for subnet in (1, 2):
        _route(site, "balanced", subnet, "0.0.0.0/0", "10.15.3.100")
        b.put(
            "routeTables/routes",
            f"rt-balanced-{subnet}",
            "own",
            addressPrefix="10.15.0.0/16",
            nextHopType="VirtualAppliance",
            nextHopIpAddress="10.15.3.100",
        )
