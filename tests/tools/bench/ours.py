"""Rows 3 and 4, and what else erfailover itself is measured at: status, provision, processes.

Owns the runs of erfailover and the draws that its bounds are computed from.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from typing import Any

import yaml

from erfailover.lab.core import timing
from erfailover.lab.core.clock import ScaledClock
from erfailover.lab.core.timing import Durations
from erfailover.lab.engine.lab import Lab
from erfailover.lab.engine.throttling import Limits
from tests.tools.bench import bound, machine, worlds
from tests.tools.bench.rows import YARDSTICK, Compared, Process, Switch, Way
from tests.tools.bench.watching import LEARN_S, Bar, Watch, Watched
from tests.tools.bench.worlds import Worlds

PEERING = "Microsoft.Network/virtualNetworks/virtualNetworkPeerings"
GATEWAY = "Microsoft.Network/virtualNetworkGateways"
SPEED = 15.0
"""The lab's clock for a controller in a separate process: its own work then counts 15 times."""
GATE_READING_AGE_S = 900.0
"""How old a reading may be there at the gate: a busy machine takes long to serve 500 spokes, and
what is measured there is the processor time and the memory."""
FAST_SPEED = 100.0
DRAWN = 100
"""How many readings of a table a client may draw for the shortest one."""
MANY = 50
"""Fewer spokes do not tell what one of them costs."""


def switch(result: Worlds, way: Way, spokes: int, seed: int) -> Switch:
    """Switch all spokes to IPsec on the stepped clock, and hold it against its bound."""
    world = result.get(spokes, way is Way.PRESTAGED)
    with result.serve(world.snapshot, world.site, seed) as served:
        watch, meter, began = Watch(served.lab), machine.Meter(), served.clock.now()
        served.run_or_raise("switch", "--to", "ipsec", "--yes", "--planned", "-o", "json")
        spent, command_s = meter.spent(), served.clock.now() - began
        watched = watch.collect(worlds.spoke_names(spokes))
    least = _compute_bound(spokes, seed, way, watched)
    if watched.shown_s is None:
        raise RuntimeError(f"{way}, {spokes} spokes, seed {seed}: no reading showed the switch")
    return Switch(
        way=way,
        spokes=spokes,
        seed=seed,
        whole_s=watched.shown_s,
        decided_s=watched.decided_s,
        command_s=command_s,
        bound_whole_s=least.whole_s,
        bound_shown_s=least.shown_s,
        rule=least.rule,
        requests=watched.requests,
        refused=watched.refused,
        wall_s=spent.wall_s,
        cpu_s=spent.cpu_s,
        bars=watched.bars if spokes <= 10 else (),
    )


def _compute_bound(spokes: int, seed: int, way: Way, watched: Watched) -> bound.Bound:
    """The bound with the same draws.

    A reading's duration depends on how often its table was read before, so the bound is given the
    shortest that any client can draw: of ``DRAWN`` readings, or of all that this run made.
    """
    durations = Durations(seed)
    spoke_writes = [_spoke_writes(durations, name, way) for name in worlds.spoke_names(spokes)]
    first = [
        _reading(durations, gateway, action, 0)
        for gateway, action in (
            (worlds.BACKUP_GATEWAY, "getbgppeerstatus"),
            (worlds.BACKUP_GATEWAY, "getlearnedroutes"),
            (worlds.PRIMARY_GATEWAY, "getlearnedroutes"),
        )
    ]
    readings = bound.Readings(
        deciding=max(first),
        arriving=_shortest(durations, worlds.BACKUP_GATEWAY, watched),
        leaving=_shortest(durations, worlds.PRIMARY_GATEWAY, watched),
    )
    return bound.compute_switch_bound(spoke_writes, readings, LEARN_S, Limits())


def _shortest(durations: Durations, gateway: str, watched: Watched) -> float:
    count = sum(bar.resource == gateway.lower() for bar in watched.bars)
    numbers = range(max(DRAWN, count))
    return min(_reading(durations, gateway, "getlearnedroutes", number) for number in numbers)


def _reading(durations: Durations, gateway: str, action: str, number: int) -> float:
    return durations.predict_seconds(f"{GATEWAY}/{action}", "post", "", gateway.lower(), number)


def _spoke_writes(durations: Durations, spoke: str, way: Way) -> bound.SpokeWrites:
    def write(owner: str, other: str, verb: str) -> float:
        where = worlds.peering_id(owner, other).lower()
        first_s = timing.get_first_answer_s(PEERING, "PUT")
        return first_s + durations.predict_seconds(PEERING, verb, "", where, 0)

    break_ = write(spoke, worlds.PRIMARY, "update")
    make = write(spoke, worlds.BACKUP, "update")
    if way is Way.PRESTAGED:
        return bound.SpokeWrites(break_, make)
    lend = write(worlds.BACKUP, spoke, "create")
    return bound.SpokeWrites(break_, make, lend, write(spoke, worlds.BACKUP, "create"))


def status(result: Worlds, seed: int) -> Compared:
    """``status`` against the slowest single reading that it made."""
    world = result.get(1, False)
    with result.serve(world.snapshot, world.site, seed) as served:
        watch, began = Watch(served.lab), served.clock.now()
        served.command("status", "-o", "json")
        seconds = served.clock.now() - began
        watched = watch.collect(())
    slowest = max(bar.ended_s - bar.began_s for bar in watched.bars)
    return Compared(seed, seconds, slowest, watched.requests)


def provision(result: Worlds, seed: int) -> Compared:
    """``provision`` against its longest chain of address, gateway and connection."""
    with result.serve(None, result.init_site, seed) as served:
        watch, began = Watch(served.lab), served.clock.now()
        served.run_or_raise("provision", "--yes")
        seconds = served.clock.now() - began
        watched = watch.collect(())
        chain = bound.compute_provision_bound(_tunnels(served.lab, watched.bars))
    return Compared(seed, seconds, chain, watched.requests)


def _tunnels(lab: Lab, bars: tuple[Bar, ...]) -> list[bound.Tunnel]:
    took = {bar.resource: bar.ended_s - bar.began_s for bar in bars if bar.what == "create"}
    tunnels = []
    for item in lab.world.iter_by_type("Microsoft.Network/connections"):
        gateway = str(item.properties["virtualNetworkGateway1"]["id"]).lower()
        resource = lab.world.get(gateway)
        assert resource is not None
        inner: dict[str, Any] = resource.properties["ipConfigurations"][0]["properties"]
        address = str(inner["publicIPAddress"]["id"]).lower()
        tunnels.append(bound.Tunnel(took[address], took[gateway], took[str(item.id).lower()]))
    return tunnels


def processes(result: Worlds, way: Way, spokes: int, tries: int) -> list[Process]:
    """``--help``, ``status`` and a switch of many spokes, each in a separate process.

    The switch is left out where there are too few spokes to tell what one of them costs.
    """
    world = result.get(1, False)
    with result.serve(world.snapshot, world.site, None, ScaledClock(FAST_SPEED)) as served:
        requested = [
            _yardstick(tries, served),
            _least(tries, served, ["--help"], "erfailover --help", 0, 0.0),
            _least(tries, served, ["status", "-o", "json"], "erfailover status", 1, FAST_SPEED),
        ]
    if spokes < MANY:
        return requested
    world = result.get(spokes, way is Way.PRESTAGED)
    command = ["switch", "--to", "ipsec", "--yes", "--planned", "-o", "json"]
    with serve_scaled(result, world) as served:
        name = f"erfailover switch, {way}"
        return [*requested, run_in_subprocess(served, command, name, spokes, SPEED)]


def serve_scaled(result: Worlds, world: worlds.World) -> AbstractContextManager[worlds.Served]:
    """Serve a world for a controller in a separate process, on a clock that does not stop."""
    site = yaml.safe_load(world.site)
    site.setdefault("timing", {})["gate_reading_age_s"] = GATE_READING_AGE_S
    return result.serve(world.snapshot, yaml.safe_dump(site), 1, ScaledClock(SPEED))


def _least(
    tries: int,
    served: worlds.Served,
    arguments: list[str],
    command: str,
    spokes: int,
    speed: float,
) -> Process:
    """The cheapest of some runs: what else the machine does only adds."""
    ran = [run_in_subprocess(served, arguments, command, spokes, speed) for _ in range(tries)]
    return min(ran, key=lambda process: process.cpu_s)


def _yardstick(tries: int, served: worlds.Served) -> Process:
    """What the SDK alone costs to load: how fast this machine is, and how busy."""
    load = ["-c", "import azure.identity, azure.mgmt.network"]
    ran = [machine.program(load, os.environ, served.folder) for _ in range(tries)]
    best = min(ran, key=lambda child: child.cpu_s)
    return Process(YARDSTICK, 0, best.cpu_s, best.wall_s, best.memory_mb, 0, 0.0)


def run_in_subprocess(
    served: worlds.Served, arguments: list[str], command: str, spokes: int, speed: float
) -> Process:
    """Run a command in a separate process; what it cost."""
    watch = Watch(served.lab)
    ran = machine.child(arguments, os.environ, served.folder)
    if ran.code and arguments[0] != "status":
        raise RuntimeError(f"{command}: exit code {ran.code}\n{ran.err[-2000:]}")
    requests = watch.collect(()).requests
    return Process(command, spokes, ran.cpu_s, ran.wall_s, ran.memory_mb, requests, speed)
