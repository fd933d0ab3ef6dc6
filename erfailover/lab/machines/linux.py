"""A modelled Linux machine: interfaces, kernel routes, forwarding and connection tracking.

Owns the state that commands change and packets meet. ``output`` and ``arrive`` say what the
kernel does with one packet; they change nothing, so that asking whether a packet would pass
leaves no trace. What lies beyond the interfaces is for ``reachability``.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from erfailover.lab.core import addresses
from erfailover.lab.machines.netfilter import Firewall, Rule
from erfailover.lab.routing.security_groups import Packet

ICMP_TIMEOUT_S = 30.0
"""How long the kernel remembers an echo after its last packet (nf_conntrack_icmp_timeout)."""


@dataclass(frozen=True, slots=True)
class Interface:
    """An interface: its name, address with prefix length, and network interface's key."""

    name: str
    address: str
    length: int
    nic: str

    @property
    def subnet(self) -> str:
        """The prefix it is connected to."""
        return str(ipaddress.IPv4Interface(f"{self.address}/{self.length}").network)

    @property
    def router(self) -> str:
        """The subnet's first address, which Azure keeps for its router."""
        return str(ipaddress.IPv4Network(self.subnet)[1])


@dataclass(frozen=True, slots=True)
class KernelRoute:
    """A route of the kernel; ``via`` is empty where the destination is on the link."""

    prefix: str
    interface: str
    via: str = ""
    metric: int = 0
    source: str = ""
    protocol: str = ""

    def text(self) -> str:
        """The route as ``ip route`` writes it."""
        parts = ["default" if self.prefix == "0.0.0.0/0" else self.prefix.removesuffix("/32")]
        if self.via:
            parts += ["via", self.via]
        parts += ["dev", self.interface]
        if self.protocol:
            parts += ["proto", self.protocol]
        if self.protocol == "kernel" or not self.via:
            parts += ["scope", "link"]
        if self.source:
            parts += ["src", self.source]
        if self.metric:
            parts += ["metric", str(self.metric)]
        return " ".join(parts) + " "


@dataclass(frozen=True, slots=True)
class Flow:
    """A flow through a machine: the first packet's addresses, and those of its answers.

    ``machine`` is the key of the virtual machine.
    """

    machine: str
    protocol: str
    source: str
    destination: str
    reply_source: str
    reply_destination: str


@dataclass(frozen=True, slots=True)
class Tracked:
    """What the kernel remembers of a flow: when its last packet passed, whether answered."""

    last: float
    replied: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """What the kernel does with a packet.

    ``action`` is ``deliver`` (to a local process), ``send`` (out of ``interface``) or ``drop``
    (for ``reason``). ``flow`` is one that the packet opens, where the kernel tracks it.
    """

    action: str
    packet: Packet
    interface: Interface | None = None
    flow: Flow | None = None
    reason: str = ""


@dataclass(slots=True)
class Linux:
    """One machine's system.

    ``conntrack`` holds the tracked echoes by flow and id; ``saved`` is what
    ``netfilter-persistent save`` wrote, which a boot restores.
    """

    key: str
    hostname: str
    interfaces: tuple[Interface, ...]
    routes: list[KernelRoute] = field(default_factory=list)
    sysctl: dict[str, str] = field(default_factory=dict)
    firewall: Firewall = field(default_factory=Firewall)
    saved: Firewall | None = None
    packages: set[str] = field(default_factory=set)
    files: dict[str, str] = field(default_factory=dict)
    executable: set[str] = field(default_factory=set)
    """Files that may be run."""
    conntrack: dict[tuple[Flow, int], Tracked] = field(default_factory=dict)
    echo_id: int = 0

    def boot(self) -> None:
        """Start the system: what only the running kernel knew is gone."""
        self.routes = initial_routes(self.interfaces)
        self.sysctl = {"net.ipv4.ip_forward": "0", "net.ipv4.conf.all.forwarding": "0"}
        for path in sorted(self.files):
            if path == "/etc/sysctl.conf" or (
                path.startswith("/etc/sysctl.d/") and path.endswith(".conf")
            ):
                self.load_sysctl(self.files[path])
        self.firewall = self.saved.copy() if self.saved is not None else Firewall()
        self.conntrack = {}

    def load_sysctl(self, text: str) -> list[tuple[str, str]]:
        """Apply a file of sysctl settings; returns those it set."""
        found = sysctl_settings(text)
        for name, value in found:
            self.set_sysctl(name, value)
        return found

    def set_sysctl(self, name: str, value: str) -> None:
        """Set a kernel parameter; the two names of forwarding are one."""
        self.sysctl[name] = value
        if name in ("net.ipv4.ip_forward", "net.ipv4.conf.all.forwarding"):
            self.sysctl["net.ipv4.ip_forward"] = value
            self.sysctl["net.ipv4.conf.all.forwarding"] = value

    def track(self, flow: Flow, echo_id: int, now: float, replied: bool) -> None:
        """Remember an echo; one that is remembered lives on."""
        self.conntrack[flow, echo_id] = Tracked(now, replied)

    def tracked(self, now: float) -> list[tuple[Flow, int, Tracked]]:
        """The echoes remembered at a modelled time, after dropping those that ran out."""
        self.conntrack = {
            key: each for key, each in self.conntrack.items() if now < each.last + ICMP_TIMEOUT_S
        }
        return [(flow, echo_id, each) for (flow, echo_id), each in self.conntrack.items()]

    def interface(self, name: str) -> Interface | None:
        """The interface with that name."""
        return next((each for each in self.interfaces if each.name == name), None)

    def interface_of(self, nic: str) -> Interface | None:
        """The interface of a network interface, by its key."""
        return next((each for each in self.interfaces if each.nic == nic), None)

    def route_to(self, destination: str) -> KernelRoute | None:
        """The kernel's route to an address: longest prefix, then lowest metric."""
        found = [each for each in self.routes if addresses.holds(each.prefix, destination)]
        return min(found, key=lambda each: (-_length(each.prefix), each.metric), default=None)

    def is_local(self, address: str) -> bool:
        """Whether an address is one of the machine's own."""
        return address.startswith("127.") or any(
            each.address == address for each in self.interfaces
        )

    def output(self, packet: Packet, flows: Sequence[Flow] = ()) -> Decision:
        """What becomes of a packet that a local process sends; an empty source is filled in."""
        route = self.route_to(packet.destination)
        interface = self.interface(route.interface) if route is not None else None
        if interface is None:
            return Decision("drop", packet, reason=f"{self.hostname}: Network is unreachable")
        packet = replace(packet, source=packet.source or interface.address)
        state = "ESTABLISHED" if self._replied_to(packet, flows) is not None else "NEW"
        rule = self.firewall.verdict(
            "filter", "OUTPUT", packet, state, out_interface=interface.name
        )
        if rule.target != "ACCEPT":
            return self._dropped(packet, "OUTPUT")
        return self._leave(packet, packet, state, interface)

    def arrive(self, packet: Packet, interface: Interface, flows: Sequence[Flow] = ()) -> Decision:
        """What becomes of a packet that comes in by an interface.

        Args:
            packet: the packet.
            interface: where it comes in.
            flows: the flows that the kernel tracks; an answer to one is translated back.
        """
        answered = self._replied_to(packet, flows)
        state = "NEW"
        if answered is not None:
            state = "ESTABLISHED"
            packet = replace(packet, source=answered.destination, destination=answered.source)
        if self.is_local(packet.destination):
            rule = self.firewall.verdict("filter", "INPUT", packet, state, interface.name)
            if rule.target != "ACCEPT":
                return self._dropped(packet, "INPUT")
            return Decision("deliver", packet, interface, self._flow(packet, packet, state))
        if self.sysctl.get("net.ipv4.ip_forward") != "1":
            reason = f"{self.hostname} does not forward: net.ipv4.ip_forward is 0"
            return Decision("drop", packet, reason=reason)
        route = self.route_to(packet.destination)
        out = self.interface(route.interface) if route is not None else None
        if out is None:
            reason = f"{self.hostname} has no route to {packet.destination}"
            return Decision("drop", packet, reason=reason)
        rule = self.firewall.verdict("filter", "FORWARD", packet, state, interface.name, out.name)
        if rule.target != "ACCEPT":
            return self._dropped(packet, "FORWARD")
        return self._leave(packet, packet, state, out)

    def _leave(self, first: Packet, packet: Packet, state: str, out: Interface) -> Decision:
        """Past POSTROUTING; only a flow's first packet meets the nat table."""
        if state == "NEW":
            rule = self.firewall.verdict("nat", "POSTROUTING", packet, out_interface=out.name)
            packet = replace(packet, source=_translated(rule, packet.source, out))
        return Decision("send", packet, out, self._flow(first, packet, state))

    def _flow(self, first: Packet, sent: Packet, state: str) -> Flow | None:
        if state != "NEW" or not self.firewall.tracks():
            return None
        return Flow(
            self.key,
            first.protocol,
            first.source,
            first.destination,
            sent.destination,
            sent.source,
        )

    def _replied_to(self, packet: Packet, flows: Sequence[Flow]) -> Flow | None:
        wanted = (self.key, packet.protocol, packet.source, packet.destination)
        for flow in flows:
            if wanted == (flow.machine, flow.protocol, flow.reply_source, flow.reply_destination):
                return flow
        return None

    def _dropped(self, packet: Packet, chain: str) -> Decision:
        return Decision("drop", packet, reason=f"{self.hostname}: iptables {chain} drops it")


def sysctl_settings(text: str) -> list[tuple[str, str]]:
    """The settings in a sysctl file: name and value."""
    found = []
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.lstrip().startswith(("#", ";")):
            found.append((name.strip().replace("/", "."), value.strip()))
    return found


def initial_routes(interfaces: Sequence[Interface]) -> list[KernelRoute]:
    """The routes after a boot: DHCP's on eth0 and a connected one for each interface."""
    found = []
    if interfaces:
        first = interfaces[0]
        for prefix in ("0.0.0.0/0", "168.63.129.16/32", "169.254.169.254/32"):
            found.append(KernelRoute(prefix, first.name, first.router, 100, first.address, "dhcp"))
    for number, each in enumerate(interfaces):
        found.append(
            KernelRoute(each.subnet, each.name, "", 100 * (number + 1), each.address, "kernel")
        )
    return found


def _length(prefix: str) -> int:
    parsed = addresses.ipv4_network(prefix)
    return parsed.prefixlen if parsed is not None else 0


def _translated(rule: Rule, source: str, out: Interface) -> str:
    if rule.target == "MASQUERADE":
        return out.address
    if rule.target == "SNAT":
        return rule.to_source
    return source
