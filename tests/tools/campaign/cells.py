"""The cells of the campaign: a direction, a call of the switch, a moment of it, a trouble. Pure.

Owns which cells can occur, and why the others cannot. It never runs one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum


class Direction(StrEnum):
    """Where the switch goes; both start with the other path in use."""

    IPSEC = "ipsec"
    EXPRESSROUTE = "expressroute"


class Moment(StrEnum):
    """When in the life of a call the trouble comes."""

    BEFORE = "before"
    """Before it is sent to the world: nothing has been done."""
    LOST = "lost"
    """Azure has done the work; its answer is lost, or wrong."""
    DURING = "during"
    """While the operation that the call began is under way."""
    AFTER = "after"
    """The operation has succeeded, and the journal does not know."""


class Trouble(StrEnum):
    """What goes wrong."""

    THROTTLED = "throttled-429"
    CONTENTION = "contention-429"
    NOT_PROVISIONED = "not-provisioned-400"
    IN_PROGRESS = "in-progress-409"
    SERVER_ERROR = "server-error-500"
    UNAVAILABLE = "unavailable-503"
    RESET = "reset"
    TIME_OUT = "time-out"
    FAILED = "operation-failed"
    CANCELED = "operation-canceled"
    EXPIRED = "expired-401"
    FORBIDDEN = "forbidden-403"
    STALE = "stale-read"
    EMPTY = "empty-read"
    EMPTY_ALWAYS = "empty-reads"
    """From this call on, as long as the run lasts."""
    KILLED = "killed"
    LEASE_LOST = "lease-lost"
    """Somebody else holds the lease from now on."""


CONTENTION = frozenset({Trouble.CONTENTION, Trouble.NOT_PROVISIONED, Trouble.IN_PROGRESS})
ANSWERED_INSTEAD = CONTENTION | {Trouble.THROTTLED, Trouble.EXPIRED, Trouble.FORBIDDEN}
ENDINGS = frozenset({Trouble.FAILED, Trouble.CANCELED})
READINGS = frozenset({Trouble.STALE, Trouble.EMPTY, Trouble.EMPTY_ALWAYS})
PASSES = frozenset(
    {
        *CONTENTION,
        Trouble.THROTTLED,
        Trouble.SERVER_ERROR,
        Trouble.UNAVAILABLE,
        Trouble.RESET,
        Trouble.TIME_OUT,
        Trouble.EXPIRED,
    }
)
"""Trouble that a run waits out by itself: met once, it must still succeed."""


UNCHANGED = ("routeTables/", "localNetworkGateways/lng2")
"""What a switch reads and neither it nor the drill before it has changed."""


class Sort(StrEnum):
    """What a call is."""

    READ = "read"
    TABLE = "table"
    """A gateway's table: an operation begun by POST, which changes nothing."""
    COMMAND = "command"
    """Run Command."""
    WRITE = "write"
    DELETION = "deletion"


@dataclass(frozen=True, slots=True)
class Call:
    """One ARM call of a switch, as a clean run made it.

    Attributes:
        path: from the resource's type on: ``virtualNetworks/vnet1``.
        nth: which of the calls of this method and path it is, the first being 1.
        missing_before: whether the call of this method and path before it was answered 404.
        again: whether the same reading was made before, and nothing was written since.
    """

    method: str
    path: str
    nth: int
    missing_before: bool = False
    again: bool = False

    @property
    def sort(self) -> Sort:
        """What it is."""
        match self.method:
            case "GET":
                return Sort.READ
            case "POST":
                return Sort.COMMAND if self.path.endswith("/runCommand") else Sort.TABLE
            case "DELETE":
                return Sort.DELETION
            case _:
                return Sort.WRITE

    @property
    def changes(self) -> bool:
        """Whether it changes Azure."""
        return self.sort in (Sort.WRITE, Sort.DELETION)

    @property
    def name(self) -> str:
        """``PUT vnet1-to-vnet3 #2``."""
        short = self.path.split("/", 1)[1].removeprefix("virtualNetworkPeerings/")
        return f"{self.method} {short.rsplit('virtualNetworkPeerings/', 1)[-1]} #{self.nth}"


@dataclass(frozen=True, slots=True)
class Cell:
    """One experiment."""

    direction: Direction
    call: Call
    moment: Moment
    trouble: Trouble

    @property
    def id(self) -> str:
        """What ``--cell`` takes: ``ipsec:PUT:vnet1-to-vnet3:2:lost:reset``."""
        _, what, number = self.call.name.split(" ")
        parts = (self.direction, self.call.method, what, number[1:], self.moment, self.trouble)
        return ":".join(parts)


def calls(seen: Iterable[tuple[str, str, int]]) -> list[Call]:
    """The calls of a clean run, from the requests it made: method, path and status, in order.

    Polls of operations are no calls of their own: they are what happens during one.
    """
    counted: dict[tuple[str, str], int] = {}
    last: dict[tuple[str, str], int] = {}
    since: set[tuple[str, str]] = set()
    found = []
    for method, path, status in seen:
        if path.startswith("locations/"):
            continue
        key = (method, path)
        counted[key] = counted.get(key, 0) + 1
        found.append(Call(method, path, counted[key], last.get(key) == 404, key in since))
        last[key] = status
        if found[-1].changes:
            since.clear()
        else:
            since.add(key)
    return found


def grid(direction: Direction, found: Iterable[Call]) -> Iterator[Cell]:
    """Every cell of a direction, those that cannot occur included."""
    for call in found:
        for moment in Moment:
            for trouble in Trouble:
                yield Cell(direction, call, moment, trouble)


def why_not(cell: Cell) -> str | None:
    """Why a cell cannot occur, or is the same as another one; None where it is run."""
    call, trouble = cell.call, cell.trouble
    if trouble in READINGS:
        return _why_no_reading(cell)
    if trouble is Trouble.LEASE_LOST:
        return _why_no_loss(cell)
    if trouble is Trouble.KILLED and call.again:
        return "the same reading, nothing written since: the same as killed at the first"
    if trouble is Trouble.KILLED and _looked_at_again(cell):
        return "how often a gateway is looked at varies: the same as killed at an earlier reading"
    match cell.moment:
        case Moment.BEFORE:
            if trouble in ENDINGS:
                return "an operation that has not begun does not end"
            if trouble in CONTENTION and call.sort is Sort.READ:
                return "contention is answered to writes and actions, not to a GET"
        case Moment.LOST:
            if call.sort is Sort.READ:
                return "a GET does nothing: the same as before it is sent"
            if trouble in ANSWERED_INSTEAD:
                return "Azure answers this instead of doing the work"
            if trouble in ENDINGS:
                return "how an operation ends is told by a poll"
            if trouble is Trouble.KILLED and not call.changes:
                return "a reading changes nothing: the same as killed before it"
        case Moment.DURING:
            if call.sort is Sort.READ:
                return "a GET begins no operation"
            if trouble in CONTENTION:
                return "contention is answered to writes and actions, not to a poll"
            if trouble is Trouble.KILLED and not call.changes:
                return "a reading changes nothing: the same as killed before it"
        case Moment.AFTER:
            if not call.changes:
                return "the journal holds no readings"
            if trouble in ENDINGS:
                return "the operation has ended already"
            if trouble is not Trouble.KILLED:
                return "a call of its own follows the operation: the same as before that one"
    return None


def _looked_at_again(cell: Cell) -> bool:
    """Whether it is one of the readings that go on until a switch shows: their number is chance.

    The arriving gateway is read to decide and for the gate, the leaving one only once for sure.
    """
    leaving = "vng1" if cell.direction is Direction.IPSEC else "vng2"
    call = cell.call
    if not call.path.startswith("virtualNetworkGateways/"):
        return False
    return call.nth > (1 if call.path.split("/")[1] == leaving else 2)


def _why_no_reading(cell: Cell) -> str | None:
    call, trouble = cell.call, cell.trouble
    if call.changes or call.sort is Sort.COMMAND:
        return "its answer is no reading"
    if cell.moment is not Moment.LOST:
        return "a reading is wrong in its answer: see the moment lost"
    if trouble is Trouble.STALE:
        peering = "/virtualNetworkPeerings/" in call.path
        if (peering and call.nth == 1) or call.path.startswith(UNCHANGED):
            return "nothing older was read that could be shown"
        return None
    if call.sort is Sort.READ:
        return "a GET of one resource answers no list"
    return None


def _why_no_loss(cell: Cell) -> str | None:
    if not cell.call.changes:
        return "a reading needs no lease"
    if cell.moment is not Moment.DURING:
        return "the same as the lease lost while a write is under way"
    return None


def possible(every: Iterable[Cell]) -> list[Cell]:
    """The cells that are run."""
    return [cell for cell in every if why_not(cell) is None]


def impossible(every: Iterable[Cell]) -> dict[str, int]:
    """How many cells are not run, by reason."""
    found: dict[str, int] = {}
    for cell in every:
        reason = why_not(cell)
        if reason is not None:
            found[reason] = found.get(reason, 0) + 1
    return found
