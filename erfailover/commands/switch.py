"""``erfailover switch``: observe, plan, ask, execute, verify, report.

What is done, and in which order, is ``procedure``'s. This module turns its steps into tasks and
asks its conditions again at the moment they matter.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial

from erfailover import conditions, procedure, report
from erfailover.azure import peerings, probing
from erfailover.azure.cloud import Azure
from erfailover.azure.observing import observe
from erfailover.commands import switch_outcome
from erfailover.commands.context import Context
from erfailover.commands.progress import Progress, duration
from erfailover.commands.recording import Recorder, recorded, settle
from erfailover.commands.switch_outcome import Outcome, missing, verified
from erfailover.errors import AzureFailure, Failure, Refused, UnknownReading, VerificationFailed
from erfailover.executor import Task
from erfailover.executor import run as execute
from erfailover.history import last_switch, runs
from erfailover.journal import Journal, peerings_made
from erfailover.model import (
    Claim,
    Observed,
    PeeringWrite,
    SwitchPlan,
    SwitchStep,
    Verdict,
)
from erfailover.site import ROLE_OF_PATH, Path, Role, Site, network_of

OWNER_TAG = "erfailover-site"
"""The tag that ``provision`` puts on what it makes, with the site's name."""

READINESS = frozenset(
    {
        "gateway_is_provisioned",
        "gateway_has_a_connected_bgp_peer",
        "gateway_has_learned_the_remote_prefixes",
        "gateway_has_been_healthy_for_the_hold_time",
    }
)
"""What ``--force`` overrides: the readiness of the path to switch to."""


PATIENCE_S = 60.0
"""How long the gate is read again before it refuses: Azure answers empty lists at times."""


@dataclass(frozen=True)
class Options:
    """How to switch.

    Attributes:
        target: the path to move to.
        dry_run: show the plan and stop.
        force: override the readiness of the target.
        wait: wait for the hold time of a switch back, instead of refusing.
        undo: this takes back a switch, so the path it left needs no hold time.
    """

    target: Path
    dry_run: bool = False
    force: bool = False
    wait: bool = True
    undo: bool = False


def run(context: Context, options: Options) -> None:
    """Switch every spoke of the site to a path, or show what that would do.

    Raises:
        Refused: the target is not ready, or the operator said no.
        UnknownReading: what must be known could not be read.
        AzureFailure: Azure refused a step; what was taken back is in the message.
        VerificationFailed: it is done, but routes or probes do not show it.
    """
    if options.dry_run:
        _, plan = _planned(context, options)
        _insist_on_having_read(plan)
        context.show(report.plan_text(plan), report.plan_data(plan))
        return
    with context.lease(f"switch --to {options.target}"):
        _run(context, options)


def _run(context: Context, options: Options) -> None:
    site = context.site
    settle(context)
    observed, plan = _planned(context, options)
    _insist_on_having_read(plan)
    if plan.writes:
        context.say(report.plan_text(plan))
        _guard(context, options, plan, observed)
        context.confirm(f"Switch {site.name} to {options.target}?")
    else:
        context.say(f"Every peering is as it should be on {options.target}; checking the routes.")
    with recorded(context, "switch", report.plan_data(plan), str(options.target)) as recorder:
        outcome = _Switch(context, options, recorder).carry_out(plan)
        context.show(switch_outcome.text(site, outcome), switch_outcome.data(site, outcome))
        _raise_unless_verified(outcome)


def undo(context: Context, options: Options) -> None:
    """Take back the last switch of the site, from wherever it stands.

    Raises:
        Refused: no switch of this site is in the journal.
    """
    last = last_switch(runs(context.journal.records()))
    if last is None or last.target is None:
        raise Refused(
            f"no switch of {context.site.name} is in the journal of this machine",
            "Say where to go instead: erfailover switch --to ipsec|expressroute",
        )
    run(context, replace(options, target=Path(last.target).other, undo=True))


def _planned(context: Context, options: Options) -> tuple[Observed, SwitchPlan]:
    """Observe and plan; what is unknown is read again for a while before it is believed.

    An operation under way is waited for: what a GET shows meanwhile is not in force yet.
    """
    site, clock = context.site, context.clock
    began = clock.now()
    while True:
        observed = observe(context.azure, site)
        plan = procedure.plan(site, observed, options.target, ours(site, observed, context.journal))
        unknown = [claim.seen for claim in plan.guards if claim.verdict is Verdict.UNKNOWN]
        busy = [] if options.dry_run else procedure.under_way(site, observed)
        patience_s = site.timing.step_deadline_s if busy else PATIENCE_S
        if clock.now() - began >= patience_s and busy:
            raise UnknownReading(
                f"an operation has not ended after {patience_s:.0f} s: {'; '.join(busy)}",
                "Nothing was changed. Wait for it, then run the same command again.",
            )
        late = clock.now() - began >= patience_s or not observed.networks
        if not busy and (not unknown or late):
            return observed, plan
        context.say(f"Reading again: {'; '.join(busy or unknown)}")
        clock.sleep(3.0 if busy else 10.0)


def ours(site: Site, observed: Observed, journal: Journal) -> frozenset[str]:
    """The peerings that erfailover made: by the journal, or by the tags of both their VNets."""
    tagged = {
        key for key, each in observed.networks.items() if each.tags.get(OWNER_TAG) == site.name
    }
    found = {
        peering.id.lower()
        for key in tagged
        for peering in observed.networks[key].peerings
        if peering.remote_virtual_network.lower() in tagged
    }
    return frozenset(found) | peerings_made(journal.records())


def _insist_on_having_read(plan: SwitchPlan) -> None:
    """Refuse to plan on networks that were not read; nothing overrides this."""
    unread = [
        claim.seen
        for claim in plan.guards
        if claim.verdict is Verdict.UNKNOWN and claim.name not in READINESS
    ]
    if unread:
        raise UnknownReading(
            f"nothing can be planned: {'; '.join(unread)}",
            "Is the site provisioned (erfailover provision), and may you read it?",
        )


def _guard(context: Context, options: Options, plan: SwitchPlan, observed: Observed) -> None:
    """Step 0: refuse a target that is not ready, and say what is missing."""
    claims = list(plan.guards)
    bugs = procedure.breaches(context.site, plan)
    if bugs:
        raise Failure(f"the plan breaks an invariant: {'; '.join(bugs)}", "This is a bug.")
    if options.target is Path.EXPRESSROUTE and not options.undo:
        claims.append(_held(context, options, observed))
    _insist(context, options, claims, "switch")


def _held(context: Context, options: Options, observed: Observed) -> Claim:
    """Wait until the primary has been healthy for the hold time, with a countdown."""
    site = context.site
    claim = procedure.hold_guard(site, observed)
    deadline = context.clock.now() + 2 * site.timing.failback_hold_time_s + 60.0
    while claim.verdict is Verdict.FAILS and options.wait and not options.force:
        gateway = observed.gateways.get(Role.PRIMARY)
        held = conditions.held_for_s(gateway, site.remote_prefixes) if gateway else None
        if held is None or context.clock.now() > deadline:
            break
        left = max(1.0, site.timing.failback_hold_time_s - held)
        context.say(f"Waiting for the hold time: {claim.seen}; {duration(left)} left")
        context.clock.sleep(min(left, 15.0))
        observed = observe(context.azure, site, [Role.PRIMARY], [])
        claim = procedure.hold_guard(site, observed)
    return claim


def _insist(context: Context, options: Options, claims: Iterable[Claim], what: str) -> None:
    """Raise unless every claim holds; ``--force`` overrides readiness, and says so."""
    bad = [claim for claim in claims if claim.verdict is not Verdict.HOLDS]
    if options.force:
        for claim in bad:
            if claim.name in READINESS:
                context.say(f"Overridden by --force: {claim.name}: {claim.seen}")
        bad = [claim for claim in bad if claim.name not in READINESS]
    seen = "; ".join(claim.seen for claim in bad)
    hint = "Nothing was changed by this step. Mend that, or override readiness with --force."
    if any(claim.verdict is Verdict.FAILS for claim in bad):
        raise Refused(f"refusing to {what} to {options.target}: {seen}", hint)
    if bad:
        raise UnknownReading(f"refusing to {what} to {options.target}: unknown: {seen}", hint)


@dataclass
class _Switch:
    """One switch under way."""

    context: Context
    options: Options
    recorder: Recorder

    @property
    def site(self) -> Site:
        return self.context.site

    @property
    def azure(self) -> Azure:
        return self.context.azure

    def carry_out(self, plan: SwitchPlan) -> Outcome:
        outcome = Outcome(self.options.target)
        began = self.context.clock.now()
        if plan.writes:
            with Progress(self.context.console, self.context.clock) as progress:
                listener = self.recorder.listener(progress.tell)
                results = execute(self._tasks(plan), self.context.clock, listener)
            outcome.switched_s = self.context.clock.now() - began
            outcome.written = [step.write.name for step in plan.writes]
            failure = next(iter(results.failures.values()), None)
            if failure is not None:
                failure.hint = f"{failure.hint or ''} To go back: erfailover switch --undo".strip()
                raise failure
        self._verify(outcome)
        outcome.verified_s = self.context.clock.now() - began
        return outcome

    def _tasks(self, plan: SwitchPlan) -> list[Task]:
        """Preparation of every spoke, then break and make, then what is off the critical path."""
        writes = plan.writes
        ids = {(step.spoke, step.number): f"{step.spoke}/{step.number}" for step in writes}
        tasks: list[Task] = []
        earlier: dict[str, set[str]] = {}
        for step in writes:
            task_id = ids[step.spoke, step.number]
            before = frozenset(earlier.setdefault(step.spoke, set()))
            earlier[step.spoke].add(task_id)
            phase = procedure.phase(step.number)
            network = network_of(step.write.peering_id)
            tasks.append(
                Task(
                    id=task_id,
                    title=f"{step.number}. {step.title}",
                    run=partial(self._step, step),
                    needs=before,
                    after=frozenset(
                        ids[each.spoke, each.number]
                        for each in writes
                        if procedure.phase(each.number) < phase
                    ),
                    owns=frozenset({network.lower()}),
                    refers=frozenset({step.write.remote_virtual_network.lower()}),
                    change=str(step.write.change),
                    resource=step.write.peering_id,
                )
            )
        return tasks

    def _step(self, step: SwitchStep) -> str:
        if step.gated:
            self._gate(step)
        try:
            return self._write(step.write)
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
            self._write(write)
            names += [write.name] if uses else []
        return AzureFailure(
            failure.kind,
            f"{failure.message}; taken back: {', '.join(names)} uses remote gateways again",
            "The spoke is on the path it was on before.",
            code=failure.code,
            status=failure.status,
        )

    def _gate(self, step: SwitchStep) -> None:
        """What is read again immediately before the break, and must hold."""
        site, target = self.site, self.options.target
        role = ROLE_OF_PATH[target]
        spoke = next(each for each in site.spokes if each.name == step.spoke)
        networks = [site.hub(role).virtual_network, spoke.virtual_network]
        deadline = self.context.clock.now() + PATIENCE_S
        while True:
            observed = observe(self.azure, site, [role], networks)
            claims = tuple(procedure.gate(site, observed, target, spoke))
            holds = conditions.all_of(claims) is Verdict.HOLDS
            if holds or self.options.force or self.context.clock.now() >= deadline:
                break
            self.context.clock.sleep(5.0)
        _insist(self.context, self.options, claims, f"take {spoke.name} off its path")

    def _write(self, write: PeeringWrite) -> str:
        return peerings.write(self.azure, write, self.site.timing.step_deadline_s)

    def _verify(self, outcome: Outcome) -> None:
        """Wait until routes and probes show the switch, or the deadline has passed."""
        clock, site = self.context.clock, self.site
        deadline = clock.now() + site.timing.verify_deadline_s
        expected = dict.fromkeys(site.probes, True)
        while True:
            observed = observe(self.azure, site)
            outcome.claims = {
                spoke.name: procedure.outcome(site, observed, outcome.target, spoke)
                for spoke in site.spokes
            }
            originates = [arriving for arriving, _ in outcome.claims.values()]
            if conditions.all_of(originates) is not Verdict.FAILS and expected:
                self.context.say("Routes are as they should be; running the probes ...")
                outcome.probes = probing.run(self.azure, site, expected)
            if verified(outcome) or clock.now() >= deadline:
                return
            self.context.say(f"Not there yet: {'; '.join(missing(outcome))}")
            clock.sleep(10.0)


def _raise_unless_verified(outcome: Outcome) -> None:
    if not verified(outcome):
        raise VerificationFailed(
            f"switched to {outcome.target}, but it does not show: {'; '.join(missing(outcome))}",
            f"Look at erfailover status; go back with: erfailover switch --to "
            f"{outcome.target.other}",
        )
