"""Which resource refers to which: read off the bodies, and kept as an index both ways.

Owns the reading of ids out of a body, at the paths that its type names, and the index that
answers "who uses this?" without a search. It must never decide what a reference allows or forbids.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from erfailover.lab.core import ids
from erfailover.lab.core.resource_types import ResourceType, ResourceTypes
from erfailover.lab.core.world import Body, Resource


@dataclass(frozen=True, slots=True)
class Reference:
    """One reference.

    ``path`` says where in the properties it stands, ``target`` is the id as it is written,
    ``via`` the id of the part that refers: an IP configuration, or the resource itself.
    """

    path: str
    target: str
    via: str
    source: str


def _referred(value: object) -> str | None:
    found = value.get("id") if isinstance(value, dict) else None
    return found if isinstance(found, str) and found else None


def references_at(properties: Body, path: str, source: str) -> Iterator[Reference]:
    """Read the references at one path of a resource's properties, whatever else they hold."""
    first, _, rest = path.partition(".")
    value = properties.get(first)
    if not rest:
        target = _referred(value)
        if target is not None:
            yield Reference(path, target, source, source)
        return
    if isinstance(value, dict):
        value = value.get(rest)
        rest = ""
    for each in value if isinstance(value, list) else ():
        if not isinstance(each, dict):
            continue
        inner = each.get("properties") if rest else None
        target = _referred(inner.get(rest) if isinstance(inner, dict) else each)
        if rest and not isinstance(inner, dict):
            continue
        if target is not None:
            part = str(each.get("id") or f"{source}/{first}/{each.get('name', '')}")
            via = part if rest else source
            yield Reference(path, target, via, source)


class References:
    """The index: who uses a resource, by the bodies as last accepted.

    ``types`` say at which paths a body holds references.
    """

    def __init__(self, types: ResourceTypes[ResourceType]) -> None:
        self._types = types
        self._users: dict[str, dict[tuple[str, str, str], Reference]] = {}
        self._uses: dict[str, tuple[Reference, ...]] = {}
        self._between: dict[tuple[str, str], str] = {}

    def read(self, resource_id: ids.ResourceId, body: Body) -> tuple[Reference, ...]:
        """Return every reference in a body, in the order in which it is written."""
        properties, known = body.get("properties"), self._types.get(resource_id.type)
        if known is None or not isinstance(properties, dict):
            return ()
        return tuple(
            found
            for path in known.references
            for found in references_at(properties, path, str(resource_id))
        )

    def put(self, resource: Resource) -> None:
        """Take in a resource that was written."""
        self.drop(resource.id)
        found = self.read(resource.id, resource.body)
        name = ids.key(resource.id)
        if found:
            self._uses[name] = found
        for each in found:
            users = self._users.setdefault(ids.key(each.target), {})
            users[(name, each.path, each.via)] = each
            if resource.id.parent is not None:
                self._between[(ids.key(resource.id.parent), ids.key(each.target))] = name

    def drop(self, resource_id: str | ids.ResourceId) -> None:
        """Forget a resource that is gone."""
        name = ids.key(resource_id)
        for each in self._uses.pop(name, ()):
            pair = (name.rsplit("/", 2)[0], ids.key(each.target))
            if self._between.get(pair) == name:
                del self._between[pair]
            users = self._users.get(ids.key(each.target), {})
            users.pop((name, each.path, each.via), None)
            if not users:
                self._users.pop(ids.key(each.target), None)

    def users(self, resource_id: str | ids.ResourceId, path: str = "") -> tuple[Reference, ...]:
        """Who refers to a resource; only at one path where that is given."""
        found = self._users.get(ids.key(resource_id), {})
        return tuple(each for each in found.values() if not path or each.path == path)

    def between(self, parent: str | ids.ResourceId, target: str | ids.ResourceId) -> str | None:
        """The key of a child of ``parent`` that refers to ``target``: the last one written."""
        return self._between.get((ids.key(parent), ids.key(target)))
