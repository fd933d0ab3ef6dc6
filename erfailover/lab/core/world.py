"""The lab's world: every resource there is, and the clock's events that change it.

Owns the resources and the order in which things happen to them. It knows nothing of HTTP,
of what ARM refuses, or of routing; those read it, and only ``operations`` changes it.

Time here is passive. Every event carries its own time; ``advance_to`` runs the due ones in
order, each at its time, before anything looks at the world. So what a reader sees does not
depend on when, or how often, anybody reads.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from erfailover.lab.core import ids

Body = dict[str, Any]


@dataclass(slots=True)
class Resource:
    """One resource.

    ``body`` is what a GET answers: the properties as last accepted, its ``provisioningState``.
    ``active`` is the body as of the last write that succeeded: routing, reachability and the
    rules about other resources read this one. None until the creation has succeeded.
    Children (subnets, peerings, routes, security rules) are resources of their own and are
    put into the parent's answer when it is read.
    ``hidden`` holds what no GET shows (shared keys, passwords).
    """

    id: ids.ResourceId
    body: Body
    active: Body | None = None
    hidden: dict[str, str] = field(default_factory=dict)

    @property
    def type(self) -> str:
        """The full type, in lower case, for comparing."""
        return self.id.type.lower()

    @property
    def properties(self) -> Body:
        """The properties of ``body``."""
        found: Body = self.body.setdefault("properties", {})
        return found

    @property
    def active_properties(self) -> Body:
        """The properties of ``active``; empty where nothing is active yet."""
        found: Body = (self.active or {}).get("properties", {})
        return found

    @property
    def state(self) -> str:
        """The ``provisioningState``."""
        return str(self.properties.get("provisioningState", "Succeeded"))


class World:
    """All resources by id, and the events still to come."""

    def __init__(self) -> None:
        self.resources: dict[str, Resource] = {}
        self.now = 0.0
        """Modelled seconds since the world began."""
        self.listeners: list[Callable[[], None]] = []
        """Called after every change of the world, at the time of the change."""
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = 0
        self._children: dict[str, dict[str, Resource]] = {}

    def __getstate__(self) -> dict[str, Any]:
        """What is written down of a world: all but its listeners."""
        return {**self.__dict__, "listeners": []}

    def get(self, resource_id: str | ids.ResourceId) -> Resource | None:
        """The resource with that id, whatever the case it is written in."""
        return self.resources.get(ids.key(resource_id))

    def add(self, resource: Resource) -> None:
        """Put a resource into the world; the caller tells the listeners with ``changed``."""
        self.resources[ids.key(resource.id)] = resource
        if (parent := resource.id.parent) is not None:
            self._children.setdefault(ids.key(parent), {})[ids.key(resource.id)] = resource

    def remove(self, resource_id: str | ids.ResourceId) -> None:
        """Take a resource and its children out of the world."""
        name = ids.key(resource_id)
        for child in list(self._children.get(name, {})):
            self.remove(child)
        gone = self.resources.pop(name, None)
        if gone is not None and (parent := gone.id.parent) is not None:
            self._children.get(ids.key(parent), {}).pop(name, None)

    def children(self, parent: str | ids.ResourceId, type_: str) -> list[Resource]:
        """The children of a resource of one child type, in the order they were made."""
        wanted = type_.lower()
        return [
            child
            for child in self._children.get(ids.key(parent), {}).values()
            if child.id.types[-1].lower() == wanted
        ]

    def of_type(self, type_: str) -> Iterator[Resource]:
        """Every resource of a full type (``Microsoft.Network/virtualNetworks``)."""
        wanted = type_.lower()
        return (found for found in self.resources.values() if found.type == wanted)

    def at(self, when: float, event: Callable[[], None]) -> None:
        """Let something happen at a modelled time, in seconds since the world began."""
        self._order += 1
        heapq.heappush(self._events, (max(when, self.now), self._order, event))

    def changed(self) -> None:
        """Tell the listeners that the world has changed."""
        for listener in list(self.listeners):
            listener()

    def advance_to(self, when: float) -> None:
        """Run every event due until a modelled time, in order, each at its own time."""
        while self._events and self._events[0][0] <= when:
            due, _, event = heapq.heappop(self._events)
            self.now = max(self.now, due)
            event()
            self.changed()
        self.now = max(self.now, when)

    def next_event(self) -> float | None:
        """Return when the next event is due, in seconds since the world began.

        For tests and benchmarks, which step the clock; the lab itself never asks.
        """
        return self._events[0][0] if self._events else None
