"""One site on both planes: a random write, convergence, comparison, and again."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from erfailover.lab.core.world import Resource
from erfailover.lab.linux.launch import start_agent
from erfailover.lab.linux.plane import LinuxPlane
from erfailover.lab.linux.translation.bird import FASTEST
from erfailover.lab.machines.data_plane import DataPlane
from erfailover.lab.machines.machines import CommandOutput
from erfailover.lab.machines.model_plane import ModelPlane
from tests.tools.planes.details import INTERNET_HOST, MOST_MACHINES, add_machine
from tests.tools.planes.site import Site
from tests.tools.planes.tables import (
    PORT,
    Disagreement,
    Tables,
    compare,
    list_pings,
    read_tables,
    send_pings,
    write_connect_script,
)
from tests.tools.planes.writes import write_something

CONVERGED_S = 600.0
"""Modelled seconds after which the model has converged, whatever the write was."""
DEADLINE_S, PAUSE_S = 30.0, 0.3
"""How long the Linux plane may take to converge, and the pause between two readings."""
ECHO_S, ATTEMPTS = 0.3, 4
"""How long an echo may take, and how often one is sent that the planes do not agree on."""
AGAIN_S = 1.0
"""How much longer each pause between these is than the one before: a busy machine answers late."""
SCRIPT_S = 120.0
AT_ONCE = 24
POWER = 0.2
"""How likely a write is one of power."""

Second = Callable[[Path], DataPlane]


def start_linux(folder: Path) -> DataPlane:
    """Start the Linux plane, with the fastest timers that BGP allows."""
    return LinuxPlane(FASTEST, folder, start_agent, echo_s=ECHO_S)


class Trial:
    """A site that two planes serve: the model, and the one under test."""

    def __init__(self, site: Site, second: DataPlane) -> None:
        self.site = site
        self.model = ModelPlane()
        self.second = second
        self.stopped: set[str] = set()
        self.pings: list[tuple[str, str]] = []
        """The echoes to compare; every one if there are none."""
        self.log: list[str] = ["the site as drawn"]
        self.rows = 0
        """Rows of tables compared."""
        self.packets: Counter[bool] = Counter()
        """Echoes and connections compared, by whether they are answered."""
        world = self.site.builder.world
        for plane in (self.model, self.second):
            plane.attach(world)
            world.listeners.append(plane.refresh)
        for name in self.site.machines:
            self._boot(name)

    def write(self) -> str:
        """Make a random write; return what it did."""
        site = self.site
        if site.chance(POWER):
            self.log.append(self._change_machines())
            site.builder.world.notify_listeners()
        else:
            self.log.append(write_something(site))
        return self.log[-1]

    def _change_machines(self) -> str:
        """Stop, start or restart a machine, or create one; return what was done."""
        site = self.site
        if not site.machines or (site.chance(0.25) and len(site.machines) < MOST_MACHINES):
            name = add_machine(site, site.random.choice(list(site.vnets)))
            self._boot(name)
            return f"{name} created in {site.homes[name]}"
        name = site.random.choice(list(site.machines))
        if name in self.stopped or site.chance(0.3):
            again = "started" if name in self.stopped else "restarted"
            self.stopped.discard(name)
            self._boot(name)
            return f"{name} {again}"
        self.stopped.add(name)
        for plane in (self.model, self.second):
            plane.stop(site.get_machine(name))
        return f"{name} stopped"

    def settle(self) -> list[Disagreement]:
        """Let both planes converge; return what they then disagree on."""
        builder = self.site.builder
        builder.wait(CONVERGED_S)
        builder.world.notify_listeners()
        expected = read_tables(self.site, self.model)
        found = self._follow_tables(expected)
        return [*found, *self._compare_pings(), *self._compare_connects()]

    def _follow_tables(self, expected: Tables) -> list[Disagreement]:
        """Read the second plane's tables until they agree twice, or until time is up."""
        deadline = time.monotonic() + DEADLINE_S
        agreed = 0
        while True:
            found = compare(expected, self._read())
            agreed = 0 if found else agreed + 1
            if agreed > 1 or time.monotonic() > deadline:
                self.rows += sum(map(len, expected.values()))
                return found
            time.sleep(PAUSE_S)

    def _read(self) -> Tables:
        while True:
            self.second.catch_up()
            if not isinstance(self.second, LinuxPlane) or self.second.is_settled():
                return read_tables(self.site, self.second)
            time.sleep(PAUSE_S / 10)

    def _compare_pings(self) -> list[Disagreement]:
        site = self.site
        pings = self.pings or list_pings(site)
        ours = send_pings(site, self.model, pings, 1)
        self.packets.update(reached for reached, _ in ours.values())
        different = pings
        for attempt in range(ATTEMPTS):
            time.sleep(attempt * AGAIN_S)
            theirs = send_pings(site, self.second, different, AT_ONCE)
            different = [ping for ping in different if ours[ping][0] != theirs[ping][0]]
            if not different:
                break
        return [
            Disagreement(
                f"echo from {name} to {destination}",
                (_describe(*ours[name, destination]),),
                (_describe(*theirs[name, destination]),),
            )
            for name, destination in different
        ]

    def _compare_connects(self) -> list[Disagreement]:
        """Compare which machines accept a TCP connection of which."""
        if not isinstance(self.second, LinuxPlane):
            return []
        site = self.site
        pairs = [ping for ping in self.pings or list_pings(site) if ping[1] != INTERNET_HOST]
        ours = {
            (name, there): self.model.trace_packet(self._find_nic(name, there), there, "tcp", PORT)
            for name, there in pairs
        }
        self.packets.update(trace.reached for trace in ours.values())
        different = pairs
        for attempt in range(ATTEMPTS):
            time.sleep(attempt * AGAIN_S)
            accepted = self._connect(different)
            different = [pair for pair in different if ours[pair].reached != (pair in accepted)]
            if not different:
                break
        return [
            Disagreement(
                f"connection from {name} to {there} port {PORT}",
                (_describe(ours[name, there].reached, ours[name, there].reason),),
                (_describe(not ours[name, there].reached, ""),),
            )
            for name, there in different
        ]

    def _find_nic(self, name: str, destination: str) -> Resource:
        """Return the interface by which a machine's kernel sends; the first if it has no route."""
        machines = self.model.machines
        linux = machines.get_system(str(self.site.get_machine(name).id).lower())
        nic = machines.find_nic(linux, destination) if linux is not None else None
        return nic or self.site.builder.get("networkInterfaces", f"{name}-nic0")

    def _connect(self, pairs: list[tuple[str, str]]) -> set[tuple[str, str]]:
        """Return those of some pairs that connect, on real machines."""
        outputs: dict[str, str] = {}
        for name in dict.fromkeys(name for name, _ in pairs):
            script = write_connect_script([there for here, there in pairs if here == name])

            def note(output: CommandOutput, name: str = name) -> None:
                outputs[name] = output.stdout

            self.second.start_script(self.site.get_machine(name), script, note)
        deadline = time.monotonic() + SCRIPT_S
        while len(outputs) < len({name for name, _ in pairs}):
            if time.monotonic() > deadline:
                raise RuntimeError(f"scripts that connect did not end: only {sorted(outputs)}")
            self.second.catch_up()
            time.sleep(PAUSE_S / 10)
        return {(name, there) for name, there in pairs if there in outputs[name].split()}

    def _boot(self, name: str) -> None:
        machine = self.site.get_machine(name)
        script = self.site.scripts.get(name, "")
        for plane in (self.model, self.second):
            plane.boot(machine)
            plane.refresh()
            if script:
                self._run(plane, name, script)

    def _run(self, plane: DataPlane, name: str, script: str) -> None:
        """Run a script to its end; it must succeed."""
        ended: list[CommandOutput] = []
        deadline = time.monotonic() + SCRIPT_S
        plane.start_script(self.site.get_machine(name), script.splitlines(), ended.append)
        while not ended and time.monotonic() < deadline:
            if isinstance(plane, LinuxPlane):
                plane.catch_up()
                time.sleep(PAUSE_S / 10)
            else:
                self.site.builder.wait(1.0)
        if not ended or ended[0].exit_code:
            raise RuntimeError(f"{plane.name}: the script of {name} did not succeed: {ended}")


def _describe(reached: bool, reason: str) -> str:
    return f"{'answered' if reached else 'no answer'}: {reason}"


@contextmanager
def open_trial(site: Site, folder: Path, start: Second = start_linux) -> Iterator[Trial]:
    """Run both planes for a site."""
    plane = start(folder)
    try:
        yield Trial(site, plane)
    finally:
        plane.close()
