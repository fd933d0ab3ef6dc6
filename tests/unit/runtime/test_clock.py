"""Waits of the machine's own clock end on a signal, however long they would be."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from erfailover.runtime.clock import SystemClock, run_all

WAITS: dict[str, Callable[[SystemClock], object]] = {
    "sleep": lambda clock: clock.sleep(3600.0),
    "wait_for": lambda clock: clock.wait_for(lambda: False, 3600.0),
    "all_at_once": lambda clock: run_all(clock, [lambda: time.sleep(20.0)]),
}


@pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS)
def test_a_wait_of_the_main_thread_ends_within_a_second_of_a_signal(
    wait: Callable[[SystemClock], object],
) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    main = threading.main_thread().ident
    assert main is not None
    timer = threading.Timer(0.2, signal.pthread_kill, (main, signal.SIGINT))
    began = time.monotonic()
    try:
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            wait(SystemClock())
    finally:
        timer.cancel()
        signal.signal(signal.SIGINT, before)
    assert time.monotonic() - began < 1.2


def test_only_threads_whose_condition_holds_are_woken() -> None:
    clock = SystemClock()
    checked: list[str] = []
    open_doors: set[str] = set()

    def wait_for_door(name: str) -> bool:
        def is_open() -> bool:
            checked.append(threading.current_thread().name)
            return name in open_doors

        return clock.wait_for(is_open, 20.0)

    threads = [
        threading.Thread(target=wait_for_door, args=(name,), name=name) for name in ("one", "two")
    ]
    for thread in threads:
        thread.start()
    while set(checked) != {"one", "two"}:
        time.sleep(0.001)
    time.sleep(0.05)
    checked.clear()
    open_doors.add("one")
    clock.notify()
    threads[0].join(5)
    assert not threads[0].is_alive()
    assert "two" not in checked
    open_doors.add("two")
    clock.notify()
    threads[1].join(5)
    assert not threads[1].is_alive()


def test_a_condition_that_fails_does_so_in_the_thread_that_waits_for_it() -> None:
    clock = SystemClock()
    failing = threading.Event()

    def fail_later() -> bool:
        if failing.is_set():
            raise ValueError("the condition")
        return False

    caught: list[str] = []

    def wait() -> None:
        try:
            clock.wait_for(fail_later, 20.0)
        except ValueError as error:
            caught.append(str(error))

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.05)
    failing.set()
    clock.notify()
    thread.join(5)
    assert caught == ["the condition"]


def test_a_thread_that_is_woken_too_late_waits_on() -> None:
    clock = SystemClock()
    # At first; when notified; when the thread looks again; when notified again; and at last.
    answers = [False, True, False, True, True]
    done: list[bool] = []
    thread = threading.Thread(
        target=lambda: done.append(clock.wait_for(lambda: answers.pop(0), 20.0))
    )
    thread.start()
    for left in (4, 2):
        while len(answers) > left:
            time.sleep(0.001)
        time.sleep(0.02)
        assert not done
        clock.notify()
    thread.join(5)
    assert done == [True]
    assert answers == []


@pytest.mark.parametrize("wait", ["wait_for(lambda: False, 3600.0)", "sleep(3600.0)"])
def test_a_signal_that_another_thread_receives_ends_the_wait_of_the_main_thread(wait: str) -> None:
    program = f"""
import signal, threading, time
from erfailover.runtime.clock import SystemClock

def receive():
    time.sleep(0.3)
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)
    time.sleep(60.0)

signal.signal(signal.SIGINT, signal.default_int_handler)
threading.Thread(target=receive, daemon=True).start()
try:
    SystemClock().{wait}
except KeyboardInterrupt:
    print("interrupted")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30.0, check=False
    )
    assert (done.stdout, done.returncode) == ("interrupted\n", 0), done.stderr
