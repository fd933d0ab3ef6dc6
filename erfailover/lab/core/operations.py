"""Asynchronous operations: accepted, under way, ended; and what a poll of one answers.

Owns the operations and the clock's event that ends each. What an operation does to the world
when it ends is ``completion``' business. An operation is plain data: what it will do is named,
not closed over, so that it can be written down and read back.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from erfailover.lab.core.world import Body, World

KEPT = 10_000
"""How many ended operations stay readable."""


@dataclass(frozen=True, slots=True)
class Doom:
    """What a fault does to the next operation that starts.

    ``kind`` is the word of ``faults.Kind``, ``fault`` the fault's id. A stuck operation goes on
    for ``seconds`` more, or with 0 until it is released.
    """

    kind: str
    seconds: float
    code: str
    message: str
    fault: str

    @property
    def spoils(self) -> bool:
        """Whether the operation ends badly."""
        return self.kind in {"failed", "cancelled"}


@dataclass(slots=True)
class Operation:
    """One operation.

    ``effect`` names what happens at its end: write, delete, action, shared key, group.
    ``writes`` and ``deletes`` are the ids of what it writes and deletes, ``locks`` those of
    what it keeps in Updating besides. ``secrets`` hold what no answer shows, by resource id.
    """

    id: str
    name: str
    type: str
    subscription: str
    location: str
    effect: str
    started: float
    ends: float
    writes: tuple[str, ...] = ()
    deletes: tuple[str, ...] = ()
    locks: tuple[str, ...] = ()
    action: str = ""
    arguments: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, dict[str, str]] = field(default_factory=dict, repr=False)
    status: str = "InProgress"
    error: Body | None = None
    result: Any = field(default=None, repr=False)
    result_status: int = 204
    polls: int = 0
    notifies: bool = True
    """Whether its answers carry ``azure-asyncnotification``."""
    doom: Doom | None = None

    @property
    def done(self) -> bool:
        """Whether it has ended, well or badly."""
        return self.status != "InProgress"


class Operations:
    """All operations by id, and which of them holds which resource."""

    def __init__(self, world: World, finish: Callable[[Operation], None]) -> None:
        self._world = world
        self._finish = finish
        self._all: dict[str, Operation] = {}
        self._holders: dict[str, Operation] = {}
        self.doom: Doom | None = None
        """What the next operation meets; it takes this away."""

    def start(self, operation: Operation) -> None:
        """Take an operation in and let it end at its time."""
        self._all[operation.id] = operation
        for held in (*operation.writes, *operation.deletes, *operation.locks):
            self._holders[held] = operation
        operation.doom, self.doom = self.doom, None
        if operation.doom is not None and operation.doom.kind == "stuck":
            operation.ends += operation.doom.seconds or math.inf
        if operation.ends < math.inf:
            self._world.at(operation.ends, _End(self, operation.id))
        if len(self._all) > KEPT:
            self._forget()

    def end(self, operation_id: str) -> None:
        """End an operation now: its effect, then its locks."""
        operation = self._all.get(operation_id)
        if operation is None or operation.done:
            return
        doom = operation.doom
        if doom is not None and doom.kind == "stuck" and self._world.now < operation.ends:
            return
        operation.status = "Succeeded"
        operation.ends = self._world.now
        if doom is not None and doom.spoils:
            operation.status = "Failed" if doom.kind == "failed" else "Canceled"
            operation.error = {"code": doom.code, "message": doom.message, "details": []}
        for held in (*operation.writes, *operation.deletes, *operation.locks):
            if self._holders.get(held) is operation:
                del self._holders[held]
        self._finish(operation)

    def release(self, faults: Collection[str]) -> None:
        """End what those faults keep stuck, now."""
        for each in self.under_way():
            if each.doom is not None and each.doom.kind == "stuck" and each.doom.fault in faults:
                each.ends = self._world.now
                self._world.at(each.ends, _End(self, each.id))

    def get(self, operation_id: str) -> Operation | None:
        """The operation with that id."""
        return self._all.get(operation_id)

    def holder(self, resource_key: str) -> Operation | None:
        """The operation under way that writes, deletes or locks a resource."""
        return self._holders.get(resource_key)

    def under_way(self) -> tuple[Operation, ...]:
        """Every operation that has not ended."""
        return tuple(each for each in self._all.values() if not each.done)

    def _forget(self) -> None:
        for each in list(self._all.values())[: KEPT // 10]:
            if each.done:
                del self._all[each.id]


@dataclass(frozen=True, slots=True)
class _End:
    """The clock's event that ends an operation."""

    operations: Operations
    operation_id: str

    def __call__(self) -> None:
        self.operations.end(self.operation_id)
