"""Reads which actions the resource providers publish, so that a role names no other ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from erfailover.azure.client.answers import wrap_parse_errors
from erfailover.azure.client.raw_request import send
from erfailover.azure.reader import Reader
from erfailover.model.arm_json import list_objects, parse_text
from erfailover.model.observed import Reading, attempt
from erfailover.runtime.clock import run_all

PATH = "/providers/Microsoft.Authorization/providerOperations/"
API = "2022-04-01"
"""Published: REST spec authorization, ``ProviderOperationsMetadata_Get``."""
DEADLINE_S = 15.0


def read_operations(reader: Reader, providers: Iterable[str]) -> dict[str, Reading[frozenset[str]]]:
    """Return the actions that each resource provider publishes, in lower case."""
    names = list(providers)
    reads = [partial(attempt, partial(_read, reader, name)) for name in names]
    return dict(zip(names, run_all(reader.clock, reads), strict=True))


@wrap_parse_errors("operations of a provider")
def _read(reader: Reader, provider: str) -> frozenset[str]:
    query = {"$expand": "resourceTypes"}
    answer = reader.call_clients(
        f"GET the operations of {provider}",
        lambda clients: send(clients, "GET", f"{PATH}{provider}", API, None, query),
        DEADLINE_S,
    )
    return frozenset(_iter_names(answer.body))


def _iter_names(body: dict[str, Any]) -> Iterator[str]:
    objects = list_objects(body.get("operations"))
    for item in list_objects(body.get("resourceTypes")):
        objects += list_objects(item.get("operations"))
    yield from (name.lower() for row in objects if (name := parse_text(row.get("name"))))
