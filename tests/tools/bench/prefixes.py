"""What route tables of real size cost the controller: a reading, ``status``, a switch.

ExpressRoute takes 4,000 prefixes, 10,000 with Premium (published), and a gateway lists each once
for every peer and every instance. Eight rows a prefix are served to a reading and to ``status``;
in a switch the far end announces the prefixes by BGP, since the tables must change.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from ipaddress import IPv4Network
from typing import Any

import yaml

from erfailover.azure.client import answers
from erfailover.azure.readers import gateway_tables, network
from erfailover.lab.engine.faults import FOREVER, Fault, FaultKind
from erfailover.model.conditions import ConditionStatus
from erfailover.model.observed import Reading
from erfailover.model.prefix_table import parse_route_prefix
from erfailover.model.site import Role
from tests.support.route_rows import INSTANCES, PEERS, judge, make_learned_routes
from tests.tools.bench import machine, worlds
from tests.tools.bench.ours import SPEED, run_in_subprocess, serve_scaled
from tests.tools.bench.rows import Process, Tables
from tests.tools.bench.worlds import Served, Worlds

SPOKES = 12
OWN = "10.9.0.4"
TRIES = 7
"""How often each is run; the least counts: what else the machine does only adds."""


def tables(result: Worlds, prefixes: int) -> Tables:
    """Processor time of a reading of one gateway, and of ``status`` with twelve spokes."""
    content = json.dumps({"value": make_learned_routes(worlds.remote_prefixes(prefixes))}).encode()
    return Tables(
        prefixes=prefixes,
        rows=len(make_learned_routes(worlds.remote_prefixes(prefixes))),
        decoding_s=_least(partial(json.loads, content)),
        reading_s=_least(partial(_judge, content, worlds.remote_prefixes(prefixes))),
        status_s=_status(result, prefixes),
    )


def switch(result: Worlds, spokes: int, prefixes: int) -> Process:
    """A prestaged switch in a separate process: its processor time and its memory."""
    world = result.get(spokes, True, prefixes)
    command = ["switch", "--to", "ipsec", "--yes", "--planned", "-o", "json"]
    with serve_scaled(result, world) as served:
        name = f"erfailover switch, prestaged, {prefixes:,} prefixes"
        return run_in_subprocess(served, command, name, spokes, SPEED)


def _peers(prefixes: int) -> list[dict[str, Any]]:
    return [
        {
            "neighbor": peer,
            "localAddress": instance,
            "asn": 65020,
            "state": "Connected",
            "connectedDuration": "1.02:03:04.5",
            "routesReceived": prefixes,
            "messagesSent": 9,
            "messagesReceived": 9,
        }
        for instance in INSTANCES
        for peer in PEERS
    ]


def _judge(content: bytes, prefixes: list[str]) -> None:
    """From an answer's bytes to all conditions of a gateway."""
    parse_route_prefix.cache_clear()
    rows = answers.parse_rows(answers.parse(content))
    routes = tuple(map(gateway_tables.parse_route, rows))
    peers = tuple(map(gateway_tables.parse_peer, _peers(len(prefixes))))
    body = {"properties": {"gatewayType": "Vpn", "bgpSettings": {"bgpPeeringAddress": "10.3.0.4"}}}
    gateway = network.parse_gateway(Role.BACKUP, body, Reading(peers), Reading(routes), "/g/vng2")
    status = judge(gateway, tuple(map(IPv4Network, prefixes)))
    if status is not ConditionStatus.HOLDS:
        raise RuntimeError(f"expected every condition to hold: {status}")


def _status(result: Worlds, prefixes: int) -> float:
    world = result.get(SPOKES, False)
    site = yaml.safe_load(world.site)
    site["remote_prefixes"] = worlds.remote_prefixes(prefixes)
    with result.serve(world.snapshot, yaml.safe_dump(site), 1) as served:
        _serve(served, prefixes)

        def run() -> None:
            served.run_or_raise("status")

        run()  # modules are loaded
        return _least(run, machine.Meter().cpu_now)


def _serve(served: Served, prefixes: int) -> None:
    """Let both gateways answer with tables of so many prefixes."""
    own = [
        {"network": spoke_prefix, "origin": "Network", "localAddress": OWN, "sourcePeer": OWN}
        for spoke_prefix in worlds.spoke_prefixes(SPOKES)
    ]
    for gateway, originated in ((worlds.PRIMARY_GATEWAY, own), (worlds.BACKUP_GATEWAY, [])):
        for action, rows in (
            (
                "getLearnedRoutes",
                make_learned_routes(worlds.remote_prefixes(prefixes)) + originated,
            ),
            ("getBgpPeerStatus", _peers(prefixes)),
        ):
            path, body = f"{gateway}/{action}", {"value": rows}
            fault = Fault(FaultKind.ANSWER, "POST", path, times=FOREVER, status=200, body=body)
            served.lab.add_faults(fault)


def _least(work: Callable[[], object], spent_now: Callable[[], float] = time.process_time) -> float:
    """The processor time of the cheapest of some runs."""
    spent = []
    for _ in range(TRIES):
        began = spent_now()
        work()
        spent.append(spent_now() - began)
    return min(spent)
