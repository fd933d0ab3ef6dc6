"""A plan of a switch: its steps, what each writes, and why. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, StrEnum

from erfailover.model.conditions import Condition
from erfailover.model.observed import Peering
from erfailover.model.peering_flags import Flags
from erfailover.model.resource_ids import ROUTE, build_child_id, get_last_name, get_network_id
from erfailover.model.route_tables import UserRoute
from erfailover.model.site import Path


class Change(StrEnum):
    """What a step does to a resource."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    KEEP = "keep"


class Phase(Enum):
    """A part of a switch, in the order in which they run."""

    PREPARE = "prepare"
    SWITCH = "switch"
    CLEANUP = "clean up"


class StepKind(Enum):
    """What a step is for; ``planning.switch.procedure.STEPS`` has one row for each."""

    ALLOW_TRANSIT = "allow transit"
    PREPARE_SPOKE = "prepare spoke"
    BREAK = "break"
    MAKE = "make"
    MOVE_NEXT_HOPS = "move next hops"
    WITHDRAW_TRANSIT = "withdraw transit"
    REMOVE_SPOKE_PEERING = "remove spoke peering"
    REMOVE_HUB_PEERING = "remove hub peering"
    RESTORE_SPOKE_PEERING = "restore spoke peering"


@dataclass(frozen=True, slots=True)
class PeeringWrite:
    """One write of a peering: read, change the flags, write the whole body back."""

    change: Change
    peering_id: str
    remote_virtual_network: str
    before: Flags | None
    after: Flags | None
    """None for a deletion."""
    sync: bool = False
    """Whether the write also takes over the remote VNet's present address space."""

    @property
    def name(self) -> str:
        """The name of the peering."""
        return get_last_name(self.peering_id)

    @property
    def resource_id(self) -> str:
        """The id of what is written."""
        return self.peering_id

    def to_peering(self) -> Peering | None:
        """Return the peering as it is after the write; None after a deletion."""
        if self.after is None:
            return None
        return Peering(
            id=self.peering_id,
            name=self.name,
            virtual_network=get_network_id(self.peering_id),
            remote_virtual_network=self.remote_virtual_network,
            state="Connected",
            sync_level=None,
            provisioning_state="Succeeded",
            flags=self.after,
        )


@dataclass(frozen=True, slots=True)
class RouteWrite:
    """One write of a route of a table."""

    change: Change
    table_id: str
    before: UserRoute | None
    after: UserRoute | None
    """None for a deletion."""

    @property
    def name(self) -> str:
        """The name of the route."""
        route = self.after or self.before
        return route.name if route else ""

    @property
    def full_name(self) -> str:
        """The name of the route, after its table's: ``rt-spokes/default``."""
        return f"{get_last_name(self.table_id)}/{self.name}"

    @property
    def route_id(self) -> str:
        """The id of the route."""
        return build_child_id(self.table_id, ROUTE, self.name)

    def reverse(self) -> RouteWrite:
        """Return the write that takes this one back."""
        change = {Change.CREATE: Change.DELETE, Change.DELETE: Change.CREATE}
        return RouteWrite(
            change.get(self.change, self.change), self.table_id, self.after, self.before
        )


@dataclass(frozen=True, slots=True)
class NextHopWrites:
    """The writes of the routes of all tables of a spoke, made at once."""

    tables: tuple[str, ...]
    """The ids of the spoke's tables, whether or not anything of them is left to write."""
    routes: tuple[RouteWrite, ...]

    @property
    def change(self) -> Change:
        """What they do: whatever all of them do, or a change of the tables."""
        changes = {write.change for write in self.routes}
        if not changes:
            return Change.KEEP
        return changes.pop() if len(changes) == 1 else Change.UPDATE

    @property
    def name(self) -> str:
        """The names of the tables."""
        return ", ".join(map(get_last_name, self.tables))

    @property
    def resource_id(self) -> str:
        """The id of the first table: what a journal names."""
        return self.tables[0]

    def reverse(self) -> NextHopWrites:
        """Return the writes that take these back, in the opposite order."""
        routes = tuple(write.reverse() for write in reversed(self.routes))
        return NextHopWrites(self.tables, routes)


StepWrite = PeeringWrite | NextHopWrites
"""What a step writes."""


@dataclass(frozen=True, slots=True)
class SwitchStep:
    """One step of a switch, as the operator sees it before it is done."""

    kind: StepKind
    phase: Phase
    number: int
    """For display, and in the id; decisions depend on ``kind`` and ``phase``."""
    spoke: str
    title: str
    why: str
    write: StepWrite
    gated: bool = False
    """Whether the gate must hold immediately before."""
    contingency: tuple[StepWrite, ...] = ()
    """What is written, in this order, if Azure refuses this step or fails at it."""

    @property
    def peering(self) -> PeeringWrite:
        """Return the write of a step that writes a peering.

        Raises:
            TypeError: it writes routes.
        """
        if not isinstance(self.write, PeeringWrite):
            raise TypeError(f"{self.id} writes no peering")
        return self.write

    @property
    def written_names(self) -> tuple[str, ...]:
        """Return the names of what it writes: a peering, or each route after its table's name."""
        if isinstance(self.write, PeeringWrite):
            return (self.write.name,)
        return tuple(write.full_name for write in self.write.routes)

    @property
    def peerings_back(self) -> tuple[PeeringWrite, ...]:
        """Return the writes of peerings among the contingency."""
        return tuple(write for write in self.contingency if isinstance(write, PeeringWrite))

    @property
    def takes_off(self) -> bool:
        """Return whether it takes the spoke off the path that it is on."""
        write = self.write
        if not isinstance(write, PeeringWrite) or self.kind is not StepKind.BREAK:
            return False
        used = write.before is not None and write.before.use_remote_gateways
        return write.change is not Change.KEEP and used

    @property
    def id(self) -> str:
        """Unique within a plan; what journal and schedule call it."""
        return f"{self.spoke}/{self.number}"


class Purpose(StrEnum):
    """What a plan is for."""

    SWITCH = "switch"
    PRESTAGE = "prestage"
    UNPRESTAGE = "unprestage"


@dataclass(frozen=True, slots=True)
class SwitchPlan:
    """What a switch would do: every write it may make, contingencies included."""

    site: str
    target: Path
    steps: tuple[SwitchStep, ...]
    guards: tuple[Condition, ...]
    """What must hold before anything is written, as of now."""
    purpose: Purpose = Purpose.SWITCH
    hazards: tuple[Condition, ...] = ()
    """What else could keep traffic off the target; see ``hazards``."""
    remarks: tuple[str, ...] = ()
    """What the site file says otherwise than Azure, with the line to change."""
    left_out: Mapping[str, Condition] = field(default_factory=dict)
    """The spokes that are not moved, and why; the others are."""
    hold_time: str = ""
    """What the hold time of a switch back rests on, in words; empty without one."""
    leaves_healthy: tuple[str, ...] = ()
    """The spokes that the switch takes off a path that works."""
    undoes: str = ""
    """The run that the plan undoes, in words; empty for any other plan."""
    sharing: tuple[tuple[str, ...], ...] = ()
    """The spokes that share a route table, those included that are left out; one that shares none
    is in no group."""
    tied: tuple[tuple[str, ...], ...] = ()
    """Of these groups, those that go together or not at all: a spoke of them is on a path that
    works."""
    way_back: tuple[Condition, ...] = ()
    """Why a switch back would be refused now; empty if it would not be."""

    @property
    def writes(self) -> tuple[SwitchStep, ...]:
        """The steps that change something."""
        return tuple(step for step in self.steps if step.write.change is not Change.KEEP)

    def drop_spokes(self, left_out: Mapping[str, Condition]) -> SwitchPlan:
        """Return the plan without some spokes, each with the reason."""
        steps = tuple(step for step in self.steps if step.spoke not in left_out)
        return replace(self, steps=steps, left_out={**left_out, **self.left_out})
