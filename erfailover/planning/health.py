"""Which path each spoke is on, whether it works, whether the other is ready. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from erfailover.model.circuits import Circuits, check_circuits
from erfailover.model.conditions import Condition, ConditionStatus
from erfailover.model.observed import Peering, SiteSnapshot
from erfailover.model.plan import StepKind, SwitchPlan
from erfailover.model.site import PATH_OF_ROLE, ROLE_OF_PATH, Path, Role, Site, Spoke
from erfailover.planning import coexistence, conditions, summaries
from erfailover.planning.coexistence import check_any, check_hub_learned
from erfailover.planning.next_hops.conditions import check_next_hops
from erfailover.planning.switch import gates, procedure
from erfailover.planning.switch.hold_time import describe_basis

HEALTHY = {ConditionStatus.HOLDS: True, ConditionStatus.FAILS: False, ConditionStatus.UNKNOWN: None}


@dataclass(frozen=True, slots=True)
class SpokeHealth:
    """The verdict on one spoke.

    Attributes:
        path: ``expressroute``, ``ipsec``, ``none`` or ``unknown``.
        healthy: whether that path works; None if it is not known.
        conditions: what the verdict is based on.
        prestaged: whether the peerings with the backup hub exist and are ready: a switch to IPsec
            then changes only two of the spoke's peerings.
    """

    name: str
    path: str
    healthy: bool | None
    conditions: tuple[Condition, ...]
    prestaged: bool = False

    @property
    def reasons(self) -> tuple[str, ...]:
        """What does not hold, in words; if all holds, what was seen."""
        bad = tuple(
            condition.message
            for condition in self.conditions
            if condition.status is not ConditionStatus.HOLDS
        )
        return bad or tuple(condition.message for condition in self.conditions)


@dataclass(frozen=True, slots=True)
class Health:
    """The verdict on a site.

    Attributes:
        path: ``expressroute``, ``ipsec``, ``none``, ``mixed`` or ``unknown``.
        ready: whether the other path could take over every spoke; None if the spokes whose path
            is known are not all on the same path.
        readiness: what a switch to the other path requires of the site.
        warnings: what works, but not as it should: a degraded gateway, a circuit's state. They
            change no verdict.
        other: the path that could take over; None as for ``ready``.
        left_out: the spokes that a switch to it would leave out, and why.
        hold_time: the basis of the hold time of a switch back; empty if the site is not on IPsec.
    """

    path: str
    healthy: bool | None
    spokes: tuple[SpokeHealth, ...]
    ready: ConditionStatus | None
    readiness: tuple[Condition, ...]
    warnings: tuple[str, ...] = ()
    other: Path | None = None
    left_out: Mapping[str, Condition] = field(default_factory=dict)
    hold_time: str = ""


def judge(
    site: Site, observed: SiteSnapshot, circuits: Mapping[Role, Circuits] | None = None
) -> Health:
    """Return the verdict on a site.

    Args:
        site: what there should be.
        observed: the site as it was read.
        circuits: what the gateways hang on, if that was read; it gives warnings only.
    """
    spokes = tuple(_judge_spoke(site, observed, spoke) for spoke in site.spokes)
    paths = {spoke.path for spoke in spokes}
    path = paths.pop() if len(paths) == 1 else "unknown" if "unknown" in paths else "mixed"
    states = {spoke.healthy for spoke in spokes}
    healthy = False if False in states else None if None in states else True
    warnings = (
        *_list_warnings(observed, circuits or {}),
        *coexistence.list_warnings(site, observed),
        *_list_out_of_sync(site, observed, spokes),
    )
    lines = [name for name in {spoke.path for spoke in spokes} if name != "unknown"]
    if len(lines) != 1 or lines[0] not in tuple(Path):
        return Health(path, healthy, spokes, None, (), warnings)
    plan = procedure.plan(site, observed, Path(lines[0]).other)
    readiness = (*plan.guards, *plan.left_out.values())
    primary = observed.gateways.get(Role.PRIMARY)
    back = plan.target is Path.EXPRESSROUTE and primary is not None
    return Health(
        path,
        healthy,
        spokes,
        conditions.combine_verdicts(readiness),
        plan.guards,
        warnings,
        plan.target,
        plan.left_out,
        describe_basis(site, primary.type) if back and primary else "",
    )


def _list_warnings(observed: SiteSnapshot, circuits: Mapping[Role, Circuits]) -> Iterator[str]:
    for role, gateway in observed.gateways.items():
        alive = conditions.check_gateway_connected(gateway, role)
        whole = conditions.check_all_peers_connected(gateway, role)
        if alive.status is ConditionStatus.HOLDS and whole.status is ConditionStatus.FAILS:
            yield whole.message
    for circuit in circuits.values():
        for condition in check_circuits(circuit):
            if condition.status is ConditionStatus.FAILS:
                yield condition.message


def _list_out_of_sync(
    site: Site, observed: SiteSnapshot, spokes: Iterable[SpokeHealth]
) -> Iterator[str]:
    """Yield what the path in use does not carry because a peering of it is out of sync."""
    paths = {spoke_health.name: spoke_health.path for spoke_health in spokes}
    for spoke in site.spokes:
        if (path := paths[spoke.name]) in tuple(Path):
            for condition in gates.find_out_of_sync(
                site, observed, ROLE_OF_PATH[Path(path)], spoke
            ):
                yield f"{condition.message}. To sync it: {condition.remedy}"


def find_leaving_healthy(site: Site, observed: SiteSnapshot, plan: SwitchPlan) -> tuple[str, ...]:
    """Return the names of the spokes that a switch takes off a path that works.

    Args:
        site: the site.
        observed: what was read, the gateway of the hub being left included. Without it, no path
            is known to work.
        plan: the switch.
    """
    broken = {step.spoke for step in plan.writes if step.kind is StepKind.BREAK}
    health = [_judge_spoke(site, observed, spoke) for spoke in site.spokes if spoke.name in broken]
    return tuple(
        spoke.name for spoke in health if spoke.healthy and spoke.path == plan.target.other
    )


def find_tied_groups(
    site: Site, observed: SiteSnapshot, plan: SwitchPlan
) -> tuple[tuple[str, ...], ...]:
    """Return the spokes that share tables and of which one is on a path that works.

    The arguments are those of ``find_leaving_healthy``.
    """
    names = {name for group in plan.sharing for name in group}
    health = [_judge_spoke(site, observed, spoke) for spoke in site.spokes if spoke.name in names]
    works = {spoke.name for spoke in health if spoke.healthy and spoke.path == plan.target.other}
    return tuple(group for group in plan.sharing if works.intersection(group))


def find_path(site: Site, observed: SiteSnapshot, spoke: Spoke) -> str:
    """Return the path a spoke is on: whose gateway its peerings use."""
    used = []
    if observed.get_network(site.build_network_id(spoke.virtual_network)) is None:
        return "unknown"
    for path, role in ROLE_OF_PATH.items():
        peering = observed.get_peering(
            site.build_peering_id(spoke.virtual_network, spoke.get_outward(role).name)
        )
        if peering is not None and peering.flags.use_remote_gateways:
            used.append(path)
    return used[0] if used else "none"


def _judge_spoke(site: Site, observed: SiteSnapshot, spoke: Spoke) -> SpokeHealth:
    path = find_path(site, observed, spoke)
    network = observed.get_network(site.build_network_id(spoke.virtual_network))
    if path == "unknown" or network is None:
        key = site.build_network_id(spoke.virtual_network).lower()
        why = observed.unknown.get(key, f"{spoke.name} could not be read")
        return SpokeHealth(
            spoke.name,
            "unknown",
            None,
            (Condition("spoke_was_read", ConditionStatus.UNKNOWN, why),),
        )
    if path == "none":
        condition = Condition(
            "spoke_uses_a_remote_gateway",
            ConditionStatus.FAILS,
            f"no peering of {spoke.name} uses remote gateways",
        )
        return SpokeHealth(spoke.name, "none", False, (condition,))
    role = ROLE_OF_PATH[Path(path)]
    checks = tuple(_check_path(site, observed, spoke, role))
    healthy = HEALTHY[conditions.combine_verdicts(checks)]
    return SpokeHealth(spoke.name, path, healthy, checks, is_prestaged(site, observed, spoke))


def is_made_by_a_switch(peering: Peering | None, other: Peering | None) -> bool:
    """Whether a switch to IPsec makes or completes one side of a backup peering.

    Args:
        peering: that side; None if it does not exist.
        other: the side that the peered VNet owns.
    """
    return peering is None or (peering.state == "Initiated" and other is None)


def is_prestaged(site: Site, observed: SiteSnapshot, spoke: Spoke) -> bool:
    """Whether a switch of the spoke to IPsec has nothing to prepare."""
    inward = observed.get_peering(
        site.build_peering_id(site.backup.virtual_network, spoke.backup_to_spoke.name)
    )
    outward = observed.get_peering(
        site.build_peering_id(spoke.virtual_network, spoke.spoke_to_backup.name)
    )
    return (
        inward is not None
        and outward is not None
        and inward.flags.allow_gateway_transit
        and all(
            peering.sound and peering.state == conditions.CONNECTED for peering in (inward, outward)
        )
        and not (inward.needs_sync or outward.needs_sync)
    )


def _check_path(site: Site, observed: SiteSnapshot, spoke: Spoke, role: Role) -> list[Condition]:
    gateways = observed.list_gateways(role)
    peering = observed.get_peering(
        site.build_peering_id(spoke.virtual_network, spoke.get_outward(role).name)
    )
    prefixes = gates.list_prefixes_in_force(site, observed, role, spoke)
    in_force = summaries.has_gateway_transit(site, observed, spoke, role)
    next_hops = check_next_hops(site, observed, PATH_OF_ROLE[role], spoke)
    return [
        check_any(gateways, lambda gateway: conditions.check_gateway_connected(gateway, role)),
        check_hub_learned(gateways, role, site.remote_prefixes),
        check_any(
            gateways,
            lambda item: summaries.check_spoke_originated(
                site, observed, item, role, prefixes, in_force=in_force
            ),
        ),
        conditions.check_peering_connected(peering, spoke.get_outward(role).name),
        *([next_hops] if next_hops is not None else []),
    ]
