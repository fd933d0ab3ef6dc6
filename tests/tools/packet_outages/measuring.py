"""Switches of one spoke on the Linux data plane, with a ping from its machine to the office.

The world is made on the model, once, and restored on the Linux data plane, so that both begin at
the same moment of the same world and draw the same durations. The ping is started and read by Run
Command, as in the demo.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path

from erfailover.commands.context import Context
from erfailover.commands.site_file import SiteFile
from erfailover.lab.core.clock import ScaledClock
from erfailover.lab.linux.launch import start_agent
from erfailover.lab.linux.plane import LinuxPlane
from erfailover.planning.probes import ping_log
from erfailover.planning.probes.ping_log import PingLog
from tests.tools.bench import outages
from tests.tools.bench.outages import NIC, OFFICE
from tests.tools.bench.rows import Way
from tests.tools.bench.worlds import Served, World, Worlds
from tests.tools.packet_outages.rows import Case, Row

MACHINE = "vm1"
_OFFICE = IPv4Address(OFFICE)
BACKUP, REMOTE = "vng2", "10.5.0.0/16"
GATEWAY = "Microsoft.Network/virtualNetworkGateways"
SETTLE_TIMEOUT_S = 60.0
"""How long the routers of a restored world may take, in real time."""
STEADY_S = 1.0
"""How long every packet must have a reply before a switch begins, in real time."""
SCRIPT_DEADLINE_S = 600.0


class NotSettledError(RuntimeError):
    """The restored world does not carry packets."""


class Measurer:
    """Measures switches, each in a world of its own."""

    def __init__(self, speed: float) -> None:
        """Run the lab's clock ``speed`` times faster than real time."""
        self._speed = speed
        self._worlds = Worlds()

    def close(self) -> None:
        """Remove what was written."""
        self._worlds.close()

    def measure(self, case: Case, seed: int) -> Row:
        """Switch once on either data plane."""
        way = Way.PRESTAGED if case.prestaged else Way.COLD
        model = outages.measure_erfailover(self._worlds, way, 1, seed, case.planned)
        world = self._worlds.get(1, case.prestaged, dark=not case.planned, machines=True)
        with self._serve(world, seed, carries=case.planned) as served:
            packets_s, lost, report_s = self._switch(served, planned=case.planned)
        return Row(case, seed, packets_s, lost, model.spokes_s[0], report_s)

    @contextmanager
    def _serve(self, world: World, seed: int, *, carries: bool) -> Iterator[Served]:
        """Serve a world on the Linux data plane, once its routers have their routes."""
        clock = ScaledClock(self._speed)
        with (
            tempfile.TemporaryDirectory(prefix="erfailover-disks-") as disks,
            closing(LinuxPlane(self._speed, Path(disks), start_agent)) as plane,
            self._worlds.serve(world.snapshot, world.site, seed, clock, plane) as served,
        ):
            await_routes(served)
            if carries:
                await_packets(served)
            yield served

    def _switch(self, served: Served, *, planned: bool) -> tuple[float, int, float]:
        context = Context(SiteFile(Path(served.environment["ERFAILOVER_SITE"]), os.environ))
        with closing(context):
            run_script(context, ping_log.build_start_script(_OFFICE))
            time.sleep(STEADY_S)
            report = served.folder / "report.json"
            began_at = datetime.now(UTC).timestamp()
            served.run_or_raise(
                "switch", "--to", "ipsec", "--yes", "--planned", "--report", str(report)
            )
            time.sleep(STEADY_S)
            log = read_log(context)
        reported = json.loads(report.read_text())["outages"][-1]["longest_s"]
        if not planned:
            if log.first_at < began_at:
                raise RuntimeError("a packet had a reply before the switch")
            lost = log.last_seq - log.replies
            return (log.first_at - began_at) * self._speed, lost, reported
        gap = log.find_longest()
        return (gap.seconds * self._speed, gap.lost, reported) if gap else (0.0, 0, reported)


def await_routes(served: Served) -> None:
    """Wait until the backup hub's gateway has learned what is beyond the far end's."""
    lab = served.lab
    gateway = next(item for item in lab.world.iter_by_type(GATEWAY) if item.id.name == BACKUP)
    _await(
        lambda: any(row["network"] == REMOTE for row in lab.plane.list_learned_routes(gateway)),
        served,
        f"{BACKUP} has not learned {REMOTE}",
    )


def await_packets(served: Served) -> None:
    """Wait until the machine reaches the office."""
    lab = served.lab
    nic = next(item for item in lab.world.iter_by_type(NIC) if item.id.name == f"{MACHINE}-nic1")
    _await(
        lambda: lab.plane.trace_packet(nic, OFFICE).reached, served, f"{MACHINE} reaches no office"
    )


def _await(is_so: Callable[[], bool], served: Served, problem: str) -> None:
    until = time.monotonic() + SETTLE_TIMEOUT_S
    while time.monotonic() < until:
        with served.lab.lock:
            served.lab.catch_up()
            if is_so():
                return
        time.sleep(0.05)
    raise NotSettledError(f"{problem} within {SETTLE_TIMEOUT_S:g} s")


def run_script(context: Context, script: list[str]) -> str:
    """Run a script on the machine, by Run Command; return what it printed."""
    machine = context.site.build_machine_id(MACHINE)
    return context.reader.run_command(machine, script, SCRIPT_DEADLINE_S).stdout


def read_log(context: Context) -> PingLog:
    """Return what the ping has seen so far."""
    printed = run_script(context, ping_log.build_read_script(_OFFICE))
    log = ping_log.parse_log(printed)
    if log is None:
        raise RuntimeError(f"the log of the ping cannot be read: {printed}")
    return log
