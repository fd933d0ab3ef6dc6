"""What a run did, as the lab saw it: writes, readings, requests, and when a reading showed it.

Owns the reading of the lab's trace and operations; nothing here asks the client that is measured
what it thinks it did.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from erfailover.lab.core.operations import Operation
from erfailover.lab.engine.lab import Lab
from erfailover.lab.routing.sessions import BgpTiming
from tests.tools.bench import worlds

LEARN_S = BgpTiming().learn_s


@dataclass(frozen=True, slots=True)
class Bar:
    """One operation: a write of a peering, or a reading of a gateway's table.

    ``what`` is create, update, delete or the action; ``number`` counts earlier ones of its kind on
    ``resource``. Seconds from the command's start; ``answered_s`` is when its client was told the
    result of a reading, None where it never was.
    """

    resource: str
    what: str
    number: int
    began_s: float
    ended_s: float
    answered_s: float | None = None


@dataclass(frozen=True, slots=True)
class Watched:
    """What a run did. ``refused`` counts 429s by their code."""

    bars: tuple[Bar, ...]
    requests: int
    methods: dict[str, int]
    refused: dict[str, int]
    decided_s: float
    """When the first write was sent."""
    arrived_s: float
    """When the backup's gateway had learned to originate every spoke."""
    left_s: float
    """When the primary's gateway had learned not to."""

    def shows(self, gateway: str, since_s: float) -> Bar | None:
        """The first reading of a gateway's routes that shows what is so since a moment."""
        desired = gateway.lower()
        bars = [
            bar
            for bar in self.bars
            if bar.resource == desired and bar.what == "getlearnedroutes"
            if bar.ended_s >= since_s and bar.answered_s is not None
        ]
        return min(bars, key=lambda bar: bar.answered_s or 0.0, default=None)

    @property
    def shown_s(self) -> float | None:
        """When the client had been told of all of it; None where it never was."""
        bars = [
            self.shows(worlds.BACKUP_GATEWAY, self.arrived_s),
            self.shows(worlds.PRIMARY_GATEWAY, self.left_s),
        ]
        times = [bar.answered_s for bar in bars if bar is not None and bar.answered_s is not None]
        return max(times) if len(times) == len(bars) else None


class Watch:
    """Notes where a lab stands; tells afterwards what has happened since."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._began = lab.world.now
        self._traced = len(lab.trace)
        self._known = {operation.id for operation in _operations(lab)}

    def collect(self, spokes: Iterable[str]) -> Watched:
        """What has happened to the spokes named since the watch began."""
        lab = self._lab
        with lab.lock:
            traced = list(lab.trace)[self._traced :]
            operations = [
                operation for operation in _operations(lab) if operation.id not in self._known
            ]
        answered = {
            trace_entry.path.rstrip("/").rsplit("/", 1)[-1].lower(): trace_entry.at_s - self._began
            for trace_entry in reversed(traced)
            if trace_entry.method == "GET" and trace_entry.status == 200
        }
        bars = tuple(self._bars(operations, answered))
        names = list(spokes)
        arriving = {text for name in names for text in _pair(worlds.BACKUP, name)}
        leaving = {worlds.peering_id(name, worlds.PRIMARY).lower() for name in names}
        writes = [bar for bar in bars if bar.what in {"create", "update"}]
        return Watched(
            bars=bars,
            requests=len(traced),
            methods=dict(Counter(trace_entry.method for trace_entry in traced)),
            refused=dict(
                Counter(trace_entry.code for trace_entry in traced if trace_entry.status == 429)
            ),
            decided_s=next(
                (trace_entry.at_s - self._began for trace_entry in traced if trace_entry.write), 0.0
            ),
            arrived_s=LEARN_S + _last_end(writes, arriving),
            left_s=LEARN_S + _last_end(writes, leaving),
        )

    def _bars(self, operations: Iterable[Operation], answered: dict[str, float]) -> Iterable[Bar]:
        counts: Counter[tuple[str, str]] = Counter()
        for item in sorted(operations, key=lambda operation: operation.started):
            resource = item.arguments.get("resource") or (*item.writes, *item.deletes)[0]
            what = item.action or item.arguments.get("verb") or item.effect
            number = counts[resource, what]
            counts[resource, what] += 1
            yield Bar(
                resource,
                what,
                number,
                item.started - self._began,
                item.ends - self._began,
                answered.get(item.id.lower()) if item.action else None,
            )


def _pair(one: str, other: str) -> tuple[str, str]:
    """The ids of the two peerings between two VNets."""
    return worlds.peering_id(one, other).lower(), worlds.peering_id(other, one).lower()


def _last_end(writes: Iterable[Bar], resources: set[str]) -> float:
    return max((bar.ended_s for bar in writes if bar.resource in resources), default=0.0)


def _operations(lab: Lab) -> list[Operation]:
    """Every operation that the lab knows of, ended ones included; it shows them to nobody else."""
    return list(lab.operations._all.values())
