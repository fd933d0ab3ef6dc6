"""Every event reaches every target, in order, whatever a target, the store or the process does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from erfailover.commands.watch.notifier import (
    LONGEST_PAUSE_S,
    NotificationCounts,
    Notifier,
    compute_pause,
    send_test,
)
from erfailover.commands.watch.outbox import MOST_PENDING
from erfailover.errors import StateFailure
from erfailover.lab.core.clock import SteppedClock
from erfailover.model.watch import Event, Notification, Pause, Severity
from erfailover.runtime.clock import Clock, SystemClock
from erfailover.runtime.notifications.apprise_target import AppriseTarget
from erfailover.runtime.notifications.secret_value import SecretValue
from erfailover.runtime.notifications.target import DeliveryFailed, Target
from erfailover.runtime.notifications.webhook import Webhook
from tests.support import receiver as receivers
from tests.support.notifications import AT, SECRET, build_event
from tests.support.receiver import CLOSE, Receiver

FAST = 200.0
"""How much faster than the wall's the clock of most tests is."""


@dataclass
class FakeTarget:
    """A target that a test steers.

    Attributes:
        answers: what the next tries do; after them, every try succeeds.
        gate: what every try waits for.
    """

    place: str
    answers: list[BaseException | None] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    tried: list[tuple[str, float]] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)
    notifications: list[Notification] = field(default_factory=list)
    refused: frozenset[str] = frozenset()
    clock: Clock = field(default_factory=SystemClock)
    is_closed: bool = False

    def __post_init__(self) -> None:
        self.gate.set()

    def prepare(self) -> None:
        """Nothing to check."""

    def send(self, notification: Notification) -> None:
        self.tried.append((notification.event.id, self.clock.now()))
        self.gate.wait(20)
        answer = self.answers.pop(0) if self.answers else None
        if notification.event.id in self.refused:
            answer = DeliveryFailed(f"{self.place}: refused")
        if answer is not None:
            raise answer
        self.accepted.append(notification.event.id)
        self.notifications.append(notification)

    def close(self) -> None:
        self.is_closed = True


@dataclass
class FakeStore:
    """Where the outbox is kept; ``problems`` are what the next calls raise."""

    data: bytes | None = None
    problems: list[Exception] = field(default_factory=list)
    load_problems: list[Exception] = field(default_factory=list)
    stored: int = 0
    lines: list[str] = field(default_factory=list)
    delay_s: float = 0.0

    def load(self) -> bytes | None:
        time.sleep(self.delay_s)
        if self.load_problems:
            raise self.load_problems.pop(0)
        return self.data

    def store(self, data: bytes) -> None:
        if self.problems:
            raise self.problems.pop(0)
        self.stored += 1
        self.data = data


@contextmanager
def notifying(
    *targets: Target,
    store: FakeStore | None = None,
    clock: Clock | None = None,
    now: Callable[[], float] = lambda: AT,
    close_s: float = 400.0,
) -> Iterator[Notifier]:
    kept = store or FakeStore()
    notifier = Notifier(
        targets, clock or SystemClock(FAST), kept.load, kept.store, kept.lines.append, now
    )
    try:
        yield notifier
    finally:
        notifier.close(close_s)


def submit(notifier: Notifier, *events: Event) -> None:
    notifier.submit(events, "observe", None)


def wait_until(ready: Callable[[], bool], timeout_s: float = 10.0) -> None:
    end = time.monotonic() + timeout_s
    while not ready():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)


def test_every_target_gets_every_event_in_order_once() -> None:
    one, two, store = FakeTarget("one"), FakeTarget("two"), FakeStore()
    with notifying(one, two, store=store) as notifier:
        submit(notifier, build_event("a"), build_event("b", "site1/2"))
        submit(notifier, build_event("b", "site1/2"), build_event("c"))
        wait_until(lambda: one.accepted == two.accepted == ["a", "b", "c"])
        submit(notifier, build_event("a"))
    assert one.accepted == ["a", "b", "c"]
    assert notifier.counts == NotificationCounts(delivered=6)
    assert one.is_closed
    assert store.lines == []
    later = FakeTarget("one")
    with notifying(later, store=store) as notifier:
        submit(notifier, build_event("c"), build_event("d"))
        wait_until(lambda: later.accepted == ["d"])
    assert later.accepted == ["d"]


def test_every_notification_reports_mode_and_pause() -> None:
    target = FakeTarget("one")
    pause = Pause("maintenance", AT, None, "ann")
    with notifying(target) as notifier:
        notifier.submit([build_event("a")], "automatic", pause)
        wait_until(lambda: target.accepted == ["a"])
    [notification] = target.notifications
    assert "Mode: automatic" in notification.body
    assert "Paused: until resumed, nothing is switched; by ann; maintenance" in notification.body
    assert notification.cloud_event["data"]["facts"]["paused"]["reason"] == "maintenance"


def test_submitting_takes_no_time_and_a_slow_target_does_not_delay_a_fast_one() -> None:
    slow, fast = FakeTarget("slow"), FakeTarget("fast")
    slow.gate.clear()
    with notifying(slow, fast, close_s=1.0) as notifier:
        began = time.monotonic()
        for i in range(50):
            submit(notifier, build_event(str(i)))
        assert time.monotonic() - began < 2
        wait_until(lambda: len(fast.accepted) == 50)
        assert slow.accepted == []
        slow.gate.set()
        wait_until(lambda: len(slow.accepted) == 50)
    assert fast.accepted == slow.accepted == [str(i) for i in range(50)]


def test_pauses_grow_to_five_minutes_and_the_log_says_so_once() -> None:
    target, store, clock = FakeTarget("one"), FakeStore(), SystemClock(2000.0)
    target.clock = clock
    target.answers = [DeliveryFailed("one: HTTP 500") for _ in range(8)]
    with notifying(target, store=store, clock=clock) as notifier:
        submit(notifier, build_event("a"))
        wait_until(lambda: target.accepted == ["a"])
    moments = [moment for _, moment in target.tried]
    pauses = [after - before for before, after in pairwise(moments)]
    least = [5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0]
    assert len(pauses) == len(least)
    assert all(actual >= expected for actual, expected in zip(pauses, least, strict=True))
    assert store.lines == [
        "A notification was not delivered: one: HTTP 500. Next try in 5 s; waiting: 1.",
        "Notifications are delivered again to one.",
    ]
    assert notifier.counts == NotificationCounts(delivered=1, failed=8)


def test_a_pause_never_grows_beyond_five_minutes() -> None:
    assert [compute_pause(n) for n in (1, 2, 7, 5000)] == [5.0, 10.0, 300.0, LONGEST_PAUSE_S]


def test_a_new_event_does_not_wait_for_a_pause_but_for_what_the_target_asked() -> None:
    clock = SystemClock()
    failing, busy = FakeTarget("failing", clock=clock), FakeTarget("busy", clock=clock)
    failing.answers = [DeliveryFailed("failing: HTTP 500")]
    busy.answers = [DeliveryFailed("busy: HTTP 429", retry_after_s=1.0)]
    with notifying(failing, busy, clock=clock, close_s=5.0) as notifier:
        submit(notifier, build_event("a", "i1"))
        wait_until(lambda: len(failing.tried) == len(busy.tried) == 1)
        time.sleep(0.1)
        submit(notifier, build_event("b", "i2"))
        wait_until(lambda: failing.accepted == ["b", "a"], 2.0)
        wait_until(lambda: len(busy.accepted) == 2, 3.0)
    assert busy.tried[1][1] - busy.tried[0][1] >= 1.0


def test_a_target_is_left_alone_for_as_long_as_it_asked() -> None:
    clock = SystemClock(FAST)
    target = FakeTarget("busy", [DeliveryFailed("busy", retry_after_s=60.0)], clock=clock)
    with notifying(target, clock=clock) as notifier:
        submit(notifier, build_event("a"))
        wait_until(lambda: target.accepted == ["a"])
    assert target.tried[1][1] - target.tried[0][1] >= 60.0


def test_an_event_that_comes_again_waits_for_the_outbox_to_be_known() -> None:
    store, target = FakeStore(), FakeTarget("one")
    with notifying(target, store=store) as notifier:
        submit(notifier, build_event("a"))
    assert target.accepted == ["a"]
    store.delay_s = 0.2
    with notifying(target, store=store, clock=SystemClock()) as notifier:
        submit(notifier, build_event("a"), build_event("b"))
        wait_until(lambda: len(target.accepted) > 1)
    assert target.accepted == ["a", "b"]


def test_the_end_of_an_incident_follows_its_beginning() -> None:
    target = FakeTarget("one")
    target.answers = [DeliveryFailed("one: HTTP 500")] * 3
    with notifying(target) as notifier:
        submit(notifier, build_event("open", "i1"))
        wait_until(lambda: bool(target.tried))
        submit(notifier, build_event("close", "i1", resolves=True), build_event("other", "i2"))
        wait_until(lambda: len(target.accepted) == 3)
    assert target.accepted.index("open") < target.accepted.index("close")


def test_an_event_that_a_target_refuses_for_ever_holds_up_nothing_else() -> None:
    target = FakeTarget("one", refused=frozenset({"bad"}))
    with notifying(target, close_s=1.0) as notifier:
        submit(notifier, build_event("bad", "i1"))
        submit(notifier, *(build_event(str(i), f"i{i}") for i in range(2, 9)))
        wait_until(lambda: len(target.accepted) == 7)
    assert target.accepted == [str(i) for i in range(2, 9)]
    assert notifier.counts.pending == 1


def test_any_exception_of_a_target_is_a_failed_try_and_is_not_repeated() -> None:
    target, store = FakeTarget("one"), FakeStore()
    target.answers = [RuntimeError(f"https://x/{SECRET}"), ValueError(SECRET)]
    with notifying(target, store=store) as notifier:
        submit(notifier, build_event("a"))
        wait_until(lambda: target.accepted == ["a"])
    assert "one: unexpected RuntimeError" in store.lines[0]
    assert SECRET not in "".join(store.lines)


def test_what_was_not_delivered_is_sent_after_a_start_and_what_was_is_not() -> None:
    store, one, two = FakeStore(), FakeTarget("one"), FakeTarget("two")
    two.answers = [DeliveryFailed("two: HTTP 500")] * 99
    with notifying(one, two, store=store, close_s=1.0) as notifier:
        submit(notifier, build_event("a"), build_event("b"))
        wait_until(lambda: one.accepted == ["a", "b"])
    one, two = FakeTarget("one"), FakeTarget("two")
    with notifying(one, two, store=store) as notifier:
        submit(notifier, build_event("b"), build_event("c"))
        wait_until(lambda: two.accepted == ["a", "b", "c"])
        wait_until(lambda: one.accepted == ["c"])


def test_a_site_without_targets_stores_nothing() -> None:
    store = FakeStore()
    with notifying(store=store) as notifier:
        submit(notifier, build_event("a"))
    assert store.stored == 0


def test_a_store_that_fails_delays_nothing_and_is_written_later() -> None:
    store, target = FakeStore(), FakeTarget("one")
    store.problems = [StateFailure("the store did not answer"), OSError("disk full")]
    target.answers = [DeliveryFailed("one: HTTP 500")]
    with notifying(target, store=store) as notifier:
        submit(notifier, build_event("a"))
        wait_until(lambda: target.accepted == ["a"])
        wait_until(lambda: store.stored > 0)
    [line] = [line for line in store.lines if "outbox" in line]
    assert line.startswith(
        "The outbox of notifications cannot be written: the store did not answer."
    )


def test_an_outbox_that_cannot_be_read_is_never_overwritten() -> None:
    before, target = FakeStore(), FakeTarget("one")
    target.answers = [DeliveryFailed("one: HTTP 500")] * 99
    with notifying(target, store=before, close_s=1.0) as notifier:
        submit(notifier, build_event("a"))
        wait_until(lambda: bool(target.tried))
    kept = before.data
    store = FakeStore(kept, load_problems=[StateFailure("no answer")] * 5)
    target = FakeTarget("one")
    with notifying(target, store=store) as notifier:
        submit(notifier, build_event("store-lost"))
        wait_until(lambda: "store-lost" in target.accepted)
        assert store.data == kept
        wait_until(lambda: target.accepted == ["store-lost", "a"])


def test_a_damaged_outbox_is_reported_and_begun_anew() -> None:
    store, target = FakeStore(b"{"), FakeTarget("one")
    with notifying(target, store=store) as notifier:
        submit(notifier, build_event("a"))
        wait_until(lambda: target.accepted == ["a"])
    assert "The outbox of notifications is damaged and is begun anew" in store.lines[0]


def test_what_is_given_up_is_reported() -> None:
    store, target = FakeStore(), FakeTarget("one")
    target.gate.clear()
    now = AT
    with notifying(target, store=store, now=lambda: now, close_s=1.0) as notifier:
        submit(notifier, build_event("first"))
        wait_until(lambda: bool(target.tried))
        submit(notifier, *(build_event(str(i), severity=Severity.INFO) for i in range(1000)))
        assert store.lines == [
            "The notification 0 (state_changed) to one is given up: more than 1000 wait."
        ]
        now = AT + 8 * 86_400
        submit(notifier)
        target.gate.set()
        wait_until(lambda: notifier.counts.pending == 0)
    assert notifier.counts.dropped == MOST_PENDING + 1
    assert "it is older than 7 d" in store.lines[-1]


def test_closing_waits_for_a_hanging_target_no_longer_than_it_may() -> None:
    target, store = FakeTarget("one"), FakeStore()
    target.gate.clear()
    with notifying(target, store=store, clock=SystemClock(), close_s=0.3) as notifier:
        submit(notifier, build_event("a"))
        wait_until(lambda: bool(target.tried))
        began = time.monotonic()
    assert time.monotonic() - began < 3
    target.gate.set()
    assert b'"id": "a"' in (store.data or b"")


def test_closing_tries_what_is_new() -> None:
    target = FakeTarget("one")
    with notifying(target, clock=SystemClock(), close_s=5.0) as notifier:
        submit(notifier, build_event("a"), build_event("b"))
    assert target.accepted == ["a", "b"]


def test_a_stepped_clock_waits_for_a_week_in_no_time() -> None:
    clock, store = SteppedClock(), FakeStore()
    target = FakeTarget("one", clock=clock)
    target.answers = [DeliveryFailed("one: HTTP 500")] * 3000
    notifier = Notifier(
        [target], clock, store.load, store.store, store.lines.append, lambda: AT + clock.now()
    )
    submit(notifier, build_event("a"))
    clock.sleep(8 * 86_400.0)
    assert notifier.counts.dropped == 1
    assert 2000 < notifier.counts.failed < 2100
    notifier.close(60.0)


def test_real_targets_through_faults_and_no_secret_anywhere(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(1)
    hook, chat, store = Receiver(), Receiver(), FakeStore()
    hook.statuses, hook.headers = [500, 429, CLOSE, 302], {"Retry-After": "3"}
    chat.statuses = [503, CLOSE, 401]
    with receivers.running(hook), receivers.running(chat):
        targets = (
            Webhook(SecretValue("env:HOOK", lambda: f"{hook.url}/{SECRET}")),
            AppriseTarget(
                SecretValue("file:chat", lambda: f"json://u:{SECRET}@127.0.0.1:{chat.port}")
            ),
        )
        with notifying(*targets, store=store) as notifier:
            submit(notifier, *(build_event(str(i)) for i in range(5)))
            wait_until(lambda: len(hook.accepted) == len(chat.accepted) == 5)
    assert [body["id"] for body in hook.accepted] == ["0", "1", "2", "3", "4"]
    out, err = capfd.readouterr()
    everything = caplog.text + out + err + str(store.data) + "\n".join(store.lines)
    assert "webhook env:HOOK: the response was HTTP 500" in everything
    assert SECRET not in everything


PROCESS = """
import sys, time
from pathlib import Path
from erfailover.commands.watch.notifier import Notifier
from erfailover.runtime import files
from erfailover.runtime.clock import SystemClock
from erfailover.runtime.notifications.secret_value import SecretValue
from erfailover.runtime.notifications.webhook import Webhook
from tests.support.notifications import AT, build_event

url, outbox, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
notifier = Notifier(
    [Webhook(SecretValue("env:HOOK", lambda: url))],
    SystemClock(100.0),
    lambda: outbox.read_bytes() if outbox.exists() else None,
    lambda data: files.write(outbox, data),
    print,
    lambda: AT,
)
notifier.submit([build_event(str(i), f"i{i % 3}") for i in range(count)], "observe", None)
time.sleep(60)
"""


def test_a_process_that_is_killed_again_and_again_loses_and_skips_nothing(tmp_path: Path) -> None:
    outbox, count = tmp_path / "outbox.json", 60
    receiver = Receiver(slow_s=0.005, statuses=[500, 204, CLOSE] * 3)
    with receivers.running(receiver):
        for rounds in range(5):
            submitted = count if rounds == 0 else 0
            words = [sys.executable, "-c", PROCESS, receiver.url, str(outbox), str(submitted)]
            with subprocess.Popen(
                words, env={**os.environ, "PYTHONPATH": ":".join(sys.path)}
            ) as it:
                goal = count if rounds == 4 else (rounds + 1) * 10
                wait_until(partial(has_accepted, receiver, goal), 20.0)
                it.send_signal(signal.SIGKILL)
                it.wait(5)
    names = accepted(receiver)
    firsts = list(dict.fromkeys(names))
    assert sorted(firsts, key=int) == [str(i) for i in range(count)]
    for incident in range(3):
        of_one = [int(name) for name in firsts if int(name) % 3 == incident]
        assert of_one == sorted(of_one)
    assert len(names) < count + 20, "few are repeated"


def has_accepted(receiver: Receiver, count: int) -> bool:
    return len(set(accepted(receiver))) >= count


def accepted(receiver: Receiver) -> list[str]:
    return [body["id"] for body in receiver.accepted]


def test_a_test_reports_on_each_target() -> None:
    good, bad = FakeTarget("good"), FakeTarget("bad")
    bad.answers = [DeliveryFailed("bad: HTTP 401", "Correct it.")]
    broken = FakeTarget("broken", answers=[RuntimeError(SECRET)])
    assert send_test([good, bad, broken], "site1", AT, "observe", None) == [
        ("good", None),
        ("bad", "bad: HTTP 401. Correct it"),
        ("broken", "broken: unexpected RuntimeError"),
    ]
    [notification] = good.notifications
    assert "This is a test of notifications" in notification.body
