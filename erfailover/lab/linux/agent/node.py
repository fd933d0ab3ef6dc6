"""What the agent set in one network namespace: interfaces, addresses, routes, rules, nftables.

Keeps in memory what it wrote, and writes nothing but differences to it.
"""

from __future__ import annotations

import errno
import socket
import subprocess
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from erfailover.lab.linux.agent import namespaces
from erfailover.lab.linux.layout import Interface, Node, Route, Rule

LOOPBACK = "lo"

_LOOPBACK_INDEX = 1
_DEFAULT_RULE = {"priority": 32767, "table": 253}
_SCOPE_LINK, _SCOPE_HOST, _SCOPE_GLOBAL = 253, 254, 0
_PROTOCOL_STATIC = 4
_NFT_TIMEOUT_S = 10.0
_GONE = {errno.ESRCH, errno.ENODEV, errno.EADDRNOTAVAIL, errno.ENOENT}
_ABSENT_DEVICE = {errno.ENODEV, errno.ENETDOWN, errno.ENETUNREACH, errno.ENXIO}

_KERNEL_PARAMETERS = {
    "ipv4/conf/all/rp_filter": 0,
    "ipv4/conf/default/rp_filter": 0,
    "ipv4/conf/all/send_redirects": 0,
    "ipv4/conf/default/send_redirects": 0,
    "ipv4/conf/all/accept_redirects": 0,
    "ipv4/conf/default/accept_redirects": 0,
    # Without it the kernel drops a subnet's other addresses along with the first.
    "ipv4/conf/all/promote_secondaries": 1,
    "ipv4/conf/default/promote_secondaries": 1,
    "ipv6/conf/all/disable_ipv6": 1,
    "ipv6/conf/default/disable_ipv6": 1,
}

RouteKey = tuple[int, str, int]


class NodeNetwork:
    """A namespace with what was set in it; used by one thread."""

    def __init__(self, node: Node, count: Callable[[], None]):
        self.name = node.name
        self.machine = node.kind == "machine"
        self.interfaces: dict[str, Interface] = {}
        self.tunnel_devices: set[str] = set()
        """The devices of its tunnels that are up, and so can have routes."""
        self._count = count
        self._addresses: dict[str, list[str]] = {}
        self._neighbors: dict[tuple[str, str], str] = {}
        self._routes: dict[RouteKey, Route] = {}
        self._rules: set[Rule] = set()
        self._forwarding: bool | None = None
        self._nft = ""
        self._indexes = {LOOPBACK: _LOOPBACK_INDEX}
        namespaces.create(node.name)
        with namespaces.enter(node.name):
            self._ip = IPRoute()
        self._write_parameters(_KERNEL_PARAMETERS)
        self._write(self._ip.link, "set", index=_LOOPBACK_INDEX, state="up")
        if not self.machine:
            self._write(self._ip.rule, "del", **_DEFAULT_RULE)

    def close(self) -> None:
        """Remove the namespace."""
        self._ip.close()
        namespaces.remove(self.name)

    def adopt(self, interface: Interface) -> None:
        """Set up an interface that has just been created."""
        with namespaces.enter(self.name):
            self._indexes[interface.name] = socket.if_nametoindex(interface.name)
        self.interfaces[interface.name] = interface
        if interface.proxy:
            self._write_proxy(interface)
        self._write(self._ip.link, "set", index=self._indexes[interface.name], state="up")

    def remove(self, interface: str) -> None:
        """Remove an interface, and with it the other end of its link.

        A machine may have removed it itself.
        """
        self._write_if_there(self._ip.link, "del", index=self._indexes[interface])

    def forget(self, interface: str) -> None:
        """Note that an interface is gone, and what the kernel removed along with it."""
        self.interfaces.pop(interface, None)
        self._indexes.pop(interface, None)
        self.tunnel_devices.discard(interface)
        self._forget_uses(interface)
        for address in self._addresses.pop(interface, []):
            self._remove_routes_from(address)

    def set_interfaces(self, node: Node, wanted: Iterable[Interface]) -> None:
        """Set forwarding, and what is wanted on the interfaces that are there."""
        if node.forwarding != self._forwarding:
            self._write_parameters({"ipv4/ip_forward": int(node.forwarding)})
            # The kernel resets these whenever forwarding changes.
            self._write_parameters({"ipv4/conf/all/send_redirects": 0})
            self._forwarding = node.forwarding
        wanted = list(wanted)
        addresses = {LOOPBACK: node.addresses}
        neighbors: dict[tuple[str, str], str] = {}
        for interface in wanted:
            addresses[interface.name] = interface.addresses
            neighbors |= {(interface.name, each): m for each, m in interface.neighbors.items()}
            before = self.interfaces[interface.name]
            if before.mtu != interface.mtu:
                index = self._indexes[interface.name]
                self._write(self._ip.link, "set", index=index, mtu=interface.mtu)
            if before.proxy != interface.proxy:
                self._write_proxy(interface)
            self.interfaces[interface.name] = interface
        for name, values in addresses.items():
            self._set_addresses(name, values)
        self._set_neighbors(neighbors)

    def set_nft(self, ruleset: str) -> None:
        """Replace the whole ruleset in one transaction."""
        if ruleset == self._nft:
            return
        self._count()
        with namespaces.enter(self.name):
            done = subprocess.run(
                ("nft", "-f", "-"),
                input=f"flush ruleset\n{ruleset}\n",
                text=True,
                capture_output=True,
                timeout=_NFT_TIMEOUT_S,
            )
        if done.returncode != 0:
            raise RuntimeError(f"nft: {done.stderr.strip()}")
        self._nft = ruleset

    def add_routes(self, node: Node) -> None:
        """Add or replace what is wanted and is not there."""
        failures = []
        # A next hop must be reachable when its route is added.
        wanted = self._list_wanted(node)
        for key, route in sorted(wanted.items(), key=lambda item: bool(item[1].via)):
            if self._routes.get(key) != route:
                try:
                    self._replace_route(key, route)
                except (NetlinkError, ValueError) as error:
                    failures.append(f"route {route.prefix} in table {route.table}: {error}")
        for rule in sorted(set(node.rules) - self._rules, key=lambda rule: rule.priority):
            self._write(self._ip.rule, "add", **_describe_rule(rule))
            self._rules.add(rule)
        if failures:
            raise RuntimeError("; ".join(failures))

    def remove_routes(self, node: Node) -> None:
        """Remove what exists and is not wanted."""
        for rule in self._rules - set(node.rules):
            self._write_if_there(self._ip.rule, "del", **_describe_rule(rule))
            self._rules.discard(rule)
        wanted = self._list_wanted(node)
        for key in [key for key in self._routes if key not in wanted]:
            self._remove_route(key)

    def set_device(self, node: Node, device: str, up: bool) -> None:
        """Note that a tunnel's device came up or went; its routes are added again."""
        self.forget(device)
        if not up:
            return
        with namespaces.enter(self.name):
            self._indexes[device] = socket.if_nametoindex(device)
        self.tunnel_devices.add(device)
        self.add_routes(node)

    def _list_wanted(self, node: Node) -> dict[RouteKey, Route]:
        absent = {tunnel.device for tunnel in node.tunnels} - self.tunnel_devices
        return {
            (route.table, route.prefix, route.metric): route
            for route in node.routes
            if route.device not in absent
        }

    def _replace_route(self, key: RouteKey, route: Route) -> None:
        try:
            self._write(self._ip.route, "replace", **self._describe_route(route))
        except NetlinkError as error:
            if route.device in self.tunnel_devices and error.code in _ABSENT_DEVICE:
                return  # Its daemon has just ended; the routes come back with the device.
            raise
        self._routes[key] = route

    def _set_addresses(self, interface: str, wanted: Sequence[str]) -> None:
        """Set an interface's addresses, in order: packets leave with the first of a subnet."""
        present = self._addresses.setdefault(interface, [])
        stay = [each for each in present if each in wanted]
        kept = next((i for i, each in enumerate(stay) if each != wanted[i]), len(stay))
        for address in stay[kept:]:
            self._remove_address(interface, address)
        for address in wanted[kept:]:
            self._write_address("add", interface, address)
            present.append(address)
        for address in [each for each in present if each not in wanted]:
            self._remove_address(interface, address)

    def _remove_address(self, interface: str, address: str) -> None:
        self._remove_routes_from(address)
        self._write_address("del", interface, address)
        self._addresses[interface].remove(address)
        if not self._addresses[interface]:
            self._forget_uses(interface)

    def _write_address(self, command: str, interface: str, address: str) -> None:
        host, length = address.split("/")
        try:
            self._write(
                self._ip.addr,
                command,
                index=self._indexes[interface],
                address=host,
                prefixlen=int(length),
            )
        except NetlinkError as error:
            # A machine may have changed it itself.
            if error.code not in {errno.EEXIST, *_GONE}:
                raise RuntimeError(f"address {address} of {interface}: {error}") from error

    def _remove_routes_from(self, address: str) -> None:
        """Remove the routes whose source is an address that goes.

        The kernel would do so too, but in the main table only.
        """
        source = address.split("/")[0]
        for key in [key for key, route in self._routes.items() if route.source == source]:
            self._remove_route(key)

    def _remove_route(self, key: RouteKey) -> None:
        route = self._routes.pop(key)
        self._write_if_there(self._ip.route, "del", **self._describe_route(route))

    def _forget_uses(self, interface: str) -> None:
        """Note that the kernel removed what uses an interface: it, or its last address, is gone."""
        self._neighbors = {key: mac for key, mac in self._neighbors.items() if key[0] != interface}
        self._routes = {
            key: route
            for key, route in self._routes.items()
            if route.device != interface and (route.device or not route.via)
        }

    def _set_neighbors(self, wanted: dict[tuple[str, str], str]) -> None:
        for (interface, address), mac in wanted.items():
            if self._neighbors.get((interface, address)) != mac:
                self._write(
                    self._ip.neigh,
                    "replace",
                    ifindex=self._indexes[interface],
                    dst=address,
                    lladdr=mac,
                    state="permanent",
                )
                self._neighbors[interface, address] = mac
        for interface, address in [key for key in self._neighbors if key not in wanted]:
            index = self._indexes[interface]
            self._write_if_there(self._ip.neigh, "del", ifindex=index, dst=address)
            del self._neighbors[interface, address]

    def _describe_route(self, route: Route) -> dict[str, Any]:
        described: dict[str, Any] = {
            "dst": route.prefix,
            "table": route.table,
            "proto": _PROTOCOL_STATIC,
            "type": route.kind,
            "scope": _SCOPE_GLOBAL,
        }
        if route.device:
            if route.device not in self._indexes:
                raise ValueError(f"there is no interface {route.device}")
            described["oif"] = self._indexes[route.device]
        if route.kind == "local":
            described["scope"] = _SCOPE_HOST
            described.setdefault("oif", _LOOPBACK_INDEX)
        elif route.kind == "unicast" and not route.via:
            described["scope"] = _SCOPE_LINK
        if route.via:
            described["gateway"] = route.via
            if route.device:
                described["flags"] = ["onlink"]
        if route.metric:
            described["priority"] = route.metric
        if route.source:
            described["prefsrc"] = route.source
        return described

    def _write_proxy(self, interface: Interface) -> None:
        self._write_parameters(
            {
                f"ipv4/conf/{interface.name}/proxy_arp": int(interface.proxy),
                f"ipv4/neigh/{interface.name}/proxy_delay": 0,
            }
        )

    def _write_parameters(self, values: dict[str, int]) -> None:
        with namespaces.enter(self.name):
            for name, value in values.items():
                path = Path("/proc/sys/net") / name
                # A kernel without IPv6 has nothing to turn off.
                if path.exists() or not name.startswith("ipv6/"):
                    self._count()
                    path.write_text(f"{value}\n")

    def _write(self, function: Callable[..., Any], *arguments: Any, **values: Any) -> None:
        self._count()
        function(*arguments, **values)

    def _write_if_there(self, function: Callable[..., Any], *arguments: Any, **values: Any) -> None:
        try:
            self._write(function, *arguments, **values)
        except NetlinkError as error:
            if error.code not in _GONE:
                raise


def _describe_rule(rule: Rule) -> dict[str, Any]:
    described: dict[str, Any] = {"priority": rule.priority}
    if rule.table:
        described["table"] = rule.table
    else:
        described["action"] = "unreachable"
    if rule.interface:
        described["iifname"] = rule.interface
    return described
