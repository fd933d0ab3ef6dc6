"""Keeps the journal of a run: what it is about to do, what Azure answered, how it ended.

Every intent is on the disk before the act. Secrets never enter: no body, no token, no
continuation token (the SDK's embeds the first answer).
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from erfailover.azure.client.polling import AcceptedOperation
from erfailover.commands.context import Context
from erfailover.commands.runs import report_file
from erfailover.commands.runs.site_states import SiteStates
from erfailover.errors import Failure, Interrupted
from erfailover.model.counting import format_count
from erfailover.model.history import OPEN, collect_runs
from erfailover.model.observed import SiteSnapshot
from erfailover.model.resource_ids import is_resource_id
from erfailover.model.tasks import Event, Listener, State
from erfailover.runtime.clock import Clock
from erfailover.runtime.journal import Journal
from erfailover.runtime.state.process import build_holder

INTENT_S = 0.5
"""How long an intent that may be recorded late is waited for, in wall seconds."""
FLUSH_S = 10.0
"""How long the last records of a run are waited for, in wall seconds."""

SETTLE_DEADLINE_S = 5400.0
"""How long operations of a run that died are waited for: a gateway's creation is the longest."""


@dataclass
class Recorder:
    """Writes the journal of one run.

    Attributes:
        began_s: when the command began, in seconds of the clock; records count from there.
        result: returns the run's result so far, for the record of its end.
    """

    journal: Journal
    clock: Clock
    began_s: float
    result: Callable[[], Mapping[str, Any]] = dict
    _attempts: Counter[str] = field(default_factory=Counter)

    def build_listener(self, show: Listener) -> Listener:
        """Return a listener of the executor that records every event before it is shown."""

        def tell(event: Event) -> None:
            task = event.task
            if event.state is State.WAITING:
                self._attempts[task.id] = max(self._attempts[task.id], event.attempt)
            elif event.state is not State.STARTED:
                self.record_later(
                    str(event.state),
                    task=task.id,
                    title=task.title,
                    change=task.change,
                    resource=task.resource,
                    note=event.note,
                    elapsed_s=round(event.elapsed_s, 1),
                    attempts=max(1, self._attempts[task.id]),
                )
            show(event)

        return tell

    def record_intent(self, task: str, title: str, change: str, resource: str) -> None:
        """Record what is about to be done; return when the store has confirmed it.

        Raises:
            StateFailure: it has not.
        """
        self.note("intent", task=task, title=title, change=change, resource=resource)

    def record_intent_later(self, task: str, title: str, change: str, resource: str) -> None:
        """Record what is about to be done; do not wait for a store that is slow or silent."""
        future = self.record_later(
            "intent", task=task, title=title, change=change, resource=resource
        )
        with suppress(Exception):
            future.result(INTENT_S)

    def record_accepted(self, resource_id: str, answer: AcceptedOperation) -> None:
        """Record what Azure answered to a write. Never fails: the write was accepted."""
        self.record_later(
            "accepted",
            resource=resource_id,
            method=answer.method,
            status=answer.status,
            operation=answer.operation,
            correlation_id=answer.correlation_id,
        )

    def note(self, event: str, **fields: Any) -> None:
        """Record something, with the seconds since the command began; wait until it is kept."""
        self.record_later(event, **fields).result()

    def record_later(self, event: str, **fields: Any) -> Future[None]:
        """Record something as soon as the store takes it. Never fails."""
        at_s = round(self.clock.now() - self.began_s, 2)
        return self.journal.record_later(event, at_s=at_s, **fields)

    def record_end(self, event: str, **fields: Any) -> None:
        """Record the end of the run and its result."""
        self.record_later(event, **fields, result=dict(self.result()))


@contextmanager
def record_run(
    context: Context,
    command: str,
    plan: Mapping[str, Any],
    target: str | None = None,
    began_s: float | None = None,
    journal: Journal | None = None,
    way_back_refused: str | None = None,
    completes: str | None = None,
    observed: SiteSnapshot | None = None,
    spokes: Sequence[str] = (),
) -> Iterator[Recorder]:
    """Record a run from its beginning to its end, however it ends, and report it.

    Args:
        context: the invocation.
        command: what was typed: ``switch``, ``drill start``.
        plan: what was shown to the operator; its digest ties the run to it.
        target: the path of a switch.
        began_s: when the command began, in seconds of the clock; now if not given.
        journal: the journal of a run beside the command's own; the command's own if not given.
        way_back_refused: why a switch back would be refused as of now; None if it would not be.
        completes: the run that lost its lease and whose spokes this one puts on their path.
        observed: what was read of the site for the plan, gateways included; the state before the
            run is read for its report if not given.
        spokes: the spokes that it is for, if they are not those that were chosen.
    """
    journal, clock = journal or context.journal, context.clock
    states = SiteStates(context, observed) if journal is context.journal else None
    recorder = Recorder(journal, clock, clock.now() if began_s is None else began_s)
    me = build_holder(command)
    recorder.note(
        "begun",
        command=command,
        to=target,
        spokes=list(spokes or context.site.chosen) or None,
        way_back_refused=way_back_refused,
        completes=completes,
        drill=context.drill,
        site=context.site.name,
        context=context.azure_context.to_data(),
        digest=compute_digest(plan),
        reason=context.reason,
        ticket=context.ticket,
        who=me.user,
        host=me.host,
        pid=me.pid,
        machine=me.machine,
        started=me.started,
    )
    try:
        yield recorder
    except (Interrupted, KeyboardInterrupt) as stopped:
        recorder.record_end(
            "interrupted", message=getattr(stopped, "message", "stopped by the operator")
        )
        raise
    except Failure as failure:
        recorder.record_end("ended", outcome="failed", message=failure.message, hint=failure.hint)
        raise
    except Exception as error:
        recorder.record_end("ended", outcome="failed", message=f"{type(error).__name__}: {error}")
        raise
    else:
        recorder.record_end("ended", outcome="done")
    finally:
        if states is not None:
            states.record(journal)
        _flush(context, journal)
        if journal is context.journal:
            report_file.write(context, journal)


def _flush(context: Context, journal: Journal) -> None:
    """Wait for the last records; say what could not be kept, and keep it on this machine."""
    remaining = journal.flush(FLUSH_S)
    if not remaining:
        return
    records = format_count(remaining.count(b"\n"), "record")
    try:
        text = context.store.keep_aside(remaining)
    except Failure as failure:
        context.output.warn(f"!! Lost {records} of this run: {failure.message}")
    else:
        context.output.warn(
            f"!! {records} of this run could not be written to {journal.log.name}; see {text}."
        )


def compute_digest(plan: Mapping[str, Any]) -> str:
    """Return what identifies a plan: the same plan, the same digest. Some carry their own."""
    if isinstance(own := plan.get("digest"), str):
        return own
    return hashlib.sha256(json.dumps(plan, sort_keys=True).encode()).hexdigest()[:16]


def settle(context: Context) -> None:
    """Re-attach to the operations that an earlier run left in flight, and wait for their end.

    The outcome is read from Azure afterwards.
    """
    records = context.read_records()
    settled = {str(record.get("of")) for record in records if record.get("event") == "settled"}
    for run in collect_runs(records):
        if run.outcome == "done" or run.id in settled or run.id == context.journal.run:
            continue
        steps = [
            step_record
            for step_record in run.steps
            if step_record.outcome == OPEN and step_record.resource
        ]
        for step in steps:
            if not is_resource_id(step.resource):
                context.output.print_info(
                    f"An earlier run did not finish: {step.title}. It cannot be followed, because "
                    f"{step.resource!r} is not a resource id. Continuing; Azure is read again."
                )
                continue
            context.output.print_info(f"Resuming an operation of an earlier run: {step.title}")
            with context.show_activity(f"Waiting for an earlier run's operation: {step.title}"):
                state = context.reader.watch(step.resource, step.operation, SETTLE_DEADLINE_S)
            context.output.print_info(f"  {step.title}: {state}")
        context.journal.write("settled", of=run.id)
