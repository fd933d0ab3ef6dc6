"""The bound of a switch: by hand where that can be done, and never above what somebody achieves."""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator, Sequence
from itertools import permutations
from pathlib import Path

import pytest

from erfailover.lab.engine.throttling import Limits, Throttling
from tests.tools.bench import bound, ours
from tests.tools.bench.bound import Readings, SpokeWrites, Tunnel
from tests.tools.bench.rows import Way
from tests.tools.bench.worlds import Worlds

LIMITS = Limits()
NONE = Readings(deciding=0.0, arriving=0.0)
PATH = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v"


def test_one_prestaged_spoke_needs_its_two_writes_and_the_learning() -> None:
    readings = Readings(deciding=6.0, arriving=5.0, leaving=1.0)
    result = bound.compute_switch_bound([SpokeWrites(3.0, 4.0)], readings, 10.0, LIMITS)
    assert (result.written_s, result.rule) == (7.0, "chain")
    assert result.shown_s == 7.0 + 10.0
    assert result.whole_s == 6.0 + 17.0


def test_a_reading_that_takes_longer_than_all_the_rest_decides() -> None:
    readings = Readings(deciding=0.0, arriving=18.0)
    assert (
        bound.compute_switch_bound([SpokeWrites(3.0, 4.0)], readings, 10.0, LIMITS).shown_s == 18.0
    )


def test_a_reading_that_waits_for_a_token_decides() -> None:
    limits = Limits(writes=(3, 0.01))
    readings = Readings(deciding=0.0, arriving=1.0)
    result = bound.compute_switch_bound([SpokeWrites(1.0, 1.0)], readings, 10.0, limits)
    assert result.shown_s == pytest.approx(300.0 + 1.0)


def test_one_cold_spoke_needs_its_four_writes() -> None:
    result = bound.compute_switch_bound([SpokeWrites(3.0, 4.0, 2.0, 5.0)], NONE, 0.0, LIMITS)
    assert (result.written_s, result.rule) == (14.0, "chain")


def test_a_slow_reading_of_the_hub_that_is_left_can_decide() -> None:
    readings = Readings(deciding=0.0, arriving=1.0, leaving=19.0)
    result = bound.compute_switch_bound([SpokeWrites(3.0, 4.0)], readings, 10.0, LIMITS)
    assert result.shown_s == 19.0


def test_prestaged_spokes_overlap() -> None:
    spokes = [SpokeWrites(3.0, 4.0), SpokeWrites(9.0, 2.0), SpokeWrites(1.0, 1.0)]
    assert bound.compute_switch_bound(spokes, NONE, 0.0, LIMITS).written_s == 11.0


def test_the_hubs_writes_queue_and_the_shortest_tail_follows() -> None:
    slow, quick = SpokeWrites(9.0, 9.0, 2.0, 9.0), SpokeWrites(1.0, 1.0, 2.0, 1.0)
    assert bound.queue_s([slow, quick]) == bound.queue_s([quick, slow]) == 4.0 + 3.0
    result = bound.compute_switch_bound([quick, slow], NONE, 0.0, LIMITS)
    assert (result.written_s, result.rule) == (29.0, "chain")
    result = bound.compute_switch_bound([quick] * 20, NONE, 0.0, LIMITS)
    assert (result.written_s, result.rule) == (40.0 + 3.0, "queue")
    balanced = [quick] * 10 + [SpokeWrites(0.0, 5.0, 2.0, 4.0)] * 10
    result = bound.compute_switch_bound(balanced, NONE, 0.0, LIMITS)
    assert (result.written_s, result.rule) == (40.0 + 9.0, "hub")


def test_two_hundred_writes_are_free_and_then_ten_a_second() -> None:
    free = bound.arrival_s(200, LIMITS, 0, 0.0)
    assert (free, bound.arrival_s(300, LIMITS, 0, 0.0)) == (0.0, 10.0)
    spokes = [SpokeWrites(1.0, 1.0)] * 150
    result = bound.compute_switch_bound(spokes, Readings(1.0, 0.0), 0.0, LIMITS)
    assert (result.written_s, result.rule) == (10.0 + 1.0, "tokens")


def test_the_thousand_and_first_write_waits_for_the_next_five_minutes() -> None:
    assert bound.arrival_s(998, LIMITS, 2, 5.0) == pytest.approx(79.8)
    assert bound.arrival_s(999, LIMITS, 2, 5.0) == 295.0


@pytest.mark.parametrize(("used", "age_s"), [(0, 0.0), (2, 0.0), (2, 6.0)])
def test_the_lab_takes_no_write_before_the_bound_says(used: int, age_s: float) -> None:
    """A client that asks every tenth of a second is never taken earlier, and the bound is met."""
    throttling, count, now = Throttling(LIMITS), 0, 0.0
    for _ in range(used):
        assert throttling.take("POST", PATH, "s", "p", 0.0)[1] is None
    for tick in range(4000):
        now = age_s + tick / 10
        while throttling.take("PUT", PATH, "s", "p", now)[1] is None:
            count += 1
            earliest = bound.arrival_s(count, LIMITS, used, age_s)
            assert tick / 10 >= earliest - 1e-6, f"write {count}"
            assert tick / 10 <= earliest + 0.2, f"write {count}"
    assert count > 1200


@pytest.mark.parametrize("seed", range(20))
def test_no_order_of_the_hubs_queue_beats_the_bound(seed: int) -> None:
    """Even a hub that lends without a pause, to the slowest first, does not."""
    chance = random.Random(seed)
    spokes = [SpokeWrites(*(chance.uniform(1.0, 9.0) for _ in range(4))) for _ in range(4)]
    result = bound.compute_switch_bound(spokes, NONE, 0.0, LIMITS)
    rows = [
        made_s([order[:first], order[first:]])
        for order in permutations(spokes)
        for first in range(4)
    ]
    assert min(rows) >= result.written_s - 1e-9
    assert min(rows) <= 1.3 * result.written_s


def made_s(groups: Sequence[Sequence[SpokeWrites]]) -> float:
    """When the last make ends if the hub lends to one group after the other.

    What refers to the hub waits until it has lent to its group, and the hub lends to the next group
    once none of that is in progress. A break refers to the other hub and holds nothing up.
    """
    now = 0.0
    for group in groups:
        lent_s = now + sum(spoke.lend for spoke in group)
        ends = [lent_s + spoke.peer + spoke.break_ + spoke.make for spoke in group]
        now = max(ends, default=now)
    return now


@pytest.mark.parametrize("seed", range(20))
def test_tokens_are_never_bounded_above_what_a_greedy_client_achieves(seed: int) -> None:
    chance = random.Random(seed)
    limits = Limits(writes=(3, 1.0))
    pairs = [(chance.uniform(1.0, 5.0), chance.uniform(1.0, 5.0)) for _ in range(12)]
    spokes = [SpokeWrites(*pair) for pair in pairs]
    result = bound.compute_switch_bound(spokes, Readings(100.0, 0.0), 0.0, limits)
    assert result.rule == "tokens"
    assert result.written_s <= greedy_s(pairs, limits) + 1e-9
    assert result.written_s > 12.0


def greedy_s(pairs: Sequence[tuple[float, float]], limits: Limits) -> float:
    """When the last make ends if the write with the most ahead of it takes each token."""
    ready = [(0.0, break_ + make, break_, make) for break_, make in pairs]
    now, number, end = 0.0, 1, 0.0
    while ready:
        now = max(now, bound.arrival_s(number, limits, 2, 100.0), min(pair[0] for pair in ready))
        at = max((pair for pair in ready if pair[0] <= now), key=lambda item: item[1])
        ready.remove(at)
        number += 1
        _, _, takes, make = at
        if make:
            ready.append((now + takes, make, make, 0.0))
        end = max(end, now + takes)
    return end


def test_the_longest_chain_of_a_provision() -> None:
    assert (
        bound.compute_provision_bound([Tunnel(1.0, 900.0, 8.0), Tunnel(3.0, 1000.0, 5.0)]) == 1008.0
    )


def test_the_bound_imports_nothing_of_the_controller() -> None:
    tree = ast.parse(Path(bound.__file__).read_text())
    imported = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {
        name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names
    }
    ours = {name for name in imported if name.startswith("erfailover")}
    assert ours == {"erfailover.lab.engine.throttling"}


FEW_SEEDS, ALL_SEEDS = range(1, 9), range(9, 201)


@pytest.fixture(scope="module")
def worlds() -> Iterator[Worlds]:
    """The worlds that are switched."""
    made = Worlds()
    yield made
    made.close()


def insist_on_bound(worlds: Worlds, seed: int) -> None:
    """No row is below its bound, from the command's start or from the first write."""
    for way in (Way.PRESTAGED, Way.COLD):
        for spokes in (1, 3) if seed % 10 == 0 else (1,):
            switch = ours.switch(worlds, way, spokes, seed)
            assert switch.bound_whole_s is not None
            assert switch.bound_shown_s is not None
            shown_s = switch.whole_s - switch.decided_s
            assert switch.whole_s >= switch.bound_whole_s, f"{way}, {spokes}, seed {seed}"
            assert shown_s >= switch.bound_shown_s, f"{way}, {spokes}, seed {seed}"


@pytest.mark.parametrize("seed", FEW_SEEDS)
def test_no_row_is_below_its_bound(worlds: Worlds, seed: int) -> None:
    insist_on_bound(worlds, seed)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seeds", [ALL_SEEDS[n : n + 48] for n in range(0, 192, 48)])
def test_no_row_of_two_hundred_seeds_is_below_its_bound(worlds: Worlds, seeds: range) -> None:
    for seed in seeds:
        insist_on_bound(worlds, seed)
