"""What goes wrong in a trial, and when: drawn from a seed. Pure."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum

WRITES = 9
"""How many peerings a switch of three prestaged spokes writes: three of each spoke."""
RECORDS = 30
"""So many times a replica writes to the journal for such a switch, at most."""


class Kind(StrEnum):
    """What goes wrong."""

    KILL = "leader killed (SIGKILL)"
    STOP_BRIEFLY = "leader stopped (SIGSTOP) for less than its lease, then continued"
    STOP_LONG = "leader stopped for longer than its lease, then continued"
    STOP_INTO_SWITCH = "leader stopped until its successor writes, then continued"
    STOP_PAST_SWITCH = "leader stopped until its successor has switched, then continued"
    CUT = "leader's connection to the store cut"
    SILENCE = "leader's connection to the store silent"
    CUT_ALL = "connections of all replicas to the store cut"
    SILENCE_ALL = "connections of all replicas to the store silent"
    KILL_TWO = "leader killed, then its successor"
    KILL_AT_RECORDS = "leader killed at a record of its journal, then its successor at one"
    END = "leader ended (SIGTERM)"


KILLS = frozenset({Kind.KILL, Kind.KILL_TWO})
STOPS = frozenset({Kind.STOP_BRIEFLY, Kind.STOP_LONG, Kind.STOP_INTO_SWITCH, Kind.STOP_PAST_SWITCH})
STORE_OF_ONE = frozenset({Kind.CUT, Kind.SILENCE})
STORE_OF_ALL = frozenset({Kind.CUT_ALL, Kind.SILENCE_ALL})


class Moment(StrEnum):
    """When it goes wrong."""

    BEFORE = "before the path fails"
    DETECTING = "between the failure and the switch"
    WRITE = "at a write of the switch"
    AFTER = "after the switch"
    RECORD = "at a record of the journal"


@dataclass(frozen=True, slots=True)
class Plan:
    """A trial.

    Attributes:
        write: the write of the switch at which it happens, from 1; 0 at any other moment.
        is_done: whether that write is done in Azure, or that record in the store, first.
        delay_s: how long after the moment it happens, in wall seconds.
        lasts_s: how long it lasts; of the stops that wait for the successor, how long after that;
            of ``KILL_TWO``, how long the successor leads before it is killed.
        records: of ``KILL_AT_RECORDS``, how often the leader and its successor write to the journal
            until they are killed; one that writes less often is not.
    """

    seed: int
    kind: Kind
    moment: Moment
    write: int
    is_done: bool
    delay_s: float
    lasts_s: float
    records: tuple[int, ...] = ()

    @property
    def description(self) -> str:
        """The trial in words."""
        when = str(self.moment)
        if self.moment is Moment.WRITE:
            when += f" ({self.write}, {'done' if self.is_done else 'not done'})"
        if self.records:
            numbers = ", then ".join(map(str, self.records))
            when += f" ({numbers}, {'done' if self.is_done else 'not done'})"
        return f"seed {self.seed}: {self.kind}; {when} +{self.delay_s:.1f} s; {self.lasts_s:.1f} s"


LASTS = {
    Kind.STOP_BRIEFLY: (2.0, 9.0),
    Kind.STOP_LONG: (16.0, 28.0),
    Kind.STOP_INTO_SWITCH: (0.0, 2.0),
    Kind.STOP_PAST_SWITCH: (0.0, 4.0),
    Kind.CUT: (20.0, 45.0),
    Kind.SILENCE: (20.0, 45.0),
    Kind.CUT_ALL: (5.0, 40.0),
    Kind.SILENCE_ALL: (5.0, 40.0),
    Kind.KILL_TWO: (0.0, 6.0),
}
DELAYS = {
    Moment.BEFORE: (0.0, 5.0),
    Moment.DETECTING: (0.0, 6.0),
    Moment.AFTER: (0.0, 3.0),
}
MOMENTS = {Moment.BEFORE: 1, Moment.DETECTING: 2, Moment.WRITE: 4, Moment.AFTER: 1}
"""How often each moment is drawn; the middle of a switch is what matters most."""


def draw(seed: int, index: int) -> Plan:
    """Return the trial of a seed.

    Args:
        seed: decides everything but the kind.
        index: the number of the trial; the kinds take turns.
    """
    random_ = random.Random(seed)
    kind = list(Kind)[index % len(Kind)]
    (moment,) = random_.choices(list(MOMENTS), list(MOMENTS.values()))
    records: tuple[int, ...] = ()
    if kind is Kind.KILL_AT_RECORDS:
        moment = Moment.RECORD
        records = tuple(random_.randint(1, RECORDS) for _ in range(2))
    is_write = moment is Moment.WRITE
    return Plan(
        seed=seed,
        kind=kind,
        moment=moment,
        write=random_.randint(1, WRITES) if is_write else 0,
        is_done=random_.random() < 0.5,
        delay_s=random_.uniform(*DELAYS[moment]) if moment in DELAYS else 0.0,
        lasts_s=random_.uniform(*LASTS[kind]) if kind in LASTS else 0.0,
        records=records,
    )
