"""Network security groups: whether a packet passes one.

Pure: rules in the order of their priority, then Azure's default rules (documented). That a
reply passes is for the caller, who knows the flows; this module judges a first packet.
Application security groups and service tags other than the three of the default rules match
nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from erfailover.lab.core import addresses
from erfailover.lab.routing.records import SecurityRule

VIRTUAL_NETWORK, INTERNET, LOAD_BALANCER = "virtualnetwork", "internet", "azureloadbalancer"


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet: addresses, protocol (``icmp``, ``tcp``, ``udp``) and destination port."""

    source: str
    destination: str
    protocol: str = "icmp"
    port: int = 0

    def to_reply(self) -> Packet:
        """Return the answer to the packet, before any address translation."""
        return Packet(self.destination, self.source, self.protocol, self.port)


def find_refusing_rule(
    rules: Iterable[SecurityRule], group: str, inbound: bool, packet: Packet, space: Sequence[str]
) -> str | None:
    """Return the name of the rule that drops a packet; None if a rule allows it.

    Args:
        rules: the security group's own rules.
        group: the group's key.
        inbound: whether the packet enters the interface.
        packet: the packet.
        space: the prefixes of the tag ``VirtualNetwork`` at this interface.
    """
    for rule in order_rules(rules, group, inbound=inbound):
        if _matches(rule, packet, space):
            return None if rule.allow else rule.name
    return "DenyAll"


def order_rules(rules: Iterable[SecurityRule], group: str, *, inbound: bool) -> list[SecurityRule]:
    """Return a group's own and default rules of one direction, in the order of their priority."""
    return sorted(
        (rule for rule in (*rules, *_list_default_rules(group)) if rule.inbound == inbound),
        key=lambda rule: rule.priority,
    )


def _list_default_rules(group: str) -> Iterable[SecurityRule]:
    """Return the default rules of every group (documented)."""
    rows = (
        ("AllowVnetInBound", True, True, 65000, VIRTUAL_NETWORK, VIRTUAL_NETWORK),
        ("AllowAzureLoadBalancerInBound", True, True, 65001, LOAD_BALANCER, "*"),
        ("DenyAllInBound", True, False, 65500, "*", "*"),
        ("AllowVnetOutBound", False, True, 65000, VIRTUAL_NETWORK, VIRTUAL_NETWORK),
        ("AllowInternetOutBound", False, True, 65001, "*", INTERNET),
        ("DenyAllOutBound", False, False, 65500, "*", "*"),
    )
    for name, inbound, allow, priority, source, destination in rows:
        yield SecurityRule(
            name, group, inbound, allow, priority, "*", (source,), (destination,), ("*",)
        )


def _matches(rule: SecurityRule, packet: Packet, space: Sequence[str]) -> bool:
    if rule.protocol not in ("*", packet.protocol):
        return False
    if packet.protocol != "icmp" and not any(
        _matches_port(port, packet.port) for port in rule.ports
    ):
        return False
    return any(_covers(source, packet.source, space) for source in rule.sources) and any(
        _covers(destination, packet.destination, space) for destination in rule.destinations
    )


def _matches_port(written: str, port: int) -> bool:
    if written == "*":
        return True
    low, _, high = written.partition("-")
    return low.isdigit() and int(low) <= port <= int(high if high.isdigit() else low)


def _covers(written: str, address: str, space: Sequence[str]) -> bool:
    tag = written.lower()
    if tag in ("*", "any"):
        return True
    if tag == VIRTUAL_NETWORK:
        return any(addresses.contains(prefix, address) for prefix in space)
    if tag == INTERNET:
        inside = any(addresses.contains(prefix, address) for prefix in space)
        return addresses.is_public(address) and not inside
    return addresses.contains(written, address)
