"""A modelled Linux machine: interfaces, kernel routes, forwarding and connection tracking.

Owns the state that commands change and packets meet. ``send`` and ``receive`` return the
kernel's decision on one packet; they change nothing, so that a test packet leaves no trace.
``reachability`` handles everything beyond the interfaces.
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
    """A route of the kernel; ``via`` is empty if the destination is on the link."""

    prefix: str
    interface: str
    via: str = ""
    metric: int = 0
    source: str = ""
    protocol: str = ""

    def to_text(self) -> str:
        """Return the route as ``ip route`` prints it."""
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
class FlowState:
    """The kernel's record of a flow: when its last packet passed, and whether it was answered."""

    last: float
    replied: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """The kernel's decision on a packet.

    ``action`` is ``deliver`` (to a local process), ``send`` (out of ``interface``) or ``drop``
    (for ``reason``). ``flow`` is the flow that the packet opens, if the kernel tracks it.
    """

    action: str
    packet: Packet
    interface: Interface | None = None
    flow: Flow | None = None
    reason: str = ""


@dataclass(slots=True)
class Linux:
    """The system of one machine.

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
    conntrack: dict[tuple[Flow, int], FlowState] = field(default_factory=dict)
    echo_id: int = 0

    def boot(self) -> None:
        """Start the system: all state that only the running kernel had is lost."""
        self.routes = make_initial_routes(self.interfaces)
        self.sysctl = {"net.ipv4.ip_forward": "0", "net.ipv4.conf.all.forwarding": "0"}
        for path in sorted(self.files):
            if path == "/etc/sysctl.conf" or (
                path.startswith("/etc/sysctl.d/") and path.endswith(".conf")
            ):
                self.load_sysctl(self.files[path])
        self.firewall = self.saved.copy() if self.saved is not None else Firewall()
        self.conntrack = {}

    def load_sysctl(self, text: str) -> list[tuple[str, str]]:
        """Apply a file of sysctl settings; return the settings."""
        settings = parse_sysctl(text)
        for name, value in settings:
            self.set_sysctl(name, value)
        return settings

    def set_sysctl(self, name: str, value: str) -> None:
        """Set a kernel parameter; the two names of forwarding are one parameter."""
        self.sysctl[name] = value
        if name in ("net.ipv4.ip_forward", "net.ipv4.conf.all.forwarding"):
            self.sysctl["net.ipv4.ip_forward"] = value
            self.sysctl["net.ipv4.conf.all.forwarding"] = value

    def track(self, flow: Flow, echo_id: int, now: float, replied: bool) -> None:
        """Track an echo; one that is already tracked is renewed."""
        self.conntrack[flow, echo_id] = FlowState(now, replied)

    def list_tracked(self, now: float) -> list[tuple[Flow, int, FlowState]]:
        """Return the echoes tracked at a modelled time, after dropping the expired ones."""
        self.conntrack = {
            key: state for key, state in self.conntrack.items() if now < state.last + ICMP_TIMEOUT_S
        }
        return [(flow, echo_id, state) for (flow, echo_id), state in self.conntrack.items()]

    def get_interface(self, name: str) -> Interface | None:
        """Return the interface with that name."""
        return next((interface for interface in self.interfaces if interface.name == name), None)

    def find_interface(self, nic: str) -> Interface | None:
        """Return the interface of a network interface, by its key."""
        return next((interface for interface in self.interfaces if interface.nic == nic), None)

    def find_route(self, destination: str) -> KernelRoute | None:
        """Return the kernel's route to an address: longest prefix, then lowest metric."""
        candidates = [
            route for route in self.routes if addresses.contains(route.prefix, destination)
        ]
        return min(
            candidates,
            key=lambda route: (-_get_prefix_length(route.prefix), route.metric),
            default=None,
        )

    def is_local(self, address: str) -> bool:
        """Return whether an address belongs to the machine."""
        return address.startswith("127.") or any(
            interface.address == address for interface in self.interfaces
        )

    def send(self, packet: Packet, flows: Sequence[Flow] = ()) -> Decision:
        """Decide a packet that a local process sends; an empty source is filled in."""
        route = self.find_route(packet.destination)
        interface = self.get_interface(route.interface) if route is not None else None
        if interface is None:
            return Decision("drop", packet, reason=f"{self.hostname}: Network is unreachable")
        packet = replace(packet, source=packet.source or interface.address)
        state = "ESTABLISHED" if self._find_answered_flow(packet, flows) is not None else "NEW"
        rule = self.firewall.decide("filter", "OUTPUT", packet, state, out_interface=interface.name)
        if rule.target != "ACCEPT":
            return self._drop(packet, "OUTPUT")
        return self._leave(packet, packet, state, interface)

    def receive(
        self,
        packet: Packet,
        interface: Interface,
        flows: Sequence[Flow] = (),
        *,
        answer: bool = False,
    ) -> Decision:
        """Decide a packet that arrives at an interface.

        Args:
            packet: the packet.
            interface: the interface at which it arrives.
            flows: the flows that the kernel tracks; an answer to one of them is translated back.
            answer: whether the packet answers another; to a flow that the kernel tracks not, it
                is INVALID, save for UDP (nf_conntrack: neither an echo reply nor SYN-ACK is NEW).
        """
        answered = self._find_answered_flow(packet, flows)
        state = "INVALID" if answer and packet.protocol != "udp" else "NEW"
        if answered is not None:
            state = "ESTABLISHED"
            packet = replace(packet, source=answered.destination, destination=answered.source)
        if self.is_local(packet.source):  # the kernel's check of sources; accept_local is off
            reason = f"{self.hostname}: {packet.source} is its own address, a martian source"
            return Decision("drop", packet, reason=reason)
        if self.is_local(packet.destination):
            rule = self.firewall.decide("filter", "INPUT", packet, state, interface.name)
            if rule.target != "ACCEPT":
                return self._drop(packet, "INPUT")
            return Decision("deliver", packet, interface, self._open_flow(packet, packet, state))
        if self.sysctl.get("net.ipv4.ip_forward") != "1":
            reason = f"{self.hostname} does not forward: net.ipv4.ip_forward is 0"
            return Decision("drop", packet, reason=reason)
        route = self.find_route(packet.destination)
        out = self.get_interface(route.interface) if route is not None else None
        if out is None:
            reason = f"{self.hostname} has no route to {packet.destination}"
            return Decision("drop", packet, reason=reason)
        rule = self.firewall.decide("filter", "FORWARD", packet, state, interface.name, out.name)
        if rule.target != "ACCEPT":
            return self._drop(packet, "FORWARD")
        return self._leave(packet, packet, state, out)

    def _leave(self, first: Packet, packet: Packet, state: str, out: Interface) -> Decision:
        """Pass POSTROUTING; only a flow's first packet traverses the nat table."""
        if state == "NEW":
            rule = self.firewall.decide("nat", "POSTROUTING", packet, out_interface=out.name)
            packet = replace(packet, source=_translate_source(rule, packet.source, out))
        return Decision("send", packet, out, self._open_flow(first, packet, state))

    def _open_flow(self, first: Packet, sent: Packet, state: str) -> Flow | None:
        if state != "NEW" or not self.firewall.is_tracking():
            return None
        return Flow(
            self.key,
            first.protocol,
            first.source,
            first.destination,
            sent.destination,
            sent.source,
        )

    def _find_answered_flow(self, packet: Packet, flows: Sequence[Flow]) -> Flow | None:
        reply_key = (self.key, packet.protocol, packet.source, packet.destination)
        for flow in flows:
            if reply_key == (
                flow.machine,
                flow.protocol,
                flow.reply_source,
                flow.reply_destination,
            ):
                return flow
        return None

    def _drop(self, packet: Packet, chain: str) -> Decision:
        return Decision(
            "drop", packet, reason=f"{self.hostname}: iptables drops it (chain {chain})"
        )


def parse_sysctl(text: str) -> list[tuple[str, str]]:
    """Return the settings in a sysctl file: name and value."""
    settings = []
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.lstrip().startswith(("#", ";")):
            settings.append((name.strip().replace("/", "."), value.strip()))
    return settings


def make_initial_routes(interfaces: Sequence[Interface]) -> list[KernelRoute]:
    """Return the routes after a boot: DHCP's on eth0 and a connected one for each interface."""
    routes = []
    if interfaces:
        first = interfaces[0]
        for prefix in ("0.0.0.0/0", "168.63.129.16/32", "169.254.169.254/32"):
            routes.append(KernelRoute(prefix, first.name, first.router, 100, first.address, "dhcp"))
    for number, interface in enumerate(interfaces):
        routes.append(
            KernelRoute(
                interface.subnet,
                interface.name,
                "",
                100 * (number + 1),
                interface.address,
                "kernel",
            )
        )
    return routes


def _get_prefix_length(prefix: str) -> int:
    parsed = addresses.parse_ipv4_network(prefix)
    return parsed.prefixlen if parsed is not None else 0


def _translate_source(rule: Rule, source: str, out: Interface) -> str:
    if rule.target == "MASQUERADE":
        return out.address
    if rule.target == "SNAT":
        return rule.to_source
    return source
