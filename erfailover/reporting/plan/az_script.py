"""A plan of peerings as az commands: a shell script in case erfailover is unavailable. Pure.

The same writes in the same order, one after the other, each command complete by itself, with the
gate between preparation and break, and the commands that roll a step back as comments. An
existing peering is changed by ``az network vnet peering update --set``, which reads it and writes
it back, so that what others have set on it stays. The lease is not acquired: no other run
may write meanwhile.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator

from erfailover.model.conditions import ConditionStatus
from erfailover.model.observed import Gateway, SiteSnapshot
from erfailover.model.peering_flags import FLAGS
from erfailover.model.plan import (
    Change,
    NextHopWrites,
    PeeringWrite,
    Purpose,
    RouteWrite,
    StepWrite,
    SwitchPlan,
    SwitchStep,
)
from erfailover.model.resource_ids import get_last_name, get_network_id, parse
from erfailover.model.site import ROLE_OF_PATH, Role, Site, Spoke
from erfailover.planning import conditions
from erfailover.planning.next_hops.conditions import list_return_routes
from erfailover.planning.next_hops.groups import iter_in_order
from erfailover.reporting.marks import VERDICT_WORD
from erfailover.reporting.plan.text import COLUMNS, PLANS, describe_changes, format_summary
from erfailover.reporting.words import format_path, format_subject, wrap

SPECIAL = frozenset('$`"\\!')
"""What means something to a shell within double quotes."""
RULE = "# " + "-" * (COLUMNS - 2)


def render_script(
    site: Site, plan: SwitchPlan, observed: SiteSnapshot, digest: str, heading: str = ""
) -> str:
    """Return a plan as a POSIX shell script of az commands.

    Args:
        site: whose plan it is.
        plan: what would be done.
        observed: what it was decided from: it names the gateway's neighbors and routes.
        digest: what identifies the plan.
        heading: where it was made and by whom, for the first comment.
    """
    first, *rest = _render_head(site, plan, observed, digest)
    lines = [first, *(f"# {line}" for line in heading.splitlines()), *rest]
    passed: set[int] = set()
    gates_passed: set[str] = set()
    priorities = {spoke.name: spoke.priority for spoke in site.spokes}
    spokes = {spoke.name: spoke for spoke in site.spokes}
    for step in iter_in_order(plan):
        if step.write.change is Change.KEEP:
            lines += [
                "",
                *_format_comment(f"{step.number}. {step.title}: no change to {step.write.name}"),
            ]
            continue
        if step.gated and priorities[step.spoke] not in passed:
            passed.add(priorities[step.spoke])
            lines += ["", *_render_gateway_gate(site, plan, observed)]
        if step.gated:
            for name in _list_gated_with(plan, step, gates_passed):
                lines += ["", *_render_spoke_gate(site, plan, spokes[name], observed)]
        lines += ["", *_render_step(step)]
    return "\n".join([*lines, *_render_tail(site, plan)])


def _list_gated_with(plan: SwitchPlan, step: SwitchStep, passed: set[str]) -> list[str]:
    """Return the spokes whose gates come before a step: of a tied group all, before the first."""
    group = next((group for group in plan.tied if step.spoke in group), None)
    if group is None:
        return [step.spoke]
    gated = {other.spoke for other in plan.writes if other.gated}
    names = [name for name in group if name in gated and name not in passed]
    passed.update(names)
    return names


def _render_head(
    site: Site, plan: SwitchPlan, observed: SiteSnapshot, digest: str
) -> Iterator[str]:
    yield "#!/bin/sh"
    yield from _format_comment(
        PLANS[plan.purpose].format(site=format_subject(site), path=format_path(plan.target))
    )
    yield from _format_comment(f"Read {observed.taken_at}; digest {digest}. ")
    yield from _format_comment(format_summary(plan))
    yield "#"
    yield from _format_comment(
        "Sign in first (az login). Run the whole script (sh FILE), which stops at the first "
        "command that fails, or run one command at a time and read each output. Make sure that "
        "no other run writes to these peerings meanwhile: the script does not acquire "
        "erfailover's lease. If it stops, do not start it again from the top: create a new plan, "
        "or continue by hand."
    )
    yield "#"
    if site.tenants:  # seen by running az 2.91.0, with --remote-vnet too
        yield from _format_comment(
            "az network vnet peering update sends no token for another tenant: Azure rejects what "
            "it changes between tenants (LinkedAuthorizationFailed). Make these changes in the "
            "portal (Authenticate), or with az rest and the header x-ms-authorization-auxiliary."
        )
        yield "#"
    for condition in (*plan.guards, *plan.hazards):
        if condition.status is not ConditionStatus.HOLDS:
            yield from _format_comment(f"{VERDICT_WORD[condition.status]}: {condition.message}")
            if condition.remedy:
                yield from _format_comment(f"remedy: {condition.remedy}", 3)
    for name, condition in plan.left_out.items():
        yield from _format_comment(f"{name} is left out: {condition.message}")
        if condition.remedy:
            yield from _format_comment(f"remedy: {condition.remedy}", 3)
    yield "set -eu"


def _format_comment(text: str, indent: int = 0) -> list[str]:
    return wrap(text, COLUMNS, "# " + " " * indent, "# " + " " * (indent and indent + 2))


def _format_command(*words: str, commented: bool = False) -> str:
    """Return an az command over several lines, each an option; every word quoted for the shell."""
    quoted = [_quote_word(word) for word in words]
    lines = [" ".join(["az", *_take_until_option(quoted)])]
    for word in quoted[len(_take_until_option(quoted)) :]:
        if word.startswith("--"):
            lines.append(word)
        else:
            lines[-1] += f" {word}"
    packed = [lines[0]]
    for line in lines[1:]:
        if len(packed[-1]) + len(line) + 5 <= COLUMNS:
            packed[-1] += f" {line}"
        else:
            packed.append(line)
    joint = " \\\n#     " if commented else " \\\n    "
    return ("# " if commented else "") + joint.join(packed)


def _quote_word(word: str) -> str:
    """Return a word quoted for the shell; a query, full of single quotes, by double ones."""
    if "'" in word and not SPECIAL.intersection(word):
        return f'"{word}"'
    return shlex.quote(word)


def _take_until_option(words: list[str]) -> list[str]:
    first = next((n for n, word in enumerate(words) if word.startswith("--")), len(words))
    return words[:first]


def _build_peering_options(peering_id: str) -> tuple[str, ...]:
    """Return the options that name a peering."""
    network = get_network_id(peering_id)
    return (*_build_resource_options(network, "--vnet-name"), "--name", get_last_name(peering_id))


def _build_resource_options(resource_id: str, name: str = "--name") -> tuple[str, ...]:
    """Return the options that name a resource of a group."""
    id_ = parse(resource_id)
    group = ("--subscription", id_.subscription, "--resource-group", id_.group)
    return (*group, name, id_.names[-1])


def _write(write: StepWrite, *, commented: bool = False) -> str:
    """Return the command that creates or changes a peering, or a route, as planned."""
    if isinstance(write, NextHopWrites):
        return "\n".join(_write_route(route, commented=commented) for route in write.routes)
    peering = ("network", "vnet", "peering")
    where, quiet = _build_peering_options(write.peering_id), ("--output", "none")
    if write.change is Change.DELETE or write.after is None:
        return _format_command(*peering, "delete", *where, *quiet, commented=commented)
    after, before = write.after.to_arm(), write.before.to_arm() if write.before else {}
    if write.change is Change.CREATE:
        flags = [
            text for flag in FLAGS for text in (flag.az_option, _format_bool(after[flag.arm_name]))
        ]
        remote = ("--remote-vnet", write.remote_virtual_network)
        return _format_command(
            *peering, "create", *where, *remote, *flags, *quiet, commented=commented
        )
    differing = [name for name in after if before.get(name) != after[name]] or list(after)
    sync = (
        _format_command(*peering, "sync", *where, *quiet, commented=commented) if write.sync else ""
    )
    not_synced = f"{write.name} is not synced: some prefixes are not in force"
    goes_on = f" \\\n    || echo {shlex.quote(not_synced)} >&2"
    if write.sync and before == after:
        return sync + goes_on
    sets = [f"{name}={_format_bool(after[name])}" for name in differing]
    update = _format_command(
        *peering, "update", *where, "--set", *sets, *quiet, commented=commented
    )
    return f"{update}\n{sync}{goes_on}" if write.sync else update


def _write_route(write: RouteWrite, *, commented: bool = False) -> str:
    """Return the command that makes a route as a plan says."""
    table, quiet = _build_resource_options(write.table_id, "--route-table-name"), "--output none"
    route, after = ("network", "route-table", "route"), write.after
    where = (*table, "--name", write.name)
    if after is None or write.change is Change.DELETE:
        return _format_command(*route, "delete", *where, *quiet.split(), commented=commented)
    prefix = ("--address-prefix", after.prefix) if write.change is Change.CREATE else ()
    hop = ("--next-hop-type", after.next_hop_type, "--next-hop-ip-address", after.next_hop or "")
    where = (*where, *prefix, *hop)
    return _format_command(*route, str(write.change), *where, *quiet.split(), commented=commented)


def _format_bool(value: object) -> str:
    return "true" if value else "false"


def _render_step(step: SwitchStep) -> Iterator[str]:
    """One write: what it does, why it comes now, and what rolls it back."""
    yield from _format_comment(f"{step.number}. {step.title}")
    yield from _format_comment(f"{step.write.name}: {'; '.join(describe_changes(step.write))}", 3)
    yield from _format_comment(f"why now: {step.why}", 3)
    if isinstance(step.write, PeeringWrite) and step.write.change is Change.DELETE:
        used = _format_query(
            *("vnet", "peering", "show"),
            *_build_peering_options(step.peering.peering_id),
            query="useRemoteGateways && 'in use' || 'unused'",
        )
        carries = f"{step.write.name} uses remote gateways: a path depends on it"
        yield _stop_unless("unused", used, carries)
    if not step.contingency:
        yield _write(step.write)
        return
    failed = f"step {step.number} of {step.spoke} failed; roll it back as described below it"
    yield _append_stop(_write(step.write), failed)
    yield from _format_comment(f"If step {step.number} is rejected or fails, roll it back:")
    for back in step.contingency:
        yield _write(back, commented=True)


def _render_gateway_gate(site: Site, plan: SwitchPlan, observed: SiteSnapshot) -> Iterator[str]:
    """Yield what must hold of the arriving hub before anything is broken."""
    role = ROLE_OF_PATH[plan.target]
    gateway_id = site.build_gateway_id(site.get_hub(role).gateway)
    gateway, name = observed.gateways.get(role), get_last_name(gateway_id)
    hub_id = site.build_network_id(site.get_hub(role).virtual_network)
    yield RULE
    yield from _format_comment(
        f"Gate: {name} must be ready before the break. To look at the details, run these commands "
        "with --output table and without --query."
    )
    if plan.hold_time:
        yield from _format_comment(f"erfailover also waits: {plan.hold_time}.")
    yield _stop_unless(
        "Succeeded",
        _format_state_query("vnet-gateway", gateway_id),
        f"{name} is not in state Succeeded",
    )
    yield _stop_unless(
        "Succeeded",
        _format_state_query("vnet", hub_id),
        f"{get_last_name(hub_id)} is not in state Succeeded",
    )
    peers = (
        f"value[?state=='Connected'{_format_any_of('neighbor', _list_neighbors(gateway))}].neighbor"
    )
    text = _format_query(
        "vnet-gateway", "list-bgp-peer-status", *_build_resource_options(gateway_id), query=peers
    )
    yield _stop_if_empty(text, f"no BGP peer of {name} is Connected")
    query = "value[?origin=='EBgp' || origin=='IBgp'].network"
    routes = _format_query(
        "vnet-gateway", "list-learned-routes", *_build_resource_options(gateway_id), query=query
    )
    yield f"routes=$({routes})"
    yield (
        "has_learned() {  # one of the networks: the prefix, or one that covers it\n"
        '    printf \'%s\\n\' "$routes" | grep -qxF "$@" \\\n'
        f'        || {{ echo STOP: {shlex.quote(name)} has not learned "$2" by BGP >&2; false; }}\n'
        "}"
    )
    learned = conditions.select_learned_routes(gateway) if gateway is not None else None
    for prefix in site.remote_prefixes:
        covering = next(learned.iter_covering(prefix), None) if learned is not None else None
        networks = dict.fromkeys((str(prefix), *([covering.network] if covering else ())))
        yield f"has_learned {' '.join(f'-e {shlex.quote(network)}' for network in networks)}"


def _list_neighbors(gateway: Gateway | None) -> set[str]:
    return (
        {peer.neighbor for peer in conditions.select_external_peers(gateway)} if gateway else set()
    )


def _format_any_of(field: str, values: Iterable[str]) -> str:
    """Return a further condition of a query: one of some values; none if there is none."""
    message = " || ".join(f"{field}=='{value}'" for value in sorted(values))
    return f" && ({message})" if message else ""


def _render_spoke_gate(
    site: Site, plan: SwitchPlan, spoke: Spoke, observed: SiteSnapshot
) -> Iterator[str]:
    """Yield what must hold of a spoke before it is broken."""
    role = ROLE_OF_PATH[plan.target]
    spoke_id = site.build_network_id(spoke.virtual_network)
    yield from _format_comment(
        f"Gate of {spoke.name}: no operation on its VNet, both peerings ready"
    )
    yield _stop_unless(
        "Succeeded",
        _format_state_query("vnet", spoke_id),
        f"{spoke.name} is not in state Succeeded",
    )
    hub = site.get_hub(role).virtual_network
    for peering_id in (
        site.build_peering_id(hub, spoke.get_inward(role).name),
        site.build_peering_id(spoke.virtual_network, spoke.get_outward(role).name),
    ):
        state = _format_query(
            *("vnet", "peering", "show"),
            *_build_peering_options(peering_id),
            query="join('/', [peeringState, provisioningState])",
        )
        not_ready = f"{get_last_name(peering_id)} is not Connected and Succeeded"
        yield _stop_unless("Connected/Succeeded", state, not_ready)
    yield from _render_return_gate(site, plan, spoke, observed)


def _render_return_gate(
    site: Site, plan: SwitchPlan, spoke: Spoke, observed: SiteSnapshot
) -> Iterator[str]:
    """Yield what must hold of a spoke behind an appliance: answers return through it."""
    role = ROLE_OF_PATH[plan.target]
    routes = list_return_routes(site, observed, role, spoke)
    if not routes:
        return
    name = spoke.get_outward(role).name
    allowed = _format_query(
        *("vnet", "peering", "show"),
        *_build_peering_options(site.build_peering_id(spoke.virtual_network, name)),
        query="allowForwardedTraffic && 'allowed' || 'not allowed'",
    )
    yield _stop_unless("allowed", allowed, f"{name} does not allow forwarded traffic")
    for table_id, route in routes:
        table = _build_resource_options(table_id, "--route-table-name")
        hop = _format_query(
            *("route-table", "route", "show", *table, "--name", route.name),
            query="nextHopIpAddress",
        )
        returns = f"{route.name} of {get_last_name(table_id)} does not lead to the appliance"
        yield _stop_unless(route.next_hop or "", hop, returns)


def _format_state_query(kind: str, resource_id: str) -> str:
    return _format_query(
        kind, "show", *_build_resource_options(resource_id), query="provisioningState"
    )


def _format_query(*words: str, query: str, commented: bool = False) -> str:
    """Return an az command that prints what a query selects."""
    output = ("--query", query, "--output", "tsv")
    return _format_command("network", *words, *output, commented=commented)


def _stop_unless(condition: str, command: str, why: str) -> str:
    return _append_stop(f'[ "$({command})" = {shlex.quote(condition)} ]', why)


def _stop_if_empty(command: str, why: str) -> str:
    return _append_stop(f'[ -n "$({command})" ]', why)


def _append_stop(command: str, why: str) -> str:
    """Return a command after which the script stops if it fails, saying why."""
    return f"{command} \\\n    || {{ echo {shlex.quote(f'STOP: {why}')} >&2; false; }}"


def _render_tail(site: Site, plan: SwitchPlan) -> Iterator[str]:
    """Yield how to verify the result."""
    if plan.purpose is not Purpose.SWITCH or not plan.writes:
        return
    arriving, leaving = ROLE_OF_PATH[plan.target], ROLE_OF_PATH[plan.target.other]
    yield ""
    yield RULE
    yield from _format_comment(
        f"Done. After a few seconds {_get_gateway_name(site, arriving)} originates the spokes' "
        f"prefixes (origin Network) and {_get_gateway_name(site, leaving)} no longer does. A dead "
        "gateway does not answer. Then ping from a spoke."
    )
    for role in (arriving, leaving):
        where = _build_resource_options(site.build_gateway_id(site.get_hub(role).gateway))
        query = "value[?origin=='Network'].network"
        yield _format_query(
            "vnet-gateway", "list-learned-routes", *where, query=query, commented=True
        )


def _get_gateway_name(site: Site, role: Role) -> str:
    return get_last_name(site.get_hub(role).gateway)
