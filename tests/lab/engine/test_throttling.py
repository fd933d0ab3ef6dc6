"""Azure's limits on requests, by modelled time."""

from __future__ import annotations

import pytest

from erfailover.lab.core.clock import SteppedClock
from erfailover.lab.engine.lab import Lab
from erfailover.lab.engine.throttling import Limits, Throttling
from erfailover.lab.server.server import LabServer
from tests.support.arm_client import Arm

NETWORK = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v"
OTHER = "/subscriptions/s/resourceGroups/g"


def try_take(throttling: Throttling, method: str, now: float, path: str = OTHER) -> bool:
    return throttling.take(method, path, "s", "p", now)[1] is None


@pytest.mark.parametrize(
    ("method", "size", "per_second"),
    [("GET", 250, 25), ("HEAD", 250, 25), ("PUT", 200, 10), ("POST", 200, 10), ("DELETE", 200, 10)],
)
def test_a_bucket_runs_dry_and_fills_again(method: str, size: int, per_second: int) -> None:
    throttling = Throttling(Limits())
    assert sum(try_take(throttling, method, 0.0) for _ in range(1000)) == size
    assert sum(try_take(throttling, method, 3.0) for _ in range(1000)) == 3 * per_second
    assert sum(try_take(throttling, method, 1e6) for _ in range(1000)) == size


def test_reads_writes_and_deletes_have_buckets_of_their_own() -> None:
    throttling = Throttling(Limits())
    while try_take(throttling, "PUT", 0.0):
        pass
    assert try_take(throttling, "GET", 0.0)
    assert try_take(throttling, "DELETE", 0.0)


def test_the_subscriptions_bucket_is_15_times_larger_and_shared() -> None:
    throttling = Throttling(Limits())
    served = sum(
        throttling.take("GET", OTHER, "s", f"p{number}", 0.0)[1] is None
        for number in range(20)
        for _ in range(250)
    )
    assert served == 15 * 250
    headers, refusal = throttling.take("GET", OTHER, "s", "another", 0.0)
    assert refusal is not None
    assert headers["x-ms-ratelimit-remaining-subscription-global-reads"] == "0"
    assert throttling.take("GET", OTHER, "other", "another", 0.0)[1] is None


def test_the_network_takes_1000_writes_in_five_minutes() -> None:
    throttling = Throttling(Limits())
    served = sum(
        try_take(throttling, "PUT", second, NETWORK) for second in range(299) for _ in "abcde"
    )
    assert served == 1000
    _, refusal = throttling.take("PUT", NETWORK, "s", "p", 299.5)
    assert refusal is not None
    assert (refusal.status, refusal.retry_after_s) == (429, 1)
    assert try_take(throttling, "PUT", 299.5)
    assert try_take(throttling, "PUT", 300.0, NETWORK)


def test_without_limits_everything_is_taken_and_nothing_told() -> None:
    throttling = Throttling(None)
    assert all(throttling.take("GET", OTHER, "s", "p", 0.0) == ({}, None) for _ in range(1000))


def test_answers_tell_what_is_left_and_429_says_when_to_come_again(arm: Arm) -> None:
    before = arm.call("GET", arm.root)
    left = int(before.headers["x-ms-ratelimit-remaining-subscription-reads"])
    assert before.headers["x-ms-ratelimit-remaining-subscription-global-reads"] == str(
        3750 - 250 + left
    )
    for _ in range(left):
        assert arm.call("GET", arm.root).status == 200
    refused = arm.call("GET", arm.root)
    assert (refused.status, refused.code) == (429, "SubscriptionRequestsThrottled")
    arm.clock.sleep(int(refused.headers["Retry-After"]))
    assert arm.call("GET", arm.root).status == 200


def test_limits_are_on_unless_a_lab_is_made_without() -> None:
    clock = SteppedClock()
    lab = Lab(clock, limits=None)
    with LabServer(lab) as server:
        arm = Arm(lab, clock, server.endpoint, str(server.ca_file))
        arm.make_group()
        assert {arm.call("GET", arm.root).status for _ in range(300)} == {200}
        arm.pool.clear()
