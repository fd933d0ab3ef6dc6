"""Drawn durations: repeatable, and independent of the order in which they are asked for."""

from __future__ import annotations

import statistics

import pytest

from erfailover.lab.core.timing import Durations, get_percentiles

PEERING = "Microsoft.Network/virtualNetworks/virtualNetworkPeerings"
A, B = "/subscriptions/s/peerings/a", "/subscriptions/s/peerings/b"


def test_a_draw_does_not_depend_on_what_is_asked_before_it() -> None:
    one, other = Durations(3), Durations(3)
    first = [one.draw_seconds(PEERING, "update", resource=resource_id) for resource_id in (A, B, A)]
    assert len(set(first)) == 3
    found_b = other.draw_seconds(PEERING, "update", resource=B)
    other.draw_seconds(PEERING, "create", resource=A)
    found_a = [other.draw_seconds(PEERING, "update", resource=A) for _ in range(2)]
    assert [found_a[0], found_b, found_a[1]] == first


def test_letter_case_makes_no_difference() -> None:
    seconds = Durations(3).draw_seconds(PEERING.lower(), "update", resource=A.upper())
    assert seconds == Durations(3).draw_seconds(PEERING, "update", resource=A)


def test_what_is_foretold_comes_true_and_foretelling_counts_nothing() -> None:
    durations = Durations(5)
    foretold = [durations.predict_seconds(PEERING, "update", "", A, number) for number in range(4)]
    assert [durations.draw_seconds(PEERING, "update", "", A) for _ in range(4)] == foretold


def test_other_seeds_draw_otherwise_and_none_takes_the_median() -> None:
    drawn = {Durations(seed).draw_seconds(PEERING, "update", resource=A) for seed in range(20)}
    assert len(drawn) == 20
    assert Durations().draw_seconds(PEERING, "update", resource=A) == 2.0


@pytest.mark.parametrize("verb", ["create", "update", "delete"])
def test_draws_have_the_recorded_percentiles(verb: str) -> None:
    durations = Durations(1)
    drawn = [
        durations.draw_seconds(PEERING, verb, resource=f"{A}{number}") for number in range(4000)
    ]
    spread = get_percentiles(PEERING, verb)
    deciles = statistics.quantiles(drawn, n=10)
    assert deciles[0] == pytest.approx(spread.p10, rel=0.1)
    assert deciles[4] == pytest.approx(spread.p50, rel=0.1)
    assert deciles[8] == pytest.approx(spread.p90, rel=0.1)
