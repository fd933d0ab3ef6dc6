"""``erfailover schema [NAME]``: the JSON Schemas of the site file and of all JSON output."""

from __future__ import annotations

import difflib

from erfailover.commands import output as commands_output
from erfailover.errors import UsageFailure
from erfailover.reporting import schemas
from erfailover.reporting.formats import Query


def run(name: str | None, output: str, query: Query | None) -> None:
    """List the schemas, or print one.

    Raises:
        UsageFailure: there is no such schema.
    """
    names = schemas.list_names()
    if name is None:
        rows = [{"name": text, "title": schemas.load_schema(text)["title"]} for text in names]
        width = max(map(len, names)) + 2
        lines = [f"{row['name']:<{width}}{row['title']}" for row in rows]
        head = f"{'NAME':<{width}}DESCRIBES"
        commands_output.show("\n".join([head, *lines]), rows, output, query)
        return
    if name not in names:
        close = difflib.get_close_matches(name, names, 1)
        meant = f"Did you mean {close[0]!r}? " if close else ""
        raise UsageFailure(
            f"there is no schema named {name!r}", f"{meant}erfailover schema lists them."
        )
    commands_output.show(
        schemas.read_text(name).rstrip("\n"), schemas.load_schema(name), output, query
    )
