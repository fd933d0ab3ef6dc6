"""The virtual machines: their systems, and the scripts that Run Command runs on them.

Owns each machine's modelled system from its creation to its deletion; stopping and
starting loses what only a running kernel knows. It decides nothing about routes: packets go
through ``reachability``, which gets the systems on the way from here.

A script either takes its time as the world's time passes (``start``), every echo request a
packet at its own moment, or is run at its end as if it had just taken that time (``run``).
"""

from __future__ import annotations

import base64
import binascii
import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from erfailover.lab.core import addresses, ids
from erfailover.lab.core.world import Resource, World
from erfailover.lab.machines.linux import Interface, Linux
from erfailover.lab.machines.reachability import Trace, trace_packet
from erfailover.lab.machines.shell.packages import PREINSTALLED
from erfailover.lab.machines.shell.programs import make_machine_programs
from erfailover.lab.machines.shell.shell import NOT_FOUND, Running, Shell
from erfailover.lab.routing import records
from erfailover.lab.routing.bgp import Bgp

PER_BOOT = "/var/lib/cloud/scripts/per-boot/"


@dataclass(frozen=True, slots=True)
class CommandOutput:
    """A script's output, its exit status, and its duration in modelled seconds."""

    stdout: str
    stderr: str
    exit_code: int
    duration_s: float


class Machines:
    """The systems of a world's virtual machines."""

    def __init__(self, world: World, bgp: Bgp) -> None:
        self._world = world
        self._bgp = bgp
        self._programs = make_machine_programs()
        self._systems: dict[str, tuple[object, Linux]] = {}
        self._stopped: dict[str, object] = {}
        self._running: dict[int, _Script] = {}
        self._scripts = 0

    # What the service calls.

    def boot(self, vm: Resource) -> None:
        """Start or restart a machine.

        At the first start its custom data runs if it is a script (``#!``), as cloud-init does
        it; its output is in ``/var/log/cloud-init-output.log``. Custom data of another form is
        not modelled, which that file states. At every start the executable files in cloud-init's
        per-boot folder run (documented). Rules, routes and kernel parameters that were only
        set in the running system are lost.
        """
        key = ids.to_key(vm.id)
        self._stopped.pop(key, None)
        before = self._get_same_system(key, vm)
        linux = self._make_system(vm, before)
        if linux is None:
            return
        self._systems[key] = (_get_identity(vm), linux)
        for path in sorted(linux.executable):
            if path.startswith(PER_BOOT):
                self._run_at_boot(linux, linux.files[path])
        text = decode_custom_data(vm)
        if before is None and text:
            self._run_custom_data(linux, text)

    def stop(self, vm: Resource) -> None:
        """Stop a machine: it answers nothing until it is started again."""
        self._stopped[ids.to_key(vm.id)] = _get_identity(vm)

    def run(self, vm: Resource, script: Iterable[str]) -> CommandOutput:
        """Run a script that ends now.

        Args:
            vm: the virtual machine.
            script: the lines of the script.

        Returns:
            Its output. Exit status 127 also means a command that the lab does not model.
        """
        linux = self.get_system(ids.to_key(vm.id))
        if linux is None:
            return _build_missing_output()
        duration_s = self.estimate_duration_s(vm, script)
        outside = _ScriptEnvironment(self, linux, began=self._world.now - duration_s)
        shell = Shell(linux, outside, self._programs)
        status = _finish(shell.run("\n".join(script)), outside)
        return _build_output(shell, status, outside.elapsed)

    def estimate_duration_s(self, vm: Resource, script: Iterable[str]) -> float:
        """Return how long a script would take from now, in modelled seconds, without running it."""
        linux = self.get_system(ids.to_key(vm.id))
        if linux is None:
            return 0.0
        rehearsal = copy.deepcopy(linux)
        outside = _ScriptEnvironment(self, rehearsal, began=self._world.now, rehearsal=True)
        _finish(Shell(rehearsal, outside, self._programs).run("\n".join(script)), outside)
        return outside.elapsed

    def start(
        self, vm: Resource, script: Iterable[str], done: Callable[[CommandOutput], None]
    ) -> None:
        """Start a script that runs as the world's time passes.

        Args:
            vm: the virtual machine.
            script: the lines of the script.
            done: called once, with the output, at the modelled moment of its end.
        """
        linux = self.get_system(ids.to_key(vm.id))
        if linux is None:
            done(_build_missing_output())
            return
        outside = _ScriptEnvironment(self, linux, began=None)
        shell = Shell(linux, outside, self._programs)
        self._continue(vm, shell, shell.run("\n".join(script)), self._world.now, done)

    def _continue(
        self,
        vm: Resource,
        shell: Shell,
        running: Running,
        began: float,
        done: Callable[[CommandOutput], None],
    ) -> None:
        if self.get_system(ids.to_key(vm.id)) is not shell.linux:
            shell.stderr.append("the machine stopped in the middle of the script\n")
            done(_build_output(shell, 1, self._world.now - began))
            return
        try:
            wait_s = next(running)
        except StopIteration as end:
            done(_build_output(shell, int(end.value), self._world.now - began))
            return
        self._scripts += 1
        self._running[self._scripts] = _Script(vm, shell, running, began, done)
        self._world.schedule(self._world.now + wait_s, partial(self._resume, self._scripts))

    def _resume(self, number: int) -> None:
        script = self._running.pop(number, None)
        if script is None:
            return
        if script.shell is None or script.running is None:
            ended = CommandOutput("", _CUT_OFF, 1, self._world.now - script.began)
            script.done(ended)
            return
        self._continue(script.vm, script.shell, script.running, script.began, script.done)

    def __getstate__(self) -> dict[str, Any]:
        """Return the state to save; a running script is reduced to what waits for it."""
        cut_off = {
            number: replace(script, shell=None, running=None)
            for number, script in self._running.items()
        }
        return {**self.__dict__, "_running": cut_off, "_programs": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore the saved state."""
        self.__dict__.update(state)
        self._programs = make_machine_programs()

    # Queries of reachability.

    def get_system(self, machine: str) -> Linux | None:
        """Return the running system of a virtual machine, by key; None if none runs."""
        vm = self._world.resources.get(machine)
        if vm is None or vm.active is None or self._stopped.get(machine) == _get_identity(vm):
            return None
        linux = self._get_same_system(machine, vm) or self._make_system(vm, None)
        if linux is not None:
            self._systems[machine] = (_get_identity(vm), linux)
        return linux

    def find_nic(self, linux: Linux, destination: str) -> Resource | None:
        """Return the network interface by which a machine's kernel sends to an address."""
        route = linux.find_route(destination)
        name = route.interface if route is not None else "eth0"
        interface = linux.get_interface(name)
        return self._world.resources.get(interface.nic) if interface is not None else None

    def trace_packet(self, linux: Linux, destination: str, protocol: str, port: int) -> Trace:
        """Send a packet from a machine by the interface that its kernel chooses."""
        nic = self.find_nic(linux, destination)
        if nic is None:
            return Trace(False, (), f"{linux.hostname} has no network interface")
        systems = _Rehearsal(self, linux)
        return trace_packet(self._world, self._bgp, systems, nic, destination, protocol, port)

    # How a system comes about.

    def _get_same_system(self, key: str, vm: Resource) -> Linux | None:
        """Return the system of this very machine, not of an earlier one with the same name."""
        identity, linux = self._systems.get(key, (None, None))
        return linux if identity == _get_identity(vm) else None

    def _make_system(self, vm: Resource, before: Linux | None) -> Linux | None:
        """Return a freshly started system; the contents of its disk come from ``before``."""
        key = ids.to_key(vm.id)
        self._bgp.refresh()
        machine = self._bgp.network.machines.get(key)
        if machine is None:
            return None
        profile = vm.active_properties.get("osProfile") or {}
        linux = Linux(
            key=key,
            hostname=str(profile.get("computerName") or vm.id.name),
            interfaces=self._list_interfaces(machine),
            packages=set(PREINSTALLED),
        )
        if before is not None:
            linux.packages, linux.files, linux.saved = before.packages, before.files, before.saved
            linux.executable = before.executable
        linux.boot()
        return linux

    def _list_interfaces(self, machine: records.Machine) -> tuple[Interface, ...]:
        interfaces: list[Interface] = []
        for key in machine.nics:
            nic = self._bgp.network.nics.get(key)
            subnet = self._bgp.network.subnets.get(nic.subnet) if nic is not None else None
            if nic is None or subnet is None:
                continue
            holding = (
                candidate
                for candidate in subnet.prefixes
                if addresses.contains(candidate, nic.address)
            )
            prefix = addresses.parse_ipv4_network(next(holding, f"{nic.address}/32"))
            if prefix is not None:
                name = f"eth{len(interfaces)}"
                interfaces.append(Interface(name, nic.address, prefix.prefixlen, nic.key))
        return tuple(interfaces)

    def _run_custom_data(self, linux: Linux, text: str) -> None:
        log = "/var/log/cloud-init-output.log"
        if not text.startswith("#!"):
            linux.files[log] = "the lab does not model custom data other than a script (#!)\n"
            return
        linux.files[log] = self._run_at_boot(linux, text)

    def _run_at_boot(self, linux: Linux, text: str) -> str:
        """Run a script as cloud-init does at a start; return its output and exit status."""
        outside = _ScriptEnvironment(self, linux, began=self._world.now)
        shell = Shell(linux, outside, self._programs)
        status = _finish(shell.run(text), outside)
        return "".join([*shell.stdout, *shell.stderr, f"exit status {status}\n"])


@dataclass(frozen=True, slots=True)
class _Script:
    """A running script; without its shell if the state was saved in between."""

    vm: Resource
    shell: Shell | None
    running: Running | None
    began: float
    done: Callable[[CommandOutput], None]


_CUT_OFF = "the lab was restarted in the middle of the script\n"


@dataclass(slots=True)
class _Rehearsal:
    """The machines, one of them replaced by a copy that a rehearsal may change."""

    machines: Machines
    linux: Linux

    def get_system(self, machine: str) -> Linux | None:
        """Return the running system of a virtual machine."""
        return self.linux if machine == self.linux.key else self.machines.get_system(machine)


@dataclass(slots=True)
class _ScriptEnvironment:
    """A script's view of the world: time, and the destinations of its packets.

    ``began`` is the moment the script began; None if it runs as the world's time passes.
    """

    machines: Machines
    linux: Linux
    began: float | None
    rehearsal: bool = False
    elapsed: float = 0.0

    def now(self) -> float:
        """Return the modelled time at this point of the script."""
        return self.machines._world.now if self.began is None else self.began + self.elapsed

    def send(self, linux: Linux, destination: str, protocol: str, port: int) -> Trace:
        """Send a packet from the machine."""
        return self.machines.trace_packet(linux, destination, protocol, port)

    def track(self, trace: Trace, echo_id: int) -> None:
        """Make the machines on the way track the flows."""
        for flow in trace.flows:
            own = flow.machine == self.linux.key
            linux = self.linux if own else self.machines.get_system(flow.machine)
            if linux is not None and (own or not self.rehearsal):
                linux.track(flow, echo_id, self.now(), trace.reached)


def _finish(running: Running, outside: _ScriptEnvironment) -> int:
    """Run a script to its end at once, adding up the time it takes."""
    while True:
        try:
            outside.elapsed += next(running)
        except StopIteration as end:
            return int(end.value)


def _build_output(shell: Shell, status: int, duration_s: float) -> CommandOutput:
    return CommandOutput("".join(shell.stdout), "".join(shell.stderr), status, duration_s)


def _build_missing_output() -> CommandOutput:
    return CommandOutput("", "the machine is not running\n", NOT_FOUND, 0.0)


def _get_identity(vm: Resource) -> object:
    """Return what distinguishes a machine from a later one with the same id: its ``vmId``."""
    return vm.properties.get("vmId") or id(vm)


def decode_custom_data(vm: Resource) -> str:
    """Return a machine's decoded custom data; no GET shows it, so it may be hidden."""
    profile = vm.active_properties.get("osProfile") or {}
    encoded = vm.hidden.get("customData") or str(profile.get("customData") or "")
    try:
        return base64.b64decode(encoded, validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return ""
