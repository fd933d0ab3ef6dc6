"""The virtual machines: their systems, and the scripts that Run Command runs on them.

Owns each machine's modelled system from its creation until the machine is gone; stopping and
starting loses what only a running kernel knows. It decides nothing about routes: packets go
through ``reachability``, which asks here for the systems on the way.

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
from erfailover.lab.machines.reachability import Trace, reaches
from erfailover.lab.machines.shell.packages import PREINSTALLED
from erfailover.lab.machines.shell.programs import machine_programs
from erfailover.lab.machines.shell.shell import NOT_FOUND, Running, Shell
from erfailover.lab.routing import records
from erfailover.lab.routing.bgp import Bgp

PER_BOOT = "/var/lib/cloud/scripts/per-boot/"


@dataclass(frozen=True, slots=True)
class CommandOutput:
    """What a script wrote, its exit status, and how long it took in modelled seconds."""

    stdout: str
    stderr: str
    exit_code: int
    duration_s: float


class Machines:
    """The systems of a world's virtual machines."""

    def __init__(self, world: World, bgp: Bgp) -> None:
        self._world = world
        self._bgp = bgp
        self._programs = machine_programs()
        self._systems: dict[str, tuple[object, Linux]] = {}
        self._stopped: dict[str, object] = {}
        self._running: dict[int, _Script] = {}
        self._scripts = 0

    # What the service calls.

    def boot(self, vm: Resource) -> None:
        """Start a machine, or start it anew.

        The first time its custom data runs, where it is a script (``#!``), as cloud-init does
        it; its output is in ``/var/log/cloud-init-output.log``. Custom data of another form is
        not modelled and that file says so. At every start what may be run in cloud-init's
        per-boot folder runs (documented). Rules, routes and kernel parameters that were only
        set in the running system are gone.
        """
        key = ids.key(vm.id)
        self._stopped.pop(key, None)
        before = self._known(key, vm)
        linux = self._make(vm, before)
        if linux is None:
            return
        self._systems[key] = (_identity(vm), linux)
        for path in sorted(linux.executable):
            if path.startswith(PER_BOOT):
                self._run_at_boot(linux, linux.files[path])
        text = _custom_data(vm)
        if before is None and text:
            self._run_custom_data(linux, text)

    def stop(self, vm: Resource) -> None:
        """Stop a machine: nothing answers there until it is started again."""
        self._stopped[ids.key(vm.id)] = _identity(vm)

    def run(self, vm: Resource, script: Iterable[str]) -> CommandOutput:
        """Run a script, its end being now.

        Args:
            vm: the virtual machine.
            script: the lines of the script.

        Returns:
            Its output. Exit status 127 stands for what the lab does not model, too.
        """
        linux = self.system(ids.key(vm.id))
        if linux is None:
            return _nobody_there()
        duration_s = self.duration_s(vm, script)
        outside = _Outside(self, linux, began=self._world.now - duration_s)
        shell = Shell(linux, outside, self._programs)
        status = _finish(shell.run("\n".join(script)), outside)
        return _output(shell, status, outside.elapsed)

    def duration_s(self, vm: Resource, script: Iterable[str]) -> float:
        """How long a script would take from now on, in modelled seconds; runs it nowhere."""
        linux = self.system(ids.key(vm.id))
        if linux is None:
            return 0.0
        rehearsal = copy.deepcopy(linux)
        outside = _Outside(self, rehearsal, began=self._world.now, rehearsal=True)
        _finish(Shell(rehearsal, outside, self._programs).run("\n".join(script)), outside)
        return outside.elapsed

    def start(
        self, vm: Resource, script: Iterable[str], done: Callable[[CommandOutput], None]
    ) -> None:
        """Start a script that takes its time as the world's passes.

        Args:
            vm: the virtual machine.
            script: the lines of the script.
            done: called once, with the output, at the modelled moment of its end.
        """
        linux = self.system(ids.key(vm.id))
        if linux is None:
            done(_nobody_there())
            return
        outside = _Outside(self, linux, began=None)
        shell = Shell(linux, outside, self._programs)
        self._go_on(vm, shell, shell.run("\n".join(script)), self._world.now, done)

    def _go_on(
        self,
        vm: Resource,
        shell: Shell,
        running: Running,
        began: float,
        done: Callable[[CommandOutput], None],
    ) -> None:
        if self.system(ids.key(vm.id)) is not shell.linux:
            shell.stderr.append("the machine stopped in the middle of the script\n")
            done(_output(shell, 1, self._world.now - began))
            return
        try:
            wait_s = next(running)
        except StopIteration as end:
            done(_output(shell, int(end.value), self._world.now - began))
            return
        self._scripts += 1
        self._running[self._scripts] = _Script(vm, shell, running, began, done)
        self._world.at(self._world.now + wait_s, partial(self._resume, self._scripts))

    def _resume(self, number: int) -> None:
        script = self._running.pop(number, None)
        if script is None:
            return
        if script.shell is None or script.running is None:
            ended = CommandOutput("", _CUT_OFF, 1, self._world.now - script.began)
            script.done(ended)
            return
        self._go_on(script.vm, script.shell, script.running, script.began, script.done)

    def __getstate__(self) -> dict[str, Any]:
        """What is written down of the machines: a script under way only with who waits for it."""
        cut_off = {
            number: replace(script, shell=None, running=None)
            for number, script in self._running.items()
        }
        return {**self.__dict__, "_running": cut_off, "_programs": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Read the machines back."""
        self.__dict__.update(state)
        self._programs = machine_programs()

    # What reachability asks.

    def system(self, machine: str) -> Linux | None:
        """The running system of a virtual machine, by key; None where none runs."""
        vm = self._world.resources.get(machine)
        if vm is None or vm.active is None or self._stopped.get(machine) == _identity(vm):
            return None
        linux = self._known(machine, vm) or self._make(vm, None)
        if linux is not None:
            self._systems[machine] = (_identity(vm), linux)
        return linux

    def nic(self, linux: Linux, destination: str) -> Resource | None:
        """The network interface by which a machine's kernel sends to an address."""
        route = linux.route_to(destination)
        name = route.interface if route is not None else "eth0"
        interface = linux.interface(name)
        return self._world.resources.get(interface.nic) if interface is not None else None

    def reaches(self, linux: Linux, destination: str, protocol: str, port: int) -> Trace:
        """Send a packet from a machine by the interface that its kernel chooses."""
        nic = self.nic(linux, destination)
        if nic is None:
            return Trace(False, (), f"{linux.hostname} has no network interface")
        systems = _Rehearsing(self, linux)
        return reaches(self._world, self._bgp, systems, nic, destination, protocol, port)

    # How a system comes about.

    def _known(self, key: str, vm: Resource) -> Linux | None:
        """The system of this very machine, not of one that had its name before."""
        identity, linux = self._systems.get(key, (None, None))
        return linux if identity == _identity(vm) else None

    def _make(self, vm: Resource, before: Linux | None) -> Linux | None:
        """A freshly started system; what is on its disk comes from ``before``."""
        key = ids.key(vm.id)
        self._bgp.refresh()
        machine = self._bgp.network.machines.get(key)
        if machine is None:
            return None
        profile = vm.active_properties.get("osProfile") or {}
        linux = Linux(
            key=key,
            hostname=str(profile.get("computerName") or vm.id.name),
            interfaces=self._interfaces(machine),
            packages=set(PREINSTALLED),
        )
        if before is not None:
            linux.packages, linux.files, linux.saved = before.packages, before.files, before.saved
            linux.executable = before.executable
        linux.boot()
        return linux

    def _interfaces(self, machine: records.Machine) -> tuple[Interface, ...]:
        found: list[Interface] = []
        for key in machine.nics:
            nic = self._bgp.network.nics.get(key)
            subnet = self._bgp.network.subnets.get(nic.subnet) if nic is not None else None
            if nic is None or subnet is None:
                continue
            holding = (each for each in subnet.prefixes if addresses.holds(each, nic.address))
            prefix = addresses.ipv4_network(next(holding, f"{nic.address}/32"))
            if prefix is not None:
                name = f"eth{len(found)}"
                found.append(Interface(name, nic.address, prefix.prefixlen, nic.key))
        return tuple(found)

    def _run_custom_data(self, linux: Linux, text: str) -> None:
        log = "/var/log/cloud-init-output.log"
        if not text.startswith("#!"):
            linux.files[log] = "the lab does not model custom data other than a script (#!)\n"
            return
        linux.files[log] = self._run_at_boot(linux, text)

    def _run_at_boot(self, linux: Linux, text: str) -> str:
        """Run a script as cloud-init does at a start; what it wrote, and its exit status."""
        outside = _Outside(self, linux, began=self._world.now)
        shell = Shell(linux, outside, self._programs)
        status = _finish(shell.run(text), outside)
        return "".join([*shell.stdout, *shell.stderr, f"exit status {status}\n"])


@dataclass(frozen=True, slots=True)
class _Script:
    """A script under way; without its shell where the world was written down in between."""

    vm: Resource
    shell: Shell | None
    running: Running | None
    began: float
    done: Callable[[CommandOutput], None]


_CUT_OFF = "the lab was restarted in the middle of the script\n"


@dataclass(slots=True)
class _Rehearsing:
    """The machines, one of them replaced by a copy that a rehearsal may change."""

    machines: Machines
    linux: Linux

    def system(self, machine: str) -> Linux | None:
        """The running system of a virtual machine."""
        return self.linux if machine == self.linux.key else self.machines.system(machine)


@dataclass(slots=True)
class _Outside:
    """What a script sees of the world: time, and where its packets get to.

    ``began`` is the moment the script began; None where it runs as the world's time passes.
    """

    machines: Machines
    linux: Linux
    began: float | None
    rehearsal: bool = False
    elapsed: float = 0.0

    def now(self) -> float:
        """The modelled time at this point of the script."""
        return self.machines._world.now if self.began is None else self.began + self.elapsed

    def send(self, linux: Linux, destination: str, protocol: str, port: int) -> Trace:
        """Send a packet from the machine."""
        return self.machines.reaches(linux, destination, protocol, port)

    def track(self, trace: Trace, echo_id: int) -> None:
        """Let the machines on the way remember the flows."""
        for flow in trace.flows:
            own = flow.machine == self.linux.key
            linux = self.linux if own else self.machines.system(flow.machine)
            if linux is not None and (own or not self.rehearsal):
                linux.track(flow, echo_id, self.now(), trace.reached)


def _finish(running: Running, outside: _Outside) -> int:
    """Run a script to its end at once, adding up the time it takes."""
    while True:
        try:
            outside.elapsed += next(running)
        except StopIteration as end:
            return int(end.value)


def _output(shell: Shell, status: int, duration_s: float) -> CommandOutput:
    return CommandOutput("".join(shell.stdout), "".join(shell.stderr), status, duration_s)


def _nobody_there() -> CommandOutput:
    return CommandOutput("", "the machine does not run\n", NOT_FOUND, 0.0)


def _identity(vm: Resource) -> object:
    """What tells a machine from a later one of the same id: Azure's ``vmId``."""
    return vm.properties.get("vmId") or id(vm)


def _custom_data(vm: Resource) -> str:
    """The decoded custom data of a machine; no GET shows it, so it may be hidden."""
    profile = vm.active_properties.get("osProfile") or {}
    encoded = vm.hidden.get("customData") or str(profile.get("customData") or "")
    try:
        return base64.b64decode(encoded, validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return ""
