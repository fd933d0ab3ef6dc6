"""Faults on demand: what shall go wrong, at which request, how often.

Owns the faults that are armed and the counting of occurrences. It decides whether a fault
strikes a request, never what that does to the answer: that is ``fault_injection``' business.

A fault strikes requests of one method and path pattern. Of those that match, the ``nth`` is
the first to be struck, then every ``every``-th, at most ``times`` times (0: without end), each
with probability ``chance``. A request that a fault cannot strike, because it starts no
operation or answers no list, does not count as struck.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from enum import Enum
from fnmatch import fnmatchcase
from typing import Any

FOREVER = 0
"""As ``times``: without end; as ``seconds`` of a stuck operation: until the fault is cleared."""


class FaultProblem(ValueError):
    """A fault that is described wrongly."""


class Kind(Enum):
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
    """One fault.

    ``path`` is a pattern with ``*`` and ``?`` over the whole path, without regard to letter
    case; one that begins with no slash matches the path's end. ``method`` is ``*`` for any.
    """

    kind: Kind
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
        """Whether a request is one of those that the fault is about."""
        if self.method not in ("*", method):
            return False
        found, pattern = re.sub("/+", "/", path).rstrip("/").lower(), self.path.lower()
        return fnmatchcase(found, pattern) or (
            not pattern.startswith("/") and fnmatchcase(found, "*/" + pattern)
        )


@dataclass(slots=True)
class Armed:
    """A fault that is armed, and how often it has been met."""

    id: str
    fault: Fault
    seen: int = 0
    fired: int = 0

    def due(self, chance: random.Random) -> bool:
        """Count a request that matches; tells whether the fault strikes it."""
        self.seen += 1
        fault, late = self.fault, self.seen - self.fault.nth
        if late < 0 or late % fault.every or (fault.times and self.fired >= fault.times):
            return False
        return fault.chance >= 1 or chance.random() < fault.chance


@dataclass(slots=True)
class Strike:
    """What strikes one request: any number of delays and skews, and one other fault at most."""

    delays: list[Armed] = field(default_factory=list)
    other: Armed | None = None

    @property
    def delay_s(self) -> float:
        """How long the answer is held back, in modelled seconds."""
        return self._seconds(Kind.DELAY)

    @property
    def skew_s(self) -> float:
        """How far the answer's Date is ahead, in seconds."""
        return self._seconds(Kind.SKEW)

    def _seconds(self, kind: Kind) -> float:
        return sum(each.fault.seconds for each in self.delays if each.fault.kind is kind)

    @property
    def ids(self) -> tuple[str, ...]:
        """The faults that struck: ``f2 drop-after``."""
        found = [*self.delays, *([self.other] if self.other else [])]
        return tuple(f"{each.id} {each.fault.kind.value}" for each in found)

    def spare(self) -> None:
        """The other fault could not strike this request after all."""
        if self.other is not None:
            self.other.fired -= 1
            self.other = None


class Faults:
    """The faults of one lab, in the order in which they were armed."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(f"{seed}:faults")
        self._armed: dict[str, Armed] = {}
        self._made = 0

    def add(self, fault: Fault) -> str:
        """Arm a fault; gives back its id."""
        _check(fault)
        self._made += 1
        armed = Armed(f"f{self._made}", fault)
        self._armed[armed.id] = armed
        return armed.id

    def clear(self, fault_id: str = "") -> tuple[str, ...]:
        """Disarm one fault, or all; gives back the ids of those there were."""
        chosen = [fault_id] if fault_id else list(self._armed)
        return tuple(each for each in chosen if self._armed.pop(each, None) is not None)

    def fired(self, fault_id: str) -> int:
        """How often a fault has struck."""
        return self._armed[fault_id].fired

    def armed(self) -> tuple[Armed, ...]:
        """Every fault that is armed."""
        return tuple(self._armed.values())

    def has(self, kind: Kind) -> bool:
        """Whether a fault of a kind is armed."""
        return any(each.fault.kind is kind for each in self._armed.values())

    def strike(self, method: str, path: str) -> Strike:
        """What strikes a request; each fault that matches counts it."""
        found = Strike()
        for each in self._armed.values():
            if not each.fault.matches(method, path) or not each.due(self._chance):
                continue
            if each.fault.kind in (Kind.DELAY, Kind.SKEW):
                found.delays.append(each)
            elif found.other is None:
                found.other = each
            else:
                continue
            each.fired += 1
        return found


def unreliable_reads(
    chance: float = 0.1, stale_s: float = 20.0, path: str = "virtualNetworkGateways/*/get*"
) -> tuple[Fault, ...]:
    """The gateways' tables as users report them: now and then empty, stale, half missing.

    How often this happens nobody has published; ``chance`` and ``stale_s`` are assumed.
    """
    return tuple(
        Fault(kind, "POST", path, times=FOREVER, chance=chance, seconds=seconds)
        for kind, seconds in (
            (Kind.EMPTY, 0.0),
            (Kind.INSTANCE_MISSING, 0.0),
            (Kind.STALE, stale_s),
        )
    )


def read_faults(found: object) -> tuple[Fault, ...]:
    """Faults from parsed JSON or YAML: one mapping, or a list of them.

    A mapping has the fields of ``Fault``, ``kind`` in the words of ``Kind``. The entry
    ``unreliable-reads`` stands for the faults of that function.

    Raises:
        FaultProblem: naming the entry and what is wrong about it.
    """
    rows = found if isinstance(found, list) else [found]
    return tuple(fault for number, row in enumerate(rows, 1) for fault in _read(number, row))


def _read(number: int, row: object) -> Iterable[Fault]:
    if row == "unreliable-reads":
        return unreliable_reads()
    if not isinstance(row, dict):
        raise FaultProblem(f"fault {number}: a mapping was expected, not {row!r}")
    known = {each.name: each for each in fields(Fault)}
    unknown = set(row) - set(known)
    if unknown:
        names = ", ".join(sorted(known))
        raise FaultProblem(f"fault {number}: unknown {sorted(map(str, unknown))}; known: {names}")
    try:
        values = {**row, "kind": Kind(row.get("kind"))}
    except ValueError:
        names = ", ".join(each.value for each in Kind)
        raise FaultProblem(f"fault {number}: kind must be one of {names}") from None
    for name, value in values.items():
        default = known[name].default
        if name in {"kind", "body"}:
            continue
        wanted = dict if default is MISSING else type(default)
        fits = isinstance(value, (int, float) if wanted is float else wanted)
        if not fits or isinstance(value, bool):
            raise FaultProblem(f"fault {number}: {name} must be of type {wanted.__name__}")
    fault = Fault(**values)
    _check(fault)
    return (fault,)


def _check(fault: Fault) -> None:
    if fault.nth < 1 or fault.every < 1 or fault.times < 0 or fault.seconds < 0:
        raise FaultProblem("nth and every are 1 or more, times and seconds 0 or more")
    if not 0 < fault.chance <= 1:
        raise FaultProblem("chance is above 0 and at most 1")
    if not 100 <= fault.status <= 599:
        raise FaultProblem("status is a status of HTTP")


def shown(armed: Armed) -> dict[str, Any]:
    """An armed fault as the lab's own paths show it: its fields that are not the default."""
    found: dict[str, Any] = {"id": armed.id}
    for name, value in asdict(armed.fault).items():
        default = next(each for each in fields(Fault) if each.name == name).default
        if name == "kind":
            found[name] = armed.fault.kind.value
        elif value != default and value != {}:
            found[name] = value
    return found | {"seen": armed.seen, "fired": armed.fired}
