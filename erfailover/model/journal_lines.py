"""The lines of a journal: what a record is, and how other lines are handled. Pure.

A line that was cut off, because its writer died, is passed over. Any other line that is no record
is damage: a record of the event ``damaged`` takes its place, so that whoever needs to be certain
of what happened (``history.find_last_switch``) can tell if something is missing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from erfailover.model import plain_json
from erfailover.model.site import Path

LARGEST = 1e12
"""No time or count of a record is larger."""

Record = Mapping[str, Any]

DAMAGED = "damaged"
"""The event that replaces lines that could not be read."""
MOST_BYTES = 16 * 1024 * 1024
"""A longer line is no record: the result of a run with 1,000 spokes is 0.5 MB."""
PIDS = 2**32
_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*"')


@dataclass(frozen=True, slots=True)
class JournalLines:
    """What the lines of a journal hold.

    Attributes:
        records: in their order; one of the event ``damaged`` for each damaged line.
        damage: the numbers of the damaged lines, with what is wrong with each.
    """

    records: tuple[Record, ...]
    damage: tuple[tuple[int, str], ...] = ()

    def describe_damage(self, name: str) -> str:
        """Say which lines are damaged: ``the journal in /state is damaged in line 7 (...)``."""
        number, why = self.damage[0]
        more = len(self.damage) - 1
        others = f", and in {more} more {'line' if more == 1 else 'lines'}" if more else ""
        return f"the journal in {name} is damaged in line {number} ({why}){others}"


def read(content: bytes) -> JournalLines:
    """Return the records in the content of a journal, and what is damaged in it."""
    records: list[Record] = []
    damage: list[tuple[int, str]] = []
    for number, line in enumerate(content.split(b"\n"), 1):
        line = line.strip(b"\0 \t\r")
        if not line:
            continue
        try:
            records.append(parse_record(line))
        except ValueError as error:
            if not _is_cut_off(line):
                damage.append((number, str(error)))
                records.append({"run": DAMAGED, "event": DAMAGED, "line": number})
    return JournalLines(tuple(records), tuple(damage))


def remove_damage(content: bytes) -> bytes | None:
    """Return the content of a journal without its damage; None if there is none."""
    damage = read(content).damage
    if not damage:
        return None
    lines = content.split(b"\n")
    for number, _ in damage:
        record = {"run": DAMAGED, "event": DAMAGED, "line": number}
        lines[number - 1] = json.dumps(record, sort_keys=True).encode()
    return b"\n".join(lines)


def parse_record(line: bytes) -> Record:
    """Return the record in a line.

    Raises:
        ValueError: it is not a record; the text says why.
    """
    if len(line) > MOST_BYTES:
        raise ValueError("the line is too long")
    if not line.isascii():
        raise ValueError("not ASCII")
    try:
        record = plain_json.parse_json(line)
    except ValueError:
        raise ValueError("not JSON") from None
    if not isinstance(record, dict):
        raise ValueError("not an object")
    for name in ("run", "event"):
        if not record.get(name):
            raise ValueError(f"no {name}")
    for name, is_right in SHAPES.items():
        if record.get(name) is not None and not is_right(record[name]):
            raise ValueError(f"invalid {name}")
    return record


def _is_cut_off(line: bytes) -> bool:
    """Return whether a line begins as a record does and lacks its end."""
    if not line.startswith(b"{") or not line.isascii() or len(line) > MOST_BYTES:
        return False
    outside, quote, _ = _TEXT.sub(b"", line).partition(b'"')
    opened, closed = (sum(map(outside.count, pair)) for pair in ((b"{", b"["), (b"}", b"]")))
    return bool(quote) or opened > closed


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < PIDS


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


TEXTS = (
    *("run", "event", "at", "command", "digest", "site", "who", "host", "machine", "started"),
    *("outcome", "message", "hint", "task", "title", "change", "resource", "note", "operation"),
    *("correlation_id", "spoke", "place", "of", "standing", "holder", "method", "since"),
    *("way_back_refused", "completes"),
)
SHAPES: Mapping[str, Callable[[Any], bool]] = {
    **dict.fromkeys(TEXTS, _is_text),
    **dict.fromkeys(("at_s", "elapsed_s"), _is_number),
    **dict.fromkeys(("pid", "attempts", "status"), _is_count),
    "to": lambda value: value in list(Path),
    "spokes": _is_texts,
    "result": lambda value: isinstance(value, dict),
}
"""What the fields of a record are, if it has them; further fields may be anything."""
