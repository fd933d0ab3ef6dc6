"""The description of a resource type.

Owns the form that a type's module fills in: how a body is read, completed, refused, shown, and
what the end of an operation does. ``registry`` has the table of all types.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from erfailover.lab.core.errors import Refusal
from erfailover.lab.core.generated import ValueGenerator
from erfailover.lab.core.resource_types import ResourceType
from erfailover.lab.core.rule_context import RuleContext
from erfailover.lab.core.world import Body, Resource
from erfailover.lab.providers.bodies import Draft
from erfailover.lab.providers.shapes import Shape


class Tunnels(Protocol):
    """A source of the states of connections' tunnels."""

    def get_connection_status(self, connection: Resource) -> str:
        """Return Connected, NotConnected, Connecting or Unknown."""


class Cloud(Protocol):
    """What a type uses of the cloud when an operation on one of its resources ends."""

    context: RuleContext
    generator: ValueGenerator

    def allocate_public_address(self) -> str:
        """Return a public address that no resource has."""

    def format_timestamp(self) -> str:
        """Return the modelled time in Azure's format."""


@dataclass(frozen=True, slots=True)
class View:
    """The context in which a resource is presented."""

    context: RuleContext
    tunnels: Tunnels
    read: bool


@dataclass(slots=True)
class Plan:
    """A PUT: the resource, the children in its body, and the children it omits."""

    draft: Draft
    existing: Resource | None
    children: list[tuple[Draft, Resource | None]] = field(default_factory=list)
    dropped: list[Resource] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Coverage:
    """A row of the table of resource types in ``docs/lab.md``, in Markdown.

    ``names`` are the types and actions that the row is about, as the table abbreviates them.
    """

    names: str
    modelled: str
    not_modelled: str
    rests_on: str


@dataclass(frozen=True, kw_only=True)
class Provider(ResourceType):
    """A resource type, with all its behaviour.

    Attributes:
        coverage: its rows in the documentation; none if a parent's row names it.
        shape: the JSON types of its properties in a request.
        defaults: properties that Azure adds to a request that lacks them.
        read_only: properties that a client may send back and Azure ignores, children included.
        has_guid: whether its properties carry a ``resourceGuid``.
        children_in_body: whether its body may name its children.
        drops_children: whether a PUT deletes the children that its body does not name, even if
            it names none.
        any_region: paths of references that may lead to another region.
        idle_on_delete: paths of references whose targets must be idle for a deletion.
        slow_without_change: whether a PUT takes its time even if nothing changes.
        slow_patch: whether a change of tags takes its time.
        etag_header: whether a GET answers with the header ``ETag``.
        complete: fills in what Azure adds to a request; moves secrets from the body to the draft.
        prepare: fills in what depends on other resources, once the references are known to exist.
        validate: why a resource may not be written so.
        validate_plan: why a PUT may not be carried out as a whole, after every ``validate``.
        validate_delete: why a resource may not be deleted.
        is_instant: whether a write succeeds at once.
        present: what a GET adds to the stored properties.
        finish_write: completes a written resource, just before its new body becomes active.
        finish_delete: what a deletion does to others; returns the ids of what is deleted with it.
    """

    coverage: tuple[Coverage, ...] = ()
    shape: Mapping[str, Shape] = field(default_factory=dict)
    defaults: Mapping[str, object] = field(default_factory=dict)
    read_only: frozenset[str] = frozenset()
    has_guid: bool = False
    children_in_body: bool = True
    drops_children: bool = False
    any_region: frozenset[str] = frozenset()
    idle_on_delete: frozenset[str] = frozenset()
    slow_without_change: bool = False
    slow_patch: bool = False
    etag_header: bool = True
    complete: Callable[[Draft, Resource | None, ValueGenerator], None] = (
        lambda draft, existing, generator: None
    )
    prepare: Callable[[RuleContext, Draft, Resource | None], None] = (
        lambda context, draft, existing: None
    )
    validate: Callable[[RuleContext, Draft, Resource | None], Refusal | None] = (
        lambda context, draft, existing: None
    )
    validate_plan: Callable[[RuleContext, Plan], Refusal | None] = lambda context, plan: None
    validate_delete: Callable[[RuleContext, Resource], Refusal | None] = lambda context, resource: (
        None
    )
    is_instant: Callable[[RuleContext, Draft], bool] = lambda context, draft: False
    present: Callable[[View, Resource], Body] = lambda view, resource: {}
    finish_write: Callable[[Cloud, Resource], None] = lambda cloud, resource: None
    finish_delete: Callable[[Cloud, Resource], Iterable[str]] = lambda cloud, resource: ()
