"""Drafts of resource bodies, and what the completion of several resource types shares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from erfailover.lab.core import ids
from erfailover.lab.core.scene import Scene
from erfailover.lab.core.world import Body, Resource


@dataclass(slots=True)
class Draft:
    """A body in the making.

    ``children`` are those the body names, by child type; a type that the body does not name
    is missing. ``secrets`` are taken out of the body; ``query`` is the request's.
    """

    id: ids.ResourceId
    body: Body
    children: dict[str, list[tuple[ids.ResourceId, Body]]] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict, repr=False)
    query: Mapping[str, str] = field(default_factory=dict)


def without_nulls(value: Any) -> Any:
    """A copy of a JSON value without the members that are null: Azure takes them as absent."""
    if isinstance(value, dict):
        return {key: without_nulls(each) for key, each in value.items() if each is not None}
    if isinstance(value, list):
        return [without_nulls(each) for each in value]
    return value


def location_name(location: str) -> str:
    """A location as Azure writes it: ``West Europe`` is ``westeurope``."""
    return location.replace(" ", "").lower()


def reduce_reference(properties: Body, name: str) -> None:
    """Keep of a referred resource its id only, as Azure does."""
    value = properties.get(name)
    if isinstance(value, dict) and "id" in value:
        properties[name] = {"id": value["id"]}


def list_users(scene: Scene, resource: Resource, name: str, path: str, type_: str = "") -> Body:
    """Return the property ``name``: the ids of what refers to a resource at a path, of one type."""
    found = [
        {"id": each.via}
        for each in scene.references.users(resource.id, path)
        if not type_ or f"/{type_.rsplit('/', 1)[1]}/" in each.source
    ]
    return {name: found} if found else {}


def ip_configuration(owner: ids.ResourceId, sent: Body, etag: str) -> Body:
    """An IP configuration as Azure keeps it: an id of its own, references reduced."""
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
