"""References between resources: read from the bodies, and indexed in both directions.

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
    """A reference from one resource to another.

    ``path`` is its place in the properties, ``target`` the id as written,
    ``via`` the id of the part that refers: an IP configuration, or the resource itself.
    """

    path: str
    target: str
    via: str
    source: str


def _read_id(value: object) -> str | None:
    reference = value.get("id") if isinstance(value, dict) else None
    return reference if isinstance(reference, str) and reference else None


def read_references(properties: Body, path: str, source: str) -> Iterator[Reference]:
    """Yield the references at one path of a resource's properties, whatever else they contain."""
    first, _, rest = path.partition(".")
    value = properties.get(first)
    if not rest:
        target = _read_id(value)
        if target is not None:
            yield Reference(path, target, source, source)
        return
    if isinstance(value, dict):
        value = value.get(rest)
        rest = ""
    for item in value if isinstance(value, list) else ():
        if not isinstance(item, dict):
            continue
        inner = item.get("properties") if rest else None
        target = _read_id(inner.get(rest) if isinstance(inner, dict) else item)
        if rest and not isinstance(inner, dict):
            continue
        if target is not None:
            part = str(item.get("id") or f"{source}/{first}/{item.get('name', '')}")
            via = part if rest else source
            yield Reference(path, target, via, source)


class References:
    """The index: who uses a resource, by the bodies as last accepted.

    ``types`` define the paths of references in a body.
    """

    def __init__(self, types: ResourceTypes[ResourceType]) -> None:
        self._types = types
        self._users: dict[str, dict[tuple[str, str, str], Reference]] = {}
        self._uses: dict[str, tuple[Reference, ...]] = {}
        self._between: dict[tuple[str, str], str] = {}

    def read(self, resource_id: ids.ResourceId, body: Body) -> tuple[Reference, ...]:
        """Return every reference in a body, in the order in which it is written."""
        properties, resource_type = body.get("properties"), self._types.get(resource_id.type)
        if resource_type is None or not isinstance(properties, dict):
            return ()
        return tuple(
            reference
            for path in resource_type.references
            for reference in read_references(properties, path, str(resource_id))
        )

    def add(self, resource: Resource) -> None:
        """Index a resource that was written."""
        self.remove(resource.id)
        references = self.read(resource.id, resource.body)
        name = ids.to_key(resource.id)
        if references:
            self._uses[name] = references
        for reference in references:
            users = self._users.setdefault(ids.to_key(reference.target), {})
            users[(name, reference.path, reference.via)] = reference
            if resource.id.parent is not None:
                self._between[(ids.to_key(resource.id.parent), ids.to_key(reference.target))] = name

    def remove(self, resource_id: str | ids.ResourceId) -> None:
        """Remove a deleted resource from the index."""
        name = ids.to_key(resource_id)
        for reference in self._uses.pop(name, ()):
            pair = (name.rsplit("/", 2)[0], ids.to_key(reference.target))
            if self._between.get(pair) == name:
                del self._between[pair]
            users = self._users.get(ids.to_key(reference.target), {})
            users.pop((name, reference.path, reference.via), None)
            if not users:
                self._users.pop(ids.to_key(reference.target), None)

    def find_users(
        self, resource_id: str | ids.ResourceId, path: str = ""
    ) -> tuple[Reference, ...]:
        """Return the references to a resource, optionally at one path only."""
        references = self._users.get(ids.to_key(resource_id), {})
        return tuple(
            reference for reference in references.values() if not path or reference.path == path
        )

    def find_child(self, parent: str | ids.ResourceId, target: str | ids.ResourceId) -> str | None:
        """Return the key of the child of ``parent`` that last came to refer to ``target``."""
        return self._between.get((ids.to_key(parent), ids.to_key(target)))
