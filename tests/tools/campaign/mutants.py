"""Wrong controllers: each must turn the campaign red, and by the check named.

Each is the controller with one thing changed in the forked process that tries it. Nothing here
runs in the process that forks. Those that end or mislead a run between break and make are in
``stranding``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

from erfailover.azure import peerings, writer
from erfailover.azure.client.retries import WRITE
from erfailover.commands.runs import recorder
from erfailover.commands.switch import crossing, gate
from erfailover.errors import AzureErrorKind, AzureFailure
from erfailover.model import observed as model_observed
from erfailover.model.conditions import Condition, ConditionStatus
from erfailover.model.observed import SiteSnapshot
from erfailover.model.plan import Change, StepKind, SwitchPlan, SwitchStep
from erfailover.model.site import Path, Site
from erfailover.planning import conditions
from erfailover.planning.switch import procedure, recovery
from erfailover.planning.switch.recovery import Move, PathState
from erfailover.runtime.state import lease_keeper
from tests.tools.campaign.mutant import Mutant, Patch, patch
from tests.tools.campaign.stranding import STRANDING


def _patch_plan(change: Callable[[Sequence[SwitchStep]], Sequence[SwitchStep]]) -> Patch:
    """A procedure whose steps are changed after planning."""

    def apply() -> None:
        right = procedure.plan

        def plan(
            site: Site, observed: SiteSnapshot, target: Path, ours: frozenset[str] = frozenset()
        ) -> SwitchPlan:
            switch_plan = right(site, observed, target, ours)
            return replace(switch_plan, steps=tuple(change(switch_plan.steps)))

        procedure.plan = plan

    return apply


def _swap(steps: Sequence[SwitchStep]) -> Sequence[SwitchStep]:
    writes = {(step.spoke, step.kind): step.peering for step in steps}
    other = {StepKind.BREAK: StepKind.MAKE, StepKind.MAKE: StepKind.BREAK}
    return [
        replace(step, write=writes[step.spoke, other.get(step.kind, step.kind)]) for step in steps
    ]


def _delete(steps: Sequence[SwitchStep]) -> Sequence[SwitchStep]:
    return [
        replace(step, write=replace(step.peering, change=Change.DELETE, after=None))
        if step.number == 3 and step.peering.change is Change.UPDATE
        else step
        for step in steps
    ]


def _deleting() -> None:
    _patch_plan(_delete)()
    procedure.find_breaches = lambda site, plan: []
    peerings.refuse_if_in_use = lambda peering, name: None


def _no_contingency() -> None:
    """A make that fails is neither repeated nor rolled back."""
    right = recovery.choose_move

    def next_move(place: PathState, *rest: Any, **more: Any) -> Move:
        move = right(place, *rest, **more)
        return Move.GIVE_UP if move in (Move.MAKE, Move.ROLL_BACK) else move

    patch(crossing, "choose_move", next_move)


def _no_gate() -> None:
    gate.Gate.wait_for = lambda self, spoke: None  # type: ignore[method-assign]


def _no_lease() -> None:
    patch(lease_keeper.LeaseKeeper, "check", lambda self, write=None: None)


def _blind() -> None:
    def write(
        self: writer.Writer, what: str, resource_id: str, work: Callable[[], Any], *rest: Any
    ) -> None:
        for _ in range(5):
            try:
                retries = self._session.build_retries(self._waiting)
                retries.call(what, work, on=WRITE, deadline=rest[0])
                return
            except AzureFailure as failure:
                if not failure.outcome_unknown:
                    raise

    patch(writer.Writer, "_write", write)


def _unknown_is(verdict: ConditionStatus) -> Patch:
    def apply() -> None:
        for name in ("check_gateway_connected", "check_gateway_learned"):
            patch(conditions, name, _force_verdict(getattr(conditions, name), verdict))

    return apply


def _force_verdict(
    right: Callable[..., Condition], verdict: ConditionStatus
) -> Callable[..., Condition]:
    def judge(*arguments: Any) -> Condition:
        condition = right(*arguments)
        return (
            replace(condition, status=verdict)
            if condition.status is ConditionStatus.UNKNOWN
            else condition
        )

    return judge


def _late_journal() -> None:
    right = recorder.Recorder.record_later
    late: list[dict[str, Any]] = []

    def later(self: recorder.Recorder, event: str, **fields: Any) -> Future[None]:
        if event == "intent":
            late.append(fields)
            future: Future[None] = Future()
            future.set_result(None)
            return future
        while late:
            right(self, "intent", **late.pop(0))
        return right(self, event, **fields)

    recorder.Recorder.record_later = later  # type: ignore[method-assign]


def _no_patience() -> None:
    patch(writer, "WRITE", frozenset({AzureErrorKind.THROTTLED}))


def _failed_is_done() -> None:
    model_observed.Peering.failed = property(lambda self: False)  # type: ignore[method-assign,assignment]
    writer._build_put_check = _flags_alone
    patch(crossing.Crossing, "_is_confirmed", lambda self, peering_id: True)


def _flags_alone(body: Mapping[str, Any]) -> Callable[[Any], bool]:
    desired = body.get("properties") or {}
    flag = "useRemoteGateways"
    return lambda value: bool(value) and value["properties"].get(flag) == desired.get(flag)


MUTANTS = (
    Mutant("break and make swapped", _patch_plan(_swap), "", "second remote gateway attempted"),
    Mutant("gate skipped", _no_gate, "", "gate"),
    Mutant(
        "lease not checked before a write",
        _no_lease,
        "ipsec:PUT:vnet3-to-vnet1:1:during:lease-lost",
        "write without the lease",
    ),
    Mutant(
        "write of unknown outcome repeated blindly",
        _blind,
        "ipsec:PUT:vnet1-to-vnet2:1:before:reset",
        "blind repeat",
    ),
    Mutant(
        "UNKNOWN taken for HOLDS",
        _unknown_is(ConditionStatus.HOLDS),
        "ipsec:POST:vng2/getLearnedRoutes:1:lost:empty-reads",
        "write on an UNKNOWN reading",
    ),
    Mutant(
        "UNKNOWN taken for DOWN",
        _unknown_is(ConditionStatus.FAILS),
        "ipsec:POST:vng2/getLearnedRoutes:1:lost:empty-read",
        "unknown is not down",
    ),
    Mutant(
        "peering deleted instead of updated",
        _deleting,
        "",
        "peering of spoke and primary hub deleted",
    ),
    Mutant(
        "no contingency",
        _no_contingency,
        "ipsec:PUT:vnet1-to-vnet3:2:before:make-refused-back-once",
        "stranded at the end",
    ),
    Mutant("intent in the journal after the act", _late_journal, "", "journal before the act"),
    Mutant(
        "contention not waited out",
        _no_patience,
        "ipsec:PUT:vnet1-to-vnet2:1:before:contention-429",
        "waited out",
    ),
    Mutant(
        "failed operation taken for done",
        _failed_is_done,
        "ipsec:PUT:vnet1-to-vnet3:2:during:operation-failed",
        "stranded at the end",
    ),
    *STRANDING,
)
