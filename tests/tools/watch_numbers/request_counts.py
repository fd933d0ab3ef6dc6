"""How many requests a healthy site costs, counted by the lab's trace."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass

from erfailover.commands.watch.command import open_watcher
from erfailover.lab.engine.cloud import TraceEntry
from tests.support.stage import Stage
from tests.support.watched import STARTED, open_context
from tests.tools.bench.worlds import Worlds
from tests.tools.watch_numbers.watched_sites import open_express, open_sample, watch_stage

NETWORK = "/providers/microsoft.network/"
WINDOW_S = 300.0
"""The window of Microsoft.Network's limits (published)."""
WRITES_ALLOWED = 1000
"""Writes, POSTs included, of a subscription and region in the window (published)."""


@dataclass(frozen=True)
class Requests:
    """What one healthy site costs.

    Attributes:
        site: in words.
        minutes: how long it was watched, in modelled minutes.
        writes: most writes and POSTs of Microsoft.Network in any five minutes.
        reads: most reads of it by GET in any five minutes.
        others: most other requests (tokens, machines) in any five minutes.
        standby: every request that a second replica sent.
    """

    site: str
    minutes: float
    writes: int
    reads: int
    others: int
    standby: int

    @property
    def share(self) -> float:
        """The share of the writes that Azure allows a subscription and region."""
        return self.writes / WRITES_ALLOWED

    @property
    def sites_carried(self) -> int:
        """How many such sites use up half of the writes that are allowed: switches need some."""
        return WRITES_ALLOWED // 2 // max(self.writes, 1)


def measure_requests(worlds: Worlds, minutes: float) -> list[Requests]:
    """Count the requests of each kind of site."""
    watch = {"interval_s": 30.0, "probes": ["office"]}
    with open_sample(worlds, None, watch=watch) as sample:
        rows = [_count("VPN gateway as primary", sample.stage, minutes)]
    for circuits in (1, 2):
        probes = {"office": {"command": ["true"]}}
        sections = {"probes": probes, "watch": {**watch, "edge_sessions": True}}
        with open_express(worlds, circuits, None, **sections) as (stage, _):
            many = "1 circuit" if circuits == 1 else f"{circuits} circuits"
            rows.append(_count(f"ExpressRoute, edge sessions of {many}", stage, minutes))
    return rows


def _count(name: str, stage: Stage, minutes: float) -> Requests:
    standby = 0
    with watch_stage(stage) as site:
        site.turn()
        began, traced = site.clock.now(), len(site.lab.trace)
        until = began + minutes * 60.0
        other = open_context(stage)
        second = open_watcher(
            other, lambda: None, lambda c, r: "", lambda: STARTED + site.clock.now()
        )
        with closing(other):
            while site.clock.now() < until:
                before = len(site.lab.trace)
                second.take_turn()
                standby += len(site.lab.trace) - before
                site.turn()
            if second.view.is_leader or not site.watcher.view.is_leader:
                raise RuntimeError("the second replica leads")
            second.close(1.0)
        if site.states != ["HEALTHY"]:
            raise RuntimeError(f"{name}: not healthy: {site.states}")
        entries = list(site.lab.trace)[traced:]
    return summarize(name, minutes, entries, standby)


def summarize(
    name: str, minutes: float, entries: Sequence[TraceEntry], standby: int = 0
) -> Requests:
    """Return the most of each kind of request in any five minutes."""
    of_network = [entry for entry in entries if NETWORK in entry.path.lower()]
    return Requests(
        name,
        minutes,
        count_most(entry.at_s for entry in of_network if entry.method != "GET"),
        count_most(entry.at_s for entry in of_network if entry.method == "GET"),
        count_most(entry.at_s for entry in entries if NETWORK not in entry.path.lower()),
        standby,
    )


def count_most(moments: Iterable[float]) -> int:
    """Return how many moments at most are in any five minutes."""
    ordered, first, most = sorted(moments), 0, 0
    for last, moment in enumerate(ordered):
        while moment - ordered[first] >= WINDOW_S:
            first += 1
        most = max(most, last - first + 1)
    return most
