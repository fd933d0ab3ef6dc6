"""Azure, as the rest of erfailover sees it: get, put, delete, read a gateway, run a command.

Every call blocks until it has ended, waits out what passes, and raises ``AzureFailure`` for what
does not. A write whose outcome is unknown is looked up, never blindly repeated. Safe to use from
several threads.
"""

from __future__ import annotations

import copy
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from erfailover.azure.client.clients import Clients, access_to
from erfailover.azure.client.operations import GROUP_TYPE, Address, address, operations
from erfailover.azure.client.polling import HURRIED, Accepted, Cadence, CadencePolling
from erfailover.azure.client.rate_limits import Budget
from erfailover.azure.client.raw_request import Answer, rows_of_pages, send
from erfailover.azure.client.retries import READ, WRITE, Contact, Retries
from erfailover.azure.client.access import Access
from erfailover.errors import AzureFailure, Failure, Kind
from erfailover.runtime import waits
from erfailover.runtime.clock import Clock

log = logging.getLogger("erfailover.azure.cloud")

T = TypeVar("T")
Body = dict[str, Any]
READ_DEADLINE_S = 120.0
SETTLED = frozenset({"Succeeded", "Failed", "Canceled"})


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What a command on a machine printed."""

    stdout: str
    stderr: str


def unguarded() -> None:
    """Refuse every write: nobody has said what guards them.

    Raises:
        Failure: always.
    """
    raise Failure("a write without a lease was stopped", "This is a bug in erfailover.")


def raw(response: Any, _model: Any, _headers: Any) -> Any:
    """Take the answer as it came over the wire: fields the SDK does not know included."""
    answer = response.http_response
    return answer.json() if answer.text() else {}


@dataclass
class Azure:
    """The management plane of one subscription's cloud.

    Attributes:
        clock: in whose seconds waits and deadlines count.
        subscription: the default subscription; ids may name others.
        endpoint: another cloud's or a lab's management endpoint, where no access is given.
        access: the credential and connections that all clients share.
        waiting: told why and how long a wait is.
        accepted: told of every write that Azure accepted: the resource and the answer.
        guard: called before every write, each repetition included; raises where it must not be.
        budget: what the run may still ask of Azure.
    """

    clock: Clock
    subscription: str
    endpoint: str | None = None
    access: Access | None = None
    waiting: Callable[[AzureFailure, float], None] = lambda failure, seconds: log.info(
        "%s; retry in %.0f s", failure.message, seconds
    )
    accepted: Callable[[str, Accepted], None] = lambda resource_id, answer: None
    guard: Callable[[], None] = unguarded
    budget: Budget = field(init=False)
    _clients: dict[str, Clients] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _contact: Contact = field(default_factory=Contact)

    def __post_init__(self) -> None:
        self.budget = Budget(self.clock)
        self._access = self.access or access_to(self.endpoint)

    def get(self, resource_id: str, deadline_s: float = READ_DEADLINE_S) -> Body | None:
        """The resource as ARM JSON; None where there is none."""
        where = address(resource_id)
        what = f"GET {_short(resource_id)}"
        try:
            found: Body = self._retries().call(
                what,
                lambda: self._operations(where).get(*where.names, cls=raw),
                on=READ,
                deadline=self.clock.now() + deadline_s,
            )
        except AzureFailure as failure:
            if failure.kind is Kind.NOT_FOUND:
                return None
            raise
        return found

    def ask(
        self,
        method: str,
        path: str,
        api_version: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask what the SDK's clients have no call for: a read, whatever the method.

        Args:
            method: ``GET``, or ``POST`` where Azure's question is one.
            path: below the management endpoint: ``/subscriptions/...``.
            api_version: of the resource provider asked.
            body: the JSON to send.
            query: further parameters.

        Raises:
            AzureFailure: as for any read.
        """
        what = f"{method} {_short(path)}"
        return self._retries().call(
            what,
            lambda: send(
                self._clients_of(path.split("/")[2]), method, path, api_version, body, query
            ),
            on=READ,
            deadline=self.clock.now() + READ_DEADLINE_S,
        )

    def put(self, resource_id: str, body: Mapping[str, Any], deadline_s: float) -> Body:
        """Create or replace a resource, wait until that has succeeded, and read what it is then.

        Args:
            resource_id: the full id.
            body: the whole body, as ARM JSON.
            deadline_s: how long it may take, waits included, in seconds.
        """
        self.write(resource_id, body, deadline_s)
        return self.get(resource_id) or {}

    def write(
        self,
        resource_id: str,
        body: Mapping[str, Any],
        deadline_s: float,
        cadence: Cadence = HURRIED,
    ) -> None:
        """Create or replace a resource and wait until that has succeeded.

        Args:
            resource_id: the full id.
            body: the whole body, as ARM JSON.
            deadline_s: how long it may take, waits included, in seconds.
            cadence: how often to look whether it has.
        """
        where = address(resource_id)
        deadline = self.clock.now() + deadline_s

        def write() -> Any:
            self.guard()
            calls = self._operations(where)
            if where.type == GROUP_TYPE:
                return calls.create_or_update(*where.names, copy.deepcopy(dict(body)), cls=raw)
            return self._end_of(
                f"PUT {_short(resource_id)}",
                deadline,
                lambda polling: calls.begin_create_or_update(
                    *where.names, copy.deepcopy(dict(body)), polling=polling, cls=raw
                ),
                resource_id,
                cadence,
            )

        self._write(f"PUT {_short(resource_id)}", resource_id, write, deadline, _as_put(body))

    def delete(self, resource_id: str, deadline_s: float) -> None:
        """Delete a resource and wait until it is gone; nothing happens where there is none."""
        where = address(resource_id)
        deadline = self.clock.now() + deadline_s
        what = f"DELETE {_short(resource_id)}"

        def write() -> Any:
            self.guard()
            calls = self._operations(where)
            return self._end_of(
                what,
                deadline,
                lambda polling: calls.begin_delete(*where.names, polling=polling),
                resource_id,
            )

        try:
            self._write(what, resource_id, write, deadline, lambda found: found is None)
        except AzureFailure as failure:
            if failure.kind is not Kind.NOT_FOUND:
                raise

    def wait_until_settled(self, resource_id: str, deadline_s: float) -> Body | None:
        """Wait while somebody's operation changes a resource; the resource as it then is.

        Raises:
            AzureFailure: kind DEADLINE, where it does not come to rest in time.
        """
        deadline = self.clock.now() + deadline_s
        began = self.clock.now()
        while True:
            found = self.get(resource_id)
            state = (found or {}).get("properties", {}).get("provisioningState", "Succeeded")
            if found is None or state in SETTLED:
                return found
            now = self.clock.now()
            if now >= deadline:
                raise AzureFailure(
                    Kind.DEADLINE,
                    f"{_short(resource_id)} is still {state} after {now - began:.0f} s",
                    "Another operation holds it. Wait for it, then run the same command again.",
                )
            self.clock.sleep(min(max(1.0, (now - began) * 0.15), 20.0))

    def watch(self, resource_id: str, operation: str | None, deadline_s: float) -> str:
        """Re-attach to an operation that another process began; how it ended.

        Args:
            resource_id: the resource that the operation changes.
            operation: the URL that Azure gave for it; None where none is known.
            deadline_s: how long to wait, in seconds.

        Returns:
            ``Succeeded``, ``Failed``, ``Canceled``; ``gone`` where Azure no longer knows the
            operation, and the resource, at rest, is all that can be told.
        """
        deadline = self.clock.now() + deadline_s
        state = "gone"
        clients = self._clients_of(address(resource_id).subscription)
        while operation and operation.startswith(clients.base_url + "/"):
            answer = self._retries().call(
                f"GET operation of {_short(resource_id)}",
                partial(clients.get_url, operation),
                on=READ,
                deadline=deadline,
            )
            state = str(answer.get("status") or "gone")
            if state not in ("InProgress", "Running", "Accepted") or self.clock.now() >= deadline:
                break
            self.clock.sleep(2.0)
        self.wait_until_settled(resource_id, deadline - self.clock.now())
        return state

    def resources_of_group(self, group_id: str) -> list[Body] | None:
        """Every resource in a resource group (id, name, type, tags); None without the group."""
        where = address(group_id)
        client = self._clients_of(where.subscription).resource
        try:
            return self._rows(
                f"GET {_short(group_id)}/resources",
                lambda: client.resources.list_by_resource_group(*where.names),
            )
        except AzureFailure as failure:
            if failure.kind is Kind.NOT_FOUND:
                return None
            raise

    def networks_of(self, subscription: str) -> list[Body]:
        """Every VNet of a subscription as ARM JSON, peerings included, by a list."""
        return self._retries().call(
            f"GET {subscription}/virtualNetworks",
            lambda: rows_of_pages(self._clients_of(subscription)),
            on=READ,
            deadline=self.clock.now() + READ_DEADLINE_S,
        )

    def gateway_action(self, gateway_id: str, action: str, **arguments: Any) -> list[Body]:
        """The rows of an action of a gateway that only reads: ``get_learned_routes``.

        Args:
            gateway_id: the gateway.
            action: the SDK's name of it, without ``begin_``.
            arguments: further ones that the SDK asks for.
        """
        answer = self.action(gateway_id, action, **arguments)
        return list((answer.get("value") if isinstance(answer, dict) else answer) or [])

    def change_gateway(
        self,
        gateway_id: str,
        action: str,
        deadline_s: float,
        done: Callable[[], bool],
        **arguments: Any,
    ) -> None:
        """Carry out an action that changes a gateway, and wait for its end.

        Args:
            gateway_id: the gateway.
            action: the SDK's name of it, without ``begin_``.
            deadline_s: how long it may take, waits included, in seconds.
            done: looks whether it was done, where Azure's answer did not come through.
            arguments: further ones that the SDK asks for.
        """
        where = address(gateway_id)
        deadline = self.clock.now() + deadline_s
        what = f"POST {_short(gateway_id)}/{action}"

        def write() -> Any:
            self.guard()
            call = getattr(self._operations(where), f"begin_{action}")
            return self._end_of(
                what,
                deadline,
                lambda polling: call(*where.names, **arguments, polling=polling, cls=raw),
                gateway_id,
            )

        self._write(what, gateway_id, write, deadline, lambda _: done())

    def connections_of(self, gateway_id: str, deadline_s: float = READ_DEADLINE_S) -> list[Body]:
        """The connections of a gateway, in whichever group; without ``connectionStatus``.

        Azure leaves that out of lists (reported: azure-powershell 2581, azure-cli 2061).
        """
        where = address(gateway_id)
        return self._rows(
            f"GET {_short(gateway_id)}/connections",
            lambda: self._operations(where).list_connections(*where.names),
            deadline_s,
        )

    def listed(
        self, parent_id: str, type_: str, call: str = "list", deadline_s: float = READ_DEADLINE_S
    ) -> list[Body]:
        """Every row of a list, all pages.

        Args:
            parent_id: what is listed: the id of the parent, a resource group or a subscription.
            type_: the type, in lower case, whose operations of the SDK list it.
            call: the SDK's name of the list.
            deadline_s: how long it may take, in seconds.
        """
        parts = parent_id.strip("/").split("/")
        names = address(parent_id).names if len(parts) > 2 else ()
        clients = self._clients_of(parts[1])
        return self._rows(
            f"GET {_short(parent_id)} {call} of {type_}",
            lambda: getattr(operations(clients, type_), call)(*names),
            deadline_s,
        )

    def _rows(
        self, what: str, pages: Callable[[], Any], deadline_s: float = READ_DEADLINE_S
    ) -> list[Body]:
        """Every row of a list of the SDK, all pages, as ARM JSON."""
        return self._retries().call(
            what,
            lambda: [each.as_dict() for each in pages()],
            on=READ,
            deadline=self.clock.now() + deadline_s,
        )

    def asked(
        self, what: str, ask: Callable[[Clients], T], deadline_s: float = READ_DEADLINE_S
    ) -> T:
        """What the default subscription's clients answer to a question, repeated as a read is."""
        clients = self._clients_of(self.subscription)
        deadline = self.clock.now() + deadline_s
        return self._retries().call(what, lambda: ask(clients), on=READ, deadline=deadline)

    def action(
        self,
        resource_id: str,
        action: str,
        deadline_s: float = READ_DEADLINE_S,
        **arguments: Any,
    ) -> Any:
        """What an action that only reads answers, by the SDK's name without ``begin_``."""
        where = address(resource_id)

        def begin(polling: CadencePolling) -> Any:
            call = getattr(self._operations(where), f"begin_{action}")
            return call(*where.names, **arguments, polling=polling, cls=raw)

        return self._action(resource_id, action, begin, deadline_s)

    def run_command(
        self, machine_id: str, script: Sequence[str], deadline_s: float
    ) -> CommandResult:
        """Run a shell script on a machine with Run Command; it returns the last 4 KB printed."""
        where = address(machine_id)
        body = {"commandId": "RunShellScript", "script": list(script)}

        def begin(polling: CadencePolling) -> Any:
            call = self._operations(where).begin_run_command
            return call(*where.names, body, polling=polling, cls=raw)

        answer = self._action(machine_id, "runCommand", begin, deadline_s) or {}
        answer = answer.get("properties", {}).get("output", answer)
        message = "\n".join(str(each.get("message", "")) for each in answer.get("value") or [])
        return _streams(message)

    def _action(
        self,
        resource_id: str,
        action: str,
        begin: Callable[[CadencePolling], Any],
        deadline_s: float = READ_DEADLINE_S,
    ) -> Any:
        what = f"POST {_short(resource_id)}/{action}"
        deadline = self.clock.now() + deadline_s
        return self._retries().call(
            what, lambda: self._end_of(what, deadline, begin), on=READ, deadline=deadline
        )

    def _write(
        self,
        what: str,
        resource_id: str,
        write: Callable[[], Any],
        deadline: float,
        done: Callable[[Body | None], bool],
    ) -> None:
        """Write; where the outcome is unknown, look whether it was done before repeating it."""
        while True:
            try:
                self._retries().call(what, write, on=WRITE, deadline=deadline)
                return
            except AzureFailure as failure:
                if not failure.outcome_unknown or self.clock.now() >= deadline:
                    raise
                log.info("%s: the outcome is unknown; looking it up", what)
                waits.tell(waits.Wait("no clear answer to the write; looks whether it was done"))
                self.clock.sleep(2.0)
                found = self.wait_until_settled(resource_id, deadline - self.clock.now())
                waits.tell(waits.Wait(""))
                if done(found):
                    return

    def _end_of(
        self,
        what: str,
        deadline: float,
        begin: Callable[[CadencePolling], Any],
        written: str | None = None,
        cadence: Cadence = HURRIED,
    ) -> Any:
        """Begin an operation and wait for its end; the SDK's result.

        Args:
            what: the request in words.
            deadline: until when to wait.
            begin: calls the SDK with the polling it is given.
            written: the id of the resource, where the operation is a write.
            cadence: how often to look.
        """

        def accepted(answer: Accepted) -> None:
            if written is not None:
                self.accepted(written, answer)

        log.debug("%s", what)
        polling = CadencePolling(
            what, self.clock, self._retries(), deadline, self.budget, accepted, cadence
        )
        return begin(polling).result()

    def _operations(self, where: Address) -> Any:
        return operations(self._clients_of(where.subscription), where.type)

    def _clients_of(self, subscription: str) -> Clients:
        with self._lock:
            if subscription not in self._clients:
                self._clients[subscription] = Clients(
                    subscription, access=self._access, budget=self.budget
                )
            return self._clients[subscription]

    def close(self) -> None:
        """Close every connection that was opened."""
        with self._lock:
            while self._clients:
                self._clients.popitem()[1].close()
        self._access.close()

    def _retries(self) -> Retries:
        return Retries(
            self.clock, self._access.credential.renew, self._contact, waiting=self.waiting
        )


def _short(resource_id: str) -> str:
    """A resource id without the provider: ``rg-we/virtualNetworks/vnet1``."""
    parts = resource_id.strip("/").split("/")
    return "/".join(parts[3:4] + parts[6:])


def _as_put(body: Mapping[str, Any]) -> Callable[[Body | None], bool]:
    """Whether a resource is as a body wanted it: every scalar under its properties."""
    wanted = dict(body.get("properties") or {})
    wanted.pop("provisioningState", None)

    def done(found: Body | None) -> bool:
        if found is None:
            return False
        properties = found.get("properties", {})
        if properties.get("provisioningState", "Succeeded") != "Succeeded":
            return False
        return all(
            properties.get(name) == value
            for name, value in wanted.items()
            if isinstance(value, bool | int | str)
        )

    return done


def _streams(message: str) -> CommandResult:
    """Take Run Command's message apart: ``[stdout]`` and ``[stderr]`` (recorded)."""
    _, _, rest = message.partition("[stdout]\n")
    stdout, _, stderr = rest.partition("[stderr]\n")
    return CommandResult(stdout.rstrip("\n"), stderr.rstrip("\n"))
