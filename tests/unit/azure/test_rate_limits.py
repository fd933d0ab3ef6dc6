"""The budget of a run: ARM's token buckets, Microsoft.Network's window, looks at operations."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from erfailover.azure.client import deadline as deadlines
from erfailover.azure.client.rate_limits import (
    BUCKETS,
    NETWORK_LIMITS,
    PacingPolicy,
    RateLimiter,
    is_exhausted,
)
from erfailover.errors import AzureErrorKind, AzureFailure
from erfailover.lab.core.clock import SteppedClock
from erfailover.lab.engine.throttling import Limits, Throttling

GATEWAY = "https://arm/subscriptions/S1/resourceGroups/g/providers/Microsoft.Network/x/y"
MACHINE = "https://arm/subscriptions/S1/resourceGroups/g/providers/Microsoft.Compute/x/y"


@pytest.mark.parametrize(("method", "count"), [("GET", 900), ("PUT", 700), ("DELETE", 700)])
def test_a_run_that_asks_all_it_can_meets_no_limit_of_the_lab(method: str, count: int) -> None:
    clock = SteppedClock()
    budget, limits = RateLimiter(clock), Throttling(Limits())
    for _ in range(count):
        budget.take(method, MACHINE)
        _, refusal = limits.take(method, MACHINE, "s1", "me", clock.now())
        assert refusal is None, clock.now()


def test_as_fast_as_the_bucket_grants_and_hardly_slower() -> None:
    clock = SteppedClock()
    budget = RateLimiter(clock)
    for _ in range(700):
        budget.take("PUT", MACHINE)
    size, per_second = BUCKETS["writes"]
    assert (700 - size) / per_second <= clock.now() <= (700 - size) / per_second + 1.0


def test_more_writes_than_microsoft_network_takes_wait_for_its_next_five_minutes() -> None:
    clock = SteppedClock()
    budget, limits = RateLimiter(clock), Throttling(Limits())
    for _ in range(NETWORK_LIMITS["writes"] + 50):
        budget.take("PUT", GATEWAY)
        _, refusal = limits.take("PUT", GATEWAY, "s1", "me", clock.now())
        assert refusal is None, clock.now()
    assert 300.0 < clock.now() < 310.0


def test_a_reading_does_not_wait_behind_a_thousand_writes() -> None:
    clock = SteppedClock()
    budget = RateLimiter(clock)
    for _ in range(NETWORK_LIMITS["writes"] - 40):
        budget.take("PUT", GATEWAY)
    before = clock.now()
    budget.take("POST", GATEWAY)
    assert clock.now() - before < 1.0
    budget.take("PUT", GATEWAY)
    assert clock.now() > 300.0


def test_a_make_whose_token_was_taken_with_the_break_waits_for_none() -> None:
    clock = SteppedClock()
    budget = RateLimiter(clock)
    one, two = (f"/subscriptions/S1/providers/Microsoft.Network/x/{n}" for n in "12")
    for _ in range(NETWORK_LIMITS["writes"] - 41):
        budget.take("PUT", GATEWAY)
    before = clock.now()
    budget.prepay((one, two))
    assert clock.now() > before + 100.0, "there was room for one of the two only"
    budget.record_refusal("PUT", f"https://arm{one}", 500.0)
    before = clock.now()
    budget.take("PUT", f"https://arm{one.lower()}?api-version=1")
    budget.take("PUT", f"https://arm{two}?api-version=1")
    assert clock.now() == before
    budget.take("PUT", f"https://arm{two}?api-version=1")
    assert clock.now() > before, "once each"


def test_what_is_forgone_is_no_longer_paid_for() -> None:
    clock = SteppedClock()
    budget = RateLimiter(clock)
    id_ = "/subscriptions/S1/providers/Microsoft.Network/x/1"
    budget.prepay((id_,))
    budget.forgo((id_,))
    budget.record_refusal("PUT", f"https://arm{id_}", 50.0)
    budget.take("PUT", f"https://arm{id_}")
    assert clock.now() > 40.0


def test_what_others_use_up_is_heeded() -> None:
    clock = SteppedClock()
    budget = RateLimiter(clock)
    budget.record_remaining("PUT", GATEWAY, {"x-ms-ratelimit-remaining-subscription-writes": "0"})
    budget.take("PUT", GATEWAY)
    assert clock.now() > 0.0
    before = clock.now()
    budget.take("GET", GATEWAY)
    assert clock.now() == before


def test_after_a_refusal_nobody_asks_before_its_time_is_over() -> None:
    clock = SteppedClock()
    budget = RateLimiter(clock)
    budget.record_refusal("GET", GATEWAY, 17.0)
    budget.take("GET", GATEWAY)
    assert clock.now() >= 17.0


def test_subscriptions_have_buckets_of_their_own() -> None:
    clock = SteppedClock()
    budget = RateLimiter(clock)
    budget.record_refusal("GET", GATEWAY, 17.0)
    budget.take("GET", GATEWAY.replace("S1", "S2"))
    budget.take("GET", "https://arm/tenants")
    assert clock.now() == 0.0


def test_looks_at_few_operations_need_not_keep_off_and_at_many_come_less_often() -> None:
    clock = SteppedClock()
    budget = RateLimiter(clock)
    with budget.share_polls():
        assert budget.compute_poll_delay_s() == 0.0
    waits = []
    for _ in range(600):
        budget._watching = 200
        waits.append(budget.compute_poll_delay_s())
    assert waits[0] < waits[-1]
    assert waits[-1] == pytest.approx(200 / 14.0, abs=1.0)


def test_a_bucket_without_a_token_is_told_from_one_with_tokens_left() -> None:
    assert is_exhausted({"x-ms-ratelimit-remaining-subscription-reads": "0"})
    assert not is_exhausted({"x-ms-ratelimit-remaining-subscription-reads": "7"})
    assert not is_exhausted({})


def test_a_wait_for_a_token_that_outlasts_the_deadline_is_refused_instead() -> None:
    clock = SteppedClock()
    budget = RateLimiter(clock)
    budget.record_refusal("PUT", GATEWAY, 3600.0)
    with (
        deadlines.apply_deadline(60.0),
        pytest.raises(AzureFailure, match="is used up") as caught,
    ):
        budget.take("PUT", GATEWAY)
    assert caught.value.kind is AzureErrorKind.THROTTLED
    assert not caught.value.outcome_unknown
    assert clock.now() == 0.0
    with deadlines.apply_deadline(4000.0):
        budget.take("PUT", GATEWAY)
    assert 3600.0 <= clock.now() <= 4000.0


def test_who_was_refused_a_wait_keeps_nobody_waiting() -> None:
    clock = SteppedClock()
    budget = RateLimiter(clock)
    budget.record_refusal("PUT", GATEWAY, 100.0)
    for _ in range(100):
        with deadlines.apply_deadline(1.0), pytest.raises(AzureFailure):
            budget.take("PUT", GATEWAY)
    budget.take("PUT", GATEWAY)
    assert clock.now() < 102.0


def test_tokens_taken_ahead_are_waited_for_within_a_limit() -> None:
    clock = SteppedClock()
    budget = RateLimiter(clock)
    id_ = "/subscriptions/S1/providers/Microsoft.Network/x/1"
    budget.record_refusal("PUT", f"https://arm{id_}", 1000.0)
    with pytest.raises(AzureFailure):
        budget.prepay((id_,), within_s=600.0)
    assert clock.now() == 0.0
    budget.prepay((id_,), within_s=1200.0)
    assert clock.now() >= 1000.0


def test_the_writes_of_a_spoke_that_is_owed_a_path_never_wait() -> None:
    clock = SteppedClock()
    budget = RateLimiter(clock)
    id_ = "/subscriptions/S1/providers/Microsoft.Network/x/1"
    budget.record_refusal("PUT", f"https://arm{id_}", 3600.0)
    budget.exempt((id_,), True)
    with deadlines.apply_deadline(1.0):
        for _ in range(50):
            budget.take("PUT", f"https://arm{id_}?api-version=1")
    assert clock.now() == 0.0


@pytest.mark.parametrize("text", ["1000000000", "nan", "inf", "-5", "soon", "9" * 400])
def test_a_refusal_counts_until_the_deadline_of_whoever_met_it(text: str) -> None:
    clock = SteppedClock()
    budget = RateLimiter(clock)
    headers = {"Retry-After": text, "x-ms-ratelimit-remaining-subscription-writes": "0"}
    request = SimpleNamespace(http_request=SimpleNamespace(method="PUT", url=GATEWAY))
    answer = SimpleNamespace(http_response=SimpleNamespace(status_code=429, headers=headers))
    with deadlines.apply_deadline(60.0):
        PacingPolicy(budget).on_response(request, answer)
    with deadlines.apply_deadline(70.0):
        budget.take("PUT", GATEWAY)
    assert clock.now() <= 61.0
