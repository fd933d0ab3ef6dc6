"""Readings of a watched site, made of a few letters."""

from __future__ import annotations

from erfailover.model.site import Path
from erfailover.model.watch import Observation, Signal, SignalStatus, SpokeState, WatchReading
from erfailover.model.watch_settings import Watch

UP, DOWN, UNKNOWN = SignalStatus.UP, SignalStatus.DOWN, SignalStatus.UNKNOWN
LETTERS = {"U": UP, "D": DOWN, "?": UNKNOWN}
RULES = Watch(mode="automatic", edge_sessions=True, probes=("office",))
HOLD_S = 120.0
NIGHT = 1_800_000_000.0
"""A wall time: Friday, 2027-01-15 08:00:00 UTC."""
PLACES = {
    "primary": ("expressroute", "expressroute"),
    "backup": ("ipsec", "ipsec"),
    "mixed": ("ipsec", "expressroute"),
    "half stranded": ("expressroute", "none"),
    "stranded": ("none", "none"),
    "half known": ("expressroute", "unknown"),
    "unknown": ("unknown", "unknown"),
    "unread": (),
}


def read(
    signals: str = "UUU",
    at: float = NIGHT,
    *,
    place: str = "primary",
    backup: str = "U",
    witness: str = "U",
    warnings: tuple[str, ...] = (),
    operator: str | None = None,
    unfinished: str | None = None,
) -> WatchReading:
    """A reading: the signals in their order, each up (U), down (D) or unknown (?)."""
    return WatchReading(
        at=at,
        signals={
            signal: Observation(LETTERS[letter], f"{signal} shows {letter}")
            for signal, letter in zip(Signal, signals, strict=False)
        },
        backup=Observation(LETTERS[backup], "vng2 shows it"),
        spokes=tuple(SpokeState(f"spoke{n}", path) for n, path in enumerate(PLACES[place])),
        warnings=warnings,
        witness=Observation(LETTERS[witness], "192.0.2.1:443"),
        operator_run=operator,
        unfinished_run=unfinished,
    )


IPSEC, EXPRESSROUTE = Path.IPSEC, Path.EXPRESSROUTE
