"""The data plane of network namespaces: BIRD, strongSwan and the kernel instead of a model.

After every change of the world, the plane translates the resources and has an agent make the
namespaces match; what the routers learn comes back as events and goes into the next translation.
Calls of the lab never wait for that: a separate thread talks to the agent, apart from
reading a gateway's tables, which takes a few milliseconds.

Time: routers, machines and packets run in real time. Timers of BGP are divided by the
lab's speed, and what a script or a session takes is multiplied by it.

Not carried: ExpressRoute circuits and their gateways, Azure Firewalls and Route Servers. The log
names each of them once.
"""

from __future__ import annotations

import logging
import math
import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from erfailover.lab.core import ids
from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.data_planes import LINUX
from erfailover.lab.core.world import Body, Resource, World
from erfailover.lab.linux.launch import Agent, AgentError
from erfailover.lab.linux.layout import Layout, to_json
from erfailover.lab.linux.power import MachinePower
from erfailover.lab.linux.readings import GatewayReading, read_gateway
from erfailover.lab.linux.router_tables import RouterTables
from erfailover.lab.linux.script_runs import ScriptRuns
from erfailover.lab.linux.translation.gateways import name_device
from erfailover.lab.linux.translation.ground import Ground
from erfailover.lab.linux.translation.names import Names
from erfailover.lab.linux.translation.translate import build_layout
from erfailover.lab.machines.machines import CommandOutput
from erfailover.lab.machines.reachability import Trace
from erfailover.lab.routing import effective_routes, records
from erfailover.lab.routing.index import Network
from erfailover.lab.routing.originated import OriginatedPrefixes
from erfailover.lab.routing.route_exchange import EndKey, SpeakerKey
from erfailover.lab.routing.sessions import (
    BgpTiming,
    ConnectionEnd,
    describe_connection,
    read_ends,
)

log = logging.getLogger("erfailover.lab.linux")

SCRIPT_LIMIT_S = 5400.0
"""How long Run Command lets a script run, in modelled seconds (documented: 90 minutes)."""
APPLY_TIMEOUT_S, READ_TIMEOUT_S, ECHO_TIMEOUT_S = 120.0, 10.0, 1.0
RETRY_S, RESTART_S = 2.0, 10.0
"""How long after a failure what should exist is applied again, and an agent started again."""
_GONE = "the machine is not running\n"
_CUT_OFF = "the machine was restarted in the middle of the script\n"
_NOT_FOUND = 127
"""The exit code of a script on a machine that does not run, as on the model."""


class LinuxPlane:
    """Gateways, VNets and machines as network namespaces.

    ``speed`` is the lab's. ``folder`` keeps the disks of machines; ``start`` starts an agent and
    calls back with its events. ``echo_s`` is how long ``trace_packet`` waits for an answer.
    """

    name = LINUX

    def __init__(
        self,
        speed: float,
        folder: Path,
        start: Callable[[Path, Callable[[Any], None]], Agent],
        timing: BgpTiming | None = None,
        echo_s: float = ECHO_TIMEOUT_S,
    ) -> None:
        self._speed = speed
        self._echo_s = echo_s
        self._timing = timing or BgpTiming()
        self._inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._scripts = ScriptRuns(self._inbox.put, speed)
        self._start = start
        self._folder = folder
        self._retry_at = self._restart_at = math.inf
        self._named: set[str] = set()
        self._newest: Layout | None = None
        self._sent: Layout | None = None
        self._applied: frozenset[str] = frozenset()
        self._busy = threading.Lock()
        self.version = 0
        """Counts the changes of routing that were seen."""
        self.attach(World())
        self.agent = start(folder, self._receive)
        """The process that the namespaces belong to; another one if it died."""
        self._thread = threading.Thread(target=self._run, name="linux-plane", daemon=True)
        self._thread.start()

    # Its life.

    def attach(self, world: World, saved: object = None) -> None:
        """Serve a world: everything of another one goes with the next translation."""
        self.world = world
        self._names = Names()
        self._readings: dict[SpeakerKey, GatewayReading] = {}
        self._speakers: dict[str, SpeakerKey] = {}
        self._ends: Mapping[EndKey, ConnectionEnd] = {}
        self._scripts.forget_all()
        if isinstance(saved, tuple):
            self.network, self._originated, self._power, scripts = saved
            for done in scripts:
                self._inbox.put(partial(done, CommandOutput("", _CUT_OFF, 1, 0.0)))
        else:
            self.network = Network(world)
            self._originated = OriginatedPrefixes(world, self.network, self._timing.learn_s)
            self._power = MachinePower()
            for vm in list(world.iter_by_type(records.MACHINE)):
                if vm.active is not None and vm.hidden.get("powerState") == "running":
                    self._power.boot(vm)
        self._tables = RouterTables(
            self.network,
            self._originated,
            self._names,
            self._read,
            (self._speed, self._timing.keepalive_s),
        )
        self._moves = -1
        self._dirty = True
        self.refresh()

    def save(self) -> object:
        """Return what can be saved: no process is part of it."""
        return self.network, self._originated, self._power, self._scripts.list_waiting()

    def refresh(self) -> None:
        """Note that the world has changed; ``catch_up`` translates it."""
        if self.network.refresh():
            self._originated.reconcile()
            self._dirty = True
        if self._moves != self._originated.moves:
            self._moves = self._originated.moves
            self._dirty = True

    def catch_up(self) -> bool:
        """Deliver what came from the agent, then have it apply what has changed."""
        delivered = False
        if time.monotonic() >= self._restart_at:
            self._restart_at = math.inf
            self._restart()
        while not self._inbox.empty():
            self._inbox.get()()
            delivered = True
        if self._dirty:
            self._dirty = False
            self._translate()
        elif time.monotonic() >= self._retry_at and self._newest is not None:
            self._retry_at = math.inf
            self._post(self._apply)
        return delivered

    def close(self) -> None:
        """End the agent, and with it every namespace and daemon."""
        self._work.put(None)
        self.agent.close()

    # The agent.

    def _translate(self) -> None:
        """Post the layout of the present world."""
        self._ends = read_ends(self.network)
        ground = self._make_ground()
        self._speakers = {ground.name_instance(speaker): speaker for speaker in ground.instances}
        layout = build_layout(ground)
        if layout != self._newest:
            self._newest = layout
            self.version += 1
            self._post(self._apply)
        self._name_missing()

    def _name_missing(self) -> None:
        """Log, once, each resource that the plane does not carry."""
        network = self.network
        found = [key for key, gateway in network.gateways.all.items() if gateway.kind != "vpn"]
        found += [*network.circuits.all, *network.firewalls.all]
        found += [ids.to_key(hub.id) for hub in self.world.iter_by_type(rt.VIRTUAL_HUB)]
        for key in found:
            if key not in self._named:
                self._named.add(key)
                log.warning("the Linux data plane does not carry %s", key)

    def _make_ground(self) -> Ground:
        gateways = self.network.gateways.all
        originated = self._originated
        return Ground(
            network=self.network,
            names=self._names,
            source=self,
            ends=self._ends,
            originated={key: originated.list_advertised(each) for key, each in gateways.items()},
            delivered={
                key: (
                    *originated.list_own(each),
                    *(prefix for prefix, _ in originated.list_spokes(each)),
                )
                for key, each in gateways.items()
            },
            learned={key: each.list_learned() for key, each in self._readings.items()},
            machines=dict(self._power.iter_running(self.world)),
            speed=self._speed,
            disks=self._power.list_disks(self.world),
            up=frozenset(key for key, end in self._ends.items() if self._is_up(end)),
        )

    def _is_up(self, end: ConnectionEnd) -> bool:
        """Return whether an end's tunnel carried packets when its gateway was last read."""
        reading = self._readings.get(end.speaker, GatewayReading())
        return bool(reading.tunnels.get(name_device(self._names, end.key)))

    def _post(self, task: Callable[[], None]) -> None:
        self._work.put(task)

    def _run(self) -> None:
        while True:
            task = self._work.get()
            if task is None:
                return
            with self._busy:
                try:
                    task()
                except AgentError as error:
                    log.error("the data plane failed: %s", error)
                except Exception:
                    log.exception("the data plane failed")

    def _apply(self) -> None:
        """Have the newest layout applied, so that whatever is next in the queue finds it there."""
        layout = self._newest
        if layout is None or layout is self._sent:
            return
        self._sent = layout
        try:
            self.agent.call("apply", {"layout": to_json(layout)}, APPLY_TIMEOUT_S)
        except AgentError:
            self._sent = None
            self._retry_at = time.monotonic() + RETRY_S
            raise
        finally:
            self._applied = frozenset(node.name for node in layout.nodes)
        for node in list(self._speakers):
            self._read_routes(node)

    def _receive(self, event: Any) -> None:
        """Process an event of the agent's; called on a thread of the agent's client."""
        match event["event"]:
            case "routes":
                self._post(lambda: self._read_routes(event["node"]))
            case "script-ended":
                self._scripts.note_end(event)
            case "ended":
                self._inbox.put(self._restart)

    def _restart(self) -> None:
        """Start another agent in the place of one that died: everything is made anew."""
        log.error("the data plane's agent died; starting another one")
        self._scripts.end_all(_CUT_OFF)
        self._readings.clear()
        self._applied = frozenset()
        self._newest = self._sent = None
        self._dirty = True
        self.agent.close()
        try:
            self.agent = self._start(self._folder, self._receive)
        except AgentError as error:
            self._restart_at = time.monotonic() + RESTART_S
            log.error("the agent cannot be started, trying again in %g s: %s", RESTART_S, error)

    def _read_routes(self, node: str) -> None:
        speaker = self._speakers.get(node)
        if speaker is None or node not in self._applied:
            return
        answer = self.agent.call("read_gateway", {"node": node}, READ_TIMEOUT_S)
        reading = read_gateway(answer)
        self._inbox.put(lambda: self._note_reading(speaker, reading))

    def _note_reading(self, speaker: SpeakerKey, reading: GatewayReading) -> None:
        before = self._readings.get(speaker, GatewayReading())
        self._readings[speaker] = reading
        if before.routes != reading.routes or before.tunnels != reading.tunnels:
            self.version += 1
        if before.list_learned() != reading.list_learned() or before.tunnels != reading.tunnels:
            self._dirty = True

    def is_settled(self) -> bool:
        """Return whether everything posted has been applied; routers may still exchange routes."""
        with self._busy:
            return self._work.empty() and self._inbox.empty() and not self._dirty

    # Gateways.

    def list_remote_prefixes(self, gateway: str) -> tuple[str, ...]:
        """Return the prefixes beyond a gateway's tunnels, by the gateway's key."""
        record = self.network.gateways.get(gateway)
        if record is None or record.kind != "vpn":
            return ()
        originated = self._originated
        static = (*originated.list_hosts(record), *originated.list_static(record))
        learned = [
            prefix
            for index in range(len(record.instances))
            if (reading := self._readings.get((gateway, index))) is not None
            for prefix in reading.list_learned()
        ]
        inside = {
            *originated.list_own(record),
            *(prefix for prefix, _ in originated.list_spokes(record)),
        }
        return tuple(each for each in dict.fromkeys((*static, *learned)) if each not in inside)

    def list_peers(self, gateway: Resource) -> list[Body]:
        """Return the rows of getBgpPeerStatus."""
        return self._tables.list_peers(gateway, self._ends.values())

    def list_learned_routes(self, gateway: Resource) -> list[Body]:
        """Return the rows of getLearnedRoutes: originated ones first, then by session."""
        return self._tables.list_learned_routes(gateway, self._ends.values())

    def list_advertised_routes(self, gateway: Resource, peer: str) -> list[Body]:
        """Return the rows of getAdvertisedRoutes: none while the session is down."""
        return self._tables.list_advertised_routes(gateway, peer, self._ends.values())

    def get_connection_status(self, connection: Resource) -> str:
        """Return a connection's ``connectionStatus``, as of the last change of its tunnel."""
        key = ids.to_key(connection.id)
        ends = [end for end in self._ends.values() if end.key[0] == key]
        return describe_connection(ends, self._is_up)

    def restart_gateway(self, gateway: Resource) -> None:
        """Restart the daemons of a gateway's instances, those that died included."""
        key = ids.to_key(gateway.id)
        for node, speaker in self._speakers.items():
            if speaker[0] == key:
                arguments = {"node": node}
                self._post(partial(self.agent.call, "restart_gateway", arguments, READ_TIMEOUT_S))

    def summarize_circuit(self, peering: Resource, path: str) -> Body:
        """Return an empty routeTablesSummary: circuits are not carried."""
        return {"value": []}

    def _read(self, speaker: SpeakerKey) -> GatewayReading:
        """Read an instance now."""
        node = next((name for name, each in self._speakers.items() if each == speaker), None)
        if node is None or node not in self._applied:
            return GatewayReading()
        try:
            answer = self.agent.call("read_gateway", {"node": node}, READ_TIMEOUT_S)
        except AgentError as error:
            log.error("the tables of %s cannot be read: %s", node, error)
            return GatewayReading()
        return read_gateway(answer)

    # Packets.

    def list_effective_routes(self, nic: Resource) -> list[Body]:
        """Return the rows of effectiveRouteTable."""
        return effective_routes.list_effective_routes(self, nic)

    def find_next_hop(self, nic: Resource, destination: str) -> Body:
        """Return the answer of Network Watcher's ``nextHop``."""
        return effective_routes.find_next_hop(self, nic, destination)

    def trace_packet(
        self, nic: Resource, destination: str, protocol: str = "icmp", port: int = 0
    ) -> Trace:
        """Send an echo request from a network interface's machine; hops are not seen."""
        if protocol != "icmp":
            raise ValueError("the Linux data plane traces ICMP only")
        ground = self._make_ground()
        record = self.network.nics.get(ids.to_key(nic.id))
        machine = self.network.machine_of.get(record.key) if record is not None else None
        if record is None or machine is None or machine.key not in ground.machines:
            return Trace(False, (), "no running machine has the network interface")
        arguments = {
            "node": ground.name_machine(machine.key),
            "interface": ground.name_nic(record).far,
            "destination": destination,
            "timeout_s": self._echo_s,
        }
        try:
            answer = self.agent.call("ping", arguments, READ_TIMEOUT_S)
        except AgentError as error:
            return Trace(False, (), str(error))
        return Trace(bool(answer["reached"]), (), "" if answer["reached"] else "no echo reply")

    def list_links(self) -> list[str]:
        """Return the names of the links that can be captured on."""
        return sorted(link.name for link in (self._newest.links if self._newest else ()))

    def start_capture(self, link: str, file: str) -> int:
        """Write the packets of a link to a file; return the capture's number."""
        return self._capture("start_capture", {"link": link, "file": file})

    def end_capture(self, capture: int) -> int:
        """End a capture; return how many packets it has."""
        return self._capture("end_capture", {"capture": capture})

    def _capture(self, method: str, arguments: dict[str, str | int]) -> int:
        try:
            return int(self.agent.call(method, arguments, READ_TIMEOUT_S))
        except AgentError as error:
            raise ValueError(str(error)) from error

    # Machines.

    def boot(self, vm: Resource) -> None:
        """Start or restart a machine."""
        self._power.boot(vm)
        self._dirty = True

    def stop(self, vm: Resource) -> None:
        """Stop a machine."""
        self._power.stop(vm)
        self._dirty = True

    def start_script(
        self, vm: Resource, script: Iterable[str], done: Callable[[CommandOutput], None]
    ) -> None:
        """Run a script in the machine's namespace; ``catch_up`` delivers its end."""
        if not self._power.is_running(vm):
            done(CommandOutput("", _GONE, _NOT_FOUND, 0.0))
            return
        self.catch_up()
        arguments = {
            "node": self._make_ground().name_machine(ids.to_key(vm.id)),
            "script": "\n".join(script),
            "limit_s": SCRIPT_LIMIT_S / self._speed,
        }
        # Behind the layout that has the machine; the wait for its start holds up nothing.
        self._post(lambda: self._scripts.start(self.agent, arguments, done))
