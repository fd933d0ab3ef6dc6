"""What must hold before a switch writes anything, before the break, and at its end. Pure.

*Arriving* and *leaving* mean what they mean in ``procedure``. A condition of the hub being left
gates nothing: a dead gateway does not answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from ipaddress import IPv4Network

from erfailover.model.arm_json import UNDER_WAY
from erfailover.model.conditions import Condition, ConditionStatus
from erfailover.model.observed import EXPRESSROUTE, Peering, SiteSnapshot
from erfailover.model.resource_ids import get_last_name
from erfailover.model.site import ROLE_OF_PATH, Path, Role, Site, Spoke
from erfailover.planning import conditions, summaries
from erfailover.planning.next_hops.conditions import (
    check_forwarded,
    check_tables,
)
from erfailover.planning.switch.hold_time import HoldTimeCount, SessionUptime, check_expressroute

IN_PROGRESS = "no_operation_is_in_progress"
"""The condition that ends by itself."""

READINESS = frozenset(
    {
        "gateway_is_provisioned",
        "gateway_has_a_connected_bgp_peer",
        "gateway_has_learned_the_remote_prefixes",
        "gateway_has_been_healthy_for_the_hold_time",
    }
)
"""The conditions that say whether the path to switch to is ready; ``--force`` overrides them."""


def check_guards(site: Site, observed: SiteSnapshot, target: Path) -> Iterator[Condition]:
    """Yield what must hold of the arriving hub before anything is written."""
    role = ROLE_OF_PATH[target]
    yield from _check_readiness(site, observed, role)
    hub = site.build_network_id(site.get_hub(role).virtual_network)
    yield conditions.check_network_read(observed, hub)
    if (network := observed.get_network(hub)) is not None:
        yield conditions.check_network_at_rest(network, get_last_name(hub))


def list_refusals(site: Site, observed: SiteSnapshot, target: Path) -> tuple[Condition, ...]:
    """Return why a switch to a path would be refused now; empty if it would not be."""
    checks = check_guards(site, observed, target)
    return tuple(condition for condition in checks if condition.status is not ConditionStatus.HOLDS)


def _check_readiness(site: Site, observed: SiteSnapshot, role: Role) -> Iterator[Condition]:
    gateway = observed.gateways.get(role)
    yield conditions.check_gateway_provisioned(gateway, role)
    yield conditions.check_gateway_connected(gateway, role)
    yield conditions.check_gateway_learned(gateway, role, site.remote_prefixes)


def find_obstacles(
    site: Site, observed: SiteSnapshot, target: Path, spoke: Spoke, written: Iterable[str]
) -> Iterator[Condition]:
    """Return what keeps a spoke from being moved; such a spoke is left out, the others are moved.

    These are the gate's conditions of the spoke, as far as they are known in advance.

    Args:
        site: what there should be.
        observed: what was read.
        target: the path to move to.
        spoke: a spoke that is on the other path.
        written: the ids of the peerings that the preparation writes, which connects them.
    """
    network = observed.get_network(site.build_network_id(spoke.virtual_network))
    checks = [
        conditions.check_network_read(observed, site.build_network_id(spoke.virtual_network)),
        conditions.check_no_own_gateway(network, spoke.name),
        *find_in_progress(site, observed, spoke),
        conditions.check_network_at_rest(network, spoke.name),
    ]
    checks += check_tables(site, observed, target, spoke)
    peerings = [observed.get_peering(id_) for id_ in site.list_peering_ids(spoke)]
    checks += [conditions.check_peering_complete(peering) for peering in peerings if peering]
    pair = _build_peering_ids(site, spoke, ROLE_OF_PATH[target])
    if not {id_.lower() for id_ in pair} & {id_.lower() for id_ in written}:
        checks += [
            conditions.check_peering_connected(observed.get_peering(id_), get_last_name(id_))
            for id_ in pair
        ]
    return (condition for condition in checks if condition.status is not ConditionStatus.HOLDS)


def _build_peering_ids(site: Site, spoke: Spoke, role: Role) -> tuple[str, str]:
    """Return the ids of a spoke's peerings with a hub: the hub's side, the spoke's."""
    return (
        site.build_peering_id(site.get_hub(role).virtual_network, spoke.get_inward(role).name),
        site.build_peering_id(spoke.virtual_network, spoke.get_outward(role).name),
    )


def find_in_progress(site: Site, observed: SiteSnapshot, spoke: Spoke) -> list[Condition]:
    """Return what another operation is changing of a spoke: UNKNOWN until that has ended.

    A GET shows the flags of a write as soon as that is accepted, before they are in force and
    although it may yet fail (seen of a failed operation: the flags stay, with state Failed).
    """
    return _find_in_progress(observed, site.build_network_id(spoke.virtual_network))


def find_hubs_in_progress(site: Site, observed: SiteSnapshot) -> list[Condition]:
    """Return what another operation is changing of the hubs: a plan waits for its end."""
    names = [site.get_hub(role).virtual_network for role in Role]
    return [
        condition
        for name in names
        for condition in _find_in_progress(observed, site.build_network_id(name))
    ]


def _find_in_progress(observed: SiteSnapshot, network_id: str) -> list[Condition]:
    network = observed.get_network(network_id)
    if network is None:
        return []
    states = {peering.name: peering.provisioning_state for peering in network.peerings}
    states[network.name] = network.provisioning_state
    remedy = "Wait until the operation in progress has ended."
    return [
        Condition(IN_PROGRESS, ConditionStatus.UNKNOWN, f"{name} is {state}", remedy)
        for name, state in states.items()
        if state in UNDER_WAY
    ]


def check_hold_time(
    site: Site, observed: SiteSnapshot, count: HoldTimeCount, session: SessionUptime
) -> Condition:
    """Before a switch back: the primary has been healthy for the site's hold time.

    Args:
        site: the site.
        observed: with the primary's gateway.
        count: how long every remote prefix has been seen; not used for a VPN gateway.
        session: the longest session with the customer edge; not used for a VPN gateway.
    """
    gateway, prefixes = observed.gateways.get(Role.PRIMARY), site.remote_prefixes
    hold_s = site.timing.failback_hold_time_s
    if gateway is not None and gateway.type != EXPRESSROUTE:
        return conditions.check_gateway_healthy_for(gateway, Role.PRIMARY, prefixes, hold_s)
    learned = conditions.check_gateway_learned(gateway, Role.PRIMARY, prefixes)
    return check_expressroute(gateway, learned, count, session, hold_s)


def check_gate(
    site: Site, observed: SiteSnapshot, target: Path, spoke: Spoke
) -> Iterator[Condition]:
    """Yield what is read again immediately before the break of a spoke, and must hold."""
    role = ROLE_OF_PATH[target]
    yield from _check_readiness(site, observed, role)
    for network in (site.get_hub(role).virtual_network, spoke.virtual_network):
        virtual_network = observed.get_network(site.build_network_id(network))
        yield conditions.check_network_at_rest(virtual_network, get_last_name(network))
    for id_ in _build_peering_ids(site, spoke, role):
        yield conditions.check_peering_connected(observed.get_peering(id_), get_last_name(id_))
    yield from check_tables(site, observed, target, spoke)
    yield from check_forwarded(site, observed, target, spoke)


def find_out_of_sync(
    site: Site, observed: SiteSnapshot, role: Role, spoke: Spoke
) -> list[Condition]:
    """Return which of a spoke's peerings with a hub lack prefixes of the other side: a warning."""
    rows = (observed.get_peering(id_) for id_ in _build_peering_ids(site, spoke, role))
    return [
        conditions.check_peering_in_sync(peering)
        for peering in rows
        if peering is not None and peering.needs_sync and peering.state == conditions.CONNECTED
    ]


def list_prefixes_in_force(
    site: Site, observed: SiteSnapshot, role: Role, spoke: Spoke
) -> tuple[IPv4Network, ...]:
    """Return the spoke's prefixes that a hub knows: without those that its peering lacks."""
    network = observed.get_network(site.build_network_id(spoke.virtual_network))
    inward: Peering | None = observed.get_peering(_build_peering_ids(site, spoke, role)[0])
    lacking = inward.unknown_space if inward is not None and inward.needs_sync else ()
    return tuple(
        prefix
        for prefix in (network.address_space if network else ())
        if str(prefix) not in lacking
    )


def keep_own_peerings(site: Site, observed: SiteSnapshot, spoke: Spoke) -> SiteSnapshot:
    """Return what a gate rested on without the peerings of other spokes.

    ``check_outcome`` needs no others. A hub has hundreds of them, and a switch keeps one reading
    for every spoke.
    """
    own = site.build_network_id(spoke.virtual_network).lower()
    networks = {
        key: network
        if key == own
        else replace(
            network,
            peerings=tuple(
                peering
                for peering in network.peerings
                if peering.remote_virtual_network.lower() == own
            ),
        )
        for key, network in observed.networks.items()
    }
    return replace(observed, networks=networks)


def check_outcome(
    site: Site, observed: SiteSnapshot, target: Path, spoke: Spoke
) -> tuple[Condition, Condition]:
    """Return what must show after a switch: only the target originates the spoke.

    Both peerings have been written by then, so their flags are in force.
    """
    arriving, leaving = ROLE_OF_PATH[target], ROLE_OF_PATH[target.other]
    network = observed.get_network(site.build_network_id(spoke.virtual_network))
    prefixes = network.address_space if network else ()
    in_force = list_prefixes_in_force(site, observed, arriving, spoke)
    if not prefixes:
        unread = Condition(
            "spoke_was_read", ConditionStatus.UNKNOWN, f"{spoke.name} could not be read"
        )
        return unread, unread
    return (
        summaries.check_spoke_originated(
            site, observed, observed.gateways.get(arriving), arriving, in_force, in_force=True
        ),
        conditions.check_not_originated(observed.gateways.get(leaving), leaving, prefixes),
    )
