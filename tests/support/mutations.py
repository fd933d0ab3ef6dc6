"""Bodies that Azure could send: each a recorded one with one thing changed."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

Place = tuple[str | int, ...]
MISSING = object()
OTHERS: tuple[Any, ...] = (None, MISSING, "", "Unheard-of", "17", 17, -1.5, True, [], {}, [None])
"""What stands in the place of a value."""


def places(body: Any, at: Place = ()) -> Iterator[Place]:
    """Where a body has values, itself left out."""
    inner = body.items() if isinstance(body, dict) else enumerate(body)
    for key, value in inner if isinstance(body, dict | list) else ():
        yield (*at, key)
        if isinstance(value, dict | list):
            yield from places(value, (*at, key))


def variants(value: Any) -> list[Any]:
    """What may stand in the place of a value."""
    rows = list(OTHERS)
    if isinstance(value, str):
        rows += [value.upper(), value.lower(), f"{value}/", [value]]
    elif isinstance(value, int | float):
        rows += [str(value), str(value).lower(), value * 10**30]
    elif isinstance(value, list):
        rows += [[None, *value, "x"], value * 2, dict(enumerate(value))]
    elif isinstance(value, dict):
        rows += [{**value, "unheardOf": {"of": [1]}}]
        rows += [{str(key).upper(): item for key, item in value.items()}]
    return rows


def replace_value(body: Any, at: Place, value: Any) -> Any:
    """A copy of a body with another value at a place."""
    result = copy.deepcopy(body)
    inner = result
    for key in at[:-1]:
        inner = inner[key]
    if value is MISSING:
        del inner[at[-1]]
    else:
        inner[at[-1]] = copy.deepcopy(value)
    return result


def value_at(body: Any, at: Place) -> Any:
    """The value at a place."""
    for key in at:
        body = body[key]
    return body


def mutants(body: Any) -> Iterator[tuple[str, Any]]:
    """Every copy of a body with one thing changed, and what that is."""
    for at in list(places(body)):
        for value in variants(value_at(body, at)):
            text = "missing" if value is MISSING else repr(value)[:60]
            yield f"{'.'.join(map(str, at))} is {text}", replace_value(body, at, value)


def mutant(body: Any, chance: random.Random, times: int = 1) -> tuple[str, Any]:
    """A copy of a body with some things changed by chance, and what they are."""
    lines = []
    for _ in range(times):
        rows = list(places(body))
        if not rows:
            break
        at = chance.choice(rows)
        value = chance.choice(variants(value_at(body, at)))
        lines.append(f"{'.'.join(map(str, at))} is {'missing' if value is MISSING else value!r}")
        body = replace_value(body, at, value)
    return "; ".join(lines)[:300], body
