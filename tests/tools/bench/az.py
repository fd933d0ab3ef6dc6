"""Row 1: the proof of concept's procedure typed as az commands, one after the other, in real time.

A real az from PyPI, a real process for each command, and a lab whose clock is the wall's. What
a person needs to type and to read is not counted.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from erfailover.lab.core.clock import ScaledClock
from erfailover.lab.server.az_config import write_configuration
from tests.support.az import Az, install_az
from tests.tools.bench import worlds
from tests.tools.bench.outages import Packets
from tests.tools.bench.rows import Compared, Outage, Switch, Way
from tests.tools.bench.watching import Watch
from tests.tools.bench.worlds import BACKUP, PRIMARY, Served, Worlds

GROUP = ("-g", "rg-we")
PEERING = ("network", "vnet", "peering")
GATEWAY = ("network", "vnet-gateway")


@dataclass
class _Typist:
    """Types commands and notes how long they take: those of the procedure, and pings apart."""

    az: Az
    seconds: float = 0.0
    pings_s: float = 0.0

    def __call__(self, *arguments: str) -> Any:
        """Type a command; what it printed."""
        began = time.monotonic()
        printed = self.az(*arguments)
        self.seconds += time.monotonic() - began
        return printed

    def ping(self, address: str) -> None:
        """Ping from the first spoke's machine, as the notes do, but by az."""
        began = time.monotonic()
        script = ("--command-id", "RunShellScript", "--scripts", f"ping -c 3 {address}")
        self.az("vm", "run-command", "invoke", *GROUP, "-n", "vm1", *script)
        self.pings_s += time.monotonic() - began


def switch(result: Worlds, spokes: int, seed: int, *, pings: bool = True) -> Switch:
    """Switch every spoke in the order of the notes: look at VNG2, four writes, look again.

    The pings of the notes are typed at their places and counted apart.
    """
    with _serve_in_real_time(result, spokes, seed) as (served, az):
        watch, typist = Watch(served.lab), _Typist(az)
        typist(*GATEWAY, "list-bgp-peer-status", *GROUP, "-n", "vng2")
        typist(*GATEWAY, "list-learned-routes", *GROUP, "-n", "vng2")
        looked_s = typist.seconds
        _write(typist, spokes, pings=pings)
        written_s = typist.seconds
        _list_until_shown(typist, spokes)
        if pings:
            typist.ping("10.5.0.4")
        watched = watch.collect(worlds.spoke_names(spokes))
    return Switch(
        way=Way.AZ,
        spokes=spokes,
        seed=seed,
        whole_s=typist.seconds,
        requests=watched.requests,
        refused=watched.refused,
        wall_s=typist.seconds + typist.pings_s,
        each_s=(written_s - looked_s) / spokes,
        with_pings_s=typist.seconds + typist.pings_s if pings else 0.0,
    )


def outage(result: Worlds, seed: int, planned: bool) -> Outage:
    """The outage of one spoke by the procedure, its pings included."""
    with _serve_in_real_time(result, 1, seed, dark=not planned) as (served, az):
        packets, typist = Packets(served.lab, worlds.spoke_names(1)), _Typist(az)
        typist(*GATEWAY, "list-bgp-peer-status", *GROUP, "-n", "vng2")
        typist(*GATEWAY, "list-learned-routes", *GROUP, "-n", "vng2")
        _write(typist, 1, pings=True)
        _list_until_shown(typist, 1)
        failed_s = 0.0 if planned else worlds.DARK_S
        return Outage(Way.AZ, 1, seed, planned, packets.outages_s(), failed_s)


def _write(typist: _Typist, spokes: int, *, pings: bool) -> None:
    """Type the procedure's writes, and the pings between them."""
    for name in worlds.spoke_names(spokes):
        _update(typist, name, PRIMARY)
        _update(typist, PRIMARY, name)
    for address in ("10.5.0.4", "8.8.4.4") if pings else ():
        typist.ping(address)
    for name in worlds.spoke_names(spokes):
        _create(typist, name, BACKUP, "--allow-forwarded-traffic", "--use-remote-gateways")
        _create(typist, BACKUP, name, "--allow-forwarded-traffic", "--allow-gateway-transit")


def status(result: Worlds, seed: int, ours_s: float) -> Compared:
    """The az commands that give what ``status`` does: peers, routes, peerings.

    Returns:
        How long they take, against what ``status`` took with the same draws.
    """
    with _serve_in_real_time(result, 1, seed) as (_, az):
        began = time.monotonic()
        for gateway in ("vng1", "vng2"):
            az(*GATEWAY, "list-bgp-peer-status", *GROUP, "-n", gateway)
            az(*GATEWAY, "list-learned-routes", *GROUP, "-n", gateway)
        for network in (PRIMARY, BACKUP, "vnet1"):
            az(*PEERING, "list", *GROUP, "--vnet-name", network)
        return Compared(seed, time.monotonic() - began, ours_s)


@contextmanager
def _serve_in_real_time(
    result: Worlds, spokes: int, seed: int, *, dark: bool = True
) -> Iterator[tuple[Served, Az]]:
    az = install_az()
    world = result.get(spokes, False, dark=dark)
    with result.serve(world.snapshot, world.site, seed, ScaledClock(1.0)) as served:
        endpoint = served.environment["ERFAILOVER_ENDPOINT"]
        folder = write_configuration(served.folder / "az", served.lab.identity, endpoint)
        os.environ["AZURE_CONFIG_DIR"] = str(folder)
        az("account", "show")  # what the first command of a new folder writes
        yield served, az


def _update(az: _Typist, owner: str, other: str) -> None:
    name = ("-n", f"{owner}-to-{other}", "--vnet-name", owner)
    off = ("allowForwardedTraffic=false", "allowGatewayTransit=false", "useRemoteGateways=false")
    az(*PEERING, "update", *GROUP, *name, "--set", *off)


def _create(az: _Typist, owner: str, other: str, *flags: str) -> None:
    name = ("-n", f"{owner}-to-{other}", "--vnet-name", owner, "--remote-vnet", other)
    az(*PEERING, "create", *GROUP, *name, "--allow-vnet-access", *flags)


def _list_until_shown(az: _Typist, spokes: int) -> None:
    desired = worlds.spoke_prefixes(spokes)
    while True:
        rows = az(*GATEWAY, "list-learned-routes", *GROUP, "-n", "vng2")["value"]
        if desired <= {row["network"] for row in rows if row["origin"] == "Network"}:
            return
