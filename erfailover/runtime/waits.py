"""Why something waits, reported to the listener: from the depth of a request up to a step's line.

A task of the executor has a listener for as long as it runs, in its thread and in those that it
starts (``clock.start``). What waits on its behalf, far below, tells it; nothing is passed through
all the calls between. Without a listener nothing is reported. Decides nothing, and never waits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from erfailover.errors import AzureErrorKind, AzureFailure


@dataclass(frozen=True, slots=True)
class Wait:
    """A wait.

    Attributes:
        why: in words; empty if the wait reported before is over.
        seconds: how long it is; None if that is not known.
        attempt: which attempt comes after it; 1 if nothing was tried yet.
        refused: whether Azure refused the last attempt because of another operation: nothing of
            it is under way.
    """

    why: str
    seconds: float | None = None
    attempt: int = 1
    refused: bool = False


Listener = Callable[[Wait], None]
_LISTENER: ContextVar[Listener | None] = ContextVar("listener of waits", default=None)


@contextmanager
def report_waits(listener: Listener) -> Iterator[None]:
    """Report every wait within to a listener."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


def get_listener() -> Listener | None:
    """Return the listener of the calling thread's waits."""
    return _LISTENER.get()


def tell(wait: Wait) -> None:
    """Tell of a wait, before it."""
    heard = _LISTENER.get()
    if heard is not None:
        heard(wait)


RESOURCE = re.compile(r"/subscriptions/[^\s'\"]+/virtualNetworks/([\w.-]*\w)", re.IGNORECASE)


def build_wait(failure: AzureFailure, seconds: float, attempt: int) -> Wait:
    """Return the wait that follows a failure that passes.

    Args:
        failure: Azure's error, or that it did not respond.
        seconds: how long it is.
        attempt: which attempt comes after it.
    """
    code = f" ({failure.code})" if failure.code else ""
    if failure.kind is AzureErrorKind.CONTENTION:
        named = RESOURCE.search(failure.message)
        what = f"Azure is updating {named[1]}" if named else "another operation is in progress"
        return Wait(f"{what}{code}", seconds, attempt, refused=True)
    by_name = {
        AzureErrorKind.THROTTLED: f"Azure is limiting requests{code}",
        AzureErrorKind.SERVER: f"Azure had an internal error{code}",
        AzureErrorKind.CONNECTION: "Azure did not respond",
    }
    why = by_name.get(failure.kind, f"{failure.kind}{code}")
    return Wait(why, seconds, attempt, refused=failure.may_pass)
