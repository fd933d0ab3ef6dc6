"""nftables rulesets: what a VNet's node and a gateway's node let pass. Pure.

A VNet's node enforces, in this order: that an interface sends and gets only its own addresses
unless IP forwarding is on; that traffic forwarded over a peering needs ``allowForwardedTraffic`` at
the receiving side, unless it answers a flow that left over that peering; the security groups of
the interface and of its subnet, unless it answers a flow that passed this interface; and that
only an address with a public one of the very interface reaches the Internet.

Which of these a flow has passed is kept in its connection's mark, one bit each: the node's
connection tracking knows flows of every interface, and Azure's filters only their own.
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
    translated = list(_iter_translations(ground, nics))
    sources = ", ".join(
        f'"{ground.name_nic(nic).near}" . {address}' for nic, address, _ in translated
    )
    marks = _Marks()
    forward = [
        *_iter_spoofing(ground, nics),
        *_iter_forwarded(ground, vnet, marks),
        *_iter_jumps(ground, nics),
        f'oifname "{internet}" iifname . ip saddr != {{ {sources} }} drop'
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
                for _, address, public in translated
            ],
        ),
        *_iter_group_chains(ground, nics),
        *_iter_interface_chains(ground, nics, marks),
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


def build_internet_ruleset(
    gateways: Sequence[str], hosts: Sequence[str], closed: Iterable[str]
) -> str:
    """Return the ruleset of the Internet's node.

    Args:
        gateways: the interfaces to gateways, which reach each other and nothing else.
        hosts: the interfaces to VNets, whose machines reach the node itself and nothing else.
        closed: the prefixes at which it does not answer.
    """
    between, answered = [], []
    if gateways:
        between.append(f"iifname {_quote(gateways)} oifname {_quote(gateways)} accept")
    if hosts:
        answered.append(f"iifname {_quote(hosts)} ip daddr != {_make_set(closed)} accept")
    return _make_table(
        [
            _make_chain("local", "type filter hook input priority 0; policy drop;", answered),
            _make_chain("forwarding", "type filter hook forward priority 0; policy drop;", between),
        ]
    )


def _iter_spoofing(ground: Ground, nics: Sequence[records.Nic]) -> Iterator[str]:
    for nic in nics:
        if not nic.forwarding:
            interface, own = ground.name_nic(nic).near, _make_set(_list_addresses(nic))
            yield f'iifname "{interface}" ip saddr != {own} drop'
            yield f'oifname "{interface}" ip daddr != {own} drop'


def _iter_forwarded(ground: Ground, vnet: records.Vnet, marks: _Marks) -> Iterator[str]:
    """Yield the rules of peerings that let in no forwarded traffic; an answer passes."""
    for one, sender in ground.peerings:
        if one != vnet.key or ground.peerings[one, sender].forwarded:
            continue
        entrances = {ground.name_peering(one, sender)[1]}
        exits = set(entrances)
        for origin, key in ground.hops:
            names, place = ground.name_link("hop", origin, key), ground.network.nics.all[key].vnet
            if (origin, place) == (sender, one):
                entrances.add(names.far)
            elif (origin, place) == (one, sender):
                exits.add(names.near)
        own, mark = _make_set(ground.network.vnets.all[sender].prefixes), marks.take()
        entering = f"iifname {_quote(entrances)} ip saddr != {own}"
        yield f"oifname {_quote(exits)} {_note_request(mark)}"
        yield f"{entering} ct state invalid drop"
        yield f"{entering} ct direction original drop"
        yield f"{entering} ct mark & {mark} == 0 drop"


def _iter_translations(
    ground: Ground, nics: Sequence[records.Nic]
) -> Iterator[tuple[records.Nic, str, str]]:
    """Yield the private addresses that reach the Internet: interface, address, public address."""
    network = ground.network
    for nic in nics:
        for configuration in nic.configurations:
            public = network.public_ips.get(configuration.public_ip)
            subnet = network.subnets.get(configuration.subnet)
            if not public and subnet is not None and subnet.nat_gateway:
                number = ground.names.number("nat gateway", subnet.nat_gateway)
                public = str(_SHARED_ADDRESSES[number])
            if public:
                yield nic, configuration.address, public


def list_public_addresses(ground: Ground, vnet: str) -> list[str]:
    """Return the public addresses behind which the machines of a VNet appear."""
    return sorted({public for *_, public in _iter_translations(ground, ground.nics.get(vnet, ()))})


# Security groups.


def _list_groups(ground: Ground, nic: records.Nic, *, inbound: bool) -> list[str]:
    subnet = ground.network.subnets.get(nic.subnet)
    groups = [subnet.security_group if subnet is not None else "", nic.security_group]
    return [group for group in (groups if inbound else reversed(groups)) if group]


def _name_chain(ground: Ground, nic: records.Nic, group: str, *, inbound: bool) -> str:
    number = ground.names.number("security group", group)
    return f"{ground.name_nic(nic).near}_{_DIRECTION[inbound]}_{number}"


def _iter_jumps(ground: Ground, nics: Sequence[records.Nic]) -> Iterator[str]:
    for inbound in (False, True):
        matches = "oifname" if inbound else "iifname"
        for nic in nics:
            if _list_groups(ground, nic, inbound=inbound):
                near = ground.name_nic(nic).near
                yield f'{matches} "{near}" jump {near}_{_DIRECTION[inbound]}'


def _iter_interface_chains(
    ground: Ground, nics: Sequence[records.Nic], marks: _Marks
) -> Iterator[str]:
    """Yield the chains of interfaces: their groups, and the flows that have passed them."""
    for nic in nics:
        if not _list_groups(ground, nic, inbound=True):
            continue
        mark = marks.take()
        for inbound in (False, True):
            groups = _list_groups(ground, nic, inbound=inbound)
            jumps = [f"jump {_name_chain(ground, nic, each, inbound=inbound)}" for each in groups]
            name = f"{ground.name_nic(nic).near}_{_DIRECTION[inbound]}"
            lines = [f"{_is_answer(mark)} return", *jumps, _note_request(mark)]
            yield _make_chain(name, "", lines)


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

_DIRECTION = {True: "in", False: "out"}
_MARKS = 32


class _Marks:
    """The bits of a connection's mark; with more than 32 uses some share one."""

    def __init__(self) -> None:
        self._taken = 0

    def take(self) -> str:
        """Return a bit that is not taken yet."""
        self._taken += 1
        return f"{1 << (self._taken - 1) % _MARKS:#x}"


def _note_request(mark: str) -> str:
    return f"ct direction original ct mark set ct mark | {mark}"


def _is_answer(mark: str) -> str:
    return f"ct direction reply ct mark & {mark} == {mark}"


def _quote(interfaces: Iterable[str]) -> str:
    return "{ " + ", ".join(f'"{name}"' for name in sorted(interfaces)) + " }"


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
    # A chain that others jump to comes before them: groups, interfaces, hooks.
    groups = [chain for chain in chains if " hook " not in chain and " jump " not in chain]
    ordered = sorted(chains, key=lambda chain: (" hook " in chain, chain not in groups))
    return "table ip azure {\n" + "\n".join(ordered) + "\n}\n"
