"""Checks of the identity: its rights, and what locks and policies forbid it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from erfailover.model import resource_ids
from erfailover.model.conditions import Condition, ConditionStatus
from erfailover.model.counting import join_names
from erfailover.model.site import Site
from erfailover.planning.doctor import permissions
from erfailover.planning.doctor.check import (
    Check,
    CheckBuilder,
    CheckName,
    Group,
    disambiguate_names,
    explain_unread,
    format_scope,
    shorten_action,
)
from erfailover.planning.doctor.facts import EVERYBODY, DenyAssignment, DoctorFacts, Identity, Lock
from erfailover.planning.doctor.permissions import (
    BLOB_ROLE,
    ELSEWHERE,
    ActionScope,
    RequiredPermission,
)

MANY = 6
"""So many names are in a line."""
REMEDY = "erfailover permissions --role-definition switch prints a role with what is needed."


def check_credentials(site: Site, facts: DoctorFacts) -> Iterator[Check]:
    """Check that a token was issued and accepted, and report whose it is."""
    line = CheckBuilder(CheckName.CREDENTIALS, Group.IDENTITY)
    if facts.unreachable is not None:
        yield line.report_failure(facts.unreachable, facts.remedy or "Sign in: az login.")
    elif facts.identity.value is None:
        yield line.report_unknown(
            f"the token does not identify its owner: {facts.identity.unknown}",
            "Azure accepts it anyway; see the permissions below.",
        )
    else:
        who = facts.identity.value
        yield line.report_ok(
            f"{who.kind} {who.name} (object {who.object_id}, tenant {who.tenant}) at "
            f"{facts.endpoint}"
        )


def check_tenants(site: Site, facts: DoctorFacts) -> Iterator[Check]:
    """Every tenant that owns a subscription issues a token, all of the same identity.

    Published (authenticate-multi-tenant): all tokens are of one user or application, which was
    added to the other tenants.
    """
    line = CheckBuilder(CheckName.TENANTS, Group.IDENTITY, required=bool(site.tenants))
    identities: dict[str, Identity] = {}
    for subscription, reading in facts.sign_ins.items():
        if reading.value is None:
            yield line.report_unknown(
                f"subscription {subscription}: {explain_unread(reading)}", FAR_TENANT
            )
        elif reading.value.identity is None:
            text = f"subscription {subscription}: {reading.value.refused}"
            yield line.report_failure(text, reading.value.remedy or FAR_TENANT)
        else:
            identities[subscription] = reading.value.identity
    who = list(
        dict.fromkeys(f"{identity.kind} {identity.name}" for identity in identities.values())
    )
    users = any(identity.kind == "user" for identity in identities.values())
    applications = [name for name in who if name.startswith("application")]
    whole = len(identities) == len(facts.sign_ins)
    if any(identity.managed for identity in identities.values()) and (site.tenants or not whole):
        text = "a managed identity belongs to one tenant, but the site spans several"
        yield line.report_failure(f"{join_names(who, MANY)}: {text}", FAR_TENANT)
    elif len(applications) + users > 1:  # a guest has another name in each tenant
        text = "the tenants' tokens belong to different identities"
        yield line.report_failure(f"{text}: {join_names(who, MANY)}", ONE_IDENTITY)
    elif whole:
        owners = list(dict.fromkeys(identity.tenant for identity in identities.values()))
        text = f"a token for each of {len(owners)} tenants: {', '.join(owners)}"
        yield line.report_ok(
            text if owners[1:] else "one tenant owns every subscription of the site"
        )


FAR_TENANT = (
    "List the other tenant under tenants: in the site file. A managed identity cannot sign in to "
    "it: use a multi-tenant application that was added to both tenants, or a user who is a guest "
    "in the other one (az login --tenant ID), with a role in both."
)
ONE_IDENTITY = (
    "For a peering across tenants, Azure accepts tokens of one user or application only: sign in "
    "to all tenants with the same identity, for example with azure-cli for each under tenants:."
)


def check_rights(site: Site, facts: DoctorFacts) -> Iterator[Check]:
    """Every action that a step needs is granted where it is needed."""
    for on in ActionScope:
        desired = tuple(need for need in permissions.list_needs(site) if need.on is on)
        if desired:
            yield from _check_rights_on(site, facts, on, desired)
    if site.state is not None:
        yield CheckBuilder(CheckName.PERMISSIONS, Group.IDENTITY, required=False).report_unknown(
            f"{site.state}: write access cannot be checked without writing",
            f"Make sure that the identity has the role {BLOB_ROLE} on the storage account.",
        )


def _check_rights_on(
    site: Site, facts: DoctorFacts, on: ActionScope, desired: tuple[RequiredPermission, ...]
) -> Iterator[Check]:
    """Yield the lines of one kind of resource; one line for all that have every right."""
    elsewhere = on in ELSEWHERE
    line = CheckBuilder(CheckName.PERMISSIONS, Group.IDENTITY, required=not elsewhere)
    by_name: dict[tuple[ConditionStatus, str], list[str]] = {}
    doubtful: dict[tuple[str, ...], list[str]] = {}
    places = disambiguate_names(permissions.list_scopes(site, on))
    for where in places:
        reading = facts.grants.get(where.lower())
        if reading is None or reading.value is None:
            text = ", ".join(shorten_action(permission.action) for permission in desired)
            key = ConditionStatus.UNKNOWN, f"{text} unverified: {explain_unread(reading)}"
        else:
            held = reading.value
            missing = [
                permission
                for permission in desired
                if not permissions.is_granted(permission.action, held)
            ]
            key = _judge_missing(
                desired,
                [permission for permission in missing if permission.published],
                elsewhere=elsewhere,
            )
            assumed = tuple(permission.action for permission in missing if not permission.published)
            if assumed:
                doubtful.setdefault(assumed, []).append(places[where])
        by_name.setdefault(key, []).append(places[where])
    for (verdict, text), names in by_name.items():
        condition = Condition(line.name, verdict, f"{on.value} ({join_names(names, MANY)}): {text}")
        yield line.report_condition(condition, REMEDY)
    for actions, names in doubtful.items():
        yield CheckBuilder(CheckName.PERMISSIONS, Group.IDENTITY, required=False).report_unknown(
            f"{on.value} ({join_names(names, MANY)}): {', '.join(actions)} not granted, or known "
            "to Azure by another name: site failover tests cannot be read or run",
            "az provider operation show --namespace Microsoft.Network lists the names that Azure "
            "knows; erfailover permissions reads them if you are signed in.",
        )


def _judge_missing(
    desired: Iterable[RequiredPermission], missing: Sequence[RequiredPermission], *, elsewhere: bool
) -> tuple[ConditionStatus, str]:
    """Return what the missing rights come to; those that may be granted elsewhere are not known."""
    if not missing:
        return ConditionStatus.HOLDS, ", ".join(
            dict.fromkeys(shorten_action(permission.action) for permission in desired)
        )
    names = ", ".join(permission.action for permission in missing)
    if elsewhere:
        return ConditionStatus.UNKNOWN, f"not granted here: {names}; may be granted elsewhere"
    steps = sorted({step for permission in missing for step in permission.steps})
    return ConditionStatus.FAILS, f"missing {names} (for {'; '.join(steps)})"


def check_denials(site: Site, facts: DoctorFacts) -> Iterator[Check]:
    """No deny assignment takes away an action that a switch needs; owners are not exempt.

    Published (deny-assignments): they go before roles. Deployment stacks with
    ``denyWriteAndDelete`` make them.
    """
    line = CheckBuilder(CheckName.DENIALS, Group.IDENTITY, required=False)
    identities = [facts.identity.value]
    identities += [sign_in.value.identity for sign_in in facts.sign_ins.values() if sign_in.value]
    own = {identity.object_id.lower() for identity in identities if identity}
    bad = False
    for group, reading in facts.denials.items():
        if reading.value is None:
            bad = True
            yield line.report_unknown(
                f"deny assignments of {format_scope(group)}: {reading.unknown}",
                "The portal shows them: Access control (IAM), Deny assignments.",
            )
        for deny_assignment in reading.value or ():
            actions = _describe_denied(site, deny_assignment)
            if not actions or own.intersection(deny_assignment.excluded):
                continue
            bad = True
            where = format_scope(deny_assignment.scope)
            text = f"the deny assignment {deny_assignment.name} at {where} denies {actions}"
            remedy = (
                "Ask its owner to exclude the identity; most likely it belongs to a deployment "
                "stack."
            )
            if own.union({EVERYBODY}).intersection(deny_assignment.principals):
                yield line.report_failure(text, remedy)
            else:
                groups = join_names(deny_assignment.principals, MANY)
                yield line.report_unknown(
                    f"{text} to {groups}; check whether you are a member", remedy
                )
    if not bad and facts.denials:
        yield line.report_ok("no deny assignment blocks a switch")
    elif not bad:
        yield line.report_unknown(
            "deny assignments could not be read", "See the permissions above."
        )


def _describe_denied(site: Site, assignment: DenyAssignment) -> str:
    """Return the actions of a switch that a deny assignment takes away, in words."""
    lines = [
        need.action
        for need in permissions.list_needs(site)
        for resource in permissions.list_resources(site, need.on)
        if assignment.is_in_scope(resource)
        and permissions.is_granted(need.action, assignment.grants)
    ]
    return ", ".join(map(shorten_action, dict.fromkeys(lines)))


def check_locks(site: Site, facts: DoctorFacts) -> Iterator[Check]:
    """No management lock keeps a switch from its writes."""
    line = CheckBuilder(CheckName.LOCKS, Group.IDENTITY)
    written = [
        *permissions.list_resources(site, ActionScope.NETWORK),
        *permissions.list_resources(site, ActionScope.GATEWAY),
        *permissions.list_resources(site, ActionScope.MACHINE),
        *permissions.list_resources(site, ActionScope.LOCAL_GATEWAY),
        *permissions.list_resources(site, ActionScope.MOVED_TABLE),
    ]
    names, bad = disambiguate_names(written), False
    for group in permissions.list_groups(site):
        reading = facts.locks.get(group.lower())
        if reading is None or reading.value is None:
            bad = True
            yield line.report_unknown(
                f"locks of {format_scope(group)}: {explain_unread(reading)}",
                "az lock list shows them.",
            )
            continue
        for lock in reading.value:
            held = [
                name
                for name in written
                if resource_ids.get_group_id(name).lower() == group.lower()
                and lock.is_in_scope(name)
            ]
            for check in _check_lock(site, line, lock, held, names):
                bad = True
                yield check
    if not bad:
        yield line.report_ok("no lock blocks a switch")


def _check_lock(
    site: Site, line: CheckBuilder, lock: Lock, held: Sequence[str], names: Mapping[str, str]
) -> Iterator[Check]:
    """Yield what a lock on some resources keeps a switch from."""
    where = f"the lock {lock.name} on {format_scope(lock.scope)}"
    if lock.level == "ReadOnly":
        if held:
            yield line.report_failure(
                f"{where} is ReadOnly: Azure rejects writes and POSTs to "
                f"{join_names((names[name] for name in held), MANY)}",
                "Ask its owner to remove it (az lock delete), or to use CanNotDelete instead.",
            )
        return
    networks = [name for name in held if "/virtualnetworks/" in name.lower()]
    if networks and permissions.can_remove_peerings(site):
        yield line.report_failure(
            f"{where} forbids deletion: a failback could not remove the backup peerings",
            "Have it removed, or set prestaged: true in the site file, which keeps the peerings.",
        )
    overlays = permissions.list_overlays(site)
    if tables := [names[name] for name in held if name in overlays]:
        yield line.report_failure(
            f"{where} forbids deletion: a failback could not remove the routes that a switch "
            f"adds to {join_names(tables, MANY)}",
            "Have it removed, or set mode: replace for these tables in the site file.",
        )


def check_eligible_roles(site: Site, facts: DoctorFacts) -> Iterator[Check]:
    """No right is missing that a role of Privileged Identity Management would grant."""
    line = CheckBuilder(CheckName.ELIGIBLE_ROLES, Group.IDENTITY, required=False)
    unread = [(group, item) for group, item in facts.eligible.items() if item.value is None]
    for group, reading in unread:
        yield line.report_unknown(
            f"eligible roles (PIM) at {format_scope(group)}: {explain_unread(reading)}",
            f"{MY_ROLES} shows which are active.",
        )
    idle = {
        (
            eligible_role.name,
            eligible_role.scope.lower(),
        ): f"{eligible_role.name} at {format_scope(eligible_role.scope) or 'the root'}"
        for reading in facts.eligible.values()
        for eligible_role in reading.value or ()
        if not eligible_role.active
    }
    text = join_names(idle.values(), MANY)
    if idle and any(
        check_right.verdict is ConditionStatus.FAILS for check_right in check_rights(site, facts)
    ):
        yield line.report_failure(
            f"eligible (PIM), but not active: {text}; rights are missing",
            f"Activate what a switch needs in {MY_ROLES}; it takes effect within minutes. For "
            "incidents, use an identity whose role is assigned permanently.",
        )
    elif idle:
        yield line.report_ok(f"eligible (PIM), but not active: {text}; no right is missing")
    elif not unread:
        yield line.report_ok("no eligible role (PIM) is inactive")


MY_ROLES = "the Azure portal, Privileged Identity Management, My roles, Azure resources"


def check_policies(site: Site, facts: DoctorFacts) -> Iterator[Check]:
    """No policy that can be seen denies the writing of a peering."""
    line = CheckBuilder(CheckName.POLICIES, Group.IDENTITY, required=False)
    lines: list[str] = []
    bad = False
    for group, reading in facts.policies.items():
        if reading.value is None:
            bad = True
            yield line.report_unknown(
                f"policies of {format_scope(group)}: {reading.unknown}",
                "az policy assignment list --disable-scope-strict-match shows the assignments.",
            )
            continue
        for peering, assignment in reading.value.denials:
            bad = True
            yield line.report_failure(
                f"the policy assignment {assignment} denies writing {peering}",
                "Ask its owner to exempt the networks (az policy exemption create), or change it.",
            )
        lines += [name for name in reading.value.not_evaluated if name not in lines]
    if lines and not bad:
        yield line.report_unknown(
            "no policy of the subscriptions denies peerings; those of management groups are not "
            f"evaluated by Azure's preflight: {', '.join(lines)}",
            "Ask their owner whether one denies peerings, or prestage the peerings: existing ones "
            "were allowed.",
        )
    elif not bad:
        yield line.report_ok("no policy denies writing the peerings")
