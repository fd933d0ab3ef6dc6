"""Reads what lives around the spokes of a site: subnets, route tables, Route Servers, connections.

Everything at once, then what follows from it: each route table once, Route Servers only if a
hub has their subnet, a gateway's type only if a route makes it matter. Whatever could not be
read is in the result with the reason; nothing is raised, since none of it may keep a spoke
on a dead hub.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from ipaddress import IPv4Network, IPv6Network
from typing import Any, TypeVar

from erfailover.azure.client.answers import understood
from erfailover.azure.reader import Reader
from erfailover.azure.readers import gateways
from erfailover.azure.readers.network import not_there, own_id
from erfailover.azure.readers.tunnels import far_end, there, tunnels
from erfailover.errors import AzureFailure, Failure, Kind
from erfailover.model.arm_json import (
    Body,
    ipv6_prefix_of,
    prefixes,
    rows,
    section,
    text,
    texts,
    truth,
)
from erfailover.model.observed import EXPRESSROUTE, VPN, Gateway, Reading, attempt
from erfailover.model.resource_ids import (
    GATEWAY_SUBNET,
    HUB,
    HUB_ADDRESS,
    HUB_PEER,
    canonical,
    last_of,
    subscription_of,
)
from erfailover.model.routing import (
    GATEWAY_HOP,
    ManagedConfiguration,
    RouteServer,
    RouteTable,
    StaticPrefix,
    Subnet,
    Surrounding,
    Surroundings,
    UserRoute,
)
from erfailover.model.site import Role, Site
from erfailover.runtime.clock import all_at_once

T = TypeVar("T")

NEXT_HOPS = ("VirtualNetworkGateway", "VnetLocal", "Internet", "VirtualAppliance", "None")
DEADLINE_S = 20.0
"""How long a read may take, repetitions included: a switch does not wait longer for these."""
ROUTE_SERVER_SUBNET = "RouteServerSubnet"
"""Published (route-server quickstart): a Route Server lives in a subnet of this name only."""


def read(
    reader: Reader,
    site: Site,
    roles: Sequence[Role] = tuple(Role),
    network_body: Callable[[str], Body | None] | None = None,
    leaving: Role | None = None,
    leaving_gateway: Callable[[Role], Gateway] | None = None,
) -> Surroundings:
    """Return the surroundings of a site's spokes.

    Args:
        reader: where to read.
        site: what to read.
        roles: the hubs whose connections are read for static prefixes: the one to be left.
        network_body: reads a VNet by its id, if the caller shares its readings; otherwise None.
        leaving: the hub whose gateway's tables are read here, because the observation does not.
        leaving_gateway: reads that gateway, if the caller shares its readings; otherwise None.
    """
    plain = network_body or partial(reader.get, deadline_s=DEADLINE_S)
    hinted: set[str] = set()

    def look(network_id: str) -> Body | None:
        body = plain(network_id)
        if body is not None and _names_a_manager(body):
            hinted.add(network_id.lower())
        return body

    ids = [site.network_id(name) for name in dict.fromkeys(site.network_names())]
    wanted: list[Callable[[], Any]] = [partial(_network, look, each) for each in ids]
    wanted += [partial(_static, reader, site, role) for role in roles]
    gateway_id = site.gateway_id(site.backup.gateway)
    wanted += [
        partial(tunnels, reader, gateway_id, DEADLINE_S),
        partial(_left_gateway, leaving, leaving_gateway or partial(gateways.leaving, reader, site)),
    ]
    *first, around, left = all_at_once(reader.clock, [partial(attempt, each) for each in wanted])
    networks: dict[str, Reading[Surrounding]] = {
        id_.lower(): reading for id_, reading in zip(ids, first, strict=False)
    }
    static: dict[Role, Reading[tuple[StaticPrefix, ...]]] = dict(
        zip(roles, first[len(ids) :], strict=True)
    )
    tables, servers = _second(reader, site, networks)
    kinds = _kinds(reader, site, tables)
    hubs = [site.network_id(site.hub(role).virtual_network).lower() for role in Role]
    asked = [each for each in networks if leaving is None or each in (*hubs, *hinted)]
    managed = all_at_once(
        reader.clock, [partial(attempt, partial(_managed, reader, each)) for each in asked]
    )
    by_id = dict(zip(asked, managed, strict=True))
    return Surroundings(networks, tables, kinds, servers, static, around, left, by_id)


def _second(
    reader: Reader, site: Site, networks: dict[str, Reading[Surrounding]]
) -> tuple[dict[str, Reading[RouteTable]], dict[Role, Reading[tuple[RouteServer, ...]]]]:
    """Return the route tables and Route Servers that the VNets name."""
    hubs = {role: site.network_id(site.hub(role).virtual_network).lower() for role in Role}
    keys = list(dict.fromkeys(_tables(networks, frozenset(hubs.values()))))
    hosts = [
        role
        for role, id_ in hubs.items()
        if (hub := networks[id_].value) is not None and hub.subnet(ROUTE_SERVER_SUBNET)
    ]
    found: list[Reading[Any]] = all_at_once(
        reader.clock,
        [
            *(partial(attempt, partial(_table, reader, each)) for each in keys),
            *(partial(attempt, partial(_route_servers, reader, hubs[role])) for role in hosts),
        ],
    )
    tables = dict(zip(keys, found, strict=False))
    return tables, dict(zip(hosts, found[len(keys) :], strict=True))


def _tables(networks: dict[str, Reading[Surrounding]], hubs: frozenset[str]) -> Iterable[str]:
    """Return the ids of the route tables that matter: of a hub, its GatewaySubnet's alone."""
    for id_, reading in networks.items():
        for subnet in reading.value.subnets if reading.value else ():
            of_gateway = subnet.name.lower() == GATEWAY_SUBNET.lower()
            if subnet.route_table and (of_gateway or id_ not in hubs):
                yield subnet.route_table


def _kinds(
    reader: Reader, site: Site, tables: dict[str, Reading[RouteTable]]
) -> dict[Role, Reading[str]]:
    """Return the types of the gateways if a route has the next hop VirtualNetworkGateway."""
    named = (
        route.next_hop_type == GATEWAY_HOP
        for table in tables.values()
        for route in (table.value.routes if table.value else ())
    )
    if not any(named):
        return {}
    ids = [site.gateway_id(site.hub(role).gateway) for role in Role]
    found = all_at_once(
        reader.clock,
        [partial(attempt, partial(_gateway_type, reader, each)) for each in ids],
    )
    return dict(zip(Role, found, strict=True))


@understood("GET of a gateway")
def _gateway_type(reader: Reader, gateway_id: str) -> str:
    found = section(there(reader, gateway_id, DEADLINE_S), "properties").get("gatewayType")
    return text(found, (VPN, EXPRESSROUTE)) or VPN


@understood("GET of a VNet")
def _network(look: Callable[[str], Body | None], network_id: str) -> Surrounding:
    body = look(network_id)
    if body is None:
        raise AzureFailure(Kind.NOT_FOUND, not_there(network_id))
    properties = section(body, "properties")
    id_ = own_id(body, network_id)
    return Surrounding(
        id_,
        text(body.get("name")) or last_of(id_),
        _prefixes(properties.get("addressSpace")),
        tuple(map(_subnet, rows(properties.get("subnets")))),
        _prefixes(properties.get("summarizedGatewayPrefixes")),
        tuple(_ipv6(properties.get("addressSpace"))),
        tuple(texts(section(properties, "dhcpOptions").get("dnsServers"))),
        Counter(each for row in rows(properties.get("subnets")) for each in _residents(row)),
    )


def _residents(subnet: Body) -> Iterator[str]:
    """Yield what is in a subnet, one word each: gateways and Route Servers are left out.

    An IP configuration's id names what has it; that of a private endpoint is its interface's.
    """
    properties = section(subnet, "properties")
    for each in rows(properties.get("ipConfigurations")):
        owner = text(each.get("id")).lower().partition("/providers/microsoft.network/")[2]
        kind = owner.partition("/")[0]
        if kind not in ("virtualnetworkgateways", "virtualhubs"):
            yield RESIDENTS.get(kind, "other resource")
    for each in rows(properties.get("serviceAssociationLinks")):
        linked = text(section(each, "properties").get("linkedResourceType")).lower()
        yield RESIDENTS.get(linked.rpartition("/")[2], "other resource")


RESIDENTS = {
    "networkinterfaces": "network interface",
    "azurefirewalls": "Azure Firewall",
    "bastionhosts": "Bastion host",
    "applicationgateways": "application gateway",
    "loadbalancers": "internal load balancer",
    "dnsresolvers": "DNS resolver endpoint",
}
"""What is in a subnet, by the collection in its resource id."""


def _names_a_manager(network: Body) -> bool:
    """Whether a peering is called as those of a Virtual Network Manager are (seen in public)."""
    peerings = rows(section(network, "properties").get("virtualNetworkPeerings"))
    return any(text(each.get("name")).upper().startswith("ANM_") for each in peerings)


@understood("Network Manager's effective configurations")
def _managed(reader: Reader, network_id: str) -> tuple[ManagedConfiguration, ...]:
    """Return the connectivity configurations that are in effect for a VNet.

    Published (SDK reference, ``EffectiveConnectivityConfiguration``): each has its settings under
    ``properties``.
    """
    path = f"{network_id}/listNetworkManagerEffectiveConnectivityConfigurations"
    answer = reader.ask("POST", path, MANAGER_API, {}, deadline_s=DEADLINE_S)
    return tuple(
        ManagedConfiguration(
            last_of(text(each.get("id"))),
            text(
                section(each, "properties", "connectivityCapabilities").get("peeringEnforcement")
            ).lower()
            == "enforced",
        )
        for each in rows(answer.body.get("value"))
    )


MANAGER_API = "2024-10-01"
"""The first api-version whose answer has ``peeringEnforcement`` (REST spec network)."""


def _left_gateway(role: Role | None, read_gateway: Callable[[Role], Gateway]) -> Gateway:
    """Return the gateway of the hub being left with its tables, if it answers soon."""
    if role is None:
        raise Failure("it was not asked for")
    return read_gateway(role)


def _subnet(body: Body) -> Subnet:
    properties = section(body, "properties")
    space = prefixes(properties.get("addressPrefixes"))
    table = canonical(text(section(properties, "routeTable").get("id")))
    return Subnet(
        text(body.get("name")) or last_of(text(body.get("id"))),
        space or prefixes([properties.get("addressPrefix")]),
        table.lower() or None,
    )


@understood("GET of a route table")
def _table(reader: Reader, table_id: str) -> RouteTable:
    body = there(reader, table_id, DEADLINE_S)
    properties = section(body, "properties")
    found = ((each, section(each, "properties")) for each in rows(properties.get("routes")))
    routes = tuple(
        UserRoute(
            text(each.get("name")) or last_of(text(each.get("id"))),
            text(route.get("addressPrefix")),
            text(route.get("nextHopType"), NEXT_HOPS),
            text(route.get("nextHopIpAddress")) or None,
        )
        for each, route in found
    )
    takes = not truth(properties.get("disableBgpRoutePropagation"))
    return RouteTable(own_id(body, table_id), takes, routes)


@understood("list of connections")
def _static(reader: Reader, site: Site, role: Role) -> tuple[StaticPrefix, ...]:
    """Return the prefixes of the local network gateways that a gateway has connections to."""
    gateway_id = site.gateway_id(site.hub(role).gateway)
    far = map(far_end, reader.connections_of(gateway_id, DEADLINE_S))
    ids = list(dict.fromkeys(filter(None, far)))
    bodies = all_at_once(reader.clock, [partial(there, reader, each, DEADLINE_S) for each in ids])
    return tuple(
        StaticPrefix(prefix, text(body.get("name")) or last_of(id_))
        for id_, body in zip(ids, bodies, strict=True)
        for prefix in _prefixes(section(body, "properties").get("localNetworkAddressSpace"))
    )


@understood("reading of Route Servers")
def _route_servers(reader: Reader, network_id: str) -> tuple[RouteServer, ...]:
    """Return the Route Server in a VNet: at most one (published), in any resource group.

    Raises:
        AzureFailure: its subnet is there, and no Route Server in it may be read.
    """
    subscription = f"/subscriptions/{subscription_of(network_id)}"
    for body in reader.listed(subscription, HUB, deadline_s=DEADLINE_S):
        hub_id = text(body.get("id"))
        parts = reader.listed(hub_id, HUB_ADDRESS, deadline_s=DEADLINE_S) if hub_id else []
        subnets = (text(section(each, "properties", "subnet").get("id")) for each in parts)
        if any(each.lower().startswith(f"{network_id}/subnets/") for each in subnets):
            return (_route_server(reader, body),)
    name = last_of(network_id)
    raise AzureFailure(
        Kind.NOT_FOUND, f"{name} has a {ROUTE_SERVER_SUBNET}, and no Route Server in it was listed"
    )


def _route_server(reader: Reader, body: Body) -> RouteServer:
    id_ = canonical(text(body.get("id")))
    peers = [
        peer
        for each in reader.listed(id_, HUB_PEER, deadline_s=DEADLINE_S)
        if (peer := text(each.get("id")))
    ]
    told = all_at_once(
        reader.clock,
        [partial(attempt, partial(_learned, reader, each)) for each in peers],
    )
    unknown = next((each.unknown for each in told if each.value is None), None)
    found = dict.fromkeys(prefix for each in told for prefix in each.value or ())
    learned = Reading(None, unknown) if unknown else Reading(tuple(found))
    name = text(body.get("name")) or last_of(id_)
    return RouteServer(id_, name, tuple(map(last_of, peers)), learned)


@understood("routes of a Route Server")
def _learned(reader: Reader, connection_id: str) -> tuple[str, ...]:
    """Return the prefixes of a peer; each instance lists its own (recorded: ``..._IN_0``)."""
    answer = section(reader.action(connection_id, "list_learned_routes", DEADLINE_S))
    found = (row for key, part in answer.items() if key.startswith("Route") for row in rows(part))
    return tuple(dict.fromkeys(text(row.get("network")) for row in found if row.get("network")))


def _prefixes(space: Any) -> tuple[IPv4Network, ...]:
    return prefixes(section(space).get("addressPrefixes"))


def _ipv6(space: Any) -> Iterator[IPv6Network]:
    for each in texts(section(space).get("addressPrefixes")):
        if (found := ipv6_prefix_of(each)) is not None:
            yield found
