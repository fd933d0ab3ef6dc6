"""What must hold before a switch writes anything, before the break, and at its end. Pure.

*Arriving* and *leaving* mean what they mean in ``procedure``. A condition of the hub being left
gates nothing: a dead gateway does not answer.
"""

from __future__ import annotations

from collections.abc import Iterator

from erfailover.model.claims import Claim, Verdict
from erfailover.model.observed import Observed
from erfailover.model.resource_ids import last_of
from erfailover.model.site import ROLE_OF_PATH, Path, Role, Site, Spoke
from erfailover.planning import conditions

UNDER_WAY = frozenset({"Updating", "Deleting"})
"""Provisioning states of what an operation is changing (recorded)."""


READINESS = frozenset(
    {
        "gateway_is_provisioned",
        "gateway_has_a_connected_bgp_peer",
        "gateway_has_learned_the_remote_prefixes",
        "gateway_has_been_healthy_for_the_hold_time",
    }
)
"""The conditions that say whether the path to switch to is ready; ``--force`` overrides them."""


def guards(site: Site, observed: Observed, target: Path) -> Iterator[Claim]:
    """What must hold before anything is written. The arriving hub's readiness."""
    role = ROLE_OF_PATH[target]
    gateway = observed.gateways.get(role)
    yield conditions.gateway_is_provisioned(gateway, role)
    yield conditions.gateway_has_a_connected_bgp_peer(gateway, role)
    yield conditions.gateway_has_learned(gateway, role, site.remote_prefixes)
    hub = site.network_id(site.hub(role).virtual_network)
    yield conditions.network_was_read(observed, hub)
    for spoke in site.spokes:
        network = observed.network(site.network_id(spoke.virtual_network))
        yield conditions.spoke_has_no_gateway_of_its_own(network, spoke.name)


def under_way(site: Site, observed: Observed) -> list[str]:
    """What somebody's operation is changing, in words: a plan waits for its end.

    A GET shows the flags of a write as soon as that is accepted, before they are in force and
    although it may yet fail (seen of a failed operation: the flags stay, with state Failed).
    """
    found = []
    for name in site.network_names():
        network = observed.network(site.network_id(name))
        if network is not None:
            states = {each.name: each.provisioning_state for each in network.peerings}
            states[network.name] = network.provisioning_state
            found += [f"{each} is {at}" for each, at in states.items() if at in UNDER_WAY]
    return found


def hold_guard(site: Site, observed: Observed) -> Claim:
    """Before a switch back: the primary has been healthy for the site's hold time."""
    return conditions.gateway_has_been_healthy_for(
        observed.gateways.get(Role.PRIMARY),
        Role.PRIMARY,
        site.remote_prefixes,
        site.timing.failback_hold_time_s,
    )


def gate(site: Site, observed: Observed, target: Path, spoke: Spoke) -> Iterator[Claim]:
    """What is read again immediately before the break of a spoke, and must hold."""
    role = ROLE_OF_PATH[target]
    hub = site.hub(role)
    gateway = observed.gateways.get(role)
    yield conditions.gateway_is_provisioned(gateway, role)
    yield conditions.gateway_has_a_connected_bgp_peer(gateway, role)
    yield conditions.gateway_has_learned(gateway, role, site.remote_prefixes)
    for network in (hub.virtual_network, spoke.virtual_network):
        found = observed.network(site.network_id(network))
        yield conditions.network_is_at_rest(found, last_of(network))
    for owner, peering in (
        (hub.virtual_network, spoke.inward(role)),
        (spoke.virtual_network, spoke.outward(role)),
    ):
        found_peering = observed.peering(site.peering_id(owner, peering.name))
        yield conditions.peering_is_connected_and_in_sync(found_peering, peering.name)


def outcome(site: Site, observed: Observed, target: Path, spoke: Spoke) -> tuple[Claim, Claim]:
    """What must show after a switch: the target originates the spoke, the other no longer does."""
    network = observed.network(site.network_id(spoke.virtual_network))
    prefixes = network.address_space if network else ()
    arriving, leaving = ROLE_OF_PATH[target], ROLE_OF_PATH[target.other]
    if not prefixes:
        unread = Claim("spoke_was_read", Verdict.UNKNOWN, f"{spoke.name} could not be read")
        return unread, unread
    return (
        conditions.gateway_originates(observed.gateways.get(arriving), arriving, prefixes),
        conditions.gateway_does_not_originate(observed.gateways.get(leaving), leaving, prefixes),
    )
