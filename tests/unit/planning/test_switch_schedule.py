"""The order of many spokes' steps: priorities, a canary, what waits for what."""

from __future__ import annotations

from dataclasses import replace

import pytest

from erfailover.lab.core.clock import SteppedClock
from erfailover.model.resource_ids import get_network_id
from erfailover.model.site import Path, Site
from erfailover.model.tasks import Task
from erfailover.planning.switch import procedure
from erfailover.planning.switch.schedule import BATCH, Node, schedule
from erfailover.runtime.executor import run as execute
from tests.support import sites

NAMES = ("vnet1", "vnet11", "vnet12", "vnet13")


def nodes(site: Site, target: Path = Path.IPSEC, canary: str | None = None) -> tuple[Node, ...]:
    snapshot = sites.make_snapshot(site, sites.make_state(target.other, site))
    return schedule(site, procedure.plan(site, snapshot, target), canary)


def list_start_order(of: tuple[Node, ...]) -> list[str]:
    """In which order the executor starts the nodes, each taking ten seconds."""
    clock, order = SteppedClock(), []

    def task(node: Node) -> Task:
        step = node.step

        def work() -> None:
            order.append((clock.now(), node.id))
            clock.sleep(10.0)

        return Task(
            node.id,
            node.id,
            work if step or node.checked else None,
            node.needs,
            node.after,
            frozenset({get_network_id(step.peering.peering_id)}) if step else frozenset(),
            frozenset({step.peering.remote_virtual_network}) if step else frozenset(),
        )

    tasks = [task(node) for node in of]
    execute(tasks, clock)
    return [id_ for _, id_ in sorted(order)]


def place(order: list[str], *ids: str) -> list[int]:
    return [order.index(id_) for id_ in ids]


def test_the_hubs_peerings_come_first_and_no_make_waits_for_one() -> None:
    order = list_start_order(nodes(sites.site(*NAMES)))
    lends = place(order, *(f"{name}/1" for name in NAMES))
    breaks = place(order, *(f"{name}/3" for name in NAMES))
    assert lends == [0, 1, 2, 3]
    assert max(lends) < min(breaks)


def test_a_spokes_own_steps_keep_their_order() -> None:
    order = list_start_order(nodes(sites.site(*NAMES)))
    for name in NAMES:
        rows = place(order, *(f"{name}/{number}" for number in (1, 2, 3, 4, 5)))
        assert rows == sorted(rows)


def test_withdrawing_transit_comes_after_every_make() -> None:
    order = list_start_order(nodes(sites.site(*NAMES)))
    makes = place(order, *(f"{name}/4" for name in NAMES))
    assert max(makes) < min(place(order, *(f"{name}/5" for name in NAMES)))


def test_a_lower_priority_number_is_through_before_a_higher_one_is_begun() -> None:
    site = sites.site(*NAMES)
    urgent = replace(
        site,
        spokes=tuple(
            replace(spoke, priority=1) if spoke.name in ("vnet12", "vnet13") else spoke
            for spoke in site.spokes
        ),
    )
    order = list_start_order(nodes(urgent))
    first = place(order, *(f"{name}/4" for name in ("vnet12", "vnet13")))
    assert max(first) < min(place(order, "vnet1/1", "vnet11/1"))


def test_a_canary_is_checked_before_the_others_are_begun() -> None:
    order = list_start_order(nodes(sites.site(*NAMES), canary="vnet12"))
    check = order.index("check/vnet12")
    assert order.index("vnet12/4") < check
    assert all(place(order, f"{name}/1")[0] > check for name in NAMES if name != "vnet12")


def test_a_canary_that_fails_leaves_the_others_alone() -> None:
    by_name = {node.id: node for node in nodes(sites.site(*NAMES), canary="vnet12")}
    for name in NAMES:
        if name != "vnet12":
            assert "check/vnet12" in by_name[f"{name}/1"].needs
            assert "check/vnet12" in by_name[f"{name}/3"].needs


@pytest.mark.parametrize("target", list(Path))
@pytest.mark.parametrize("canary", [None, "vnet1"])
def test_every_write_of_the_plan_is_in_the_schedule_once(target: Path, canary: str | None) -> None:
    site = sites.site(*NAMES)
    snapshot = sites.make_snapshot(site, sites.make_state(target.other, site))
    plan = procedure.plan(site, snapshot, target)
    steps = [node.step for node in nodes(site, target, canary) if node.step]
    assert sorted(map(repr, steps)) == sorted(map(repr, plan.writes))


def test_only_the_make_completes_what_was_begun() -> None:
    completes = {
        node.step.number for node in nodes(sites.site(*NAMES)) if node.step and node.completes
    }
    assert completes == {4}


def test_many_spokes_that_must_be_prepared_go_in_batches_and_prestaged_ones_do_not() -> None:
    names = tuple(f"vnet{number}" for number in range(100, 100 + BATCH + 1))
    site = sites.site(*names)
    order = list_start_order(nodes(site))
    half = -(-len(names) // 2)
    first, second = names[:half], names[half:]
    moved = place(order, *(f"{name}/4" for name in first))
    assert max(moved) < min(place(order, *(f"{name}/1" for name in second)))
    staged = replace(site, spokes=tuple(spoke.to_prestaged() for spoke in site.spokes))
    plan = procedure.plan(
        staged, sites.make_snapshot(site, sites.make_state(Path.EXPRESSROUTE, staged)), Path.IPSEC
    )
    graph = schedule(staged, plan)
    assert {node.step.number for node in graph if node.step} == {3, 4, 5}
    assert {node.id for node in graph if node.step is None} == {"prepared/0", "made/0"}
