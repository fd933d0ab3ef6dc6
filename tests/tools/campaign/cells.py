"""The cells of the campaign: a direction, a call of the switch, a moment of it, a trouble. Pure.

Owns which cells can occur, and why the others cannot. It never runs one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from erfailover.commands.switch.route_watch import LEAVING_LEADS_S
from tests.tools.campaign.troubles import (
    ANSWERED_INSTEAD,
    CONTENTION,
    ENDINGS,
    FOR_GOOD,
    GARBLED,
    MACHINE,
    READINGS,
    REFUSED,
    SOMEBODY,
    Trouble,
)


class Direction(StrEnum):
    """Where the switch goes; both start with the other path in use."""

    IPSEC = "ipsec"
    EXPRESSROUTE = "expressroute"


class Stage(StrEnum):
    """What the spoke has of the path it moves to."""

    COLD = "cold"
    PRESTAGED = "prestaged"
    """Its peerings with the backup hub are there, and carry nothing yet."""


BREAK = {Direction.IPSEC: "vnet1-to-vnet2", Direction.EXPRESSROUTE: "vnet1-to-vnet3"}
"""The spoke's peering with the hub that it leaves."""
MAKE = {Direction.IPSEC: "vnet1-to-vnet3", Direction.EXPRESSROUTE: "vnet1-to-vnet2"}
"""The spoke's peering with the hub that it moves to."""


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


UNCHANGED = ("routeTables/", "localNetworkGateways/lng2", "virtualMachines/")
"""What a switch reads and neither it nor the drill before it has changed."""


class Sort(StrEnum):
    """What a call is."""

    READ = "read"
    """A GET, or a POST that lists: it begins no operation."""
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
        uses: of a peering's write: whether it asks for remote gateways.
    """

    method: str
    path: str
    nth: int
    missing_before: bool = False
    again: bool = False
    uses: bool | None = None

    @property
    def sort(self) -> Sort:
        """What it is."""
        match self.method:
            case "GET":
                return Sort.READ
            case "POST" if self.path.rsplit("/", 1)[-1].startswith("list"):
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
    stage: Stage = Stage.COLD
    earlier: tuple[Call, ...] = field(default=(), compare=False, repr=False)
    """The calls before this one that changed Azure."""

    @property
    def id(self) -> str:
        """What ``--cell`` takes: ``ipsec:PUT:vnet1-to-vnet3:2:lost:reset``."""
        _, what, number = self.call.name.split(" ")
        way = begins(self.direction, self.stage)
        return ":".join((way, self.call.method, what, number[1:], self.moment, self.trouble))

    @property
    def is_make(self) -> bool:
        """Whether its call puts the spoke on its target."""
        path = self.call.path.rsplit("/", 1)[-1]
        return bool(self.call.uses) and path == MAKE[self.direction]

    @property
    def is_taken_away(self) -> bool:
        """Whether another client changes a peering after the spoke has its new path."""
        target = f"/{MAKE[self.direction]}"
        is_made = any(call.uses and call.path.endswith(target) for call in self.earlier)
        return is_made and self.trouble in SOMEBODY


def begins(direction: Direction, stage: Stage) -> str:
    """What the ids of a direction and a stage begin with: ``ipsec``, ``ipsec-prestaged``."""
    return str(direction) if stage is Stage.COLD else f"{direction}-{stage}"


def calls(items: Iterable[tuple[str, str, int, bool | None]]) -> list[Call]:
    """The calls of a clean run, from the requests it made, in order.

    Of each: method, path, status, and whether it asks for remote gateways.

    Polls of operations are no calls of their own: they are what happens during one.
    """
    counted: dict[tuple[str, str], int] = {}
    last: dict[tuple[str, str], int] = {}
    since: set[tuple[str, str]] = set()
    rows = []
    for method, path, status, uses in items:
        if path.startswith("locations/"):
            continue
        key = (method, path)
        counted[key] = counted.get(key, 0) + 1
        rows.append(Call(method, path, counted[key], last.get(key) == 404, key in since, uses))
        last[key] = status
        if rows[-1].changes:
            since.clear()
        else:
            since.add(key)
    return rows


def grid(direction: Direction, items: Iterable[Call], stage: Stage = Stage.COLD) -> Iterator[Cell]:
    """Every cell of a direction and a stage, those that cannot occur included."""
    earlier: tuple[Call, ...] = ()
    for call in items:
        for moment in Moment:
            for trouble in Trouble:
                yield Cell(direction, call, moment, trouble, stage, earlier)
        if call.changes:
            earlier += (call,)


GIVEN_UP = "readings that verify overlap: one is given up when another has shown it"


def why_not(cell: Cell) -> str | None:
    """Why a cell cannot occur, or is the same as another one; None where it is run."""
    call, trouble = cell.call, cell.trouble
    if trouble in READINGS:
        return _why_no_reading(cell)
    if trouble is Trouble.LEASE_LOST:
        return _why_no_loss(cell)
    if trouble in MACHINE:
        return _why_not_here(cell)
    if trouble in FOR_GOOD | REFUSED | SOMEBODY or trouble is Trouble.POLL_404:
        return _why_not_at_azure(cell)
    if trouble in GARBLED:
        return _why_not_garbled(cell)
    if trouble is Trouble.KILLED and call.again:
        return "the same reading, nothing written since: the same as killed at the first"
    if trouble is Trouble.KILLED and _looked_at_again(cell):
        return (
            "the number of readings of a gateway varies: the same as killed at an earlier reading"
        )
    match cell.moment:
        case Moment.BEFORE:
            if trouble in ENDINGS:
                return "an operation that has not started cannot end"
            if trouble in CONTENTION and call.sort is Sort.READ:
                return "contention affects writes and actions, not readings"
        case Moment.LOST:
            if call.sort is Sort.READ:
                return "a reading changes nothing: the same as before it is sent"
            if trouble in ANSWERED_INSTEAD:
                return "Azure returns this error instead of doing the work"
            if trouble in ENDINGS:
                return "a poll reports how an operation ends"
            if trouble is Trouble.KILLED and not call.changes:
                return "a reading changes nothing: the same as killed before it is sent"
        case Moment.DURING:
            if call.sort is Sort.READ:
                return "a reading starts no operation, except for a gateway's table"
            if trouble in CONTENTION:
                return "contention affects writes and actions, not polls"
            if _is_given_up(cell):
                return GIVEN_UP
            if trouble is Trouble.KILLED and not call.changes:
                return "a reading changes nothing: the same as killed before it is sent"
        case Moment.AFTER:
            if not call.changes:
                return "the journal holds no readings"
            if trouble in ENDINGS:
                return "the operation has already ended"
            if trouble is not Trouble.KILLED:
                return "a separate call follows the operation: the same as before that one"
    return None


def _looked_at_again(cell: Cell) -> bool:
    """Whether it is one of the readings that go on until a switch shows: their number is chance.

    The arriving gateway is read to decide and for the gate, the leaving one only once for sure.
    """
    call = cell.call
    if not call.path.startswith("virtualNetworkGateways/"):
        return False
    return call.nth > (1 if call.path.split("/")[1] == _get_leaving(cell) else 2)


def _is_given_up(cell: Cell) -> bool:
    """Whether it is a reading of the leaving gateway after those that a switch always makes.

    One decides, two verify (``LEAVING_LEADS_S``). A further one begins while these are under way,
    and is seldom polled.
    """
    return (
        _looked_at_again(cell)
        and cell.call.path.split("/")[1] == _get_leaving(cell)
        and (cell.call.nth > 1 + len(LEAVING_LEADS_S))
    )


def _get_leaving(cell: Cell) -> str:
    return "vng1" if cell.direction is Direction.IPSEC else "vng2"


def _why_no_reading(cell: Cell) -> str | None:
    call, trouble = cell.call, cell.trouble
    if call.changes or call.sort is Sort.COMMAND:
        return "its answer is not a reading"
    if cell.moment is not Moment.LOST:
        return "a wrong reading is a wrong answer: covered by the moment `lost`"
    if call.sort is Sort.READ and call.method == "POST":
        return "the lab neither delays nor empties a list that is read by POST"
    if trouble is Trouble.STALE:
        peering = "/virtualNetworkPeerings/" in call.path
        if (peering and call.nth == 1) or call.path.startswith(UNCHANGED):
            return "there is no older reading to return"
        return None
    if call.sort is Sort.READ:
        return "a GET of one resource does not return a list"
    return None


def _why_no_loss(cell: Cell) -> str | None:
    if not cell.call.changes:
        return "a reading needs no lease"
    if cell.moment not in (Moment.BEFORE, Moment.DURING):
        return "the same as a lease lost during a write"
    return None


def _why_not_here(cell: Cell) -> str | None:
    """Of trouble of the controller's machine."""
    if not cell.call.changes:
        return "no operation is in progress: the same as after the previous write"
    if cell.moment is Moment.BEFORE:
        return "the controller waits for an answer: the same as after Azure has done the work"
    return None


def _why_not_at_azure(cell: Cell) -> str | None:
    """Of trouble at Azure that lasts, or is another client's."""
    trouble, moment = cell.trouble, cell.moment
    if not cell.call.changes:
        return "no operation is in progress: the same as after the previous write"
    if trouble is Trouble.POLL_404 and moment is not Moment.DURING:
        return "only polls read an operation"
    if trouble in FOR_GOOD and moment is Moment.LOST:
        return "the next request is the poll: the same as during the operation"
    if trouble in SOMEBODY and moment in (Moment.LOST, Moment.DURING):
        return "Azure rejects another client's write at that moment"
    if trouble in SOMEBODY and _nothing_to_change(cell):
        return "another client has nothing to delete or turn off"
    if trouble in REFUSED and not cell.is_make:
        return "only the make is rejected, or its operation fails"
    if trouble in REFUSED and moment in (Moment.LOST, Moment.AFTER):
        return "Azure has done the work: it does not reject it afterwards"
    return None


def _nothing_to_change(cell: Cell) -> bool:
    done = [*cell.earlier, *([cell.call] if cell.moment is Moment.AFTER else [])]
    origin, target = f"/{BREAK[cell.direction]}", f"/{MAKE[cell.direction]}"
    of_origin = [call for call in done if call.path.endswith(origin)]
    of_target = [call for call in done if call.path.endswith(target)]
    match cell.trouble:
        case Trouble.TARGET_CHANGED:
            return not any(call.uses for call in of_target)
        case Trouble.ORIGIN_CHANGED:
            return any(call.uses is False for call in of_origin)
        case Trouble.TARGET_DELETED:
            new = cell.direction is Direction.IPSEC and cell.stage is Stage.COLD
            return new and not of_target
        case _:
            return any(call.sort is Sort.DELETION for call in of_origin)


def _why_not_garbled(cell: Cell) -> str | None:
    """Of an answer that makes no sense."""
    if cell.moment is Moment.AFTER:
        return "a separate call follows the operation: the same as before that one"
    if cell.call.sort is Sort.READ and cell.moment is Moment.LOST:
        return "a reading changes nothing: the same as before it is sent"
    if cell.call.sort is Sort.READ and cell.moment is Moment.DURING:
        return "a reading starts no operation, except for a gateway's table"
    if cell.moment is Moment.DURING and _is_given_up(cell):
        return GIVEN_UP
    return None


def possible(every: Iterable[Cell]) -> list[Cell]:
    """The cells that are run."""
    return [cell for cell in every if why_not(cell) is None]


def impossible(every: Iterable[Cell]) -> dict[str, int]:
    """How many cells are not run, by reason."""
    by_name: dict[str, int] = {}
    for cell in every:
        reason = why_not(cell)
        if reason is not None:
            by_name[reason] = by_name.get(reason, 0) + 1
    return by_name
