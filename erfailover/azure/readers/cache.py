"""Readings of a site that a run shares: each is made once for all who need it at the time.

Who needs one says how old it may be. Many VNets of one subscription are read by one list instead
of one by one. What this run has changed is read anew. Safe to use from several threads.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any

from erfailover.azure.client.polling import TABLES, PollSchedule
from erfailover.azure.reader import Reader
from erfailover.azure.readers import gateways
from erfailover.azure.readers import network as readers_network
from erfailover.azure.readers.outcomes import Outcome, read_outcome
from erfailover.azure.readers.outcomes import build_readings as readings_of
from erfailover.azure.readers.references import explain_missing
from erfailover.azure.readers.route_tables import list_table_ids, read_table
from erfailover.azure.session import READ_DEADLINE_S
from erfailover.errors import AzureErrorKind, AzureFailure
from erfailover.model.arm_json import Body, parse_text
from erfailover.model.observed import Gateway, Reading, SiteSnapshot, VirtualNetwork, attempt
from erfailover.model.resource_ids import get_network_id, get_subscription
from erfailover.model.route_tables import RouteTable
from erfailover.model.site import Role, Site
from erfailover.planning import conditions
from erfailover.runtime.clock import run_all

LIST_FROM = 20
"""From how many VNets of a subscription on a list costs less than reading each."""


ALONE_S = 40.0
"""How long a VNet that does not answer is asked, in seconds: the other spokes wait for its reading.
Throttling concerns all of them, and is waited out as in any read."""


@dataclass
class _Entry:
    """A reading: when it began, in seconds, and as which of all that happened in the run."""

    began: float
    number: int
    future: Future[Any]
    earlier: _Entry | None = None
    """The one before, while this one is being made."""
    answered: float | None = None
    """When Azure's answer was there, of several the first; None before."""

    def is_older(self, seconds: float, now: float) -> bool:
        """Return whether it is older: its age counts from its answer, however long that took.

        A caller that accepts no older one wants a reading that begins now.
        """
        since = self.began if self.answered is None or seconds <= 0 else self.answered
        return since < now - seconds


_Found = dict[str, Outcome]


@dataclass
class ReadingCache:
    """What was read of a site, and when.

    Attributes:
        reader: where to read.
        site: what to read.
    """

    reader: Reader
    site: Site
    _entries: dict[str, _Entry] = field(default_factory=dict)
    _gateways: dict[Role, Gateway] = field(default_factory=dict)
    _changed: dict[str, int] = field(default_factory=dict)
    _parsed: dict[str, tuple[Body, VirtualNetwork]] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=count)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        ids = (self.site.build_network_id(name).lower() for name in self.site.list_network_names())
        self._many = {
            subscription
            for subscription, times in Counter(map(get_subscription, ids)).items()
            if times >= LIST_FROM
        }

    def invalidate(self, *resource_ids: str) -> None:
        """Discard what was read of resources that this run has written to."""
        with self._lock:
            for resource_id_ in resource_ids:
                self._changed[resource_id_.lower()] = next(self._numbers)

    def get_network_body(self, network_id: str, max_age_s: float) -> Body | None:
        """Return a VNet as ARM JSON, its peerings included; None if there is none.

        Args:
            network_id: its id.
            max_age_s: how long ago it may have been read, in seconds.
        """
        return self._get_network_body(network_id, max_age_s, of=network_id)

    def _get_network_body(self, network_id: str, max_age_s: float, of: str) -> Body | None:
        """Return a VNet's body, read since ``of``, itself or one of its peerings, was written."""
        key = network_id.lower()
        subscription = get_subscription(key)
        if subscription in self._many:
            read = partial(self._list, subscription)
            shared = self._get_shared(f"list {subscription}", max_age_s, read, of)
            if shared is not None and key in shared:
                document: Body = shared[key]
                return document
        body: Body | None = self._get_shared(key, max_age_s, partial(self._get, network_id), of)
        return body

    def _get(self, network_id: str) -> Body | None:
        if not self.site.spokes[1:]:
            return self.reader.get(network_id)
        try:
            return self.reader.get(network_id, ALONE_S)
        except AzureFailure as failure:
            if failure.kind is not AzureErrorKind.THROTTLED:
                raise
        return self.reader.get(network_id)

    def _list(self, subscription: str) -> Mapping[str, Body] | None:
        """Every VNet of a subscription that may be read; None if they cannot be listed.

        One that may not be read is left out, as is one that does not exist: its own read tells.
        After a list that failed, each VNet is read by itself, so that each has its own reason.
        """
        try:
            rows = self.reader.list_networks(subscription)
        except AzureFailure:
            self._many.discard(subscription)
            return None
        return {parse_text(row.get("id")).lower(): row for row in rows}

    def get_peering_body(self, peering_id: str, max_age_s: float) -> Body | None:
        """Return a peering as ARM JSON; None if there is none."""
        network = self._get_network_body(get_network_id(peering_id), max_age_s, of=peering_id)
        return readers_network.find_peering_row(network, peering_id)

    def get_gateway(self, role: Role, max_age_s: float) -> Gateway | None:
        """Return a hub's gateway with its peers and learned routes; None if it cannot be read."""
        read = partial(self._read_gateway, role)
        gateway: Gateway | None = self._get_shared(f"gateway {role}", max_age_s, read)
        if gateway is not None:
            self._gateways[role] = gateway
        return gateway

    def adopt_gateways(self, gateways: Mapping[Role, Gateway]) -> None:
        """Use gateways, tables included, that the caller has just read; their answers date them."""
        with self._lock:
            for role, gateway in gateways.items():
                self._gateways[role] = gateway
                for key in (f"gateway {role}", f"leaving gateway {role}"):
                    entry = _Entry(gateway.answered_s, next(self._numbers), Future())
                    entry.answered = gateway.answered_s
                    entry.future.set_result(gateway)
                    self._entries[key] = entry

    def _read_gateway(self, role: Role) -> Gateway | None:
        observed = readers_network.observe(self.reader, self.site, [role], [])
        gateway = observed.gateways.get(role)
        # Judged here, once: hundreds of threads wait for this reading, and would do so all at once.
        conditions.check_gateway_learned(gateway, role, self.site.remote_prefixes)
        return gateway

    def read_leaving_gateway(self, role: Role, max_age_s: float) -> Gateway:
        """Return the gateway of the hub being left, with its tables as far as they matter.

        Args:
            role: the hub.
            max_age_s: how long ago it may have been read, in seconds.

        Raises:
            Failure: it could not be read.
        """
        read = partial(gateways.read_leaving, self.reader, self.site, role)
        gateway: Gateway = self._get_shared(f"leaving gateway {role}", max_age_s, read)
        self._gateways[role] = gateway
        return gateway

    def read_routes(self, role: Role, cadence: PollSchedule = TABLES) -> Gateway | None:
        """Return a hub's gateway with its learned routes alone, read now; None if it cannot be.

        What it is besides does not change within a command, and is not read again.
        """
        gateway = self._gateways.get(role)
        if gateway is not None and gateway.bgp:
            return gateways.refresh_routes(self.reader, gateway, READ_DEADLINE_S, cadence)
        tables = ("get_learned_routes",)
        observed = readers_network.observe(self.reader, self.site, [role], [], tables)
        return observed.gateways.get(role)

    def read_advertised(self, role: Role) -> Gateway | None:
        """Return a hub's gateway with what it advertises, read now; None if it cannot be read."""
        tables = ("get_bgp_peer_status",)
        observed = readers_network.observe(self.reader, self.site, [role], [], tables)
        return readers_network.add_advertised(self.reader, observed.gateways).get(role)

    def observe(
        self,
        networks: Iterable[str],
        role: Role | None = None,
        max_age_s: float = 0.0,
        gateway_age_s: float = 0.0,
        of: str | None = None,
    ) -> SiteSnapshot:
        """Return the picture of some VNets, and of one hub's gateway, all read at once.

        Args:
            networks: names or ids of the VNets.
            role: the hub whose gateway is read; None for neither.
            max_age_s: how long ago each VNet may have been read, in seconds.
            gateway_age_s: how long ago the gateway may have been read, in seconds.
            of: the id of the VNet whose last change must be in what is read; None for each its
                own. A hub changes with every spoke.
        """
        since = self.reader.clock.now() - max_age_s
        ids = [self.site.build_network_id(name) for name in networks]
        lines = [id_ for id_ in ids if get_subscription(id_).lower() in self._many]
        by_list = set(lines)
        work: list[Callable[[], _Found]] = [
            partial(self._get_networks, [id_], since, of) for id_ in ids if id_ not in by_list
        ]
        work.append(partial(self._get_networks, lines, since, of))
        gateways: dict[Role, Gateway] = {}

        def read_gateway(of: Role) -> _Found:
            outcome = read_outcome(partial(self.get_gateway, of, gateway_age_s))
            if isinstance(outcome, Reading) and outcome.value is not None:
                gateways[of] = outcome.value
            return {f"gateway {of}": outcome}

        if role is not None:
            work.append(partial(read_gateway, role))
        by_name: _Found = {}
        for part in run_all(self.reader.clock, work):
            by_name |= part
        readings = readings_of(by_name)
        readings.pop(f"gateway {role}", None)
        networks = {id_: item.value for id_, item in readings.items() if item.value is not None}
        return SiteSnapshot(
            readers_network.format_utc_now(),
            networks,
            gateways,
            {
                id_: str(reading.unknown)
                for id_, reading in readings.items()
                if reading.value is None
            },
            route_tables=self._read_tables(networks.values(), max_age_s),
        )

    def _read_tables(
        self, networks: Iterable[VirtualNetwork], max_age_s: float
    ) -> dict[str, Reading[RouteTable]]:
        """Return the tables that decide the next hops of some VNets; none for most sites."""
        ids = list_table_ids(self.site, networks)
        reads = [
            partial(
                attempt, partial(self._get_shared, id_, max_age_s, partial(self._table, id_), id_)
            )
            for id_ in ids
        ]
        return dict(zip(ids, run_all(self.reader.clock, reads), strict=True)) if reads else {}

    def _table(self, table_id: str) -> RouteTable:
        return read_table(self.reader, table_id)

    def _get_networks(self, ids: Iterable[str], since: float, of: str | None) -> _Found:
        """Return some VNets, read since a moment: one list serves all that are listed."""
        lines, clock = list(ids), self.reader.clock

        def read(network_id: str) -> Outcome:
            return self._get_network(network_id, clock.now() - since, of or network_id)

        by_name = {name.lower(): read(name) for name in lines[:1]}
        if all(get_subscription(name).lower() in self._many for name in lines):
            return by_name | {name.lower(): read(name) for name in lines[1:]}
        alone = run_all(clock, [partial(read, name) for name in lines[1:]])
        return by_name | {key.lower(): item for key, item in zip(lines[1:], alone, strict=True)}

    def _get_network(self, network_id: str, max_age_s: float, of: str) -> Outcome:
        outcome = read_outcome(partial(self._get_network_body, network_id, max_age_s, of))
        if isinstance(outcome, AzureFailure):
            return outcome
        body: Body | None = outcome.value
        if body is None:
            return Reading(None, explain_missing(network_id))
        return attempt(partial(self._parse, network_id.lower(), body))

    def _parse(self, key: str, body: Body) -> VirtualNetwork:
        """Return a VNet from its body; a hub's, with hundreds of peerings, once a reading."""
        items = self._parsed.get(key)
        if items is None or items[0] is not body:
            items = self._parsed[key] = body, readers_network.parse_network(body, key)
        return items[1]

    def _get_shared(self, key: str, max_age_s: float, read: Callable[[], Any], of: str = "") -> Any:
        """Return a reading that is young enough, made now if there is none."""
        clock = self.reader.clock
        with self._lock:
            entry, now = self._entries.get(key), clock.now()
            changed = self._changed.get(of.lower(), -1)

            def can_serve(result: _Entry | None) -> bool:
                if result is None or result.number < changed or _has_failed(result):
                    return False
                return not result.is_older(max_age_s, now)

            is_own = not can_serve(entry)
            if entry is None or is_own:
                finished = entry if entry is not None and entry.future.done() else None
                entry = self._entries[key] = _Entry(now, next(self._numbers), Future(), finished)
            elif not entry.future.done() and max_age_s > 0 and can_serve(entry.earlier):
                entry = entry.earlier or entry
        if is_own:
            try:
                value = read()
                entry.answered = value.answered_s if isinstance(value, Gateway) else clock.now()
                entry.future.set_result(value)
            except BaseException as error:
                entry.future.set_exception(error)
            entry.earlier = None
            clock.notify()
        while not clock.wait_for(entry.future.done, 3600.0):
            continue
        return entry.future.result()


def _has_failed(entry: _Entry) -> bool:
    return entry.future.done() and entry.future.exception() is not None
