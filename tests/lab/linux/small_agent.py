"""A small agent: machines, scripts and captures on three nodes, without the agent's own network.

Runs inside of the namespaces; JSON lines on its standard input and output. The nodes m1 and m2
have an interface each in the node fabric, which forwards between them.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from erfailover.lab.linux.agent import machine_limits
from erfailover.lab.linux.agent.captures import Captures
from erfailover.lab.linux.agent.disks import Disks
from erfailover.lab.linux.agent.machines import Machines
from erfailover.lab.linux.agent.pings import ping
from erfailover.lab.linux.agent.scripts import Scripts
from erfailover.lab.linux.layout import Interface, Layout, Link, LinkEnd, Machine, Node

FOLDER = Path("/run/erfailover")
MACHINES = {"m1": "1", "m2": "2"}
LAYOUT = Layout(
    nodes=(
        Node("fabric", "vnet"),
        *(Node(name, "machine", machine=Machine(name, name)) for name in MACHINES),
    ),
    links=tuple(
        Link(
            f"{name}-eth0",
            (
                LinkEnd(name, Interface("eth0", f"02:00:00:00:00:0{number}")),
                LinkEnd("fabric", Interface(f"to-{name}", f"02:00:00:00:01:0{number}")),
            ),
        )
        for name, number in MACHINES.items()
    ),
)


def run(command: str) -> None:
    subprocess.run(command.split(), check=True, timeout=10)


def connect(node: str) -> None:
    """Make the network namespace of a machine, and its link."""
    number = MACHINES[node]
    run(f"ip netns add {node}")
    run(f"ip -n fabric link add to-{node} type veth peer name eth0 netns {node}")
    run(f"ip -n fabric addr add 10.0.{number}.1/24 dev to-{node}")
    run(f"ip -n fabric link set to-{node} up")
    run(f"ip -n {node} addr add 10.0.{number}.4/24 dev eth0")
    run(f"ip -n {node} link set eth0 up")
    run(f"ip -n {node} route add default via 10.0.{number}.1")


def disconnect(node: str) -> None:
    """Lose the network namespace of a machine, and its link, if they are there."""
    if (Path("/run/netns") / node).exists():
        run(f"ip -n fabric link del to-{node}")
        run(f"ip netns del {node}")


class SmallAgent:
    def __init__(self, archives: str, group: str) -> None:
        run("mount -t tmpfs tmpfs /run")
        FOLDER.mkdir()
        if group == "none":
            machine_limits._find_parents = lambda: iter(())
        self.disks = Disks(FOLDER / "disks", Path(archives) if archives else None)
        self.limits = machine_limits.MachineLimits()
        self.machines = Machines(FOLDER, self.disks, self.limits)
        self.scripts = Scripts(self.machines, FOLDER, emit)
        captures = Captures(lambda: LAYOUT)
        self.start_script = self.scripts.start
        self.start_capture, self.end_capture = captures.start, captures.end
        self.keep_disks, self.stop_all = self.disks.keep, self.machines.stop_all
        self.ping, self.connect = ping, connect
        run("ip netns add fabric")
        run("ip netns exec fabric sysctl -q -w net.ipv4.ip_forward=1")

    def boot(self, node: str, machine: Mapping[str, Any]) -> None:
        """Start a machine in a new namespace; a running one is stopped before."""
        self.stop(node)
        connect(node)
        self.machines.boot(node, Machine(**machine))

    def stop(self, node: str) -> None:
        self.machines.stop(node)
        disconnect(node)

    def boot_alone(self, node: str, machine: Mapping[str, Any], wait_s: float) -> None:
        """Start a machine in its namespace as it is."""
        self.machines.boot(node, Machine(**machine), wait_s)

    def connect_tcp(self, node: str, address: str, port: int) -> str:
        """Return the first line that a TCP port says to a node."""
        done = subprocess.run(
            ["ip", "netns", "exec", node, sys.executable, "-c", _CONNECT, address, str(port)],
            capture_output=True,
            text=True,
            timeout=10,
        )
        return done.stdout or done.stderr

    def describe(self) -> dict[str, Any]:
        descriptors = len(list(Path("/proc/self/fd").iterdir()))
        mounts = Path("/proc/self/mounts").read_text().count(str(FOLDER))
        size = re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())
        assert size is not None
        return {
            "memory_kib": int(size[1]),
            "tasks": machine_limits.count_tasks(),
            "threads": threading.active_count(),
            "descriptors": descriptors,
            "mounts": mounts,
            "groups": len(self.limits.list_groups()),
        }


_CONNECT = """
import socket, sys
print(socket.create_connection((sys.argv[1], int(sys.argv[2])), 2).makefile().readline(), end="")
"""
_output = threading.Lock()


def send(message: Mapping[str, Any]) -> None:
    with _output:
        print(json.dumps(message), flush=True)


def emit(event: str, **fields: Any) -> None:
    send({"event": event, **fields})


def main() -> None:
    agent = SmallAgent(*sys.argv[1:3])
    emit("ready")
    for line in sys.stdin:
        request = json.loads(line)
        try:
            method = getattr(agent, request["method"])
            send({"id": request["id"], "result": method(*request["arguments"])})
        except Exception as problem:
            send({"id": request["id"], "error": str(problem)})


if __name__ == "__main__":
    main()
