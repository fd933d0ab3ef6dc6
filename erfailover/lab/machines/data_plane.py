"""What the rest of the lab asks of its data plane, whatever moves the packets.

A data plane is what Azure runs and ARM only describes: gateways with their tunnels and BGP, the
routes of network interfaces, and virtual machines. It reads resources and never changes one.
``model_plane`` is the model in Python, ``lab.linux.plane`` the one of network namespaces.

The caller holds the lab's lock in every call. No event that a plane schedules in the world may
refer to the plane itself, for events are saved with the world: they belong to objects that
can be saved, such as ``OriginatedPrefixes``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from erfailover.lab.core.world import Body, Resource, World
from erfailover.lab.machines.machines import CommandOutput
from erfailover.lab.machines.reachability import Trace
from erfailover.lab.routing.index import Network


class GatewayTables(Protocol):
    """The tables of gateways and circuits, and the states of connections."""

    @property
    def network(self) -> Network:
        """The parsed resources, as of the last ``refresh``."""

    @property
    def version(self) -> int:
        """A count of the changes of routing; equal versions mean equal tables."""

    def list_peers(self, gateway: Resource) -> list[Body]:
        """Return the rows of getBgpPeerStatus."""

    def list_learned_routes(self, gateway: Resource) -> list[Body]:
        """Return the rows of getLearnedRoutes: originated ones first, then by session."""

    def list_advertised_routes(self, gateway: Resource, peer: str) -> list[Body]:
        """Return the rows of getAdvertisedRoutes: the routes advertised to a BGP address."""

    def get_connection_status(self, connection: Resource) -> str:
        """Return Connected, NotConnected, Connecting or Unknown."""

    def restart_gateway(self, gateway: Resource) -> None:
        """Restart the daemons of a gateway, as its ``reset`` does, if there are any."""

    def summarize_circuit(self, peering: Resource, path: str) -> Body:
        """Return the routeTablesSummary of a device path of a circuit's private peering."""


class PacketPaths(Protocol):
    """The routes of network interfaces, and whether a packet arrives."""

    def list_effective_routes(self, nic: Resource) -> list[Body]:
        """Return the rows of effectiveRouteTable; none for an interface that does not exist."""

    def find_next_hop(self, nic: Resource, destination: str) -> Body:
        """Return the answer of Network Watcher's ``nextHop`` for a network interface."""

    def trace_packet(
        self, nic: Resource, destination: str, protocol: str = "icmp", port: int = 0
    ) -> Trace:
        """Send a packet from a network interface's machine, and its answer back.

        Args:
            nic: the network interface that the packet leaves from.
            destination: an IPv4 address.
            protocol: ``icmp``, ``tcp`` or ``udp``.
            port: the destination port of ``tcp`` and ``udp``.

        Returns:
            The trace; ``reason`` says why no answer returned. A plane that cannot see a hop
            leaves it out.
        """


class MachineControl(Protocol):
    """The power of virtual machines, and the scripts that run on them."""

    def boot(self, vm: Resource) -> None:
        """Start or restart a machine; at its first start its custom data runs."""

    def stop(self, vm: Resource) -> None:
        """Stop a machine: it answers nothing until it is started again."""

    def start_script(
        self, vm: Resource, script: Iterable[str], done: Callable[[CommandOutput], None]
    ) -> None:
        """Start a script.

        Args:
            vm: the virtual machine.
            script: the lines of the script.
            done: called once, with the output, when the script has ended: by an event of the
                world, in ``catch_up``, or at once if the machine does not run.
        """


class DataPlane(GatewayTables, PacketPaths, MachineControl, Protocol):
    """A data plane, for as long as its lab runs."""

    @property
    def name(self) -> str:
        """One of ``core.data_planes.NAMES``."""

    def attach(self, world: World, saved: object = None) -> None:
        """Drop the present world, if any, and serve another.

        Args:
            world: a new world, or a restored one.
            saved: what ``save`` of a plane of this name returned, restored in one graph with the
                world. Without it everything is built anew from the resources, and the scripts
                that ran on another plane are lost.
        """

    def save(self) -> object:
        """Return what ``attach`` needs to continue, made of the lab's own classes and values.

        Pickled in one graph with the world; it holds no process, thread or lock, nor the plane.
        """

    def refresh(self) -> None:
        """Process changes of the world; called after every change, so it returns soon."""

    def catch_up(self) -> bool:
        """Deliver what has come in from outside, such as the end of a script.

        Called often, after the world's due events. Never waits.

        Returns:
            Whether anything was delivered, so that the world's listeners should hear of it.
        """

    def close(self) -> None:
        """Release every process and file; nothing else is called afterwards. Idempotent."""
