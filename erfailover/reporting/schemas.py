"""The published JSON Schemas: their names, their text, what each is of. Reads package data only.

One file a schema, in ``erfailover/data/schemas``. That of the site file is made from the types
(``scripts/update-schemas``); those of the output are written by hand, and every scenario test
that prints JSON is held against them.
"""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

SITE = "site"
ID = "urn:erfailover:schema:"
"""How the ``$id`` of every schema begins. They are published with the program, at no URL."""


def list_names() -> list[str]:
    """Return the names of all schemas, in order."""
    rows = (item.name for item in _get_folder().iterdir())
    return sorted(item.removesuffix(".json") for item in rows if item.endswith(".json"))


def read_text(name: str) -> str:
    """Return the text of a schema; raises ``FileNotFoundError`` for no such schema."""
    text: str = (_get_folder() / f"{name}.json").read_text("utf-8")
    return text


def load_schema(name: str) -> dict[str, Any]:
    """Return a schema as plain data."""
    body: dict[str, Any] = json.loads(read_text(name))
    return body


def _get_folder() -> Any:
    return resources.files("erfailover") / "data" / "schemas"
