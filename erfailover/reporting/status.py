"""What ``status`` says, as text and as plain data. Pure."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from erfailover.health import Health
from erfailover.model import Gateway, Observed, Peering, Verdict
from erfailover.reporting.tables import MARK, last_of, path_name, table
from erfailover.site import Path, Site

HEALTH_WORD = {True: "healthy", False: "NOT healthy", None: "health unknown"}


def data(site: Site, observed: Observed, health: Health) -> dict[str, Any]:
    """A status as plain data; documented in ``docs/reference.md``."""
    return {
        "site": site.name,
        "taken_at": observed.taken_at,
        "path": health.path,
        "healthy": health.healthy,
        "ready": None if health.ready is None else _known(health.ready),
        "warnings": list(health.warnings),
        "gateways": [_gateway_data(each) for each in observed.gateways.values()],
        "peerings": [_peering_data(each, observed) for each in _peerings(site, observed)],
        "spokes": [
            {
                "name": spoke.name,
                "path": spoke.path,
                "healthy": spoke.healthy,
                "reasons": list(spoke.reasons),
                "prestaged": spoke.prestaged,
            }
            for spoke in health.spokes
        ],
        "unknown": dict(observed.unknown),
    }


def _known(verdict: Verdict) -> bool | None:
    return None if verdict is Verdict.UNKNOWN else verdict is Verdict.HOLDS


def _gateway_data(gateway: Gateway) -> dict[str, Any]:
    return {
        "name": gateway.name,
        "role": str(gateway.role),
        "type": gateway.type,
        "sku": gateway.sku,
        "active_active": gateway.active_active,
        "provisioning_state": gateway.provisioning_state,
        "peers": [asdict(each) for each in gateway.peers.value or ()],
        "learned_routes": [asdict(each) for each in gateway.learned_routes.value or ()],
        "unknown": [
            reading.unknown
            for reading in (gateway.peers, gateway.learned_routes)
            if reading.unknown
        ],
    }


def _peerings(site: Site, observed: Observed) -> list[Peering]:
    ids = [peering_id for spoke in site.spokes for peering_id in site.peering_ids(spoke)]
    return [found for found in map(observed.peering, ids) if found]


def _peering_data(peering: Peering, observed: Observed) -> dict[str, Any]:
    return {
        "id": peering.id,
        "name": peering.name,
        "virtual_network": last_of(peering.virtual_network),
        "remote_virtual_network": last_of(peering.remote_virtual_network),
        "state": peering.state,
        "sync_level": peering.sync_level,
        **asdict(peering.flags),
    }


def text(site: Site, observed: Observed, health: Health) -> str:
    """A status for people: the verdict first, then what it rests on."""
    parts = [headline(health), *(f"  warning  {each}" for each in health.warnings), ""]
    for spoke in health.spokes:
        parts += [f"{spoke.name}: {path_name(spoke.path)}, {HEALTH_WORD[spoke.healthy]}"]
        parts += [f"  {MARK[claim.verdict]:>7}  {claim.seen}" for claim in spoke.claims]
        if spoke.prestaged and spoke.path == Path.EXPRESSROUTE:
            parts.append("  prestaged: a switch to IPsec writes two peerings of this spoke")
    if health.readiness:
        parts += [f"{path_name(Path(health.path).other)}, if switched to:"]
        parts += [f"  {MARK[claim.verdict]:>7}  {claim.seen}" for claim in health.readiness]
    parts += ["", _peering_table(site, observed)]
    for gateway in observed.gateways.values():
        parts += ["", _peer_table(gateway), "", _route_table(gateway)]
    return "\n".join(parts)


def headline(health: Health) -> str:
    """The verdict in one line."""
    names = ", ".join(spoke.name for spoke in health.spokes)
    verb = "is" if len(health.spokes) == 1 else "are"
    if health.path == "mixed":
        on = "; ".join(f"{spoke.name} on {path_name(spoke.path)}" for spoke in health.spokes)
        return f"The spokes are on different paths: {on}."
    if health.path == "unknown":
        return f"The path of {names} is unknown."
    if health.path == "none":
        return f"{names} {verb} on NO path: no remote gateway is in use."
    line = f"{names} {verb} on {path_name(health.path)}; {HEALTH_WORD[health.healthy]}."
    other = path_name(Path(health.path).other)
    if health.ready is Verdict.HOLDS:
        return f"{line} {other} is ready to take over."
    if health.ready is Verdict.FAILS:
        return f"{line} {other} is NOT ready."
    return f"{line} Whether {other} is ready is unknown."


def _peering_table(site: Site, observed: Observed) -> str:
    return table(
        "Peerings",
        ("peering", "to", "state", "sync", "access", "forwarded", "transit", "remote gw"),
        [
            (
                each.name,
                last_of(each.remote_virtual_network),
                each.state,
                each.sync_level,
                *("yes" if flag else "no" for flag in asdict(each.flags).values()),
            )
            for each in _peerings(site, observed)
        ],
    )


def _peer_table(gateway: Gateway) -> str:
    title = f"{gateway.name} ({gateway.role} hub): BGP peers"
    if gateway.peers.value is None:
        return f"{title}: unknown: {gateway.peers.unknown}"
    return table(
        title,
        ("neighbor", "ASN", "state", "connected for", "routes", "sent", "received"),
        [
            (
                each.neighbor,
                each.asn,
                each.state,
                each.connected_duration,
                each.routes_received,
                each.messages_sent,
                each.messages_received,
            )
            for each in gateway.peers.value
        ],
    )


def _route_table(gateway: Gateway) -> str:
    title = f"{gateway.name} ({gateway.role} hub): learned routes"
    if gateway.learned_routes.value is None:
        return f"{title}: unknown: {gateway.learned_routes.unknown}"
    return table(
        title,
        ("network", "next hop", "source peer", "origin", "AS path", "weight"),
        [
            (
                each.network,
                each.next_hop,
                each.source_peer,
                each.origin,
                each.as_path,
                each.weight,
            )
            for each in gateway.learned_routes.value
        ],
    )
