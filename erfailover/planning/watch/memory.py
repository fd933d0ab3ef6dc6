"""What the detector remembers from one reading to the next, as values and as JSON data. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from erfailover.model.lease import LAST_TIME
from erfailover.model.watch import WatchState


@dataclass(frozen=True, slots=True)
class Memory:
    """What the detector remembers of a site. All moments are wall seconds since 1970.

    Attributes:
        state: the state that the readings show, whether or not a pause or a lockout covers it.
        since: when that state began.
        at: when the last reading ended; None before the first.
        failing_since: the first of the successive readings in which two signals were down; None
            if the last such reading has been refuted.
        failing_at: the last of them.
        quick: how many readings in a row were repeated soon because of one signal.
        up_since: the first of the successive readings in which every signal was up; None if a
            signal has been down since.
        up_at: the last of them.
        unread_since: since when something of each reading has been unknown.
        backup_since: since when the backup has not been ready, as far as it could be read.
        backup_reported: whether that has lasted long enough to be reported.
        unknown_reported: whether UNKNOWN has lasted long enough to be reported.
        incident: the moment at which the site left HEALTHY; None if it is HEALTHY.
        operator_at: the last reading that found an operator's run.
        locked_out: why nothing is switched until an operator resumes; None if that is not so.
        counted_from: automatic switches before it do not count: an operator has resumed then.
        pause_reported, lockout_reported: whether the event of one that is in force was made.
        withheld: the rule that withheld the last switch; None if none was withheld.
    """

    state: WatchState = WatchState.UNKNOWN
    since: float = 0.0
    at: float | None = None
    failing_since: float | None = None
    failing_at: float | None = None
    quick: int = 0
    up_since: float | None = None
    up_at: float | None = None
    unread_since: float | None = None
    backup_since: float | None = None
    backup_reported: bool = False
    unknown_reported: bool = False
    incident: float | None = None
    operator_at: float | None = None
    locked_out: str | None = None
    counted_from: float = 0.0
    pause_reported: bool = False
    lockout_reported: bool = False
    withheld: str | None = None

    def lock_out(self, reason: str) -> Memory:
        """Return the same, with nothing switched until an operator resumes."""
        return replace(self, locked_out=reason)

    def unlock(self, at: float) -> Memory:
        """Return the same after an operator has resumed; earlier switches no longer count."""
        return replace(self, locked_out=None, counted_from=at)

    def to_data(self) -> dict[str, Any]:
        """Return it as plain JSON data."""
        return {**asdict(self), "state": str(self.state)}


_STATES = {str(state): state for state in WatchState}
_KINDS = {field.name: str(field.type) for field in fields(Memory)}
_DEFAULTS = Memory()


def from_data(data: object) -> Memory:
    """Return what was kept of a memory; a key that is missing, unknown or damaged is as at first.

    A lockout is never lost: a damaged reason locks out as well.
    """
    if not isinstance(data, Mapping):
        return _DEFAULTS
    kept = {name: _parse(name, data[name]) for name in _KINDS if name in data}
    if data.get("locked_out") is not None:
        kept["locked_out"] = str(data["locked_out"])
    return replace(_DEFAULTS, **kept)


def _parse(name: str, value: object) -> Any:
    kind, default = _KINDS[name], getattr(_DEFAULTS, name)
    if value is None and "None" in kind:
        return None
    if kind == "WatchState":
        return _STATES.get(str(value), default)
    if kind == "bool":
        return value if isinstance(value, bool) else default
    if "str" in kind:
        return value if isinstance(value, str) else default
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < LAST_TIME:
        return default
    return max(0, int(value)) if kind == "int" else float(value)
