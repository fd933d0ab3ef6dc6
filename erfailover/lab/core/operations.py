"""Asynchronous operations: accepted, in progress, ended; and the answer to a poll.

Owns the operations and the clock's event that ends each. ``completion`` applies an operation's
effect on the world when it ends. An operation is plain data: its effect is named, not closed over,
so that it can be saved and restored.
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
class InjectedOutcome:
    """The outcome that a fault imposes on the next operation that starts.

    ``kind`` is the value of a ``FaultKind``, ``fault`` the fault's id. A stuck operation continues
    for ``seconds`` more, or with 0 until it is released.
    """

    kind: str
    seconds: float
    code: str
    message: str
    fault: str

    @property
    def is_failure(self) -> bool:
        """Whether the operation ends in failure."""
        return self.kind in {"failed", "cancelled"}


@dataclass(slots=True)
class Operation:
    """An asynchronous operation.

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
    injected: InjectedOutcome | None = None

    @property
    def is_done(self) -> bool:
        """Whether the operation has ended, successfully or not."""
        return self.status != "InProgress"


class Operations:
    """All operations by id, and which resource each of them holds."""

    def __init__(self, world: World, finish: Callable[[Operation], None]) -> None:
        self._world = world
        self._finish = finish
        self._all: dict[str, Operation] = {}
        self._holders: dict[str, Operation] = {}
        self.injected: InjectedOutcome | None = None
        """What the next operation meets; it takes this away."""

    def start(self, operation: Operation) -> None:
        """Register an operation and schedule its end."""
        self._all[operation.id] = operation
        for held in (*operation.writes, *operation.deletes, *operation.locks):
            self._holders[held] = operation
        operation.injected, self.injected = self.injected, None
        if operation.injected is not None and operation.injected.kind == "stuck":
            operation.ends += operation.injected.seconds or math.inf
        if operation.ends < math.inf:
            self._world.schedule(operation.ends, _End(self, operation.id))
        if len(self._all) > KEPT:
            self._forget()

    def end(self, operation_id: str) -> None:
        """End an operation now: its effect first, then its locks."""
        operation = self._all.get(operation_id)
        if operation is None or operation.is_done:
            return
        injected = operation.injected
        if injected is not None and injected.kind == "stuck" and self._world.now < operation.ends:
            return
        operation.status = "Succeeded"
        operation.ends = self._world.now
        if injected is not None and injected.is_failure:
            operation.status = "Failed" if injected.kind == "failed" else "Canceled"
            operation.error = {"code": injected.code, "message": injected.message, "details": []}
        for held in (*operation.writes, *operation.deletes, *operation.locks):
            if self._holders.get(held) is operation:
                del self._holders[held]
        self._finish(operation)

    def release(self, faults: Collection[str]) -> None:
        """End now the operations that the given faults keep stuck."""
        for operation in self.list_active():
            if (
                operation.injected is not None
                and operation.injected.kind == "stuck"
                and operation.injected.fault in faults
            ):
                operation.ends = self._world.now
                self._world.schedule(operation.ends, _End(self, operation.id))

    def get(self, operation_id: str) -> Operation | None:
        """Return the operation with that id."""
        return self._all.get(operation_id)

    def find_holder(self, resource_key: str) -> Operation | None:
        """Return the active operation that writes, deletes or locks a resource."""
        return self._holders.get(resource_key)

    def list_active(self) -> tuple[Operation, ...]:
        """Return every operation that has not ended."""
        return tuple(operation for operation in self._all.values() if not operation.is_done)

    def _forget(self) -> None:
        for operation in list(self._all.values())[: KEPT // 10]:
            if operation.is_done:
                del self._all[operation.id]


@dataclass(frozen=True, slots=True)
class _End:
    """The clock's event that ends an operation."""

    operations: Operations
    operation_id: str

    def __call__(self) -> None:
        self.operations.end(self.operation_id)
