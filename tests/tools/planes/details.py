"""What is in a site's VNets: subnets, route tables, security groups, machines. Random."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.support.worlds import reference

if TYPE_CHECKING:
    from tests.tools.planes.site import Site

INTERNET_HOST = "8.8.8.8"
MOST_MACHINES = 8
FORWARD = "sysctl -w net.ipv4.ip_forward=1"
TRANSLATE = "iptables -t nat -A POSTROUTING -o eth0 -j MASQUERADE"
TAGS = ("*", "VirtualNetwork", "Internet", "AzureLoadBalancer")


def add_details(site: Site) -> None:
    """Add what is in the VNets."""
    for vnet in site.vnets:
        _add_subnets(site, vnet)
    _add_nat_gateways(site)
    _add_machines(site)
    for number in range(site.random.randint(3, 5)):
        _add_table(site, f"rt{number}", site.random.choice(list(site.vnets)))
    for number in range(site.random.randint(0, 2)):
        _add_group(site, f"nsg{number}")
    _attach(site)


def _add_subnets(site: Site, vnet: str) -> None:
    octet = site.vnets[vnet][0].split(".")[1]
    for number in range(1, 3):
        site.subnets.append((vnet, f"sub{number}"))
        site.builder.subnet(vnet, f"sub{number}", f"10.{octet}.{number}.0/24")
    if len(site.vnets[vnet]) > 1:
        site.subnets.append((vnet, "sub3"))
        site.builder.subnet(vnet, "sub3", f"172.16.{octet}.0/25")


def _add_nat_gateways(site: Site) -> None:
    for vnet, subnet in site.subnets:
        if site.chance(0.1):
            name = f"{vnet}-nat"
            site.builder.put("natGateways", name)
            attach_to_subnet(site, vnet, subnet, "natGateway", name)


def _add_machines(site: Site) -> None:
    for vnet in site.vnets:
        hub = vnet in site.hubs
        for _ in range(site.random.choice((0, 1, 1) if hub else (1, 1, 2))):
            if len(site.machines) < MOST_MACHINES:
                add_machine(site, vnet)


def add_machine(site: Site, vnet: str) -> str:
    """Add a running machine: a plain one, one that forwards, or one that translates as well."""
    number = site.number()
    name = f"vm{number}"
    subnets = [subnet for place, subnet in site.subnets if place == vnet]
    kind = site.random.choice(
        ("plain", *(("router", "nat") if vnet in site.hubs else ("plain",) * 3))
    )
    if kind == "plain" and site.chance(0.2):
        kind = site.random.choice(("router", "nat"))
    nics = []
    first = ("sub1" if site.chance(0.8) else subnets[-1]) if kind == "plain" else "sub2"
    chosen = [first]
    if kind != "plain" and site.chance(0.4):
        chosen.append(site.random.choice([each for each in subnets if each != first]))
    for place, subnet in enumerate(chosen):
        prefix = site.builder.get("virtualNetworks/subnets", vnet, subnet)
        network = prefix.active_properties["addressPrefix"].rpartition(".")[0]
        address = f"{network}.{3 + number}"
        public = ""
        if place == 0 and site.chance(0.9 if kind == "nat" else 0.6):
            public = f"{name}-public-ip"
            site.builder.public_ip(public)
        nic = f"{name}-nic{place}"
        forwarding = site.chance(0.95 if kind != "plain" else 0.1)
        site.builder.nic(nic, vnet, subnet, address, public_ip=public, forwarding=forwarding)
        nics.append(nic)
        (site.second if place else site.machines)[name] = address
        site.homes[name] = vnet
    machine = site.builder.machine(name, *nics)
    machine.active_properties["vmId"] = machine.properties["vmId"] = f"id-{name}"
    if kind != "plain":
        site.scripts[name] = FORWARD if kind == "router" else f"{FORWARD}\n{TRANSLATE}"
    return name


def _add_table(site: Site, name: str, home: str) -> None:
    site.tables[name] = home
    site.builder.put("routeTables", name, disableBgpRoutePropagation=site.chance(0.2))
    for _ in range(site.random.randint(1, 3)):
        add_route(site, name)


def add_route(site: Site, table: str, *, gateway_subnet: bool = False) -> str:
    """Add a user-defined route; return what it says."""
    spaces = [prefix for prefixes in site.vnets.values() for prefix in prefixes]
    hosts = [f"{address}/32" for address in site.machines.values()]
    others = [*hosts, f"{INTERNET_HOST}/32"]
    if gateway_subnet:
        near = [site.tables[table], *site.list_peered(site.tables[table])]
        spaces = [prefix for vnet in near for prefix in site.vnets[vnet]]
        others = [f"{site.machines[name]}/32" for name in site.machines if site.homes[name] in near]
    else:
        others += ["0.0.0.0/0", "10.0.0.0/8", "8.8.0.0/16"]
    prefix = site.random.choice([*spaces, *others])
    kinds = ["VirtualAppliance"] * 8 + ["None"]
    if not gateway_subnet:
        kinds += ["VirtualNetworkGateway", "Internet", "VnetLocal"]
    kind = site.random.choice(kinds)
    properties: dict[str, Any] = {"addressPrefix": prefix, "nextHopType": kind}
    sensible = _list_sensible_routes(site, site.tables[table])
    if kind == "VirtualAppliance" and sensible and not gateway_subnet and site.chance(0.7):
        properties["addressPrefix"], properties["nextHopIpAddress"] = site.random.choice(sensible)
    elif kind == "VirtualAppliance":
        properties["nextHopIpAddress"] = _choose_next_hop(site, site.tables[table])
    prefix = properties["addressPrefix"]
    name = f"{table}-r{site.number()}"
    site.builder.put("routeTables/routes", table, name, **properties)
    return f"{name}: {prefix} to {kind} {properties.get('nextHopIpAddress', '')}".rstrip()


def _list_sensible_routes(site: Site, home: str) -> list[tuple[str, str]]:
    """Return prefixes and routers that lead from a VNet to one that both have in reach."""
    routes = []
    for router in site.scripts:
        place = site.homes[router]
        around = [place, *site.list_peered(place)]
        if home in around:
            for vnet in around:
                routes += [(prefix, site.machines[router]) for prefix in site.vnets[vnet]]
            routes.append((f"{INTERNET_HOST}/32", site.machines[router]))
    return routes


def _choose_next_hop(site: Site, home: str) -> str:
    """Choose an appliance, most of the time one in reach of the VNet that the table is for."""
    if site.chance(0.05) or not site.machines:
        return "10.1.2.99"
    reached = (home, *site.list_peered(home))
    near = [name for name in site.machines if site.homes[name] in reached]
    for names in (
        [name for name in near if name in site.scripts],
        list(site.scripts),
        near,
        list(site.machines),
    ):
        if names and site.chance(0.8):
            return site.machines[site.random.choice(names)]
    return site.machines[site.random.choice(list(site.machines))]


def _add_group(site: Site, name: str) -> None:
    site.groups.append(name)
    site.builder.put("networkSecurityGroups", name)
    for _ in range(site.random.randint(1, 4)):
        add_rule(site, name)


def add_rule(site: Site, group: str) -> str:
    """Add a security rule; return what it says."""
    number = site.number()
    name = f"{group}-rule{number}"
    properties: dict[str, Any] = {
        "direction": site.random.choice(("Inbound", "Outbound")),
        "access": site.random.choice(("Allow", "Allow", "Deny")),
        "priority": 100 + site.random.randrange(30) * 100 + number,
        "protocol": site.random.choice(("*", "*", "Icmp", "Tcp", "Udp")),
        "sourceAddressPrefix": _choose_place(site),
        "destinationAddressPrefix": _choose_place(site),
        "sourcePortRange": "*",
        "destinationPortRange": site.random.choice(("*", "*", "22", "80-443")),
    }
    site.builder.put("networkSecurityGroups/securityRules", group, name, **properties)
    return f"{name}: {' '.join(str(value) for value in properties.values())}"


def _choose_place(site: Site) -> str:
    spaces = [prefix for prefixes in site.vnets.values() for prefix in prefixes]
    return site.random.choice([*TAGS, "*", "*", *site.machines.values(), *spaces, "8.8.8.0/24"])


def _attach(site: Site) -> None:
    for vnet, subnet in site.subnets:
        own = [table for table, home in site.tables.items() if home == vnet]
        if site.chance((0.85 if subnet == "sub1" else 0.25) if own else 0.1):
            table = site.random.choice(own or list(site.tables))
            attach_to_subnet(site, vnet, subnet, "routeTable", table)
        if site.groups and site.chance(0.25):
            group = site.random.choice(site.groups)
            attach_to_subnet(site, vnet, subnet, "networkSecurityGroup", group)
    for hub in site.hubs:
        if site.chance(0.3):
            table = f"{hub}-table"
            site.tables[table] = hub
            site.builder.put("routeTables", table, disableBgpRoutePropagation=False)
            add_route(site, table, gateway_subnet=True)
            attach_to_subnet(site, hub, "GatewaySubnet", "routeTable", table)
    for name in site.machines:
        if site.groups and site.chance(0.2):
            chosen = reference("networkSecurityGroups", site.random.choice(site.groups))
            site.builder.patch("networkInterfaces", f"{name}-nic0", networkSecurityGroup=chosen)


_TYPES = {
    "routeTable": "routeTables",
    "networkSecurityGroup": "networkSecurityGroups",
    "natGateway": "natGateways",
}


def attach_to_subnet(site: Site, vnet: str, subnet: str, what: str, name: str) -> None:
    """Attach a route table or a security group to a subnet."""
    properties = {what: reference(_TYPES[what], name) if name else None}
    site.builder.patch("virtualNetworks/subnets", vnet, subnet, **properties)
