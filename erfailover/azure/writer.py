"""Writes to Azure: PUT, DELETE, and POST that changes something.

Every call blocks until the operation has ended, waits out transient trouble, and raises
``AzureFailure`` for the rest. A write whose outcome is unknown is looked up, never blindly
repeated. Safe to use from several threads.
"""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from erfailover.azure.client.operations import parse_raw, shorten_id
from erfailover.azure.client.polling import HURRIED, AcceptedOperation, CadencePolling, PollSchedule
from erfailover.azure.client.retries import WRITE
from erfailover.azure.client.write_guard import Guard
from erfailover.azure.reader import Reader
from erfailover.azure.run_command import CommandResult, run_command
from erfailover.azure.session import OnWait, Session
from erfailover.errors import AzureErrorKind, AzureFailure
from erfailover.model.arm_json import Body, get_provisioning_state, get_section
from erfailover.model.resource_ids import GROUP, parse
from erfailover.runtime import waits

log = logging.getLogger("erfailover.azure.cloud")

OnAccepted = Callable[[str, AcceptedOperation], None]
"""Called with the resource id and Azure's answer to a write that it accepted."""


class Writer:
    """The only way to change something in Azure.

    Args:
        session: the connections.
        guard: consulted immediately before each write is sent, repetitions included.
        accepted: called for every write that Azure accepted.
        waiting: called before each retry; None for the session's own.
    """

    def __init__(
        self,
        session: Session,
        guard: Guard,
        accepted: OnAccepted = lambda resource_id, answer: None,
        waiting: OnWait | None = None,
    ) -> None:
        self._session = session
        self._guard = guard
        self._accepted = accepted
        self._waiting = waiting
        self._reader = Reader(session)

    def write(
        self,
        resource_id: str,
        body: Mapping[str, Any],
        deadline_s: float,
        cadence: PollSchedule = HURRIED,
        contention_s: float = math.inf,
        **arguments: Any,
    ) -> None:
        """Create or replace a resource and wait until that has succeeded.

        Args:
            resource_id: the full id.
            body: the whole body, as ARM JSON.
            deadline_s: how long it may take, waits included, in seconds.
            cadence: how often to poll.
            contention_s: how long another operation is waited for, in seconds.
            arguments: further arguments of the SDK's call.
        """
        where = parse(resource_id)
        deadline = self._session.clock.now() + deadline_s
        what = f"PUT {shorten_id(resource_id)}"

        def write() -> Any:
            calls = self._session.get_operations(where, self._guard)
            whole = copy.deepcopy(dict(body))
            if where.is_a(GROUP):
                return calls.create_or_update(*where.names, whole, cls=parse_raw)
            return self._run_operation(
                what,
                deadline,
                lambda polling: calls.begin_create_or_update(
                    *where.names, whole, polling=polling, **arguments
                ),
                resource_id,
                cadence,
            )

        self._write(what, resource_id, write, deadline, _build_put_check(body), contention_s)

    def delete(self, resource_id: str, deadline_s: float) -> None:
        """Delete a resource and wait until it is gone; do nothing if it does not exist."""
        where = parse(resource_id)
        deadline = self._session.clock.now() + deadline_s
        what = f"DELETE {shorten_id(resource_id)}"

        def write() -> Any:
            calls = self._session.get_operations(where, self._guard)
            return self._run_operation(
                what,
                deadline,
                lambda polling: calls.begin_delete(*where.names, polling=polling),
                resource_id,
            )

        try:
            self._write(what, resource_id, write, deadline, lambda existing: existing is None)
        except AzureFailure as failure:
            if failure.kind not in (AzureErrorKind.NOT_FOUND, AzureErrorKind.GROUP_NOT_FOUND):
                raise

    def change_gateway(
        self,
        gateway_id: str,
        action: str,
        deadline_s: float,
        done: Callable[[], bool],
        **arguments: Any,
    ) -> None:
        """Carry out an action that changes a gateway, and wait until it has ended.

        Args:
            gateway_id: the gateway.
            action: the SDK's name of it, without ``begin_``.
            deadline_s: how long it may take, waits included, in seconds.
            done: checks whether it was done, if Azure's answer was lost.
            arguments: further arguments of the SDK's call.
        """
        where = parse(gateway_id)
        deadline = self._session.clock.now() + deadline_s
        what = f"POST {shorten_id(gateway_id)}/{action}"

        def write() -> Any:
            call = getattr(self._session.get_operations(where, self._guard), f"begin_{action}")
            return self._run_operation(
                what,
                deadline,
                lambda polling: call(*where.names, **arguments, polling=polling),
                gateway_id,
            )

        self._write(what, gateway_id, write, deadline, lambda _: done())

    def run_command(
        self, machine_id: str, script: Sequence[str], deadline_s: float
    ) -> CommandResult:
        """Run a shell script that changes a machine; it must be safe to run twice."""
        return run_command(self._session, machine_id, script, deadline_s, self._guard)

    def _write(
        self,
        what: str,
        resource_id: str,
        write: Callable[[], Any],
        deadline: float,
        done: Callable[[Body | None], bool],
        contention_s: float = math.inf,
    ) -> None:
        """Write; if the outcome is unknown, look whether it was done before repeating it."""
        clock = self._session.clock
        while True:
            try:
                retries = self._session.build_retries(self._waiting, contention_s)
                retries.call(what, write, on=WRITE, deadline=deadline)
                return
            except AzureFailure as failure:
                if not failure.outcome_unknown or clock.now() >= deadline:
                    raise
                log.info("%s: the outcome is unknown; reading the resource", what)
                waits.tell(waits.Wait("outcome of the write unknown; checking"))
                clock.sleep(2.0)
                left_s = deadline - clock.now()
                try:
                    existing = self._reader.wait_until_settled(resource_id, left_s)
                except AzureFailure as unseen:
                    raise failure from unseen  # whether it was done is still unknown
                waits.tell(waits.Wait(""))
                if done(existing):
                    return

    def _run_operation(
        self,
        what: str,
        deadline: float,
        begin: Callable[[CadencePolling], Any],
        resource_id: str,
        cadence: PollSchedule = HURRIED,
    ) -> Any:
        def record_accepted(answer: AcceptedOperation) -> None:
            self._accepted(resource_id, answer)

        return self._session.await_operation(
            what, deadline, begin, record_accepted, cadence, self._waiting
        )


def _build_put_check(body: Mapping[str, Any]) -> Callable[[Body | None], bool]:
    """Whether a resource is as a body wanted it: every scalar under its properties."""
    desired = dict(body.get("properties") or {})
    desired.pop("provisioningState", None)

    def is_done(existing: Body | None) -> bool:
        if existing is None:
            return False
        properties = get_section(existing, "properties")
        if get_provisioning_state(properties) != "Succeeded":
            return False
        return all(
            properties.get(name) == value
            for name, value in desired.items()
            if isinstance(value, bool | int | str)
        )

    return is_done
