"""Layouts of the Linux data plane made of a builder's world, and the way of a packet in one.

No agent, no kernel: ``translate`` is the plane's translation with what the routers would have
learned given by the caller; ``walk`` follows rules and routes from node to node as a kernel would.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from erfailover.lab.core import addresses, ids
from erfailover.lab.linux.layout import MAIN_TABLE, Layout, LinkEnd, Machine, Node, Route
from erfailover.lab.linux.translation.ground import Ground
from erfailover.lab.linux.translation.names import Names
from erfailover.lab.linux.translation.translate import build_layout
from erfailover.lab.routing.index import Network
from erfailover.lab.routing.originated import OriginatedPrefixes
from erfailover.lab.routing.route_exchange import SpeakerKey
from erfailover.lab.routing.sessions import read_ends
from tests.support.worlds import Builder, resource_id

SPEED = 60.0
LONGEST_WAY = 40


class Translated:
    """A world's layout, translated again at each call with the same names."""

    def __init__(self, builder: Builder) -> None:
        self.world = builder.world
        self.network = Network(builder.world)
        self.names = Names()
        self._originated = OriginatedPrefixes(builder.world, self.network, 0.0)
        self.learned: dict[SpeakerKey, tuple[str, ...]] = {}

    def list_remote_prefixes(self, gateway: str) -> tuple[str, ...]:
        """The static prefixes of a gateway, and what the test says it learned."""
        record = self.network.gateways.get(gateway)
        static = self._originated.list_static(record) if record is not None else ()
        hosts = self._originated.list_hosts(record) if record is not None else ()
        learned = [
            p for (key, _), prefixes in self.learned.items() if key == gateway for p in prefixes
        ]
        return tuple(dict.fromkeys((*hosts, *static, *learned)))

    def translate(self, *stopped: str) -> Layout:
        """The layout; every tunnel that can be up is, every machine runs but some."""
        self.network.refresh()
        self._originated.reconcile()
        self.world.advance_to(self.world.now)
        gateways, ends = self.network.gateways.all, read_ends(self.network)
        originated = self._originated
        return build_layout(
            Ground(
                network=self.network,
                names=self.names,
                source=self,
                ends=ends,
                originated={key: originated.list_advertised(g) for key, g in gateways.items()},
                delivered={
                    key: (*originated.list_own(g), *(p for p, _ in originated.list_spokes(g)))
                    for key, g in gateways.items()
                },
                learned=self.learned,
                machines={
                    key: Machine(machine.name, machine.name)
                    for key, machine in self.network.machines.all.items()
                    if machine.name not in stopped
                },
                speed=SPEED,
                up=frozenset(key for key, end in ends.items() if end.tunnel is not None),
            )
        )


def translate(
    builder: Builder, learned: Mapping[str, Sequence[str]] | None = None, *stopped: str
) -> Layout:
    """The layout of a world; ``learned`` are prefixes by gateway, or by ``gateway#instance``."""
    translated = Translated(builder)
    for name, prefixes in (learned or {}).items():
        gateway, _, index = name.partition("#")
        key = ids.to_key(resource_id("virtualNetworkGateways", gateway))
        translated.learned[key, int(index or 0)] = tuple(prefixes)
    return translated.translate(*stopped)


def get_node(layout: Layout, name: str) -> Node:
    """A node by name."""
    return next(node for node in layout.nodes if node.name == name)


def list_chain(node: Node, chain: str) -> list[str]:
    """The rules of a chain of a node's ruleset."""
    _, _, body = node.nft.partition(f"  chain {chain} {{\n")
    return [line.strip() for line in body.partition("\n  }")[0].splitlines()]


def find_interface(layout: Layout, node: str, other: str) -> str:
    """The interface of a node on its link to another."""
    for link in layout.links:
        for end, far in (link.ends, link.ends[::-1]):
            if (end.node, far.node) == (node, other):
                return end.interface.name
    raise AssertionError(f"no link between {node} and {other}")


def walk(layout: Layout, machine: str, destination: str, interface: str = "eth0") -> list[str]:
    """The nodes that a packet passes: from a machine until one has it, or drops it (``lost``).

    Filters are not looked at, and a machine does not forward: the way ends at it.
    """
    here, way = _find_far_end(layout, machine, interface), [machine]
    while here is not None and len(way) < LONGEST_WAY:
        node = get_node(layout, here.node)
        way.append(node.name)
        if node.kind == "machine":
            return way
        route = _find_route(node, here.interface.name, destination)
        if route is None or route.kind in ("blackhole", "unreachable"):
            return [*way, "lost"]
        if route.kind == "local":
            return way
        here = _find_far_end(layout, node.name, route.device)
    return [*way, "lost"]


def _find_route(node: Node, interface: str, destination: str) -> Route | None:
    tables = [rule.table for rule in node.rules if rule.interface == interface] or [MAIN_TABLE]
    routes = [
        replace(route)
        for route in node.routes
        if route.table in (tables[0], MAIN_TABLE) and addresses.contains(route.prefix, destination)
    ]
    for table in (tables[0], MAIN_TABLE):
        fitting = [route for route in routes if route.table == table]
        if fitting:
            return min(fitting, key=lambda r: (-int(r.prefix.partition("/")[2]), r.metric))
    return None


def _find_far_end(layout: Layout, node: str, interface: str) -> LinkEnd | None:
    for link in layout.links:
        for end, far in (link.ends, link.ends[::-1]):
            if (end.node, end.interface.name) == (node, interface):
                return far
    tunnels = {t.local_identity: (each, t) for each in layout.nodes for t in each.tunnels}
    for each, tunnel in tunnels.values():
        if (each.name, tunnel.device) == (node, interface) and tunnel.remote_identity in tunnels:
            far_node, far_tunnel = tunnels[tunnel.remote_identity]
            return LinkEnd(far_node.name, _TunnelEnd(far_tunnel.device))  # type: ignore[arg-type]
    return None


class _TunnelEnd:
    def __init__(self, name: str) -> None:
        self.name = name
