"""Paths and JSON types of the keys of a body, and what is known of them for each answer.

Owns the comparison of an answer's keys with those that Azure's answers have: those always
there, and those there whenever their parent is (``response_keys.json``: facts drawn from
some 397,000 recorded interactions, 95 % and more of the samples).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

Json = Any
MASKED = ("tags.", "systemData")


def json_type(value: Json) -> str:
    """The JSON type of a value, in one word."""
    names = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}
    return names.get(type(value), "number")


def flat(value: Json, path: str = "") -> Iterator[tuple[str, str]]:
    """Every path of a body with its JSON type; ``[]`` stands for any item of a list."""
    if isinstance(value, dict):
        for key, inner in value.items():
            where = f"{path}.{key}" if path else key
            yield where, json_type(inner)
            yield from flat(inner, where)
    elif isinstance(value, list):
        for inner in value:
            if not isinstance(inner, dict | list):
                yield f"{path}[]", json_type(inner)
            yield from flat(inner, f"{path}[]")


def shape(body: Json) -> dict[str, str]:
    """The paths and types of a body, without what is masked."""
    by_name: dict[str, str] = {}
    for path, kind in flat(body):
        if kind != "null" and not any(
            path.startswith(name) or f".{name}" in path for name in MASKED
        ):
            by_name.setdefault(path, kind)
    return by_name


def parent(path: str) -> str:
    """The path that a path lies in; empty at the top."""
    return path.rpartition(".")[0]


@dataclass(frozen=True, slots=True)
class Keys:
    """What is known of one answer's keys."""

    always: tuple[str, ...]
    if_parent: tuple[str, ...]
    types: Mapping[str, str]


@cache
def response_keys() -> Mapping[str, Keys]:
    """What is known, by ``type | METHOD status``, types in lower case."""
    value = json.loads((Path(__file__).parent / "response_keys.json").read_text("utf-8"))
    return {
        name.lower(): Keys(tuple(row["always"]), tuple(row["if_parent"]), row.get("types", {}))
        for name, row in value.items()
    }


def known_keys(name: str) -> Keys | None:
    """What is known of an answer, by ``type | METHOD status``."""
    return response_keys().get(name.lower())


def missing_always(keys: Keys, body: Json) -> tuple[list[str], int]:
    """The always-keys that an answer lacks, and how many could be looked for.

    A key inside the items of an empty list cannot be looked for.
    """
    there = shape(body)
    looked, missing = 0, []
    for path in keys.always:
        if "[]" in path and not _has_items(body, path.rpartition("[]")[0]):
            continue
        looked += 1
        if path not in there:
            missing.append(path)
    return missing, looked


def _has_items(body: Json, path: str) -> bool:
    """Whether the list at a path has an item."""
    rows = [body]
    for part in path.split("."):
        name = part.removesuffix("[]")
        rows = [item[name] for item in rows if isinstance(item, dict) and name in item]
        if part.endswith("[]"):
            rows = [item for value in rows if isinstance(value, list) for item in value]
    return any(isinstance(item, list) and item for item in rows)


def missing_if_parent(keys: Keys, body: Json) -> tuple[list[str], int]:
    """The keys that an answer lacks though it has their parent, and how many were looked for."""
    there = shape(body)
    looked, missing = 0, []
    for path in keys.if_parent:
        above = parent(path)
        inside = above.removesuffix("[]")
        if above.endswith("[]"):
            if inside not in there or not _has_items(body, inside):
                continue
        elif above and above not in there:
            continue
        looked += 1
        if path not in there:
            missing.append(path)
    return missing, looked
