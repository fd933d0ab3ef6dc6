"""Signals: a closed session, a service manager and Ctrl-C all ask a run to stop in good order.

The first one has it finish what it owes (``commands.switch.crossing``) and begin nothing else; a
second Ctrl-C or SIGTERM stops it at once. SIGHUP is sent more than once when a terminal goes away,
so a second one changes nothing. A signal that was ignored when the program started stays ignored
(``nohup``).
"""

from __future__ import annotations

import signal
from types import FrameType


def install() -> None:
    """Have SIGTERM and SIGHUP raise ``KeyboardInterrupt`` as Ctrl-C does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    hang_up = getattr(signal, "SIGHUP", None)  # Windows has none
    if hang_up is not None and signal.getsignal(hang_up) is not signal.SIG_IGN:
        signal.signal(hang_up, _interrupt_once)


def _interrupt_once(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt
