"""``erfailover destroy``: delete what ``provision`` made, in the order Azure allows.

Deletes only what the plan, which is shown first, names. A resource that erfailover did not make is
kept, and so is its resource group. After an interruption the same command deletes what is left.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from erfailover.commands import plans
from erfailover.commands.context import Context
from erfailover.commands.lease import Lease, hold_lease
from erfailover.commands.runs.recorder import record_run, settle
from erfailover.commands.runs.tasks import run_tasks
from erfailover.errors import Refused, UsageFailure
from erfailover.model.arm_json import parse_text
from erfailover.model.counting import format_count, join_names
from erfailover.model.plan import Change
from erfailover.model.resource_ids import CONNECTION, GATEWAY, GROUP, NETWORK
from erfailover.model.site import Site
from erfailover.model.tasks import Results, Task
from erfailover.planning.provision import destroy as provision_destroy
from erfailover.planning.provision.arm_bodies import Body
from erfailover.planning.provision.destroy import TYPES, Deletion, DestroyPlan
from erfailover.planning.provision.durations import find_usual
from erfailover.reporting import destroy as report
from erfailover.runtime.clock import Clock, run_all
from erfailover.runtime.executor import ConcurrencyLimit
from erfailover.runtime.secrets import Secrets

if TYPE_CHECKING:
    from erfailover.azure.reader import Reader
    from erfailover.azure.writer import Writer

DEADLINE_S = {GATEWAY: 3600.0, GROUP: 3600.0}
"""How long a deletion may take, in seconds; a gateway takes 7 min (median, recorded)."""

OTHER_DEADLINE_S = 1200.0
DELETIONS_AT_ONCE = 24
LISTING_LAG_S = 120.0
"""How long a group's listing may still name what is gone (assumed; Azure's listing is cached)."""


def run(context: Context, dry_run: bool) -> None:
    """Delete what the site's ``provision`` made.

    Args:
        context: the invocation.
        dry_run: show what would be deleted and stop.

    Raises:
        UsageFailure: the site has no resource group, so nothing of it was provisioned.
        Refused: the operator declined, or something appeared in the group meanwhile.
        AzureFailure: Azure refused a deletion; what does not need it was done all the same.
    """
    if context.site.resource_group is None:
        raise UsageFailure(
            f"{context.site_file} has no resource_group: nothing was provisioned for the site",
            "erfailover deletes only networks that it created.",
        )
    if dry_run:
        plan = _plan(context)
        context.output.print_result(report.format_plan(plan), report.build_plan_data(plan))
        return
    with hold_lease(context, "destroy") as lease:
        settle(context)
        _destroy(context, lease, _plan(context))


def _destroy(context: Context, lease: Lease, plan: DestroyPlan) -> None:
    if not plan.deletions:
        _forget(context)
        outcome = report.build_outcome_data(plan, Results())
        context.output.print_result(report.format_plan(plan), outcome)
        return
    plans.tell(context.output, report.format_plan(plan))
    site, output = context.site.name, context.output
    output.confirm_by_name(
        f"Delete {format_count(len(plan.deletions), 'resource')} of {site}?",
        site,
        site if output.yes else None,
        "Use --yes to skip the prompt.",
    )
    with record_run(context, "destroy", report.build_plan_data(plan)) as recorder:
        writer = lease.build_writer(recorder.record_accepted)
        tasks = [_build_task(context, writer, deletion) for deletion in plan.deletions]
        results = run_tasks(context, recorder, tasks, ConcurrencyLimit(DELETIONS_AT_ONCE))
        if not results.failures:
            _forget(context)
        outcome = report.build_outcome_data(plan, results)
        context.output.print_result(report.format_outcome(plan, results), outcome)
        results.raise_first()


def _forget(context: Context) -> None:
    """Remove the site's secrets from this machine: nothing carries them any more."""
    Secrets.open(context.state_folder, {}).forget()


def _plan(context: Context) -> DestroyPlan:
    with context.show_activity(f"Reading the resources of {context.site.name}", announced=True):
        return _read_plan(context.site, context.reader, context.clock)


def _read_plan(site: Site, reader: Reader, clock: Clock) -> DestroyPlan:
    group = reader.get(site.build_group_id())
    rows = (reader.list_group_resources(site.build_group_id()) or []) if group is not None else []
    whole = [
        id_
        for row in rows
        if TYPES.get(parse_text(row.get("type")).lower()) in (NETWORK, CONNECTION)
        and (id_ := parse_text(row.get("id")))
    ]
    items = run_all(clock, [partial(reader.get, id_) for id_ in whole])
    bodies: dict[str, Body] = {
        id_.lower(): body for id_, body in zip(whole, items, strict=True) if body is not None
    }
    return provision_destroy.plan(site.name, group, rows, bodies)


def _build_task(context: Context, writer: Writer, deletion: Deletion) -> Task:
    def delete() -> str:
        if deletion.type == GROUP:
            _insist_on_empty(context, context.reader, context.site)
        deadline_s = DEADLINE_S.get(deletion.type, OTHER_DEADLINE_S)
        writer.delete(deletion.id, deadline_s)
        return "deleted"

    return Task(
        id=deletion.id,
        title=deletion.title,
        run=delete,
        needs=deletion.needs,
        owns=deletion.owns,
        refers=deletion.refers,
        change="delete",
        resource=deletion.id,
        usual=find_usual(deletion.type, Change.DELETE),
    )


def _insist_on_empty(context: Context, reader: Reader, site: Site) -> None:
    """Check once more that a group is empty: deleting it deletes everything in it."""
    deadline = context.clock.now() + LISTING_LAG_S
    while group_resources := reader.list_group_resources(site.build_group_id()):
        if context.clock.now() >= deadline:
            names = join_names(row.get("name") for row in group_resources)
            raise Refused(
                f"resource group {site.resource_group} is kept: it contains {names}, which the "
                "plan did not include",
                "Run erfailover destroy again to see what remains.",
            )
        context.clock.sleep(5.0)
