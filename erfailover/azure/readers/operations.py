"""Reads which actions the resource providers publish, so that a role names no other ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from erfailover.azure.client.answers import understood
from erfailover.azure.client.raw_request import send
from erfailover.azure.reader import Reader
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
    rows = list(body.get("operations") or ())
    for each in body.get("resourceTypes") or ():
        rows += each.get("operations") or ()
    for row in rows:
        if row.get("name"):
            yield str(row["name"]).lower()
