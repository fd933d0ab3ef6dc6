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

from erfailover.azure.client.answers import wrap_parse_errors
from erfailover.azure.reader import Reader
from erfailover.azure.readers import gateways
from erfailover.azure.readers.network import select_id
from erfailover.azure.readers.references import explain_missing, read_required
from erfailover.azure.readers.route_tables import get_table_id, read_table
from erfailover.azure.readers.tunnels import get_local_gateway_id, read_tunnels
from erfailover.errors import AzureErrorKind, AzureFailure, Failure
from erfailover.model.arm_json import (
    Body,
    get_section,
    list_objects,
    list_texts,
    parse_ipv4_prefixes,
    parse_ipv6_prefix,
    parse_text,
)
from erfailover.model.observed import EXPRESSROUTE, VPN, Gateway, Reading, attempt
from erfailover.model.resource_ids import (
    GATEWAY_SUBNET,
    HUB,
    HUB_ADDRESS,
    HUB_PEER,
    canonicalize,
    get_last_name,
    get_subscription,
)
from erfailover.model.route_tables import GATEWAY_HOP, RouteTable
from erfailover.model.routing import (
    ManagedConfiguration,
    RouteServer,
    RoutingEnvironment,
    StaticPrefix,
    Subnet,
    VnetRouting,
)
from erfailover.model.site import Role, Site
from erfailover.runtime.clock import run_all

T = TypeVar("T")

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
) -> RoutingEnvironment:
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
        if body is not None and _has_manager_peering(body):
            hinted.add(network_id.lower())
        return body

    ids = [site.build_network_id(name) for name in dict.fromkeys(site.list_network_names())]
    desired: list[Callable[[], Any]] = [partial(_read_network, look, id_) for id_ in ids]
    desired += [partial(_read_static_prefixes, reader, site, role) for role in roles]
    gateway_id = site.build_gateway_id(site.backup.gateway)
    desired += [
        partial(read_tunnels, reader, gateway_id, DEADLINE_S),
        partial(
            _read_leaving_gateway,
            leaving,
            leaving_gateway or partial(gateways.read_leaving, reader, site),
        ),
    ]
    *first, around, remaining = run_all(
        reader.clock, [partial(attempt, function) for function in desired]
    )
    networks: dict[str, Reading[VnetRouting]] = {
        id_.lower(): reading for id_, reading in zip(ids, first, strict=False)
    }
    static: dict[Role, Reading[tuple[StaticPrefix, ...]]] = dict(
        zip(roles, first[len(ids) :], strict=True)
    )
    tables, servers = _read_referenced(reader, site, networks)
    kinds = _read_gateway_types(reader, site, tables)
    hubs = [site.build_network_id(site.get_hub(role).virtual_network).lower() for role in Role]
    lines = [network for network in networks if leaving is None or network in (*hubs, *hinted)]
    managed = run_all(
        reader.clock, [partial(attempt, partial(_read_managed, reader, name)) for name in lines]
    )
    by_id = dict(zip(lines, managed, strict=True))
    return RoutingEnvironment(networks, tables, kinds, servers, static, around, remaining, by_id)


def _read_referenced(
    reader: Reader, site: Site, networks: dict[str, Reading[VnetRouting]]
) -> tuple[dict[str, Reading[RouteTable]], dict[Role, Reading[tuple[RouteServer, ...]]]]:
    """Return the route tables and Route Servers that the VNets name."""
    hubs = {
        role: site.build_network_id(site.get_hub(role).virtual_network).lower() for role in Role
    }
    keys = list(dict.fromkeys(_iter_table_ids(networks, frozenset(hubs.values()))))
    hosts = [
        role
        for role, id_ in hubs.items()
        if (hub := networks[id_].value) is not None and hub.get_subnet(ROUTE_SERVER_SUBNET)
    ]
    readings: list[Reading[Any]] = run_all(
        reader.clock,
        [
            *(partial(attempt, partial(read_table, reader, key, DEADLINE_S)) for key in keys),
            *(partial(attempt, partial(_list_route_servers, reader, hubs[role])) for role in hosts),
        ],
    )
    tables = dict(zip(keys, readings, strict=False))
    return tables, dict(zip(hosts, readings[len(keys) :], strict=True))


def _iter_table_ids(
    networks: dict[str, Reading[VnetRouting]], hubs: frozenset[str]
) -> Iterable[str]:
    """Return the ids of the route tables that matter: of a hub, its GatewaySubnet's alone."""
    for id_, reading in networks.items():
        for subnet in reading.value.subnets if reading.value else ():
            of_gateway = subnet.name.lower() == GATEWAY_SUBNET.lower()
            if subnet.route_table and (of_gateway or id_ not in hubs):
                yield subnet.route_table


def _read_gateway_types(
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
    ids = [site.build_gateway_id(site.get_hub(role).gateway) for role in Role]
    readings = run_all(
        reader.clock,
        [partial(attempt, partial(_read_gateway_type, reader, id_)) for id_ in ids],
    )
    return dict(zip(Role, readings, strict=True))


@wrap_parse_errors("GET of a gateway")
def _read_gateway_type(reader: Reader, gateway_id: str) -> str:
    value = get_section(read_required(reader, gateway_id, DEADLINE_S), "properties").get(
        "gatewayType"
    )
    return parse_text(value, (VPN, EXPRESSROUTE)) or VPN


@wrap_parse_errors("GET of a VNet")
def _read_network(look: Callable[[str], Body | None], network_id: str) -> VnetRouting:
    body = look(network_id)
    if body is None:
        raise AzureFailure(AzureErrorKind.NOT_FOUND, explain_missing(network_id))
    properties = get_section(body, "properties")
    id_ = select_id(body, network_id)
    return VnetRouting(
        id_,
        parse_text(body.get("name")) or get_last_name(id_),
        _parse_prefixes(properties.get("addressSpace")),
        tuple(map(_parse_subnet, list_objects(properties.get("subnets")))),
        _parse_prefixes(properties.get("summarizedGatewayPrefixes")),
        tuple(_iter_ipv6(properties.get("addressSpace"))),
        tuple(list_texts(get_section(properties, "dhcpOptions").get("dnsServers"))),
        Counter(
            resident
            for row in list_objects(properties.get("subnets"))
            for resident in _iter_residents(row)
        ),
    )


def _iter_residents(subnet: Body) -> Iterator[str]:
    """Yield what is in a subnet, one word each: gateways and Route Servers are left out.

    An IP configuration's id names what has it; that of a private endpoint is its interface's.
    """
    properties = get_section(subnet, "properties")
    for row in list_objects(properties.get("ipConfigurations")):
        owner = parse_text(row.get("id")).lower().partition("/providers/microsoft.network/")[2]
        kind = owner.partition("/")[0]
        if kind not in ("virtualnetworkgateways", "virtualhubs"):
            yield RESIDENTS.get(kind, "other resource")
    for row in list_objects(properties.get("serviceAssociationLinks")):
        linked = parse_text(get_section(row, "properties").get("linkedResourceType")).lower()
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


def _has_manager_peering(network: Body) -> bool:
    """Whether a peering is called as those of a Virtual Network Manager are (seen in public)."""
    peerings = list_objects(get_section(network, "properties").get("virtualNetworkPeerings"))
    return any(parse_text(peering.get("name")).upper().startswith("ANM_") for peering in peerings)


@wrap_parse_errors("Network Manager's effective configurations")
def _read_managed(reader: Reader, network_id: str) -> tuple[ManagedConfiguration, ...]:
    """Return the connectivity configurations that are in effect for a VNet.

    Published (SDK reference, ``EffectiveConnectivityConfiguration``): each has its settings under
    ``properties``.
    """
    path = f"{network_id}/listNetworkManagerEffectiveConnectivityConfigurations"
    answer = reader.ask("POST", path, MANAGER_API, {}, deadline_s=DEADLINE_S)
    return tuple(
        ManagedConfiguration(
            get_last_name(parse_text(row.get("id"))),
            parse_text(
                get_section(row, "properties", "connectivityCapabilities").get("peeringEnforcement")
            ).lower()
            == "enforced",
        )
        for row in list_objects(answer.body.get("value"))
    )


MANAGER_API = "2024-10-01"
"""The first api-version whose answer has ``peeringEnforcement`` (REST spec network)."""


def _read_leaving_gateway(role: Role | None, read_gateway: Callable[[Role], Gateway]) -> Gateway:
    """Return the gateway of the hub being left with its tables, if it answers soon."""
    if role is None:
        raise Failure("not requested")
    return read_gateway(role)


def _parse_subnet(body: Body) -> Subnet:
    properties = get_section(body, "properties")
    space = parse_ipv4_prefixes(properties.get("addressPrefixes"))
    return Subnet(
        parse_text(body.get("name")) or get_last_name(parse_text(body.get("id"))),
        space or parse_ipv4_prefixes([properties.get("addressPrefix")]),
        get_table_id(body) or None,
    )


@wrap_parse_errors("list of connections")
def _read_static_prefixes(reader: Reader, site: Site, role: Role) -> tuple[StaticPrefix, ...]:
    """Return the prefixes of the local network gateways that a gateway has connections to."""
    gateway_id = site.build_gateway_id(site.get_hub(role).gateway)
    far = map(get_local_gateway_id, reader.list_connections(gateway_id, DEADLINE_S))
    ids = list(dict.fromkeys(filter(None, far)))
    bodies = run_all(reader.clock, [partial(read_required, reader, id_, DEADLINE_S) for id_ in ids])
    return tuple(
        StaticPrefix(prefix, parse_text(body.get("name")) or get_last_name(id_))
        for id_, body in zip(ids, bodies, strict=True)
        for prefix in _parse_prefixes(
            get_section(body, "properties").get("localNetworkAddressSpace")
        )
    )


@wrap_parse_errors("reading of Route Servers")
def _list_route_servers(reader: Reader, network_id: str) -> tuple[RouteServer, ...]:
    """Return the Route Server in a VNet: at most one (published), in any resource group.

    Raises:
        AzureFailure: its subnet is there, and no Route Server in it may be read.
    """
    subscription = f"/subscriptions/{get_subscription(network_id)}"
    for body in reader.list_children(subscription, HUB, deadline_s=DEADLINE_S):
        hub_id = parse_text(body.get("id"))
        parts = reader.list_children(hub_id, HUB_ADDRESS, deadline_s=DEADLINE_S) if hub_id else []
        subnets = (
            parse_text(get_section(part, "properties", "subnet").get("id")) for part in parts
        )
        if any(subnet.lower().startswith(f"{network_id}/subnets/") for subnet in subnets):
            return (_read_route_server(reader, body),)
    name = get_last_name(network_id)
    raise AzureFailure(
        AzureErrorKind.NOT_FOUND,
        f"{name} has a {ROUTE_SERVER_SUBNET}, but Azure listed no Route Server in it",
    )


def _read_route_server(reader: Reader, body: Body) -> RouteServer:
    id_ = canonicalize(parse_text(body.get("id")))
    peers = [
        peer
        for child in reader.list_children(id_, HUB_PEER, deadline_s=DEADLINE_S)
        if (peer := parse_text(child.get("id")))
    ]
    readings = run_all(
        reader.clock,
        [partial(attempt, partial(_read_learned, reader, text)) for text in peers],
    )
    unknown = next((reading.unknown for reading in readings if reading.value is None), None)
    by_name = dict.fromkeys(prefix for reading in readings for prefix in reading.value or ())
    learned = Reading(None, unknown) if unknown else Reading(tuple(by_name))
    name = parse_text(body.get("name")) or get_last_name(id_)
    return RouteServer(id_, name, tuple(map(get_last_name, peers)), learned)


@wrap_parse_errors("routes of a Route Server")
def _read_learned(reader: Reader, connection_id: str) -> tuple[str, ...]:
    """Return the prefixes of a peer; each instance lists its own (recorded: ``..._IN_0``)."""
    answer = get_section(reader.read_action(connection_id, "list_learned_routes", DEADLINE_S))
    rows = (
        row for key, part in answer.items() if key.startswith("Route") for row in list_objects(part)
    )
    return tuple(
        dict.fromkeys(parse_text(row.get("network")) for row in rows if row.get("network"))
    )


def _parse_prefixes(space: Any) -> tuple[IPv4Network, ...]:
    return parse_ipv4_prefixes(get_section(space).get("addressPrefixes"))


def _iter_ipv6(space: Any) -> Iterator[IPv6Network]:
    for text in list_texts(get_section(space).get("addressPrefixes")):
        if (prefix := parse_ipv6_prefix(text)) is not None:
            yield prefix
