"""How an asynchronous operation is watched until it ends.

Azure's Retry-After of 10 s and more would quantise every wait: an operation that takes 2 s is
noticed after 10 (recorded). So we look after 1 s and then ever less often, and honour
Retry-After where Azure throttles, which ``retrying`` does for each look.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from azure.mgmt.core.polling.arm_polling import ARMPolling

from erfailover.azure.retrying import READ, Retries
from erfailover.clock import Clock
from erfailover.errors import AzureFailure, Kind

FIRST_S, SHARE, MOST_S = 1.0, 0.15, 20.0
"""The next look comes after this share of the time that has passed, within these bounds."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """What Azure answered to a request that begins an operation.

    Attributes:
        method: of the request.
        status: HTTP's.
        operation: the URL at which the operation can be watched; None where it ended at once.
        correlation_id: what Azure's support asks for first.
    """

    method: str
    status: int
    operation: str | None
    correlation_id: str | None


class CadencePolling(ARMPolling):
    """Polls on a cadence of ours, retries each look, and gives up at a deadline.

    Raises:
        AzureFailure: kind DEADLINE, when the deadline passes. The operation may still end.
    """

    def __init__(
        self,
        what: str,
        clock: Clock,
        retries: Retries,
        deadline: float,
        accepted: Callable[[Accepted], None] = lambda accepted: None,
    ) -> None:
        super().__init__()
        self._accepted = accepted
        self._what = what
        self._clock = clock
        self._retries = retries
        self._deadline = deadline
        self._began = clock.now()

    def initialize(self, client: Any, initial_response: Any, deserialization_callback: Any) -> None:
        """Note what Azure answered before the first look: a crash from here on can be traced."""
        answer = initial_response.http_response
        operation = answer.headers.get("Azure-AsyncOperation") or answer.headers.get("Location")
        self._accepted(
            Accepted(
                answer.request.method,
                answer.status_code,
                operation,
                answer.headers.get("x-ms-correlation-request-id"),
            )
        )
        super().initialize(client, initial_response, deserialization_callback)

    def _delay(self) -> None:
        now = self._clock.now()
        if now >= self._deadline:
            raise AzureFailure(
                Kind.DEADLINE,
                f"{self._what} has not ended after {now - self._began:.0f} s",
                "Azure goes on with it. Run the same command again: it waits for what is under "
                "way and does only what is left.",
            )
        pause = min(max(FIRST_S, (now - self._began) * SHARE), MOST_S)
        self._clock.sleep(min(pause, self._deadline - now))

    def request_status(self, status_link: str) -> Any:
        """Look once, through the retries for reads."""
        look = super().request_status
        return self._retries.call(
            self._what, lambda: look(status_link), on=READ, deadline=self._deadline
        )
