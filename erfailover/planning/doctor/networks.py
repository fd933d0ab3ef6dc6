"""Checks of the networks: there, peered, in sync, not overlapping. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from erfailover.model.claims import Verdict
from erfailover.model.counting import counted, join_names
from erfailover.model.prefix_table import listed, table_of
from erfailover.model.resource_ids import PEERING, child_of, last_of
from erfailover.model.site import Path, Role, Site, Spoke
from erfailover.planning import conditions
from erfailover.planning.doctor.check import Check, Group, Line, Name, told_apart, worst
from erfailover.planning.doctor.facts import Facts
from erfailover.planning.health import is_made_by_a_switch, is_prestaged, path_of
from erfailover.planning.other_spokes import spaces_of_others

MANY = 6
"""So many names are in a line."""


def networks(site: Site, facts: Facts) -> Iterator[Check]:
    """Every hub and spoke is there, can be read, and is at rest."""
    line = Line(Name.NETWORKS, Group.NETWORKS)
    remedy = "Correct the site file's names, or see the permissions above."
    names, bad = told_apart(map(site.network_id, site.network_names())), False
    for network_id, name in names.items():
        claim = conditions.network_was_read(facts.observed, network_id)
        if claim.verdict is Verdict.HOLDS:
            found = facts.observed.network(network_id)
            claim = conditions.network_is_at_rest(found, name)
            remedy = "Wait until the operation on it has ended; a Failed one needs a new write."
        if claim.verdict is not Verdict.HOLDS:
            bad = True
            yield line.of(claim, remedy)
    if not bad:
        yield line.ok(f"{len(site.network_names())} networks read, all Succeeded")


def own_gateways(site: Site, facts: Facts) -> Iterator[Check]:
    """Check that no spoke has its own gateway: it could not use a remote one."""
    line = Line(Name.OWN_GATEWAY, Group.NETWORKS)
    claims = [
        conditions.spoke_has_no_gateway_of_its_own(
            facts.observed.network(site.network_id(spoke.virtual_network)), spoke.name
        )
        for spoke in site.spokes
    ]
    remedy = "Azure's rule: such a spoke cannot move. Remove the gateway, or take the spoke out."
    yield from worst(line, claims, remedy, f"none of {counted(len(claims), 'spoke')} has a gateway")


def peerings(site: Site, facts: Facts) -> Iterator[Check]:
    """Every peering there is, is Connected and in sync; those to the primary hub are there."""
    line = Line(Name.PEERINGS, Group.NETWORKS)
    remedy = "Disconnected: delete and make both sides anew. Failed: write it again."
    stale = Line(Name.PEERINGS, Group.NETWORKS, required=False)
    right, coming = 0, []
    for spoke in site.spokes:
        for role in Role:
            pair = _pair(site, spoke, role)
            later = role is Role.BACKUP and path_of(site, facts.observed, spoke) != Path.IPSEC
            if later and all(facts.observed.network(owner) is not None for owner, _ in pair):
                waits = [each for each in pair if _waits(facts, each, pair)]
                coming += [f"{spoke.name}: {name}" for _, name in waits]
                pair = tuple(each for each in pair if each not in waits)
            for owner, name in pair:
                told = f"{spoke.name}: {name}"
                if facts.observed.network(owner) is None:
                    yield line.unknown(f"{told}: {last_of(owner)} could not be read", remedy)
                    continue
                found = facts.observed.peering(site.peering_id(owner, name))
                claim = conditions.peering_is_connected(found, told)
                if found is None or claim.verdict is not Verdict.HOLDS:
                    yield line.of(claim, remedy)
                    continue
                complete = conditions.peering_joins_the_complete_networks(found)
                in_sync = conditions.peering_is_in_sync(found)
                right += not found.is_out_of_sync
                if complete.verdict is not Verdict.HOLDS:
                    yield line.of(complete, complete.remedy)
                if found.needs_sync:
                    switch = "A switch syncs it" if later else "Sync it"
                    early = ", erfailover prestage ahead of time" if role is Role.BACKUP else ""
                    yield stale.unknown(in_sync.seen, f"{switch}{early}; or: {in_sync.remedy}")
    if right:
        yield line.ok(f"{counted(right, 'peering')} Connected and in sync{_later(coming)}")


def peering_names(site: Site, facts: Facts) -> Iterator[Check]:
    """Yield the peerings that have another name than the site file says.

    No failure: a switch finds them by the VNets that they join.
    """
    line = Line(Name.PEERING_NAMES, Group.NETWORKS, required=False)
    unread = [
        last_of(each)
        for each in map(site.network_id, site.network_names())
        if facts.observed.network(each) is None
    ]
    for other, place in facts.other_names:
        remedy = f"Correct {place}: {other.remedy}."
        yield line.warns(f"{other.seen}; a switch uses {other.used}", remedy)
    if unread:
        yield line.unknown(f"not known of {join_names(unread, MANY)}", "See the networks above.")
    elif not facts.other_names:
        yield line.ok("the site file has the names of the peerings that there are")


def _pair(site: Site, spoke: Spoke, role: Role) -> tuple[tuple[str, str], ...]:
    """Return both sides of a spoke's peering: the id of the VNet that owns it, and its name."""
    hub, own = site.hub(role).virtual_network, spoke.virtual_network
    return (
        (site.network_id(own), spoke.outward(role).name),
        (site.network_id(hub), spoke.inward(role).name),
    )


def _waits(facts: Facts, side: tuple[str, str], pair: tuple[tuple[str, str], ...]) -> bool:
    """Whether a switch makes this side, or completes it: the other one is not there yet."""
    found = {each: facts.observed.peering(child_of(each[0], PEERING, each[1])) for each in pair}
    mine = found.pop(side)
    return is_made_by_a_switch(mine, *found.values())


def _later(coming: list[str]) -> str:
    if not coming:
        return ""
    return f"; a switch creates or completes {len(coming)}: {join_names(coming, MANY)}"


def prestaged(site: Site, facts: Facts) -> Iterator[Check]:
    """If the site file says so, the peerings with the backup hub are there, ready."""
    line = Line(Name.PRESTAGED, Group.NETWORKS, required=False)
    ready, missing = [], []
    for spoke in site.spokes:
        if any(
            facts.observed.network(site.network_id(each)) is None
            for each in (spoke.virtual_network, site.backup.virtual_network)
        ):
            yield line.unknown(
                f"{spoke.name}: its peerings with the backup hub could not be read",
                "See the networks above.",
            )
        elif is_prestaged(site, facts.observed, spoke):
            ready.append(spoke.name)
        else:
            missing.append(spoke.name)
    if missing and site.prestaged:
        yield line.fails(
            "prestaged: true in the site file, but not both peerings with the backup hub are "
            f"Connected and in sync, with gateway transit, of {join_names(missing, MANY)}",
            "erfailover prestage makes them; on IPsec or after an interrupted run, see status.",
        )
    elif ready or missing:
        some = f" ({join_names(ready, MANY)})" if ready and missing else ""
        yield line.ok(f"{len(ready)} of {counted(len(site.spokes), 'spoke')} prestaged{some}")


def overlaps(site: Site, facts: Facts) -> Iterator[Check]:
    """Address spaces of hubs and spokes, and the remote prefixes, do not overlap."""
    line = Line(Name.OVERLAPS, Group.NETWORKS)
    names = told_apart(each.id for each in facts.observed.networks.values())
    spaces = [
        (names[network.id], prefix)
        for network in facts.observed.networks.values()
        for prefix in network.address_space
    ]
    others = spaces_of_others(site, facts.observed).items()
    spaces += [(name, prefix) for name, prefixes in others for prefix in prefixes]
    bad = False
    for (one, first), (other, second) in combinations(spaces, 2):
        if one != other and first.overlaps(second):
            bad = True
            yield line.fails(
                f"{one} ({first}) overlaps {other} ({second})",
                "Azure refuses to peer overlapping networks: change an address space.",
            )
    remote = table_of(site.remote_prefixes)
    for name, prefix in spaces:
        overlapping = list(remote.overlapping(prefix))
        if overlapping:
            bad = True
            noun = "prefix" if len(overlapping) == 1 else "prefixes"
            yield line.fails(
                f"{name} ({prefix}) overlaps the remote {noun} {listed(overlapping)}",
                "Traffic to it would stay in Azure. Correct remote_prefixes, or the network.",
            )
    if not spaces:
        yield line.unknown("no address space could be read", "See the networks above.")
    elif not bad:
        yield line.ok(
            f"{counted(len(spaces), 'address space')} and the remote prefixes do not overlap"
        )
