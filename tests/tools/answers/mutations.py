"""Answers as no document of Azure's describes them: one that the lab gave, made wrong by chance.

Types, shapes, encodings, status codes and headers. What is never made is a lie that looks like
the truth: a flag of a peering with the other value, or a peering left out of a list.
"""

from __future__ import annotations

import copy
import gzip
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

ELSEWHERE = "https://evil.example.com/subscriptions/x"
VALUES: tuple[Any, ...] = (
    None,
    "",
    0,
    -1,
    1.5,
    10**400,
    [],
    {},
    "x",
    "\ud800",
    "\x1b[2J",
    [None],
    ["x"],
    {"a": 1},
    [[]],
    [{}],
    "y" * 5000,
    ELSEWHERE,
)
BODIES: tuple[bytes, ...] = (
    b"",
    b" ",
    b"null",
    b"true",
    b"17",
    b'"text"',
    b"[]",
    b"[1]",
    b"{}",
    b'{"value": null}',
    b'{"value": {}}',
    b'{"value": [1]}',
    b'{"status": []}',
    b'{"status": "Odd"}',
    b'{"error": "text"}',
    b'{"error": {"code": [], "details": 3, "message": {}}}',
    b"<!DOCTYPE html><html><body>Please sign in</body></html>",
    b"<?xml version='1.0'?><a/>",
    b"\xff\xfe\xfa\x00{",
    b"\xef\xbb\xbf{}",
    b'{"a": NaN}',
    b'{"a": 1e999}',
    b'{"id": "\\ud800", "name": "\\udfff"}',
    b"[" * 100_000,
    b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    b"{" + b"9" * 6_000 + b"}",
    b'{"properties": ' + b"9" * 6_000 + b"}",
)
STATUSES = (
    *(200, 201, 202, 203, 204, 206, 226, 299, 300, 301, 302, 303, 304, 307, 308, 400, 401, 402),
    *(403, 404, 405, 406, 408, 409, 410, 412, 413, 415, 418, 421, 422, 423, 424, 425, 428, 429),
    *(431, 451, 499, 500, 501, 502, 503, 504, 505, 507, 511, 520, 599, 999),
)
WAITS = (
    *("nan", "inf", "-inf", "-5", "0", "1e9", "1000000000", "soon", "", "9" * 400, "0x10", "1,5"),
    *("Wed, 21 Oct 2099 07:28:00 GMT", "Wed, 21 Oct 1999 07:28:00 -0000", "Xxx, 99 Foo 99999"),
)
PLACES = (
    *(ELSEWHERE, "http://[::1", "//evil.example.com/x", "/relative", "", "ftp://x/y", "\\\\x"),
    *("https://localhost:1@evil.example.com/", "https://management.azure.com.evil.example.com/"),
)
HEADERS: dict[str, tuple[str, ...]] = {
    "Retry-After": WAITS,
    "x-ms-retry-after-ms": WAITS,
    "Location": PLACES,
    "Azure-AsyncOperation": PLACES,
    "Content-Type": ("text/html", "", "application/xml", "text/plain; charset=utf-99", "x/y/z"),
    "Content-Encoding": ("gzip", "br", "zstd", "gzip, gzip", "x" * 300),
    "Content-Length": ("0", "-1", "x", "9" * 30),
    "Date": ("yesterday", "", "Wed, 21 Oct 2099 07:28:00 -9999"),
    "x-ms-ratelimit-remaining-subscription-reads": ("0", "-1", "x", "9" * 5000, "²"),
    "x-ms-ratelimit-remaining-subscription-writes": ("0", "-1", "x", "9" * 5000, "²"),
    "WWW-Authenticate": (
        "Bearer",
        'Bearer authorization_uri="https://evil.example.com/x", claims="!!!"',
        'Bearer error="insufficient_claims", claims="eyJhIjoxfQ=="',
    ),
}


@dataclass
class Raw:
    """An answer as its bytes come."""

    status: int
    headers: dict[str, str]
    body: bytes
    dropped: bool = False
    said: list[str] = field(default_factory=list)

    def set(self, name: str, value: str) -> None:
        """Set a header, in whichever letter case it stood."""
        for existing in [header for header in self.headers if header.lower() == name.lower()]:
            del self.headers[existing]
        self.headers[name] = value


Mutation = Callable[[random.Random, Raw], None]


def mutate(chance: random.Random, answer: Raw) -> None:
    """Make an answer wrong in one to three ways."""
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        chance.choice(MUTATIONS)(chance, answer)


def _body(chance: random.Random, answer: Raw) -> None:
    answer.body = chance.choice(BODIES)
    if chance.random() < 0.3:
        answer.set("Content-Type", "text/html")
    answer.said.append(f"body {answer.body[:60]!r}")


def _value(chance: random.Random, answer: Raw) -> None:
    """Replace, remove or wrap some values of the JSON that was answered."""
    try:
        body = json.loads(answer.body)
    except ValueError:
        return _body(chance, answer)
    for _ in range(chance.choice((1, 1, 2, 5))):
        places = [place for place in _places(body) if _may_change(*place)]
        if not places:
            return _body(chance, answer)
        holder, key = chance.choice(places)
        value: Any = copy.deepcopy(chance.choice(VALUES))
        if chance.random() < 0.15:
            value = [holder[key]]
        if isinstance(holder, dict) and chance.random() < 0.2:
            del holder[key]
            answer.said.append(f"without {key}")
            continue
        holder[key] = value
        answer.said.append(f"{key} = {str(value)[:40]!r}")
    answer.body = json.dumps(body).encode()
    return None


def _places(body: Any) -> Iterator[tuple[Any, Any]]:
    rows = body.items() if isinstance(body, dict) else enumerate(body)
    for key, value in list(rows):
        yield body, key
        if isinstance(value, dict | list):
            yield from _places(value)


def _may_change(holder: Any, key: Any) -> bool:
    """Whether the change cannot be taken for what Azure says of another state of the network."""
    return not isinstance(holder[key], bool) and key not in ("virtualNetworkPeerings", "properties")


def _status(chance: random.Random, answer: Raw) -> None:
    answer.status = chance.choice(STATUSES)
    answer.said.append(f"status {answer.status}")


def _header(chance: random.Random, answer: Raw) -> None:
    name = chance.choice(list(HEADERS))
    value = chance.choice(HEADERS[name])
    answer.set(name, value)
    answer.said.append(f"{name}: {value[:60]}")


def _throttle(chance: random.Random, answer: Raw) -> None:
    answer.status = chance.choice((429, 429, 503))
    answer.set("Retry-After", chance.choice(WAITS))
    if chance.random() < 0.5:
        for kind in ("reads", "writes"):
            answer.set(f"x-ms-ratelimit-remaining-subscription-{kind}", "0")
    answer.said.append(f"status {answer.status}, Retry-After: {answer.headers['Retry-After'][:60]}")


def _cut(chance: random.Random, answer: Raw) -> None:
    answer.body = answer.body[: chance.randrange(len(answer.body) + 1)]
    answer.said.append(f"cut to {len(answer.body)} bytes")


def _bomb(chance: random.Random, answer: Raw) -> None:
    answer.body = gzip.compress(b" " * (40 << 20), 1)
    answer.set("Content-Encoding", "gzip")
    answer.said.append("40 MiB of blanks, compressed")


def _drop(chance: random.Random, answer: Raw) -> None:
    answer.dropped = True
    answer.said.append("dropped")


def _list(chance: random.Random, answer: Raw) -> None:
    """A list that goes on elsewhere, or for ever."""
    try:
        value = json.loads(answer.body)
    except ValueError:
        return _body(chance, answer)
    if not isinstance(value, dict):
        return _body(chance, answer)
    value["nextLink"] = chance.choice((*PLACES, 17, [], {"a": 1}))
    answer.body = json.dumps(value).encode()
    answer.said.append(f"nextLink {value['nextLink']}")
    return None


MUTATIONS: tuple[Mutation, ...] = (
    *(_value, _value, _value, _value, _value, _value, _body, _body, _body, _status, _status),
    *(_header, _header, _throttle, _cut, _drop, _list, _bomb),
)
