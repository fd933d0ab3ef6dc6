"""nftables rulesets: what a VNet's node and a gateway's node let pass. Pure.

A VNet's node enforces, in this order: that an interface sends and gets only its own addresses
unless IP forwarding is on; that traffic forwarded over a peering needs ``allowForwardedTraffic`` at
the receiving side, unless it answers a known flow; the security groups of the interface and
of its subnet; and that only an interface with a public address reaches the Internet.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Sequence

from erfailover.lab.core import addresses
from erfailover.lab.linux.translation.ground import Ground
from erfailover.lab.routing import records
from erfailover.lab.routing.effective_routes import INTERNET, NONE, USER
from erfailover.lab.routing.security_groups import (
    INTERNET as INTERNET_TAG,
)
from erfailover.lab.routing.security_groups import (
    VIRTUAL_NETWORK,
    order_rules,
)

NOT_PUBLIC = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/3",
)
"""The ranges that are no public addresses (IANA's registry of special-purpose addresses)."""

_SHARED_ADDRESSES = ipaddress.IPv4Network("198.18.0.0/16")
"""Where the public address of a NAT gateway comes from: a range for tests of network devices."""


def build_ruleset(ground: Ground, vnet: records.Vnet) -> str:
    """Return the ruleset of a VNet's node."""
    nics = ground.nics.get(vnet.key, ())
    internet = ground.name_link("internet", vnet.key).near
    sources = dict(_iter_translations(ground, nics))
    forward = [
        *_iter_spoofing(ground, nics),
        *_iter_forwarded(ground, vnet),
        "ct state established,related accept",
        *_iter_jumps(ground, nics),
        f'oifname "{internet}" ip saddr != {_make_set(sources)} drop'
        if sources
        else f'oifname "{internet}" drop',
        f'oifname "{internet}" ip daddr {_make_set(NOT_PUBLIC)} drop',
    ]
    chains = [
        _make_chain("forwarding", "type filter hook forward priority 0; policy accept;", forward),
        _make_chain("local", "type filter hook input priority 0; policy drop;", []),
        _make_chain(
            "translation",
            "type nat hook postrouting priority 100; policy accept;",
            [
                f'oifname "{internet}" ip saddr {address} snat to {public}'
                for address, public in sources.items()
            ],
        ),
        *_iter_group_chains(ground, nics),
    ]
    return _make_table(chains)


def build_gateway_ruleset(peers: Iterable[tuple[str, str]], ports: Iterable[int]) -> str:
    """Return the ruleset of a gateway's node.

    Args:
        peers: the BGP peers as pairs of an own address and the peer's.
        ports: the UDP ports at which IKE and ESP in UDP arrive.
    """
    known = sorted(set(peers))
    listed = ", ".join(sorted(f"{port}" for port in ports))
    incoming = ['iifname "lo" accept']
    outgoing: list[str] = []
    for own, peer in known:
        incoming.append(f"ip saddr {peer} ip daddr {own} meta l4proto tcp accept")
        outgoing.append(f"ip saddr {own} ip daddr {peer} tcp dport 179 accept")
        outgoing.append(f"ip saddr {own} ip daddr {peer} tcp sport 179 accept")
    outgoing += ["tcp dport 179 drop", "tcp sport 179 drop"]
    if listed:
        incoming.append(f'iifname "outside" udp dport {{ {listed} }} accept')
    incoming.append("icmp type { destination-unreachable, time-exceeded } accept")
    # What arrives from outside is for the gateway itself; only tunnels carry what is inside.
    forward = ['iifname "outside" drop', 'oifname "outside" drop']
    return _make_table(
        [
            _make_chain("local", "type filter hook input priority 0; policy drop;", incoming),
            _make_chain("sent", "type filter hook output priority 0; policy accept;", outgoing),
            _make_chain(
                "forwarding", "type filter hook forward priority 0; policy accept;", forward
            ),
        ]
    )


def _iter_spoofing(ground: Ground, nics: Sequence[records.Nic]) -> Iterator[str]:
    for nic in nics:
        if not nic.forwarding:
            interface, own = ground.name_nic(nic).near, _make_set(_list_addresses(nic))
            yield f'iifname "{interface}" ip saddr != {own} drop'
            yield f'oifname "{interface}" ip daddr != {own} drop'


def _iter_forwarded(ground: Ground, vnet: records.Vnet) -> Iterator[str]:
    network = ground.network
    entrances = [
        (other, ground.name_peering(one, other)[1])
        for one, other in ground.peerings
        if one == vnet.key
    ]
    for one, key in ground.hops:
        if network.nics.all[key].vnet == vnet.key:
            entrances.append((one, ground.name_link("hop", one, key).far))
    for sender, interface in entrances:
        side = ground.peerings[vnet.key, sender]
        if not side.forwarded:
            own = _make_set(network.vnets.all[sender].prefixes)
            yield f'iifname "{interface}" ct state new ip saddr != {own} drop'


def _iter_translations(ground: Ground, nics: Sequence[records.Nic]) -> Iterator[tuple[str, str]]:
    """Yield the private addresses that reach the Internet, each with its public address."""
    network = ground.network
    for nic in nics:
        for configuration in nic.configurations:
            public = network.public_ips.get(configuration.public_ip)
            subnet = network.subnets.get(configuration.subnet)
            if not public and subnet is not None and subnet.nat_gateway:
                number = ground.names.number("nat gateway", subnet.nat_gateway)
                public = str(_SHARED_ADDRESSES[number])
            if public:
                yield configuration.address, public


def list_public_addresses(ground: Ground, vnet: str) -> list[str]:
    """Return the public addresses behind which the machines of a VNet appear."""
    return sorted({public for _, public in _iter_translations(ground, ground.nics.get(vnet, ()))})


# Security groups.


def _list_groups(ground: Ground, nic: records.Nic, *, inbound: bool) -> list[str]:
    subnet = ground.network.subnets.get(nic.subnet)
    groups = [subnet.security_group if subnet is not None else "", nic.security_group]
    return [group for group in (groups if inbound else reversed(groups)) if group]


def _name_chain(ground: Ground, nic: records.Nic, group: str, *, inbound: bool) -> str:
    number = ground.names.number("security group", group)
    return f"{ground.name_nic(nic).near}_{'in' if inbound else 'out'}_{number}"


def _iter_jumps(ground: Ground, nics: Sequence[records.Nic]) -> Iterator[str]:
    for inbound in (False, True):
        matches = "oifname" if inbound else "iifname"
        for nic in nics:
            for group in _list_groups(ground, nic, inbound=inbound):
                chain = _name_chain(ground, nic, group, inbound=inbound)
                yield f'{matches} "{ground.name_nic(nic).near}" jump {chain}'


def _iter_group_chains(ground: Ground, nics: Sequence[records.Nic]) -> Iterator[str]:
    for nic in nics:
        space = [
            route.prefix
            for route in ground.list_routes(nic.subnet)
            if route.next_hop_type not in (INTERNET, NONE) or route.source == USER
        ]
        for inbound in (False, True):
            for group in dict.fromkeys(_list_groups(ground, nic, inbound=inbound)):
                rules = ground.network.rules.list_group(group)
                lines = [
                    line
                    for rule in order_rules(rules, group, inbound=inbound)
                    for line in _iter_rule(rule, space)
                ]
                name = _name_chain(ground, nic, group, inbound=inbound)
                yield _make_chain(name, "", [*lines, "drop"])


def _iter_rule(rule: records.SecurityRule, space: Sequence[str]) -> Iterator[str]:
    verdict = "return" if rule.allow else "drop"
    sources = [*_iter_matches("saddr", rule.sources, space)]
    destinations = [*_iter_matches("daddr", rule.destinations, space)]
    for protocol in _list_protocols(rule):
        for source in sources:
            for destination in destinations:
                yield " ".join(filter(None, (source, destination, protocol, verdict)))


def _list_protocols(rule: records.SecurityRule) -> list[str]:
    """Return the matches of a rule's protocol and ports; a port does not concern ICMP."""
    ports = [_read_range(port) for port in rule.ports if port != "*"]
    chosen = ", ".join(filter(None, ports))
    everything = "*" in rule.ports
    if rule.protocol == "icmp":
        return ["meta l4proto icmp"]
    if not everything and not chosen:
        return ["meta l4proto icmp"] if rule.protocol == "*" else []
    if rule.protocol in ("tcp", "udp"):
        return [
            f"meta l4proto {rule.protocol}" + ("" if everything else f" th dport {{ {chosen} }}")
        ]
    if rule.protocol != "*":
        return []
    if everything:
        return [""]
    return ["meta l4proto icmp", f"meta l4proto {{ tcp, udp }} th dport {{ {chosen} }}"]


def _read_range(written: str) -> str:
    low, dash, high = written.partition("-")
    if not low.isdigit():
        return ""
    return f"{int(low)}-{int(high)}" if dash and high.isdigit() else str(int(low))


def _iter_matches(field: str, written: Sequence[str], space: Sequence[str]) -> Iterator[str]:
    """Yield the alternatives of an address match; an empty one matches everything."""
    plain: list[str] = []
    for item in written:
        tag = item.lower()
        if tag in ("*", "any"):
            yield ""
            return
        if tag == VIRTUAL_NETWORK:
            plain += space
        elif tag == INTERNET_TAG:
            yield f"ip {field} != {_make_set([*NOT_PUBLIC, *space])}"
        elif addresses.parse_ipv4_network(item) is not None:
            plain.append(item)
    if plain:
        yield f"ip {field} {_make_set(plain)}"


# The language.


def _list_addresses(nic: records.Nic) -> list[str]:
    return [configuration.address for configuration in nic.configurations]


def _make_set(prefixes: Iterable[str]) -> str:
    parsed = [addresses.parse_ipv4_network(prefix) for prefix in prefixes]
    networks = ipaddress.collapse_addresses(network for network in parsed if network is not None)
    listed = ", ".join(str(network).removesuffix("/32") for network in networks)
    return f"{{ {listed} }}"


def _make_chain(name: str, hook: str, lines: Iterable[str]) -> str:
    body = "\n".join(f"    {line}" for line in filter(None, (hook, *lines)))
    return f"  chain {name} {{\n{body}\n  }}"


def _make_table(chains: Sequence[str]) -> str:
    # A chain that others jump to comes before them.
    ordered = sorted(chains, key=lambda chain: " hook " in chain)
    return "table ip azure {\n" + "\n".join(ordered) + "\n}\n"
