"""Waits of the machine's own clock end on a signal, however long they would be."""

from __future__ import annotations

import signal
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
