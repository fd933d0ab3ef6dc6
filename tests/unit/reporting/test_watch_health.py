"""When the watch is alive and when it is ready."""

from __future__ import annotations

from erfailover.model.watch import SiteView
from erfailover.reporting.watch import health
from tests.support.watch_views import NOW, make_reading, make_standby_view, make_view


def unready(view: SiteView, started: float = NOW - 1000.0) -> list[str]:
    return health.list_unready([view], started, NOW)


class TestAlive:
    def test_a_loop_that_moves_or_has_not_begun_is_alive(self) -> None:
        views = [make_view(), make_standby_view(heartbeat_at=None)]
        assert health.list_stalled(views, NOW) == []

    def test_one_that_has_done_nothing_for_long_is_not(self) -> None:
        limit = 3 * 30 + health.STALLED_S
        assert health.list_stalled([make_view(heartbeat_at=NOW - limit)], NOW) == []
        (reason,) = health.list_stalled([make_view(heartbeat_at=NOW - limit - 1)], NOW)
        assert reason == "poc: the watch loop has done nothing for 6 min 31 s."

    def test_a_run_is_not_ended_by_an_orchestrator(self) -> None:
        view = make_view(heartbeat_at=NOW - 10_000, run="switch to IPsec")
        assert health.list_stalled([view], NOW) == []


class TestReady:
    def test_a_fresh_reading_is_ready(self) -> None:
        assert unready(make_view()) == []

    def test_an_old_reading_of_the_leader_is_not_and_of_a_standby_does_not_count(self) -> None:
        old = make_reading(at=NOW - 151.0)
        assert unready(make_view(reading=old)) == [
            "poc: the last reading is 2 min 31 s old; one is due every 30 s."
        ]
        assert unready(make_view(reading=make_reading(at=NOW - 150.0))) == []
        assert unready(make_view(reading=old, is_leader=False)) == []
        assert unready(make_view(reading=old, interval_s=60.0)) == []

    def test_a_leader_that_never_read_is_not_after_the_same_time(self) -> None:
        view = make_view(reading=None)
        assert unready(view, started=NOW - 100.0) == []
        assert unready(view, started=NOW - 200.0) == [
            "poc: the last reading never ended; one is due every 30 s."
        ]

    def test_a_lost_store_is_not_on_any_replica(self) -> None:
        reasons = unready(make_standby_view(store_problem="HTTP 503"))
        assert reasons == ["poc: the shared store cannot be used: HTTP 503"]
