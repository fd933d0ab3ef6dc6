"""Checks of the networks: existing, peered, in sync, not overlapping. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from erfailover.model.conditions import ConditionStatus
from erfailover.model.counting import format_count, join_names
from erfailover.model.prefix_table import build_table, format_prefixes
from erfailover.model.resource_ids import PEERING, build_child_id, get_last_name
from erfailover.model.site import Path, Role, Site, Spoke
from erfailover.planning import conditions
from erfailover.planning.doctor.check import (
    Check,
    CheckBuilder,
    CheckName,
    Group,
    disambiguate_names,
    report_conditions,
)
from erfailover.planning.doctor.facts import DoctorFacts
from erfailover.planning.health import find_path, is_made_by_a_switch, is_prestaged
from erfailover.planning.other_spokes import list_other_spaces

MANY = 6
"""So many names are in a line."""


def check_networks(site: Site, facts: DoctorFacts) -> Iterator[Check]:
    """Every hub and spoke exists, can be read, and is at rest."""
    line = CheckBuilder(CheckName.NETWORKS, Group.NETWORKS)
    remedy = "Correct the names in the site file, or see the permissions above."
    names, bad = disambiguate_names(map(site.build_network_id, site.list_network_names())), False
    for network_id, name in names.items():
        condition = conditions.check_network_read(facts.observed, network_id)
        if condition.status is ConditionStatus.HOLDS:
            network = facts.observed.get_network(network_id)
            condition = conditions.check_network_at_rest(network, name)
            remedy = "Wait until the operation on it ends. If it Failed, update the VNet again."
        if condition.status is not ConditionStatus.HOLDS:
            bad = True
            yield line.report_condition(condition, remedy)
    if not bad:
        yield line.report_ok(f"{len(site.list_network_names())} networks read, all Succeeded")


def check_own_gateways(site: Site, facts: DoctorFacts) -> Iterator[Check]:
    """Check that no spoke has its own gateway: it could not use a remote one."""
    line = CheckBuilder(CheckName.OWN_GATEWAY, Group.NETWORKS)
    checks = [
        conditions.check_no_own_gateway(
            facts.observed.get_network(site.build_network_id(spoke.virtual_network)), spoke.name
        )
        for spoke in site.spokes
    ]
    remedy = "Azure lets no VNet with a gateway use another one. Remove the gateway or the spoke."
    yield from report_conditions(
        line, checks, remedy, f"no gateway in {format_count(len(checks), 'spoke')}"
    )


def check_peerings(site: Site, facts: DoctorFacts) -> Iterator[Check]:
    """Every existing peering is Connected and in sync; those with the primary hub exist."""
    line = CheckBuilder(CheckName.PEERINGS, Group.NETWORKS)
    remedy = "If Disconnected, delete and recreate both sides. If Failed, write it again."
    stale = CheckBuilder(CheckName.PEERINGS, Group.NETWORKS, required=False)
    right, coming = 0, []
    for spoke in site.spokes:
        for role in Role:
            pair = _build_sides(site, spoke, role)
            later = role is Role.BACKUP and find_path(site, facts.observed, spoke) != Path.IPSEC
            if later and all(facts.observed.get_network(owner) is not None for owner, _ in pair):
                waits = [item for item in pair if _is_pending(facts, item, pair)]
                coming += [f"{spoke.name}: {name}" for _, name in waits]
                pair = tuple(item for item in pair if item not in waits)
            for owner, name in pair:
                text = f"{spoke.name}: {name}"
                if facts.observed.get_network(owner) is None:
                    yield line.report_unknown(
                        f"{text}: {get_last_name(owner)} could not be read", remedy
                    )
                    continue
                peering = facts.observed.get_peering(site.build_peering_id(owner, name))
                condition = conditions.check_peering_connected(peering, text)
                if peering is None or condition.status is not ConditionStatus.HOLDS:
                    yield line.report_condition(condition, remedy)
                    continue
                complete = conditions.check_peering_complete(peering)
                in_sync = conditions.check_peering_in_sync(peering)
                right += not peering.is_out_of_sync
                if complete.status is not ConditionStatus.HOLDS:
                    yield line.report_condition(complete, complete.remedy)
                if peering.needs_sync:
                    switch = "A switch syncs it" if later else "Sync it"
                    early = " (ahead of time: erfailover prestage)" if role is Role.BACKUP else ""
                    yield stale.report_unknown(
                        in_sync.message, f"{switch}{early}; or: {in_sync.remedy}"
                    )
    if right:
        yield line.report_ok(
            f"{format_count(right, 'peering')} Connected and in sync{_describe_pending(coming)}"
        )


def check_peering_names(site: Site, facts: DoctorFacts) -> Iterator[Check]:
    """Yield the peerings whose names differ from those in the site file.

    No failure: a switch finds them by the VNets that they join.
    """
    line = CheckBuilder(CheckName.PEERING_NAMES, Group.NETWORKS, required=False)
    unread = [
        get_last_name(name)
        for name in map(site.build_network_id, site.list_network_names())
        if facts.observed.get_network(name) is None
    ]
    for other, place in facts.other_names:
        remedy = f"Correct {place}: {other.remedy}."
        yield line.report_warning(f"{other.description}; a switch uses {other.used}", remedy)
    if unread:
        yield line.report_unknown(
            f"unknown for {join_names(unread, MANY)}", "See the networks above."
        )
    elif not facts.other_names:
        yield line.report_ok("the names in the site file match the existing peerings")


def _build_sides(site: Site, spoke: Spoke, role: Role) -> tuple[tuple[str, str], ...]:
    """Return both sides of a spoke's peering: the id of the VNet that owns it, and its name."""
    hub, own = site.get_hub(role).virtual_network, spoke.virtual_network
    return (
        (site.build_network_id(own), spoke.get_outward(role).name),
        (site.build_network_id(hub), spoke.get_inward(role).name),
    )


def _is_pending(
    facts: DoctorFacts, side: tuple[str, str], pair: tuple[tuple[str, str], ...]
) -> bool:
    """Whether a switch creates this side, or completes it: the other one does not exist yet."""
    peerings = {
        item: facts.observed.get_peering(build_child_id(item[0], PEERING, item[1])) for item in pair
    }
    peering = peerings.pop(side)
    return is_made_by_a_switch(peering, *peerings.values())


def _describe_pending(coming: list[str]) -> str:
    if not coming:
        return ""
    return f"; a switch creates or completes {len(coming)}: {join_names(coming, MANY)}"


def check_prestaged(site: Site, facts: DoctorFacts) -> Iterator[Check]:
    """If the site is prestaged, the peerings with the backup hub exist, ready."""
    line = CheckBuilder(CheckName.PRESTAGED, Group.NETWORKS, required=False)
    ready, missing = [], []
    for spoke in site.spokes:
        if any(
            facts.observed.get_network(site.build_network_id(name)) is None
            for name in (spoke.virtual_network, site.backup.virtual_network)
        ):
            yield line.report_unknown(
                f"{spoke.name}: its peerings with the backup hub could not be read",
                "See the networks above.",
            )
        elif is_prestaged(site, facts.observed, spoke):
            ready.append(spoke.name)
        else:
            missing.append(spoke.name)
    if missing and site.prestaged:
        yield line.report_failure(
            "prestaged: true in the site file, but the peerings with the backup hub are not both "
            "Connected and in sync, with gateway transit, for "
            f"{join_names(missing, MANY)}",
            "erfailover prestage prepares them; on IPsec or after an interrupted run, see status.",
        )
    elif ready or missing:
        some = f" ({join_names(ready, MANY)})" if ready and missing else ""
        yield line.report_ok(
            f"{len(ready)} of {format_count(len(site.spokes), 'spoke')} prestaged{some}"
        )


def check_overlaps(site: Site, facts: DoctorFacts) -> Iterator[Check]:
    """Address spaces of hubs and spokes, and the remote prefixes, do not overlap."""
    line = CheckBuilder(CheckName.OVERLAPS, Group.NETWORKS)
    names = disambiguate_names(network.id for network in facts.observed.networks.values())
    spaces = [
        (names[network.id], prefix)
        for network in facts.observed.networks.values()
        for prefix in network.address_space
    ]
    others = list_other_spaces(site, facts.observed).items()
    spaces += [(name, prefix) for name, prefixes in others for prefix in prefixes]
    bad = False
    for (one, first), (other, second) in combinations(spaces, 2):
        if one != other and first.overlaps(second):
            bad = True
            yield line.report_failure(
                f"{one} ({first}) overlaps {other} ({second})",
                "Azure refuses to peer overlapping networks: change an address space.",
            )
    remote = build_table(site.remote_prefixes)
    for name, prefix in spaces:
        overlapping = list(remote.iter_overlapping(prefix))
        if overlapping:
            bad = True
            noun = "prefix" if len(overlapping) == 1 else "prefixes"
            yield line.report_failure(
                f"{name} ({prefix}) overlaps the remote {noun} {format_prefixes(overlapping)}",
                "Traffic to it would stay in Azure. Correct remote_prefixes, or the network.",
            )
    if not spaces:
        yield line.report_unknown("no address space could be read", "See the networks above.")
    elif not bad:
        yield line.report_ok(
            f"{format_count(len(spaces), 'address space')} and the remote prefixes do not overlap"
        )
