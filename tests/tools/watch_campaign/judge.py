"""Whether a trial held: two writers, a stranded spoke, a late takeover. Pure.

All moments are wall time, in seconds since 1970, of the one machine on which all of a trial runs.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

TAKEOVER_S = 30.0
"""How soon after a leader's end another one must lead: the lease (15 s) and 15 s."""
RELIED_ON_S = 10.0
"""For how long after a confirmed renewal writes that need the lease may be sent."""
ON_THE_WAY_S = 2.0
"""How long a request may take from a replica to the lab, on a busy machine."""
BAD_LINES = ("Traceback", "a bug in erfailover")


@dataclass(frozen=True, slots=True)
class PeeringWrite:
    """A write of a peering, as it arrived at the lab.

    Attributes:
        at: when.
        replica: who sent it; known by the port that it came in by.
        peering: ``vnet1-to-vnet2``.
        uses_remote: whether the written peering uses remote gateways.
        is_owed: whether it is a spoke's peering on IPsec, and the spoke had no path, or was just
            getting it by this peering.
        sender_is_still: whether its sender was stopped, or had been killed, when it arrived; it was
            then sent before that.
    """

    at: float
    replica: int
    peering: str
    uses_remote: bool
    is_owed: bool = False
    sender_is_still: bool = False

    @property
    def is_owed_make(self) -> bool:
        """Whether it gives a path to a spoke that had none."""
        return self.is_owed and self.uses_remote


@dataclass(frozen=True, slots=True)
class Spoke:
    """A spoke at the end of a trial.

    Attributes:
        users: its peerings that use remote gateways.
        expected: the one that it has on IPsec.
        reaches: whether a packet from its machine to the office, and the answer, arrive.
    """

    name: str
    users: tuple[str, ...]
    expected: str
    reaches: bool


@dataclass(frozen=True, slots=True)
class Span:
    """A time in which something was lost; ``until`` is when it came back."""

    since: float
    until: float


@dataclass
class Trial:
    """What was seen of a trial.

    Attributes:
        writes: in the order of their arrival.
        records: the journal, in its order.
        process_ids: of each replica.
        spokes: at the end.
        takeovers: how long after each loss of a leader another one led, in seconds; None if none
            did within the time allowed.
        step_deadline_s: for how long after a confirmed renewal an owed path is made.
        store_lost: when the store was lost to all.
        logs: the lines of each replica.
        exit_codes: of the replicas that were ended by SIGTERM.
        notes: what the campaign itself found wrong: a wait that took too long.
    """

    writes: list[PeeringWrite] = field(default_factory=list)
    records: Sequence[Mapping[str, Any]] = ()
    process_ids: Sequence[int] = ()
    spokes: Sequence[Spoke] = ()
    takeovers: list[float | None] = field(default_factory=list)
    step_deadline_s: float = 40.0
    store_lost: Span | None = None
    logs: Mapping[int, Sequence[str]] = field(default_factory=dict)
    exit_codes: list[int | None] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def judge(trial: Trial) -> list[str]:
    """Return everything that is wrong with a trial; each begins with the name of the rule."""
    return [
        *trial.notes,
        *_find_two_writers(trial),
        *_find_overlapping_runs(trial.records),
        *_find_writes_without_store(trial),
        *_find_stranded(trial.spokes),
        *_find_late_takeovers(trial.takeovers),
        *_find_bad_lines(trial.logs),
        *(f"exit code: {code} after SIGTERM" for code in trial.exit_codes if code != 0),
    ]


def _find_two_writers(trial: Trial) -> Iterator[str]:
    """Find writes of a replica after another one has begun.

    Another one has begun with its first write, or with the record of its run. Two things are
    allowed: what had been sent before its sender was stopped or killed; and by rule (c) of
    ``model.fencing`` a make that is owed to a spoke without path, for ``step_deadline_s`` after the
    sender's last renewal, which was before the other one's run.
    """
    begun = _list_beginnings(trial)
    writes = [write for write in trial.writes if not write.sender_is_still]
    for write in writes:
        own = max((at for at, who in begun if who == write.replica and at < write.at), default=0.0)
        others = [at for at, who in begun if who != write.replica and own < at < write.at]
        if not others:
            continue
        age_s = write.at - min(others)
        if not write.is_owed_make or age_s > trial.step_deadline_s:
            yield (
                f"two writers: replica {write.replica} wrote {write.peering} {age_s:.1f} s after "
                "another one's run had begun"
            )
    order = [write.replica for write in writes if not write.is_owed_make]
    blocks = [replica for replica, _ in itertools.groupby(order)]
    if len(blocks) > len(set(blocks)):
        yield f"two writers: the writes of replicas {blocks} alternate"


def _list_beginnings(trial: Trial) -> list[tuple[float, int]]:
    """Return when each run of a switch began, and by which replica."""
    numbers = {process: number for number, process in enumerate(trial.process_ids)}
    return [
        (read_moment(record), numbers[int(record["pid"])])
        for record in trial.records
        if record.get("event") == "begun" and int(record["pid"]) in numbers
    ]


def read_moment(record: Mapping[str, Any]) -> float:
    """Return when a record was written."""
    return datetime.fromisoformat(str(record["at"])).timestamp()


def _find_overlapping_runs(records: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Find runs of different processes whose records do not follow each other in the journal.

    A run that completes what a lost holder was moving is made by the run that took its lease over.
    """
    places: dict[str, list[int]] = {}
    processes: dict[str, Any] = {}
    for place, record in enumerate(records):
        if run := record.get("run"):
            places.setdefault(str(run), []).append(place)
            if record.get("event") == "begun":
                processes[str(run)] = record["pid"]
    spans = sorted((at[0], at[-1], processes.get(run, run), run) for run, at in places.items())
    for one, other in itertools.combinations(spans, 2):
        if other[0] < one[1] and one[2] != other[2]:
            yield f"overlapping runs: {one[3]} and {other[3]}, of different processes"


def _find_writes_without_store(trial: Trial) -> Iterator[str]:
    """Find what began while the store was lost to all."""
    lost = trial.store_lost
    if lost is None:
        return
    for write in trial.writes:
        age_s = write.at - lost.since
        if write.at >= lost.until or age_s < 0 or write.sender_is_still:
            continue
        limit_s = trial.step_deadline_s if write.is_owed_make else RELIED_ON_S
        if age_s > limit_s + ON_THE_WAY_S:
            yield f"write without store: {write.peering} {age_s:.1f} s after the store was lost"
    for record in trial.records:
        if record.get("event") == "begun":
            age_s = read_moment(record) - lost.since
            if ON_THE_WAY_S < age_s < lost.until - lost.since:
                yield f"run without store: one began {age_s:.1f} s after the store was lost"


def _find_stranded(spokes: Iterable[Spoke]) -> Iterator[str]:
    for spoke in spokes:
        if len(spoke.users) > 1:
            yield f"two remote gateways: {spoke.name} uses {', '.join(spoke.users)}"
        elif not spoke.users or not spoke.reaches:
            yield f"stranded: {spoke.name} uses {spoke.users}, reaches the office: {spoke.reaches}"
        elif spoke.users != (spoke.expected,):
            yield f"not on IPsec: {spoke.name} uses {spoke.users[0]}"


def _find_late_takeovers(takeovers: Iterable[float | None]) -> Iterator[str]:
    for took_s in takeovers:
        if took_s is None:
            yield "late takeover: none led in time"
        elif took_s > TAKEOVER_S:
            yield f"late takeover: {took_s:.1f} s"


def _find_bad_lines(logs: Mapping[int, Sequence[str]]) -> Iterator[str]:
    for replica, lines in logs.items():
        bad = [line for line in lines if any(text in line for text in BAD_LINES)]
        if bad:
            yield f"log: replica {replica}: {bad[0][:300]}"
