"""How an asynchronous operation is watched until it ends.

Azure's Retry-After of 10 s and more would quantise every wait: an operation that takes 2 s is
noticed after 10 (recorded). So we look after 1 s and then ever less often, the looks of all
operations within one budget, and honour Retry-After if Azure throttles, which ``retries``
does for each look.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from azure.core.polling.base_polling import BadResponse, BadStatus, OperationFailed
from azure.mgmt.core.polling.arm_polling import ARMPolling

from erfailover.azure.client import answers
from erfailover.azure.client.rate_limits import RateLimiter
from erfailover.azure.client.retries import READ, Retries
from erfailover.errors import AzureErrorKind, AzureFailure
from erfailover.model.durations import format_duration
from erfailover.runtime.clock import Clock

log = logging.getLogger("erfailover.azure.polling")

MOST_S = 20.0
SAME_S = 0.01
"""What a sleep may fall short of its time."""

ENDINGS = frozenset({400, 409, 412, 422})
"""Statuses of a ``Location`` that say how its operation ended; others concern the look."""


@dataclass(frozen=True, slots=True)
class PollSchedule:
    """When to poll: first, and then after this share of the time that has passed, or a pause."""

    first_s: float = 1.0
    share: float = 0.15
    pause_s: float = 1.0

    def compute_delay_s(self, passed_s: float) -> float:
        """Return how long to wait for the next poll."""
        if passed_s < self.first_s - SAME_S:
            return self.first_s - passed_s
        return min(max(self.pause_s, passed_s * self.share), MOST_S)


HURRIED = PollSchedule()
WRITES = PollSchedule(first_s=2.0, share=0.2)
"""For writes of peerings: half of them have ended by the first poll, 10 % a second before
(recorded)."""
BREAKS = PollSchedule(first_s=1.5, share=0.1, pause_s=0.5)
"""For the write after which a spoke has no path until the next one."""
QUEUED = PollSchedule(first_s=0.8, share=0.03, pause_s=0.4)
"""For writes that others wait for, one after the other: none was quicker (recorded)."""
TABLES = PollSchedule(first_s=5.5, share=0.05, pause_s=0.7)
"""For a gateway's tables: half of them are there by the first poll (recorded), and nothing is
decided on one of them alone."""
PATIENT = PollSchedule(first_s=5.0, share=0.8, pause_s=5.0)
"""For operations that no caller waits for, and for hundreds of writes: seven of ten have ended by
the first poll (recorded), and each poll costs a request."""


HELD_UP_S = 3.0
"""How long a poll waits for those of earlier operations of its group, in seconds."""

LOOK_S = 30.0
"""How long a look at an operation is repeated while Azure answers server errors, in seconds; then
the resource is looked at instead."""
PATIENCE = frozenset(
    {AzureErrorKind.THROTTLED, AzureErrorKind.CONTENTION, AzureErrorKind.CONNECTION}
)
"""After what a look is repeated up to the deadline: a look at the resource would meet the same."""


@dataclass(frozen=True, slots=True)
class AcceptedOperation:
    """What Azure answered to a request that begins an operation.

    Attributes:
        method: of the request.
        status: HTTP's.
        operation: the URL at which the operation can be watched; None if it ended at once.
        correlation_id: what Azure's support asks for first.
    """

    method: str
    status: int
    operation: str | None
    correlation_id: str | None


_NEEDED: ContextVar[Callable[[], bool] | None] = ContextVar("whether it is needed", default=None)


@contextmanager
def poll_while_needed(needed: Callable[[], bool]) -> Iterator[None]:
    """Poll the operations that begin within only as long as their results are needed.

    What makes a result unneeded notifies the clock.
    """
    token = _NEEDED.set(needed)
    try:
        yield
    finally:
        _NEEDED.reset(token)


class PollGroup:
    """Operations whose results are all needed: the earliest is polled, and then the next.

    The others have probably ended meanwhile, so each costs about one poll. One that the earliest
    holds up for long is polled as well.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._members: list[object] = []

    def join(self, member: object) -> None:
        """Add an operation."""
        self._members.append(member)

    def leave(self, member: object) -> None:
        """Remove an operation that has ended, or is given up."""
        self._members.remove(member)
        self._clock.notify()

    def wait_for_turn(self, member: object, timeout_s: float) -> None:
        """Wait until an operation is the earliest, at most for a time in seconds."""
        self._clock.wait_for(lambda: self._members[:1] == [member], timeout_s)


_GROUP: ContextVar[PollGroup | None] = ContextVar("the group of an operation", default=None)


@contextmanager
def poll_in_turn(clock: Clock) -> Iterator[None]:
    """Poll the operations that begin within one after the other; an outer group takes them in."""
    token = _GROUP.set(_GROUP.get() or PollGroup(clock))
    try:
        yield
    finally:
        _GROUP.reset(token)


class CadencePolling(ARMPolling):
    """Watches on a cadence of ours, in the thread that asks for the result.

    The SDK's own polling looks at once, though nothing can have ended yet, reads the resource
    again at the end, and has a thread for each operation: none of that is done here.

    Attributes:
        produced_after_s: when the operation was last known not to have ended, in seconds of the
            clock. Its result is not older than that, however late it was fetched.

    Raises:
        AzureFailure: kind DEADLINE, when the deadline passes; one look is had in any case, for
            the answer to the request itself may have been long in coming. The operation may still
            end.
    """

    def __init__(
        self,
        what: str,
        clock: Clock,
        retries: Retries,
        deadline: float,
        budget: RateLimiter,
        accepted: Callable[[AcceptedOperation], None] = lambda accepted: None,
        cadence: PollSchedule = HURRIED,
    ) -> None:
        super().__init__()
        self._cadence = cadence
        self._accepted = accepted
        self._what = what
        self._clock = clock
        self._retries = retries
        self._deadline = deadline
        self._budget = budget
        self._asked = self._began = self.produced_after_s = clock.now()
        self._looked = self._by_location = False
        self._needed = _NEEDED.get()
        self._group = _GROUP.get()
        self._method = ""
        self._body: Any = None

    def initialize(self, client: Any, initial_response: Any, deserialization_callback: Any) -> None:
        """Note what Azure answered before the first look: a crash from here on can be traced."""
        answer = initial_response.http_response
        status_url = answer.headers.get("Azure-AsyncOperation")
        self._by_location = status_url is None
        operation = status_url or answer.headers.get("Location")
        self._method = answer.request.method
        self._began = self.produced_after_s = self._clock.now()
        self._accepted(
            AcceptedOperation(
                self._method,
                answer.status_code,
                operation,
                answer.headers.get("x-ms-correlation-request-id"),
            )
        )
        if self._method == "PUT" and answer.status_code in (200, 201):
            answers.parse_resource(answer)
        elif self._method == "POST":
            self._body = answers.parse_body(answer)
        else:
            answers.parse_object(answer)
        super().initialize(client, initial_response, lambda _: self._body)

    def finished(self) -> bool:
        """Whether the SDK need not watch: never, for ``resource`` does."""
        return True

    def resource(self) -> Any:
        """Return the JSON of an ended action's result; None without one and for a write.

        The SDK's models are not made: of a table of 8,000 routes they cost more processor time
        than all else that a command does (0.7 s, measured).
        """
        self.run()
        return super().resource() if self._method == "POST" else None

    def _poll(self) -> None:
        if self._group is None:
            self._poll_until_ended()
        else:
            self._group.join(self)
            try:
                self._poll_until_ended()
            finally:
                self._group.leave(self)
        if str(self.status()).lower() in ("failed", "canceled", "cancelled"):
            raise OperationFailed("Operation failed or canceled")
        url = self._operation.get_final_get_url(self._pipeline_response)
        if url and self._method == "POST":
            self._pipeline_response = self.request_status(url)

    def _poll_until_ended(self) -> None:
        with self._budget.share_polls():
            while not super().finished():
                self._delay()
                looked_s = self._clock.now()
                try:
                    self.update_status()
                except (BadStatus, BadResponse) as error:  # says nothing of how it ended
                    raise ValueError(str(error)) from error
                if not super().finished():
                    self.produced_after_s = looked_s

    def _delay(self) -> None:
        now = self._clock.now()
        if now >= self._deadline and self._looked:
            raise AzureFailure(
                AzureErrorKind.DEADLINE,
                f"{self._what} is still in progress after {format_duration(now - self._asked)}",
                "Azure is still processing it. Run the command again to resume.",
            )
        pause = max(
            self._cadence.compute_delay_s(now - self._began), self._budget.compute_poll_delay_s()
        )
        pause = max(0.0, min(pause, self._deadline - now))
        log.debug("%s: next poll in %.1f s", self._what, pause, extra=_wait(pause))
        needed = self._needed
        if needed is None:
            self._clock.sleep(pause)
            if self._group is not None:
                self._group.wait_for_turn(self, min(HELD_UP_S, self._deadline - self._clock.now()))
        elif self._clock.wait_for(lambda: not needed(), pause):
            raise AzureFailure(
                AzureErrorKind.DEADLINE, f"{self._what}: the result is no longer needed"
            )

    def request_status(self, status_link: str) -> Any:
        """Look once, through the retries for reads.

        An operation that is watched by ``Location`` ends with the status and the body of the
        answer that its request would have had (recorded: 409 ``ResourceGroupDeletionBlocked``).
        After any other error the operation may have been done, because Azure has accepted it
        (reported: 404 of the URL of a PUT that had succeeded, go-azure-sdk 989; 404 of a first
        look, go-azure-sdk 740).
        """
        ask, self._looked = super().request_status, True

        def look() -> Any:
            answer = ask(status_link)
            if not self._is_ending(answer):
                answer.http_response.raise_for_status()
                self._body = answers.parse_body(answer.http_response)
            return answer

        try:
            value = self._look(look)
        except AzureFailure as failure:
            raise AzureFailure(
                AzureErrorKind.OPERATION_LOST,
                f"{self._what} was accepted, but its result cannot be read: {failure.message}",
                "It may have succeeded. Run the command again to resume.",
                code=failure.code,
                status=failure.status,
                correlation_id=failure.correlation_id,
            ) from failure
        if self._is_ending(value):
            self._pipeline_response = value
            raise OperationFailed("Operation failed or canceled")
        return value

    def _look(self, look: Callable[[], Any]) -> Any:
        """Look, for ``LOOK_S`` at most while Azure fails by itself: the resource may tell more."""
        soon = min(self._deadline, self._clock.now() + LOOK_S)
        try:
            return self._retries.call(self._what, look, on=READ, deadline=soon)
        except AzureFailure as failure:
            if failure.kind not in PATIENCE:
                raise
        return self._retries.call(self._what, look, on=READ, deadline=self._deadline)

    def _is_ending(self, answer: Any) -> bool:
        return self._by_location and answer.http_response.status_code in ENDINGS


def _wait(seconds: float) -> dict[str, dict[str, float]]:
    return {"fields": {"wait_s": round(seconds, 1)}}
