"""Drafts of resource bodies, and completions that several resource types share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from erfailover.lab.core import ids
from erfailover.lab.core.rule_context import RuleContext
from erfailover.lab.core.world import Body, Resource


@dataclass(slots=True)
class Draft:
    """A resource body under construction.

    ``children`` are those the body names, by child type; a type that the body does not name
    is missing. ``secrets`` are taken out of the body; ``query`` is the request's.
    """

    id: ids.ResourceId
    body: Body
    children: dict[str, list[tuple[ids.ResourceId, Body]]] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict, repr=False)
    query: Mapping[str, str] = field(default_factory=dict)


def strip_nulls(value: Any) -> Any:
    """Return a copy of a JSON value without null members, which Azure treats as absent."""
    if isinstance(value, dict):
        return {key: strip_nulls(member) for key, member in value.items() if member is not None}
    if isinstance(value, list):
        return [strip_nulls(member) for member in value]
    return value


def to_location_name(location: str) -> str:
    """Return a location as Azure writes it: ``West Europe`` is ``westeurope``."""
    return location.replace(" ", "").lower()


def reduce_reference(properties: Body, name: str) -> None:
    """Reduce a referenced resource to its id, as Azure does."""
    value = properties.get(name)
    if isinstance(value, dict) and "id" in value:
        properties[name] = {"id": value["id"]}


def list_users(
    context: RuleContext, resource: Resource, name: str, path: str, type_: str = ""
) -> Body:
    """Return the property ``name``: the ids of the users of a resource, of one type and path."""
    user_ids = [
        {"id": reference.via}
        for reference in context.references.find_users(resource.id, path)
        if not type_ or f"/{type_.rsplit('/', 1)[1]}/" in reference.source
    ]
    return {name: user_ids} if user_ids else {}


def build_ip_configuration(owner: ids.ResourceId, sent: Body, etag: str) -> Body:
    """Return an IP configuration as Azure stores it: with an id, references reduced."""
    inner: Body = dict(sent.get("properties") or {})
    inner["provisioningState"] = "Updating"
    for name in ("subnet", "publicIPAddress"):
        reduce_reference(inner, name)
        if inner.get(name) is None:
            inner.pop(name, None)
    return {
        "name": sent["name"],
        "id": f"{owner}/ipConfigurations/{sent['name']}",
        "etag": etag,
        "type": f"{owner.type}/ipConfigurations",
        "properties": inner,
    }
