"""Checks of the networks: there, peered, in sync, not overlapping. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from erfailover import conditions
from erfailover.doctor.lines import Check, Group, Line, Name, worst
from erfailover.facts import Facts
from erfailover.health import path_of
from erfailover.model import Verdict
from erfailover.site import Path, Role, Site


def networks(site: Site, facts: Facts) -> Iterator[Check]:
    """Every hub and spoke is there, can be read, and is at rest."""
    line = Line(Name.NETWORKS, Group.NETWORKS)
    remedy = "Correct the site file's names, or see the permissions above."
    bad = False
    for name in site.network_names():
        network_id = site.network_id(name)
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
    """No spoke has a gateway of its own: it could use no remote one."""
    line = Line(Name.OWN_GATEWAY, Group.NETWORKS)
    claims = [
        conditions.spoke_has_no_gateway_of_its_own(
            facts.observed.network(site.network_id(spoke.virtual_network)), spoke.name
        )
        for spoke in site.spokes
    ]
    remedy = "Azure's rule: such a spoke cannot move. Remove the gateway, or take the spoke out."
    yield from worst(line, claims, remedy, f"none of {len(claims)} spoke(s) has a gateway")


def peerings(site: Site, facts: Facts) -> Iterator[Check]:
    """Every peering there is, is Connected and in sync; those to the primary hub are there."""
    line = Line(Name.PEERINGS, Group.NETWORKS)
    remedy = (
        "Disconnected: delete and make both sides anew. Not in sync: az network vnet peering "
        "sync. Failed: write it again."
    )
    right, coming = 0, []
    for spoke in site.spokes:
        path = path_of(site, facts.observed, spoke)
        for role in Role:
            for owner, peering in (
                (spoke.virtual_network, spoke.outward(role)),
                (site.hub(role).virtual_network, spoke.inward(role)),
            ):
                if facts.observed.network(site.network_id(owner)) is None:
                    yield line.unknown(f"{peering.name}: {owner} could not be read", remedy)
                    continue
                found = facts.observed.peering(site.peering_id(owner, peering.name))
                if found is None and role is Role.BACKUP and path != Path.IPSEC:
                    coming.append(peering.name)
                    continue
                claim = conditions.peering_is_connected_and_in_sync(found, peering.name)
                right += claim.verdict is Verdict.HOLDS
                if claim.verdict is not Verdict.HOLDS:
                    yield line.of(claim, remedy)
    if right:
        later = f"; a switch creates {', '.join(coming)}" if coming else ""
        yield line.ok(f"{right} peering(s) Connected and in sync{later}")


def overlaps(site: Site, facts: Facts) -> Iterator[Check]:
    """Address spaces of hubs and spokes, and the remote prefixes, do not overlap."""
    line = Line(Name.OVERLAPS, Group.NETWORKS)
    spaces = [
        (network.name, prefix)
        for network in facts.observed.networks.values()
        for prefix in network.address_space
    ]
    bad = False
    for (one, first), (other, second) in combinations(spaces, 2):
        if one != other and first.overlaps(second):
            bad = True
            yield line.fails(
                f"{one} ({first}) overlaps {other} ({second})",
                "Azure refuses to peer overlapping networks: change an address space.",
            )
    for name, prefix in spaces:
        for remote in site.remote_prefixes:
            if prefix.overlaps(remote):
                bad = True
                yield line.fails(
                    f"{name} ({prefix}) overlaps the remote prefix {remote}",
                    "Traffic to it would stay in Azure. Correct remote_prefixes, or the network.",
                )
    if not spaces:
        yield line.unknown("no address space could be read", "See the networks above.")
    elif not bad:
        yield line.ok(f"{len(spaces)} address space(s) and the remote prefixes do not overlap")
