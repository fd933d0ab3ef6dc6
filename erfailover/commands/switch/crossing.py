"""Move one spoke from one path to the other, and do not stop while it has none.

A spoke is owed a path from the moment its break is sent until it has one. While it is owed one,
this module sends, reads and waits in its own thread that nothing else ends: not the display,
the journal, a signal, a silent lease store, or an answer that makes no sense. Only a lease that
another run holds ends it, because that run then completes the spoke. What is sent next is decided
by ``planning.switch.recovery``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field

from erfailover.azure import peerings
from erfailover.azure.client.polling import PollSchedule
from erfailover.azure.reader import Reader
from erfailover.azure.readers import network as readers_network
from erfailover.azure.readers.cache import ReadingCache
from erfailover.commands.runs.recorder import Recorder
from erfailover.commands.switch.ledger import Ledger
from erfailover.commands.switch.writers import Writers
from erfailover.errors import AzureErrorKind, AzureFailure, Failure, LeaseLost, StateFailure
from erfailover.model.arm_json import Body
from erfailover.model.observed import Peering
from erfailover.model.plan import Change, PeeringWrite, SwitchStep
from erfailover.model.resource_ids import get_network_id
from erfailover.planning.switch.recovery import (
    LAST_RESORT_S,
    Direction,
    Move,
    OutwardPeerings,
    PathState,
    choose_move,
    is_carrying,
    locate,
)
from erfailover.runtime import waits
from erfailover.runtime.clock import Clock, start

log = logging.getLogger("erfailover.switch")

ATTEMPT_S = 60.0
"""How long a write is tried before the peerings are read again, in seconds."""
READ_S = 30.0
"""How long a reading may take while a spoke has no path, in seconds."""
PAUSE_S, LONGEST_PAUSE_S = 2.0, 15.0
"""The pause before an attempt is repeated; it doubles up to the longest. In seconds."""
LATE_PAUSE_S = 5.0
"""The longest pause once the path being left is tried too: little time is left. In seconds."""
CONFIRM_S = 60.0
"""How long a reading may show what was before a write, in seconds (assumed)."""


@dataclass
class Crossing:
    """One spoke on its way.

    Attributes:
        off: the step that takes it off its origin; None if nothing is left to do there.
        on: the step that puts it on its target.
        gate: reads everything again immediately before the break and raises unless all of it
            holds; returns whether the path being left is healthy.
        exempt: called with the ids of the spoke's peerings and whether their writes are exempt
            from waiting for room under Azure's limits.
        may_roll_back: whether the lease allows the break to be rolled back now.
        deadline_s: how long to try once the spoke has no path, in seconds.
        cadence: how often to poll a write.
        break_cadence: how often to poll the break, after which the spoke has no path.
        body_age_s: how old the body of a peering may be that the first writes rest on, in seconds.
    """

    spoke: str
    off: SwitchStep | None
    on: SwitchStep
    origin_id: str
    target_id: str
    clock: Clock
    reader: Reader
    readings: ReadingCache
    writers: Writers
    recorder: Recorder
    ledger: Ledger
    gate: Callable[[], bool]
    exempt: Callable[[tuple[str, ...], bool], None]
    may_roll_back: Callable[[], bool]
    deadline_s: float
    cadence: PollSchedule
    break_cadence: PollSchedule
    body_age_s: float
    _begun: bool = False
    _broken: Future[str] = field(default_factory=Future)
    _made: Future[str] = field(default_factory=Future)
    _origin_was_healthy: bool = False
    _network: Body | None = None
    _failures: dict[Direction, Failure] = field(default_factory=dict)
    _attempts: int = 0
    _last: Direction = Direction.FORWARD
    _listener: waits.Listener | None = None

    def take_off(self) -> str:
        """Pass the gate and take the spoke off its origin; the rest runs in its own thread.

        Raises:
            Failure: the gate does not hold, or the spoke is still on its origin.
        """
        self._origin_was_healthy = self.gate()
        self._begun = True
        return self._follow(self._broken, begin=True)

    def put_on(self) -> str:
        """Wait until the spoke has a path.

        Raises:
            Failure: that is not the target, or the spoke has none.
        """
        if self.off is not None and not self._begun:
            raise Failure(f"{self.spoke}: step order is wrong: on before off", "This is a bug.")
        return self._follow(self._made, begin=self.off is None)

    def _follow(self, future: Future[str], *, begin: bool) -> str:
        self._listener = waits.get_listener()
        if begin:
            start(self.clock, self._cross, f"move {self.spoke}")
        while not self.clock.wait_for(future.done, 3600.0):
            continue
        return future.result()

    def _cross(self) -> None:
        """Move the spoke, and always resolve the futures of the waiting threads."""
        with waits.report_waits(self._relay):
            place = PathState.ORIGIN if self.off else PathState.UNKNOWN
            try:
                self._network = self.readings.get_network_body(
                    get_network_id(self.target_id), self.body_age_s
                )
                if self.off is not None:
                    self._announce_step(self.off, confirmed=True)
                place = PathState.UNKNOWN
                self.ledger.owe(self.spoke)
                place = self._finish(self._move())
            except Exception as error:
                log.info("moving %s", self.spoke, exc_info=not isinstance(error, Failure))
                self._failures.setdefault(Direction.FORWARD, to_failure(error))
            finally:
                self._end(place)

    def _relay(self, wait: waits.Wait) -> None:
        if self._listener is not None:
            self._listener(wait)

    def _end(self, place: PathState) -> None:
        self.ledger.settle(self.spoke, place)
        self.recorder.record_later("path", spoke=self.spoke, place=place.name.lower())
        failure = None if place is PathState.TARGET else self._build_failure(place)
        for future in self._list_futures():
            if failure is None and not future.done():
                future.set_result("written")
            elif not future.done():
                future.set_exception(failure)
        self.clock.notify()

    def _list_futures(self) -> tuple[Future[str], ...]:
        """Return what the tasks of the spoke wait for."""
        return (self._broken, self._made)

    def _finish(self, place: PathState) -> PathState:
        """Do what follows the make; return where the spoke is then."""
        return place

    def _move(self) -> PathState:
        """Break and make; if either fails, read, decide and write until the spoke has a path."""
        ids = self.origin_id, self.target_id
        try:
            if self._write_straight() and self._is_confirmed(self.target_id):
                return PathState.TARGET
            self.exempt(ids, True)
            return self._recover_whatever_happens()
        except LeaseLost as lost:
            self._failures[Direction.FORWARD] = lost
            return locate(self._read())
        finally:
            self.exempt(ids, False)

    def _write_straight(self) -> bool:
        """Take the spoke off its origin and put it on its target; return whether both worked."""
        steps = [
            (self.off, self.writers.take_off, self.deadline_s, self.break_cadence),
            (self.on, self.writers.make, ATTEMPT_S, self.cadence),
        ]
        for step, writer, limit_s, cadence in steps:
            if step is None or step.write.change is Change.KEEP:
                continue
            if step is self.on:
                self._announce_step(step)
                self.exempt((self.origin_id, self.target_id), True)
            try:
                note = peerings.write(
                    writer, step.peering, limit_s, self.readings, self.body_age_s, cadence
                )
            except LeaseLost:
                raise
            except Exception as error:
                log.info("%s: %s: %s", self.spoke, step.title, error)
                self._failures[Direction.FORWARD] = to_failure(error)
                return False
            if step is self.off:
                self._broken.set_result(note)
                self.clock.notify()
        return True

    def _recover_whatever_happens(self) -> PathState:
        """Recover until the deadline; an unexpected error is no reason to stop."""
        deadline = self.clock.now() + self.deadline_s
        while True:
            try:
                return self._recover(deadline)
            except LeaseLost:
                raise
            except Exception as error:
                log.exception("recovering %s", self.spoke)
                self._failures[self._last] = to_failure(error)
                if self.clock.now() >= deadline:
                    return PathState.UNKNOWN
                self._pause(PAUSE_S, "waiting to retry")

    def _recover(self, deadline: float) -> PathState:
        place = locate(self._read())
        if self._is_break_refused() and place is not PathState.NOWHERE:
            return PathState.ORIGIN
        if self.off is not None and not self._broken.done() and place is PathState.ORIGIN:
            return place  # the break had no effect
        while True:
            now = self.clock.now()
            can_go_back = self._find_restoring_write() is not None and self.may_roll_back()
            move = choose_move(
                place,
                self._last,
                now,
                deadline,
                origin_was_healthy=self._origin_was_healthy,
                can_go_back=can_go_back,
            )
            if move is Move.GIVE_UP and place is PathState.CHANGING and now < deadline + ATTEMPT_S:
                move = Move.READ_AGAIN  # what was sent last may restore the path
            log.debug("%s: %s, %s", self.spoke, place.value, move.value)
            if move in (Move.ARRIVED, Move.RETURNED, Move.GIVE_UP):
                return place
            forward = move is Move.MAKE
            if move is Move.READ_AGAIN:
                self._pause(PAUSE_S, "another operation is in progress on its peerings")
            else:
                repeated = forward == (self._last is Direction.FORWARD)
                self._pause_before_attempt(repeated=repeated, deadline=deadline)
                self._last = Direction.FORWARD if forward else Direction.BACK
                if self._attempt(self._last, self._limit_attempt(deadline)):
                    reached = self.target_id if forward else self.origin_id
                    if self._is_confirmed(reached):
                        return PathState.TARGET if forward else PathState.ORIGIN
            place = locate(self._read())

    def _limit_attempt(self, deadline: float) -> float:
        """Return how long one write may take, in seconds: at least a second."""
        return max(1.0, min(ATTEMPT_S, deadline - self.clock.now()))

    def _is_break_refused(self) -> bool:
        """Return whether Azure answered the break itself with a refusal: nothing was changed."""
        if self.off is None or self._broken.done() or self.ledger.is_accepted(self.origin_id):
            return False
        failure = self._failures[Direction.FORWARD]
        if isinstance(failure, AzureFailure):
            by_azure = failure.status is None or failure.code is not None  # a proxy may say 401
            return by_azure and not failure.outcome_unknown
        return isinstance(failure, StateFailure)

    def _attempt(self, direction: Direction, limit_s: float) -> bool:
        """Write what moves the spoke in a direction; return whether the decisive write worked.

        The first write of each direction takes away a remote gateway that Azure shows although it
        is not in force. The decisive one is sent even if that one fails, unless that one is the
        break and was never known to be done: Azure refuses a second remote gateway.
        """
        writer = self.writers.make if direction is Direction.FORWARD else self.writers.other
        first, decisive = self._select_writes(direction)
        is_made = False
        for write in filter(None, (first, decisive)):
            breaks = direction is Direction.FORWARD and write is first and not self._broken.done()
            self._attempts += 1
            uses = write.after is not None and write.after.use_remote_gateways
            title = f"{'use' if uses else 'stop using'} remote gateways on {write.name}"
            name = "again" if direction is Direction.FORWARD else "back"
            task = f"{self.spoke}/{name}{self._attempts}"
            self.recorder.record_intent_later(task, title, str(write.change), write.peering_id)
            waits.tell(waits.Wait(f"{self.spoke} has no path: {title}"))
            try:
                peerings.put(writer, write, self._get_body(write.peering_id), limit_s, self.cadence)
                is_made = write is decisive
                state = "done"
                if breaks:
                    self._broken.set_result("written")
            except LeaseLost:
                raise
            except Exception as error:
                failure = to_failure(error)
                self._failures[direction] = failure
                state = "failed"
                log.info("%s: %s", self.spoke, failure.message)
            finally:
                self.readings.invalidate(write.peering_id, get_network_id(write.peering_id))
            self.recorder.record_later(state, task=task)
            if breaks and not self._broken.done():
                break
        return is_made

    def _select_writes(
        self, direction: Direction
    ) -> tuple[PeeringWrite | None, PeeringWrite | None]:
        """Return the write that clears the other peering, if needed, and the decisive one."""
        if direction is Direction.FORWARD:
            other, peering = (
                self.off.peering if self.off else None,
                self._get_peering(self.origin_id),
            )
            decisive: PeeringWrite | None = self.on.peering
        else:
            other, peering = self._find_clearing_write(), self._get_peering(self.target_id)
            decisive = self._find_restoring_write()
        blocks = peering is not None and (peering.flags.use_remote_gateways or peering.failed)
        return other if blocks else None, decisive

    def _list_contingency(self) -> Iterable[PeeringWrite]:
        """Return the writes that the plan names for the case that break or make fails."""
        return self.on.peerings_back or (self.off.peerings_back if self.off else ())

    def _find_contingency(self, *, restores: bool) -> PeeringWrite | None:
        for write in self._list_contingency():
            if write.after is not None and write.after.use_remote_gateways is restores:
                return write
        return None

    def _find_restoring_write(self) -> PeeringWrite | None:
        """Return the write that the plan names to use the origin's gateway again."""
        return self._find_contingency(restores=True)

    def _find_clearing_write(self) -> PeeringWrite | None:
        """Return the write that the plan names to stop using the target's gateway."""
        return self._find_contingency(restores=False)

    def _announce_step(self, step: SwitchStep, *, confirmed: bool = False) -> None:
        """Record a step before it is sent; only a break waits until that is confirmed."""
        record = self.recorder.record_intent if confirmed else self.recorder.record_intent_later
        write, title = step.write, f"{step.number}. {step.title}"
        record(step.id, title, str(write.change), write.resource_id)

    def _is_confirmed(self, peering_id: str) -> bool:
        """Return whether Azure shows a peering in force; a reading may be late by ``CONFIRM_S``."""
        deadline = self.clock.now() + CONFIRM_S
        while True:
            try:
                body = self.reader.get(peering_id, READ_S)
                peering = (
                    readers_network.parse_peering(body, get_network_id(peering_id))
                    if body
                    else None
                )
            except Exception as error:
                log.info("%s could not be read: %s", peering_id, error)
                return True  # Azure has said that the operation succeeded
            if is_carrying(peering):
                return True
            if peering is None or peering.state != "Connected" or self.clock.now() >= deadline:
                return False
            self.clock.sleep(3.0)

    def _read(self) -> OutwardPeerings | None:
        """Return both peerings, read now; None if they cannot be read."""
        try:
            body = self.reader.get(get_network_id(self.target_id), READ_S)
            if body is None:
                return None
            network = readers_network.parse_network(body, get_network_id(self.target_id))
            by_id = {peering.id.lower(): peering for peering in network.peerings}
        except Exception as error:
            log.info("%s could not be read: %s", self.spoke, error)
            return None
        self._network = body
        return OutwardPeerings(by_id.get(self.origin_id.lower()), by_id.get(self.target_id.lower()))

    def _get_body(self, peering_id: str) -> Body | None:
        """Return the body of a peering as it was last read."""
        return readers_network.find_peering_row(self._network, peering_id)

    def _get_peering(self, peering_id: str) -> Peering | None:
        body = self._get_body(peering_id)
        return readers_network.parse_peering(body, get_network_id(peering_id)) if body else None

    def _pause_before_attempt(self, *, repeated: bool, deadline: float) -> None:
        """Wait before a write is repeated; the first one in the other direction goes at once."""
        if self._attempts == 0 and not repeated:
            return
        left_s = deadline - self.clock.now()
        longest_s = LATE_PAUSE_S if left_s <= LAST_RESORT_S else LONGEST_PAUSE_S
        pause_s = min(PAUSE_S * 2.0 ** min(self._attempts, 10), longest_s, max(left_s, 0.0))
        self._pause(pause_s, "waiting to retry")

    def _pause(self, seconds: float, why: str) -> None:
        waits.tell(waits.Wait(f"{self.spoke} has no path: {why}", seconds))
        self.clock.sleep(seconds)

    def _build_failure(self, place: PathState) -> Failure:
        """Return what is raised for a spoke that is not on its target."""
        failed = self._failures.get(Direction.FORWARD)
        reason = failed or AzureFailure(AzureErrorKind.REFUSED, f"{self.spoke} was not moved")
        back = self._failures.get(Direction.BACK)
        if isinstance(reason, LeaseLost):
            return reason.reword(f"{self.spoke} {STANDING[place]}: {reason.message}", reason.hint)
        message, hint = reason.message, reason.hint
        if place is PathState.ORIGIN and self._broken.done():
            message += f"; rolled back: {self.spoke} uses its previous gateway again"
            hint = "The spoke is on its previous path."
        elif place is not PathState.ORIGIN:
            message = f"{self.spoke} {STANDING[place]}: {message}"
            if back is not None:
                message += f"; the rollback failed too: {back.message}"
            hint = "Run the same command again now."
        return reason.reword(message, hint)


STANDING = {
    PathState.TARGET: "is on its target",
    PathState.ORIGIN: "is on its previous path",
    PathState.NOWHERE: "has NO path",
    PathState.CHANGING: "may have NO path (an operation is still in progress)",
    PathState.UNKNOWN: "may have NO path (its peerings could not be read)",
}


def to_failure(error: Exception) -> Failure:
    """Return an error as a failure that can be reported; an unexpected one is a bug."""
    if isinstance(error, Failure):
        return error
    return Failure(f"a bug in erfailover: {type(error).__name__}: {error}")
