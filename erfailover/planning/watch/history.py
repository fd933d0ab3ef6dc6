"""What the journal tells the watch: when the last runs ended, which it made by itself. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from erfailover.model.history import RunRecord
from erfailover.model.site import Path

AUTOMATIC_REASON = "erfailover watch, automatic: "
"""How the reason of an automatic switch begins in the journal; it is known by it."""
APPROVED_REASON = "erfailover watch, approved by "
"""How the reason of an approved switch begins: ``erfailover watch, approved by anna: ...``."""


def is_by_watch(run: RunRecord) -> bool:
    """Return whether a watch has made a run, by itself or after an approval."""
    return (run.reason or "").startswith((AUTOMATIC_REASON, APPROVED_REASON))


def count_failed_failovers(runs: Sequence[RunRecord], since: float) -> int:
    """Return how many of a watch's last switches to the backup path failed in a row.

    Runs that only completed another, whose lease was lost, do not count.

    Args:
        runs: the runs of the site, oldest first.
        since: only runs that began after this moment, in wall seconds since 1970.
    """
    failed = 0
    for run in reversed([run for run in runs if not run.completes]):
        if not is_by_watch(run) or run.target != Path.IPSEC or run.outcome == "done":
            break
        if min(_list_moments(run), default=since) < since:
            break
        failed += 1
    return failed


@dataclass(frozen=True, slots=True)
class SwitchHistory:
    """The runs that count for the policy. All moments are wall seconds since 1970.

    Attributes:
        last_end: when the last run that may have written ended, whoever made it; None if there
            is none.
        last_run: the same run in words.
        automatic: when each automatic switch began.
    """

    last_end: float | None = None
    last_run: str = ""
    automatic: tuple[float, ...] = ()

    def count_automatic(self, since: float) -> int:
        """Return how many automatic switches began after a moment."""
        return sum(began > since for began in self.automatic)


def build_history(
    runs: Iterable[RunRecord], convert: Callable[[float], float] | None = None
) -> SwitchHistory:
    """Return what counts of the runs of a site.

    A run whose end was not recorded counts as ended with its last record.

    Args:
        runs: from the journal, in any order.
        convert: from the journal's wall time to that of the readings; the same if not given.
    """
    last_end, last_run, automatic = None, "", []
    for run in runs:
        moments = [convert(moment) if convert else moment for moment in _list_moments(run)]
        if not moments:
            continue
        if last_end is None or max(moments) > last_end:
            last_end, last_run = max(moments), f"{run.typed} by {run.who or 'an unknown user'}"
        if (run.reason or "").startswith(AUTOMATIC_REASON) and not run.completes:
            automatic.append(min(moments))
    return SwitchHistory(last_end, last_run, tuple(sorted(automatic)))


def _list_moments(run: RunRecord) -> Iterator[float]:
    texts = [run.began, run.ended]
    for step in run.steps:
        texts += [step.began, step.ended]
    for text in filter(None, texts):
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            continue
        yield (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
