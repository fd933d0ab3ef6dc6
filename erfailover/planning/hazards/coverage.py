"""What a switch leaves behind: prefixes, the default route, DNS servers, the hub itself. Pure.

None of these conditions keeps a spoke on a hub that may be dead: they are warnings, and one is a
note. ``init --from-azure``, ``doctor`` and the plan show the same ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Network

from erfailover.model.arm_json import parse_ipv4_address, parse_ipv6_prefix
from erfailover.model.conditions import Condition, ConditionStatus, Weight
from erfailover.model.counting import format_count, join_names
from erfailover.model.observed import VPN, Gateway
from erfailover.model.prefix_table import ANYWHERE, build_table, format_prefixes
from erfailover.model.resource_ids import get_last_name
from erfailover.model.route_tables import RouteTable
from erfailover.model.routing import Subnet, VnetRouting
from erfailover.model.site import Path, Role, Spoke
from erfailover.planning.carried_prefixes import (
    build_carried_table,
    list_beyond_azure,
    list_carried_prefixes,
)
from erfailover.planning.conditions import (
    EXTERNAL,
    list_routes,
)
from erfailover.planning.hazards.hubs import check_managed
from erfailover.planning.hazards.scene import (
    DEFAULT_ROUTE,
    DNS_SERVERS,
    IPV6,
    MANAGED,
    PREFIXES,
    RESIDENTS,
    TUNNELS,
    HazardContext,
)
from erfailover.planning.route_selection import format_merged

AZURE_DNS = IPv4Address("168.63.129.16")
"""Azure's own resolver, the same in every VNet (published: what is 168.63.129.16)."""


def check_ipv6(scene: HazardContext) -> Iterator[Condition]:
    """IPv6 prefixes that the leaving gateway carries and the arriving one does not.

    Published (vpn-gateway-about-ipv6, preview of November 2025; azure-docs 114738 and 121907): a
    VPN gateway carries IPv4 only, unless it was made dual-stack; an ExpressRoute gateway carries
    both. A gateway that has learned a covering IPv6 prefix carries it, whatever its type.
    """
    yield from _report_unread(scene, IPV6)
    arriving = scene.get_gateway(scene.arriving)
    if arriving is None:
        return
    heard = _list_ipv6(arriving)
    covered = build_table(heard)
    lost = [
        f"{prefix} (learned by {scene.get_gateway_name(scene.leaving)})"
        for prefix in _list_ipv6(scene.get_gateway(scene.leaving))
        if not covered.has_covering(prefix)
    ]
    for spoke in scene.site.spokes if not heard else ():
        reading = scene.around.get_network(scene.site.build_network_id(spoke.virtual_network))
        if reading.value is None:
            yield _build_unknown(
                IPV6,
                f"whether {spoke.name} has IPv6 is unknown: {reading.unknown}",
                f"Check the address space of {get_last_name(spoke.virtual_network)}.",
            )
        else:
            lost += [f"{prefix} ({spoke.name})" for prefix in reading.value.ipv6]
    if lost:
        vpn = "is a VPN gateway and carries IPv4 only"
        why = vpn if arriving.type == VPN else "has learned no covering IPv6 prefix"
        yield _build_warning(
            IPV6,
            f"IPv6 is lost: {format_prefixes(lost)}; {arriving.name} {why}",
            "Make everything that needs IPv6 reachable over IPv4 too.",
        )


def _list_ipv6(gateway: Gateway | None) -> list[IPv6Network]:
    """Return the IPv6 prefixes that a gateway has learned, from any peer."""
    rows = (
        parse_ipv6_prefix(row.network) for row in list_routes(gateway) if row.origin in EXTERNAL
    )
    return sorted({prefix for prefix in rows if prefix is not None})


def check_default_route(scene: HazardContext) -> Iterator[Condition]:
    """Yield a default route that one of the two gateways has learned, and the other has not.

    With it, a spoke's traffic to the Internet goes to the premises; without it, to the Internet
    (published: virtual-networks-udr-overview, forced tunnelling). A subnet with its own route
    to 0.0.0.0/0, or without gateway routes, follows neither.
    """
    yield from _report_unread(scene, DEFAULT_ROUTE)
    arriving, leaving = scene.get_gateway(scene.arriving), scene.get_gateway(scene.leaving)
    if arriving is None or leaving is None:
        return
    has, had = (ANYWHERE in list_carried_prefixes(gateway) for gateway in (arriving, leaving))
    names = [
        spoke.name for spoke, around in scene.iter_spokes() if _is_following_default(scene, around)
    ]
    if has == had or ANYWHERE in scene.site.remote_prefixes:
        return
    names += [spoke.name for spoke in scene.site.spokes if scene.is_unread(spoke)]
    if not names:
        return
    who = join_names(names)
    if had:
        yield _build_warning(
            DEFAULT_ROUTE,
            f"{leaving.name} has learned 0.0.0.0/0 and {arriving.name} has not: after the switch, "
            f"Internet traffic of {who} bypasses the premises",
            "Advertise 0.0.0.0/0 from the far end to both gateways, or give these subnets their "
            "own route to 0.0.0.0/0.",
        )
    else:
        yield _build_warning(
            DEFAULT_ROUTE,
            f"{arriving.name} has learned 0.0.0.0/0 and {leaving.name} has not: after the switch, "
            f"all Internet traffic of {who} goes to the premises",
            "Advertise 0.0.0.0/0 from the far end to both gateways, or to neither.",
        )


def _is_following_default(scene: HazardContext, network: VnetRouting) -> bool:
    """Whether a subnet of a spoke takes a default route from a gateway."""

    def is_following(subnet: Subnet) -> bool:
        table: RouteTable | None = scene.around.get_table(subnet).value
        if not subnet.route_table or table is None:
            return True
        own = any(route.network == ANYWHERE for route in table.routes)
        return table.takes_gateway_routes and not own

    return not network.subnets or any(map(is_following, network.subnets))


def check_prefixes(scene: HazardContext) -> Iterator[Condition]:
    """Yield prefixes that the leaving gateway has learned and the arriving one does not cover.

    Remote prefixes of the site file are checked by a guard, the default route by another
    condition.
    """
    yield from _report_unread(scene, PREFIXES)
    arriving, leaving = scene.get_gateway(scene.arriving), scene.get_gateway(scene.leaving)
    if arriving is None or leaving is None:
        return
    heard = build_carried_table(arriving)
    named = {ANYWHERE, *scene.site.remote_prefixes}
    lost = [
        prefix
        for prefix in list_beyond_azure(leaving, scene.list_spaces())
        if prefix not in named and not heard.has_covering(prefix)
    ]
    if lost:
        yield _build_warning(
            PREFIXES,
            f"{leaving.name} has learned {format_prefixes(lost)} and {arriving.name} has not: "
            "unreachable after the switch",
            "Advertise this over the other path as well, or accept the loss.",
        )


def check_dns_servers(scene: HazardContext) -> Iterator[Condition]:
    """DNS servers of the spokes that a switch cuts off from the spokes, or from the premises.

    A server in the hub being left is still reached over the peering, if that stays; what it asks
    of servers at the premises, and what these ask of it, is not.
    """
    for spoke in scene.site.spokes:
        reading = scene.around.get_network(scene.site.build_network_id(spoke.virtual_network))
        if reading.value is None:
            yield _build_unknown(
                DNS_SERVERS,
                f"DNS servers of {spoke.name} are unknown: {reading.unknown}",
                f"Check dhcpOptions.dnsServers of {spoke.virtual_network}.",
            )
            continue
        for server in reading.value.dns_servers:
            yield from _check_dns_server(scene, spoke, reading.value, server)


def _check_dns_server(
    scene: HazardContext, spoke: Spoke, network: VnetRouting, text: str
) -> Iterator[Condition]:
    address = parse_ipv4_address(text)
    if address is None or address == AZURE_DNS or address.is_global:
        return
    arriving, leaving = scene.get_hub_id(scene.arriving), scene.get_hub_id(scene.leaving)
    if scene.is_in_network(network.id, address) or scene.is_in_network(arriving, address):
        return
    what = f"DNS server {text} of {spoke.name}"
    if scene.is_in_network(leaving, address):
        hub = scene.get_hub_name(scene.leaving)
        if spoke.get_outward(scene.leaving).get_flags(scene.target) is None:
            message = f"is in {hub}, and the peering with {hub} is removed"
        elif scene.leaving is Role.PRIMARY:
            message = (
                f"is in {hub}, which does not move: it and the premises can no longer reach each "
                "other"
            )
        else:
            return
        remedy = f"Give {spoke.name} a DNS server in {scene.get_hub_name(scene.arriving)} as well."
        yield _build_warning(DNS_SERVERS, f"{what} {message}", remedy)
        return
    gateway = scene.get_gateway(scene.arriving)
    if gateway is None or gateway.learned_routes.value is None:
        yield _build_unknown(
            DNS_SERVERS,
            f"{what}: whether {scene.get_gateway_name(scene.arriving)} reaches it is unknown",
            "Check its learned routes (getLearnedRoutes).",
        )
    elif not build_carried_table(gateway).has_covering(IPv4Network(address)):
        yield _build_warning(
            DNS_SERVERS,
            f"{what} is not in {spoke.name} or a hub, and {gateway.name} has no route to it",
            f"Give {spoke.name} a DNS server that both paths reach, or advertise its prefix.",
        )


def check_residents(scene: HazardContext) -> Iterator[Condition]:
    """Yield what is in the primary hub itself, which a switch to the backup cannot move.

    Azure's rule: a VNet with its own gateway uses no remote one. Private DNS zones are linked
    to VNets, and resolve on either path.
    """
    if scene.leaving is not Role.PRIMARY:
        return
    hub, name = (
        scene.around.get_network(scene.get_hub_id(scene.leaving)),
        scene.get_hub_name(scene.leaving),
    )
    if hub.value is None:
        yield _build_unknown(
            RESIDENTS,
            f"what else is in {name} is unknown: {hub.unknown}",
            f"Check its subnets: az network vnet subnet list --vnet-name {name}.",
        )
    elif hub.value.residents:
        text = ", ".join(format_count(n, word) for word, n in sorted(hub.value.residents.items()))
        space = format_merged(hub.value.address_space)
        yield Condition(
            RESIDENTS,
            ConditionStatus.HOLDS,
            f"{name} itself ({space}) does not move and cannot reach the premises after a switch; "
            f"it contains {text}",
            weight=Weight.NOTES,
        )


def check_tunnels(scene: HazardContext) -> Iterator[Condition]:
    """Tunnels of the backup that the loss of the circuit takes down with it.

    Published (site-to-site-vpn-private-peering): with ``useLocalAzureIpAddress`` a tunnel runs over
    ExpressRoute private peering. So does one to a private address, or to one that the primary has
    learned a route to. A tunnel over Microsoft peering looks like any other.
    """
    if scene.target is not Path.IPSEC:
        return
    reading, gateway = scene.around.tunnels, scene.get_gateway_name(Role.BACKUP)
    if reading.value is None:
        yield _build_unknown(
            TUNNELS,
            f"connections of {gateway} are unknown: {reading.unknown}",
            "az network vpn-connection show prints useLocalAzureIpAddress, and the local network "
            "gateway has the far end's address.",
        )
        return
    primary = scene.get_gateway(Role.PRIMARY)
    behind = list_beyond_azure(primary, scene.list_spaces()) if primary else []
    for tunnel in reading.value:
        why = _explain_dependence(tunnel.from_private_address, tunnel.address, behind)
        if why:
            yield _build_warning(
                TUNNELS,
                f"connection {tunnel.name} of {gateway} {why}: the tunnel goes down with the "
                "circuit",
                "Connect to a public address of the far end that does not depend on the circuit.",
            )


def _explain_dependence(private: bool, text: str, behind: Iterable[IPv4Network]) -> str:
    if private:
        return "has useLocalAzureIpAddress"
    address = parse_ipv4_address(text)
    if address is None:
        return ""
    prefix = next((item for item in behind if item.prefixlen and address in item), None)
    if prefix is not None:
        return f"leads to {address}, in {prefix} behind the primary"
    shared = not address.is_global and not address.is_reserved and _is_private(address)
    return f"leads to the private address {address}" if shared else ""


PRIVATE = tuple(
    map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"))
)
"""RFC 1918, and the shared space of RFC 6598: never reached by the Internet."""


def _is_private(address: IPv4Address) -> bool:
    return any(address in prefix for prefix in PRIVATE)


def _report_unread(scene: HazardContext, name: str) -> Iterator[Condition]:
    """Yield what could not be read of either gateway, worded the same for every condition."""
    for role in (scene.arriving, scene.leaving):
        gateway = scene.get_gateway(role)
        if gateway is not None and gateway.learned_routes.value is not None:
            continue
        why = gateway.learned_routes.unknown if gateway else scene.explain_no_gateway(role)
        yield _build_unknown(
            name,
            f"what {scene.get_gateway_name(role)} has learned is unknown: {why}",
            "Check getLearnedRoutes: it shows whether IPv6, a default route or other prefixes are "
            "lost.",
        )


def _build_warning(name: str, message: str, remedy: str) -> Condition:
    return Condition(name, ConditionStatus.FAILS, message, remedy, weight=Weight.WARNS)


def _build_unknown(name: str, message: str, remedy: str) -> Condition:
    return Condition(name, ConditionStatus.UNKNOWN, message, remedy, weight=Weight.WARNS)


def describe_held(scene: HazardContext) -> dict[str, str]:
    """Return the message of each condition that holds."""
    arriving, leaving = (
        scene.get_gateway_name(scene.arriving),
        scene.get_gateway_name(scene.leaving),
    )
    return {
        IPV6: "no IPv6 prefix is lost",
        DEFAULT_ROUTE: f"{leaving} and {arriving} agree on the default route",
        PREFIXES: f"{arriving} has learned every prefix that {leaving} has",
        DNS_SERVERS: "the spokes' DNS servers can be reached on both paths",
        RESIDENTS: f"{scene.get_hub_name(scene.leaving)} contains only gateways",
        MANAGED: "no Virtual Network Manager can undo a switch",
        TUNNELS: f"no tunnel of {scene.get_gateway_name(Role.BACKUP)} needs the circuit",
    }


CONDITIONS: dict[str, Callable[[HazardContext], Iterator[Condition]]] = {
    IPV6: check_ipv6,
    DEFAULT_ROUTE: check_default_route,
    PREFIXES: check_prefixes,
    DNS_SERVERS: check_dns_servers,
    RESIDENTS: check_residents,
    MANAGED: check_managed,
    TUNNELS: check_tunnels,
}
"""Every condition checked here, by its name, in the order in which it is shown."""


def check_coverage(scene: HazardContext) -> Iterator[Condition]:
    """Yield what is lost or unknown; for a check that finds nothing, one condition that holds."""
    words = describe_held(scene)
    for name, condition in CONDITIONS.items():
        conditions = list(dict.fromkeys(condition(scene)))
        yield from conditions or [
            Condition(name, ConditionStatus.HOLDS, words[name], weight=Weight.WARNS)
        ]
