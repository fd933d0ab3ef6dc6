"""JSON that a file or a store holds, read without trusting it. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import isfinite
from typing import Any

MOST_DEPTH = 60
MOST_DIGITS = 30


def parse_json(text: str | bytes) -> Any:
    """Return the value of a JSON text.

    Raises:
        ValueError: it is no JSON of RFC 8259 in UTF-8, has a number that is not finite or too
            long, or is nested more than ``MOST_DEPTH`` deep.
    """
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8")
        value = json.loads(
            text, parse_constant=_refuse, parse_float=_parse_finite, parse_int=_parse_short_int
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    level = [value]
    for _ in range(MOST_DEPTH):
        level = [inner for item in level for inner in _iter_containers(item)]
        if not level:
            return value
    raise ValueError("it is nested too deeply")


def _iter_containers(value: Any) -> Iterator[Any]:
    """Yield the lists and objects in one."""
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        return
    for item in value:
        if isinstance(item, dict | list):
            yield item


def _parse_finite(text: str) -> float:
    value = float(text)
    if not isfinite(value):
        raise ValueError(f"{text[:20]} is too large")
    return value


def _parse_short_int(text: str) -> int:
    if len(text) > MOST_DIGITS:
        raise ValueError(f"{text[:20]}... has more than {MOST_DIGITS} digits")
    return int(text)


def _refuse(text: str) -> Any:
    raise ValueError(f"{text} is not a number")
