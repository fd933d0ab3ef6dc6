"""Switches of one spoke on the Linux data plane, with a ping from its machine to the office.

The world is made on the model, once, and restored on the Linux data plane, so that both begin at
the same moment of the same world and draw the same durations. The ping is started and read by Run
Command, as in the demo.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path

from azure.identity import DefaultAzureCredential
from azure.mgmt.network import NetworkManagementClient

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
from tests.tools.bench.worlds import DARK_S, FAILED_PEER, Served, World, Worlds
from tests.tools.packet_outages.rows import Case, Row

MACHINE = "vm1"
_OFFICE = IPv4Address(OFFICE)
GROUP = "rg-we"
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
        world = self._worlds.get(1, case.prestaged, dark=False, machines=True)
        with self._serve(world, seed) as served:
            packets_s, lost, report_s = self._switch(served, planned=case.planned)
        return Row(case, seed, packets_s, lost, model.spokes_s[0], report_s)

    @contextmanager
    def _serve(self, world: World, seed: int) -> Iterator[Served]:
        """Serve a world on the Linux data plane; it carries packets."""
        clock = ScaledClock(self._speed)
        folder = self._worlds.folder / f"disks-{seed}"
        folder.mkdir(exist_ok=True)
        with (
            closing(LinuxPlane(self._speed, folder, start_agent)) as plane,
            self._worlds.serve(world.snapshot, world.site, seed, clock, plane) as served,
        ):
            await_packets(served)
            yield served

    def _switch(self, served: Served, *, planned: bool) -> tuple[float, int, float]:
        context = Context(SiteFile(Path(served.environment["ERFAILOVER_SITE"]), os.environ))
        with closing(context):
            run_script(context, ping_log.build_start_script(_OFFICE))
            time.sleep(STEADY_S)
            if not planned:
                fail_primary(served)
                time.sleep(DARK_S / self._speed)
            report = served.folder / "report.json"
            began_at = datetime.now(UTC).timestamp()
            served.run_or_raise(
                "switch", "--to", "ipsec", "--yes", "--planned", "--report", str(report)
            )
            time.sleep(STEADY_S)
            log = read_log(context)
        gap = log.find_longest()
        reported = json.loads(report.read_text())["outages"][-1]["longest_s"]
        if gap is None:
            return 0.0, 0, reported
        since = gap.last_at if planned else max(began_at, gap.last_at)
        return (gap.first_at - since) * self._speed, gap.lost, reported


def await_packets(served: Served) -> float:
    """Wait until the machine reaches the office; return how long it took, in real time."""
    lab, began = served.lab, time.monotonic()
    nic = next(item for item in lab.world.iter_by_type(NIC) if item.id.name == f"{MACHINE}-nic1")
    _await(lambda: lab.plane.trace_packet(nic, OFFICE).reached, served)
    return time.monotonic() - began


def _await(is_so: Callable[[], bool], served: Served) -> None:
    until = time.monotonic() + SETTLE_TIMEOUT_S
    while time.monotonic() < until:
        with served.lab.lock:
            served.lab.catch_up()
            if is_so():
                return
        time.sleep(0.05)
    raise NotSettledError(f"no packet reaches the office within {SETTLE_TIMEOUT_S:g} s")


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


def fail_primary(served: Served) -> None:
    """ExpressRoute fails: the primary's far end has an address that nobody has."""
    endpoint = served.environment["ERFAILOVER_ENDPOINT"]
    network = NetworkManagementClient(
        DefaultAzureCredential(),
        served.environment["AZURE_SUBSCRIPTION_ID"],
        base_url=endpoint,
        credential_scopes=[f"{endpoint}/.default"],
    )
    local_gateway = network.local_network_gateways.get(GROUP, "lng1")
    assert local_gateway.bgp_settings is not None
    local_gateway.bgp_settings.bgp_peering_address = FAILED_PEER
    network.local_network_gateways.begin_create_or_update(GROUP, "lng1", local_gateway).result()
