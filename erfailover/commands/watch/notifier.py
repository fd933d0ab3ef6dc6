"""Sends the events of one site to its targets, until each has accepted them.

``submit`` returns at once: a thread for each target sends, so that a slow or failing target holds
up neither the watch nor the other targets, and one more thread keeps the outbox. An event can
arrive more than once, always with the same id: if the process ends between an answer and its
record, the event is sent again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from erfailover.commands.watch.outbox import Lane, Outbox
from erfailover.errors import Failure
from erfailover.model.durations import format_duration
from erfailover.model.watch import Event, Pause
from erfailover.reporting.watch.notification import (
    add_circumstances,
    build_notification,
    build_test_event,
)
from erfailover.runtime.clock import Clock, start
from erfailover.runtime.notifications.target import DeliveryFailed, Target

FIRST_PAUSE_S, LONGEST_PAUSE_S = 5.0, 300.0
"""The pause after the first failure, which each further one doubles, and the longest."""
IDLE_S = 3600.0
"""The longest wait if there is nothing to do."""
LOAD_S = 15.0
"""How long new events wait for the outbox to be loaded: if the store is lost, that itself must be
reported. In Azure's seconds."""
LAST_STORE_S = 2.0
"""How long the last change of the outbox may take at the end, whatever time is left."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class NotificationCounts:
    """Totals since the start.

    Attributes:
        delivered: notifications that a target has accepted.
        failed: tries that a target has not accepted.
        dropped: notifications that were given up.
        pending: notifications that wait now.
    """

    delivered: int = 0
    failed: int = 0
    dropped: int = 0
    pending: int = 0


@dataclass(eq=False)
class _Sender:
    """A target with its pauses.

    Attributes:
        failures: how many tries in a row have failed.
        due: when the next try may be made; a new event makes it earlier.
        asked_until: until when the target asked to be left alone.
        problem: why the last try failed; empty if it did not.
    """

    target: Target
    lane: Lane
    failures: int = 0
    due: float = 0.0
    asked_until: float = 0.0
    problem: str = ""


@dataclass(eq=False)
class Notifier:
    """The notifications of one site.

    Attributes:
        targets: where they are sent; each place is unique.
        clock: in whose seconds is waited.
        load: returns the outbox as it was kept; None if there is none. Called in a thread of the
            notifier; if it raises a ``Failure`` or an ``OSError``, it is called again later.
        store: keeps the outbox. As ``load``; it is called after every change, but not for each.
        say: prints a line of the log.
        read_time: the wall time in seconds since 1970.
    """

    targets: Sequence[Target]
    clock: Clock
    load: Callable[[], bytes | None]
    store: Callable[[bytes], None]
    say: Say
    read_time: Callable[[], float]
    _outbox: Outbox = field(init=False)
    _senders: list[_Sender] = field(init=False)
    _threads: list[Future[None]] = field(init=False)
    _keeper: Future[None] = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _delivered: int = 0
    _failed: int = 0
    _dropped: int = 0
    _is_loaded: bool = False
    _is_changed: bool = False
    _is_closing: bool = False
    _is_over: bool = False

    def __post_init__(self) -> None:
        self._outbox = Outbox.open(target.place for target in self.targets)
        self._senders = [
            _Sender(target, self._outbox.lanes[target.place]) for target in self.targets
        ]
        self._keeper = start(self.clock, self._keep, "notifications")
        self._threads = [
            start(self.clock, partial(self._work, sender), "notification")
            for sender in self._senders
        ]

    @property
    def counts(self) -> NotificationCounts:
        """The totals since the start."""
        with self._lock:
            pending = sum(len(lane.pending) for lane in self._outbox.lanes.values())
            return NotificationCounts(self._delivered, self._failed, self._dropped, pending)

    def submit(self, events: Sequence[Event], mode: str, pause: Pause | None) -> None:
        """Have events sent. Returns at once, and sends an event once however often it comes.

        After a start, give it the last events of the site again: those that were not kept because
        the process was ended at that moment are then sent, and the others are known.

        Args:
            events: in the order in which they happened.
            mode: the mode of the watch.
            pause: the pause that is in force, if one is: every notification reports it.
        """
        now, at = self.clock.now(), self.read_time()
        with self._lock:
            is_new = self._outbox.add([add_circumstances(event, mode, pause) for event in events])
            lost = self._trim(at)
            if is_new:
                self._is_changed = True
                for sender in self._senders:
                    sender.due = min(sender.due, max(now, sender.asked_until))
        self._report(lost)
        self.clock.notify()

    def close(self, timeout_s: float) -> None:
        """Send what waits for targets that accept it, keep the outbox, and stop.

        Args:
            timeout_s: how long that may take, in Azure's seconds. What has not been sent by then
                is sent after the next start.
        """
        deadline = self.clock.now() + timeout_s
        with self._lock:
            self._is_closing = True
        self.clock.notify()
        self.clock.wait_for(lambda: all(future.done() for future in self._threads), timeout_s)
        with self._lock:
            self._is_over = True
        self.clock.notify()
        for sender in self._senders:
            sender.target.close()
        left_s = max(deadline - self.clock.now(), LAST_STORE_S)
        self.clock.wait_for(self._keeper.done, left_s)

    def _work(self, sender: _Sender) -> None:
        """Send what waits for one target, until the end."""
        self.clock.wait_for(lambda: self._is_loaded or self._is_closing, LOAD_S)
        while not self._is_over:
            now = self.clock.now()
            with self._lock:
                event = None
                if not (self._is_closing and sender.failures) and now >= sender.due:
                    event = sender.lane.choose()
                if event is not None:
                    sender.lane.note_try(event)
                due = sender.due
                pause_s = max(due - now, 0.0) if sender.lane.pending else IDLE_S
            if event is not None:
                self._try(sender, event)
            elif self._is_closing:
                return
            else:
                self.clock.wait_for(partial(self._has_work, sender, due), pause_s)

    def _has_work(self, sender: _Sender, due: float) -> bool:
        """Whether a sender that waits, at most until it is due, must look again. Takes no lock."""
        is_due = bool(sender.lane.pending) and self.clock.now() >= sender.due
        return is_due or sender.due < due or self._is_closing or self._is_over

    def _try(self, sender: _Sender, event: Event) -> None:
        problem, asked_s = "", 0.0
        try:
            sender.target.send(build_notification(event))
        except DeliveryFailed as failure:
            problem, asked_s = _join(failure), failure.retry_after_s or 0.0
        except Exception as error:
            # The thread must go on, and the message may quote the target's URL.
            problem = f"{sender.target.place}: unexpected {type(error).__name__}"
        now, at = self.clock.now(), self.read_time()
        with self._lock:
            lost = self._trim(at)
            if problem:
                self._failed += 1
                sender.failures += 1
                pause_s = max(compute_pause(sender.failures), asked_s)
                sender.due, sender.asked_until = now + pause_s, now + asked_s
            else:
                self._delivered += 1
                sender.failures, sender.due, sender.asked_until = 0, now, now
                sender.lane.remove(event)
            pending = len(sender.lane.pending)
            before, sender.problem = sender.problem, problem
            self._is_changed = self._is_changed or not problem
        self._report(lost)
        if problem and problem != before:
            self.say(
                f"A notification was not delivered: {problem}. Next try in "
                f"{format_duration(pause_s)}; waiting: {pending}."
            )
        elif before and not problem:
            self.say(f"Notifications are delivered again to {sender.target.place}.")
        self.clock.notify()

    def _trim(self, at: float) -> list[str]:
        """Give up what is too old or too much; the lines that report it. Needs the lock."""
        lost = [
            f"The notification {event.id} ({event.type.value}) to {place} is given up: {reason}."
            for place, event, reason in self._outbox.trim(at)
        ]
        self._dropped += len(lost)
        self._is_changed = self._is_changed or bool(lost)
        return lost

    def _report(self, lines: Sequence[str]) -> None:
        for line in lines:
            self.say(line)

    def _keep(self) -> None:
        """Load the outbox, then store it after every change, until the end."""
        if not self.targets or not self._repeat(self._load_once, "read"):
            return
        while True:
            self.clock.wait_for(lambda: self._is_changed or self._is_over, IDLE_S)
            if self._is_changed:
                if not self._repeat(self._store_once, "written"):
                    return
            elif self._is_over:
                return

    def _repeat(self, work: Callable[[], None], verb: str) -> bool:
        """Do something until it succeeds; False if the end came first."""
        failures = 0
        while True:
            try:
                work()
            except (Failure, OSError) as error:
                problem = error.message if isinstance(error, Failure) else str(error)
            except Exception as error:
                problem = f"unexpected {type(error).__name__}"
            else:
                return True
            failures += 1
            if failures == 1:
                self.say(
                    f"The outbox of notifications cannot be {verb}: {problem}. Notifications are "
                    "sent all the same; those that wait are lost if this process ends."
                )
            if self._is_over:
                return False
            self.clock.wait_for(lambda: self._is_over, compute_pause(failures))

    def _load_once(self) -> None:
        data = self.load()
        if data is not None:
            with self._lock:
                try:
                    self._outbox.merge(data)
                except ValueError as error:
                    damage = str(error).split("\n", 1)[0]
                else:
                    damage = ""
            if damage:
                self.say(f"The outbox of notifications is damaged and is begun anew: {damage}")
        with self._lock:
            lost = self._trim(self.read_time())
            self._is_loaded = True
        self._report(lost)
        self.clock.notify()

    def _store_once(self) -> None:
        with self._lock:
            data, self._is_changed = self._outbox.dump(), False
        self.store(data)


def compute_pause(failures: int) -> float:
    """Return the pause after a number of failures in a row, in seconds."""
    with suppress(OverflowError):
        return min(FIRST_PAUSE_S * 2.0 ** (failures - 1), LONGEST_PAUSE_S)
    return LONGEST_PAUSE_S


def send_test(
    targets: Sequence[Target], site: str, at: float, mode: str, pause: Pause | None
) -> list[tuple[str, str | None]]:
    """Send a test to every target, one after the other, once.

    Args:
        targets: where to.
        site: the site's name.
        at: the wall time in seconds since 1970.
        mode: the mode of the watch.
        pause: the pause that is in force, if one is.

    Returns:
        Each target's place, with None if it has accepted the test, or with the problem.
    """
    notification = build_notification(add_circumstances(build_test_event(site, at), mode, pause))
    results: list[tuple[str, str | None]] = []
    for target in targets:
        problem = None
        try:
            target.send(notification)
        except DeliveryFailed as failure:
            problem = _join(failure)
        except Exception as error:  # whose message may quote the target's URL
            problem = f"{target.place}: unexpected {type(error).__name__}"
        results.append((target.place, problem))
    return results


def _join(failure: Failure) -> str:
    return f"{failure.message}. {failure.hint}".rstrip(".") if failure.hint else failure.message
