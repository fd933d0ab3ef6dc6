"""The events that have not reached every target yet, in order, as values and as bytes.

Knows neither threads nor targets: ``notifier`` guards it with a lock and does the sending. The
bytes are plain JSON: the events, which of them each target still waits for, and the ids of events
that were dealt with. They hold no secret: a target is named by its place.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from math import isfinite
from typing import Any, TypeVar

from erfailover.model import plain_json
from erfailover.model.durations import DAY_S, format_duration
from erfailover.model.watch import Event, Severity

LONGEST_S = 7 * DAY_S
"""How long delivery is tried, in seconds from the event."""
MOST_PENDING = 1000
"""How many events can wait for a target."""
MOST_KNOWN = 2 * MOST_PENDING
"""How many ids are remembered, so that an event that comes again is not sent again."""
VERSION = 1
MOST_DEPTH = 20
"""How deep the facts of an event may be nested; deeper ones become text."""
RANKS = {severity: rank for rank, severity in enumerate(Severity)}

T = TypeVar("T")


@dataclass(eq=False)
class Lane:
    """The events that wait for one target, oldest first.

    Attributes:
        tries: when an event was last tried, as a count of all tries, by its id.
    """

    place: str
    pending: list[Event] = field(default_factory=list)
    tries: dict[str, int] = field(default_factory=dict)
    _count: int = 0

    def choose(self) -> Event | None:
        """Return the event to try next; None if none waits.

        The events of one incident keep their order. Of several incidents the one whose turn was
        longest ago is tried, so that an event that a target refuses does not hold up the others.
        """
        firsts: dict[str, Event] = {}
        for event in self.pending:
            firsts.setdefault(event.incident, event)
        return min(firsts.values(), key=lambda event: self.tries.get(event.id, 0), default=None)

    def note_try(self, event: Event) -> None:
        """Take down that an event is tried now."""
        self._count += 1
        self.tries[event.id] = self._count

    def remove(self, event: Event) -> None:
        """Take an event out: it was delivered, or is given up."""
        self.pending = [waiting for waiting in self.pending if waiting.id != event.id]
        self.tries.pop(event.id, None)

    def trim(self, now: float) -> Iterator[tuple[Event, str]]:
        """Give up what is too old or too much; yield each such event with the reason."""
        for event in [waiting for waiting in self.pending if now - waiting.at > LONGEST_S]:
            self.remove(event)
            yield event, f"it is older than {format_duration(LONGEST_S)}"
        while len(self.pending) > MOST_PENDING:
            event = min(self.pending, key=lambda waiting: RANKS[waiting.severity])
            self.remove(event)
            yield event, f"more than {MOST_PENDING} wait"


@dataclass(eq=False)
class Outbox:
    """What waits for every target, and which events are known.

    Attributes:
        known: the ids of events that were added, oldest first.
    """

    lanes: dict[str, Lane]
    known: dict[str, None] = field(default_factory=dict)

    @classmethod
    def open(cls, places: Iterable[str]) -> Outbox:
        """Return an empty outbox for some targets."""
        return cls({place: Lane(place) for place in places})

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return not any(lane.pending for lane in self.lanes.values())

    def add(self, events: Sequence[Event]) -> bool:
        """Add those events that are not known, for every target; tell whether there were any."""
        unique = {
            event.id: replace(event, data=make_plain(event.data))
            for event in events
            if event.id not in self.known
        }
        for lane in self.lanes.values():
            lane.pending += unique.values()
        self._remember(unique)
        return bool(unique)

    def trim(self, now: float) -> Iterator[tuple[str, Event, str]]:
        """Give up what is too old or too much; yield place, event and reason."""
        for lane in self.lanes.values():
            for event, reason in lane.trim(now):
                yield lane.place, event, reason

    def dump(self) -> bytes:
        """Return it as JSON."""
        events = {event.id: event for lane in self.lanes.values() for event in lane.pending}
        content = {
            "version": VERSION,
            "events": [_to_row(event) for event in events.values()],
            "waiting": {
                place: [event.id for event in lane.pending] for place, lane in self.lanes.items()
            },
            "known": list(self.known),
        }
        return json.dumps(content).encode()

    def merge(self, data: bytes) -> None:
        """Put what was kept before in front of what was added since.

        Targets that are no longer configured are left out.

        Raises:
            ValueError: the data is damaged; nothing was changed.
        """
        kept = plain_json.parse_json(data)
        if not isinstance(kept, dict) or kept.get("version") != VERSION:
            raise ValueError("it is of another version")
        known = _parse(list[str], kept.get("known"))
        events = {event.id: event for event in _parse(list[Event], kept.get("events"))}
        waiting = _parse(dict[str, list[str]], kept.get("waiting"))
        if not events.keys() >= {name for names in waiting.values() for name in names}:
            raise ValueError("an event is missing")
        for place, lane in self.lanes.items():
            earlier = [events[name] for name in waiting.get(place, [])]
            later = [event for event in lane.pending if event.id not in {*known, *events}]
            lane.pending = [*earlier, *later]
        added = list(self.known)
        self.known = {}
        self._remember([*known, *events, *added])

    def _remember(self, ids: Iterable[str]) -> None:
        for name in ids:
            self.known[name] = None
        for name in list(self.known)[:-MOST_KNOWN]:
            del self.known[name]


def _to_row(event: Event) -> dict[str, Any]:
    return {name.name: getattr(event, name.name) for name in fields(event)}


def make_plain(value: Any, depth: int = MOST_DEPTH) -> Any:
    """Return a value as JSON holds it; what JSON does not know becomes text, NaN becomes null.

    One event with such a value would otherwise damage the whole outbox.
    """
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, Mapping) and depth:
        return {str(name): make_plain(inner, depth - 1) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset) and depth:
        return [make_plain(inner, depth - 1) for inner in value]
    return str(value)


def _parse(kind: type[T], value: object) -> T:
    from pydantic import TypeAdapter  # takes a tenth of a second

    return TypeAdapter(kind).validate_python(value)
