"""The switches that a watch makes: ``erfailover switch`` as it is, without a terminal.

Each has a separate context, and so its own plan, gate, lease, journal and report. None leaves a
path that has become healthy meanwhile: that would need ``--planned``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from erfailover.azure.readers.cache import ReadingCache
from erfailover.commands import plans
from erfailover.commands.context import Context
from erfailover.commands.output import Output
from erfailover.commands.site_file import SiteFile
from erfailover.commands.switch import command
from erfailover.commands.switch.options import Options
from erfailover.commands.switch.planner import Planner
from erfailover.errors import Failure, StateFailure
from erfailover.model.history import RunRecord, collect_runs
from erfailover.model.observed import Gateway
from erfailover.model.site import Path, Role
from erfailover.reporting import formats
from erfailover.reporting.plan import text as plan_text

log = logging.getLogger("erfailover.progress.watch")


@dataclass(frozen=True)
class RunEnd:
    """How a run of a watch ended.

    Attributes:
        exit_code: the code that ``erfailover switch`` would have returned.
        message: what went wrong, and what to do; empty if it is done and verified.
        run: its record; None if it did not begin, or the journal cannot be read.
        writes: how many requests other than GET it has sent to Azure.
    """

    exit_code: int
    message: str
    run: RunRecord | None
    writes: int = 0

    @property
    def has_begun(self) -> bool:
        """Whether it passed the guards and may have changed something."""
        return self.run is not None


def switch(watched: Context, target: Path, reason: str, gateways: Mapping[Role, Gateway]) -> RunEnd:
    """Switch a site to a path.

    Args:
        watched: the context of the watch.
        target: the path.
        reason: why, for the journal.
        gateways: what the reading that led to it shows of the hubs' gateways: the plan does not
            read them again if they are a few seconds old, and the gate only if they are older than
            it allows.
    """
    with _open_context(watched, reason) as context:
        options = Options(target, gateways=gateways)
        return _carry_out(context, partial(command.run, context, options))


def plan(watched: Context, target: Path) -> tuple[str, Mapping[str, Any]]:
    """Return the plan of a switch, as text and as the document that ``switch --plan`` takes.

    Raises:
        Failure: the site cannot be planned.
    """
    with _open_context(watched, "") as context:
        options = Options(target, dry_run=True)
        planner = Planner(context, options, ReadingCache(context.reader, context.site))
        observed, switch_plan = planner.plan()
        command.insist_on_having_read(switch_plan)
        site = context.site
        return (
            plan_text.format_text(site, switch_plan),
            plans.build_document(site, switch_plan, observed),
        )


def switch_by_plan(watched: Context, target: Path, saved: Mapping[str, Any], reason: str) -> RunEnd:
    """Apply a plan that was approved; refused if Azure has changed since.

    Args:
        watched: the context of the watch.
        target: the path that it leads to.
        saved: the plan.
        reason: why, for the journal.
    """
    with _open_context(watched, reason) as context:
        work = partial(command.apply_saved, context, Options(target), saved, "the approved plan")
        return _carry_out(context, work)


def _carry_out(context: Context, work: Callable[[], None]) -> RunEnd:
    code, message = 0, ""
    try:
        work()
    except Failure as failure:
        code = failure.exit_code
        message = " ".join(filter(None, (f"{failure.message}.", failure.hint)))
        log.warning("%s: %s", context.site.name, message)
    return RunEnd(code, message, _find_run(context), count_writes(context))


def count_writes(context: Context) -> int:
    """Return how many requests other than GET a context has sent to Azure."""
    return context.session.budget.writes if "session" in context.__dict__ else 0


def _find_run(context: Context) -> RunRecord | None:
    try:
        records = collect_runs(context.read_records())
    except StateFailure:
        records = collect_runs(context.journal.written)
    return next((run for run in records if run.id == context.journal.run), None)


@contextmanager
def _open_context(watched: Context, reason: str) -> Iterator[Context]:
    """Provide the context of one run, which asks nothing and logs what it prints."""
    site_file = watched.site_file
    output = Output(format=formats.NONE, yes=True, json_log=True)
    own = SiteFile(site_file.path, site_file.environment, site_file.lab)
    with closing(Context(own, output, reason=reason or None, clock=watched.clock)) as context:
        yield context
