"""A plan of peerings as text of 80 columns; identical steps of spokes are shown once. Pure.

``data`` has the steps of every spoke.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import groupby

from erfailover.model.conditions import Condition, ConditionStatus, Weight
from erfailover.model.counting import join_names
from erfailover.model.durations import describe_usual, format_duration, format_rough
from erfailover.model.peering_flags import FLAG_LABELS
from erfailover.model.plan import (
    Change,
    NextHopWrites,
    Purpose,
    StepKind,
    StepWrite,
    SwitchPlan,
    SwitchStep,
)
from erfailover.model.resource_ids import get_last_name
from erfailover.model.site import ROLE_OF_PATH, Site
from erfailover.planning.switch.estimate import (
    estimate_plan,
    estimate_prestaging_gain,
    estimate_step,
)
from erfailover.planning.switch.procedure import RULES
from erfailover.planning.switch.schedule import BATCH
from erfailover.reporting.marks import format_condition, format_verdict
from erfailover.reporting.plan.data import count_writes
from erfailover.reporting.plan.groups import SimilarSpokes, format_ranges, group_spokes
from erfailover.reporting.plan.leaving import describe_interruption
from erfailover.reporting.plan.risks import describe_untouched, list_risks
from erfailover.reporting.plan.routes import describe_route, describe_routes
from erfailover.reporting.words import format_path, format_subject, limit_lines, wrap

COLUMNS = 80
SIGN = {Change.CREATE: "+", Change.UPDATE: "~", Change.DELETE: "-", Change.KEEP: "="}
LEGEND = "+ add   ~ change   - remove   = kept"
DONE_TO = {Change.CREATE: "added", Change.UPDATE: "changed", Change.DELETE: "removed"}
FEW = 3
"""Up to this many conditions of one kind are listed one by one if they hold."""
MANY = 10
"""Up to this many that do not hold are listed one by one."""

PLANS = {
    Purpose.SWITCH: "Plan: switch {site} to {path}",
    Purpose.PRESTAGE: "Plan: prestage {site}: create the peerings with the backup hub",
    Purpose.UNPRESTAGE: "Plan: unprestage {site}: remove the peerings with the backup hub",
}


def format_text(site: Site, plan: SwitchPlan) -> str:
    """Return a plan for people: every step in order, what it changes and why it comes now."""
    lines = [*_format_title(site, plan), ""]
    for remark in limit_lines(plan.remarks):
        lines += _wrap_line(f"NOTE  {remark}", 2, 8)
    lines += _format_conditions(plan.guards)
    lines += _format_hazards(plan)
    lines += _format_left_out(plan)
    if plan.hold_time:
        lines += ["", *_wrap_line(f"{plan.hold_time[:1].upper()}{plan.hold_time[1:]}.", 0, 2)]
    groups = group_spokes(plan, [spoke.name for spoke in site.spokes])
    if any(step.write.change is not Change.KEEP for step in plan.steps):
        lines += ["", LEGEND]
    lines += _format_order(site, plan)
    kinds: set[StepKind] = set()
    for group in groups:
        lines += ["", *_format_group(site, plan, group, kinds, len(groups) > 1)]
    lines += _format_estimate(site, plan)
    return "\n".join([*lines, "", format_summary(plan)])


def _format_title(site: Site, plan: SwitchPlan) -> list[str]:
    """Return the first lines: what the plan is, what it undoes, if it leaves a healthy path."""
    title = PLANS[plan.purpose].format(site=format_subject(site), path=format_path(plan.target))
    if plan.undoes:
        title = f"Plan: undo {plan.undoes}: {title.removeprefix('Plan: ')}"
    if not plan.leaves_healthy:
        return wrap(title, COLUMNS, rest="  ")
    healthy = wrap(f"{title}, leaving a HEALTHY path", COLUMNS, rest="  ")
    return [*healthy, *_wrap_line(describe_interruption(site, plan), 0, 0)]


def format_summary(plan: SwitchPlan) -> str:
    """Return the last line: the number of changes."""
    writes = count_writes(plan)
    out = len(plan.left_out)
    left_out = f" {out} {'spoke is' if out == 1 else 'spokes are'} left out." if out else ""
    if plan.writes:
        return format_summary_line(writes["add"], writes["change"], writes["remove"]) + left_out
    if left_out:
        return f"Nothing to change.{left_out}"
    return "Nothing to change: all peerings are as desired."


def format_summary_line(add: int, change: int, remove: int) -> str:
    """Return the last line of every plan that changes something."""
    return f"Plan: {add} to add, {change} to change, {remove} to remove."


def _wrap_line(line: str, first: int, rest: int) -> list[str]:
    """Return a line cut to the width, its first part and the others indented."""
    return wrap(line, COLUMNS, " " * first, " " * rest)


def _format_condition(condition: Condition) -> list[str]:
    return _wrap_line(format_condition(condition), 2, 11)


def _format_conditions(conditions: Iterable[Condition]) -> list[str]:
    """Guards; many of one kind that hold, and very many that do not, are cut short."""
    lines = []
    ordered = sorted(
        conditions, key=lambda condition: condition.status is not ConditionStatus.HOLDS
    )
    for (_, verdict), members in groupby(ordered, key=lambda item: (item.name, item.status)):
        same = list(members)
        most = FEW if verdict is ConditionStatus.HOLDS else MANY
        rows = same if len(same) <= most else same[:1] if most == FEW else same[:most]
        for checked in rows:
            lines += _format_condition(checked)
        if len(rows) < len(same):
            more = f"... and {len(same) - len(rows)} more like this (use -o json to list all)"
            lines.append("  " + format_verdict(verdict, more))
    return lines


def _format_hazards(plan: SwitchPlan) -> list[str]:
    """Return the hazards of a plan with their remedies; one line if there is none."""
    lines: list[str] = []
    visited: set[tuple[ConditionStatus, str]] = set()
    for condition in plan.hazards:
        key = condition.status, condition.message
        if condition.status is not ConditionStatus.HOLDS and key not in visited:
            visited.add(key)
            lines += _wrap_line(format_condition(condition), 2, 11)
            lines += _wrap_line(f"remedy: {condition.remedy}", 11, 13)
    if plan.hazards and not lines:
        nothing = "no routing hazards found"
        lines.append("  " + format_verdict(ConditionStatus.HOLDS, nothing))
    notes = [hazard for hazard in plan.hazards if hazard.weight is Weight.NOTES]
    for condition in notes:
        if condition.status is ConditionStatus.HOLDS:
            lines += _wrap_line(format_condition(condition), 2, 11)
    return lines


def _format_left_out(plan: SwitchPlan) -> list[str]:
    """Return the spokes that are left out, and why; many for one reason are counted."""
    lines: list[str] = []
    for name, condition in list(plan.left_out.items())[:MANY]:
        lines += _wrap_line(
            format_verdict(condition.status, f"{name} is left out: {condition.message}"), 2, 11
        )
        if condition.remedy:
            lines += _wrap_line(f"remedy: {condition.remedy}", 11, 13)
    if len(plan.left_out) > MANY:
        rest = list(plan.left_out)[MANY:]
        are = "is" if len(rest) == 1 else "are"
        lines += _wrap_line(
            format_verdict(
                ConditionStatus.FAILS,
                f"{format_ranges(rest)} {are} left out (use -o json to see why)",
            ),
            2,
            11,
        )
    return lines


def _format_order(site: Site, plan: SwitchPlan) -> list[str]:
    """Return the order in which several spokes are switched."""
    spokes = list(dict.fromkeys(step.spoke for step in plan.writes))
    if len(spokes) <= 1 or plan.purpose is not Purpose.SWITCH:
        return []
    routed = any(step.kind is StepKind.MOVE_NEXT_HOPS for step in plan.steps)
    message = (
        f"{len(spokes)} spokes are prepared in batches of up to {BATCH} (1, 2), then switched "
        f"in parallel ({'3, 4, 9' if routed else '3, 4'}) as far as Azure allows; cleanup comes "
        "last."
    )
    priorities = {spoke.name: spoke.priority for spoke in site.spokes}
    lines = ["", *_wrap_line(message, 0, 0)]
    if len({priorities[name] for name in spokes}) > 1:
        ordered = sorted(spokes, key=lambda name: priorities[name])
        for priority, names in groupby(ordered, key=lambda name: priorities[name]):
            lines += _wrap_line(f"Priority {priority}: {format_ranges(names)}", 2, 4)
    return [*lines, *_format_sharing(plan)]


def _format_sharing(plan: SwitchPlan) -> Iterator[str]:
    """Yield which spokes share a route table, and when its next hops move."""
    moved = {step.spoke for step in plan.writes if step.kind is StepKind.MOVE_NEXT_HOPS}
    for group in plan.sharing:
        if not moved.intersection(group):
            continue
        when = (
            "its next hops move when the last of them is connected, and if one cannot be moved, "
            "all stay or go back"
            if group in plan.tied
            else "its next hops move with the first of them that is connected"
        )
        yield from _wrap_line(f"{join_names(group, MANY)} share a route table: {when}.", 0, 2)


def _format_group(
    site: Site, plan: SwitchPlan, group: SimilarSpokes, kinds: set[StepKind], singled: bool
) -> Iterator[str]:
    """Yield the steps of identical spokes; the reason for a step's place is given once."""
    many = len(group.names) > 1
    if many or singled:
        count = f"Identical for {len(group.names)} spokes: " if many else ""
        yield from _wrap_line(f"{count}{format_ranges(group.names)}", 0, 4)
        if many:
            yield from _wrap_line(f"(names and flags shown for {group.names[0]})", 0, 0)
    gate_shown = False
    for step in group.steps:
        write = step.write
        if step.gated and not gate_shown and write.change is not Change.KEEP:
            gate_shown = True
            yield "  -- gate: all of the above is read again and must hold before the break"
        title, why = _get_words(site, plan, step, many)
        yield from _format_step(step, title, "" if step.kind in kinds else why)
        if write.change is not Change.KEEP:
            kinds.add(step.kind)


def _get_words(site: Site, plan: SwitchPlan, step: SwitchStep, many: bool) -> tuple[str, str]:
    """Return a step's title and reason; for several spokes, without the name of one."""
    if not many:
        return step.title, step.why
    roles = ROLE_OF_PATH[plan.target], ROLE_OF_PATH[plan.target.other]
    hubs = [get_last_name(site.get_hub(role).virtual_network) for role in roles]
    return RULES[step.kind].format_words("the spoke", *hubs)


def _format_step(step: SwitchStep, title: str, why: str) -> Iterator[str]:
    write = step.write
    sign = write.change
    if isinstance(write, NextHopWrites) and sign is not Change.KEEP:
        sign = Change.UPDATE
    yield from _wrap_line(f"{SIGN[sign]} {step.number}. {title}", 0, 5)
    if write.change is Change.KEEP:
        yield f"       {write.name}: no change"
        return
    usual = estimate_step(step)
    are = "are" if isinstance(write, NextHopWrites) and len(write.tables) > 1 else "is"
    done = "changed" if isinstance(write, NextHopWrites) else DONE_TO[write.change]
    yield f"       {write.name} {are} {done}" + (f"; {describe_usual(usual)}" if usual else "")
    for sign, change in _iter_changes(write):
        yield from _wrap_line(f"{SIGN[sign]} {change}", 9, 11)
    lines = [f"{name} {value}" for name, value in _iter_kept(write)]
    if lines:
        yield from _wrap_line(f"= {', '.join(lines)}", 9, 11)
    if why:
        yield from _wrap_line(f"why now: {why}", 7, 9)
    for back in step.contingency:
        yield from _wrap_line(
            f"if rejected: {back.name}: {'; '.join(describe_changes(back))}", 7, 9
        )


def _format_estimate(site: Site, plan: SwitchPlan) -> list[str]:
    """Return how long it takes, and what is at risk meanwhile."""
    whole = estimate_plan(site, plan)
    if whole is None:
        return []
    lines = ["", "Expected, counted from the first change:"]
    if whole.moved:
        names = dict.fromkeys(step.spoke for step in plan.writes)
        who = "the last spoke" if len(names) > 1 else next(iter(names))
        gateway = get_last_name(site.get_hub(ROLE_OF_PATH[plan.target]).gateway)
        lines += _wrap_line(f"{who} uses {gateway}: {describe_usual(whole.moved)}", 2, 4)
    if saved_s := estimate_prestaging_gain(site, plan):
        message = (
            f"prestaging (erfailover prestage) would shorten that by about {format_rough(saved_s)}"
        )
        lines += _wrap_line(message, 2, 4)
    lines += _wrap_line(f"all changes applied: {describe_usual(whole.done)}", 2, 4)
    if whole.moved:
        lines += _wrap_line(
            "then routes and probes are checked, for "
            f"{format_duration(site.timing.verify_deadline_s)} "
            "at most",
            2,
            4,
        )
    at_risk = list_risks(site, plan, whole)
    if not at_risk:
        return lines
    lines.append("At risk during the switch:")
    for risk in at_risk:
        long = f" ({describe_usual(risk.usual)})" if risk.usual else ""
        lines += _wrap_line(f"{risk.when}{long}: {risk.what}.", 2, 4)
    return [*lines, *_wrap_line(f"not at risk: {describe_untouched(plan)}.", 2, 4)]


def describe_changes(write: StepWrite) -> list[str]:
    """Return what a write changes, flag by flag: ``remote gateways: yes -> no``."""
    if isinstance(write, NextHopWrites):
        return describe_routes(write)
    if write.after is None:
        return ["removed"]
    before = asdict(write.before) if write.before else {}
    after = asdict(write.after)
    lines = [
        f"{FLAG_LABELS[name]}: "
        + (
            f"{_format_yes_no(before[name])} -> {_format_yes_no(value)}"
            if before
            else _format_yes_no(value)
        )
        for name, value in after.items()
        if not before or before[name] != value
    ]
    if write.sync:
        lines.append(f"syncs the address space with {get_last_name(write.remote_virtual_network)}")
    return lines or ["written again to connect it"]


def _iter_changes(write: StepWrite) -> Iterator[tuple[Change, str]]:
    """Yield what a write changes, each with what is done."""
    if isinstance(write, NextHopWrites):
        yield from ((route.change, describe_route(route)) for route in write.routes)
    elif write.after:
        yield from ((write.change, change) for change in describe_changes(write))


def _iter_kept(write: StepWrite) -> Iterator[tuple[str, str]]:
    """Yield the flags that a change leaves as they are."""
    if isinstance(write, NextHopWrites):
        return
    if write.before is None or write.after is None:
        return
    before, after = asdict(write.before), asdict(write.after)
    for name, value in after.items():
        if before[name] == value:
            yield FLAG_LABELS[name], _format_yes_no(value)


def _format_yes_no(value: object) -> str:
    return "yes" if value else "no"
