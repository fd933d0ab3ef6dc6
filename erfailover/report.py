"""Status, plans and reports as text and as plain data. Pure: nothing here reads or prints."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from io import StringIO
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from erfailover.health import Health
from erfailover.model import (
    Change,
    Claim,
    Gateway,
    Observed,
    Peering,
    PeeringWrite,
    Purpose,
    SwitchPlan,
    SwitchStep,
    Verdict,
)
from erfailover.probes import ProbeResult
from erfailover.site import Path, Site

WIDTH = 100
MARK = {Verdict.HOLDS: "ok", Verdict.FAILS: "FAILS", Verdict.UNKNOWN: "unknown"}
PATH_NAMES = {"expressroute": "ExpressRoute", "ipsec": "IPsec"}
HEALTH_WORD = {True: "healthy", False: "NOT healthy", None: "health unknown"}
FLAG_NAMES = {
    "allow_virtual_network_access": "access",
    "allow_forwarded_traffic": "forwarded traffic",
    "allow_gateway_transit": "gateway transit",
    "use_remote_gateways": "remote gateways",
}


def table(title: str, headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in plain text."""
    drawn = Table(title=title, box=box.SIMPLE, title_justify="left", pad_edge=False)
    for heading in headings:
        drawn.add_column(heading, overflow="fold")
    for row in rows:
        drawn.add_row(*("-" if cell is None else str(cell) for cell in row))
    return rendered(drawn)


def rendered(drawn: Table) -> str:
    """A table of rich, as plain text without trailing blanks."""
    out = StringIO()
    Console(file=out, width=WIDTH, color_system=None).print(drawn)
    return "\n".join(line.rstrip() for line in out.getvalue().rstrip().splitlines())


# --- status -----------------------------------------------------------------------------------


def status_data(site: Site, observed: Observed, health: Health) -> dict[str, Any]:
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
        "virtual_network": _last(peering.virtual_network),
        "remote_virtual_network": _last(peering.remote_virtual_network),
        "state": peering.state,
        "sync_level": peering.sync_level,
        **asdict(peering.flags),
    }


def status_text(site: Site, observed: Observed, health: Health) -> str:
    """A status for people: the verdict first, then what it rests on."""
    parts = [headline(health), *(f"  warning  {each}" for each in health.warnings), ""]
    for spoke in health.spokes:
        parts += [f"{spoke.name}: {_path_name(spoke.path)}, {HEALTH_WORD[spoke.healthy]}"]
        parts += [f"  {MARK[claim.verdict]:>7}  {claim.seen}" for claim in spoke.claims]
        if spoke.prestaged and spoke.path == Path.EXPRESSROUTE:
            parts.append("  prestaged: a switch to IPsec writes two peerings of this spoke")
    if health.readiness:
        parts += [f"{_path_name(Path(health.path).other)}, if switched to:"]
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
        on = "; ".join(f"{spoke.name} on {_path_name(spoke.path)}" for spoke in health.spokes)
        return f"The spokes are on different paths: {on}."
    if health.path == "unknown":
        return f"The path of {names} is unknown."
    if health.path == "none":
        return f"{names} {verb} on NO path: no remote gateway is in use."
    line = f"{names} {verb} on {_path_name(health.path)}; {HEALTH_WORD[health.healthy]}."
    other = _path_name(Path(health.path).other)
    if health.ready is Verdict.HOLDS:
        return f"{line} {other} is ready to take over."
    if health.ready is Verdict.FAILS:
        return f"{line} {other} is NOT ready."
    return f"{line} Whether {other} is ready is unknown."


def _path_name(path: str) -> str:
    return PATH_NAMES.get(path, path)


def _peering_table(site: Site, observed: Observed) -> str:
    return table(
        "Peerings",
        ("peering", "to", "state", "sync", "access", "forwarded", "transit", "remote gw"),
        [
            (
                each.name,
                _last(each.remote_virtual_network),
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


# --- plans ------------------------------------------------------------------------------------

SIGN = {Change.CREATE: "+", Change.UPDATE: "~", Change.DELETE: "-", Change.KEEP: " "}


PLANS = {
    Purpose.SWITCH: "Plan: switch {site} to {path}",
    Purpose.PRESTAGE: "Plan: prestage {site}: have the peerings with the backup hub ready",
    Purpose.UNPRESTAGE: "Plan: unprestage {site}: remove the peerings with the backup hub",
}


def plan_data(plan: SwitchPlan) -> dict[str, Any]:
    """A plan as plain data."""
    return {
        "site": plan.site,
        "purpose": str(plan.purpose),
        "to": str(plan.target),
        "guards": [_claim_data(claim) for claim in plan.guards],
        "hazards": [
            {**_claim_data(claim), "remedy": claim.remedy or None} for claim in plan.hazards
        ],
        "steps": [_step_data(step) for step in plan.steps],
    }


def _claim_data(claim: Claim) -> dict[str, Any]:
    return {"condition": claim.name, "verdict": str(claim.verdict), "seen": claim.seen}


def _step_data(step: SwitchStep) -> dict[str, Any]:
    return {
        "number": step.number,
        "spoke": step.spoke,
        "title": step.title,
        "why": step.why,
        "gated": step.gated,
        "write": _write_data(step.write),
        "contingency": [_write_data(each) for each in step.contingency],
    }


def _write_data(write: PeeringWrite) -> dict[str, Any]:
    return {
        "change": str(write.change),
        "peering": write.peering_id,
        "before": asdict(write.before) if write.before else None,
        "after": asdict(write.after) if write.after else None,
    }


def plan_text(plan: SwitchPlan) -> str:
    """A plan for people: every step in order, what it changes and why it stands there."""
    lines = [PLANS[plan.purpose].format(site=plan.site, path=_path_name(plan.target)), ""]
    lines += [f"  {MARK[claim.verdict]:>7}  {claim.seen}" for claim in plan.guards]
    lines += _hazard_lines(plan)
    lines.append("")
    gate_told = False
    for step in plan.steps:
        if step.gated and not gate_told and step.write.change is not Change.KEEP:
            gate_told = True
            lines.append("     gate: all of the above is read again and must hold")
        lines += _step_lines(step)
    writes = len(plan.writes)
    lines += ["", "Nothing to change." if not writes else f"{writes} peering(s) will be written."]
    return "\n".join(lines)


def _hazard_lines(plan: SwitchPlan) -> list[str]:
    """The hazards of a plan with their remedies; one line where there is none."""
    lines = []
    for claim in plan.hazards:
        if claim.verdict is not Verdict.HOLDS:
            lines += textwrap.wrap(
                claim.seen,
                WIDTH,
                initial_indent=f"  {MARK[claim.verdict]:>7}  ",
                subsequent_indent=" " * 13,
            )
            lines.append(f"           remedy: {claim.remedy}")
    if plan.hazards and not lines:
        lines.append(f"  {MARK[Verdict.HOLDS]:>7}  nothing else was found to hold traffic back")
    return lines


def _step_lines(step: SwitchStep) -> list[str]:
    write = step.write
    lines = [f"{SIGN[write.change]} {step.number}. {step.title}  [{write.name}]"]
    if write.change is Change.KEEP:
        lines[0] += "  (already so)"
        return lines
    lines += [f"       {each}" for each in changes(write)]
    lines += textwrap.wrap(
        f"why here: {step.why}", WIDTH - 10, initial_indent=" " * 7, subsequent_indent=" " * 9
    )
    for write in step.contingency:
        lines.append(f"       if refused: {write.name}: {'; '.join(changes(write))}")
    return lines


def changes(write: PeeringWrite) -> list[str]:
    """What a write changes, flag by flag: ``remote gateways: yes -> no``."""
    if write.after is None:
        return ["removed"]
    before = asdict(write.before) if write.before else {}
    after = asdict(write.after)
    return [
        f"{FLAG_NAMES[name]}: "
        + (f"{_yes(before[name])} -> {_yes(value)}" if before else _yes(value))
        for name, value in after.items()
        if not before or before[name] != value
    ] or ["written again, to connect it"]


def _yes(value: object) -> str:
    return "yes" if value else "no"


# --- checks -----------------------------------------------------------------------------------


def probes_data(results: Sequence[ProbeResult]) -> list[dict[str, Any]]:
    """Probe results as plain data."""
    return [{**asdict(each), "as_expected": each.as_expected} for each in results]


def probes_text(results: Sequence[ProbeResult], *, brief: bool = False) -> str:
    """Probe results for people: the verdict, then what came back.

    ``brief`` leaves out what came back where it was as expected.
    """
    lines = []
    for each in results:
        mark = "ok" if each.as_expected else "FAILS"
        lines.append(
            f"{mark:>7}  {each.name}: {each.check}: expected {_up(each.expected)}, "
            f"is {_up(each.up)}"
        )
        if not (brief and each.as_expected):
            lines += [f"           | {line}" for line in each.output.splitlines() if line.strip()]
    return "\n".join(lines)


def _up(up: bool | None) -> str:
    return {True: "up", False: "down", None: "unknown"}[up]


def _last(resource_id: str) -> str:
    return resource_id.rsplit("/", 1)[-1]
