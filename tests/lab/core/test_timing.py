"""Drawn durations: repeatable, and independent of the order in which they are asked for."""

from __future__ import annotations

import statistics

import pytest

from erfailover.lab.core.timing import Durations, spread_of

PEERING = "Microsoft.Network/virtualNetworks/virtualNetworkPeerings"
A, B = "/subscriptions/s/peerings/a", "/subscriptions/s/peerings/b"


def test_a_draw_does_not_depend_on_what_is_asked_before_it() -> None:
    one, other = Durations(3), Durations(3)
    first = [one.seconds(PEERING, "update", resource=each) for each in (A, B, A)]
    assert len(set(first)) == 3
    found_b = other.seconds(PEERING, "update", resource=B)
    other.seconds(PEERING, "create", resource=A)
    found_a = [other.seconds(PEERING, "update", resource=A) for _ in range(2)]
    assert [found_a[0], found_b, found_a[1]] == first


def test_letter_case_makes_no_difference() -> None:
    found = Durations(3).seconds(PEERING.lower(), "update", resource=A.upper())
    assert found == Durations(3).seconds(PEERING, "update", resource=A)


def test_what_is_foretold_comes_true_and_foretelling_counts_nothing() -> None:
    durations = Durations(5)
    foretold = [durations.foretold(PEERING, "update", "", A, number) for number in range(4)]
    assert [durations.seconds(PEERING, "update", "", A) for _ in range(4)] == foretold


def test_other_seeds_draw_otherwise_and_none_takes_the_median() -> None:
    drawn = {Durations(seed).seconds(PEERING, "update", resource=A) for seed in range(20)}
    assert len(drawn) == 20
    assert Durations().seconds(PEERING, "update", resource=A) == 2.0


@pytest.mark.parametrize("verb", ["create", "update", "delete"])
def test_draws_have_the_recorded_percentiles(verb: str) -> None:
    durations = Durations(1)
    drawn = [durations.seconds(PEERING, verb, resource=f"{A}{each}") for each in range(4000)]
    spread = spread_of(PEERING, verb)
    found = statistics.quantiles(drawn, n=10)
    assert found[0] == pytest.approx(spread.p10, rel=0.1)
    assert found[4] == pytest.approx(spread.p50, rel=0.1)
    assert found[8] == pytest.approx(spread.p90, rel=0.1)
