"""Until when the call that a thread is carrying out may take.

``retries`` sets it for each call, and what waits deep inside a request asks for it: a wait that
would outlast the caller's patience is refused instead of begun.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_DEADLINE: ContextVar[float] = ContextVar("deadline of the call", default=math.inf)


@contextmanager
def apply_deadline(deadline: float) -> Iterator[None]:
    """Give what is called within a deadline, in seconds of the caller's clock."""
    token = _DEADLINE.set(deadline)
    try:
        yield
    finally:
        _DEADLINE.reset(token)


def get_deadline() -> float:
    """Return the deadline of the call; infinite outside of any."""
    return _DEADLINE.get()
