"""Random writes to a site; each returns what it did, or nothing if it does not apply."""

from __future__ import annotations

import copy
from collections.abc import Callable

from tests.support.worlds import NETWORK, PEERINGS, reference, resource_id
from tests.tools.planes import details
from tests.tools.planes.site import FLAGS, Site, connect

Write = Callable[[Site], str]
ATTEMPTS = 50


def flip_flag(site: Site) -> str:
    """Turn over a flag of one side of a peering."""
    peerings = site.list_peerings()
    if not peerings:
        return ""
    vnet, name = site.random.choice(peerings)
    flag = site.random.choice(FLAGS)
    before = site.builder.get(PEERINGS, vnet, name).active_properties[flag]
    to_hub = name.rpartition("-to-")[2] in site.hubs
    uses = flag == "useRemoteGateways" and not before
    if uses and not (to_hub and site.may_use_remote_gateway(vnet)):
        return ""
    site.builder.patch(PEERINGS, vnet, name, **{flag: not before})
    return f"{name}: {flag} {not before}"


def move_spoke(site: Site) -> str:
    """Have a spoke use the gateway of another hub: both flags, as a switch writes them."""
    peerings = [
        (vnet, name)
        for vnet, name in site.list_peerings()
        if vnet not in site.hubs and name.rpartition("-to-")[2] in site.hubs
    ]
    if not peerings:
        return ""
    vnet, name = site.random.choice(peerings)
    hub = name.rpartition("-to-")[2]
    for place, other in peerings:
        if place == vnet:
            site.builder.patch(PEERINGS, vnet, other, useRemoteGateways=False)
    back = f"{hub}-to-{vnet}"
    if (hub, back) not in site.list_peerings():
        return ""
    site.builder.patch(PEERINGS, hub, back, allowGatewayTransit=True)
    site.builder.patch(PEERINGS, vnet, name, useRemoteGateways=True)
    return f"{vnet} uses the gateway of {hub}"


def delete_peering(site: Site) -> str:
    """Delete one side of a peering."""
    peerings = site.list_peerings()
    if not peerings:
        return ""
    vnet, name = site.random.choice(peerings)
    site.builder.delete(PEERINGS, vnet, name)
    return f"{name} deleted"


def create_peering(site: Site) -> str:
    """Create a peering, or again one that is there: both sides are then in sync."""
    one, other = site.random.sample(list(site.vnets), 2)
    for here, there in ((one, other), (other, one)):
        if (here, f"{here}-to-{there}") in site.list_peerings():
            site.builder.delete(PEERINGS, here, f"{here}-to-{there}")
    site.peer(one, other, likely=True)
    return f"{one} and {other} peered"


def change_key(site: Site) -> str:
    """Change the shared key of a connection, half of the time to that of the far end."""
    connections = site.list_connections()
    if not connections:
        return ""
    name = site.random.choice(connections)
    near, far, _ = name.split("-")
    key = f"key{min(near[3:], far[3:])}{max(near[3:], far[3:])}"
    if site.chance(0.5):
        key = f"{key}y"
    site.builder.get("connections", name).hidden["sharedKey"] = key
    site.builder.world.notify_listeners()
    return f"{name}: key {key}"


def change_bgp_address(site: Site) -> str:
    """Change the BGP address of a local network gateway, half of the time to the right one."""
    locals_ = site.list_local_gateways()
    if not locals_:
        return ""
    name = site.random.choice(locals_)
    _, far, number = name.split("-")
    body = site.builder.get("localNetworkGateways", name).active_properties
    right = site.gateways[far][int(number) - 1]
    address = right if site.chance(0.6) else right.rpartition(".")[0] + ".77"
    settings = {"asn": site.asns[far], "bgpPeeringAddress": address}
    if body["bgpSettings"] == settings:
        return ""
    site.builder.patch("localNetworkGateways", name, bgpSettings=settings)
    return f"{name}: BGP address {address}"


def delete_connection(site: Site) -> str:
    """Delete a connection."""
    connections = site.list_connections()
    if not connections:
        return ""
    name = site.random.choice(connections)
    site.builder.delete("connections", name)
    return f"connection {name} deleted"


def create_connection(site: Site) -> str:
    """Create a connection that is not there."""
    here, there = site.random.sample(list(site.gateways), 2)
    number = site.random.randint(1, len(site.gateways[there]))
    if f"{here}-{there}-{number}" in site.list_connections():
        return ""
    gateways = (site.builder.get("virtualNetworkGateways", name) for name in (here, there))
    bgp = all(each.active_properties["enableBgp"] for each in gateways)
    connect(site, here, there, number, site.gateways[there][number - 1], bgp)
    key = f"key{min(here[3:], there[3:])}{max(here[3:], there[3:])}"
    site.builder.get("connections", f"{here}-{there}-{number}").hidden["sharedKey"] = key
    site.builder.world.notify_listeners()
    return f"connection {here}-{there}-{number} created"


def grow_vnet(site: Site) -> str:
    """Add a prefix to a VNet, and half of the time synchronise its peerings."""
    vnet = site.random.choice(list(site.vnets))
    prefix = f"172.17.{site.number()}.0/24"
    site.vnets[vnet].append(prefix)
    space = {"addressPrefixes": list(site.vnets[vnet])}
    site.builder.patch("virtualNetworks", vnet, addressSpace=space)
    synchronised = site.chance(0.5)
    for place, name in site.list_peerings() if synchronised else ():
        if name.rpartition("-to-")[2] == vnet:
            site.builder.patch(PEERINGS, place, name, remoteAddressSpace=copy.deepcopy(space))
    return f"{vnet} grows by {prefix}" + (", synchronised" if synchronised else "")


def change_routes(site: Site) -> str:
    """Add or delete a user-defined route, or attach a table."""
    table = site.random.choice([name for name in site.tables if not name.startswith("hub")])
    routes = [
        each.id.names
        for each in site.builder.world.iter_by_type(f"{NETWORK}/routeTables/routes")
        if each.id.names[0] == table
    ]
    choice = site.random.choice(("add", "delete", "attach", "propagation"))
    if choice == "add":
        return f"route {details.add_route(site, table)}"
    if choice == "delete" and routes:
        names = site.random.choice(routes)
        site.builder.delete("routeTables/routes", *names)
        return f"route {names[-1]} deleted"
    if choice == "attach":
        vnet, subnet = site.random.choice(site.subnets)
        name = site.random.choice([table, ""])
        details.attach_to_subnet(site, vnet, subnet, "routeTable", name)
        return f"{vnet}/{subnet}: route table {name or 'none'}"
    before = site.builder.get("routeTables", table).active_properties["disableBgpRoutePropagation"]
    site.builder.patch("routeTables", table, disableBgpRoutePropagation=not before)
    return f"{table}: gateway routes {'on' if before else 'off'}"


def change_rules(site: Site) -> str:
    """Add or delete a security rule, or attach a group."""
    if not site.groups:
        return ""
    group = site.random.choice(site.groups)
    choice = site.random.choice(("add", "add", "attach", "delete"))
    if choice == "add":
        return f"rule {details.add_rule(site, group)}"
    if choice == "attach":
        vnet, subnet = site.random.choice(site.subnets)
        name = site.random.choice([group, ""])
        details.attach_to_subnet(site, vnet, subnet, "networkSecurityGroup", name)
        return f"{vnet}/{subnet}: security group {name or 'none'}"
    rules = [
        each.id.names
        for each in site.builder.world.iter_by_type(
            f"{NETWORK}/networkSecurityGroups/securityRules"
        )
        if each.id.names[0] == group
    ]
    if not rules:
        return ""
    names = site.random.choice(rules)
    site.builder.delete("networkSecurityGroups/securityRules", *names)
    return f"rule {names[-1]} deleted"


def change_interface(site: Site) -> str:
    """Turn IP forwarding of a network interface over."""
    nic = f"{site.random.choice(list(site.machines))}-nic0"
    before = site.builder.get("networkInterfaces", nic).active_properties["enableIPForwarding"]
    site.builder.patch("networkInterfaces", nic, enableIPForwarding=not before)
    return f"{nic}: IP forwarding {not before}"


def change_public_address(site: Site) -> str:
    """Give a network interface a public address, or take it away."""
    name = site.random.choice(list(site.machines))
    nic = site.builder.get("networkInterfaces", f"{name}-nic0").active_properties
    configuration = copy.deepcopy(nic["ipConfigurations"][0])
    public = f"{name}-public-ip"
    had = configuration["properties"].pop("publicIPAddress", None) is not None
    if not had:
        if site.builder.world.get(resource_id("publicIPAddresses", public)) is None:
            site.builder.public_ip(public)
        configuration["properties"]["publicIPAddress"] = reference("publicIPAddresses", public)
    site.builder.patch("networkInterfaces", f"{name}-nic0", ipConfigurations=[configuration])
    return f"{name}: {'no' if had else 'a'} public address"


WRITES: tuple[Write, ...] = (
    flip_flag,
    flip_flag,
    flip_flag,
    move_spoke,
    move_spoke,
    delete_peering,
    create_peering,
    change_key,
    change_key,
    change_key,
    change_bgp_address,
    change_bgp_address,
    delete_connection,
    delete_connection,
    create_connection,
    create_connection,
    create_connection,
    grow_vnet,
    change_routes,
    change_routes,
    change_routes,
    change_rules,
    change_rules,
    change_interface,
    change_public_address,
)
"""The writes to resources, a likely one several times. Power is the trial's."""


def write_something(site: Site) -> str:
    """Make a random write that applies; return what it did."""
    for _ in range(ATTEMPTS):
        done = site.random.choice(WRITES)(site)
        if done:
            return done
    return "nothing"
