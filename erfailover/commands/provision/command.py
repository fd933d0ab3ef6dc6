"""``erfailover provision``: create what is missing of a topology, correct what differs.

Every write is named in the plan that is shown first. A resource is read again right before it is
written, so what an interrupted run, or another client, did meanwhile is not undone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from erfailover.azure.readers import network as readers_network
from erfailover.azure.readers.offers import ask
from erfailover.commands import plans
from erfailover.commands.context import Context
from erfailover.commands.lease import Lease, hold_lease
from erfailover.commands.provision.keys import read_shared_key, read_ssh_keys
from erfailover.commands.runs.recorder import record_run, settle
from erfailover.commands.runs.tasks import run_tasks
from erfailover.errors import (
    AzureErrorKind,
    AzureFailure,
    Refused,
    UsageFailure,
    VerificationFailed,
)
from erfailover.model.arm_json import get_provisioning_state, get_section
from erfailover.model.conditions import ConditionStatus
from erfailover.model.counting import format_count, join_names
from erfailover.model.observed import SiteSnapshot
from erfailover.model.plan import Change
from erfailover.model.resource_ids import CONNECTION, GATEWAY, MACHINE, PUBLIC_IP
from erfailover.model.site import Site
from erfailover.model.tasks import Results, Task
from erfailover.planning.provision import diff, offers
from erfailover.planning.provision import plan as provision_plan
from erfailover.planning.provision.arm_bodies import TAG, Body, Reference
from erfailover.planning.provision.durations import SETUP, find_usual
from erfailover.planning.provision.nat import NatSetup, build_setups, is_holding
from erfailover.planning.provision.plan import Action, ProvisionPlan, SetupAction
from erfailover.planning.provision.resources import DesiredResource
from erfailover.reporting import provision
from erfailover.reporting.words import limit_lines
from erfailover.runtime.clock import run_all
from erfailover.runtime.executor import ConcurrencyLimit
from erfailover.runtime.secrets import SHARED_KEY_VARIABLE, Secrets

if TYPE_CHECKING:
    from erfailover.azure.reader import Reader
    from erfailover.azure.writer import Writer

DEADLINE_S = {GATEWAY: 5400.0, MACHINE: 1800.0, CONNECTION: 1200.0}
"""How long a write may take, in seconds; a gateway takes 18 min (median) to over 35 (recorded)."""

OTHER_DEADLINE_S = 900.0
RUN_COMMAND_DEADLINE_S = 1200.0
READS_AT_ONCE = 16
WRITES_AT_ONCE = 24


def run(context: Context, dry_run: bool) -> None:
    """Provision the site's topology.

    Args:
        context: the invocation.
        dry_run: show the plan and stop. The set-up of a NAT machine that is there is looked at
            with Run Command, which changes nothing.

    Raises:
        Refused: a resource of that name exists and is not ours, or the operator declined.
        AzureFailure: Azure refused a write; what does not depend on it was done all the same.
    """
    if context.site.topology is None:
        raise UsageFailure(
            f"{context.site_file} has no topology: there is nothing to provision",
            "A topology is only needed to create a network; 'erfailover init' writes one.",
        )
    if dry_run:
        _run(context, None)
        return
    with hold_lease(context, "provision") as lease:
        _run(context, lease)


def _run(context: Context, lease: Lease | None) -> None:
    """Plan, and carry it out with a lease; show the plan without one."""
    site, reader = read_ssh_keys(context.site, context.site_file.path), context.reader
    shared = site.topology.shared_keys if site.topology else None
    secrets = Secrets.open(context.state_folder, context.environment, shared.id if shared else None)
    if secrets.vault_passed_over:
        context.output.print_info(f"{SHARED_KEY_VARIABLE} is set: the key vault is not used.")
    if lease is not None:
        settle(context)
    with context.show_activity(f"Reading the resources of {site.name}", announced=True):
        plan = _plan(context, reader, site, secrets)
        _refuse_foreign(plan)
        _check_offers(context, plan)
    if lease is None:
        context.output.print_result(provision.format_plan(plan), provision.build_plan_data(plan))
        return
    if not plan.changes:
        nothing = provision.build_outcome_data(plan, Results())
        context.output.print_result(provision.format_plan(plan), nothing)
        return
    plans.tell(context.output, provision.format_plan(plan))
    context.output.confirm(f"Apply {format_count(len(plan.changes), 'change')}?")
    with record_run(context, "provision", provision.build_plan_data(plan)) as recorder:
        writer = lease.build_writer(recorder.record_accepted)
        tasks = _Provision(reader, writer, secrets).build_tasks(plan)
        results = run_tasks(context, recorder, tasks, ConcurrencyLimit(WRITES_AT_ONCE))
        outcome = provision.build_outcome_data(plan, results)
        context.output.print_result(provision.format_outcome(plan, results), outcome)
        results.raise_first()


def _plan(context: Context, reader: Reader, site: Site, secrets: Secrets) -> ProvisionPlan:
    existing = read(context, reader, site)
    site = _use_existing_names(context, site, existing)
    setups = [
        setup for setup in build_setups(site) if _is_at_rest(existing.get(setup.machine_id.lower()))
    ]
    held = run_all(context.clock, [partial(_is_nat_set_up, reader, setup) for setup in setups])
    nat = {setup.id: holds_ for setup, holds_ in zip(setups, held, strict=True)}
    plan = provision_plan.plan(site, existing, nat, _find_unsettled(secrets, site))
    if secrets.to_be_read and plan.has_writes(CONNECTION):
        read_shared_key(context, secrets)
        # Which version it is decides whether the other connections have the same.
        plan = provision_plan.plan(site, existing, nat, _find_unsettled(secrets, site))
    return plan


def _use_existing_names(context: Context, site: Site, existing: Mapping[str, Body | None]) -> Site:
    """Return a site with the names that its peerings have; one that exists is not made again."""
    networks = {
        id_.lower(): readers_network.parse_network(body, id_)
        for id_ in provision_plan.list_networks(site)
        if (body := existing.get(id_.lower())) is not None
    }
    spokes = context.use_names_of(
        SiteSnapshot(readers_network.format_utc_now(), networks, {})
    ).spokes
    for remark in limit_lines(context.remarks):
        context.output.print_info(remark)
    return replace(site, spokes=spokes)


def _find_unsettled(secrets: Secrets, site: Site) -> set[str]:
    """Return the connections that may have another shared key than they should."""
    return {
        resource.id.lower()
        for resource in provision_plan.list_desired(site)
        if not _is_settled(secrets, resource)
    }


def _is_settled(secrets: Secrets, resource: DesiredResource) -> bool:
    """Whether a connection has the shared key that it should."""
    return all(
        secrets.has_current_value(resource.id, name)
        for name in provision_plan.list_secret_names(resource.body)
    )


def read(context: Context, reader: Reader, site: Site) -> dict[str, Body | None]:
    """Read the group and the existing resources of the topology, several at once."""
    group = reader.get(site.build_group_id())
    existing: dict[str, Body | None] = {site.build_group_id().lower(): group}
    ids = provision_plan.list_reads(site) if group is not None else ()
    for i in range(0, len(ids), READS_AT_ONCE):
        some = ids[i : i + READS_AT_ONCE]
        rows = run_all(context.clock, [partial(reader.get, name) for name in some])
        existing |= {id_.lower(): body for id_, body in zip(some, rows, strict=True)}
    for id_ in provision_plan.list_networks(site):
        existing |= dict(provision_plan.iter_peerings(id_, existing.get(id_.lower())))
    return existing


def _is_at_rest(existing: Body | None) -> bool:
    properties = get_section(existing, "properties")
    return "provisioningState" in properties and get_provisioning_state(properties) == "Succeeded"


def _is_nat_set_up(reader: Reader, setup: NatSetup) -> bool:
    """Whether a machine's NAT set-up holds; a machine that does not answer is set up again."""
    try:
        result = reader.run_command(setup.machine_id, setup.check, RUN_COMMAND_DEADLINE_S)
    except AzureFailure:
        return False
    return is_holding(result.stdout)


def _refuse_foreign(plan: ProvisionPlan) -> None:
    if plan.foreign:
        raise Refused(
            "these exist, differ from the site file, and were not created by erfailover: "
            f"{join_names(plan.foreign, 12)}",
            "Choose other names in the site file, or give each the tag "
            f"{TAG}={plan.site} if erfailover may change and delete it.",
        )


def _check_offers(context: Context, plan: ProvisionPlan) -> None:
    """Ask whether Azure offers the resources to create, before the first write.

    Raises:
        Refused: it does not.
    """
    names = {action.desired.type for action in plan.actions if action.change is Change.CREATE}
    if not names & {GATEWAY, MACHINE, PUBLIC_IP}:
        return
    conditions = list(offers.check_offers(context.site, ask(context.reader, context.site)))
    for condition in conditions:
        if condition.status is ConditionStatus.UNKNOWN:
            context.output.print_info(f"Not checked: {condition.name}: {condition.message}")
    bad = [checked for checked in conditions if checked.status is ConditionStatus.FAILS]
    if bad:
        message = join_names((checked.message for checked in bad), 6, "; ")
        remedies = " ".join(dict.fromkeys(checked.remedy for checked in bad))
        raise Refused(f"not available in this region: {message}", remedies)


@dataclass
class _Provision:
    reader: Reader
    writer: Writer
    secrets: Secrets

    def build_tasks(self, plan: ProvisionPlan) -> list[Task]:
        """One task for every change of a plan."""
        changes = plan.changes
        ids = {_get_id(change) for change in changes}
        return [
            self._setup(change, ids)
            if isinstance(change, SetupAction)
            else self._write(change, ids)
            for change in changes
        ]

    def _write(self, action: Action, ids: set[str]) -> Task:
        resource = action.desired
        return Task(
            id=resource.key,
            title=resource.title,
            run=partial(self._apply, action),
            needs=resource.needs & ids,
            owns=resource.owns,
            refers=resource.refers,
            change=str(action.change),
            resource=resource.id,
            usual=find_usual(resource.type, action.change),
        )

    def _setup(self, action: SetupAction, ids: set[str]) -> Task:
        setup = action.setup
        return Task(
            id=setup.id,
            title=setup.title,
            run=partial(self._set_up_nat, setup),
            needs=frozenset({setup.machine_id}) & ids,
            refers=frozenset({setup.machine_id.lower()}),
            usual=SETUP,
        )

    def _apply(self, action: Action) -> str | None:
        """Write one resource, unless it has become what it should be."""
        resource = action.desired
        deadline_s = DEADLINE_S.get(resource.type, OTHER_DEADLINE_S)
        existing = self.reader.wait_until_settled(resource.id, deadline_s)
        body = self._resolve(resource)
        if existing is not None and not self._to_write(action, body, existing):
            return "no change"
        self.writer.write(resource.id, self._build_whole_body(resource, body, existing), deadline_s)
        for name in provision_plan.list_secret_names(resource.body):
            self.secrets.note_written(resource.id, name)
        return "created" if existing is None else "updated"

    def _resolve(self, resource: DesiredResource) -> Body:
        """Fill in what Azure has given to other resources by now; secrets stay named."""
        read: dict[str, Body | None] = {}

        def look(reference: Reference) -> Any:
            key = reference.resource_id.lower()
            if key not in read:
                read[key] = self.reader.get(reference.resource_id)
            return diff.build_lookup(read)(reference)

        try:
            return diff.resolve_body(resource.body, look)
        except LookupError as missing:
            raise AzureFailure(
                AzureErrorKind.REFUSED,
                f"{resource.title} cannot be written: Azure has not assigned {missing.args[0]}",
                "Check that resource in the portal, then run provision again to resume.",
            ) from None

    def _to_write(self, action: Action, body: Body, existing: Body) -> bool:
        properties = get_section(existing, "properties")
        if get_provisioning_state(properties) in provision_plan.FAILED:
            return True
        if properties.get("peeringState") == "Disconnected":
            return True
        differing = diff.list_differences(body, existing, diff.build_lookup({}))
        return bool(differing) or not _is_settled(self.secrets, action.desired)

    def _build_whole_body(
        self, resource: DesiredResource, body: Body, existing: Body | None
    ) -> Body:
        """Return the body to put, secrets and all; it goes nowhere but to Azure."""
        whole = diff.merge_body(body, existing)
        if existing is not None and resource.type == MACHINE:
            # Azure refuses to change a machine's password this way; it keeps the one it has.
            whole["properties"]["osProfile"].pop("adminPassword", None)
            whole.pop("resources", None)
        filled = diff.fill_secrets(whole, self.secrets.get_value)
        return dict(filled)

    def _set_up_nat(self, setup: NatSetup) -> str:
        result = self.writer.run_command(setup.machine_id, setup.script, RUN_COMMAND_DEADLINE_S)
        if is_holding(result.stdout):
            return "set up"
        lines = (result.stderr or result.stdout).strip().splitlines()
        raise VerificationFailed(
            f"the NAT set-up of {setup.name} failed: {lines[-1] if lines else 'no output'}",
            f"Check {setup.name} with 'az vm run-command invoke', then run provision again.",
        )


def _get_id(action: Action | SetupAction) -> str:
    return action.setup.id if isinstance(action, SetupAction) else action.desired.key
