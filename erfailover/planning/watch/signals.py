"""What a reading says about the primary path and the backup: up, down, or unknown. Pure.

An empty table and a failed read are UNKNOWN, never DOWN (``planning.conditions``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from erfailover.model.conditions import Condition, ConditionStatus
from erfailover.model.counting import format_count, join_names
from erfailover.model.edge_sessions import DEVICE_PATHS, EdgeSessions
from erfailover.model.observed import SiteSnapshot
from erfailover.model.site import Path, Role, Site
from erfailover.model.watch import Observation, SignalStatus, SpokeState
from erfailover.planning import conditions
from erfailover.planning.coexistence import check_any, check_hub_learned
from erfailover.planning.health import Health
from erfailover.planning.probes.chosen import find_spokes
from erfailover.planning.probes.results import ProbeResult
from erfailover.planning.switch.gates import check_guards

STATUSES = {
    ConditionStatus.HOLDS: SignalStatus.UP,
    ConditionStatus.FAILS: SignalStatus.DOWN,
    ConditionStatus.UNKNOWN: SignalStatus.UNKNOWN,
}


def judge_gateway(site: Site, observed: SiteSnapshot) -> Observation:
    """Return whether the primary hub's gateways carry the remote prefixes.

    UP if a BGP session that leads out of the hub is up and every remote prefix has been learned;
    a lost redundant session is only a warning.
    """
    gateways = observed.list_gateways(Role.PRIMARY)
    gateway_id = site.build_gateway_id(site.primary.gateway).lower()
    if not gateways and gateway_id in observed.unknown:
        return Observation(SignalStatus.UNKNOWN, observed.unknown[gateway_id])
    return _combine(
        check_any(
            gateways, lambda gateway: conditions.check_gateway_connected(gateway, Role.PRIMARY)
        ),
        check_hub_learned(gateways, Role.PRIMARY, site.remote_prefixes),
    )


def judge_backup(site: Site, observed: SiteSnapshot, health: Health) -> Observation:
    """Return whether a switch to IPsec would be accepted now, and would move a spoke.

    Args:
        site: the site.
        observed: what was read, the backup hub's gateway included.
        health: the verdict on the same reading; it lists the spokes that a switch would leave out.
    """
    verdict = _combine(*check_guards(site, observed, Path.IPSEC))
    left_out = health.left_out if health.other is Path.IPSEC else {}
    if verdict.status is SignalStatus.UP and left_out and len(left_out) == len(site.spokes):
        return _combine(*left_out.values())
    return verdict


def _combine(*checks: Condition) -> Observation:
    """Return one observation; its reason is what decided it."""
    verdict = conditions.combine_verdicts(checks)
    messages = dict.fromkeys(check.message for check in checks if check.status is verdict)
    return Observation(STATUSES[verdict], "; ".join(messages))


def judge_edge(circuits: Sequence[EdgeSessions]) -> Observation:
    """Return whether a circuit's edge router has a BGP session with the customer edge.

    UP if one session is Established on one device path of one circuit. DOWN only if both device
    paths of every circuit were read, each lists the customer edge, and no session is Established:
    an edge router keeps the session of its private peering in its table while it is down (REST
    example of ListRoutesTableSummary: ``"upDown": "never", "statePfxRcd": "Idle"``).
    """
    paths = list(_judge_paths(circuits))
    statuses = {status for _, status, _ in paths}
    for status in (SignalStatus.UP, SignalStatus.UNKNOWN, SignalStatus.DOWN):
        if status in statuses:
            return Observation(status, _join(paths, status))
    return Observation(SignalStatus.UNKNOWN, "the primary gateway lists no circuit")


_PathStatus = tuple[str, SignalStatus, str]
"""A device path in words, its status, and why."""


def _join(paths: Sequence[_PathStatus], wanted: SignalStatus) -> str:
    return "; ".join(f"{where}: {why}" for where, status, why in paths if status is wanted)


def _judge_paths(circuits: Sequence[EdgeSessions]) -> Iterator[_PathStatus]:
    for circuit in circuits:
        if circuit.unknown is not None or circuit.peer_asn is None:
            why = circuit.unknown or "the ASN of the customer edge is unknown"
            yield f"circuit {circuit.circuit}", SignalStatus.UNKNOWN, why
            continue
        for path in DEVICE_PATHS:
            yield f"circuit {circuit.circuit}, {path} path", *_judge_path(circuit, path)


def _judge_path(circuit: EdgeSessions, path: str) -> tuple[SignalStatus, str]:
    reading = circuit.neighbors.get(path)
    if reading is None or reading.value is None:
        return SignalStatus.UNKNOWN, (reading and reading.unknown) or "it was not read"
    customer = f"AS {circuit.peer_asn}"
    rows = [row for row in reading.value if row.asn == circuit.peer_asn]
    if not rows:
        return SignalStatus.UNKNOWN, f"no neighbor with {customer} is listed"
    states = {row.is_established for row in rows}
    if True in states:
        return SignalStatus.UP, f"the session with {customer} is established"
    listed = ", ".join(dict.fromkeys(row.state for row in rows))
    if None in states:
        return SignalStatus.UNKNOWN, f"the state of the session with {customer} is {listed!r}"
    return SignalStatus.DOWN, f"the session with {customer} is {listed}"


def judge_probes(
    results: Sequence[ProbeResult], elsewhere: Mapping[str, str] | None = None
) -> Observation:
    """Return whether a probe of ``watch.probes`` succeeds: DOWN only if all of them failed.

    Args:
        results: of the probes.
        elsewhere: the probes that say nothing about the primary path, by name, with the reason.
    """
    if elsewhere:
        results = [result for result in results if result.name not in elsewhere]
        if not results:
            return Observation(SignalStatus.UNKNOWN, "; ".join(elsewhere.values()))
    states = {result.up for result in results}
    if True in states:
        passed = ", ".join(result.name for result in results if result.up)
        return Observation(SignalStatus.UP, f"succeeded: {passed}")
    if states == {False}:
        return Observation(SignalStatus.DOWN, _describe_probes(results, up=False))
    unknown = _describe_probes(results, up=None)
    return Observation(SignalStatus.UNKNOWN, unknown or "no probe has answered")


def find_probes_on_backup(
    site: Site,
    observed: SiteSnapshot,
    spokes: Sequence[SpokeState],
    networks: Mapping[str, str | None],
) -> dict[str, str]:
    """Return the probes that say nothing about the primary path of a split site, and why.

    Those that concern spokes on the backup path only, while other spokes are on the primary one:
    what succeeds over the backup path must not hide that the primary one has failed.

    Args:
        site: the site.
        observed: the VNets of its spokes.
        spokes: where they are.
        networks: the ids of the VNets that probes are asked from, as ``read_probe_networks``
            returns them.
    """
    moved = {spoke.name for spoke in spokes if spoke.path == Path.IPSEC}
    found = {}
    for name in site.watch.probes:
        concerned = find_spokes(site, observed, site.probes[name], networks)
        if concerned and concerned <= moved:
            found[name] = f"{name} concerns {join_names(sorted(concerned), 1)}, on {Path.IPSEC}"
    return found


def _describe_probes(results: Sequence[ProbeResult], *, up: bool | None) -> str:
    verb = "failed" if up is False else "unknown"
    parts = [
        f"{result.name} ({result.seen})" if result.seen else result.name
        for result in results
        if result.up is up
    ]
    return f"{verb}: {', '.join(parts)}" if parts else ""


def list_warnings(
    health: Health, circuits: Sequence[EdgeSessions] = (), results: Sequence[ProbeResult] = ()
) -> tuple[str, ...]:
    """Return what is wrong although traffic passes: lost redundancy, and what works only in part.

    Args:
        health: the verdict on the site. Its warnings cover the gateways of both hubs (a session or
            a tunnel that is down), the connections and circuits if they were read, and peerings
            that are out of sync.
        circuits: the edge sessions, if they are a signal.
        results: of the probes that are a signal.
    """
    return tuple(
        dict.fromkeys(
            (
                *health.warnings,
                *_list_left_out(health),
                *_list_edge_warnings(circuits),
                *_list_probe_warnings(results),
            )
        )
    )


def _list_left_out(health: Health) -> Iterator[str]:
    if health.other is Path.IPSEC and 0 < len(health.left_out) < len(health.spokes):
        for name, why in health.left_out.items():
            yield f"a switch to {Path.IPSEC} would leave out {name}: {why.message}"


def _list_edge_warnings(circuits: Sequence[EdgeSessions]) -> Iterator[str]:
    paths = list(_judge_paths(circuits))
    if any(status is SignalStatus.UP for _, status, _ in paths) and (
        down := _join(paths, SignalStatus.DOWN)
    ):
        yield f"lost redundancy: {down}"


def _list_probe_warnings(results: Sequence[ProbeResult]) -> Iterator[str]:
    failed = [result for result in results if result.up is False]
    if failed and any(result.up for result in results):
        many = f"{len(failed)} of {format_count(len(results), 'probe')}"
        yield f"{many} {_describe_probes(results, up=False)}"


def list_spoke_states(health: Health) -> tuple[SpokeState, ...]:
    """Return every spoke's path and whether it carries the spoke."""
    return tuple(SpokeState(spoke.name, spoke.path, spoke.healthy) for spoke in health.spokes)
