"""Wrong controllers that leave a spoke without a path, or do not say so; see ``mutants``.

Most are what erfailover did before a spoke was owed a path from its break on.
"""

from __future__ import annotations

import signal
from concurrent.futures import Future
from typing import Any

from erfailover.azure import peerings
from erfailover.azure.client import write_guard
from erfailover.azure.client.rate_limits import RateLimiter
from erfailover.azure.writer import Writer
from erfailover.cli import signals
from erfailover.commands.runs import recorder
from erfailover.commands.switch import crossing, execution, left_out
from erfailover.errors import AzureErrorKind, AzureFailure
from erfailover.model.fencing import Grant, Write, may_send
from erfailover.model.plan import SwitchPlan, SwitchStep
from erfailover.model.tasks import Event, Results
from erfailover.planning.switch.recovery import (
    Direction,
    Move,
    OutwardPeerings,
    PathState,
    choose_move,
)
from erfailover.reporting.run import report
from erfailover.runtime import executor, streams
from erfailover.runtime.clock import start
from erfailover.runtime.state import lease_keeper
from tests.tools.campaign.mutant import Mutant, patch


def _listeners_end_runs() -> None:
    def notify(self: executor._Run, event: Event) -> None:
        self.listener(event)

    def write(self: streams.LastingStream, text: str) -> int:
        return int(self._stream.write(text))

    executor._Run._notify = notify  # type: ignore[method-assign]
    streams.LastingStream.write = write  # type: ignore[method-assign]


def _journal_ends_runs() -> None:
    right = recorder.Recorder.record_later

    def later(self: recorder.Recorder, event: str, **fields: Any) -> Future[None]:
        future = right(self, event, **fields)
        if event in ("intent", "accepted"):
            future.result()
        return future

    def intent_later(
        self: recorder.Recorder, task: str, title: str, change: str, resource: str
    ) -> None:
        self.record_later("intent", task=task, title=title, change=change, resource=resource)

    recorder.Recorder.record_later = later  # type: ignore[method-assign]
    recorder.Recorder.record_intent_later = intent_later  # type: ignore[method-assign]


def _breaks_unconfirmed() -> None:
    def announce(self: crossing.Crossing, step: SwitchStep, *, confirmed: bool = False) -> None:
        title = f"{step.number}. {step.title}"
        resource = step.peering.peering_id
        self.recorder.record_later(
            "intent", task=step.id, title=title, change=str(step.peering.change), resource=resource
        )

    crossing.Crossing._announce_step = announce  # type: ignore[method-assign]


def _not_found_ends_it() -> None:
    right = crossing.Crossing._recover

    def recover(self: crossing.Crossing, deadline: float) -> PathState:
        failure = self._failures.get(Direction.FORWARD)
        if isinstance(failure, AzureFailure) and failure.kind is AzureErrorKind.OPERATION_LOST:
            return PathState.NOWHERE
        return right(self, deadline)

    value = AzureFailure.outcome_unknown.fget  # type: ignore[attr-defined]

    def outcome_unknown(self: AzureFailure) -> bool:
        return self.kind is not AzureErrorKind.OPERATION_LOST and bool(value and value(self))

    crossing.Crossing._recover = recover  # type: ignore[method-assign]
    patch(AzureFailure, "outcome_unknown", property(outcome_unknown))


def _opposite_of_unknown() -> None:
    _next_move(lambda place, last: Move.ROLL_BACK if last is Direction.FORWARD else None)
    crossing.Crossing._read = lambda self: OutwardPeerings(None, None)  # type: ignore[method-assign]


def _next_move(change: Any) -> None:
    right = choose_move

    def choose_altered_move(place: PathState, last: Any, *rest: Any, **more: Any) -> Move:
        move = right(place, last, *rest, **more)
        if move in (Move.ARRIVED, Move.RETURNED):
            return move
        return change(place, last) or move

    patch(crossing, "choose_move", choose_altered_move)


def _make_once() -> None:
    _next_move(lambda place, last: Move.GIVE_UP if last is Direction.FORWARD else None)


def _take_back_once() -> None:
    rows: list[bool] = []

    def change(place: PathState, last: Any) -> Move:
        if rows:
            return Move.GIVE_UP
        rows.append(True)
        return Move.ROLL_BACK

    right = peerings.put

    def put(writer: Any, write: Any, *rest: Any) -> None:
        try:
            right(writer, write, *rest)
        except Exception:
            if rows:
                patch(peerings, "put", _refuse)
            raise

    _next_move(change)
    patch(peerings, "put", put)


def _refuse(*arguments: Any) -> None:
    raise AzureFailure(AzureErrorKind.REFUSED, "not sent")


def _hang_up_kills() -> None:
    right = signals.install

    def end(number: int, frame: Any) -> None:
        raise SystemExit(129)

    def install() -> None:
        right()
        signal.signal(signal.SIGHUP, end)

    signals.install = install


def _first_ctrl_c_ends() -> None:
    def to_the_end(self: executor._Run) -> Results:
        loop = start(self.clock, self._run_tasks, "executor")
        try:
            self.clock.wait_for(loop.done, 1e9)
        except KeyboardInterrupt:
            raise self._build_interruption() from None
        return loop.result()

    executor._Run.run_to_end = to_the_end  # type: ignore[method-assign]


def _says_still_on() -> None:
    report.RunReport._describe_state = lambda self, *rest: "still on ExpressRoute"  # type: ignore[method-assign]


def _make_waits_for_a_token() -> None:
    right = RateLimiter.take

    def take(self: RateLimiter, verb: str, url: str) -> None:
        if verb == "PUT":
            self.clock.sleep(max(0.0, self.__dict__.get("until_s", 0.0) - self.clock.now()))
        right(self, verb, url)

    def record_refusal(self: RateLimiter, verb: str, url: str, retry_after_s: float) -> None:
        self.__dict__["until_s"] = self.clock.now() + retry_after_s

    for name, method in (("take", take), ("record_refusal", record_refusal)):
        patch(RateLimiter, name, method)


def _lease_before_the_pipeline() -> None:
    right = Writer._write

    def write(self: Writer, *rest: Any) -> None:
        self._guard()
        right(self, *rest)

    patch(Writer, "_write", write)
    write_guard.WriteGuardPolicy.on_request = lambda self, request: None  # type: ignore[method-assign]


def _silent_store_stops_the_make() -> None:
    right = may_send

    def stricter(write: Write, grant: Grant, *rest: float) -> bool:
        return right(Write.OTHER if write is Write.MAKE else write, grant, *rest)

    patch(lease_keeper, "may_send", stricter)


def _make_not_confirmed() -> None:
    crossing.Crossing._is_confirmed = lambda self, peering_id: True  # type: ignore[method-assign]


def _early() -> None:
    right = execution.SwitchRun._build_crossings

    def crossings(self: execution.SwitchRun, plan: SwitchPlan) -> dict[str, crossing.Crossing]:
        by_name = right(self, plan)
        for item in by_name.values():
            item.deadline_s = 60.0
        return by_name

    execution.SwitchRun._build_crossings = crossings  # type: ignore[method-assign]


def _vague() -> None:
    left_out.build_stranded_failure = lambda outcome: None
    crossing.Crossing._build_failure = lambda self, place: self._failures[Direction.FORWARD]  # type: ignore[method-assign]


BREAK, MAKE = "ipsec:PUT:vnet1-to-vnet2:1", "ipsec:PUT:vnet1-to-vnet3:2"
STRANDED = "stranded at the end"
STRANDING = (
    Mutant(
        "an output that fails ends the run",
        _listeners_end_runs,
        f"{BREAK}:lost:output-epipe",
        STRANDED,
    ),
    Mutant(
        "a journal that fails ends the run",
        _journal_ends_runs,
        f"{BREAK}:lost:journal-full",
        STRANDED,
    ),
    Mutant(
        "break although its intent is not confirmed",
        _breaks_unconfirmed,
        "ipsec:PUT:vnet1-to-vnet3:1:after:journal-full",
        "journal before the act",
    ),
    Mutant(
        "404 of a poll taken for the end", _not_found_ends_it, f"{BREAK}:during:poll-404", STRANDED
    ),
    Mutant(
        "unknown outcome answered by its opposite",
        _opposite_of_unknown,
        f"{MAKE}:lost:time-out",
        "opposite of an unknown outcome",
    ),
    Mutant("make tried once", _make_once, f"{MAKE}:before:forbidden-403", STRANDED),
    Mutant(
        "take-back stops at its first write that fails",
        _take_back_once,
        f"{MAKE}:during:make-refused-back-once",
        STRANDED,
    ),
    Mutant("SIGHUP kills", _hang_up_kills, f"{BREAK}:lost:sighup", STRANDED),
    Mutant("the first Ctrl-C ends the run", _first_ctrl_c_ends, f"{BREAK}:lost:ctrl-c", STRANDED),
    Mutant(
        "'still on' reported after an accepted break",
        _says_still_on,
        f"{MAKE}:before:make-refused-back-for-good",
        "told as it is",
    ),
    Mutant(
        "the make waits for a token",
        _make_waits_for_a_token,
        f"{MAKE}:before:retry-after-3600",
        "path in time",
    ),
    Mutant(
        "lease checked before the pipeline",
        _lease_before_the_pipeline,
        "ipsec:PUT:vnet3-to-vnet1:1:before:lease-lost",
        "write without the lease",
    ),
    Mutant(
        "a silent store stops the make",
        _silent_store_stops_the_make,
        f"{BREAK}:lost:store-fails",
        STRANDED,
    ),
    Mutant(
        "make not confirmed by a reading",
        _make_not_confirmed,
        f"{MAKE}:after:target-changed",
        STRANDED,
    ),
    Mutant(
        "gives up after a minute",
        _early,
        f"{MAKE}:before:make-refused-back-for-good",
        "tries until the deadline",
    ),
    Mutant(
        "the last message does not name the spoke",
        _vague,
        f"{MAKE}:before:make-refused-back-for-good",
        "names the spoke",
    ),
)
