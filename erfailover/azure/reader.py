"""Reads from Azure: resources, lists, tables of gateways, what a machine answers.

Every call blocks until it has ended, waits out transient trouble, and raises ``AzureFailure`` for
the rest. Nothing here can write. Safe to use from several threads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from erfailover.azure.client.answers import parse_rows, require_object
from erfailover.azure.client.bounded_transport import is_below
from erfailover.azure.client.clients import Clients
from erfailover.azure.client.operations import (
    get_client_name,
    get_operations,
    parse_raw_resource,
    shorten_id,
)
from erfailover.azure.client.polling import HURRIED, TABLES, CadencePolling, PollSchedule
from erfailover.azure.client.raw_request import Answer, list_path_rows, list_sdk_rows, send
from erfailover.azure.run_command import CommandResult, run_command
from erfailover.azure.session import READ_DEADLINE_S, Session
from erfailover.errors import AzureErrorKind, AzureFailure
from erfailover.model.arm_json import Body, get_provisioning_state, get_section, parse_text
from erfailover.model.durations import format_duration
from erfailover.model.resource_ids import GROUP, ResourceId, get_subscription, parse
from erfailover.runtime.clock import Clock

T = TypeVar("T")
SETTLED = frozenset({"Succeeded", "Failed", "Canceled"})


class Reader:
    """The management plane of one cloud, for reading.

    Args:
        session: the connections.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def clock(self) -> Clock:
        """The clock that measures waits and deadlines."""
        return self._session.clock

    def get(self, resource_id: str, deadline_s: float = READ_DEADLINE_S) -> Body | None:
        """Return the resource as ARM JSON; None if there is none.

        Raises:
            AzureFailure: it could not be read; nothing is then known of it. Kind NOT_SUPPORTED for
                what erfailover has no client for, such as a classic VNet.
        """
        where = _place(resource_id)
        try:
            body: Body = self._session.read(
                f"GET {shorten_id(resource_id)}",
                lambda: self._session.get_operations(where).get(
                    *where.names, cls=parse_raw_resource
                ),
                deadline_s,
            )
        except AzureFailure as failure:
            if failure.kind is AzureErrorKind.NOT_FOUND or _is_missing_group(failure, where):
                self._session.missing[resource_id] = None
                return None
            raise
        return body

    def ask(
        self,
        method: str,
        path: str,
        api_version: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        deadline_s: float = READ_DEADLINE_S,
    ) -> Answer:
        """Ask what the SDK's clients have no call for: a read, whatever the method.

        Args:
            method: ``GET``, or ``POST`` if Azure's question is one.
            path: below the management endpoint: ``/subscriptions/...``.
            api_version: of the resource provider asked.
            body: the JSON to send.
            query: further parameters.
            deadline_s: how long it may take, in seconds.

        Raises:
            AzureFailure: as for any read.
        """
        clients = self._session.get_clients(get_subscription(path))
        return self._session.read(
            f"{method} {shorten_id(path)}",
            lambda: send(clients, method, path, api_version, body, query),
            deadline_s,
        )

    def ask_rows(
        self, path: str, api_version: str, query: Mapping[str, str] | None = None
    ) -> list[Body]:
        """Return every row, on all pages, of a list that the SDK's clients have no call for.

        Args:
            path: below the management endpoint: ``/subscriptions/...``.
            api_version: of the resource provider asked.
            query: further parameters.

        Raises:
            AzureFailure: as for any read.
        """
        clients = self._session.get_clients(get_subscription(path))
        return self._session.read(
            f"GET {shorten_id(path)}", lambda: list_path_rows(clients, path, api_version, query)
        )

    def get_api_version(self, provider: str) -> str:
        """Return the api-version that requests carry: of ``network`` or ``compute``."""
        return self._session.get_clients(self._session.subscription).get_api_version(provider)

    def wait_until_settled(self, resource_id: str, deadline_s: float) -> Body | None:
        """Wait while another operation changes a resource, and return the resource after it.

        Raises:
            AzureFailure: kind DEADLINE, if it does not settle in time.
        """
        deadline = self.clock.now() + deadline_s
        began = self.clock.now()
        while True:
            body = self.get(resource_id, min(READ_DEADLINE_S, deadline - self.clock.now()))
            state = get_provisioning_state(get_section(body, "properties"))
            if body is None or state in SETTLED:
                return body
            now = self.clock.now()
            if now >= deadline:
                raise AzureFailure(
                    AzureErrorKind.DEADLINE,
                    f"{shorten_id(resource_id)} is still {state} after "
                    f"{format_duration(now - began)}",
                    "Another operation is changing it. Wait for that, then run the command again.",
                )
            self.clock.sleep(min(max(1.0, (now - began) * 0.15), 20.0))

    def watch(self, resource_id: str, operation: str | None, deadline_s: float) -> str:
        """Re-attach to an operation that another process began; how it ended.

        Args:
            resource_id: the resource that the operation changes.
            operation: the URL that Azure gave for it; None if none is known.
            deadline_s: how long to wait, in seconds.

        Returns:
            ``Succeeded``, ``Failed``, ``Canceled``; ``gone`` if Azure no longer knows the
            operation, and only the resource, at rest, is known.
        """
        deadline = self.clock.now() + deadline_s
        state = "gone"
        clients = self._session.get_clients(get_subscription(resource_id))
        while operation and is_below(operation, clients.base_url):
            answer = self._session.read(
                f"GET operation of {shorten_id(resource_id)}",
                partial(clients.get_url, operation),
                deadline - self.clock.now(),
            )
            state = parse_text(answer.get("status")) or "gone"
            if state not in ("InProgress", "Running", "Accepted") or self.clock.now() >= deadline:
                break
            self.clock.sleep(2.0)
        self.wait_until_settled(resource_id, deadline - self.clock.now())
        return state

    def list_group_resources(self, group_id: str) -> list[Body] | None:
        """Every resource in a resource group (id, name, type, tags); None without the group."""
        where = parse(group_id)
        clients = self._session.get_clients(where.subscription)
        try:
            return self._session.read(
                f"GET {shorten_id(group_id)}/resources",
                lambda: list_sdk_rows(
                    clients, clients.resource.resources.list_by_resource_group, *where.names
                ),
            )
        except AzureFailure as failure:
            if failure.kind is AzureErrorKind.NOT_FOUND or _is_missing_group(failure, where):
                return None
            raise

    def list_networks(self, subscription: str) -> list[Body]:
        """Every VNet of a subscription as ARM JSON, peerings included, by a list."""
        clients = self._session.get_clients(subscription)
        return self._session.read(
            f"GET {subscription}/virtualNetworks",
            lambda: list_sdk_rows(clients, clients.network.virtual_networks.list_all),
        )

    def read_gateway_action(
        self,
        gateway_id: str,
        action: str,
        deadline_s: float = READ_DEADLINE_S,
        produced_after: Callable[[float], None] = lambda at_s: None,
        cadence: PollSchedule = TABLES,
        **arguments: Any,
    ) -> list[Body]:
        """Return the rows of an action of a gateway that only reads: ``get_learned_routes``.

        Args:
            gateway_id: the gateway.
            action: the SDK's name of it, without ``begin_``.
            deadline_s: how long it may take, in seconds.
            produced_after: called with a time of the clock before which Azure had no result.
            cadence: how often to poll.
            arguments: further ones that the SDK asks for.
        """
        rows: list[Body] = self.read_action(
            gateway_id, action, deadline_s, parse_rows, produced_after, cadence, **arguments
        )
        return rows

    def list_connections(self, gateway_id: str, deadline_s: float = READ_DEADLINE_S) -> list[Body]:
        """Return the connections of a gateway, in any group; without ``connectionStatus``.

        Azure leaves that out of lists (reported: azure-powershell 2581, azure-cli 2061).
        """
        where = parse(gateway_id)
        clients = self._session.get_clients(where.subscription)
        return self._session.read(
            f"GET {shorten_id(gateway_id)}/connections",
            lambda: list_sdk_rows(
                clients, self._session.get_operations(where).list_connections, *where.names
            ),
            deadline_s,
        )

    def list_children(
        self, parent_id: str, type_: str, call: str = "list", deadline_s: float = READ_DEADLINE_S
    ) -> list[Body]:
        """Every row of a list, all pages.

        Args:
            parent_id: what is listed: the id of the parent, a resource group or a subscription.
            type_: the type whose operations of the SDK list it.
            call: the SDK's name of the list.
            deadline_s: how long it may take, in seconds.
        """
        parent = parse(parent_id)
        clients = self._session.get_clients(parent.subscription)
        return self._session.read(
            f"GET {shorten_id(parent_id)} {call} of {type_}",
            lambda: list_sdk_rows(
                clients, getattr(get_operations(clients, type_), call), *parent.names
            ),
            deadline_s,
        )

    def call_clients(
        self, what: str, ask: Callable[[Clients], T], deadline_s: float = READ_DEADLINE_S
    ) -> T:
        """Ask a question with the default subscription's clients, repeated as a read is."""
        clients = self._session.get_clients(self._session.subscription)
        return self._session.read(what, lambda: ask(clients), deadline_s)

    def read_action(
        self,
        resource_id: str,
        action: str,
        deadline_s: float = READ_DEADLINE_S,
        result: Callable[[Any], Any] = require_object,
        produced_after: Callable[[float], None] = lambda at_s: None,
        cadence: PollSchedule = HURRIED,
        **arguments: Any,
    ) -> Any:
        """Return what an action that only reads answers, by the SDK's name without ``begin_``."""
        where = parse(resource_id)
        begun: list[CadencePolling] = []

        def begin(polling: CadencePolling) -> Any:
            begun.append(polling)
            call = getattr(self._session.get_operations(where), f"begin_{action}")
            return call(*where.names, **arguments, polling=polling)

        what = f"POST {shorten_id(resource_id)}/{action}"
        value = self._session.post(what, begin, result, deadline_s, cadence)
        produced_after(begun[-1].produced_after_s)
        return value

    def run_command(
        self,
        machine_id: str,
        script: Sequence[str],
        deadline_s: float,
        command_id: str = "RunShellScript",
    ) -> CommandResult:
        """Run a script that changes nothing on a machine."""
        return run_command(self._session, machine_id, script, deadline_s, command_id=command_id)


def _place(resource_id: str) -> ResourceId:
    """Take the id of a resource apart that Azure may have named.

    Raises:
        AzureFailure: erfailover has no client for such a resource.
    """
    try:
        where = parse(resource_id)
        get_client_name(where.type)
    except ValueError as error:
        raise AzureFailure(
            AzureErrorKind.NOT_SUPPORTED,
            f"{resource_id} cannot be read: {error}",
            "erfailover reads Azure Resource Manager networks, not classic networks or networks "
            "that Microsoft owns.",
        ) from None
    return where


def _is_missing_group(failure: AzureFailure, where: ResourceId) -> bool:
    return failure.kind is AzureErrorKind.GROUP_NOT_FOUND and where.is_a(GROUP)
