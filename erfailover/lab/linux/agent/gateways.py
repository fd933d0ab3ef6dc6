"""The daemons of gateways: BIRD, and a charon for each tunnel.

A daemon that was killed stays down, as it would on a broken router, until ``restart``.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from erfailover.lab.linux.agent import daemons
from erfailover.lab.linux.agent.bird import Bird
from erfailover.lab.linux.agent.charon import Charon
from erfailover.lab.linux.agent.route_watch import RouteWatch
from erfailover.lab.linux.agent.tunnel_devices import TunnelDevice
from erfailover.lab.linux.layout import Layout, Node

_AT_ONCE = 4
_FAILURES = (OSError, ValueError, daemons.DaemonError)

SetDevice = Callable[[str, str, bool], None]


class Gateways:
    """Every node's daemons.

    ``emit`` sends the event ``routes`` when a node's BIRD changed its kernel's routes or a tunnel
    came up or went; ``set_device`` is called when a tunnel's device, of the kind ``device``, can
    have routes.
    """

    def __init__(
        self,
        run: Path,
        emit: Callable[..., None],
        device: type[TunnelDevice],
        set_device: SetDevice,
    ):
        self._run = run
        self._emit = emit
        self._device = device
        self._set_device = set_device
        self._watch = RouteWatch(self._tell)
        self._lock = threading.Lock()
        self._birds: dict[str, Bird] = {}
        self._charons: dict[str, dict[str, Charon]] = {}

    def stop_obsolete(self, layout: Layout) -> None:
        """Stop the daemons that the layout has no more, or has differently."""
        wanted = {node.name: node for node in layout.nodes}
        processes: list[subprocess.Popen[bytes]] = []
        obsolete = []
        with self._lock:
            for name in list(self._charons):
                tunnels = set(wanted[name].tunnels) if name in wanted else set()
                for key, charon in list(self._charons[name].items()):
                    if charon.tunnel not in tunnels:
                        processes += charon.forget()
                        self._set_device_down(charon)
                        obsolete.append(self._charons[name].pop(key))
                if name not in wanted:
                    del self._charons[name]
            for name in list(self._birds):
                if name not in wanted or not wanted[name].bird:
                    self._watch.remove(name)
                    processes += self._birds.pop(name).forget()
            daemons.stop(processes)
            for charon in obsolete:
                charon.remove_device()

    def apply(self, layout: Layout, errors: list[str]) -> int:
        """Start what is new and configure what changed; return how many daemons were touched."""
        touched = 0
        with self._lock, ThreadPoolExecutor(_AT_ONCE) as pool:
            # The ends that wait come first: the others find them there.
            for step in (partial(self._apply_tunnels, False), partial(self._apply_tunnels, True)):
                for count, failures in pool.map(step, layout.nodes):
                    touched += count
                    errors += failures
            for count, failures in pool.map(self._apply_bird, layout.nodes):
                touched += count
                errors += failures
        return touched

    def read(self, node: str) -> dict[str, Any]:
        """Return what a node's daemons say: BIRD's texts or None, and each tunnel's state.

        A gateway without BGP whose last tunnel has gone has no daemon, and says just that.
        """
        bird = self._birds.get(node)
        charons = dict(self._charons.get(node, {}))
        said = bird.read() if bird is not None else None
        return {"bird": said, "tunnels": {name: each.read() for name, each in charons.items()}}

    def restart(self, node: str) -> None:
        """Stop what runs of a node's daemons and start them all."""
        with self._lock:
            bird = self._birds.get(node)
            charons = list(self._charons.get(node, {}).values())
            if bird is None and not charons:
                raise ValueError(f"{node} is no gateway")
            processes = bird.forget() if bird is not None else []
            for charon in charons:
                processes += charon.forget()
                self._set_device_down(charon)
            daemons.stop(processes)
            errors = []
            starts = [charon.start for charon in charons]
            if bird is not None:
                starts.append(bird.start)
            for start in starts:
                try:
                    start()
                except _FAILURES as error:
                    errors.append(str(error))
        self._tell(node)
        if errors:
            raise daemons.DaemonError("; ".join(errors))

    def _apply_tunnels(self, initiating: bool, node: Node) -> tuple[int, list[str]]:
        """Start a node's tunnels; each node is served by one thread."""
        touched = 0
        errors = []
        charons = self._charons.setdefault(node.name, {}) if node.tunnels else {}
        # One after another: the name that the kernel gives a device is known from the log alone.
        for tunnel in node.tunnels:
            if tunnel.initiates == initiating and tunnel.name not in charons:
                follow = self._follow(node.name)
                charon = Charon(node.name, self._run / node.name, tunnel, self._device, follow)
                touched += 1
                try:
                    charon.start()
                    charons[tunnel.name] = charon
                except _FAILURES as error:
                    errors.append(f"node {node.name}: {error}")
        return touched, errors

    def _apply_bird(self, node: Node) -> tuple[int, list[str]]:
        bird = self._birds.get(node.name)
        if not node.bird or (bird is not None and bird.configuration == node.bird):
            return 0, []
        try:
            if bird is None:
                tell = partial(self._tell, node.name)
                bird = Bird(node.name, self._run / node.name, node.bird, tell)
                bird.start()
                self._birds[node.name] = bird
                self._watch.add(node.name)
                self._tell(node.name)
            else:
                bird.configure(node.bird)
        except _FAILURES as error:
            return 1, [f"node {node.name}: {error}"]
        return 1, []

    def _follow(self, node: str) -> Callable[[str, bool], None]:
        def follow(device: str, up: bool) -> None:
            self._set_device(node, device, up)
            self._tell(node)

        return follow

    def _set_device_down(self, charon: Charon) -> None:
        self._set_device(charon.node, charon.tunnel.device, False)

    def _tell(self, node: str) -> None:
        self._emit("routes", node=node)
