"""The proof of concept's story on the Linux data plane, and BIRD's tables at its four moments."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.support import worlds
from tests.support.linux_world import LinuxWorld
from tests.support.patience import PATIENCE
from tests.tools.recorded_tables.mapping import Row, map_peers, map_routes

OBSERVED = Path(__file__).parents[2] / "lab" / "observed_bgp.json"
WAIT_S = 40.0
_ROUTE = ("network", "origin", "next_hop", "source_peer", "as_path")
_PEER = ("neighbor", "asn", "state", "routes_received")
_ADDRESSES = {"vng1": "10.2.0.254", "vng2": "10.3.0.254"}


@dataclass
class Comparison:
    """A recorded table and BIRD's: the rows that both have, and those that one lacks."""

    name: str
    gateway: str
    both: list[Row] = field(default_factory=list)
    missing: list[Row] = field(default_factory=list)
    more: list[Row] = field(default_factory=list)
    peers: list[Row] = field(default_factory=list)
    peers_equal: bool = False

    @property
    def is_equal(self) -> bool:
        """Whether nothing differs."""
        return self.peers_equal and not self.missing and not self.more


def play(folder: Path) -> list[Comparison]:
    """Play the story and compare the table of each moment as soon as it is equal, or at last."""
    recorded = {each["name"]: each for each in json.loads(OBSERVED.read_text())["observations"]}
    moments: list[tuple[str, Callable[[worlds.Builder], None]]] = [
        ("vng1-healthy", lambda builder: None),
        ("vng1-expressroute-down", worlds.expressroute_fails),
        ("vng2-before-switch", lambda builder: None),
        ("vng2-after-switch", _switch),
    ]
    comparisons = []
    with LinuxWorld(folder, worlds.proof_of_concept()) as world:
        for name, happen in moments:
            happen(world.builder)
            comparisons.append(_await_equal(world, recorded[name]))
    return comparisons


def _switch(builder: worlds.Builder) -> None:
    worlds.leave_primary(builder)
    worlds.join_backup(builder)


def _await_equal(world: LinuxWorld, recorded: Row) -> Comparison:
    until = time.monotonic() + WAIT_S * PATIENCE
    while True:
        world.run_for(0.2)
        comparison = _compare(world, recorded)
        if comparison.is_equal or time.monotonic() > until:
            return comparison


def _compare(world: LinuxWorld, recorded: Row) -> Comparison:
    gateway = recorded["gateway"]
    protocols = world.ask_bird(gateway, "show protocols all")
    routes = world.ask_bird(gateway, "show route all table all")
    measured = [_pick(row, _ROUTE) for row in map_routes(protocols, routes, _ADDRESSES[gateway])]
    expected = [_pick(row, _ROUTE) for row in recorded["routes"]]
    peers = [_pick(row, _PEER) for row in map_peers(protocols)]
    return Comparison(
        recorded["name"],
        gateway,
        [row for row in expected if row in measured],
        [row for row in expected if row not in measured],
        [row for row in measured if row not in expected],
        peers,
        peers == [_pick(row, _PEER) for row in recorded["peers"]],
    )


def _pick(row: Row, columns: tuple[str, ...]) -> Row:
    return {column: row[column] for column in columns}
