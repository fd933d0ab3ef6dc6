"""Whether a gateway carries a spoke that its hub advertises in a summary. Pure.

Published (REST specification, ``summarizedGatewayPrefixes``): a hub's summary replaces the
narrower prefixes of its spokes in what its gateways advertise, and stays whatever the peerings
say. So a summary proves nothing by itself: it counts if it is this hub's own, the spoke's peerings
allow and use the gateway, and the other gateway does not attract the traffic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Network

from erfailover.model.conditions import Condition, ConditionStatus
from erfailover.model.observed import Gateway, SiteSnapshot
from erfailover.model.prefix_table import PrefixTable, build_table, format_prefixes
from erfailover.model.resource_ids import get_last_name
from erfailover.model.site import Role, Site, Spoke
from erfailover.planning.conditions import CONNECTED, check_originated, select_originated
from erfailover.planning.once import once_per_reading


def check_spoke_originated(
    site: Site,
    observed: SiteSnapshot,
    gateway: Gateway | None,
    role: Role,
    prefixes: Sequence[IPv4Network],
    *,
    in_force: bool,
) -> Condition:
    """Check that the gateway originates every prefix, or a summary of its hub does for it.

    Args:
        site: the site.
        observed: the gateways; the other hub's with what it advertises.
        gateway: the gateway that is checked.
        role: its hub.
        prefixes: of the spoke.
        in_force: whether the spoke's peerings with the hub allow and use its gateway.
    """
    other = observed.gateways.get(_get_other_role(role))
    condition = check_originated(gateway, role, prefixes)
    if (
        condition.status is not ConditionStatus.UNKNOWN
        or gateway is None
        or not gateway.learned_routes.value
    ):
        return condition
    exact = select_originated(gateway).networks
    missing = [prefix for prefix in prefixes if str(prefix) not in exact]
    hub = observed.get_network(site.build_network_id(site.get_hub(role).virtual_network))
    summaries = [prefix for prefix in (hub.summarized if hub else ()) if str(prefix) in exact]
    if not all(any(prefix.subnet_of(whole) for whole in summaries) for prefix in missing):
        name = get_last_name(site.get_hub(role).virtual_network)
        return _append_reason(
            condition, f"it is not in summarizedGatewayPrefixes of {name}, so only a probe can tell"
        )
    if not in_force:
        return _append_reason(
            condition, "the spoke's peerings do not use that gateway, so only a probe can tell"
        )
    name = get_last_name(site.get_hub(_get_other_role(role)).gateway)
    rival = _describe_rival(other, name, missing)
    if rival:
        return _append_reason(condition, rival)
    text = format_prefixes(
        summary for summary in summaries if any(p.subnet_of(summary) for p in missing)
    )
    covered = format_prefixes(missing)
    message = f"{gateway.name} originates {text}, its hub's summary, which covers {covered}"
    return Condition(
        condition.name,
        ConditionStatus.HOLDS,
        f"{message}; {name} advertises no prefix that covers it",
    )


def _describe_rival(other: Gateway | None, name: str, prefixes: Sequence[IPv4Network]) -> str:
    """Return what the other gateway advertises that covers the prefixes, or why that is unknown."""
    reading = other.advertised if other else None
    if other is None or reading is None or reading.value is None:
        why = (reading.unknown if reading else None) or "it was not read"
        return f"what {name} advertises is unknown: {why}; check getAdvertisedRoutes or use a probe"
    advertised = _build_advertised_table(other)
    over = dict.fromkeys(item for prefix in prefixes for item in advertised.iter_covering(prefix))
    if over:
        return (
            f"{name} advertises {format_prefixes(sorted(over))} as well, so only a probe can tell"
        )
    return ""


@once_per_reading
def _build_advertised_table(gateway: Gateway) -> PrefixTable[IPv4Network, IPv4Network]:
    reading = gateway.advertised
    return build_table((reading.value or ()) if reading else ())


def has_gateway_transit(site: Site, observed: SiteSnapshot, spoke: Spoke, role: Role) -> bool:
    """Whether a spoke's peerings with a hub allow and use its gateway, and are in force."""
    hub = site.get_hub(role).virtual_network
    inward = observed.get_peering(site.build_peering_id(hub, spoke.get_inward(role).name))
    outward = observed.get_peering(
        site.build_peering_id(spoke.virtual_network, spoke.get_outward(role).name)
    )
    return (
        inward is not None
        and outward is not None
        and inward.flags.allow_gateway_transit
        and outward.flags.use_remote_gateways
        and all(peering.sound and peering.state == CONNECTED for peering in (inward, outward))
    )


def _append_reason(condition: Condition, why: str) -> Condition:
    return replace(condition, message=f"{condition.message}; {why}")


def _get_other_role(role: Role) -> Role:
    return Role.BACKUP if role is Role.PRIMARY else Role.PRIMARY
