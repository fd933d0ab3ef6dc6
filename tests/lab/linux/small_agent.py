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

from erfailover.lab.linux.agent.captures import Captures
from erfailover.lab.linux.agent.disks import Disks
from erfailover.lab.linux.agent.machines import Machines
from erfailover.lab.linux.agent.pings import ping
from erfailover.lab.linux.agent.scripts import Scripts
from erfailover.lab.linux.agent.task_limits import TaskLimits, count_tasks
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


class SmallAgent:
    def __init__(self, archives: str, group: str) -> None:
        run("mount -t tmpfs tmpfs /run")
        FOLDER.mkdir()
        self.disks = Disks(FOLDER / "disks", Path(archives) if archives else None)
        limits = TaskLimits(Path(group) if group else None)
        if group == "none":
            limits = TaskLimits()
            limits._parent = None
        self.machines = Machines(FOLDER, self.disks, limits)
        self.scripts = Scripts(self.machines, FOLDER, emit)
        self.captures = Captures(lambda: LAYOUT)
        run("ip netns add fabric")
        run("ip netns exec fabric sysctl -q -w net.ipv4.ip_forward=1")
        for node in MACHINES:
            connect(node)

    def boot(self, node: str, machine: Mapping[str, Any], wait_s: float = 30.0) -> None:
        self.machines.boot(node, Machine(**machine), wait_s)

    def stop(self, node: str) -> None:
        """Stop a machine, and lose its namespace."""
        self.machines.stop(node)
        run(f"ip -n fabric link del to-{node}")
        run(f"ip netns del {node}")
        connect(node)

    def start_script(self, node: str, script: str, limit_s: float) -> int:
        return self.scripts.start(node, script, limit_s)

    def ping(self, node: str, interface: str, destination: str, timeout_s: float) -> bool:
        return ping(node, interface, destination, timeout_s)

    def start_capture(self, link: str, file: str) -> int:
        return self.captures.start(link, file)

    def end_capture(self, number: int) -> int:
        return self.captures.end(number)

    def keep_disks(self, disks: list[str]) -> None:
        self.disks.keep(disks)

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
            "tasks": count_tasks(),
            "threads": threading.active_count(),
            "descriptors": descriptors,
            "mounts": mounts,
        }


_CONNECT = """
import socket, sys
print(socket.create_connection((sys.argv[1], int(sys.argv[2])), 2).makefile().readline(), end="")
"""
_output = threading.Lock()


def emit(message: Mapping[str, Any]) -> None:
    with _output:
        print(json.dumps(message), flush=True)


def main() -> None:
    agent = SmallAgent(*sys.argv[1:3])
    emit({"event": "ready"})
    for line in sys.stdin:
        request = json.loads(line)
        try:
            result = getattr(agent, request["method"])(*request["arguments"])
            emit({"id": request["id"], "result": result})
        except Exception as problem:
            emit({"id": request["id"], "error": str(problem)})


if __name__ == "__main__":
    main()
