"""A plan of a switch: its steps, what each writes, and why. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, StrEnum

from erfailover.model.conditions import Condition
from erfailover.model.observed import Peering
from erfailover.model.peering_flags import Flags
from erfailover.model.resource_ids import get_last_name, get_network_id
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
class SwitchStep:
    """One step of a switch, as the operator sees it before it is done."""

    kind: StepKind
    phase: Phase
    number: int
    """For display, and in the id; decisions depend on ``kind`` and ``phase``."""
    spoke: str
    title: str
    why: str
    write: PeeringWrite
    gated: bool = False
    """Whether the gate must hold immediately before."""
    contingency: tuple[PeeringWrite, ...] = ()
    """What is written, in this order, if Azure refuses this step or fails at it."""

    @property
    def takes_off(self) -> bool:
        """Return whether it takes the spoke off the path that it is on."""
        before = self.write.before
        used = before is not None and before.use_remote_gateways
        return self.kind is StepKind.BREAK and self.write.change is not Change.KEEP and used

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
