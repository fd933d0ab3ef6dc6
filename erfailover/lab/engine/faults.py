"""Faults on demand: what goes wrong, at which request, and how often.

Owns the active faults and the counting of occurrences. It decides whether a fault hits a
request; ``fault_injection`` decides what that does to the answer.

A fault applies to requests of one method and path pattern. Of those that match, the ``nth`` is
the first to be hit, then every ``every``-th, at most ``times`` times (0: no limit), each with
probability ``chance``. A request that a fault cannot affect, because it starts no operation or
answers no list, does not count as hit.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from enum import Enum
from fnmatch import fnmatchcase
from typing import Any

STATUSES = range(100, 600)
"""The valid values of ``status``."""
FOREVER = 0
"""As ``times``: without end; as ``seconds`` of a stuck operation: until the fault is cleared."""


class FaultError(ValueError):
    """An invalid description of a fault."""


class FaultKind(Enum):
    """What goes wrong."""

    DELAY = "delay"
    """The answer is held back for ``seconds``; the work is done at once."""
    ANSWER = "answer"
    """``status`` with ``code`` and ``message``, or ``body``, and ``headers``; no work is done."""
    ANSWER_AFTER = "answer-after"
    """The work is done, then the same is answered: an error that hides a success."""
    DROP_BEFORE = "drop-before"
    """The connection breaks before any work is done."""
    DROP_AFTER = "drop-after"
    """The work is done, then the connection breaks without an answer."""
    STUCK = "stuck"
    """The operation stays InProgress for ``seconds`` more, or until the fault is cleared."""
    FAILED = "failed"
    """The operation ends Failed, with ``code`` and ``message``; nothing has changed."""
    CANCELLED = "cancelled"
    """The operation ends Canceled; nothing has changed."""
    UNSYNCED = "unsynced"
    """A write of a peering succeeds without its sync (``syncRemoteAddressSpace``): a peering that
    stays out of sync (reported: Azure/azure-powershell#24168)."""
    EMPTY = "empty"
    """A list or table is empty, with status 200."""
    STALE = "stale"
    """A read shows what was so ``seconds`` ago."""
    INSTANCE_MISSING = "instance-missing"
    """A gateway's table lacks its last instance; of a single one nothing is left."""
    THROTTLE = "throttle"
    """429 with Retry-After ``seconds``."""
    EXPIRED_TOKEN = "expired-token"
    """401 ExpiredAuthenticationToken."""
    OTHER_TENANT = "other-tenant"
    """401 InvalidAuthenticationTokenTenant: the subscription is in another tenant."""
    FORBIDDEN = "forbidden"
    """403 AuthorizationFailed."""
    SKEW = "skew"
    """The answer's Date is ``seconds`` ahead of the lab's clock; the work is done."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault.

    ``path`` is a pattern with ``*`` and ``?`` over the whole path, without regard to letter
    case; one that begins with no slash matches the path's end. ``method`` is ``*`` for any.
    """

    kind: FaultKind
    method: str = "*"
    path: str = "*"
    nth: int = 1
    every: int = 1
    times: int = 1
    chance: float = 1.0
    seconds: float = 0.0
    status: int = 500
    code: str = ""
    message: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None

    def matches(self, method: str, path: str) -> bool:
        """Return whether the fault applies to a request."""
        if self.method not in ("*", method):
            return False
        normalized, pattern = re.sub("/+", "/", path).rstrip("/").lower(), self.path.lower()
        return fnmatchcase(normalized, pattern) or (
            not pattern.startswith("/") and fnmatchcase(normalized, "*/" + pattern)
        )


@dataclass(slots=True)
class ActiveFault:
    """An active fault, with its counts of matches and hits."""

    id: str
    fault: Fault
    match_count: int = 0
    hit_count: int = 0

    def count_match(self, chance: random.Random) -> bool:
        """Count a matching request; return whether the fault hits it."""
        self.match_count += 1
        fault, late = self.fault, self.match_count - self.fault.nth
        if late < 0 or late % fault.every or (fault.times and self.hit_count >= fault.times):
            return False
        return fault.chance >= 1 or chance.random() < fault.chance


@dataclass(slots=True)
class FaultHit:
    """The faults that hit one request: delays and skews, and at most one other fault."""

    delays: list[ActiveFault] = field(default_factory=list)
    other: ActiveFault | None = None

    @property
    def delay_s(self) -> float:
        """The delay of the answer, in modelled seconds."""
        return self._sum_seconds(FaultKind.DELAY)

    @property
    def skew_s(self) -> float:
        """How far the answer's Date is ahead, in seconds."""
        return self._sum_seconds(FaultKind.SKEW)

    def _sum_seconds(self, kind: FaultKind) -> float:
        return sum(active.fault.seconds for active in self.delays if active.fault.kind is kind)

    @property
    def ids(self) -> tuple[str, ...]:
        """The faults that hit: ``f2 drop-after``."""
        faults = [*self.delays, *([self.other] if self.other else [])]
        return tuple(f"{active.id} {active.fault.kind.value}" for active in faults)

    def release_other(self) -> None:
        """Withdraw the other fault, which turned out not to apply to this request."""
        if self.other is not None:
            self.other.hit_count -= 1
            self.other = None


class Faults:
    """The active faults of a lab, in the order of their activation."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(f"{seed}:faults")
        self._active: dict[str, ActiveFault] = {}
        self._made = 0

    def add(self, fault: Fault) -> str:
        """Activate a fault and return its id."""
        _validate(fault)
        self._made += 1
        active_fault = ActiveFault(f"f{self._made}", fault)
        self._active[active_fault.id] = active_fault
        return active_fault.id

    def clear(self, fault_id: str = "") -> tuple[str, ...]:
        """Clear one fault, or all; return the ids of those that were active."""
        chosen = [fault_id] if fault_id else list(self._active)
        return tuple(
            chosen_id for chosen_id in chosen if self._active.pop(chosen_id, None) is not None
        )

    def count_hits(self, fault_id: str) -> int:
        """Return how often a fault has hit a request."""
        return self._active[fault_id].hit_count

    def list_active(self) -> tuple[ActiveFault, ...]:
        """Return every active fault."""
        return tuple(self._active.values())

    def has_kind(self, kind: FaultKind) -> bool:
        """Return whether a fault of a kind is active."""
        return any(active.fault.kind is kind for active in self._active.values())

    def apply(self, method: str, path: str) -> FaultHit:
        """Return the faults that hit a request, and count the request for each match."""
        hit = FaultHit()
        for active in self._active.values():
            if not active.fault.matches(method, path) or not active.count_match(self._chance):
                continue
            if active.fault.kind in (FaultKind.DELAY, FaultKind.SKEW):
                hit.delays.append(active)
            elif hit.other is None:
                hit.other = active
            else:
                continue
            active.hit_count += 1
        return hit


def make_unreliable_reads(
    chance: float = 0.1, stale_s: float = 20.0, path: str = "virtualNetworkGateways/*/get*"
) -> tuple[Fault, ...]:
    """Return faults for unreliable gateway tables: sometimes empty, stale or half missing.

    The real frequency is unpublished; ``chance`` and ``stale_s`` are assumed.
    """
    return tuple(
        Fault(kind, "POST", path, times=FOREVER, chance=chance, seconds=seconds)
        for kind, seconds in (
            (FaultKind.EMPTY, 0.0),
            (FaultKind.INSTANCE_MISSING, 0.0),
            (FaultKind.STALE, stale_s),
        )
    )


def read_faults(descriptions: object) -> tuple[Fault, ...]:
    """Return the faults in parsed JSON or YAML: one mapping, or a list of them.

    A mapping has the fields of ``Fault``, ``kind`` in the words of ``Kind``. The entry
    ``unreliable-reads`` adds the faults of ``make_unreliable_reads``.

    Raises:
        FaultProblem: naming the entry and what is wrong about it.
    """
    rows = descriptions if isinstance(descriptions, list) else [descriptions]
    return tuple(fault for number, row in enumerate(rows, 1) for fault in _read_entry(number, row))


def _read_entry(number: int, row: object) -> Iterable[Fault]:
    if row == "unreliable-reads":
        return make_unreliable_reads()
    if not isinstance(row, dict):
        raise FaultError(f"Fault {number} must be a mapping, not {row!r}.")
    known_fields = {entry.name: entry for entry in fields(Fault)}
    unknown = set(row) - set(known_fields)
    if unknown:
        names = ", ".join(sorted(known_fields))
        keys = ", ".join(sorted(map(str, unknown)))
        raise FaultError(f"Fault {number} has unknown keys: {keys}. Known keys: {names}.")
    try:
        values = {**row, "kind": FaultKind(row.get("kind"))}
    except ValueError:
        names = ", ".join(fault_kind.value for fault_kind in FaultKind)
        raise FaultError(f"Fault {number}: kind must be one of {names}.") from None
    for name, value in values.items():
        default = known_fields[name].default
        if name in {"kind", "body"}:
            continue
        expected_type = dict if default is MISSING else type(default)
        fits = isinstance(value, (int, float) if expected_type is float else expected_type)
        if not fits or isinstance(value, bool):
            raise FaultError(f"Fault {number}: {name} must be of type {expected_type.__name__}.")
    fault = Fault(**values)
    _validate(fault)
    return (fault,)


def _validate(fault: Fault) -> None:
    if fault.nth < 1 or fault.every < 1 or fault.times < 0 or fault.seconds < 0:
        raise FaultError("nth and every must be 1 or more; times and seconds must be 0 or more.")
    if not 0 < fault.chance <= 1:
        raise FaultError("chance must be above 0 and at most 1.")
    if fault.status not in STATUSES:
        raise FaultError("status must be an HTTP status (100 to 599).")


def to_json(active_fault: ActiveFault) -> dict[str, Any]:
    """Return an active fault for the control API: the fields that differ from the default."""
    row: dict[str, Any] = {"id": active_fault.id}
    for name, value in asdict(active_fault.fault).items():
        default = next(entry for entry in fields(Fault) if entry.name == name).default
        if name == "kind":
            row[name] = active_fault.fault.kind.value
        elif value != default and value != {}:
            row[name] = value
    return row | {"seen": active_fault.match_count, "fired": active_fault.hit_count}
