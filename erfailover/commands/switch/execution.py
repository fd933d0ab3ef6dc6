"""A switch under way: the schedule's nodes as tasks, the gate, the rollback, the verification.

What is done, and in which order, is ``procedure``'s and ``schedule``'s. This module carries it
out and asks the conditions again at the moment they matter.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from erfailover.azure import peerings
from erfailover.azure.client.polling import AcceptedOperation
from erfailover.azure.readers.cache import ReadingCache
from erfailover.azure.writer import Writer
from erfailover.commands.context import Context
from erfailover.commands.lease import Lease
from erfailover.commands.probes import chosen_probes, runner
from erfailover.commands.runs.recorder import Recorder
from erfailover.commands.runs.tasks import run_tasks
from erfailover.commands.switch import left_out, tasks
from erfailover.commands.switch.crossing import Crossing
from erfailover.commands.switch.effective import check_effective_routes
from erfailover.commands.switch.gate import NETWORKS_S, Gate
from erfailover.commands.switch.ledger import Ledger
from erfailover.commands.switch.next_hops import Group, RoutedCrossing, build_groups
from erfailover.commands.switch.options import Options
from erfailover.commands.switch.route_watch import FEW, RouteWatch
from erfailover.commands.switch.writers import Writers
from erfailover.commands.switch.written import insist_on_written
from erfailover.errors import (
    AzureErrorKind,
    AzureFailure,
    Interrupted,
    VerificationFailed,
)
from erfailover.model.command_line import switch_to
from erfailover.model.conditions import ConditionStatus
from erfailover.model.counting import join_names
from erfailover.model.fencing import Write
from erfailover.model.observed import SiteSnapshot
from erfailover.model.plan import Phase, StepKind, SwitchPlan, SwitchStep
from erfailover.model.site import ROLE_OF_PATH, Site
from erfailover.model.tasks import Event, Results, State, Task
from erfailover.planning import conditions
from erfailover.planning.switch import gates
from erfailover.planning.switch.outlook import SwitchOutlook
from erfailover.planning.switch.result import Outcome, has_passed_probes, is_confirmed, list_missing
from erfailover.planning.switch.schedule import Node, schedule
from erfailover.reporting.way_back import format_way_back
from erfailover.reporting.words import describe_no_path
from erfailover.runtime.executor import ConcurrencyLimit

PlanAgain = Callable[[Collection[str]], tuple[SiteSnapshot, SwitchPlan] | None]
BODY_S = 60.0
"""How old the body may be that a write before or after break and make rests on, in seconds."""
CONTENTION_S = 30.0
"""How long the preparation of one spoke waits for another operation while other spokes are still to
be moved, in seconds; a hub that is busy is waited for. Then it is tried again, when they have
been."""
LEAVING_PATIENCE_S = 60.0
"""How long the hub being left is asked whether it still originates a spoke, after all else is
there; a dead gateway does not answer."""


@dataclass
class SwitchRun:
    """One switch under way.

    Attributes:
        began_s: when the command began, in seconds of the clock.
        outcome: its result so far.
    """

    context: Context
    lease: Lease
    options: Options
    recorder: Recorder
    readings: ReadingCache
    observed: SiteSnapshot
    began_s: float
    width: ConcurrencyLimit = field(default_factory=ConcurrencyLimit)
    outcome: Outcome = field(init=False)
    writers: Writers = field(init=False)
    ledger: Ledger = field(init=False)
    gate: Gate = field(init=False)
    _contention_s: float = math.inf
    _contended: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.outcome = Outcome(self.options.target, chosen=self.site.chosen)
        self.writers = Writers(*map(self._build_writer, (Write.BREAK, Write.MAKE, Write.OTHER)))
        self.ledger = Ledger(self.context.clock)
        self.gate = Gate(self.context, self.options, self.readings)

    @property
    def site(self) -> Site:
        """The site."""
        return self.context.site

    def _build_writer(self, write: Write) -> Writer:
        def record_accepted(resource_id: str, answer: AcceptedOperation) -> None:
            if write is Write.BREAK:
                self.ledger.note_accepted(resource_id)
            self.recorder.record_accepted(resource_id, answer)

        return self.lease.build_writer(record_accepted, self._handle_wait, write)

    def carry_out(self, plan: SwitchPlan, plan_again: PlanAgain) -> Outcome:
        """Apply the plan and verify it; then do what is possible for the spokes that it leaves out.

        Args:
            plan: what to do.
            plan_again: plans spokes, by their names, that were left out because something of
                them was unknown; None if they stay left out.

        Raises:
            AzureFailure: Azure rejected a step or failed at it, and no spoke is left to verify.
        """
        clock = self.context.clock
        outcome = self.outcome
        outcome.decision_s = clock.now() - self.began_s
        outcome.left_out = dict(plan.left_out)
        outcome.planned = bool(plan.leaves_healthy)
        outcome.way_back = plan.way_back
        watch = self._watch(plan)
        several = len({step.spoke for step in plan.writes}) > 1
        self._contention_s = CONTENTION_S if several else math.inf
        try:
            self._move(plan, outcome, watch)
            late = self._contended | {
                name
                for name, condition in outcome.left_out.items()
                if condition.status is ConditionStatus.UNKNOWN
            }
            late |= {name for group in plan.tied if late.intersection(group) for name in group}
            self._contention_s = math.inf
            more = plan_again(late) if late and not outcome.stranded else None
            if more is not None:
                watch.snapshot, rest = more
                by_name = {name: c for name, c in outcome.left_out.items() if name not in late}
                outcome.left_out = {**by_name, **rest.left_out}
                outcome.failed = {n: f for n, f in outcome.failed.items() if n not in late}
                if names := late - rest.left_out.keys():
                    watch.expect(names - {step.spoke for step in rest.writes})
                    self._move(rest, outcome, watch)
            left_out.insist_on_any(self.site, outcome)
        finally:
            watch.end()
        outcome.verified_s = clock.now() - self.began_s
        return outcome

    def write(self, plan: SwitchPlan) -> Outcome:
        """Carry out the writes of a plan without verifying what follows from them."""
        watch = self._watch(plan)
        try:
            self._write_all(plan, self.outcome, watch)
        finally:
            watch.end()
        return self.outcome

    def _move(self, plan: SwitchPlan, outcome: Outcome, watch: RouteWatch) -> None:
        """Write what a plan says, and verify the spokes that are moved."""
        if plan.writes:
            self._write_all(plan, outcome, watch)
        if len(outcome.failed.keys() | outcome.left_out.keys()) < len(self.site.spokes):
            self._verify(outcome, watch)

    def _handle_wait(self, failure: AzureFailure, seconds: float) -> None:
        """Write one at a time after Azure refused a write because of another."""
        if failure.kind is AzureErrorKind.CONTENTION:
            self.width.note_contention()
        self.context.session.waiting(failure, seconds)

    def _watch(self, plan: SwitchPlan) -> RouteWatch:
        clock, target = self.context.clock, self.options.target
        watch = RouteWatch(self.readings, self.site, target, clock, self.observed, self.gate.seen)
        later = {step.spoke for step in plan.writes if step.phase is not Phase.CLEANUP}
        later |= plan.left_out.keys()
        watch.begin()
        watch.expect(spoke.name for spoke in self.site.spokes if spoke.name not in later)
        return watch

    def _write_all(self, plan: SwitchPlan, outcome: Outcome, watch: RouteWatch) -> None:
        """Apply every write of the plan; note failures and continue with the rest."""
        clock = self.context.clock
        last = {step.spoke: step.id for step in plan.writes if step.phase is not Phase.CLEANUP}
        remaining = {id_: spoke for spoke, id_ in last.items()}
        breaks = {step.id: step.spoke for step in plan.writes if step.kind is StepKind.BREAK}
        prepared = {step.id for step in plan.writes if step.phase is Phase.PREPARE}
        preparing = set(prepared)

        def listen(event: Event) -> None:
            id_ = event.task.id
            if event.state is State.DONE and id_ in breaks:
                watch.note_broken(breaks[id_])
            if event.state is State.DONE and id_ in remaining:
                outcome.control_plane_s = clock.now() - self.began_s
                watch.expect([remaining.pop(id_)], moved=True)
                if not remaining:
                    watch.hurry()
                    if plan.writes[-1].phase is Phase.CLEANUP and len(last) > FEW:
                        self.context.output.print_info(
                            "All spokes are switched. Finishing the cleanup ..."
                        )
            if event.state is State.STARTED:
                preparing.discard(id_)
                if not preparing and id_ in prepared:
                    self.gate.keep_read(lambda: not over and bool(gated - self.gate.seen.keys()))

        gated = {step.spoke for step in plan.writes if step.gated}
        over: list[bool] = []
        if prepared:
            self.gate.read_ahead()
        crossings = self._build_crossings(plan)
        if crossings:
            self._announce(list(crossings))
        try:
            results = run_tasks(
                self.context,
                self.recorder,
                self._build_tasks(plan, watch, crossings),
                self.width,
                listen,
                self.options.max_failures,
                SwitchOutlook.from_plan(self.site, plan, self.options.canary),
            )
        except (Interrupted, KeyboardInterrupt) as stopped:
            raise self._build_interrupted(stopped) from None
        finally:
            over.append(True)
            clock.notify()
        watch.hurry()
        self._note(plan, outcome, results)
        if not self._contended:
            left_out.insist_on_any(self.site, outcome)
        with self.context.show_activity("Reading the changed peerings again"):
            steps = [step for step in plan.writes if step.spoke not in outcome.failed]
            insist_on_written(clock, self.readings, self.site, steps)

    def _announce(self, spokes: Sequence[str]) -> None:
        """Have the store confirm which spokes go where; read the path being left meanwhile.

        The run that takes the lease over completes these spokes in this direction.
        """
        self.gate.read_origin()
        with self.context.show_activity("Recording the run"):
            self.recorder.note("crossing", to=str(self.options.target), spokes=list(spokes))
        self.lease.held.note_record()

    def _build_interrupted(self, stopped: BaseException) -> Interrupted:
        """Return what is raised for a run that the operator stopped: who has no path first."""
        message = getattr(stopped, "message", "interrupted")
        hint = "Run the command again to resume."
        if self.ledger.owed:
            message = f"{describe_no_path(self.ledger.owed)}; {message}"
            hint = f"Run this now: {switch_to(self.options.target, self.site.chosen)}"
        return Interrupted(message, hint)

    def _note(self, plan: SwitchPlan, outcome: Outcome, results: Results) -> None:
        """Note what was written, and which spokes were not."""
        outcome.stranded = self.ledger.owed
        outcome.places = self.ledger.places
        done = {task.id for task in results.list_tasks(State.DONE)}
        outcome.note_written(step for step in plan.writes if step.id in done)
        self._contended = set()
        for step in plan.writes:
            failure = results.failures.get(step.id)
            if failure is not None:
                held = isinstance(failure, AzureFailure) and failure.may_pass
                if held and step.phase is Phase.PREPARE:
                    self._contended.add(step.spoke)
                outcome.failed.setdefault(step.spoke, failure)
            elif step.id not in done:
                skipped = AzureFailure(AzureErrorKind.REFUSED, f"{step.title}: not started")
                outcome.failed.setdefault(step.spoke, skipped)

    def _build_tasks(
        self, plan: SwitchPlan, watch: RouteWatch, crossings: Mapping[str, Crossing]
    ) -> list[Task]:
        nodes = schedule(self.site, plan, self.options.canary)
        return [self._build_task(node, watch, crossings) for node in nodes]

    def _build_task(self, node: Node, watch: RouteWatch, crossings: Mapping[str, Crossing]) -> Task:
        if node.checked is not None:
            work = partial(self._check_canary, node.checked, watch)
            title = f"verify {node.checked} before the others"
            return Task(node.id, title, work, node.needs, node.after)
        if node.step is None:
            return tasks.build_milestone(node)
        step = node.step
        title = f"{step.number}. {step.title}"
        crossing = crossings.get(step.spoke)
        if crossing is None or step.phase is not Phase.SWITCH:
            return tasks.write(node, step, title, partial(self._step, step))
        if step.kind is StepKind.MOVE_NEXT_HOPS and isinstance(crossing, RoutedCrossing):
            task = tasks.write(node, step, title, crossing.move_next_hops)
            return replace(task, owns=frozenset(), records_itself=True)
        move = crossing.take_off if step.kind is StepKind.BREAK else crossing.put_on
        hubs = {crossing.on.peering.remote_virtual_network.lower()}
        if crossing.off is not None:
            hubs.add(crossing.off.peering.remote_virtual_network.lower())
        task = tasks.write(node, step, title, move)
        return replace(task, refers=frozenset(hubs), records_itself=True)

    def _step(self, step: SwitchStep) -> str:
        if step.gated:
            self._pass_gate(step)
        cadence = tasks.select_schedule(step, len(self.site.spokes))
        clock, prepares = self.context.clock, step.phase is Phase.PREPARE
        deadline = clock.now() + self.site.timing.step_deadline_s
        while True:
            left_s = deadline - clock.now()
            contention_s = self._contention_s if prepares else math.inf
            try:
                return peerings.write(
                    self.writers.other,
                    step.peering,
                    left_s,
                    self.readings,
                    BODY_S,
                    cadence,
                    contention_s,
                )
            except AzureFailure as failure:
                late = clock.now() >= deadline - contention_s
                if not failure.may_pass or late or not self._is_hub_busy():
                    raise

    def _is_hub_busy(self) -> bool:
        """Return whether an operation is changing a hub: every spoke waits for that."""
        site = self.site
        hubs = [site.get_hub(role).virtual_network for role in ROLE_OF_PATH.values()]
        return bool(gates.find_hubs_in_progress(site, self.readings.observe(hubs)))

    def _build_crossings(self, plan: SwitchPlan) -> dict[str, Crossing]:
        """Return how each spoke that is put on its target gets there, by spoke."""
        site, target = self.site, self.options.target
        arriving, leaving = ROLE_OF_PATH[target], ROLE_OF_PATH[target.other]
        steps = {(step.spoke, step.kind): step for step in plan.writes}
        planned = {(step.spoke, step.kind): step for step in plan.steps}
        groups = build_groups(self.context.clock, plan)
        crossings: dict[str, Crossing] = {}
        for spoke in site.spokes:
            make = planned.get((spoke.name, StepKind.MAKE))
            moves = planned.get((spoke.name, StepKind.MOVE_NEXT_HOPS))
            moving = {(spoke.name, StepKind.MAKE), (spoke.name, StepKind.MOVE_NEXT_HOPS)}
            if make is None or not moving & steps.keys():
                continue
            off = steps.get((spoke.name, StepKind.BREAK))
            network = spoke.virtual_network
            build: Callable[..., Crossing] = Crossing
            if moves is not None:
                group = groups.get(spoke.name) or Group(self.context.clock)
                build = partial(RoutedCrossing, moves=moves, group=group)
            crossings[spoke.name] = crossing = build(
                spoke=spoke.name,
                off=off,
                on=make,
                origin_id=site.build_peering_id(network, spoke.get_outward(leaving).name),
                target_id=site.build_peering_id(network, spoke.get_outward(arriving).name),
                clock=self.context.clock,
                reader=self.context.reader,
                readings=self.readings,
                writers=self.writers,
                recorder=self.recorder,
                ledger=self.ledger,
                gate=partial(self._pass_gate, off or make),
                exempt=self.context.session.budget.exempt,
                may_roll_back=partial(self.lease.held.can_send, Write.OTHER),
                deadline_s=site.timing.step_deadline_s,
                cadence=tasks.select_schedule(make, len(site.spokes)),
                break_cadence=tasks.select_schedule(off or make, len(site.spokes)),
                body_age_s=NETWORKS_S,
            )
            if isinstance(crossing, RoutedCrossing):
                crossing.group.members[spoke.name] = crossing
        return crossings

    def _pass_gate(self, step: SwitchStep) -> bool:
        """Pass the gate of a spoke; return whether the path being left is known to work."""
        spoke = next(item for item in self.site.spokes if item.name == step.spoke)
        healthy = self.gate.enter(spoke, step.peering.peering_id)
        self.outcome.gates_s[spoke.name] = self.context.clock.now() - self.began_s
        return healthy

    def _check_canary(self, spoke: str, watch: RouteWatch) -> str:
        """Wait until a canary's switch is verified; the others do not start before that."""
        clock = self.context.clock
        deadline = clock.now() + self.site.timing.verify_deadline_s

        def has_arrived() -> bool:
            return watch.get_conditions(spoke)[0].status is ConditionStatus.HOLDS

        clock.wait_for(has_arrived, deadline - clock.now())
        if not has_arrived():
            message = watch.get_conditions(spoke)[0].message
            path, refusals = self.options.target.other, self.outcome.way_back
            back = format_way_back("erfailover switch --undo", path, refusals)
            raise VerificationFailed(
                f"the canary {spoke} could not be verified: {message}",
                f"The other spokes were not changed. To move the canary back: {back}",
            )
        return watch.get_conditions(spoke)[0].message

    def _verify(self, outcome: Outcome, watch: RouteWatch) -> None:
        """Wait until routes and probes show the switch, or the deadline has passed."""
        clock, site = self.context.clock, self.site
        began = clock.now()
        deadline = began + site.timing.verify_deadline_s
        probes = chosen_probes.select_probes(self.context, self.observed)
        expected = dict.fromkeys(probes, True)
        with self.context.show_activity("Checking the gateways' routes") as activity:
            while True:
                clock.wait_for(watch.is_idle, min(10.0, deadline - clock.now()))
                self._collect_conditions(outcome, watch)
                arrived = conditions.combine_verdicts(
                    checks[0] for checks in outcome.conditions.values()
                )
                if (
                    arrived is not ConditionStatus.FAILS
                    and expected
                    and not has_passed_probes(outcome)
                ):
                    activity.say("Routes are as expected; running the probes ...")
                    outcome.probes = runner.run(self.context, expected)
                    self._collect_conditions(outcome, watch)
                if site.routing and arrived is not ConditionStatus.FAILS:
                    self._check_next_hops(outcome)
                outcome.excused = clock.now() >= min(deadline, began + LEAVING_PATIENCE_S)
                if is_confirmed(outcome) or clock.now() >= deadline:
                    return
                activity.say(f"Not confirmed yet: {join_names(list_missing(outcome), 3)}")
                clock.sleep(1.0)

    def _check_next_hops(self, outcome: Outcome) -> None:
        """Ask the interfaces of the spokes behind an appliance, until they show it."""
        shown = outcome.next_hops
        settled = [name for name in shown if shown[name].status is not ConditionStatus.FAILS]
        names = outcome.conditions.keys() - set(settled)
        target = self.options.target
        shown |= check_effective_routes(self.readings, self.site, self.observed, target, names)

    def _collect_conditions(self, outcome: Outcome, watch: RouteWatch) -> None:
        not_moved = outcome.failed.keys() | outcome.left_out.keys()
        names = [spoke.name for spoke in self.site.spokes if spoke.name not in not_moved]
        outcome.conditions = {name: watch.get_conditions(name) for name in names}
        outcome.spokes_s = {name: at - self.began_s for name, at in watch.arrived_s.items()}
