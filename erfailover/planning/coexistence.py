"""Hubs with an ExpressRoute gateway and a VPN gateway side by side. Pure.

A spoke that uses such a hub's remote gateways uses both, and Azure prefers ExpressRoute for a
prefix that both have; if ExpressRoute loses it, the VPN gateway takes over in less than ten seconds
without a write (published: azure-docs "Using S2S VPN as a backup for ExpressRoute private
peering"). So the hub's path is healthy if its gateways together carry every remote prefix.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from ipaddress import IPv4Network

from erfailover.model.conditions import Condition, ConditionStatus
from erfailover.model.observed import EXPRESSROUTE, Gateway, SiteSnapshot
from erfailover.model.prefix_table import format_prefixes
from erfailover.model.resource_ids import get_last_name
from erfailover.model.site import Role, Site
from erfailover.planning import conditions
from erfailover.planning.once import once_per_reading

ConditionCheck = Callable[[Gateway | None], Condition]

NATIVE = (
    "Azure fails over between the two by itself within seconds; erfailover helps only if you lose "
    "the whole hub"
)


def check_any(gateways: Sequence[Gateway], condition: ConditionCheck) -> Condition:
    """Return the first gateway's condition that holds.

    If none holds: UNKNOWN if one of them is unknown, otherwise FAILS, with what was seen of each.
    """
    checks = [condition(gateway) for gateway in gateways] or [condition(None)]
    for item in checks:
        if item.status is ConditionStatus.HOLDS:
            return item
    unknown = any(check.status is ConditionStatus.UNKNOWN for check in checks)
    verdict = ConditionStatus.UNKNOWN if unknown else ConditionStatus.FAILS
    return Condition(checks[0].name, verdict, "; ".join(check.message for check in checks))


def check_hub_learned(
    gateways: Sequence[Gateway], role: Role, prefixes: Sequence[IPv4Network]
) -> Condition:
    """Return whether the gateways of a hub have learned every prefix between them."""
    whole = check_any(
        gateways, lambda gateway: conditions.check_gateway_learned(gateway, role, prefixes)
    )
    if whole.status is ConditionStatus.HOLDS or not gateways[1:]:
        return whole
    return _check_learned_between(gateways[0], role, prefixes, *gateways[1:])


@once_per_reading
def _check_learned_between(
    first: Gateway, role: Role, prefixes: Sequence[IPv4Network], *others: Gateway
) -> Condition:
    """Return whether each prefix is learned by one of several gateways, and which are not."""

    def check_learned(prefix: IPv4Network) -> Condition:
        return check_any(
            (first, *others), lambda gateway: conditions.check_prefix_learned(gateway, role, prefix)
        )

    parts = [check_learned(prefix) for prefix in prefixes]
    missing = [part for part in parts if part.status is not ConditionStatus.HOLDS]
    message = format_prefixes((part.message for part in missing or parts), "; ")
    return Condition(parts[0].name, conditions.combine_verdicts(parts), message)


def list_warnings(site: Site, observed: SiteSnapshot) -> Iterator[str]:
    """Yield where Azure has moved prefixes to the other gateway of a hub."""
    for role, named in observed.gateways.items():
        lost = conditions.check_gateway_learned(named, role, site.remote_prefixes)
        for other in (
            observed.list_gateways(role)[1:] if lost.status is ConditionStatus.FAILS else ()
        ):
            held = check_hub_learned([named, other], role, site.remote_prefixes)
            if held.status is ConditionStatus.HOLDS:
                yield f"{lost.message}; {other.name} in the same hub has taken over: {NATIVE}"


def describe_second_gateway(
    hub: str, gateway: str, kind: str, beside: Sequence[tuple[str, str]], role: Role
) -> str:
    """Return what a second gateway in a hub means, in words.

    Args:
        hub: the name of the hub.
        gateway: the name of the gateway of the site.
        kind: its type.
        beside: the name and type of each other gateway in the hub.
        role: what the hub is to the site.
    """
    text = " and ".join(f"{name} ({type_})" for name, type_ in beside)
    message = f"{hub} has {text} beside {gateway} ({kind})"
    if role is Role.PRIMARY and EXPRESSROUTE in {kind, *(type_ for _, type_ in beside)}:
        return f"{message}: {NATIVE}"
    return (
        f"{message}: only the tunnels of {gateway} count for the backup. If both hubs use the same "
        "circuit, they lose it together"
    )


def check_coexistence(site: Site, observed: SiteSnapshot) -> Iterator[Condition]:
    """Yield what a second gateway in a hub means, and whether Azure can fail over to it."""
    name = "hub_has_one_gateway"
    for role in Role:
        hub_id = site.build_network_id(site.get_hub(role).virtual_network)
        hub, named = observed.get_network(hub_id), observed.gateways.get(role)
        if hub is None:
            hub_name = get_last_name(hub_id)
            message = f"{hub_name} could not be read: whether it has a second gateway is unknown"
            yield Condition(name, ConditionStatus.UNKNOWN, message)
            continue
        own = site.build_gateway_id(site.get_hub(role).gateway).lower()
        ids = [gateway for gateway in hub.gateways if gateway.lower() != own]
        beside = observed.beside.get(role, ())
        if len(beside) < len(ids) or (ids and named is None):
            text = ", ".join(map(get_last_name, ids))
            message = f"{hub.name} has a second gateway ({text}), which could not be read"
            yield Condition(name, ConditionStatus.UNKNOWN, message)
        elif beside and named is not None:
            pairs = [(gateway.name, gateway.type) for gateway in beside]
            message = describe_second_gateway(hub.name, named.name, named.type, pairs, role)
            if role is Role.PRIMARY:
                message += "".join(f". {item}" for item in _describe_standby(site, beside))
            yield Condition(name, ConditionStatus.HOLDS, message)


def _describe_standby(site: Site, beside: Sequence[Gateway]) -> Iterator[str]:
    """Yield whether the gateways beside the primary's could take over now."""
    for gateway in beside:
        if not gateway.has_far_end:
            yield f"{gateway.name} could not take over: it has no tunnel to the premises"
            continue
        learned = conditions.check_gateway_learned(gateway, Role.PRIMARY, site.remote_prefixes)
        could = {ConditionStatus.HOLDS: "could", ConditionStatus.FAILS: "could not"}
        text = could.get(learned.status, "may or may not be able to")
        yield f"{gateway.name} {text} take over now: {learned.message}"
