"""The probes of a site: what is tested, from where. Pure; part of the shape of the site file.

Its keys decide which kind a probe is. Never asks anything: the answers' meaning is
``planning.probes``', the asking ``azure``'s and ``commands``'.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Annotated, Literal

from erfailover.model.resource_ids import get_last_name
from erfailover.model.site_file import ChosenByKeys, Prefix, Section

NextHopType = Literal[
    "VirtualNetworkGateway",
    "VnetLocal",
    "VNetPeering",
    "VNetGlobalPeering",
    "VirtualAppliance",
    "Internet",
    "None",
]
"""Azure's words in effective routes (recorded, and its documents on routing)."""


@dataclass(frozen=True, slots=True)
class LocalPing(Section):
    """A ping from where erfailover runs, with the system's own ``ping``."""

    ping: str
    """The address or host name that must answer."""
    timeout_s: float = 2.0
    """How long to wait for an answer, in seconds."""
    continuous: bool = False
    """Whether to repeat it throughout a switch, to measure the outage."""
    every_s: float = 1.0
    """The interval of a continuous probe, in seconds."""


@dataclass(frozen=True, slots=True)
class LocalConnect(Section):
    """A TCP connection from where erfailover runs, closed as soon as it is open."""

    connect: str
    """``host:port``"""
    timeout_s: float = 2.0
    """How long to wait for an answer, in seconds."""
    continuous: bool = False
    """Whether to repeat it throughout a switch, to measure the outage."""
    every_s: float = 1.0
    """The interval of a continuous probe, in seconds."""

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        host, _, port = self.connect.rpartition(":")
        return host.strip("[]"), int(port)


@dataclass(frozen=True, slots=True)
class LocalCommand(Section):
    """A program run where erfailover runs, without a shell: arguments are passed unchanged."""

    command: tuple[str, ...]
    """The program and its arguments, as a list."""
    exit_code: int = 0
    """The exit code that means success."""
    timeout_s: float = 10.0
    """How long it may run, in seconds; then it is ended and counts as failed."""
    continuous: bool = False
    """Whether to repeat it throughout a switch, to measure the outage."""
    every_s: float = 1.0
    """The interval of a continuous probe, in seconds."""


@dataclass(frozen=True, slots=True)
class LocalShell(Section):
    """A command line for ``/bin/sh``, run where erfailover runs."""

    shell: str
    """The command line."""
    exit_code: int = 0
    """The exit code that means success."""
    timeout_s: float = 10.0
    """How long it may run, in seconds; then it is ended and counts as failed."""
    continuous: bool = False
    """Whether to repeat it throughout a switch, to measure the outage."""
    every_s: float = 1.0
    """The interval of a continuous probe, in seconds."""


@dataclass(frozen=True, slots=True)
class InterfaceRoute(Section):
    """The effective routes of a network interface: where traffic to a prefix goes."""

    interface: str
    """The network interface of a running machine: a name, or a full resource id."""
    prefix: Prefix
    """The prefix to look up; the longest match among the routes decides."""
    next_hop_type: NextHopType
    """The next hop type that the route must have, as Azure names it."""
    next_hop: IPv4Address | None = None
    """The next hop that the route must include. Default: any."""
    timeout_s: float = 120.0
    """How long to wait for Azure's response, in seconds."""


@dataclass(frozen=True, slots=True)
class MachinePing(Section):
    """A ping from a machine of the site, by Run Command.

    ``through`` names the machine whose NAT table must show the flow.
    """

    machine: str
    """The virtual machine that pings: a name, or a full resource id."""
    ping: IPv4Address
    """The address that must answer."""
    through: str | None = None
    """The machine whose NAT table must show the flow."""
    timeout_s: float = 300.0
    """How long to wait for Run Command, in seconds."""


@dataclass(frozen=True, slots=True)
class MachineConnect(Section):
    """A TCP connection from a machine of the site, by Run Command, closed as soon as it is open."""

    machine: str
    """The virtual machine that connects: a name, or a full resource id."""
    address: IPv4Address
    """The address to connect to."""
    tcp: int
    """The TCP port that must accept the connection."""
    timeout_s: float = 300.0
    """How long to wait for Run Command, in seconds; the connection itself may take 5."""


@dataclass(frozen=True, slots=True)
class NextHop(Section):
    """Network Watcher's next hop from a machine of the site; nothing runs on the machine.

    It shows which route a packet would take, not that packets arrive.
    """

    machine: str
    """The running virtual machine whose route is looked up: a name, or a full resource id."""
    address: IPv4Address
    """The destination."""
    next_hop_type: NextHopType
    """The next hop type that the route must have, as Azure names it."""
    next_hop: IPv4Address | None = None
    """The next hop that the route must have. Default: any."""
    timeout_s: float = 120.0
    """How long to wait for Azure's response, in seconds."""


LocalProbe = LocalPing | LocalConnect | LocalCommand | LocalShell
MachineProbe = MachinePing | MachineConnect
Probe = Annotated[LocalProbe | InterfaceRoute | MachineProbe | NextHop, ChosenByKeys()]
LOCAL = (LocalPing, LocalConnect, LocalCommand, LocalShell)
RUN_COMMAND = (MachinePing, MachineConnect)


def list_machines(probe: Probe) -> tuple[str, ...]:
    """Return the machines of the site that a probe names."""
    if isinstance(probe, MachinePing):
        return tuple(filter(None, (probe.machine, probe.through)))
    return (probe.machine,) if isinstance(probe, MachineConnect | NextHop) else ()


def list_interfaces(probe: Probe) -> tuple[str, ...]:
    """Return the network interfaces whose effective routes a probe reads."""
    return (probe.interface,) if isinstance(probe, InterfaceRoute) else ()


def get_kind(probe: Probe) -> str:
    """Return what a probe is, in one word of the site file."""
    words = {
        LocalPing: "ping",
        LocalConnect: "connect",
        LocalCommand: "command",
        LocalShell: "shell",
        InterfaceRoute: "route",
        MachinePing: "machine ping",
        MachineConnect: "machine connect",
        NextHop: "next hop",
    }
    return words[type(probe)]


def describe_source(probe: Probe) -> str:
    """From where it is asked."""
    if isinstance(probe, MachinePing | MachineConnect | NextHop):
        return get_last_name(probe.machine)
    return get_last_name(probe.interface) if isinstance(probe, InterfaceRoute) else "here"


def describe_check(probe: Probe) -> str:
    """Return what is asked, in words."""
    match probe:
        case LocalPing():
            return f"ping {probe.ping}"
        case LocalConnect():
            return f"TCP {probe.connect}"
        case LocalCommand():
            return " ".join(probe.command)
        case LocalShell():
            return probe.shell
        case InterfaceRoute():
            hop = f" {probe.next_hop}" if probe.next_hop else ""
            return f"{probe.prefix} via {probe.next_hop_type}{hop}"
        case NextHop():
            hop = f" {probe.next_hop}" if probe.next_hop else ""
            return f"{probe.address} via {probe.next_hop_type}{hop}"
        case MachineConnect():
            return f"TCP {probe.address}:{probe.tcp}"
        case MachinePing():
            through = f" through the NAT of {get_last_name(probe.through)}" if probe.through else ""
            return f"ping {probe.ping}{through}"
