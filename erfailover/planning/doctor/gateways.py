"""Checks of the gateways: the backup's readiness, SKUs and their dates, throughput. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from erfailover.model.conditions import Condition, ConditionStatus
from erfailover.model.counting import format_count
from erfailover.model.observed import VPN
from erfailover.model.prefix_table import format_prefixes
from erfailover.model.site import Role, Site
from erfailover.planning import conditions
from erfailover.planning.doctor import skus
from erfailover.planning.doctor.check import (
    Check,
    CheckBuilder,
    CheckName,
    Group,
    explain_unread,
    format_rate,
)
from erfailover.planning.doctor.facts import DoctorFacts, GatewayDetail


def check_backup_gateway(site: Site, facts: DoctorFacts) -> Iterator[Check]:
    """Check that the backup's gateway is at rest, has a session, and has learned the prefixes."""
    gateway = facts.observed.gateways.get(Role.BACKUP)
    group = Group.GATEWAYS
    yield CheckBuilder(CheckName.BACKUP_GATEWAY, group).report_condition(
        conditions.check_gateway_provisioned(gateway, Role.BACKUP),
        "Wait until its operation ends. If it Failed, reset the gateway or contact Azure support.",
    )
    yield CheckBuilder(CheckName.BACKUP_SESSION, group).report_condition(
        conditions.check_gateway_connected(gateway, Role.BACKUP),
        "Check the tunnel (az network vpn-connection show) and the shared key."
        if conditions.is_static(gateway)
        else "Check the tunnel (az network vpn-connection show), the shared key, and the BGP "
        "addresses and ASNs of both ends. If unknown, run doctor again: Azure sometimes returns "
        "empty lists.",
    )
    yield CheckBuilder(CheckName.BACKUP_PREFIXES, group).report_condition(
        _note_covering(
            site,
            facts,
            conditions.check_gateway_learned(gateway, Role.BACKUP, site.remote_prefixes),
        ),
        "Add them to the local network gateway's address space, or correct remote_prefixes."
        if conditions.is_static(gateway)
        else "Let the far end announce them over the tunnel, or correct remote_prefixes.",
    )


def _note_covering(site: Site, facts: DoctorFacts, condition: Condition) -> Condition:
    gateway = facts.observed.gateways.get(Role.BACKUP)
    if (
        condition.status is not ConditionStatus.HOLDS
        or gateway is None
        or conditions.is_static(gateway)
    ):
        return condition
    routes = conditions.select_learned_routes(gateway)
    covered = []
    for prefix in site.remote_prefixes:
        route = next(routes.iter_covering(prefix), None)
        if route is not None and route.network != str(prefix):
            covered.append(f"{prefix} by {route.network}")
    if not covered:
        return Condition(condition.name, condition.status, f"{condition.message} (exact match)")
    return Condition(
        condition.name,
        condition.status,
        f"{condition.message}; covered: {format_prefixes(covered)}",
    )


def check_gateway_skus(site: Site, facts: DoctorFacts) -> Iterator[Check]:
    """Neither gateway's SKU is retired: a warning, it works all the same. Both can speak BGP."""
    line = CheckBuilder(CheckName.GATEWAY_SKU, Group.GATEWAYS, required=False)
    for role in Role:
        reading = facts.gateways.get(role)
        if reading is None or reading.value is None:
            yield line.report_unknown(
                f"the {role} hub's gateway: {explain_unread(reading)}", "See above."
            )
            continue
        static = conditions.is_static(facts.observed.gateways.get(role))
        yield _check_sku(line, reading.value, facts, static=static)


def _check_sku(
    line: CheckBuilder, gateway: GatewayDetail, facts: DoctorFacts, *, static: bool
) -> Check:
    ends = skus.find_retirement(gateway.type, gateway.sku)
    message = f"{gateway.name} is {gateway.sku} ({gateway.type})"
    if not static and not skus.can_speak_bgp(gateway.type, gateway.sku):
        return line.report_failure(
            f"{message}, which does not support BGP", "Create a gateway of VpnGw1AZ or larger."
        )
    if ends is None:
        return line.report_ok(message)
    if ends.on <= facts.now.date():
        return line.report_warning(
            f"{message}, retired on {ends.on}; it works until Azure migrates it",
            f"Move it to {ends.instead}: {ends.document}",
        )
    return line.report_ok(
        f"{message}, which retires on {ends.on}; move it to {ends.instead} before then: "
        f"{ends.document}"
    )


def check_address_skus(site: Site, facts: DoctorFacts) -> Iterator[Check]:
    """No public address of a gateway is of the retired Basic SKU."""
    line = CheckBuilder(CheckName.ADDRESS_SKU, Group.GATEWAYS, required=False)
    bad, count = False, 0
    for role in Role:
        reading = facts.gateways.get(role)
        for name, sku in reading.value.addresses if reading and reading.value else ():
            count += 1
            if not sku:
                bad = True
                yield line.report_unknown(
                    f"the SKU of {name} could not be read", "See the permissions."
                )
            elif sku.lower() == "basic":
                bad = True
                ends = skus.BASIC_ADDRESS
                yield line.report_warning(
                    f"{name} is Basic, retired on {ends.on}",
                    f"Move the gateway to {ends.instead}: {ends.document}",
                )
    if not bad:
        yield line.report_ok(f"{format_count(count, 'public address')}, none Basic")


def check_throughput(site: Site, facts: DoctorFacts) -> Iterator[Check]:
    """Check that the published throughput of the backup's SKU is enough for the primary's load."""
    line = CheckBuilder(CheckName.THROUGHPUT, Group.GATEWAYS, required=False)
    reading = facts.gateways.get(Role.BACKUP)
    backup = reading.value if reading else None
    room = skus.find_capacity_bps(backup.type, backup.sku, backup.generation) if backup else None
    if backup is None or room is None:
        sku = backup.sku if backup else explain_unread(reading)
        yield line.report_unknown(
            f"the throughput of the backup gateway is unknown: {sku}", "See its SKU above."
        )
        return
    carries = (
        f"{backup.name} ({backup.sku}) carries up to {format_rate(room)}{_describe_tunnels(facts)} "
        f"(published: {skus.get_document(backup.type)})"
    )
    load = facts.load.value
    if load is None:
        yield line.report_unknown(
            f"{carries}; the primary's load is unknown: {facts.load.unknown}",
            "Compare with the primary's bandwidth in Azure Monitor, or the provider's figures.",
        )
    elif load.most_bps > room:
        yield line.report_failure(
            f"{carries}; the primary carried up to {format_rate(load.most_bps)} in {load.period}, "
            f"most recently {format_rate(load.last_bps)}",
            "A switch would drop traffic: use a larger SKU, or decide which traffic can wait.",
        )
    else:
        yield line.report_ok(
            f"{carries}; the primary carried up to {format_rate(load.most_bps)} in {load.period}"
        )


def _describe_tunnels(facts: DoctorFacts) -> str:
    """How many tunnels a VPN backup has: the published figure is an aggregate over several."""
    gateway, circuits = facts.observed.gateways.get(Role.BACKUP), facts.circuits.get(Role.BACKUP)
    if gateway is None or gateway.type != VPN or circuits is None or not circuits.connections.value:
        return ""
    count = len(circuits.connections.value) * (2 if gateway.active_active else 1)
    return f" over {count} tunnels" if count > 1 else " over several tunnels, but it has one"
