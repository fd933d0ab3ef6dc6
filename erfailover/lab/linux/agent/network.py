"""Namespaces, links, addresses, routes, rules and nftables, as a layout wants them.

Owns the order of a change: links and nodes that go, then those that come, then addresses,
nftables and routes. Daemons and machines are others' work.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from erfailover.lab.linux.agent import namespaces
from erfailover.lab.linux.agent.node import NodeNetwork
from erfailover.lab.linux.layout import Interface, Layout, Link, Node

Errors = list[str]

_FAILURES = (
    NetlinkError,
    OSError,
    LookupError,
    RuntimeError,
    ValueError,
    subprocess.SubprocessError,
)


class Network:
    """Everything that was set in the kernel; used by the thread that created it."""

    def __init__(self) -> None:
        self.nodes: dict[str, NodeNetwork] = {}
        self.writes = 0
        """Counts every change asked of the kernel."""
        self._links: dict[str, Link] = {}
        self._layout = Layout()
        self._identities: dict[str, tuple[object, ...]] = {}
        self._ip = IPRoute()
        self._ip.link("set", index=1, state="up")

    def count(self) -> dict[str, int]:
        """Return how much is there."""
        return {"nodes": len(self.nodes), "links": len(self._links), "writes": self.writes}

    def find_obsolete(self, layout: Layout) -> frozenset[str]:
        """Return the nodes that the layout has no more, or has anew: a machine that was restarted.

        A machine that starts finds nothing of what it set itself before.
        """
        wanted = {node.name: _identify_node(node) for node in layout.nodes}
        return frozenset(
            name for name, identity in self._identities.items() if wanted.get(name) != identity
        )

    def apply(self, layout: Layout, errors: Errors) -> dict[str, int]:
        """Make the kernel match a layout; return how many writes that took.

        What fails is named in ``errors`` and tried again by the next call; the rest is done.
        """
        before = self.writes
        interfaces = _list_interfaces(layout)
        obsolete = self.find_obsolete(layout)
        self._remove_links(layout, obsolete, errors)
        self._remove_nodes(obsolete, errors)
        changed = self._find_changed_machines(layout, interfaces)
        self._layout = layout
        self._create(layout, errors)
        present = [node for node in layout.nodes if node.name in self.nodes]
        settable = [node for node in present if node.kind != "machine" or node.name in changed]

        def set_interfaces(node: Node) -> None:
            network = self.nodes[node.name]
            wanted = [each for each in interfaces[node.name] if each.name in network.interfaces]
            network.set_interfaces(node, wanted)

        def set_nft(node: Node) -> None:
            if node.kind != "machine":
                self.nodes[node.name].set_nft(node.nft)

        self._each(settable, set_interfaces, errors)
        self._each(settable, set_nft, errors)
        # First on every node, so that nothing that stays is cut meanwhile.
        self._each(settable, lambda node: self.nodes[node.name].add_routes(node), errors)
        self._each(settable, lambda node: self.nodes[node.name].remove_routes(node), errors)
        return {**self.count(), "writes": self.writes - before}

    def set_device(self, node: str, device: str, up: bool) -> None:
        """Note that a tunnel's device came up or went; its routes follow it."""
        wanted = next((each for each in self._layout.nodes if each.name == node), None)
        if wanted is None or node not in self.nodes:
            return
        try:
            self.nodes[node].set_device(wanted, device, up)
        except OSError:
            self.nodes[node].forget(device)  # It is gone again.

    def _find_changed_machines(
        self, layout: Layout, interfaces: dict[str, list[Interface]]
    ) -> set[str]:
        """Return the machines that are new or whose interfaces are: they own the rest."""
        return {
            node.name
            for node in layout.nodes
            if node.kind == "machine"
            and (
                node.name not in self.nodes
                or self.nodes[node.name].interfaces
                != {each.name: each for each in interfaces[node.name]}
            )
        }

    def _remove_links(self, layout: Layout, obsolete: frozenset[str], errors: Errors) -> None:
        wanted = {link.name: _identify(link) for link in layout.links}
        for name, link in list(self._links.items()):
            stays = wanted.get(name) == _identify(link)
            if stays and obsolete.isdisjoint(end.node for end in link.ends):
                continue
            with _note(errors, f"link {name}"):
                near = link.ends[0]
                self.nodes[near.node].remove(near.interface.name)
                for end in link.ends:
                    self.nodes[end.node].forget(end.interface.name)
                del self._links[name]

    def _remove_nodes(self, obsolete: frozenset[str], errors: Errors) -> None:
        for name in obsolete:
            with _note(errors, f"node {name}"):
                self.writes += 1
                del self._identities[name]
                self.nodes.pop(name).close()

    def _create(self, layout: Layout, errors: Errors) -> None:
        for node in layout.nodes:
            if node.name not in self.nodes:
                with _note(errors, f"node {node.name}"):
                    self.nodes[node.name] = NodeNetwork(node, self._count)
                    self._identities[node.name] = _identify_node(node)
        for link in layout.links:
            if link.name not in self._links:
                with _note(errors, f"link {link.name}"):
                    self._create_link(link)
                    for end in link.ends:
                        self.nodes[end.node].adopt(end.interface)
                    self._links[link.name] = link

    def _create_link(self, link: Link) -> None:
        near, far = link.ends
        places = []
        try:
            for end in link.ends:
                places.append(os.open(namespaces.get_path(end.node), os.O_RDONLY | os.O_CLOEXEC))
            self._count()
            self._ip.link(
                "add",
                kind="veth",
                **_describe(near.interface, places[0]),
                peer=_describe(far.interface, places[1]),
            )
        finally:
            for place in places:
                os.close(place)

    def _each(self, nodes: list[Node], act: Callable[[Node], None], errors: Errors) -> None:
        for node in nodes:
            with _note(errors, f"node {node.name}"):
                act(node)

    def _count(self) -> None:
        self.writes += 1


def _identify(link: Link) -> tuple[tuple[str, str, str], ...]:
    """Return what makes it another link if it changes."""
    return tuple((end.node, end.interface.name, end.interface.mac) for end in link.ends)


def _identify_node(node: Node) -> tuple[object, ...]:
    """Return what makes it another node if it changes."""
    machine = node.machine
    return node.kind, (machine.disk, machine.starts) if machine is not None else None


def _describe(interface: Interface, place: int) -> dict[str, str | int]:
    return {
        "ifname": interface.name,
        "address": interface.mac,
        "mtu": interface.mtu,
        "net_ns_fd": place,
    }


def _list_interfaces(layout: Layout) -> dict[str, list[Interface]]:
    interfaces: dict[str, list[Interface]] = {node.name: [] for node in layout.nodes}
    for link in layout.links:
        for end in link.ends:
            interfaces[end.node].append(end.interface)
    return interfaces


@contextmanager
def _note(errors: Errors, subject: str) -> Iterator[None]:
    try:
        yield
    except _FAILURES as error:
        errors.append(f"{subject}: {error}")
