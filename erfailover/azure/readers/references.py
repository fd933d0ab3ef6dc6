"""Reads what another resource refers to: the id that it names, and a resource that has to exist.

Knows no kind of resource: what is in one is its own reader's business.
"""

from __future__ import annotations

from erfailover.azure.reader import Reader
from erfailover.azure.session import READ_DEADLINE_S
from erfailover.errors import AzureErrorKind, AzureFailure
from erfailover.model.arm_json import Body, get_section, parse_text
from erfailover.model.resource_ids import canonicalize, get_last_name


def get_reference(body: Body, name: str) -> str:
    """Return the id that a property refers to, in ARM's form; empty if it refers to none."""
    return canonicalize(parse_text(get_section(body, "properties", name).get("id")))


def read_required(reader: Reader, resource_id: str, deadline_s: float = READ_DEADLINE_S) -> Body:
    """Return a resource that has to exist, as ARM JSON.

    Raises:
        AzureFailure: it does not exist, or could not be read.
    """
    body = reader.get(resource_id, deadline_s)
    if body is None:
        raise AzureFailure(AzureErrorKind.NOT_FOUND, explain_missing(resource_id))
    return body


def explain_missing(resource_id: str) -> str:
    """Explain why a resource is unknown that Azure answered with 404."""
    return f"{get_last_name(resource_id)} does not exist in Azure"
