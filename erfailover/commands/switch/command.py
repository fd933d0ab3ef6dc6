"""``erfailover switch``: observe, plan, ask, execute, verify, report.

What is done, and in which order, is ``procedure``'s; ``execution`` carries it out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path as FilePath
from typing import Any

from erfailover import __version__
from erfailover.azure.readers.cache import ReadingCache
from erfailover.commands import plans
from erfailover.commands.chosen_spokes import NAMED, resolve_spokes
from erfailover.commands.context import Context
from erfailover.commands.lease import Lease, hold_lease
from erfailover.commands.output import Output
from erfailover.commands.probes import chosen_probes, continuous
from erfailover.commands.runs import report_file
from erfailover.commands.runs.recorder import record_run, settle
from erfailover.commands.switch import hazards, left_out, takeover
from erfailover.commands.switch.execution import SwitchRun
from erfailover.commands.switch.hold_time import HoldTime
from erfailover.commands.switch.options import MANY, Options, insist
from erfailover.commands.switch.planner import Planner
from erfailover.errors import (
    Failure,
    Refused,
    UnknownReading,
    UsageFailure,
    VerificationFailed,
)
from erfailover.model.command_line import switch_to
from erfailover.model.conditions import ConditionStatus
from erfailover.model.counting import join_names
from erfailover.model.history import collect_runs, find_last_switch, find_spokes_to_undo
from erfailover.model.observed import SiteSnapshot
from erfailover.model.plan import SwitchPlan
from erfailover.model.site import Path, Site
from erfailover.planning import conditions
from erfailover.planning.switch import procedure
from erfailover.planning.switch.result import Outcome, describe_standing, is_verified, list_missing
from erfailover.reporting.plan import document as plan_document
from erfailover.reporting.plan import text
from erfailover.reporting.plan.leaving import describe_healthy, describe_interruption
from erfailover.reporting.run import switch_result
from erfailover.reporting.way_back import explain_refusals, format_way_back
from erfailover.reporting.words import format_subject


def run(context: Context, options: Options) -> None:
    """Switch every spoke of the site to a path, or show what that would do.

    Raises:
        Refused: the target is not ready, or the operator said no.
        UnknownReading: what must be known could not be read.
        AzureFailure: Azure rejected a step; the message says what was rolled back.
        VerificationFailed: it is done, but routes or probes do not confirm it.
    """
    options = _resolve_canary(context, options)
    continuous.select_probes(context.site, options.probes)
    if options.dry_run:
        takeover.insist_on_paths(context)
        planner = Planner(context, options, ReadingCache(context.reader, context.site))
        observed, plan = _plan_switch(planner, options, HoldTime(context))
        insist_on_having_read(plan)
        if options.saved:
            _insist_on_saved(
                context.site, options, plans.build_document(context.site, plan, observed)
            )
        plans.show(context, plan, observed, options.out)
        return
    with hold_lease(context, f"switch --to {options.target}", completes=True) as lease:
        _run(context, lease, options)


def _resolve_canary(context: Context, options: Options) -> Options:
    """Return the options with the canary's name as the site file writes it.

    Raises:
        UsageFailure: it is not a spoke of the site, or not one of the chosen ones.
    """
    if options.canary is None:
        return options
    (canary,) = resolve_spokes(context.whole_site, (options.canary,), "--canary")
    chosen = context.site.chosen
    if chosen and canary not in chosen:
        raise UsageFailure(
            f"--canary {canary} is not one of the chosen spokes: {join_names(chosen, NAMED)}",
            f"Use one of them, or add --spoke {canary}.",
        )
    return replace(options, canary=canary)


def _run(context: Context, lease: Lease, options: Options) -> None:
    began_s = context.clock.now()
    settle(context)
    takeover.complete(context, lease, options)
    takeover.insist_on_paths(context)
    readings = ReadingCache(context.reader, context.site)
    readings.adopt_gateways(options.gateways)
    planner, hold_time = Planner(context, options, readings), HoldTime(context)
    observed, plan = _plan_switch(planner, options, hold_time)
    site = context.site
    insist_on_having_read(plan)
    document = plans.build_document(site, plan, observed)
    _insist_on_saved(site, options, document)
    if plan.writes or plan.left_out:
        plans.tell(context.output, text.format_text(site, plan))
    left_out.insist_on_others(context.output, options, plan)
    if plan.writes:
        held = _refuse_unready(context, options, plan, observed, hold_time)
        question = f"{held}Switch {format_subject(site)} to {options.target}?"
        asked_s = context.clock.now()
        _confirm(context.output, site, options, plan, question)
        answer_s = context.clock.now() - asked_s
    else:
        answer_s = 0.0
        others = "other " if plan.left_out else ""
        context.output.print_info(
            f"No {others}peering needs to change for {options.target}; checking the routes."
        )
    target = str(options.target)
    before = planner.add_leaving_gateway(observed)
    with (
        report_file.print_at_end(context),
        record_run(
            context,
            "switch",
            document,
            target,
            began_s,
            way_back_refused=explain_refusals(options.target.other, plan.way_back) or None,
            observed=before,
        ) as recorder,
    ):
        switch = SwitchRun(context, lease, options, recorder, readings, observed, began_s)
        switch.outcome.answer_s = answer_s
        probes = chosen_probes.select_continuous(context, observed, options.probes)
        with continuous.ask_probes(context, probes, began_s) as tallies:
            recorder.result = lambda: switch_result.build_data(site, switch.outcome, tallies)
            outcome = switch.carry_out(plan, partial(_plan_again, context, options, planner))
        _raise_unless_verified(outcome)


def _confirm(output: Output, site: Site, options: Options, plan: SwitchPlan, question: str) -> None:
    """Ask for confirmation; to leave a healthy path for the backup, ask a different question."""
    if not plan.leaves_healthy:
        output.confirm(question)
    elif options.target is Path.IPSEC:
        output.confirm_planned(
            f"Leave a HEALTHY path? {describe_interruption(site, plan)}",
            describe_healthy(plan),
            planned=options.planned,
        )
    else:
        output.confirm(f"{describe_interruption(site, plan)} {question}")


def _plan_switch(
    planner: Planner, options: Options, hold_time: HoldTime
) -> tuple[SiteSnapshot, SwitchPlan]:
    """Plan the site; a switch back says how its hold time is measured."""
    with planner.context.show_reading():
        observed, plan = planner.plan()
        if options.target is Path.EXPRESSROUTE and not options.undo:
            plan = replace(plan, hold_time=hold_time.describe_basis(observed))
    return observed, plan


def _plan_again(
    context: Context, options: Options, planner: Planner, spokes: Collection[str]
) -> tuple[SiteSnapshot, SwitchPlan] | None:
    """Plan spokes that were left out; None if a saved plan or the operator leaves them out."""
    if options.saved is not None:
        return None
    with context.show_reading():
        observed, plan = planner.plan_again(spokes)
    if plan.writes:
        plans.tell(context.output, text.format_text(context.site, plan))
        _insist_on_invariants(context, plan)
        names = join_names(dict.fromkeys(step.spoke for step in plan.writes))
        try:
            question = f"Switch {names} to {options.target} too?"
            _confirm(context.output, context.site, options, plan, question)
        except Refused:
            return None
    return observed, plan


def run_saved(context: Context, options: Options, file: FilePath) -> None:
    """Apply a plan that was saved to a file: see ``apply_saved``."""
    apply_saved(context, options, plans.load(file), str(file))


def apply_saved(context: Context, options: Options, saved: Mapping[str, Any], name: str) -> None:
    """Apply a saved plan: plan again, and refuse if the new plan differs.

    Args:
        context: the invocation.
        options: how to switch; the target is the plan's.
        saved: the plan.
        name: what to call it in messages.

    Raises:
        UsageFailure: it is not a plan, or is for another site.
        Refused: Azure has changed since the plan was made.
    """
    target = plan_document.read_target(saved, name)
    plan_document.insist_on_site(saved, context.site, __version__, name)
    names = plan_document.get_chosen_spokes(saved)
    context.choose_spokes(resolve_spokes(context.whole_site, names, f"{name}:"))
    run(context, replace(options, target=target, saved=(name, saved)))


def undo(context: Context, options: Options) -> None:
    """Undo the last switch of the site, from any state, for the spokes that it moved.

    Raises:
        Refused: no switch of this site is in the journal, or it did not move a chosen spoke.
        UnknownReading: the journal is damaged where a later switch may have been recorded.
    """
    records = context.read_records()
    try:
        last = find_last_switch(records)
    except ValueError as error:
        raise UnknownReading(
            f"the last switch of {context.site.name} is unknown: {error}",
            "Specify the path instead: erfailover switch --to ipsec|expressroute",
        ) from None
    if last is None or last.target is None:
        raise Refused(
            f"the journal has no switch of {context.site.name}",
            "Specify the path instead: erfailover switch --to ipsec|expressroute",
        )
    if last.drill is not None:
        raise Refused(
            f"the last switch (run {last.id}, {last.brief}) is part of a drill, which ends on "
            "ExpressRoute",
            f"To end the drill: {last.to_continue}",
        )
    names = find_spokes_to_undo(
        collect_runs(records), [spoke.name for spoke in context.whole_site.spokes]
    )
    chosen = context.site.chosen
    moved = [name for name in names if name in chosen] if chosen else list(names)
    if strange := [name for name in chosen if name not in names]:
        raise Refused(
            f"the last switch (run {last.id}, {last.brief}) did not move "
            f"{join_names(strange, NAMED)}",
            "Specify the path instead: " + switch_to("ipsec|expressroute", strange),
        )
    if not moved:
        raise Refused(
            f"the last switch (run {last.id}, {last.brief}) moved no spoke of {context.site.name}",
            "Specify the path instead: erfailover switch --to ipsec|expressroute",
        )
    context.choose_spokes(moved)
    run(
        context,
        replace(
            options,
            target=Path(last.target).other,
            undoes=f"{last.brief} (run {last.id})",
        ),
    )


def _insist_on_saved(site: Site, options: Options, document: Mapping[str, Any]) -> None:
    """Refuse a saved plan if the current plan differs."""
    if options.saved is not None:
        name, saved = options.saved
        plan_document.insist_on_world(site, saved, document, name)


def insist_on_having_read(plan: SwitchPlan) -> None:
    """Refuse to plan if the hub, or every spoke, was not read; nothing overrides this."""
    checks = list(plan.guards)
    if not plan.steps:
        checks += plan.left_out.values()
    unread = [
        condition.message
        for condition in checks
        if condition.status is ConditionStatus.UNKNOWN and condition.name == "network_was_read"
    ]
    if unread:
        raise UnknownReading(
            f"cannot plan: {join_names(unread, comma='; ')}",
            "Check the subscription, the names in the site file, and your rights: "
            "erfailover doctor",
        )


def _refuse_unready(
    context: Context,
    options: Options,
    plan: SwitchPlan,
    observed: SiteSnapshot,
    hold_time: HoldTime,
) -> str:
    """Step 0: refuse a target that is not ready, and say what is missing.

    Returns:
        How the hold time was met, for the question; empty if there is no hold time.
    """
    checks, held = list(plan.guards), ""
    _insist_on_invariants(context, plan)
    if options.target is Path.EXPRESSROUTE and not options.undo:
        ready = conditions.combine_verdicts(checks) is ConditionStatus.HOLDS
        patient = ready and options.wait and not options.force
        checks.append(hold_time.wait(observed, patient=patient))
        held = f"{checks[-1].message}. "
    if not options.undo:
        checks += hazards.select_blocking(plan, every=options.force)
    insist(context.output, options, checks, "switch")
    if held and context.output.yes:
        context.output.print_info(held.strip())
    return held


def _insist_on_invariants(context: Context, plan: SwitchPlan) -> None:
    bugs = procedure.find_breaches(context.site, plan)
    if bugs:
        raise Failure(f"the plan violates an invariant: {'; '.join(bugs)}", "This is a bug.")


def _raise_unless_verified(outcome: Outcome) -> None:
    command = switch_to(outcome.target.other, outcome.chosen)
    back = format_way_back(f"To go back: {command}", outcome.target.other, outcome.way_back)
    if (stranded := left_out.build_stranded_failure(outcome)) is not None:
        raise stranded
    not_moved = left_out.build_failure(
        outcome.left_out,
        outcome.failed,
        f"switched to {outcome.target}",
        f"Run the same command again to move them. {back}",
        others=bool(outcome.conditions),
        standing=describe_standing(outcome),
    )
    if not_moved is not None:
        raise not_moved
    if not is_verified(outcome):
        lacks = join_names(list_missing(outcome), MANY, "; ")
        raise VerificationFailed(
            f"switched to {outcome.target}, but not verified: {lacks}",
            f"See erfailover status. {back}",
        )
