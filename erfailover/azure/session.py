"""What the reader and the writers of one command share.

Clients, the pace of requests, retries, and how an operation is awaited. It knows no resource
type, and decides neither what is read nor who may write. Safe to use from several threads.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from erfailover.azure.client.access import Access
from erfailover.azure.client.clients import Clients
from erfailover.azure.client.operations import get_operations
from erfailover.azure.client.polling import HURRIED, AcceptedOperation, CadencePolling, PollSchedule
from erfailover.azure.client.rate_limits import RateLimiter
from erfailover.azure.client.retries import READ, Contact, Retries
from erfailover.azure.client.write_guard import Guard
from erfailover.errors import AzureFailure
from erfailover.model.resource_ids import ResourceId
from erfailover.runtime.clock import Clock, run_all

log = logging.getLogger("erfailover.azure.cloud")

T = TypeVar("T")
OnWait = Callable[[AzureFailure, float], None]
"""Called before a retry with the failure and the wait in seconds."""

READ_DEADLINE_S = 120.0


def log_wait(failure: AzureFailure, seconds: float) -> None:
    """Log the wait before a retry."""
    log.info("%s; retry in %.0f s", failure.message, seconds)


class Session:
    """Connections to the management plane of one cloud.

    Attributes:
        clock: measures waits and deadlines.
        subscription: the default subscription; resource ids may name others.
        waiting: called before each retry.
        budget: how many requests the run may still send.
        missing: the ids of what was looked for and does not exist.
    """

    def __init__(
        self, clock: Clock, subscription: str, access: Access, waiting: OnWait = log_wait
    ) -> None:
        self.clock = clock
        self.subscription = subscription
        self.waiting = waiting
        self.budget = RateLimiter(clock)
        self.missing: dict[str, None] = {}
        self._access = access
        self._contact = Contact()
        self._clients: dict[tuple[str, Guard | None], Clients] = {}
        self._lock = threading.Lock()

    @property
    def misplaced(self) -> tuple[AzureFailure, ...]:
        """The failures of requests that did not reach a resource."""
        return tuple(self._contact.misplaced.values())

    def get_clients(self, subscription: str, guard: Guard | None = None) -> Clients:
        """Return the SDK's clients for a subscription.

        Args:
            subscription: the subscription's id.
            guard: consulted immediately before each write; None for clients that only read.
        """
        with self._lock:
            key = subscription, guard
            if key not in self._clients:
                self._clients[key] = Clients(subscription, self._access, self.budget, guard)
            return self._clients[key]

    def get_operations(self, where: ResourceId, guard: Guard | None = None) -> Any:
        """Return the SDK's operations for the type of a resource."""
        return get_operations(self.get_clients(where.subscription, guard), where.type)

    def build_retries(
        self, waiting: OnWait | None = None, contention_s: float = math.inf
    ) -> Retries:
        """Return the retry policy.

        Args:
            waiting: called before each retry; None for the session's own.
            contention_s: how long another operation is waited for, in seconds.
        """
        renew = self._access.tenants.renew
        tell = waiting or self.waiting
        return Retries(self.clock, renew, self._contact, waiting=tell, contention_s=contention_s)

    def read(self, what: str, work: Callable[[], T], deadline_s: float = READ_DEADLINE_S) -> T:
        """Carry out a read, with retries.

        Args:
            what: the request, for messages.
            work: sends it.
            deadline_s: how long it may take, retries included, in seconds.
        """
        deadline = self.clock.now() + deadline_s

        def call() -> T:
            return self.build_retries().call(what, work, on=READ, deadline=deadline)

        if threading.current_thread() is threading.main_thread():
            # Signals are handled in this thread, and a resolver or TLS may block it for a while.
            return run_all(self.clock, [call])[0]
        return call()

    def post(
        self,
        what: str,
        begin: Callable[[CadencePolling], Any],
        parse: Callable[[Any], T],
        deadline_s: float = READ_DEADLINE_S,
        cadence: PollSchedule = HURRIED,
    ) -> T:
        """Carry out an action that can be repeated like a read; return its result.

        Args:
            what: the request, for messages.
            begin: begins the action with the polling method it is given.
            parse: makes a value of the result's JSON.
            deadline_s: how long it may take, retries included, in seconds.
            cadence: how often to poll.
        """
        deadline = self.clock.now() + deadline_s

        def run_operation() -> T:
            result = self.await_operation(what, deadline, begin, cadence=cadence)
            if result is None:
                raise ValueError("expected a result, found none")
            return parse(result)

        return self.read(what, run_operation, deadline_s)

    def await_operation(
        self,
        what: str,
        deadline: float,
        begin: Callable[[CadencePolling], Any],
        accepted: Callable[[AcceptedOperation], None] = lambda answer: None,
        cadence: PollSchedule = HURRIED,
        waiting: OnWait | None = None,
    ) -> Any:
        """Begin an operation, wait until it ends, and return the JSON of its result.

        Args:
            what: the request, for messages.
            deadline: when to stop waiting, in seconds of the clock.
            begin: begins the operation with the polling method it is given.
            accepted: called with Azure's answer to the request.
            cadence: how often to poll.
            waiting: called before each retry; None for the session's own.
        """
        log.debug("%s", what)
        polling = CadencePolling(
            what, self.clock, self.build_retries(waiting), deadline, self.budget, accepted, cadence
        )
        return begin(polling).result()

    def ensure_tokens(self, subscriptions: Iterable[str], lasts_s: float) -> None:
        """Have a token in memory for each subscription that lasts so long, in wall seconds.

        Raises:
            AzureFailure: there is none.
        """
        named = list(subscriptions)
        self.read("tokens", lambda: self._access.tenants.ensure(named, lasts_s))

    def close(self) -> None:
        """Close the clients."""
        with self._lock:
            while self._clients:
                self._clients.popitem()[1].close()
