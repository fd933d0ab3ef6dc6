"""``erfailover prestage | unprestage``: the peerings with the backup hub, ahead of time.

Steps 1 and 2 of a switch to IPsec, done on a quiet day: nothing is advertised by them. They add
routes between the spokes and the backup hub, and widen the VirtualNetwork tag of both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from erfailover.azure import peerings
from erfailover.azure.readers.cache import ReadingCache
from erfailover.azure.writer import Writer
from erfailover.commands import plans
from erfailover.commands.context import Context
from erfailover.commands.lease import Lease, hold_lease
from erfailover.commands.runs.recorder import record_run, settle
from erfailover.commands.runs.tasks import run_tasks
from erfailover.commands.switch import left_out
from erfailover.commands.switch import tasks as switch_tasks
from erfailover.commands.switch.command import insist_on_having_read
from erfailover.commands.switch.options import MANY
from erfailover.commands.switch.planner import find_own_peerings
from erfailover.errors import Refused, UnknownReading, UsageFailure
from erfailover.model.conditions import Condition, ConditionStatus
from erfailover.model.counting import join_names
from erfailover.model.observed import SiteSnapshot
from erfailover.model.plan import Purpose, SwitchPlan, SwitchStep
from erfailover.model.tasks import Task
from erfailover.planning.switch import prestage as plans_of
from erfailover.planning.switch.outlook import SwitchOutlook
from erfailover.planning.switch.schedule import Node, schedule
from erfailover.reporting.plan import prestage
from erfailover.reporting.plan import text as plan_text
from erfailover.reporting.words import format_subject


def run(context: Context, purpose: Purpose, *, dry_run: bool) -> None:
    """Make, or remove, the peerings with the backup hub that carry nothing yet.

    Raises:
        Refused: a spoke cannot use a remote gateway, or the operator said no.
        UnknownReading: what must be known could not be read.
        AzureFailure: Azure refused a write.
    """
    if purpose is Purpose.UNPRESTAGE and context.site.prestaged:
        raise UsageFailure(
            f"{context.site_file} has prestaged: true",
            "Set it to false or remove it. Otherwise the next failback keeps the peerings again.",
        )
    if dry_run:
        plans.show(
            context, *_plan_purpose(context, ReadingCache(context.reader, context.site), purpose)
        )
        return
    with hold_lease(context, str(purpose)) as lease:
        settle(context)
        readings = ReadingCache(context.reader, context.site)
        plan, observed = _plan_purpose(context, readings, purpose)
        plans.tell(context.output, plan_text.format_text(context.site, plan))
        _refuse(plan)
        if plan.writes:
            context.output.confirm(f"{str(purpose).capitalize()} {format_subject(context.site)}?")
        _carry_out(
            context, lease, readings, plan, plans.build_document(context.site, plan, observed)
        )


def _plan_purpose(
    context: Context, readings: ReadingCache, purpose: Purpose
) -> tuple[SwitchPlan, SiteSnapshot]:
    with context.show_reading():
        observed = readings.observe(context.site.list_network_names())
    site = context.use_names_of(observed)
    if purpose is Purpose.PRESTAGE:
        plan = plans_of.prestage(site, observed)
    else:
        plan = plans_of.unprestage(
            site, observed, find_own_peerings(site, observed, context.read_records())
        )
    insist_on_having_read(plan)
    return replace(plan, remarks=context.remarks), observed


def _refuse(plan: SwitchPlan) -> None:
    bad: list[Condition] = [guard for guard in plan.guards if guard.status is ConditionStatus.FAILS]
    if not plan.steps:
        bad += plan.left_out.values()
    if bad:
        message = join_names((condition.message for condition in bad), MANY, "; ")
        remedies = " ".join(
            [*dict.fromkeys(condition.remedy for condition in bad if condition.remedy)][:MANY]
        )
        kind = (
            Refused
            if any(condition.status is ConditionStatus.FAILS for condition in bad)
            else UnknownReading
        )
        raise kind(f"refusing to {plan.purpose}: {message}", f"Nothing was changed. {remedies}")


def _carry_out(
    context: Context,
    lease: Lease,
    readings: ReadingCache,
    plan: SwitchPlan,
    document: Mapping[str, Any],
) -> None:
    site, clock = context.site, context.clock
    began = clock.now()
    with record_run(context, str(plan.purpose), document) as recorder:
        write = partial(_write, lease.build_writer(recorder.record_accepted), readings)
        tasks = [_build_task(node, write) for node in schedule(site, plan)]
        results = run_tasks(context, recorder, tasks, foresee=SwitchOutlook.from_plan(site, plan))
        text = prestage.format_text(site, plan, results, clock.now() - began)
        outcome = text.splitlines()[-1] if context.output.quiet else text
        context.output.print_result(outcome, prestage.build_data(site, plan, results))
        results.raise_first()
        again = "Run the same command again for these spokes."
        others = left_out.build_failure(plan.left_out, {}, f"{plan.purpose}d", again, others=True)
        if others is not None:
            raise others


def _build_task(node: Node, write: Callable[[SwitchStep], str]) -> Task:
    step = node.step
    if step is None:
        return switch_tasks.build_milestone(node)
    return switch_tasks.write(node, step, step.title, partial(write, step))


def _write(writer: Writer, readings: ReadingCache, step: SwitchStep) -> str:
    deadline_s = readings.site.timing.step_deadline_s
    return peerings.write(writer, step.peering, deadline_s, readings)
