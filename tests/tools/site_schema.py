"""Makes the JSON Schema of the site file from its types: ``python -m tests.tools.site_schema``.

What a key means is the text below it in ``erfailover/model/``; what may stand there is what
pydantic takes.
"""

from __future__ import annotations

import ast
import inspect
import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from erfailover.model import peering_flags, probes, site, topology, watch_settings
from erfailover.reporting import schemas

FILE = Path(__file__).parents[2] / "erfailover" / "data" / "schemas" / f"{schemas.SITE}.json"
MODULES = (site, peering_flags, probes, topology, watch_settings)
OCTET = r"(25[0-5]|2[0-4]\d|1?\d?\d)"
ADDRESS = rf"{OCTET}(\.{OCTET}){{3}}"
PATTERNS = {
    "ipv4": {"pattern": f"^{ADDRESS}$", "examples": ["10.1.0.4"]},
    "ipv4network": {
        "pattern": rf"^{ADDRESS}/(3[0-2]|[12]?\d)$",
        "examples": ["10.1.0.0/16"],
    },
}


def schema() -> dict[str, Any]:
    """The schema, with a description of every key."""
    body = TypeAdapter(site.Site).json_schema(schema_generator=GenerateJsonSchema)
    classes, defs = _docstrings(), body.pop("$defs")
    body = {
        "$schema": GenerateJsonSchema.schema_dialect,
        "$id": f"{schemas.ID}{schemas.SITE}",
        "title": "The site file of erfailover",
        **{key: value for key, value in body.items() if key != "title"},
        "$defs": defs,
    }
    for name, item in {"Site": body, **defs}.items():
        item["description"] = classes[name][""]
        for key, value in item.get("properties", {}).items():
            value.pop("title", None)
            assert key in classes[name], f"no text stands below {name}.{key}"
            value["description"] = classes[name][key]
    _name_formats(body)
    _leave_null_out(body)
    return body


def text() -> str:
    """The schema as its file holds it."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _docstrings() -> dict[str, dict[str, str]]:
    """By class, its own text (under the empty name) and that of each field."""
    by_name: dict[str, dict[str, str]] = {}
    nodes = [stmt for module in MODULES for stmt in ast.parse(inspect.getsource(module)).body]
    for node in nodes:
        if isinstance(node, ast.ClassDef):
            mapping = by_name.setdefault(node.name, {"": _plain(ast.get_docstring(node) or "")})
            for field, after in zip(node.body, node.body[1:], strict=False):
                if isinstance(field, ast.AnnAssign) and isinstance(after, ast.Expr):
                    assert isinstance(field.target, ast.Name)
                    assert isinstance(after.value, ast.Constant)
                    mapping[field.target.id] = _plain(str(after.value.value))
    return by_name


def _plain(docstring: str) -> str:
    return " ".join(docstring.replace("``", "").split())


def _name_formats(node: Any) -> None:
    """Say as a pattern what editors know no format of."""
    if isinstance(node, dict):
        format_ = node.get("format")
        if isinstance(format_, str) and format_ in PATTERNS:
            node.pop("format")
            node.update(PATTERNS[format_])
        for item in node.values():
            _name_formats(item)
    elif isinstance(node, list):
        for item in node:
            _name_formats(item)


def _leave_null_out(node: Any) -> None:
    """A key that may be left out need not be null: what is wrong below it is then told better."""
    if isinstance(node, dict):
        if node.get("default", "") is None:
            del node["default"]
            remaining = [item for item in node["anyOf"] if item != {"type": "null"}]
            node["anyOf"] = remaining
            if len(remaining) == 1:
                del node["anyOf"]
                node.update(remaining[0])
        for value in node.values():
            _leave_null_out(value)
    elif isinstance(node, list):
        for value in node:
            _leave_null_out(value)


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
