"""The one owner of retries: which trouble is waited out, how long, how often.

The SDK's own retries are switched off (``retry_total=0``), or the two would multiply.
A write whose outcome is unknown is not repeated here: the writer looks it up first.
"""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from azure.core.exceptions import AzureError
from tenacity import RetryCallState, Retrying, retry_if_exception

from erfailover.azure.client import deadline as deadlines
from erfailover.azure.client.answers import wrap_parse_errors
from erfailover.azure.client.errors import translate
from erfailover.errors import MISPLACED, AzureErrorKind, AzureFailure
from erfailover.runtime import waits
from erfailover.runtime.clock import Clock

T = TypeVar("T")
log = logging.getLogger("erfailover.azure.retrying")

WAIT_S = {
    AzureErrorKind.THROTTLED: 5.0,
    AzureErrorKind.CONTENTION: 3.0,
    AzureErrorKind.SERVER: 2.0,
    AzureErrorKind.CONNECTION: 2.0,
    AzureErrorKind.OPERATION_LOST: 2.0,
    AzureErrorKind.NOT_OFFERED: 2.0,
    AzureErrorKind.AUTHENTICATION: 0.0,
}
"""The first wait after each kind of trouble, in seconds; it doubles up to ``MOST_S``."""

LEAST_S, MOST_S = 1.0, 20.0
"""The shortest wait, whatever Azure says, and the longest that is not Azure's own word."""

READ = frozenset(
    {
        AzureErrorKind.THROTTLED,
        AzureErrorKind.CONTENTION,
        AzureErrorKind.SERVER,
        AzureErrorKind.CONNECTION,
        AzureErrorKind.OPERATION_LOST,
        AzureErrorKind.NOT_OFFERED,
    }
)
"""What a read is repeated after."""

WRITE = frozenset({AzureErrorKind.THROTTLED, AzureErrorKind.CONTENTION, AzureErrorKind.NOT_OFFERED})
"""What a write is repeated after without looking: Azure has said that it did nothing."""


NOT_OFFERED_TRIES = 3
"""How often a call is tried while Azure says that it does not know the type or the API version:
that comes and goes (reported: azure-cli 28496, ``NoRegisteredProviderFound`` now and then)."""
FIRST_CONTACT_TRIES = 3
"""How often a call is tried while the endpoint has never answered: a wrong address is not waited
out, a dropped connection in the middle of a run is."""


@dataclass
class Contact:
    """What is known of the endpoint.

    Attributes:
        has_answered: whether it has ever answered.
        misplaced: the failures of requests that did not reach a resource, by message.
    """

    has_answered: bool = False
    misplaced: dict[str, AzureFailure] = field(default_factory=dict)


@dataclass(frozen=True)
class Retries:
    """Repeats a call while its trouble passes, until a deadline.

    Attributes:
        clock: whose seconds count.
        renew: makes a fresh credential; a 401 is not cured by the old one (seen by running it).
        contact: whether the endpoint has answered before; noted here when it does.
        jitter: a number in [0, 1), so that many callers do not come back at once.
        waiting: called before each wait with the reason and the duration.
        contention_s: how long another operation is waited for, in seconds; up to the deadline.
    """

    clock: Clock
    renew: Callable[[], None]
    contact: Contact = field(default_factory=lambda: Contact(has_answered=True))
    jitter: Callable[[], float] = random.random
    waiting: Callable[[AzureFailure, float], None] = lambda failure, seconds: None
    contention_s: float = math.inf

    def call(
        self, what: str, work: Callable[[], T], on: frozenset[AzureErrorKind], deadline: float
    ) -> T:
        """Do something, and again after the kinds of trouble named, until the deadline.

        Raises:
            AzureFailure: the trouble that did not pass, or that is none to wait out.
        """
        renewed, began = False, self.clock.now()

        def attempt() -> T:
            nonlocal renewed
            try:
                with deadlines.apply_deadline(deadline), wrap_parse_errors(what):
                    result = work()
            except AzureError as error:
                failure = translate(error, what)
                self.contact.has_answered |= failure.status is not None
                if failure.kind in MISPLACED:
                    self.contact.misplaced[failure.message] = failure
                if failure.kind is AzureErrorKind.AUTHENTICATION and failure.status and not renewed:
                    renewed = True
                    log.info("%s; retrying with a fresh token", failure.message)
                    self.renew()
                    return attempt()
                raise failure from error
            except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
                # The SDK takes the answer for an object of the shape that it expects.
                raise AzureFailure(
                    AzureErrorKind.SERVER,
                    f"{what}: the response is invalid ({type(error).__name__})",
                ) from error
            self.contact.has_answered = True
            return result

        def stop(state: RetryCallState) -> bool:
            if not self.contact.has_answered and state.attempt_number >= FIRST_CONTACT_TRIES:
                return True
            failure = state.outcome.exception() if state.outcome else None
            if not isinstance(failure, AzureFailure):
                return True
            if (
                failure.kind is AzureErrorKind.NOT_OFFERED
                and state.attempt_number >= NOT_OFFERED_TRIES
            ):
                return True
            held = failure.may_pass
            end = min(deadline, began + self.contention_s) if held else deadline
            return self.clock.now() + (state.upcoming_sleep or 0.0) > end

        retrying = Retrying(
            retry=retry_if_exception(lambda e: isinstance(e, AzureFailure) and e.kind in on),
            wait=self._wait,
            stop=stop,
            sleep=self.clock.sleep,
            before_sleep=self._tell,
            reraise=True,
        )
        return retrying(attempt)

    def _wait(self, state: RetryCallState) -> float:
        failure = state.outcome.exception() if state.outcome else None
        if not isinstance(failure, AzureFailure):
            return 0.0
        value = failure.retry_after_s
        if value is not None and failure.kind is not AzureErrorKind.CONTENTION:
            return max(value, LEAST_S) + self.jitter()
        grown = WAIT_S.get(failure.kind, 2.0) * 2.0 ** (state.attempt_number - 1)
        return min(grown, value or MOST_S, MOST_S) + self.jitter()

    def _tell(self, state: RetryCallState) -> None:
        failure = state.outcome.exception() if state.outcome else None
        if isinstance(failure, AzureFailure) and state.next_action is not None:
            seconds = state.next_action.sleep
            fields = {
                "wait_s": round(seconds, 1),
                "attempt": state.attempt_number,
                "kind": str(failure.kind),
                "code": failure.code,
                "correlation_id": failure.correlation_id,
            }
            log.debug(
                "attempt %d failed (%s); next attempt in %.1f s: %s",
                state.attempt_number,
                failure.kind,
                seconds,
                failure.message,
                extra={"fields": fields},
            )
            waits.tell(waits.build_wait(failure, seconds, state.attempt_number + 1))
            self.waiting(failure, seconds)
