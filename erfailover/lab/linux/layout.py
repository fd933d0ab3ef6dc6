"""What should exist on the Linux data plane: namespaces, links, routes, daemons, machines.

Values only. ``translation`` makes a layout from the lab's parsed resources; the agent makes the
system match it, and applies only the difference to what exists. Both speak JSON.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from typing import Any

MAIN_TABLE = 254


@dataclass(frozen=True, slots=True)
class Route:
    """A kernel route.

    ``prefix`` is in CIDR notation. ``kind`` is ``unicast``, ``blackhole``, ``unreachable`` or
    ``local``. A ``via`` that is not on a connected prefix is reached on ``device`` all the same
    (``onlink``).
    """

    prefix: str
    device: str = ""
    via: str = ""
    table: int = MAIN_TABLE
    kind: str = "unicast"
    metric: int = 0
    source: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of policy routing: what arrives at ``interface`` uses ``table``.

    An empty interface means every packet; table 0 means that the packet is unreachable.
    """

    priority: int
    table: int
    interface: str = ""


@dataclass(frozen=True, slots=True)
class Interface:
    """One end of a link.

    ``addresses`` are in CIDR notation, ``neighbors`` permanent entries of the neighbour table: MAC
    address by IPv4 address. An interface with ``proxy`` answers ARP for every address
    that its node can route to, at once.
    """

    name: str
    mac: str
    addresses: tuple[str, ...] = ()
    neighbors: Mapping[str, str] = field(default_factory=dict)
    proxy: bool = False
    mtu: int = 1500


@dataclass(frozen=True, slots=True)
class LinkEnd:
    """The node at one end of a link, and its interface."""

    node: str
    interface: Interface


@dataclass(frozen=True, slots=True)
class Link:
    """A veth pair; ``name`` is what an operator calls it, for example to capture on it.

    The ends have different MAC addresses, fixed by the layout.
    """

    name: str
    ends: tuple[LinkEnd, LinkEnd]


@dataclass(frozen=True, slots=True)
class Tunnel:
    """One end of an IPsec tunnel and its device; every packet routed to the device is encrypted.

    IKE authenticates both ends by ``secret``, a shared key that no log may show. ``port`` and
    ``nat_port`` are this end's UDP ports for IKE and for ESP in UDP, ``remote_port`` is the port
    at which the far end expects IKE with NAT traversal. Only one end ``initiates``. The device is
    not called ``ipsec...``, as charon calls its own. An end that hears nothing for
    ``dead_peer_s`` asks the other, and gives the tunnel up about 5 s later.
    """

    name: str
    device: str
    local_address: str
    remote_address: str
    secret: str
    port: int
    nat_port: int
    remote_port: int
    initiates: bool
    local_identity: str
    remote_identity: str
    dead_peer_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Machine:
    """A virtual machine that runs in its node.

    ``disk`` names its files, which outlive a stop; a new machine of the same name has another.
    ``starts`` counts its starts: another number means that it has been started again, so that
    whatever only a running kernel knows is lost. ``first_boot`` is a script of the first start
    (cloud-init's custom data), empty without one. ``listens`` are the TCP ports at which it accepts
    connections.
    """

    hostname: str
    disk: str
    starts: int = 1
    first_boot: str = ""
    listens: tuple[int, ...] = (22,)


@dataclass(frozen=True, slots=True)
class Node:
    """A network namespace and what is in it; its interfaces are ends of links.

    ``kind`` is ``machine``, ``vnet``, ``gateway`` or ``internet``. ``nft`` is the whole ruleset in
    nftables' language, replaced in one transaction. ``bird`` is BIRD's configuration, empty
    for a node without BGP; it may use ``RUN`` for the folder of its log.
    A machine sets its own kernel parameters and rules, so its ``forwarding`` is False, its
    ``nft`` empty, and its routes are only what it starts with.
    """

    name: str
    kind: str
    forwarding: bool = False
    addresses: tuple[str, ...] = ()
    """Addresses on its loopback interface, in CIDR notation."""
    routes: tuple[Route, ...] = ()
    rules: tuple[Rule, ...] = ()
    nft: str = ""
    bird: str = ""
    tunnels: tuple[Tunnel, ...] = ()
    machine: Machine | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """Everything that should exist.

    ``disks`` are those of all machines, running or not; every other disk is deleted.
    """

    nodes: tuple[Node, ...] = ()
    links: tuple[Link, ...] = ()
    disks: tuple[str, ...] = ()


def to_json(layout: Layout) -> dict[str, Any]:
    """Return a layout as JSON values."""
    return asdict(layout)


def from_json(data: Any) -> Layout:
    """Return the layout that ``to_json`` wrote; raise TypeError or KeyError for anything else."""
    layout: Layout = _read(Layout, data)
    return layout


def _read(kind: Any, data: Any) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return typing.cast(type[Any], kind)(
            **{each.name: _read(hints[each.name], data[each.name]) for each in fields(kind)}
        )
    if origin is tuple:
        kinds = arguments if arguments[-1] is not Ellipsis else arguments[:1] * len(data)
        return tuple(_read(kind, item) for kind, item in zip(kinds, data, strict=True))
    if origin in (types.UnionType, typing.Union):
        return None if data is None else _read(arguments[0], data)
    if origin is not None:
        return dict(data)
    return data
