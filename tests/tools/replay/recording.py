"""Reads recordings of ARM traffic, whatever client kept them.

Owns the formats: one interaction a JSON line, VCR cassettes (az CLI; azure-service-operator in
Go's form; the Ruby SDK's), and the .NET SDK's session records. It draws no conclusion from what
it reads.
"""

from __future__ import annotations

import ast
import datetime as dt
import email.utils
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import yaml

Json = Any
KEPT_HEADERS = ("azure-asyncoperation", "azure-asyncnotification", "location", "retry-after")
"""The headers of asynchronous operations."""


@dataclass(frozen=True, slots=True)
class Interaction:
    """One request and its answer. ``headers`` are those of asynchronous operations."""

    method: str
    path: str
    query: dict[str, str]
    request: Json
    status: int
    headers: dict[str, str]
    response: Json
    at: dt.datetime | None

    @property
    def date(self) -> dt.date | None:
        """The day of the answer."""
        return self.at.date() if self.at is not None else None


class _Loader(yaml.CSafeLoader):
    """Reads YAML, with the tag that Python 2 gave to strings."""


def _text(loader: _Loader, node: yaml.ScalarNode) -> str:
    return str(loader.construct_scalar(node))


_Loader.add_constructor("tag:yaml.org,2002:python/unicode", _text)


def read(path: Path) -> list[Interaction]:
    """Every interaction of a recording with ARM, in order.

    Raises:
        ValueError: the file is in none of the known formats.
    """
    text = path.read_text("utf-8")
    if path.suffix == ".jsonl":
        rows = [json.loads(line) for line in text.splitlines() if line.strip()]
        return [_from_line(row) for row in rows]
    if path.suffix in {".yaml", ".yml"}:
        return list(_from_cassette(yaml.load(text, Loader=_Loader)))
    value = json.loads(text.removeprefix("\ufeff"))
    if "Entries" in value:
        rows = [_from_session(row) for row in value["Entries"]]
        if all(row.at is not None for row in rows):
            # The recorder keeps equal requests together; only the dates tell the order.
            # Within a second what creates a resource comes before what changes it.
            rows.sort(key=lambda item: (item.at, (item.method, item.status) != ("PUT", 201)))
        return rows
    raise ValueError(f"{path}: neither JSON lines, nor a VCR cassette, nor a session record")


def _from_line(row: Json) -> Interaction:
    headers = {name.lower(): value for name, value in row["response_headers"].items()}
    recorded = row.get("recorded")
    return Interaction(
        row["method"],
        row["path"],
        dict(parse_qsl(row.get("query") or "", keep_blank_values=True)),
        row["request_body"],
        row["status"],
        {name: str(headers[name]) for name in KEPT_HEADERS if name in headers},
        row["response_body"],
        dt.datetime.fromisoformat(recorded) if recorded else None,
    )


def _from_cassette(value: Json) -> Iterator[Interaction]:
    for row in value.get("interactions") or value["http_interactions"]:
        request, response = row["request"], row["response"]
        url = str(request.get("uri") or request.get("url"))
        body = response["body"]
        status = response.get("code") or response["status"]["code"]
        interaction = _make(
            request["method"].upper(),
            url,
            _parse_body(_string(request.get("body"))),
            int(status),
            response.get("headers") or {},
            _parse_body(_string(body)),
        )
        if interaction is not None:
            yield interaction


def _string(body: Json) -> Json:
    return body.get("string") if isinstance(body, dict) else body


def _from_session(row: Json) -> Interaction:
    interaction = _make(
        row["RequestMethod"],
        row["RequestUri"],
        _parse_body(row.get("RequestBody")),
        int(row["StatusCode"]),
        row.get("ResponseHeaders") or {},
        _parse_body(row.get("ResponseBody")),
    )
    assert interaction is not None, "a session record holds ARM's paths only"
    return interaction


def _make(
    method: str, url: str, request: Json, status: int, headers: Json, response: Json
) -> Interaction | None:
    parts = urlsplit(url)
    if parts.netloc and not parts.netloc.startswith(("management.azure.", "localhost")):
        return None
    low = {
        str(name).lower(): str(value[0] if isinstance(value, list) else value)
        for name, value in headers.items()
    }
    return Interaction(
        method,
        unquote(parts.path),
        dict(parse_qsl(parts.query, keep_blank_values=True)),
        request,
        status,
        {name: low[name] for name in KEPT_HEADERS if name in low},
        response,
        email.utils.parsedate_to_datetime(low["date"]) if low.get("date") else None,
    )


def _parse_body(body: Json) -> Json:
    """A body as JSON; None where there is none or it is something else."""
    if isinstance(body, bytes):
        body = body.decode("utf-8", "replace")
    if not isinstance(body, str):
        return body
    if body.startswith(("b'", 'b"')):  # the text of Python's bytes
        body = ast.literal_eval(body).decode("utf-8", "replace")
    try:
        return json.loads(body.removeprefix("\ufeff"))
    except ValueError:
        return None
