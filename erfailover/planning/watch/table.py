"""The table that decides the state of a watched site. Pure.

The first row that applies is the state. Everything that decides is here; the rules that the table
keeps are in ``planning.watch.detector``, which makes the facts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from erfailover.model.watch import SignalStatus, WatchReading, WatchState

SIGNALS_TO_FAIL = 2
"""So many signals must be down at once."""
QUICK_READINGS = 3
"""So often a reading with one signal down is repeated soon; then at the normal interval."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the table decides on.

    Attributes:
        witness: whether the watcher reaches its witness.
        is_read: whether the path of a spoke is known.
        on_backup: whether a spoke is on the backup path and none on the primary.
        up, down, unknown: how many signals are.
        is_confirmed: whether two signals were also down in an earlier reading that counts.
        quick: how often a reading with one signal down has been repeated soon.
        backup: whether the backup path would carry the spokes.
        is_stranded: whether a spoke is on no path.
        has_warnings: whether something else is wrong.
        is_blind: whether each reading for longer than the longest gap had something unknown.
    """

    witness: SignalStatus = SignalStatus.UP
    is_read: bool = True
    on_backup: bool = False
    up: int = 0
    down: int = 0
    unknown: int = 0
    is_confirmed: bool = False
    quick: int = 0
    backup: SignalStatus = SignalStatus.UP
    is_stranded: bool = False
    has_warnings: bool = False
    is_blind: bool = False

    @property
    def is_usable(self) -> bool:
        """Whether the reading says anything about the site."""
        return self.witness is SignalStatus.UP and self.is_read

    @property
    def shows_failure(self) -> bool:
        """Whether enough signals are down."""
        return self.is_usable and self.down >= SIGNALS_TO_FAIL

    @property
    def refutes_failure(self) -> bool:
        """Whether too few signals are down, even if all that are unknown were."""
        return self.is_usable and self.down + self.unknown < SIGNALS_TO_FAIL

    @property
    def all_up(self) -> bool:
        """Whether every enabled signal is known to be up."""
        return self.is_usable and self.up > 0 and self.down == self.unknown == 0


Quote = Callable[[WatchReading], Iterable[str]]


def _quote_nothing(_: WatchReading) -> Iterable[str]:
    return ()


def _quote_signals(reading: WatchReading) -> Iterable[str]:
    for signal, observation in reading.signals.items():
        if observation.status is not SignalStatus.UP:
            why = f": {observation.reason}" if observation.reason else ""
            yield f"{signal} {observation.status}{why}"


def _quote_backup(reading: WatchReading) -> Iterable[str]:
    return filter(None, (reading.backup.reason,))


def _quote_all(reading: WatchReading) -> Iterable[str]:
    yield from _quote_signals(reading)
    if reading.backup.status is not SignalStatus.UP:
        why = f": {reading.backup.reason}" if reading.backup.reason else ""
        yield f"the backup is {reading.backup.status}{why}"


def _quote_witness(reading: WatchReading) -> Iterable[str]:
    return filter(None, (reading.witness.reason,))


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table.

    Attributes:
        name: what tests and logs call it.
        when: the condition, in words.
        applies: the condition.
        why: what it means, for the reason that people read.
        quote: what of the reading the reason quotes.
    """

    name: str
    when: str
    applies: Callable[[Facts], bool]
    state: WatchState
    why: str
    quote: Quote = _quote_nothing


ROWS = (
    Row(
        "cut off",
        "the watcher does not reach its witness",
        lambda facts: facts.witness is not SignalStatus.UP,
        WatchState.UNKNOWN,
        "the watcher may be cut off itself: it does not reach its witness",
        _quote_witness,
    ),
    Row(
        "not read",
        "the path of no spoke is known",
        lambda facts: not facts.is_read,
        WatchState.UNKNOWN,
        "the site could not be read",
        _quote_signals,
    ),
    Row(
        "primary is back",
        "the spokes are on the backup path, and every signal is up",
        lambda facts: facts.on_backup and facts.all_up,
        WatchState.RECOVERING,
        "the spokes are on the backup path, and every signal of the primary path is up",
    ),
    Row(
        "on backup",
        "the spokes are on the backup path",
        lambda facts: facts.on_backup,
        WatchState.ON_BACKUP,
        "the spokes are on the backup path",
        _quote_all,
    ),
    Row(
        "no signal",
        "every signal is unknown",
        lambda facts: facts.up == facts.down == 0,
        WatchState.UNKNOWN,
        "no signal of the primary path could be read",
        _quote_signals,
    ),
    Row(
        "failure confirmed",
        "two signals are down, and were in a reading at least `confirm_after_s` earlier",
        lambda facts: facts.down >= SIGNALS_TO_FAIL and facts.is_confirmed,
        WatchState.FAILED,
        "the primary path has failed, which two readings show",
        _quote_signals,
    ),
    Row(
        "failure unconfirmed",
        "two signals are down",
        lambda facts: facts.down >= SIGNALS_TO_FAIL,
        WatchState.SUSPECT,
        "the primary path seems to have failed; the next reading confirms it or not",
        _quote_signals,
    ),
    Row(
        "one signal, at first",
        f"one signal is down, in fewer than {QUICK_READINGS + 1} readings so far",
        lambda facts: facts.down == 1 and facts.quick < QUICK_READINGS,
        WatchState.SUSPECT,
        "one signal is down; it is read again soon",
        _quote_signals,
    ),
    Row(
        "one signal",
        "one signal is down",
        lambda facts: facts.down == 1,
        WatchState.DEGRADED,
        "one signal is down, and one is not enough to fail over",
        _quote_signals,
    ),
    Row(
        "stranded",
        "a spoke is on no path",
        lambda facts: facts.is_stranded,
        WatchState.DEGRADED,
        "on neither path",
        lambda reading: reading.without_path,
    ),
    Row(
        "backup not ready",
        "the backup would not carry the spokes",
        lambda facts: facts.backup is SignalStatus.DOWN,
        WatchState.DEGRADED,
        "the backup path would not carry the spokes",
        _quote_backup,
    ),
    Row(
        "warnings",
        "redundancy is lost, or a lagging source warns",
        lambda facts: facts.has_warnings,
        WatchState.DEGRADED,
        "traffic passes, with warnings",
        lambda reading: reading.warnings,
    ),
    Row(
        "partly unread",
        "something has been unknown for longer than two intervals and 60 s",
        lambda facts: facts.is_blind,
        WatchState.DEGRADED,
        "traffic passes, but a part of the site has not been readable for a while",
        _quote_all,
    ),
    Row(
        "healthy",
        "otherwise",
        lambda facts: True,
        WatchState.HEALTHY,
        "the primary path carries the spokes, and the backup is ready",
    ),
)
"""The first row that applies decides."""


def decide_row(facts: Facts) -> Row:
    """Return the first row that applies."""
    return next(row for row in ROWS if row.applies(facts))
