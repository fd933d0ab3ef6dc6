"""``$expand``: references in an answer replaced by what they refer to.

Owns the following of a path such as ``subnets/ipConfigurations``; it changes no resource.
Where a part of the path is not there, the answer stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable

from erfailover.lab import ids
from erfailover.lab.world import Body, World

Show = Callable[[str], Body | None]


def expand(body: Body, wanted: str, show: Show) -> None:
    """Expand the references that a ``$expand`` names, in an answer.

    Args:
        body: the answer; changed in place, nested values are copied first.
        wanted: paths, separated by commas.
        show: gives the answer that shows a resource or a part of one, by its id.
    """
    for path in wanted.split(","):
        parts = [part for part in path.strip().split("/") if part]
        if parts:
            _follow(body, parts, show)


def _follow(body: Body, parts: list[str], show: Show) -> None:
    properties = dict(body.get("properties") or {})
    name = next((each for each in properties if each.lower() == parts[0].lower()), None)
    if name is None:
        return
    value = properties[name]
    if isinstance(value, list):
        properties[name] = [_shown(each, parts[1:], show) for each in value]
    elif isinstance(value, dict):
        properties[name] = _shown(value, parts[1:], show)
    body["properties"] = properties


def _shown(value: object, rest: list[str], show: Show) -> object:
    if not isinstance(value, dict):
        return value
    found = dict(value)
    if set(value) == {"id"}:
        found = show(str(value["id"])) or found
    if rest:
        _follow(found, rest, show)
    return found


def ip_configuration(world: World, resource_id: str) -> Body | None:
    """An IP configuration by its id: a part of its owner's body."""
    owner, separator, _ = ids.key(resource_id).partition("/ipconfigurations/")
    resource = world.get(owner) if separator else None
    if resource is None:
        return None
    rows = resource.properties.get("ipConfigurations") or ()
    return next((dict(row) for row in rows if ids.key(row["id"]) == ids.key(resource_id)), None)
