"""The lab's world: every resource, and the clock's events that change it.

Owns the resources and the order in which things happen to them. It knows nothing of HTTP,
of what ARM refuses, or of routing; those read it, and only ``operations`` changes it.

Time here is passive. Every event carries its own time; ``advance_to`` runs the due ones in
order, each at its time, before the world is read. So the result of a read does not depend on
when, or how often, the world is read.
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
    """A resource.

    ``body`` is what a GET answers: the properties as last accepted, its ``provisioningState``.
    ``active`` is the body as of the last write that succeeded: routing, reachability and the
    rules about other resources read this one. None until the creation has succeeded.
    Children (subnets, peerings, routes, security rules) are separate resources and are
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
        properties: Body = self.body.setdefault("properties", {})
        return properties

    @property
    def active_properties(self) -> Body:
        """The properties of ``active``; empty if nothing is active yet."""
        properties: Body = (self.active or {}).get("properties", {})
        return properties

    @property
    def state(self) -> str:
        """The ``provisioningState``."""
        return str(self.properties.get("provisioningState", "Succeeded"))


class World:
    """All resources by id, and the pending events."""

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
        """Return the state to save: everything except the listeners."""
        return {**self.__dict__, "listeners": []}

    def get(self, resource_id: str | ids.ResourceId) -> Resource | None:
        """Return the resource with that id, in any letter case."""
        return self.resources.get(ids.to_key(resource_id))

    def add(self, resource: Resource) -> None:
        """Add a resource; the caller notifies the listeners with ``notify_listeners``."""
        self.resources[ids.to_key(resource.id)] = resource
        if (parent := resource.id.parent) is not None:
            self._children.setdefault(ids.to_key(parent), {})[ids.to_key(resource.id)] = resource

    def remove(self, resource_id: str | ids.ResourceId) -> None:
        """Remove a resource and its children."""
        name = ids.to_key(resource_id)
        for child in list(self._children.get(name, {})):
            self.remove(child)
        gone = self.resources.pop(name, None)
        if gone is not None and (parent := gone.id.parent) is not None:
            self._children.get(ids.to_key(parent), {}).pop(name, None)

    def list_children(self, parent: str | ids.ResourceId, type_: str) -> list[Resource]:
        """Return a resource's children of one type, in the order of their creation."""
        child_type = type_.lower()
        return [
            child
            for child in self._children.get(ids.to_key(parent), {}).values()
            if child.id.types[-1].lower() == child_type
        ]

    def iter_by_type(self, type_: str) -> Iterator[Resource]:
        """Yield every resource of a full type (``Microsoft.Network/virtualNetworks``)."""
        lowered = type_.lower()
        return (resource for resource in self.resources.values() if resource.type == lowered)

    def schedule(self, when: float, event: Callable[[], None]) -> None:
        """Schedule an event at a modelled time, in seconds since the world began."""
        self._order += 1
        heapq.heappush(self._events, (max(when, self.now), self._order, event))

    def notify_listeners(self) -> None:
        """Notify the listeners that the world has changed."""
        for listener in list(self.listeners):
            listener()

    def advance_to(self, when: float) -> None:
        """Run every event due until a modelled time, in order, each at its own time."""
        while self._events and self._events[0][0] <= when:
            due, _, event = heapq.heappop(self._events)
            self.now = max(self.now, due)
            event()
            self.notify_listeners()
        self.now = max(self.now, when)

    def get_next_event_time(self) -> float | None:
        """Return when the next event is due, in seconds since the world began.

        For tests and benchmarks, which step the clock; the lab itself never calls it.
        """
        return self._events[0][0] if self._events else None
