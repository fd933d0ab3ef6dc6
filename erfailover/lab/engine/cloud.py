"""A local Azure as one object: its world, clock, operations, routing, rights and faults.

Owns how these parts are connected, and the lock that guards them. It knows no HTTP. What the end of
an operation changes in the world is decided in ``engine.lab``.
"""

from __future__ import annotations

import datetime as dt
import random
import secrets
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from erfailover.lab.auth import identity
from erfailover.lab.auth.identity import Identity
from erfailover.lab.auth.locks import Locks
from erfailover.lab.auth.policies import Policies
from erfailover.lab.auth.rbac import Access
from erfailover.lab.auth.tokens import TokenIssuer
from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.clock import Clock
from erfailover.lab.core.errors import UnknownCodes
from erfailover.lab.core.generated import ValueGenerator
from erfailover.lab.core.operations import Operation, Operations
from erfailover.lab.core.references import References
from erfailover.lab.core.rule_context import RuleContext
from erfailover.lab.core.timing import Durations
from erfailover.lab.core.world import World
from erfailover.lab.engine.faults import Fault, FaultKind, Faults
from erfailover.lab.engine.metrics import Metrics
from erfailover.lab.engine.read_history import ReadHistory
from erfailover.lab.engine.throttling import Limits, Throttling
from erfailover.lab.machines.data_plane import DataPlane
from erfailover.lab.machines.model_plane import ModelPlane
from erfailover.lab.providers.registry import PROVIDERS
from erfailover.lab.routing.sessions import BgpTiming

TRACE_LENGTH = 100_000

PAGE_SIZE = 1000


@dataclass(frozen=True, slots=True)
class TraceEntry:
    """A request in the trace.

    ``at_s`` is modelled seconds; ``faults`` names each fault that hit it: ``f2 drop-after``.
    """

    at_s: float
    method: str
    path: str
    status: int
    code: str
    write: bool
    faults: tuple[str, ...] = ()


class Cloud(ABC):
    """A local Azure.

    ``seed`` makes what Azure makes up repeatable, ``draw_seed`` draws durations instead of
    taking the medians, ``today`` is the date whose rules are in force. ``limits`` are those on
    requests, None for none; ``page_size`` is how many rows a page of a list has;
    ``subscriptions`` are further ones beside the identity's. ``plane`` is what moves the packets,
    by default the model with ``bgp_timing``; whoever made it closes it.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        identity_: Identity | None = None,
        seed: int | None = None,
        draw_seed: int | None = None,
        bgp_timing: BgpTiming | None = None,
        today: dt.date | None = None,
        refuse_lab_paths: bool = False,
        signing_key: bytes | None = None,
        limits: Limits | None = Limits(),  # noqa: B008 - frozen
        page_size: int = PAGE_SIZE,
        subscriptions: tuple[str, ...] = (),
        plane: DataPlane | None = None,
    ) -> None:
        self.clock = clock
        self.identity = identity_ or identity.make_identity()
        self.today = today or dt.datetime.now(dt.UTC).date()
        self.refuse_lab_paths = refuse_lab_paths
        self.lock = threading.RLock()
        """Held while a request changes or reads the world; tests acquire it to inspect the lab."""
        self.tokens = TokenIssuer(self.identity, signing_key)
        self.trace: deque[TraceEntry] = deque(maxlen=TRACE_LENGTH)
        self.began = dt.datetime.now(dt.UTC)
        self.on_stop: Callable[[], None] | None = None
        self.page_size = page_size
        self.newest_api_version = ""
        """Of Network and Compute, in a cloud or region that lags behind; empty for all."""
        self.subscriptions = (
            *(owned for tenant in self.identity.tenants for owned in tenant.subscriptions),
            *(subscription.lower() for subscription in subscriptions),
        )
        self._limits = limits
        self.plane: DataPlane = plane or ModelPlane(bgp_timing)
        self._seed = seed if seed is not None else secrets.randbits(63)
        self._draw_seed = draw_seed
        self._listeners: list[Callable[[], None]] = []
        self._offset = 0.0
        self.reset()

    def reset(self) -> None:
        """Empty the world; the clock continues and listeners stay registered."""
        self.generator = ValueGenerator(self._seed)
        self.durations = Durations(self._draw_seed)
        self.throttling = Throttling(self._limits)
        self.faults = Faults(self._seed)
        self.history = ReadHistory()
        self.access, self.locks = Access(), Locks()
        self.policies, self.metrics = Policies(), Metrics()
        self.world = World()
        self.world.now = self.clock.now() + self._offset
        self.references = References(PROVIDERS)
        self.operations = Operations(self.world, self.finish_operation)
        self.context = RuleContext(
            self.world,
            self.references,
            self.operations,
            UnknownCodes(random.Random(self._seed)),
            self.today,
        )
        self.attach_plane()

    def attach_plane(self, saved: object = None) -> None:
        """Make the data plane serve the present world, which is new or has just been restored."""
        self.plane.attach(self.world, saved)
        self.world.listeners = [self.plane.refresh, self._record_reads, *self._listeners]

    @abstractmethod
    def finish_operation(self, operation: Operation) -> None:
        """Apply the effect of an operation that ends."""

    def add_faults(self, *faults: Fault) -> tuple[str, ...]:
        """Activate faults and return their ids; the history for stale reads starts here."""
        with self.lock:
            fault_ids = tuple(self.faults.add(fault) for fault in faults)
            self.watch_for_stale_reads()
        return fault_ids

    def watch_for_stale_reads(self) -> None:
        """Start recording reads if a fault needs stale ones."""
        if self.faults.has_kind(FaultKind.STALE) and not self.history.is_recording:
            self.history.is_recording = True
            self._record_reads()

    def clear_faults(self, fault_id: str = "") -> tuple[str, ...]:
        """Clear one fault, or all, and end the operations they keep stuck; return the ids."""
        with self.lock:
            cleared = self.faults.clear(fault_id)
            self.operations.release(cleared)
            if not self.faults.has_kind(FaultKind.STALE):
                self.history.stop()
        return cleared

    def _record_reads(self) -> None:
        self.history.record_tables(self.world, self.plane)

    def listen(self, listener: Callable[[], None]) -> None:
        """Call a listener after every change of the world, at the time of the change."""
        self._listeners.append(listener)
        self.world.listeners.append(listener)

    def stop(self) -> None:
        """Ask the server of this lab to stop; do nothing if there is no server."""
        if self.on_stop is not None:
            self.on_stop()

    @property
    def speed(self) -> float | None:
        """The speed of a scaled clock; None for a stepped one."""
        return getattr(self.clock, "speed", None)

    def catch_up(self) -> None:
        """Run every event that is due, then process what has come in from the data plane."""
        self.world.advance_to(self.clock.now() + self._offset)
        if self.plane.catch_up():
            self.world.notify_listeners()

    def format_timestamp(self, at_s: float | None = None) -> str:
        """Return a modelled time in Azure's format; the current time by default."""
        when = self.began + dt.timedelta(seconds=self.world.now if at_s is None else at_s)
        return when.strftime("%Y-%m-%dT%H:%M:%S.%f") + "0+00:00"

    def allocate_public_address(self) -> str:
        """Return a public address that no resource has."""
        names = {
            str(public_ip.properties.get("ipAddress"))
            for public_ip in self.world.iter_by_type(rt.PUBLIC_IP)
        }
        return self.generator.make_public_address(names)
