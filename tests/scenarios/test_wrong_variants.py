"""The check that guards a switch, and two wrong variants of the procedure that it must catch.

The check: at no change of the lab's world is the Internet path of VM1 cut, the peering of the spoke
and the primary hub is never deleted, nothing is refused, and the switch succeeds.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from erfailover.model.observed import SiteSnapshot
from erfailover.model.plan import Change, StepKind, SwitchPlan
from erfailover.model.site import Path, Site
from erfailover.planning.switch import procedure
from tests.support.stage import Stage

RIGHT = procedure.plan


def faults(stage: Stage) -> list[str]:
    """What a switch to IPsec does wrong."""
    stage.watch("vm1-nic1", "8.8.4.4")
    before = len(stage.lab.trace)
    code = stage.run("switch", "--to", "ipsec", "--yes", "--planned")
    trace_entries = list(stage.lab.trace)[before:]
    lines = [f"exit code {code}"] if code else []
    lines += [f"internet path cut at {cut}" for cut in stage.cuts[:1]]
    lines += [
        f"deleted {trace_entry.path.rsplit('/', 1)[-1]}"
        for trace_entry in trace_entries
        if trace_entry.method == "DELETE" and "vnet2" in trace_entry.path.rsplit("/", 1)[-1]
    ]
    lines += [
        f"refused: {trace_entry.code}"
        for trace_entry in trace_entries
        if trace_entry.write and trace_entry.status >= 400
    ]
    return lines


def test_the_procedure_as_it_is_does_nothing_wrong(provisioned: Stage) -> None:
    provisioned.do("drill", "start", "--yes")
    assert faults(provisioned) == []


def test_break_and_make_swapped_is_caught(
    provisioned: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def swap_writes(
        site: Site, observed: SiteSnapshot, target: Path, ours: frozenset[str] = frozenset()
    ) -> SwitchPlan:
        plan = RIGHT(site, observed, target, ours)
        writes = {step.kind: step.peering for step in plan.writes}
        other = {StepKind.BREAK: StepKind.MAKE, StepKind.MAKE: StepKind.BREAK}
        steps = [
            replace(step, write=writes[other.get(step.kind, step.kind)]) for step in plan.writes
        ]
        return replace(plan, steps=tuple(steps))

    monkeypatch.setattr(procedure, "plan", swap_writes)
    provisioned.do("drill", "start", "--yes")
    lines = faults(provisioned)
    assert any(name.startswith("refused: ") for name in lines)
    assert "exit code 5" in lines


def test_deleting_the_peering_instead_of_changing_it_is_caught(
    provisioned: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deleting(
        site: Site, observed: SiteSnapshot, target: Path, ours: frozenset[str] = frozenset()
    ) -> SwitchPlan:
        plan = RIGHT(site, observed, target, ours)
        steps = [
            replace(step, write=replace(step.peering, change=Change.DELETE, after=None))
            if step.number == 3
            else step
            for step in plan.writes
            if step.number != 5
        ]
        return replace(plan, steps=tuple(steps))

    monkeypatch.setattr(procedure, "plan", deleting)
    monkeypatch.setattr(procedure, "find_breaches", lambda site, plan: [])
    monkeypatch.setattr("erfailover.azure.peerings.refuse_if_in_use", lambda result, name: None)
    provisioned.do("drill", "start", "--yes")
    lines = faults(provisioned)
    assert "deleted vnet1-to-vnet2" in lines
    assert any(name.startswith("internet path cut") for name in lines)


def test_such_a_plan_is_refused_before_anything_is_written(
    provisioned: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(procedure, "find_breaches", lambda site, plan: ["step 3 deletes x"])
    before = len(provisioned.writes())
    assert provisioned.run("switch", "--to", "ipsec", "--yes", "--planned") == 1
    assert "step 3 deletes x" in provisioned.err
    assert [write for write in provisioned.writes()[before:] if not write.startswith("POST")] == []
