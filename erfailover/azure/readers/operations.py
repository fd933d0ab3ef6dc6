"""Reads which actions the resource providers publish, so that a role names no other ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from erfailover.azure.client.answers import understood
from erfailover.azure.client.raw_request import send
from erfailover.azure.reader import Reader
from erfailover.model.arm_json import rows, text
from erfailover.model.observed import Reading, attempt
from erfailover.runtime.clock import all_at_once

PATH = "/providers/Microsoft.Authorization/providerOperations/"
API = "2022-04-01"
"""Published: REST spec authorization, ``ProviderOperationsMetadata_Get``."""
DEADLINE_S = 15.0


def operations(reader: Reader, providers: Iterable[str]) -> dict[str, Reading[frozenset[str]]]:
    """Return the actions that each resource provider publishes, in lower case."""
    names = list(providers)
    reads = [partial(attempt, partial(_read, reader, each)) for each in names]
    return dict(zip(names, all_at_once(reader.clock, reads), strict=True))


@understood("operations of a provider")
def _read(reader: Reader, provider: str) -> frozenset[str]:
    query = {"$expand": "resourceTypes"}
    answer = reader.asked(
        f"GET the operations of {provider}",
        lambda clients: send(clients, "GET", f"{PATH}{provider}", API, None, query),
        DEADLINE_S,
    )
    return frozenset(_names(answer.body))


def _names(body: dict[str, Any]) -> Iterator[str]:
    listed = rows(body.get("operations"))
    for each in rows(body.get("resourceTypes")):
        listed += rows(each.get("operations"))
    yield from (name.lower() for row in listed if (name := text(row.get("name"))))
