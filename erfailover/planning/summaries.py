"""Whether a gateway carries a spoke that its hub advertises by a summary. Pure.

Published (REST specification, ``summarizedGatewayPrefixes``): a hub's summary takes the place of
the narrower prefixes of its spokes in what its gateways advertise, and stays whatever the peerings
say. So a summary proves nothing by itself: it counts if it is this hub's own, the spoke's peerings
lend and use the gateway, and the other gateway does not draw the traffic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Network

from erfailover.model.claims import Claim, Verdict
from erfailover.model.observed import Gateway, Observed
from erfailover.model.prefix_table import PrefixTable, listed, table_of
from erfailover.model.resource_ids import last_of
from erfailover.model.site import Role, Site, Spoke
from erfailover.planning.conditions import CONNECTED, gateway_originates, originated
from erfailover.planning.once import once_per_reading


def spoke_is_originated(
    site: Site,
    observed: Observed,
    gateway: Gateway | None,
    role: Role,
    prefixes: Sequence[IPv4Network],
    *,
    in_force: bool,
) -> Claim:
    """Claim that the gateway originates every prefix, or a summary of its hub does for it.

    Args:
        site: the site.
        observed: the gateways; the other hub's with what it advertises.
        gateway: the gateway that is asked.
        role: its hub.
        prefixes: of the spoke.
        in_force: whether the spoke's peerings with the hub lend and use its gateway.
    """
    other = observed.gateways.get(_other(role))
    claim = gateway_originates(gateway, role, prefixes)
    if claim.verdict is not Verdict.UNKNOWN or gateway is None or not gateway.learned_routes.value:
        return claim
    exact = originated(gateway).networks
    missing = [each for each in prefixes if str(each) not in exact]
    hub = observed.network(site.network_id(site.hub(role).virtual_network))
    summaries = [each for each in (hub.summarized if hub else ()) if str(each) in exact]
    if not all(any(each.subnet_of(whole) for whole in summaries) for each in missing):
        name = last_of(site.hub(role).virtual_network)
        return _undecided(claim, f"it is no summarizedGatewayPrefixes of {name}: a probe decides")
    if not in_force:
        return _undecided(claim, "the spoke's peerings do not use that gateway: a probe decides")
    name = last_of(site.hub(_other(role)).gateway)
    rival = _rival(other, name, missing)
    if rival:
        return _undecided(claim, rival)
    told = listed(each for each in summaries if any(p.subnet_of(each) for p in missing))
    seen = f"{gateway.name} originates {told}, its hub's summary, for {listed(missing)}"
    return Claim(claim.name, Verdict.HOLDS, f"{seen}; {name} advertises nothing over it")


def _rival(other: Gateway | None, name: str, prefixes: Sequence[IPv4Network]) -> str:
    """Return what the other gateway tells its peers over the prefixes, or why that is not known."""
    told = other.advertised if other else None
    if other is None or told is None or told.value is None:
        why = (told.unknown if told else None) or "it was not read"
        return f"what {name} advertises: {why}; getAdvertisedRoutes of {name} or a probe decides"
    advertised = _advertised(other)
    over = dict.fromkeys(each for prefix in prefixes for each in advertised.covering(prefix))
    if over:
        return f"{name} advertises {listed(sorted(over))} over it as well: a probe decides"
    return ""


@once_per_reading
def _advertised(gateway: Gateway) -> PrefixTable[IPv4Network, IPv4Network]:
    reading = gateway.advertised
    return table_of((reading.value or ()) if reading else ())


def peerings_use_gateway(site: Site, observed: Observed, spoke: Spoke, role: Role) -> bool:
    """Whether a spoke's peerings with a hub lend and use its gateway, and are in force."""
    hub = site.hub(role).virtual_network
    inward = observed.peering(site.peering_id(hub, spoke.inward(role).name))
    outward = observed.peering(site.peering_id(spoke.virtual_network, spoke.outward(role).name))
    return (
        inward is not None
        and outward is not None
        and inward.flags.allow_gateway_transit
        and outward.flags.use_remote_gateways
        and all(each.sound and each.state == CONNECTED for each in (inward, outward))
    )


def _undecided(claim: Claim, why: str) -> Claim:
    return replace(claim, seen=f"{claim.seen}; {why}")


def _other(role: Role) -> Role:
    return Role.BACKUP if role is Role.PRIMARY else Role.PRIMARY
