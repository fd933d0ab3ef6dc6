"""What the defaults of several resource types need: drafts and parts of bodies."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from erfailover.lab.core import ids
from erfailover.lab.core.world import Body


@dataclass(slots=True)
class Draft:
    """A body in the making.

    ``children`` are those the body names, by child type; a type that the body does not name
    is missing. ``secrets`` are taken out of the body.
    """

    id: ids.ResourceId
    body: Body
    children: dict[str, list[tuple[ids.ResourceId, Body]]] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict, repr=False)


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


def _reduce(properties: Body, name: str) -> None:
    """Keep of a referred resource its id only, as Azure does."""
    value = properties.get(name)
    if isinstance(value, dict) and "id" in value:
        properties[name] = {"id": value["id"]}


def ip_configuration(owner: ids.ResourceId, sent: Body, etag: str) -> Body:
    """An IP configuration as Azure keeps it: an id of its own, references reduced."""
    inner: Body = dict(sent.get("properties") or {})
    inner["provisioningState"] = "Updating"
    for name in ("subnet", "publicIPAddress"):
        _reduce(inner, name)
        if inner.get(name) is None:
            inner.pop(name, None)
    return {
        "name": sent["name"],
        "id": f"{owner}/ipConfigurations/{sent['name']}",
        "etag": etag,
        "type": f"{owner.type}/ipConfigurations",
        "properties": inner,
    }
