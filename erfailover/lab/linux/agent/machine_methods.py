"""The agent's methods for machines, scripts and captures, as the lab calls them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from erfailover.lab.linux.agent.captures import Captures
from erfailover.lab.linux.agent.disks import Disks
from erfailover.lab.linux.agent.machine_limits import MachineLimits
from erfailover.lab.linux.agent.machines import MachineError, Machines
from erfailover.lab.linux.agent.pings import ping
from erfailover.lab.linux.agent.scripts import Emit, Scripts
from erfailover.lab.linux.layout import Layout, Machine


class MachineMethods:
    """What the lab can ask of its machines.

    ``take_down`` removes a node's links and namespace, if they are there, ``bring_up`` makes them
    anew as the layout has them: a stopped machine has none, so it answers nothing, and its kernel
    forgets all.
    """

    def __init__(
        self,
        folder: Path,
        emit: Emit,
        get_layout: Callable[[], Layout],
        take_down: Callable[[str], object],
        bring_up: Callable[[str], object],
        archives: Path | None = None,
        group: Path | None = None,
    ) -> None:
        """Keep mounts below ``folder``, archives of the disks in ``archives`` if it is given."""
        self._get_layout = get_layout
        self._take_down = take_down
        self._bring_up = bring_up
        self._disks = Disks(folder / "disks", archives)
        self._machines = Machines(folder, self._disks, MachineLimits(group))
        self._scripts = Scripts(self._machines, folder, emit)
        self._captures = Captures(get_layout)
        self.methods: dict[str, Callable[..., Any]] = {
            "boot": self.boot,
            "stop": self.stop,
            "start_script": self.start_script,
            "ping": self.ping,
            "start_capture": self.start_capture,
            "end_capture": self.end_capture,
        }

    def boot(self, node: str) -> None:
        """Start a node's machine; a running one is started again."""
        machine = self._find_machine(node)
        self.stop(node)
        self._bring_up(node)
        self._machines.boot(node, machine)

    def stop(self, node: str) -> None:
        """Stop a node's machine, if it runs."""
        self._machines.stop(node)
        self._take_down(node)

    def start_script(self, node: str, script: str, limit_s: float) -> dict[str, int]:
        """Start a script on a machine; an event ``script-ended`` tells its end."""
        return {"script": self._scripts.start(node, script, limit_s)}

    def ping(
        self, node: str, interface: str, destination: str, timeout_s: float
    ) -> dict[str, bool]:
        """Return whether a machine gets an echo reply; one that does not run gets none."""
        running = self._machines.is_running(node)
        return {"reached": running and ping(node, interface, destination, timeout_s)}

    def start_capture(self, link: str, file: str) -> dict[str, int]:
        """Start to write the packets of a link to a file of the host."""
        return {"capture": self._captures.start(link, file)}

    def end_capture(self, capture: int) -> dict[str, int]:
        """End a capture; return how many packets are in its file."""
        return {"packets": self._captures.end(capture)}

    def stop_removed(self, nodes: Iterable[str]) -> None:
        """Stop the machines of nodes that are about to be removed."""
        for node in nodes:
            self._machines.stop(node)

    def keep_disks(self, layout: Layout) -> None:
        """Remove the disks of machines that a new layout does not have."""
        machines = [node.machine for node in layout.nodes if node.machine is not None]
        self._disks.keep(machine.disk for machine in machines)

    def stop_all(self) -> None:
        """Stop all machines; their disks are saved a last time."""
        self._machines.stop_all()

    def _find_machine(self, node: str) -> Machine:
        for each in self._get_layout().nodes:
            if each.name == node and each.machine is not None:
                return each.machine
        raise MachineError(f"There is no machine {node!r}.")
