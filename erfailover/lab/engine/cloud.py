"""The lab as one object: its world, its clock, its operations, its routing.

Owns nothing but the wiring. It speaks no HTTP; ``server`` serves one.
"""

from __future__ import annotations

import datetime as dt
import logging
import random
import secrets
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from erfailover.lab import effects, identity, snapshots
from erfailover.lab import resource_types as rt
from erfailover.lab.access import Access
from erfailover.lab.bgp import Bgp, BgpTiming
from erfailover.lab.clock import Clock
from erfailover.lab.errors import UnknownCodes
from erfailover.lab.faults import Fault, Faults, Kind
from erfailover.lab.fresh import Fresh
from erfailover.lab.identity import Identity
from erfailover.lab.locks import Locks
from erfailover.lab.machines import Machines
from erfailover.lab.metrics import Metrics
from erfailover.lab.operations import Operation, Operations
from erfailover.lab.paging import PAGE_SIZE
from erfailover.lab.policies import Policies
from erfailover.lab.references import References
from erfailover.lab.scene import Scene
from erfailover.lab.stale import History
from erfailover.lab.throttling import Limits, Throttling
from erfailover.lab.timing import Durations
from erfailover.lab.tokens import Tokens
from erfailover.lab.world import World

log = logging.getLogger(__name__)

TRACE_LENGTH = 100_000


@dataclass(frozen=True, slots=True)
class Traced:
    """One request as the trace keeps it.

    ``at_s`` is modelled seconds; ``faults`` names each fault that struck: ``f2 drop-after``.
    """

    at_s: float
    method: str
    path: str
    status: int
    code: str
    write: bool
    faults: tuple[str, ...] = ()


class Lab:
    """A local Azure.

    ``seed`` makes what Azure makes up repeatable, ``draw_seed`` draws durations instead of
    taking the medians, ``today`` is the date whose rules are in force. ``limits`` are those on
    requests, None for none; ``page_size`` is how many rows a page of a list has;
    ``subscriptions`` are further ones beside the identity's.
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
    ) -> None:
        self.clock = clock
        self.identity = identity_ or identity.make()
        self.today = today or dt.datetime.now(dt.UTC).date()
        self.refuse_lab_paths = refuse_lab_paths
        self.lock = threading.RLock()
        """Held while a request changes or reads the world; tests take it to look."""
        self.tokens = Tokens(self.identity, signing_key)
        self.trace: deque[Traced] = deque(maxlen=TRACE_LENGTH)
        self.began = dt.datetime.now(dt.UTC)
        self.on_stop: Callable[[], None] | None = None
        self.page_size = page_size
        self.subscriptions = (
            *self.identity.subscriptions,
            *(each.lower() for each in subscriptions),
        )
        self._limits = limits
        self._bgp_timing = bgp_timing
        self._seed = seed if seed is not None else secrets.randbits(63)
        self._draw_seed = draw_seed
        self._listeners: list[Callable[[], None]] = []
        self._offset = 0.0
        self.reset()

    def reset(self) -> None:
        """Empty the world; the clock goes on, and whoever listens goes on listening."""
        self.fresh = Fresh(self._seed)
        self.durations = Durations(self._draw_seed)
        self.throttling = Throttling(self._limits)
        self.faults = Faults(self._seed)
        self.history = History()
        self.access, self.locks = Access(), Locks()
        self.policies, self.metrics = Policies(), Metrics()
        self.world = World()
        self.world.now = self.clock.now() + self._offset
        self.references = References()
        self.operations = Operations(self.world, self._finish)
        self.bgp = Bgp(self.world, self._bgp_timing)
        self.machines = Machines(self.world, self.bgp)
        self.scene = Scene(
            self.world,
            self.references,
            self.operations,
            UnknownCodes(random.Random(self._seed)),
            self.today,
        )
        self.world.listeners.append(self._follow)
        self.world.listeners.extend(self._listeners)

    def snapshot(self) -> bytes:
        """Everything the lab holds, written down: resources, operations, sessions, machines."""
        with self.lock:
            self.catch_up()
            return snapshots.save(self)

    def restore(self, data: bytes) -> None:
        """Hold again what was written down; time goes on from there.

        Raises SnapshotProblem where the data is anything else; the lab then stays as it is.
        """
        with self.lock:
            parts = snapshots.load(self, data)
            for name, part in parts.items():
                setattr(self, name, part)
            self._offset = self.world.now - self.clock.now()
            self.world.listeners = [self.bgp.refresh, self._follow, *self._listeners]

    def add_faults(self, *faults: Fault) -> tuple[str, ...]:
        """Arm faults; gives back their ids. Only from then on is kept what stale reads show."""
        with self.lock:
            found = tuple(self.faults.add(each) for each in faults)
            self.watch_for_stale_reads()
        return found

    def watch_for_stale_reads(self) -> None:
        """Keep what reads show, as long as a fault wants stale ones."""
        if self.faults.has(Kind.STALE) and not self.history.wanted:
            self.history.wanted = True
            self._follow()

    def clear_faults(self, fault_id: str = "") -> tuple[str, ...]:
        """Disarm one fault, or all; what they keep stuck ends now. Gives back the ids."""
        with self.lock:
            cleared = self.faults.clear(fault_id)
            self.operations.release(cleared)
            if not self.faults.has(Kind.STALE):
                self.history.forget()
        return cleared

    def _follow(self) -> None:
        self.history.follow(self.world, self.bgp)

    def listen(self, listener: Callable[[], None]) -> None:
        """Call something after every change of the world, at the time of the change."""
        self._listeners.append(listener)
        self.world.listeners.append(listener)

    def stop(self) -> None:
        """Ask whoever serves this lab to end; does nothing where nobody said how."""
        if self.on_stop is not None:
            self.on_stop()

    @property
    def speed(self) -> float | None:
        """How fast a scaled clock runs; None for a stepped one."""
        return getattr(self.clock, "speed", None)

    def catch_up(self) -> None:
        """Let everything happen that is due by the clock."""
        self.world.advance_to(self.clock.now() + self._offset)

    def timestamp(self, at_s: float | None = None) -> str:
        """A modelled time as Azure writes it, now where none is given."""
        when = self.began + dt.timedelta(seconds=self.world.now if at_s is None else at_s)
        return when.strftime("%Y-%m-%dT%H:%M:%S.%f") + "0+00:00"

    def new_public_address(self) -> str:
        """A public address that no resource has."""
        taken = {str(each.properties.get("ipAddress")) for each in self.world.of_type(rt.PUBLIC_IP)}
        return self.fresh.public_address(taken)

    def _finish(self, operation: Operation) -> None:
        try:
            if operation.doom is not None and operation.doom.spoils:
                effects.spoil(self, operation)
            else:
                effects.finish(self, operation)
        except Exception:
            # A fault of the lab: said in its log, and seen by whoever polls (recorded form).
            log.exception("the lab failed at the end of %s", operation.name)
            operation.status = "Failed"
            operation.error = {"code": "InternalServerError", "message": "An error occurred."}
