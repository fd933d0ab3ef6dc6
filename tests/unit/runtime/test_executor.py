"""The executor: order, conflicts, failures, interruption."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import pytest

from erfailover.errors import Failure, Interrupted
from erfailover.lab.core.clock import SteppedClock
from erfailover.model.tasks import Event, State, Task
from erfailover.runtime import waits
from erfailover.runtime.executor import ConcurrencyLimit, run


def press_ctrl_c() -> None:
    """Send this process a real signal, and let the main thread hear it."""
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.1)


def sleeping(clock: SteppedClock, seconds: float) -> Callable[[], None]:
    return lambda: clock.sleep(seconds)


def test_independent_tasks_take_as_long_as_the_slowest() -> None:
    clock = SteppedClock()
    tasks = [Task(name, name, sleeping(clock, 100.0 + i)) for i, name in enumerate("abc")]
    results = run(tasks, clock)
    assert results.elapsed_s == pytest.approx(102.0)
    assert len(results.list_tasks(State.DONE)) == 3


def test_a_task_waits_for_what_it_needs() -> None:
    clock = SteppedClock()
    first = Task("a", "a", sleeping(clock, 5.0))
    second = Task("b", "b", sleeping(clock, 7.0), needs=frozenset("a"))
    assert run([second, first], clock).elapsed_s == pytest.approx(12.0)


def test_tasks_that_own_or_refer_to_one_network_never_overlap() -> None:
    clock = SteppedClock()
    hub, spoke = frozenset({"hub"}), frozenset({"spoke"})
    owner = Task("a", "a", sleeping(clock, 5.0), owns=hub, refers=spoke)
    user = Task("b", "b", sleeping(clock, 5.0), owns=spoke, refers=hub)
    assert run([owner, user], clock).elapsed_s == pytest.approx(10.0)


def test_tasks_that_only_refer_to_one_network_overlap() -> None:
    clock = SteppedClock()
    hub = frozenset({"hub"})
    tasks = [
        Task(name, name, sleeping(clock, 5.0), owns=frozenset({name}), refers=hub) for name in "ab"
    ]
    assert run(tasks, clock).elapsed_s == pytest.approx(5.0)


def test_no_more_than_the_limit_are_in_flight() -> None:
    clock = SteppedClock()
    tasks = [Task(str(n), str(n), sleeping(clock, 10.0)) for n in range(6)]
    assert run(tasks, clock, width=ConcurrencyLimit(2)).elapsed_s == pytest.approx(30.0)


def test_after_a_failure_what_needs_it_is_skipped_and_the_rest_goes_on() -> None:
    clock = SteppedClock()

    def refuse() -> None:
        raise Failure("no")

    tasks = [
        Task("bad", "bad", refuse),
        Task("needs", "needs", sleeping(clock, 1.0), needs=frozenset({"bad"})),
        Task("needs-that", "x", sleeping(clock, 1.0), needs=frozenset({"needs"})),
        Task("after", "after", sleeping(clock, 1.0), after=frozenset({"bad", "needs"})),
    ]
    results = run(tasks, clock)
    assert [task.id for task in results.list_tasks(State.SKIPPED)] == ["needs", "needs-that"]
    assert [task.id for task in results.list_tasks(State.DONE)] == ["after"]
    with pytest.raises(Failure, match="no"):
        results.raise_first()


def test_ctrl_c_lets_what_is_in_flight_finish_and_starts_nothing_new() -> None:
    clock = SteppedClock()
    rows: list[tuple[str, State]] = []

    def listener(event: Event) -> None:
        rows.append((event.task.id, event.state))
        if (event.task.id, event.state) == ("a", State.DONE):
            press_ctrl_c()

    tasks = [
        Task("a", "first", sleeping(clock, 1.0)),
        Task("b", "second", sleeping(clock, 5.0)),
        Task("c", "third", sleeping(clock, 1.0), needs=frozenset({"b"})),
    ]
    with pytest.raises(Interrupted, match="2 done, 1 not started"):
        run(tasks, clock, listener)
    assert ("b", State.DONE) in rows
    assert ("c", State.STARTED) not in rows


def test_ctrl_c_while_a_task_is_started_counts_it_as_begun() -> None:
    clock = SteppedClock()

    def listener(event: Event) -> None:
        if (event.task.id, event.state) == ("a", State.STARTED) and event.note is None:
            press_ctrl_c()

    tasks = [
        Task("a", "first", sleeping(clock, 1.0)),
        Task("b", "second", sleeping(clock, 1.0)),
    ]
    with pytest.raises(Interrupted, match="1 done, 1 not started"):
        run(tasks, clock, listener)


def test_a_second_ctrl_c_ends_the_wait_and_names_what_is_in_flight() -> None:
    clock = SteppedClock()
    started: list[str] = []

    def listener(event: Event) -> None:
        if event.state is State.STARTED and event.note is None:
            started.append(event.task.id)
        if (event.task.id, event.state) == ("a", State.DONE):
            press_ctrl_c()
            press_ctrl_c()

    tasks = [
        Task("a", "first", sleeping(clock, 1.0)),
        Task("b", "second", sleeping(clock, 5.0)),
        Task("c", "third", sleeping(clock, 1.0), after=frozenset({"a"})),
    ]
    with pytest.raises(
        Interrupted, match="1 done, 1 not started; Azure is still processing: second"
    ):
        run(tasks, clock, listener)
    assert started == ["a", "b"]


def test_a_bug_in_a_task_is_reported_as_one_and_ends_no_other_task() -> None:
    def raise_unexpected() -> None:
        raise ZeroDivisionError("of a kind")

    clock = SteppedClock()
    results = run([Task("a", "a", raise_unexpected), Task("b", "b", sleeping(clock, 1.0))], clock)
    assert [task.id for task in results.list_tasks(State.DONE)] == ["b"]
    failure = results.failures["a"]
    assert failure.message == "a bug in erfailover: ZeroDivisionError: of a kind"
    assert failure.exit_code == 1


@pytest.mark.parametrize("error", [OSError("EIO"), ValueError("closed"), SystemExit(1)])
def test_a_listener_that_fails_ends_no_run(error: BaseException) -> None:
    def listener(event: Event) -> None:
        raise error

    clock = SteppedClock()
    tasks = [
        Task("a", "a", sleeping(clock, 1.0)),
        Task("b", "b", sleeping(clock, 1.0), needs=frozenset({"a"})),
    ]
    results = run(tasks, clock, listener)
    assert [task.id for task in results.list_tasks(State.DONE)] == ["a", "b"]


def test_tasks_that_need_each_other_are_refused() -> None:
    def nothing() -> None:
        return None

    circle = [
        Task("a", "a", nothing, needs=frozenset("b")),
        Task("b", "b", nothing, needs=frozenset("a")),
    ]
    with pytest.raises(ValueError, match="circle"):
        run(circle, SteppedClock())
    with pytest.raises(ValueError, match="no task of the run"):
        run([Task("a", "a", nothing, needs=frozenset("z"))], SteppedClock())


def failing(clock: SteppedClock, seconds: float) -> Callable[[], None]:
    def work() -> None:
        clock.sleep(seconds)
        raise Failure("no")

    return work


def test_a_milestone_is_reached_when_all_before_it_have_ended_and_is_told_to_nobody() -> None:
    clock = SteppedClock()
    lines: list[str] = []
    tasks = [
        Task("a", "a", sleeping(clock, 5.0)),
        Task("b", "b", failing(clock, 9.0)),
        Task("ready", "", None, after=frozenset("ab")),
        Task("c", "c", sleeping(clock, 1.0), after=frozenset({"ready"})),
    ]
    results = run(tasks, clock, lambda event: lines.append(event.task.id))
    assert results.elapsed_s == pytest.approx(10.0)
    assert "ready" not in lines
    assert [task.id for task in results.list_tasks(State.DONE)] == ["a", "c"]


def test_what_follows_a_milestone_that_waits_for_nothing_is_done_once() -> None:
    clock = SteppedClock()
    done: list[str] = []
    tasks = [
        Task("nothing", "", None),
        Task("neither", "", None, after=frozenset({"nothing"})),
        Task("a", "a", lambda: done.append("a"), after=frozenset({"neither"})),
    ]
    run(tasks, clock)
    assert done == ["a"]


def test_what_stands_first_starts_first() -> None:
    clock = SteppedClock()
    hub = frozenset({"hub"})
    tasks = [Task(name, name, sleeping(clock, 5.0), owns=hub) for name in "cab"]
    results = run(tasks, clock)
    assert [task.id for task in results.list_tasks(State.DONE)] == ["c", "a", "b"]


def test_what_completes_something_begun_is_started_although_the_run_is_being_stopped() -> None:
    clock = SteppedClock()

    events: list[Event] = []

    def listener(event: Event) -> None:
        events.append(event)
        if event.task.id == "tick" and event.state is State.DONE:
            press_ctrl_c()

    tasks = [
        Task("tick", "tick", sleeping(clock, 1.0)),
        Task("break", "break", sleeping(clock, 5.0)),
        Task("long", "long", sleeping(clock, 20.0), after=frozenset({"break"})),
        Task("make", "make", sleeping(clock, 5.0), needs=frozenset({"break"}), completes=True),
        Task("rest", "rest", sleeping(clock, 5.0), needs=frozenset({"make"})),
    ]
    with pytest.raises(Interrupted, match="3 done, 2 not started"):
        run(tasks, clock, listener)
    assert [event.task.id for event in events if event.state is State.DONE] == [
        "tick",
        "break",
        "make",
    ]


def test_after_too_many_failures_nothing_new_is_begun_but_what_was_begun_is_completed() -> None:
    clock = SteppedClock()
    tasks = [
        Task("x", "x", failing(clock, 1.0)),
        Task("y", "y", failing(clock, 2.0)),
        Task("break", "break", sleeping(clock, 2.5)),
        Task("make", "make", sleeping(clock, 1.0), needs=frozenset({"break"}), completes=True),
        Task("rest", "rest", sleeping(clock, 1.0), needs=frozenset({"make"})),
    ]
    results = run(tasks, clock, max_failures=1)
    assert [task.id for task in results.list_tasks(State.DONE)] == ["break", "make"]
    assert [task.id for task in results.list_tasks(State.SKIPPED)] == ["rest"]
    assert set(results.failures) == {"x", "y"}


def test_after_contention_one_task_at_a_time_until_all_goes_well_again() -> None:
    clock = SteppedClock()
    width = ConcurrencyLimit()
    at_once: list[int] = []
    running = 0

    def work() -> None:
        nonlocal running
        running += 1
        at_once.append(running)
        clock.sleep(5.0)
        running -= 1

    def cause_contention() -> None:
        clock.sleep(1.0)
        width.note_contention()

    tasks = [Task("first", "first", cause_contention)]
    tasks += [Task(str(n), str(n), work, after=frozenset({"first"})) for n in range(14)]
    run(tasks, clock, width=width)
    assert at_once[:9] == [1] * 9
    assert max(at_once) == 2


def test_a_task_that_azure_refused_keeps_no_other_from_starting() -> None:
    """It waits with nothing under way; a make is started in any case."""
    clock, width = SteppedClock(), ConcurrencyLimit()

    def retry_when_busy() -> None:
        for attempt in range(2, 6):
            width.note_contention()
            waits.tell(waits.Wait("another operation is in progress", 20.0, attempt, refused=True))
            clock.sleep(20.0)

    one = sleeping(clock, 5.0)
    tasks = [Task("busy", "busy", retry_when_busy)]
    tasks += [Task(str(n), str(n), one) for n in range(3)]
    tasks += [Task("break", "break", one), Task("make", "make", one, completes=True)]
    results = run(tasks, clock, width=width)
    ended = {event.task.id: event.at_s for event in results.events if event.state is State.DONE}
    assert ended["busy"] == pytest.approx(80.0)
    assert max(at for id_, at in ended.items() if id_ != "busy") <= 25.0


def test_hundreds_of_tasks_cost_little() -> None:
    """What is ready is looked up, not searched for: each task is looked at a few times."""
    clock = SteppedClock()
    looked = 0

    class Counted(frozenset[str]):
        def __and__(self, other: object) -> frozenset[str]:
            nonlocal looked
            looked += 1
            return super().__and__(other)  # type: ignore[operator]

    tasks = []
    for n in range(300):
        tasks.append(Task(f"{n}/1", "", lambda: None, owns=Counted({f"s{n}"})))
        needs = frozenset({f"{n}/1"})
        tasks.append(Task(f"{n}/2", "", lambda: None, needs, owns=Counted({f"s{n}"})))
    results = run(tasks, clock)
    assert len(results.list_tasks(State.DONE)) == 600
    assert looked < 20 * 600
