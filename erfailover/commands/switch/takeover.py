"""Complete what the holder of a lost lease was moving, before anything else is done to the site.

The holder may be paused or cut off from the store, and still send what ``model.fencing`` allows
it. So the spokes that it recorded are first put on the path that it was moving them to, which
repeats its own writes; nothing else happens to them until none of its writes can arrive any more.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from erfailover.azure.readers.cache import ReadingCache
from erfailover.azure.readers.network import observe
from erfailover.commands import plans
from erfailover.commands.context import Context
from erfailover.commands.lease import Lease, find_unsettled
from erfailover.commands.runs.recorder import record_run
from erfailover.commands.switch.execution import SwitchRun
from erfailover.commands.switch.left_out import build_stranded_failure
from erfailover.commands.switch.options import Options
from erfailover.errors import Refused, UnknownReading
from erfailover.model.command_line import format_spoke_options, switch_to
from erfailover.model.counting import join_names
from erfailover.model.durations import format_duration
from erfailover.model.fencing import (
    ACCEPTED_LATE_S,
    compute_arrival_limit_s,
    compute_reversal_delay_s,
)
from erfailover.model.history import OwedSpokes, collect_runs, find_all_owed
from erfailover.model.lease import LeaseStanding
from erfailover.model.observed import SiteSnapshot, attempt
from erfailover.model.plan import Phase, StepKind, SwitchPlan
from erfailover.model.site import ROLE_OF_PATH, Path, Site
from erfailover.planning.health import find_tied_groups
from erfailover.planning.switch import procedure
from erfailover.planning.switch.recovery import PathState, place_of
from erfailover.reporting.plan import text
from erfailover.reporting.words import describe_no_path
from erfailover.runtime.journal import Journal


def complete(context: Context, lease: Lease, options: Options) -> None:
    """Put the spokes that a lost holder recorded on its target, and wait until it is harmless.

    Raises:
        AzureFailure: a spoke was left without a path.
        LeaseLost: this lease was lost in turn.
    """
    owed = find_unsettled(context, lease.acquired)
    if owed is None:
        return
    target, clock = Path(owed.target), context.clock
    acquired_s = clock.now()
    gone = lease.acquired.standing is LeaseStanding.ORPHANED
    planned = {spoke.name for spoke in context.site.spokes}
    if not gone or target is not options.target or not planned.issuperset(owed.spokes):
        _put_on(context, lease, options, owed, target)
    if gone:
        wait_s = ACCEPTED_LATE_S if target is not options.target else 0.0
    elif target is options.target:
        wait_s = compute_arrival_limit_s(context.store.relied_on_s)
    else:
        wait_s = compute_reversal_delay_s(context.site.timing.step_deadline_s)
    left_s = wait_s - (clock.now() - acquired_s)
    if left_s > 0:
        waits = (
            f"Waiting {format_duration(left_s)}: Azure may still accept a write of run {owed.run}, "
            "which lost its lease"
        )
        with context.show_activity(waits, announced=True):
            clock.sleep(left_s)


def insist_on_paths(context: Context) -> None:
    """Refuse to act on part of a site while an earlier run has left another spoke without a path.

    Azure decides: the journal names the spokes to look at.

    Raises:
        Refused: such a spoke has no path.
    """
    whole, chosen = context.whole_site, context.site.chosen
    if not chosen:
        return
    names = {spoke.name: spoke for spoke in context.site.others}
    oweds = {
        name: owed
        for owed in find_all_owed(collect_runs(context.read_records()))
        for name in owed.spokes
        if name in names
    }
    if not oweds:
        return
    networks = [names[name].virtual_network for name in oweds]
    if whole.routing:  # what is peered with the hubs decides which routes are added
        networks = list(whole.list_network_names())
    observed = observe(context.reader, whole, [], networks)
    places = {
        name: place_of(whole, observed, names[name], Path(by.target)) for name, by in oweds.items()
    }
    bad = [name for name, at in places.items() if at not in (PathState.TARGET, PathState.ORIGIN)]
    if not bad:
        return
    by = oweds[bad[0]]
    first = switch_to(by.target, [name for name in bad if oweds[name] is by])
    hint = f"Run this first: {first}, or add{format_spoke_options(bad)} to this command."
    without = [name for name in bad if places[name] is PathState.NOWHERE]
    if without:
        raise Refused(f"{describe_no_path(without)} since run {by.run}", hint)
    raise UnknownReading(f"{join_names(bad, 12)} may have NO path since run {by.run}", hint)


def _put_on(
    context: Context, lease: Lease, options: Options, owed: OwedSpokes, target: Path
) -> None:
    """Make the path of the recorded spokes; the plan that was confirmed named these writes."""
    there = {spoke.name for spoke in context.whole_site.spokes}
    names = [name for name in owed.spokes if name in there]
    if names:
        with context.limit_to_spokes(names):
            _put_chosen_on(context, lease, options, owed, target)


def _find_tied(
    readings: ReadingCache, site: Site, observed: SiteSnapshot, plan: SwitchPlan
) -> tuple[tuple[str, ...], ...]:
    """Return the spokes that go together or not at all, by the gateway of the hub being left."""
    if not plan.sharing:
        return ()
    leaving = ROLE_OF_PATH[plan.target.other]
    gateway = attempt(partial(readings.read_leaving_gateway, leaving, 0.0)).value
    gateways = {leaving: gateway} if gateway is not None else {}
    return find_tied_groups(site, replace(observed, gateways=gateways), plan)


def _put_chosen_on(
    context: Context, lease: Lease, options: Options, owed: OwedSpokes, target: Path
) -> None:
    readings = ReadingCache(context.reader, context.site)
    began_s = context.clock.now()
    with context.show_reading():
        observed = readings.observe(context.site.list_network_names())
    site = context.use_names_of(observed)
    whole = procedure.plan(site, observed, target)
    on_origin = {step.spoke for step in whole.writes if step.kind is StepKind.BREAK}
    moving = {step.spoke for step in whole.writes if step.phase is Phase.SWITCH}
    without = moving - on_origin
    without |= {name for group in whole.sharing if without.intersection(group) for name in group}
    whole = replace(whole, tied=_find_tied(readings, site, observed, whole))
    steps = tuple(
        step for step in whole.steps if step.spoke in without and step.phase is not Phase.CLEANUP
    )
    if not steps:
        return
    plan: SwitchPlan = replace(whole, steps=steps, guards=())
    context.output.print_info(f"Completing run {owed.run}, which lost its lease:")
    plans.tell(context.output, text.format_text(site, plan))
    journal = Journal.open(context.store)
    document = plans.build_document(site, plan, observed)
    with record_run(
        context, "switch", document, str(target), began_s, journal, completes=owed.run
    ) as recorder:
        here = replace(options, target=target, canary=None)
        run = SwitchRun(context, lease, here, recorder, readings, observed, began_s)
        run.write(plan)
        if (stranded := build_stranded_failure(run.outcome)) is not None:
            raise stranded
