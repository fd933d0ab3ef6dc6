"""What must hold in every cell. Pure: a record of what happened in, what is wrong out."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus

from tests.tools.campaign.cells import BREAK, MAKE, Cell, Direction
from tests.tools.campaign.troubles import (
    CUT_SHORT,
    NEVER_ALLOWED,
    OUTPUT,
    PASSES,
    READINGS,
    SIGNALS,
    SOMEBODY,
    Trouble,
)
from tests.tools.campaign.warm import Ran
from tests.tools.campaign.watch import Seen

Flags = Mapping[str, list[bool]]
"""Each peering's access, forwarded traffic, gateway transit and remote gateways."""

OUTWARD = frozenset({*BREAK.values(), *MAKE.values()})
STOPS = frozenset({3, 4, 5, 6})
"""Documented exit codes of a run that stopped and can be continued."""
TABLES = ("getBgpPeerStatus", "getLearnedRoutes")
ARRIVING = {Direction.IPSEC: "vng2", Direction.EXPRESSROUTE: "vng1"}
ARRIVING_HUB = {Direction.IPSEC: "vnet3", Direction.EXPRESSROUTE: "vnet2"}
GATE_S = 60.0
"""The gate takes a table of up to 20 s ago; the break may then be refused for a while."""
STEP_DEADLINE_S = 600.0
"""The site's: how long a path is restored."""
SLACK_S = 90.0
"""By how much that may be overrun: the last write was begun in time, and is watched to its end."""
KEPT = frozenset({"vnet1-to-vnet2", "vnet2-to-vnet1"})


@dataclass(frozen=True)
class Record:
    """What happened in one cell.

    Attributes:
        runs: with the trouble, without it, once more, unless that could show nothing new; None
            for a run whose process was killed.
        flags: of every peering after each run.
        wanted: the flags that a clean run ends with.
        cuts: when the Internet path was cut.
        office: whether the office answered after each run.
        stranded: whether the spoke had no path when each run's process ended.
        without_s: the longest time without a path until the first run's process ended.
    """

    cell: Cell | None
    direction: Direction
    runs: Sequence[Ran | None]
    seen: Sequence[Seen]
    fired: bool
    flags: Sequence[Flags]
    wanted: Flags
    cuts: Sequence[str]
    office: Sequence[bool]
    journal: str
    stranded: Sequence[bool] = (False, False, False)
    without_s: float = 0.0
    secrets: Sequence[str] = field(default=(), repr=False)


def problems(record: Record) -> list[str]:
    """Everything that is wrong: the name of the check, and what was seen."""
    return [
        *_trouble_came(record),
        *_first_run(record),
        *_repeat(record),
        *_third_run(record),
        *_paths(record),
        *_writes(record),
        *_gate(record),
        *_unknown_readings(record),
        *_blind_repeats(record),
        *_opposites(record),
        *_path(record),
        *_check_printed_text(record),
    ]


class Ending(StrEnum):
    """How the first run of a cell came to its end."""

    ITSELF = "the process ended by itself"
    REFUSED = "Azure rejected both directions until the step's deadline"
    TAKEN_AWAY = "another client removed the path after it was made"
    KILLED = "SIGKILL"
    CTRL_C_TWICE = "a second Ctrl-C"
    LEASE_LOST = "a lease that another client holds"


def ending(record: Record) -> Ending:
    """How the first run came to its end."""
    cell = record.cell
    if cell is None:
        return Ending.ITSELF
    if cell.trouble in CUT_SHORT:
        return Ending[cell.trouble.name]
    if record.stranded[0] and cell.is_taken_away:
        return Ending.TAKEN_AWAY
    if record.stranded[0] and cell.trouble in NEVER_ALLOWED:
        return Ending.REFUSED
    return Ending.ITSELF


def name(problem: str) -> str:
    """The check that a problem is of."""
    return problem.partition(":")[0]


def _trouble_came(record: Record) -> Iterator[str]:
    if record.cell is not None and not record.fired:
        yield "fault fired: the trace does not show the trouble"


def _is_taken_back(record: Record) -> bool:
    """Whether a make that was not answered for a minute was rolled back to a path that works.

    That is the rule (docs/reliability.md): only if the path being left works, which it does on the
    way back from IPsec.
    """
    cell, first = record.cell, record.runs[0]
    return (
        cell is not None
        and first is not None
        and cell.is_make
        and cell.trouble is Trouble.TIME_OUT
        and cell.direction is Direction.EXPRESSROUTE
        and not record.stranded[0]
        and "; rolled back: vnet1 uses its previous gateway again" in first.err
    )


def _first_run(record: Record) -> Iterator[str]:
    first = record.runs[0]
    if first is None:
        return
    trouble = record.cell.trouble if record.cell else None
    stops = STOPS | ({130} if trouble in SIGNALS else set()) | {0}
    if first.code not in stops:
        yield f"clear stop: the first run exits {first.code}: {last(first)}"
    elif first.code and "\n  " not in first.err and trouble not in OUTPUT:
        yield f"clear stop: no hint of how to go on: {last(first)}"
    if first.code and (record.cell is None or trouble in PASSES) and not _is_taken_back(record):
        yield f"waited out: {trouble} ends the first run with {first.code}: {last(first)}"
    if first.code == 3 and trouble in READINGS:
        yield f"unknown is not down: a wrong reading is taken for a refusal: {last(first)}"


def _path(record: Record) -> Iterator[str]:
    """A run that ends by itself leaves a path, or has tried until the step's deadline."""
    first = record.runs[0]
    came = ending(record)
    if first is None or came not in (Ending.ITSELF, Ending.REFUSED):
        return
    if record.stranded[0] and came is Ending.ITSELF:
        yield f"stranded at the end: the process ends, and there is no path: {last(first)}"
    if came is Ending.REFUSED:
        if not re.match(r"erfailover: vnet1 (has|may have) NO path", last(first)):
            yield f"names the spoke: the last message is {last(first)}"
        if record.without_s < STEP_DEADLINE_S - SLACK_S:
            yield f"tries until the deadline: it gave up after {record.without_s:.0f} s"
    if record.without_s > STEP_DEADLINE_S + SLACK_S:
        yield f"path in time: {record.without_s:.0f} s without one"
    if record.stranded[0] and re.search(r"still on|rolled back", first.out):
        yield f"told as it is: there is no path, and the report says {first.out[:120]}"


def _repeat(record: Record) -> Iterator[str]:
    second = record.runs[1]
    assert second is not None
    if second.code:
        yield f"repeat converges: exits {second.code}: {last(second)}"
    by_name, desired = dict(record.flags[1]), dict(record.wanted)
    if record.cell is not None and record.cell.trouble is Trouble.ORIGIN_DELETED:
        name = BREAK[record.direction]
        if name not in KEPT and name not in by_name:
            desired.pop(name, None)  # what only prestage makes
    if by_name != desired:
        yield f"repeat converges: {_difference(by_name, desired)}"
    if not record.office[1] or record.stranded[1]:
        yield "neither path after the repeat: the office does not answer"


def _third_run(record: Record) -> Iterator[str]:
    if len(record.runs) < 3:
        return
    third = record.runs[2]
    assert third is not None
    if third.code:
        yield f"third run: exits {third.code}: {last(third)}"
    wrote = [f"{change.method} {change.path}" for change in changes(record.seen, 3)]
    if wrote:
        yield f"third run writes nothing: {', '.join(wrote)}"


def _paths(record: Record) -> Iterator[str]:
    if record.cuts and not (record.cell and record.cell.trouble in SOMEBODY):
        yield f"Internet path: cut at {record.cuts[0]}"
    for change in changes(record.seen):
        if change.method == "DELETE" and _peering(change) in KEPT:
            yield f"peering of spoke and primary hub deleted: {_peering(change)}"


def _writes(record: Record) -> Iterator[str]:
    for change in changes(record.seen):
        what = f"{change.method} {_peering(change)} in run {change.run}"
        if change.second:
            yield f"second remote gateway attempted: {what}"
        if not change.leased:
            yield f"write without the lease: {what}"
        if not change.announced and not _is_owed(record, change):
            yield f"journal before the act: {what}"


def _is_owed(record: Record, write: Seen) -> bool:
    """Whether a write restores a path: it goes out before the journal has confirmed it."""
    broken = any(
        _is_break(item, record.direction) and item.at_s <= write.at_s
        for item in record.seen
        if item is not write
    )
    return broken and _peering(write) in (BREAK[record.direction], MAKE[record.direction])


def _gate(record: Record) -> Iterator[str]:
    """After the last preparation the networks are read again, and the tables since the first."""
    hub = ARRIVING_HUB[record.direction]
    tables = {f"virtualNetworkGateways/{ARRIVING[record.direction]}/{text}" for text in TABLES}
    networks = {f"virtualNetworks/{hub}", "virtualNetworks/vnet1"}
    for run in (1, 2, 3):
        read: dict[str, list[float]] = {}
        again: set[str] = set()
        prepared = False
        for item in (each for each in record.seen if each.run == run):
            if item.path in tables and item.method == "POST":
                read.setdefault(item.path, []).append(item.at_s)
            elif item.path in networks and item.method == "GET":
                again.add(item.path)
            elif _is_break(item, record.direction):
                if prepared and again != networks:
                    yield f"gate: the break in run {run} without reading the networks again"
                if prepared and any(len(read.get(table, ())) < 2 for table in tables):
                    yield f"gate: the break in run {run} without reading the tables again"
                if any(item.at_s - max(read.get(table, [-1e9])) > GATE_S for table in tables):
                    yield f"gate: the break in run {run} on a table read too long ago"
                break
            elif item.method == "PUT":
                again.clear()
                prepared = True


def _unknown_readings(record: Record) -> Iterator[str]:
    """What the first write and the break rest on was read as it is.

    Before the first write, each table once; before the break, each table the last time it was.
    """
    tables = [f"virtualNetworkGateways/{ARRIVING[record.direction]}/{text}" for text in TABLES]
    for run in (1, 2, 3):
        good: dict[str, list[bool]] = {table: [] for table in tables}
        first = True
        for item in (each for each in record.seen if each.run == run):
            if item.path in tables and item.method == "POST":
                good[item.path].append(_good(item))
            elif item.method in ("PUT", "DELETE") and _is_accepted(item):
                for table in tables:
                    short = table.rsplit("/", 1)[-1]
                    breaks = _is_break(item, record.direction)
                    if (first and not any(good[table])) or (breaks and good[table][-1:] != [True]):
                        yield f"write on an UNKNOWN reading: {_peering(item)} after {short}"
                first = False


def _blind_repeats(record: Record) -> Iterator[str]:
    """A write whose outcome is unknown is looked up before it is repeated."""
    unknown: set[tuple[int, str]] = set()
    for item in record.seen:
        key = (item.run, item.path)
        if item.method == "GET":  # a VNet shows its peerings
            unknown = {
                other for other in unknown if other != key and not other[1].startswith(item.path)
            }
        elif item.method in ("PUT", "DELETE"):
            if key in unknown:
                yield f"blind repeat: {item.method} {_peering(item)} in run {item.run}"
            if _outcome_unknown(item):
                unknown.add(key)


def _opposites(record: Record) -> Iterator[str]:
    """A make of unknown outcome is not answered by its opposite before the peerings are read."""
    unknown = False
    for item in record.seen:
        if item.run != 1:
            break
        name = _peering(item)
        if item.method == "GET" and (item.path == "virtualNetworks/vnet1" or name in OUTWARD):
            unknown = unknown and item.status != 200
        elif item.method == "PUT" and name == MAKE[record.direction] and item.remote:
            unknown = _outcome_unknown(item)
        elif item.poll_of.endswith(f"/{MAKE[record.direction]}"):
            unknown = item.status >= 400
        elif unknown and item.method == "PUT" and name in OUTWARD:
            opposite = (name == BREAK[record.direction]) is bool(item.remote)
            if opposite:
                yield f"opposite of an unknown outcome: {name} remote={item.remote}"


def _check_printed_text(record: Record) -> Iterator[str]:
    text = "".join(f"{ran.out}\n{ran.err}\n" for ran in record.runs if ran is not None)
    if "Traceback" in text:
        yield "traceback: in what was printed"
    for where, actual in (("output", text), ("journal", record.journal)):
        decoded = actual + _decode_base64(actual)
        if any(secret in decoded for secret in (*record.secrets, "Bearer ")):
            yield f"secret in the {where}: it is not shown here"


def find_killed_problems(
    runs: Sequence[Ran | None], sightings: Sequence[Seen], *, killed: bool = True
) -> Iterator[str]:
    """What is wrong with a command that was killed at a write, and then run twice.

    Args:
        runs: all three; None for one whose process was killed.
        sightings: every request of theirs.
        killed: whether the first was to be killed.
    """
    if killed and runs[0] is not None:
        yield f"fault fired: the process was not killed: exit {runs[0].code}"
    for number, ran in enumerate(runs, 1):
        if ran is None or (killed and number == 1):
            continue
        if ran.code:
            yield f"repeat converges: run {number} exits {ran.code}: {ran.err[-400:]}"
        if "Traceback" in ran.err:
            yield "traceback: in what was printed"
    wrote = [f"{change.method} {change.path}" for change in changes(sightings, 3)]
    if wrote:
        yield f"third run writes nothing: {', '.join(wrote)}"
    for item in changes(sightings):
        if not item.leased:
            yield f"write without the lease: {item.method} {item.path} in run {item.run}"
        if not item.announced:
            yield f"journal before the act: {item.method} {item.path} in run {item.run}"


def changes(sightings: Iterable[Seen], run: int | None = None) -> list[Seen]:
    """The requests that would change Azure, of one run or all."""
    return [
        item
        for item in sightings
        if item.method in ("PUT", "DELETE", "PATCH") and run in (None, item.run)
    ]


def _is_break(item: Seen, direction: Direction) -> bool:
    """Whether a write takes the spoke off its path: it creates no peering that is gone."""
    off = item.method == "PUT" and _peering(item) == BREAK[direction] and item.remote is False
    return off and item.status != HTTPStatus.CREATED


def _good(reading: Seen) -> bool:
    """Whether a table was read as it is: anything that strikes it makes it UNKNOWN."""
    return reading.status == 202 and not any(
        fault.endswith((" empty", " failed", " cancelled", " instance-missing"))
        for fault in reading.faults
    )


def _is_accepted(item: Seen) -> bool:
    return item.status < 300


def _outcome_unknown(item: Seen) -> bool:
    dropped = any(" drop" in fault for fault in item.faults)
    return dropped or item.status >= 500 or item.garbled


def _peering(item: Seen) -> str:
    return item.path.rsplit("/", 1)[-1]


def _difference(body: Flags, desired: Flags) -> str:
    names = sorted({*body, *desired})
    return "; ".join(
        f"{text} is {body.get(text)}, not {desired.get(text)}"
        for text in names
        if body.get(text) != desired.get(text)
    )


def last(ran: Ran) -> str:
    """The last message of a run."""
    lines = [line for line in ran.err.splitlines() if line.startswith("erfailover:")]
    return (lines or ran.err.splitlines() or [""])[-1][:400]


def _decode_base64(text: str) -> str:
    """What stands in a text in base64."""
    lines = []
    for word in set(re.findall(r"[A-Za-z0-9+/=_-]{16,}", text)):
        for decode in (base64.b64decode, base64.urlsafe_b64decode):
            try:
                lines.append(decode(word + "=" * (-len(word) % 4)).decode("utf-8", "ignore"))
            except ValueError:
                continue
    return "\n".join(lines)
