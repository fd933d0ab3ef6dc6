"""A switch under way: the schedule's nodes as tasks, the gate, what is taken back, what shows.

What is done, and in which order, is ``procedure``'s and ``schedule``'s. This module carries it
out and asks the conditions again at the moment they matter.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import partial
from itertools import count

from erfailover.azure import peerings
from erfailover.azure.client.polling import HURRIED, PATIENT, Cadence
from erfailover.azure.readers.cache import Readings
from erfailover.azure.writer import Writer
from erfailover.commands.context import Context
from erfailover.commands.lease import Lease
from erfailover.commands.probes import runner
from erfailover.commands.runs.recorder import Recorder
from erfailover.commands.runs.tasks import run_tasks
from erfailover.commands.switch import tasks
from erfailover.commands.switch.options import PATIENCE_S, Options, insist
from erfailover.commands.switch.route_watch import FEW, Watch
from erfailover.errors import AzureFailure, Kind, UnknownReading, VerificationFailed
from erfailover.model.claims import Verdict
from erfailover.model.observed import Observed
from erfailover.model.plan import PeeringWrite, Phase, SwitchPlan, SwitchStep
from erfailover.model.resource_ids import network_of
from erfailover.model.site import ROLE_OF_PATH, Site, Spoke
from erfailover.model.tasks import Event, Results, State, Task
from erfailover.planning import conditions
from erfailover.planning.switch import gates
from erfailover.planning.switch.result import Outcome, missing, probed, shown
from erfailover.planning.switch.schedule import Node, schedule
from erfailover.runtime import waits
from erfailover.runtime.clock import start
from erfailover.runtime.executor import Width

GATE_NETWORKS_S, GATE_GATEWAY_S = 10.0, 20.0
"""How old a reading may be that the gate rests on, in seconds: of VNets and peerings, and of the
gateway with its tables, which takes 5 s to read. What the run has written is read anew."""
GATE_TRIES = 3
"""How often a reading that is long in coming is asked for, before the gate gives up: an answer that
is lost costs more than the gate's patience."""
GATE_PAUSE_S = 5.0
"""Until a gate that does not hold is read again, in seconds."""
BODY_S = 60.0
"""How old the body may be that a write before or after break and make rests on, in seconds."""
HUNDREDS = 200
"""From here on the limits on requests decide how long a switch takes, not a look more or less."""
LEAVING_PATIENCE_S = 60.0
"""How long the hub being left is asked whether it still originates a spoke, after all else is
there; a dead gateway does not answer."""


@dataclass
class SwitchRun:
    """One switch under way.

    Attributes:
        began_s: when the command began, in seconds of the clock.
        outcome: what it has come to so far.
    """

    context: Context
    lease: Lease
    options: Options
    recorder: Recorder
    readings: Readings
    observed: Observed
    began_s: float
    width: Width = field(default_factory=Width)
    outcome: Outcome = field(init=False)
    writer: Writer = field(init=False)
    _prepared_since_s: float = float("-inf")
    """Since when peerings are prepared, and the tables are read again for the gate."""

    def __post_init__(self) -> None:
        self.outcome = Outcome(self.options.target)
        self.writer = self.lease.writer(self.recorder.accepted, self._waits)
        self.spokes = {spoke.name: spoke for spoke in self.site.spokes}

    @property
    def site(self) -> Site:
        """The site."""
        return self.context.site

    def carry_out(self, plan: SwitchPlan) -> Outcome:
        """Do what the plan says, and verify it.

        Raises:
            AzureFailure: a step was refused or failed, and no spoke is left to verify.
        """
        clock = self.context.clock
        outcome = self.outcome
        outcome.decision_s = clock.now() - self.began_s
        watch = self._watch(plan)
        try:
            if plan.writes:
                self._write_all(plan, outcome, watch)
            self._verify(outcome, watch)
        finally:
            watch.end()
        outcome.verified_s = clock.now() - self.began_s
        return outcome

    def _waits(self, failure: AzureFailure, seconds: float) -> None:
        """Write one at a time after Azure refused a write because of another."""
        if failure.kind is Kind.CONTENTION:
            self.width.contended()
        self.context.session.waiting(failure, seconds)

    def _watch(self, plan: SwitchPlan) -> Watch:
        watch = Watch(
            self.readings, self.site, self.options.target, self.context.clock, self.observed
        )
        written = {step.spoke for step in plan.writes if step.phase is not Phase.CLEANUP}
        watch.begin()
        watch.expect(spoke.name for spoke in self.site.spokes if spoke.name not in written)
        return watch

    def _write_all(self, plan: SwitchPlan, outcome: Outcome, watch: Watch) -> None:
        """Every write of the plan; what failed is noted, what did not goes on."""
        clock = self.context.clock
        last = {step.spoke: step.id for step in plan.writes if step.phase is not Phase.CLEANUP}
        left = {id_: spoke for spoke, id_ in last.items()}
        prepared = {step.id for step in plan.writes if step.phase is Phase.PREPARE}
        preparing = set(prepared)

        def listen(event: Event) -> None:
            id_ = event.task.id
            if event.state is State.DONE and id_ in left:
                outcome.control_plane_s = clock.now() - self.began_s
                watch.expect([left.pop(id_)])
                if not left:
                    watch.hurry()
                    if plan.writes[-1].phase is Phase.CLEANUP and len(last) > FEW:
                        self.context.output.info(
                            "All are switched; the rest is off the critical path."
                        )
            if event.state is State.STARTED:
                preparing.discard(id_)
                if not preparing and id_ in prepared:
                    self._read_tables_again(GATE_GATEWAY_S / 2)

        if prepared:
            self._prepared_since_s = clock.now()
            self._read_tables_again(0.0)
        results = run_tasks(
            self.context,
            self.recorder,
            self._tasks(plan, watch),
            self.width,
            listen,
            self.options.max_failures,
        )
        watch.hurry()
        self._note(plan, outcome, results)
        if outcome.failed and len(outcome.failed) == len(self.site.spokes):
            raise next(iter(results.failures.values()))
        self._as_written(plan, outcome)

    def _read_tables_again(self, max_age_s: float) -> None:
        """Read what the gate rests on beside the preparation, so that it need not wait."""
        read = partial(self.readings.gateway, ROLE_OF_PATH[self.options.target], max_age_s)
        start(self.context.clock, read, "read the tables again")

    def _note(self, plan: SwitchPlan, outcome: Outcome, results: Results) -> None:
        """What was written, and which spokes were not."""
        done = {task.id for task in results.of(State.DONE)}
        outcome.written = [step.write.name for step in plan.writes if step.id in done]
        for step in plan.writes:
            failure = results.failures.get(step.id)
            if failure is not None:
                if isinstance(failure, AzureFailure):
                    back = "To go back: erfailover switch --undo"
                    failure.hint = f"{failure.hint or ''} {back}".strip()
                outcome.failed.setdefault(step.spoke, failure)
            elif step.id not in done:
                skipped = AzureFailure(Kind.REFUSED, f"{step.title}: not begun")
                outcome.failed.setdefault(step.spoke, skipped)

    def _tasks(self, plan: SwitchPlan, watch: Watch) -> list[Task]:
        nodes = schedule(self.site, plan, self.options.canary)
        return [self._task(node, watch) for node in nodes]

    def _task(self, node: Node, watch: Watch) -> Task:
        if node.checked is not None:
            work = partial(self._checked, node.checked, watch)
            title = f"verify {node.checked} before the others"
            return Task(node.id, title, work, node.needs, node.after)
        if node.step is None:
            return tasks.milestone(node)
        title = f"{node.step.number}. {node.step.title}"
        return tasks.write(node, node.step, title, partial(self._step, node.step))

    def _step(self, step: SwitchStep) -> str:
        if step.gated:
            self._passes_the_gate(step)
        max_age_s = GATE_NETWORKS_S if step.phase is Phase.SWITCH else BODY_S
        most = {Phase.PREPARE: math.inf, Phase.SWITCH: HUNDREDS, Phase.CLEANUP: FEW}
        patient = len(self.site.spokes) > most[step.phase]
        try:
            return self._write(step.write, max_age_s, PATIENT if patient else HURRIED)
        except AzureFailure as failure:
            if not step.contingency or failure.outcome_unknown:
                raise
            raise self._taken_back(step, failure) from failure

    def _taken_back(self, step: SwitchStep, failure: AzureFailure) -> AzureFailure:
        """Carry out a step's contingency; what is then to be raised."""
        names = []
        for number, write in enumerate(step.contingency, 1):
            uses = write.after is not None and write.after.use_remote_gateways
            title = f"take back: {write.name} " + (
                "uses remote gateways again" if uses else "without remote gateways"
            )
            task = f"{step.spoke}/back{number}"
            self.recorder.intent(task, title, str(write.change), write.peering_id)
            self._write(write, 0.0)
            names += [write.name] if uses else []
        return AzureFailure(
            failure.kind,
            f"{failure.message}; taken back: {', '.join(names)} uses remote gateways again",
            "The spoke is on the path it was on before.",
            code=failure.code,
            status=failure.status,
        )

    def _passes_the_gate(self, step: SwitchStep) -> None:
        """Have room for break and make under ARM's limits, and then ask the gate."""
        spoke = self.spokes[step.spoke]
        make = spoke.outward(ROLE_OF_PATH[self.options.target]).name
        both = step.write.peering_id, self.site.peering_id(spoke.virtual_network, make)
        budget = self.context.session.budget
        budget.prepay(both)
        try:
            waits.tell(waits.Wait("reads the gate again"))
            self._gate(spoke)
            waits.tell(waits.Wait(""))
        except BaseException:
            budget.forgo(both)
            raise

    def _gate(self, spoke: Spoke) -> None:
        """What is read again immediately before the break, and must hold."""
        site, target, clock = self.site, self.options.target, self.context.clock
        role = ROLE_OF_PATH[target]
        networks = [site.hub(role).virtual_network, spoke.virtual_network]
        own = site.network_id(spoke.virtual_network)
        deadline = clock.now() + PATIENCE_S
        gateway_age_s = min(GATE_GATEWAY_S, clock.now() - self._prepared_since_s)
        ages = GATE_NETWORKS_S, gateway_age_s
        for tries in count(1):
            observed = self.readings.observe(networks, role, *ages, of=own)
            claims = tuple(gates.gate(site, observed, target, spoke))
            ages = 1.0, 1.0
            late = clock.now() >= deadline
            if self.readings.gateway_age_s(role) > 2 * GATE_GATEWAY_S and not self.options.force:
                if late and tries >= GATE_TRIES:
                    raise UnknownReading(
                        f"a reading of the {role} hub's gateway takes more than "
                        f"{2 * GATE_GATEWAY_S:.0f} s: too old to take {spoke.name} off its path on",
                        "Nothing was changed by this step. Run the same command again.",
                    )
                continue  # it was long in coming: an answer was lost, and asked for again
            holds = conditions.all_of(claims) is Verdict.HOLDS
            if holds or self.options.force or late:
                break
            missing_now = next(each for each in claims if each.verdict is not Verdict.HOLDS)
            waits.tell(waits.Wait(f"waits for the gate: {missing_now.seen}", GATE_PAUSE_S))
            clock.sleep(GATE_PAUSE_S)
        insist(self.context.output, self.options, claims, f"take {spoke.name} off its path")
        self.outcome.gates_s[spoke.name] = clock.now() - self.began_s

    def _write(self, write: PeeringWrite, max_age_s: float, cadence: Cadence = HURRIED) -> str:
        deadline_s = self.site.timing.step_deadline_s
        return peerings.write(self.writer, write, deadline_s, self.readings, max_age_s, cadence)

    def _as_written(self, plan: SwitchPlan, outcome: Outcome) -> None:
        """Whether every peering is as its last write said; a stale read is made again."""
        clock = self.context.clock
        last = {step.write.peering_id: step for step in plan.writes}
        mine = [step for step in last.values() if step.spoke not in outcome.failed]
        deadline = clock.now() + peerings.STALE_S
        while mine:
            networks = list(dict.fromkeys(network_of(step.write.peering_id) for step in mine))
            observed = self.readings.observe(networks)
            mine = [
                step
                for step in mine
                if (found := observed.peering(step.write.peering_id)) is None
                or found.flags != step.write.after
                if not (found is None and step.write.after is None)
            ]
            if not mine:
                return
            if clock.now() >= deadline:
                raise VerificationFailed(
                    f"{', '.join(step.write.name for step in mine)}: written and accepted, but "
                    "not as written",
                    "Somebody else may be changing it. Look at it, then run the command again.",
                )
            clock.sleep(3.0)

    def _checked(self, spoke: str, watch: Watch) -> str:
        """Wait until a canary's switch shows; the others are not begun before."""
        clock = self.context.clock
        deadline = clock.now() + self.site.timing.verify_deadline_s

        def shows() -> bool:
            return watch.claims(spoke)[0].verdict is Verdict.HOLDS

        clock.wait_for(shows, deadline - clock.now())
        if not shows():
            seen = watch.claims(spoke)[0].seen
            raise VerificationFailed(
                f"the canary {spoke} does not show: {seen}",
                "The other spokes were left as they are. To take the canary back: "
                "erfailover switch --undo",
            )
        return watch.claims(spoke)[0].seen

    def _verify(self, outcome: Outcome, watch: Watch) -> None:
        """Wait until routes and probes show the switch, or the deadline has passed."""
        clock, site = self.context.clock, self.site
        began = clock.now()
        deadline = began + site.timing.verify_deadline_s
        expected = dict.fromkeys(site.probes, True)
        told = ""
        while True:
            clock.wait_for(watch.idle, min(10.0, deadline - clock.now()))
            self._claims(outcome, watch)
            arrived = conditions.all_of(claims[0] for claims in outcome.claims.values())
            if arrived is not Verdict.FAILS and expected and not probed(outcome):
                self.context.output.info("Routes are as they should be; running the probes ...")
                outcome.probes = runner.run(self.context, expected)
                self._claims(outcome, watch)
            outcome.excused = clock.now() >= min(deadline, began + LEAVING_PATIENCE_S)
            if shown(outcome) or clock.now() >= deadline:
                return
            said = "; ".join(missing(outcome))
            if said != told:
                self.context.output.info(f"Not there yet: {said}")
                told = said
            clock.sleep(1.0)

    def _claims(self, outcome: Outcome, watch: Watch) -> None:
        names = [each.name for each in self.site.spokes if each.name not in outcome.failed]
        outcome.claims = {name: watch.claims(name) for name in names}
        outcome.spokes_s = {name: at - self.began_s for name, at in watch.arrived_s.items()}
