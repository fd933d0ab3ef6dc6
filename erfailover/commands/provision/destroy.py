"""``erfailover destroy``: delete what ``provision`` made, in the order Azure allows.

Deletes only what the plan, shown first, names. What is not ours is kept, and so is the group
then. Running it again goes on where it was interrupted.
"""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING

from erfailover.commands import plans
from erfailover.commands.context import Context
from erfailover.commands.progress import Progress
from erfailover.commands.runs.recorder import recorded, settle
from erfailover.errors import Refused, UsageFailure
from erfailover.model.resource_ids import CONNECTION, GATEWAY, GROUP, NETWORK
from erfailover.model.site import Site
from erfailover.model.tasks import Results, Task
from erfailover.planning.provision import destroy as provision_destroy
from erfailover.planning.provision.arm_bodies import Body
from erfailover.planning.provision.destroy import TYPES, Deletion, DestroyPlan
from erfailover.reporting import destroy as report
from erfailover.runtime import executor
from erfailover.runtime.clock import all_at_once
from erfailover.runtime.secrets import Secrets

if TYPE_CHECKING:
    from erfailover.azure.arm import Azure

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
        Refused: the operator said no, or something appeared in the group meanwhile.
        AzureFailure: Azure refused a deletion; what does not need it was done all the same.
    """
    if context.site.resource_group is None:
        raise UsageFailure(
            f"{context.site_file} names no resource_group: nothing of the site was provisioned",
            "An adopted network is not erfailover's to delete.",
        )
    with nullcontext() if dry_run else context.lease("destroy"):
        _run(context, dry_run)


def _run(context: Context, dry_run: bool) -> None:
    site, azure = context.site, context.azure
    if not dry_run:
        settle(context)
    context.say(f"Reading what there is of {site.name} ...")
    plan = _plan(context, azure, site)
    if dry_run:
        context.show(report.plan_text(plan), report.plan_data(plan))
        return
    if not plan.deletions:
        _forget(context)
        context.show(report.plan_text(plan), report.outcome_data(plan, Results()))
        return
    plans.tell(context, report.plan_text(plan))
    context.confirm(f"Delete these {len(plan.deletions)} resource(s)?")
    tasks = [_task(context, azure, site, each) for each in plan.deletions]
    with recorded(context, "destroy", report.plan_data(plan)) as recorder:
        with Progress(context.console, context.clock, len(tasks)) as progress:
            listener = recorder.listener(progress.tell)
            results = executor.run(
                tasks, context.clock, listener, executor.Width(DELETIONS_AT_ONCE)
            )
        if not results.failures:
            _forget(context)
        context.show(report.outcome_text(plan, results), report.outcome_data(plan, results))
        results.raise_first()


def _forget(context: Context) -> None:
    """Remove the site's secrets from this machine: nothing carries them any more."""
    Secrets.open(context.state_folder, {}).forget()


def _plan(context: Context, azure: Azure, site: Site) -> DestroyPlan:
    group = azure.get(site.group_id())
    listed = (azure.resources_of_group(site.group_id()) or []) if group is not None else []
    whole = [
        str(each["id"])
        for each in listed
        if TYPES.get(str(each.get("type", "")).lower()) in (NETWORK, CONNECTION)
    ]
    found = all_at_once(context.clock, [partial(azure.get, id_) for id_ in whole])
    bodies: dict[str, Body] = {
        id_.lower(): body for id_, body in zip(whole, found, strict=True) if body is not None
    }
    return provision_destroy.plan(site.name, group, listed, bodies)


def _task(context: Context, azure: Azure, site: Site, deletion: Deletion) -> Task:
    def delete() -> str:
        if deletion.type == GROUP:
            _insist_on_empty(context, azure, site)
        deadline_s = DEADLINE_S.get(deletion.type, OTHER_DEADLINE_S)
        azure.delete(deletion.id, deadline_s)
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
    )


def _insist_on_empty(context: Context, azure: Azure, site: Site) -> None:
    """Deleting a group deletes all in it, so look once more that nothing is."""
    deadline = context.clock.now() + LISTING_LAG_S
    while left := azure.resources_of_group(site.group_id()):
        if context.clock.now() >= deadline:
            names = ", ".join(str(each.get("name")) for each in left)
            raise Refused(
                f"{site.resource_group} is kept: {names} is in it, and was not in the plan",
                "Run erfailover destroy again: it shows what is left.",
            )
        context.clock.sleep(5.0)
