"""What others learn of one watched site: its view, its events, its notifications."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from erfailover.commands.watch.notifier import Notifier
from erfailover.commands.watch.shared_document import SharedDocument
from erfailover.model.watch import Event, EventType, Severity, SiteView
from erfailover.planning.watch import events
from erfailover.runtime.state.documents import Documents

log = logging.getLogger("erfailover.progress.watch")

SEND_AGAIN_S = 600.0
"""How old an event may be that a new leader submits again, in wall seconds."""
SHOWN_EVENTS = 100
"""How many events the page shows."""
OUTBOX = "outbox"
"""The key of the leader's outbox."""

OpenNotifier = Callable[[Callable[[], bytes | None], Callable[[bytes], None]], Notifier]
"""Opens what sends events, with functions that load and store its outbox."""


@dataclass(eq=False)
class Reporter:
    """Shows, logs and sends what happens to one site.

    Attributes:
        view: the site as the page and the metrics show it; read from any thread.
        documents: what all replicas share: a leader's outbox.
        open_notifier: opens what sends events.
        changed: called when the view has changed.
        wall: wall time, in seconds since 1970.
    """

    view: SiteView
    documents: Documents
    open_notifier: OpenNotifier
    changed: Callable[[], None] = lambda: None
    wall: Callable[[], float] = time.time

    def __post_init__(self) -> None:
        self._sent_incidents: set[str] = set()
        self._notifier = self._open_standby_notifier()

    def begin_to_lead(self, last: Sequence[Event], leader: str | None) -> None:
        """Go on where the last leader was.

        What it may not have put into the outbox is submitted again; nothing is sent twice.

        Args:
            last: its last events, newest first.
            leader: who leads now: this process.
        """
        outbox = SharedDocument(self.documents, OUTBOX)
        self._notifier.close(0.0)
        self._notifier = self.open_notifier(outbox.load, outbox.store)
        self.update(is_leader=True, leader=leader, events=tuple(last))
        due = self._select_due(reversed(last))
        since = self.wall() - SEND_AGAIN_S
        self._submit([event for event in due if event.at > since])
        self.note_store(None)
        self.tell([self.build_event(EventType.LEADER_CHANGED, f"{leader} leads")])

    def stop_leading(self) -> None:
        """Forget what only a leader knows; its successor keeps the outbox."""
        self._notifier.close(0.0)
        self._notifier = self._open_standby_notifier()
        self.update(is_leader=False, approval=None, withheld=None)
        log.warning("%s: this process no longer leads", self.view.site)

    def note_store(self, problem: str | None) -> None:
        """Report that the store was lost, or is back."""
        before = self.view.store_problem
        self.update(store_problem=problem)
        if problem is not None and before is None:
            text = f"the shared store cannot be used, so nothing new is begun: {problem}"
            self.tell([self.build_event(EventType.STORE_LOST, text, Severity.CRITICAL)])
        elif problem is None and before is not None:
            text = "the shared store can be used again"
            self.tell([self.build_event(EventType.STORE_BACK, text, resolves=True)])

    def update(self, **values: object) -> None:
        """Change the view."""
        view = replace(self.view, **values)  # type: ignore[arg-type]
        if view != self.view:
            self.view = view
            self.changed()

    def count_notifications(self) -> dict[str, int]:
        """Return the totals of notifications since this process leads, or stands by."""
        sent = self._notifier.counts
        return {"notifications": sent.delivered, "failed_notifications": sent.failed}

    def tell(self, new: Iterable[Event]) -> None:
        """Log events, show them, and have those that matter sent."""
        lines = list(new)
        for event in lines:
            log.info("%s: %s", event.site, event.text)
        self.update(events=(*reversed(lines), *self.view.events)[:SHOWN_EVENTS])
        self._submit(self._select_due(lines))

    def build_event(
        self,
        type_: EventType,
        text: str,
        severity: Severity = Severity.INFO,
        *,
        incident: str | None = None,
        resolves: bool = False,
    ) -> Event:
        """Return an event of now that does not follow from a reading."""
        return events.build_event(
            self.view.site,
            type_,
            self.wall(),
            severity,
            text,
            incident=incident or str(type_).partition("_")[0],
            resolves=resolves,
        )

    def close(self, timeout_s: float) -> None:
        """Send what waits, for at most some seconds of Azure's time."""
        self._notifier.close(timeout_s)

    def _select_due(self, new: Iterable[Event]) -> list[Event]:
        due = [event for event in new if events.is_sent(event, self._sent_incidents)]
        self._sent_incidents.update(event.incident for event in due)
        return due

    def _submit(self, due: Sequence[Event]) -> None:
        self._notifier.submit(due, self.view.mode, self.view.pause)

    def _open_standby_notifier(self) -> Notifier:
        return self.open_notifier(lambda: None, lambda data: None)
