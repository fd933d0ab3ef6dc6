"""Progress: one line an event without a terminal, counts and what is in flight on one."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO

import pytest
from rich.console import Console

from erfailover.commands.progress import Progress
from erfailover.errors import AzureErrorKind, AzureFailure, Failure
from erfailover.lab.core.clock import SteppedClock
from erfailover.model.durations import DurationEstimate
from erfailover.model.outlook import Outlook, RunState, SpokeCounts
from erfailover.model.tasks import State, Task
from erfailover.reporting.progress import ProgressView, TaskRow, build_table
from erfailover.runtime import logs, waits
from erfailover.runtime.executor import run

NETWORK = "/subscriptions/0/resourceGroups/g/providers/Microsoft.Network/virtualNetworks"
HUB = frozenset({f"{NETWORK}/vnet3".lower()})
BUSY = AzureFailure(
    AzureErrorKind.CONTENTION,
    f"PUT x: Cannot proceed: resource {NETWORK}/vnet3 is not in Succeeded state",
    code="ReferencedResourceNotProvisioned",
)


def make_waiting_work(clock: SteppedClock) -> Callable[[], str]:
    def work() -> str:
        clock.sleep(1.0)
        waits.tell(waits.build_wait(BUSY, 13.0, 2))
        clock.sleep(14.0)
        return "written"

    return work


def tasks(clock: SteppedClock) -> list[Task]:
    def refuse() -> None:
        clock.sleep(2.0)
        raise Failure("Azure says no")

    return [
        Task(
            "vnet1/1",
            "1. allow vnet1 to use the gateway in vnet3",
            make_waiting_work(clock),
            owns=HUB,
            change="create",
            resource=f"{NETWORK}/vnet3/virtualNetworkPeerings/vnet3-to-vnet1",
            usual=DurationEstimate(3.0, 14.0),
        ),
        Task(
            "vnet11/1",
            "1. allow vnet11 to use the gateway in vnet3",
            refuse,
            owns=HUB,
            resource=f"{NETWORK}/vnet3/virtualNetworkPeerings/vnet3-to-vnet11",
        ),
        Task("vnet11/2", "2. have the peering ready", refuse, needs=frozenset({"vnet11/1"})),
    ]


LINES = """\
  started          0 s  1. allow vnet1 to use the gateway in vnet3  (typically 3 s, \
90th percentile 14 s)
  waiting          0 s  1. allow vnet11 to use the gateway in vnet3: waiting for vnet3-to-vnet1 \
(one write at a time on vnet3)
  waiting          1 s  1. allow vnet1 to use the gateway in vnet3: Azure is updating vnet3 \
(ReferencedResourceNotProvisioned); attempt 2 in 13 s
     done         15 s  1. allow vnet1 to use the gateway in vnet3  (15 s, 2 attempts): written
  started         15 s  1. allow vnet11 to use the gateway in vnet3
   FAILED         17 s  1. allow vnet11 to use the gateway in vnet3  (2 s): Azure says no
  skipped         17 s  2. have the peering ready: a step that it depends on was not done
"""


def test_without_a_terminal_every_event_is_a_line() -> None:
    clock, out = SteppedClock(), StringIO()
    console = Console(file=out, width=80)
    with Progress(console, clock, 3) as progress:
        run(tasks(clock), clock, progress.tell)
    assert out.getvalue() == LINES


def test_as_json_every_event_is_an_object_with_its_fields() -> None:
    clock = SteppedClock()
    written: list[str] = []
    logs.begin(0, as_json=True, write=written.append)
    try:
        with Progress(Console(file=logs.LogStream()), clock, 3) as progress:
            run(tasks(clock), clock, progress.tell)
    finally:
        logs.end()
    rows = [json.loads(line) for line in written]
    assert [item["event"] for item in rows] == [
        *("started", "waiting", "waiting", "done", "started", "failed", "skipped")
    ]
    waiting, done = rows[2], rows[3]
    assert (waiting["task"], waiting["attempt"], waiting["wait_s"]) == ("vnet1/1", 2, 13.0)
    assert waiting["note"] == "Azure is updating vnet3 (ReferencedResourceNotProvisioned)"
    assert (done["elapsed_s"], done["usually_s"], done["one_in_ten_s"]) == (15.0, 3.0, 14.0)
    assert (done["change"], done["attempt"]) == ("create", 2)
    assert done["resource"].endswith("/vnet3-to-vnet1")
    assert all(item["logger"] == logs.PROGRESS for item in rows)


def test_a_wait_is_told_once_and_again_only_when_it_is_another() -> None:
    clock, out = SteppedClock(), StringIO()

    def work() -> None:
        for attempt in (2, 2, 3):
            waits.tell(waits.Wait("Azure is updating vnet1", 3.0, attempt))
            clock.sleep(3.0)

    with Progress(Console(file=out), clock) as progress:
        run([Task("a", "a", work)], clock, progress.tell)
    assert out.getvalue().count("waiting") == 2


def test_what_a_task_starts_elsewhere_waits_in_its_name() -> None:
    from erfailover.runtime.clock import start

    clock, out = SteppedClock(), StringIO()

    def work() -> None:
        future = start(clock, lambda: waits.tell(waits.Wait("Azure fails", 2.0, 2)))
        clock.wait_for(future.done, 10.0)

    with Progress(Console(file=out), clock) as progress:
        run([Task("a", "a", work)], clock, progress.tell)
    assert "a: Azure fails; attempt 2 in 2 s" in out.getvalue()
    assert waits.get_listener() is None


def render_view(picture: ProgressView, width: int) -> list[str]:
    out = StringIO()
    Console(file=out, width=width, color_system=None).print(build_table(picture))
    return out.getvalue().splitlines()


@pytest.mark.parametrize("width", [40, 80, 120])
def test_hundreds_of_tasks_are_counts_and_the_longest_in_flight(width: int) -> None:
    rows = [TaskRow(f"use the gateway of vnet3 from spoke{n:03}", float(n)) for n in range(128)]
    held = [(f"3. spoke{n}", "waits for another") for n in range(300)]
    lines = render_view(ProgressView(75.0, 2500, 1200, 2, 0, rows, held), width)
    assert len(lines) <= 14
    assert max(map(len, lines)) <= width
    if width >= 80:
        assert lines[0] == (" 1 min 15 s  1200 of 2500 done, 128 in flight, 300 queued, 2 FAILED")
        assert "spoke127" in lines[1], "the longest first"
        assert any("... and 120 more in flight" in line for line in lines)


def test_a_row_says_what_is_usual_and_why_it_waits() -> None:
    row = TaskRow(
        "3. stop using it",
        20.0,
        DurationEstimate(3.0, 13.0),
        "Azure is updating vnet1; attempt 2 in 9 s",
    )
    lines = render_view(ProgressView(30.0, 5, 2, 0, 0, [row], []), 80)
    assert lines[1] == "       20 s (LATE, typically 3 s)  3. stop using it"
    assert lines[2].strip() == "Azure is updating vnet1; attempt 2 in 9 s"


SPOKES = SpokeCounts(0, 43, 0, 300)


@pytest.mark.parametrize(
    ("outlook", "lines"),
    [
        (
            Outlook(SPOKES, (1, 3), 1620.0, 3480.0),
            [
                "        20 s  batch 1 of 3; spokes: 0 moved, 43 prepared, 0 failed of 300",
                "              143 of 1500 steps; all moved in about 27 min, done in 58 min",
            ],
        ),
        (
            Outlook(SpokeCounts(298, 0, 2, 300), None, None, 95.0),
            [
                "        20 s  spokes: 298 moved, 0 prepared, 2 FAILED of 300",
                "              143 of 1500 steps; about 1 min 35 s left",
            ],
        ),
        (
            Outlook(SpokeCounts(None, 7, 0, 12), None, None, 0.0),
            [
                "        20 s  spokes: 7 done, 0 failed of 12",
                "              143 of 1500 steps; taking longer than usual",
            ],
        ),
        (
            Outlook(None, None, None, 1092.0),
            ["        20 s  143 of 1500 done, 0 in flight", "              about 18 min left"],
        ),
        (Outlook(None, None, None, None), ["        20 s  143 of 1500 done, 0 in flight"]),
    ],
)
def test_spokes_batch_and_the_time_left_are_on_top(outlook: Outlook, lines: list[str]) -> None:
    view = ProgressView(20.0, 1500, 143, 0, 0, [], [], outlook)
    assert render_view(view, 80) == [line.removeprefix(" ") for line in lines]


def test_what_waits_for_its_turn_is_counted_if_it_is_many() -> None:
    held = [(f"1. allow spoke{n}", "waits for spoke0") for n in range(99)]
    few = render_view(ProgressView(5.0, 500, 0, 0, 0, [], held[:2]), 80)
    many = render_view(ProgressView(5.0, 500, 0, 0, 0, [], held), 80)
    assert few[1:] == [f"     queued  1. allow spoke{n}: waits for spoke0" for n in (0, 1)]
    assert many[1:] == ["     queued  99 steps waiting for other writes"]


def test_a_terminal_shows_what_is_left_of_the_run_and_keeps_none_of_it() -> None:
    clock, out = SteppedClock(), StringIO()
    run_states: list[RunState] = []

    def foresee(state: RunState) -> Outlook:
        run_states.append(state)
        return Outlook(SpokeCounts(0, 1, 0, 2), (1, 2), 60.0, 90.0)

    with Progress(Console(file=out, width=80, force_terminal=True), clock, 3, foresee) as progress:
        run(tasks(clock), clock, progress.tell)
        assert progress._live
        progress._live.refresh()
    assert "batch 1 of 2; spokes: 0 moved, 1 prepared, 0 failed of 2" in out.getvalue()
    assert "all moved in about 1 min, done in 1 min 30 s" in out.getvalue()
    assert run_states[-1].ended == {
        "vnet1/1": State.DONE,
        "vnet11/1": State.FAILED,
        "vnet11/2": State.SKIPPED,
    }
    assert run_states[-1].in_flight == {}


@pytest.mark.parametrize("terminal", [True, False])
def test_quiet_progress_shows_nothing(terminal: bool) -> None:
    clock, out = SteppedClock(), StringIO()
    console = Console(file=out, width=80, force_terminal=terminal)
    with Progress(console, clock, 3, is_quiet=True) as progress:
        run(tasks(clock), clock, progress.tell)
    assert out.getvalue() == ""


@pytest.mark.parametrize(
    ("failure", "why"),
    [
        (BUSY, "Azure is updating vnet3 (ReferencedResourceNotProvisioned)"),
        (
            AzureFailure(AzureErrorKind.CONTENTION, "x", code="RetryableError"),
            "another operation is in progress (RetryableError)",
        ),
        (AzureFailure(AzureErrorKind.THROTTLED, "x"), "Azure is limiting requests"),
        (AzureFailure(AzureErrorKind.CONNECTION, "x"), "Azure did not respond"),
    ],
)
def test_a_wait_says_in_words_what_azure_said(failure: AzureFailure, why: str) -> None:
    refused = failure.kind is not AzureErrorKind.CONNECTION
    assert waits.build_wait(failure, 3.0, 2) == waits.Wait(why, 3.0, 2, refused=refused)
