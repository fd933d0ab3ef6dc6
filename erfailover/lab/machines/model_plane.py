"""The data plane as a model: BGP and machines in Python, exact in modelled time.

Composes ``Bgp`` and ``Machines`` and adds nothing to them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from erfailover.lab.core.data_planes import MODEL
from erfailover.lab.core.world import Body, Resource, World
from erfailover.lab.machines.machines import CommandOutput, Machines
from erfailover.lab.machines.reachability import Trace, trace_packet
from erfailover.lab.routing import effective_routes, records
from erfailover.lab.routing.bgp import Bgp
from erfailover.lab.routing.index import Network
from erfailover.lab.routing.sessions import BgpTiming


class ModelPlane:
    """The modelled routing and machines of a world."""

    name = MODEL
    bgp: Bgp
    machines: Machines

    def __init__(self, timing: BgpTiming | None = None) -> None:
        self._timing = timing
        self.attach(World())

    # Its life.

    def attach(self, world: World, saved: object = None) -> None:
        """Serve a world, with its saved state or built anew."""
        if isinstance(saved, tuple):
            self.bgp, self.machines = saved
            return
        self.bgp = Bgp(world, self._timing)
        self.machines = Machines(world, self.bgp)
        for vm in list(world.iter_by_type(records.MACHINE)):
            if vm.active is not None:
                start = vm.hidden.get("powerState", "running") == "running"
                (self.boot if start else self.stop)(vm)

    def save(self) -> object:
        """Return the state to save."""
        return self.bgp, self.machines

    def refresh(self) -> None:
        """Process changes of the world."""
        self.bgp.refresh()

    def catch_up(self) -> bool:
        """Return False: nothing comes in from outside."""
        return False

    def close(self) -> None:
        """Do nothing: a model holds no process."""

    # Gateways and circuits.

    @property
    def network(self) -> Network:
        """The parsed resources."""
        return self.bgp.network

    @property
    def version(self) -> int:
        """A count of the changes of routing."""
        return self.bgp.version

    def list_peers(self, gateway: Resource) -> list[Body]:
        """Return the rows of getBgpPeerStatus."""
        return self.bgp.list_peers(gateway)

    def list_learned_routes(self, gateway: Resource) -> list[Body]:
        """Return the rows of getLearnedRoutes."""
        return self.bgp.list_learned_routes(gateway)

    def list_advertised_routes(self, gateway: Resource, peer: str) -> list[Body]:
        """Return the rows of getAdvertisedRoutes."""
        return self.bgp.list_advertised_routes(gateway, peer)

    def get_connection_status(self, connection: Resource) -> str:
        """Return a connection's ``connectionStatus``."""
        return self.bgp.get_connection_status(connection)

    def restart_gateway(self, gateway: Resource) -> None:
        """Do nothing: a model's gateway has nothing that could be stuck."""

    def summarize_circuit(self, peering: Resource, path: str) -> Body:
        """Return the routeTablesSummary of a device path."""
        return self.bgp.summarize_circuit(peering, path)

    # Packets.

    def list_effective_routes(self, nic: Resource) -> list[Body]:
        """Return the rows of effectiveRouteTable."""
        return effective_routes.list_effective_routes(self.bgp, nic)

    def find_next_hop(self, nic: Resource, destination: str) -> Body:
        """Return the answer of Network Watcher's ``nextHop``."""
        return effective_routes.find_next_hop(self.bgp, nic, destination)

    def trace_packet(
        self, nic: Resource, destination: str, protocol: str = "icmp", port: int = 0
    ) -> Trace:
        """Send a packet from a network interface's machine, and its answer back."""
        world = self.bgp.world
        return trace_packet(world, self.bgp, self.machines, nic, destination, protocol, port)

    # Machines.

    def boot(self, vm: Resource) -> None:
        """Start or restart a machine."""
        self.machines.boot(vm)

    def stop(self, vm: Resource) -> None:
        """Stop a machine."""
        self.machines.stop(vm)

    def start_script(
        self, vm: Resource, script: Iterable[str], done: Callable[[CommandOutput], None]
    ) -> None:
        """Start a script that runs as the world's time passes."""
        self.machines.start(vm, script, done)
