"""The procedure of a switch: which peerings of a spoke are written, in what order, and why. Pure.

Rule 1
    Everything that decides which peerings of a spoke are written, and in what order, is in this
    module, and everything that is known about a step is in one table, ``STEPS``. Other modules look
    at a step's ``kind`` and ``phase``. Its ``number`` is for people, journals and saved plans;
    nothing compares it.

Rule 2
    Every intermediate state keeps four invariants, also if the run crashes in it:

    1. A peering between a spoke and the primary hub is never deleted, and never loses
       ``allow_virtual_network_access``: the spoke's route to the NAT next hop depends on it.
    2. At most one peering of a spoke uses remote gateways (Azure refuses a second).
    3. No write is made on an UNKNOWN reading that the step's precondition names. Readings of the
       hub being left never gate leaving it: a dead gateway does not answer.
    4. Nothing is written that the plan did not name, contingencies included.
    5. Next hops move only to the appliance of the path whose gateway is in use. No route is removed
       but those that a switch added, whose names tell.

Rule 3
    Azure is the state. A step whose peering already has the wanted flags is kept, so the plan
    after a crash is the rest of the plan before it, and a second run has nothing to write.

Theory of operation
    A spoke VNet reaches the remote site through the gateway of the hub it has chosen. Choosing
    takes two peerings: on the hub's side, *gateway transit* offers the gateway; on the spoke's
    side, *remote gateways* uses it. With two hubs a spoke has four peerings, one ``Side`` each. The
    hub the spoke moves to is *arriving*, the one it moves off *leaving*: ``switch --to ipsec``
    arrives at the backup hub, ``switch --to expressroute`` at the primary. The table is the same
    both ways.

    Azure allows one peering with remote gateways per spoke, so the spoke cannot use the new
    gateway before it stops using the old one: there is a break, then a make, and in between the
    spoke has no gateway. All the rest is arranged around keeping that time short and sure:

    - PREPARE does everything that can fail early. The arriving hub allows transit, and the
      spoke's peering to it exists with remote gateways off. None of this changes the path in use,
      so it can be done days ahead (``prestage``). It also syncs a peering that lacks a prefix of
      the other VNet; no later step does, because Azure can refuse a sync (overlapping prefixes).
    - The gate (``gates``) then reads everything again. Nothing is broken until the make is known to
      be possible.
    - SWITCH is the break and the make, two writes on the spoke's own VNet. If Azure refuses either
      or fails at it, the step's contingency puts the spoke back on the gateway it had.
      For a spoke behind a firewall (``routing`` in the site file) the next hops of its route tables
      move right after the make, all tables at once. Not before the break: the leaving hub's
      gateway then still sends the answers, by an appliance that has not seen the requests.
    - CLEANUP is off the critical path. The leaving hub withdraws transit, which Azure refuses while
      the spoke still uses it, and peerings that were made for the other path only are removed.

    After the last step the outcome is verified from the gateways' BGP tables and by probes.

    One thing to remember about timing: a write locks the VNet that owns the peering. Writes on
    spokes run side by side; writes on a hub queue. ``schedule`` orders the spokes accordingly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from itertools import groupby
from types import MappingProxyType

from erfailover.model.conditions import Condition, ConditionStatus
from erfailover.model.observed import Peering, SiteSnapshot
from erfailover.model.peering_flags import Flags
from erfailover.model.plan import (
    Change,
    NextHopWrites,
    PeeringWrite,
    Phase,
    StepKind,
    StepWrite,
    SwitchPlan,
    SwitchStep,
)
from erfailover.model.resource_ids import get_last_name, get_network_id
from erfailover.model.site import ROLE_OF_PATH, Path, Role, Site, Spoke
from erfailover.planning.conditions import check_network_read, check_no_own_gateway
from erfailover.planning.next_hops.conditions import find_unread_table
from erfailover.planning.next_hops.scene import find_sharing, list_tables
from erfailover.planning.next_hops.steps import find_table_breaches, plan_next_hops
from erfailover.planning.switch.gates import check_guards, find_obstacles


class Side(Enum):
    """Which of a spoke's four peerings a step writes."""

    ARRIVING_TO_SPOKE = "the arriving hub's peering to the spoke"
    SPOKE_TO_ARRIVING = "the spoke's peering to the arriving hub"
    SPOKE_TO_LEAVING = "the spoke's peering to the leaving hub"
    LEAVING_TO_SPOKE = "the leaving hub's peering to the spoke"
    ROUTE_TABLES = "the route tables of the spoke's subnets"


UNREAD = (
    "If the VNet was deleted, remove its spoke from the site file. If the right to read it is "
    "missing, request that right."
)
LEAVING = frozenset({Side.SPOKE_TO_LEAVING, Side.LEAVING_TO_SPOKE})


class Goal(Enum):
    """What a step makes of its peering."""

    FINAL = "the flags of the target path"
    PRESENT = "there, with remote gateways off"
    FINAL_OR_LEFT = "the flags of the target path; removed later if it has none"
    REMOVED = "removed if the site says absent and it is ours"
    ROUTED = "the next hops of the target path"


@dataclass(frozen=True)
class Rule:
    """One row of the procedure.

    Attributes:
        number: for people; journals and saved plans name a step by it.
        title: what the step does, as an imperative.
        why: why it has this place in the order.
        gated: whether the gate must hold immediately before.
        contingency: whether it is rolled back if Azure rejects it or fails at it.
    """

    kind: StepKind
    phase: Phase
    number: int
    side: Side
    goal: Goal
    title: str
    why: str
    gated: bool = False
    contingency: bool = False

    @property
    def writes_hub(self) -> bool:
        """Whether the peering belongs to a hub, whose writes queue."""
        return self.side in (Side.ARRIVING_TO_SPOKE, Side.LEAVING_TO_SPOKE)

    def format_words(self, spoke: str, arriving: str, leaving: str) -> tuple[str, str]:
        """Return the title and the reason with names, and other steps' numbers, filled in."""
        names: dict[str, object] = {"spoke": spoke, "arriving": arriving, "leaving": leaving}
        names |= {rule.kind.name: rule.number for rule in STEPS}
        return self.title.format(**names), self.why.format(**names)


STEPS = (
    Rule(
        StepKind.ALLOW_TRANSIT,
        Phase.PREPARE,
        1,
        Side.ARRIVING_TO_SPOKE,
        Goal.FINAL,
        "allow {spoke} to use the gateway in {arriving}",
        "advertises nothing until step {MAKE}, so a failure here interrupts nothing. If the "
        "peering is new, it adds routes between the two VNets and widens the VirtualNetwork tag of "
        "their security groups",
    ),
    Rule(
        StepKind.PREPARE_SPOKE,
        Phase.PREPARE,
        2,
        Side.SPOKE_TO_ARRIVING,
        Goal.PRESENT,
        "prepare the peering from {spoke} to {arriving}, remote gateways off",
        "a failure to create it here interrupts nothing",
    ),
    Rule(
        StepKind.BREAK,
        Phase.SWITCH,
        3,
        Side.SPOKE_TO_LEAVING,
        Goal.FINAL_OR_LEFT,
        "disconnect {spoke} from the gateway in {leaving}",
        "Azure rejects a second remote gateway, and {leaving} cannot turn off transit while "
        "{spoke} uses it. If Azure accepts the change and it then fails, it is rolled back",
        gated=True,
        contingency=True,
    ),
    Rule(
        StepKind.MAKE,
        Phase.SWITCH,
        4,
        Side.SPOKE_TO_ARRIVING,
        Goal.FINAL,
        "connect {spoke} to the gateway in {arriving}",
        "connects the spoke to the new gateway. If Azure rejects it, step {BREAK} is rolled back",
        contingency=True,
    ),
    Rule(
        StepKind.MOVE_NEXT_HOPS,
        Phase.SWITCH,
        9,
        Side.ROUTE_TABLES,
        Goal.ROUTED,
        "move the next hops of {spoke} to the appliance in {arriving}",
        "before step {MAKE}, answers come through the appliance in {leaving}, and an appliance "
        "drops answers to requests that it has not seen. If Azure rejects it, steps {BREAK} and "
        "{MAKE} are rolled back",
        contingency=True,
    ),
    Rule(
        StepKind.WITHDRAW_TRANSIT,
        Phase.CLEANUP,
        5,
        Side.LEAVING_TO_SPOKE,
        Goal.FINAL,
        "turn off gateway transit from {leaving} to {spoke}",
        "no spoke uses it any more; off the critical path",
    ),
    Rule(
        StepKind.REMOVE_SPOKE_PEERING,
        Phase.CLEANUP,
        6,
        Side.SPOKE_TO_LEAVING,
        Goal.REMOVED,
        "remove the peering from {spoke} to {leaving}",
        "it was only needed while on the other path",
    ),
    Rule(
        StepKind.REMOVE_HUB_PEERING,
        Phase.CLEANUP,
        7,
        Side.LEAVING_TO_SPOKE,
        Goal.REMOVED,
        "remove the peering from {leaving} to {spoke}",
        "it was only needed while on the other path",
    ),
    Rule(
        StepKind.RESTORE_SPOKE_PEERING,
        Phase.CLEANUP,
        8,
        Side.SPOKE_TO_LEAVING,
        Goal.FINAL,
        "create the peering from {spoke} to {leaving} again",
        "another client deleted it, and it carries other traffic. Azure refuses to create it while "
        "its opposite is Disconnected, so step {WITHDRAW_TRANSIT} comes first",
    ),
)
"""The procedure, in order; the docs' picture is drawn from it."""

RULES: Mapping[StepKind, Rule] = MappingProxyType({rule.kind: rule for rule in STEPS})

NUMBERED: Mapping[int, Rule] = MappingProxyType({rule.number: rule for rule in STEPS})
"""By the number in a journal. Renumbering a step mislabels it in the reports of older runs."""


def format_steps(kinds: Iterable[StepKind]) -> str:
    """Return steps as people write them: ``step 3``, ``steps 6, 7``, ``steps 1 to 5, 8``."""
    numbers = sorted({RULES[kind].number for kind in kinds})
    words: list[str] = []
    for _, run in groupby(numbers, key=lambda number: number - numbers.index(number)):
        first, *rest = run
        words += [f"{first} to {rest[-1]}"] if len(rest) > 1 else map(str, (first, *rest))
    return f"step{'s' if len(numbers) > 1 else ''} {', '.join(words)}"


def plan(
    site: Site, observed: SiteSnapshot, target: Path, ours: frozenset[str] = frozenset()
) -> SwitchPlan:
    """Return what a switch of every spoke to a path would do, from what was observed.

    Args:
        site: what there should be.
        observed: the site as it was read.
        target: the path to move to.
        ours: ids (lower case) of the peerings that erfailover made; only these are ever removed.
    """
    spokes = [spoke.to_prestaged() for spoke in site.spokes] if site.prestaged else site.spokes
    steps: list[SwitchStep] = []
    left_out: dict[str, Condition] = {}
    for spoke in spokes:
        planned = tuple(_Spoke(site, observed, target, spoke, ours).iter_steps())
        obstacle = _find_obstacle(site, observed, target, spoke, planned)
        if obstacle is not None:
            left_out[spoke.name] = replace(obstacle, spoke=spoke.name)
        else:
            steps += planned
    places = {spoke.name: (spoke.priority, n) for n, spoke in enumerate(site.spokes)}

    def rank(step: SwitchStep) -> tuple[int, ...]:
        priority, place = places[step.spoke]
        if step.phase is Phase.CLEANUP:
            return (1, place)
        return (0, priority, list(Phase).index(step.phase), place)

    steps.sort(key=rank)
    held = [*check_guards(site, observed, target), *_check_own_gateways(site, observed, left_out)]
    sharing = find_sharing(site, observed)
    return SwitchPlan(
        site.name, target, tuple(steps), tuple(held), left_out=left_out, sharing=sharing
    )


def _check_own_gateways(
    site: Site, observed: SiteSnapshot, left_out: Mapping[str, Condition]
) -> Iterator[Condition]:
    """Return for each spoke that is moved that it may use a remote gateway."""
    for spoke in site.spokes:
        network = observed.get_network(site.build_network_id(spoke.virtual_network))
        condition = check_no_own_gateway(network, spoke.name)
        if spoke.name not in left_out and condition.status is ConditionStatus.HOLDS:
            yield condition


def _find_obstacle(
    site: Site, observed: SiteSnapshot, target: Path, spoke: Spoke, steps: Sequence[SwitchStep]
) -> Condition | None:
    """Return why a spoke is left out; one that has no path any more is so only if it is unread."""
    read = check_network_read(observed, site.build_network_id(spoke.virtual_network))
    if read.status is not ConditionStatus.HOLDS:
        return replace(read, remedy=UNREAD)
    if not any(step.takes_off for step in steps):
        made = all(step.write.change is Change.KEEP for step in steps)
        return find_unread_table(site, observed, spoke) if made else None
    prepared = [step.peering for step in steps if step.phase is Phase.PREPARE]
    written = [write.peering_id for write in prepared if write.change is not Change.KEEP]
    return next(find_obstacles(site, observed, target, spoke, written), None)


class _Spoke:
    """The steps of one spoke, each decided on what the steps before it leave behind."""

    def __init__(
        self, site: Site, observed: SiteSnapshot, target: Path, spoke: Spoke, ours: frozenset[str]
    ) -> None:
        self.site, self.observed, self.target = site, observed, target
        self.spoke, self.ours = spoke, ours
        self.arriving, self.leaving = ROLE_OF_PATH[target], ROLE_OF_PATH[target.other]
        self.seen = {id_.lower(): observed.get_peering(id_) for id_ in site.list_peering_ids(spoke)}
        self._is_routed = bool(list_tables(site, observed, spoke))

    def iter_steps(self) -> Iterator[SwitchStep]:
        for rule in self._list_rules():
            if rule.kind is StepKind.MOVE_NEXT_HOPS:
                yield from self._iter_next_hops(rule)
                continue
            write = self._write(rule)
            is_kept = write.change is Change.KEEP
            if is_kept and (
                rule.goal is Goal.REMOVED or rule.kind is StepKind.RESTORE_SPOKE_PEERING
            ):
                continue
            back = self._build_rollback(rule, write) if rule.contingency and not is_kept else ()
            yield self._build_step(rule, write, back)
            if not is_kept:
                self.seen[write.peering_id.lower()] = write.to_peering()

    def _build_step(
        self, rule: Rule, write: StepWrite, contingency: tuple[StepWrite, ...]
    ) -> SwitchStep:
        roles = self.arriving, self.leaving
        hubs = [get_last_name(self.site.get_hub(role).virtual_network) for role in roles]
        words = rule.format_words(self.spoke.name, *hubs)
        return SwitchStep(
            rule.kind,
            rule.phase,
            rule.number,
            self.spoke.name,
            *words,
            write,
            rule.gated,
            contingency,
        )

    def _iter_next_hops(self, rule: Rule) -> Iterator[SwitchStep]:
        """Yield the step that moves the next hops of a spoke with a table of ``routing``."""
        write = plan_next_hops(self.site, self.observed, self.target, self.spoke)
        if write is None:
            return
        back = self._build_return() if write.routes else ()
        yield self._build_step(rule, write, (*back, write.reverse()) if back else ())

    def _build_return(self) -> tuple[PeeringWrite, ...]:
        """Return the writes that take a spoke back whose make is done."""
        made_id, arriving, final = self._locate_side(Side.SPOKE_TO_ARRIVING)
        if final is None:
            return ()
        made = PeeringWrite(Change.UPDATE, made_id, arriving, final, final)
        return self._build_rollback(RULES[StepKind.MAKE], made)

    def _list_rules(self) -> Sequence[Rule]:
        """Return the rows in order; a Disconnected peering of the spoke precedes its opposite.

        Azure refuses to create a peering whose opposite is Disconnected
        (``RemotePeeringIsDisconnected``, recorded).
        """
        peering_id, _, _ = self._locate_side(Side.SPOKE_TO_ARRIVING)
        peering = self.seen[peering_id.lower()]
        if peering is None or peering.state != "Disconnected":
            return STEPS
        return sorted(STEPS, key=lambda rule: rule.kind is not StepKind.PREPARE_SPOKE)

    def _locate_side(self, side: Side) -> tuple[str, str, Flags | None]:
        """Where a side's peering is: its id, the VNet it leads to, its flags on the target."""
        to_arriving = side in (Side.ARRIVING_TO_SPOKE, Side.SPOKE_TO_ARRIVING)
        role = self.arriving if to_arriving else self.leaving
        hub = self.site.get_hub(role).virtual_network
        if side in (Side.SPOKE_TO_ARRIVING, Side.SPOKE_TO_LEAVING):
            peering, owner, remote = self.spoke.get_outward(role), self.spoke.virtual_network, hub
        else:
            peering, owner, remote = self.spoke.get_inward(role), hub, self.spoke.virtual_network
        peering_id = self.site.build_peering_id(owner, peering.name)
        result = self.seen[peering_id.lower()]
        final = peering.get_flags(self.target, result.flags if result else None)
        return peering_id, self.site.build_network_id(remote), final

    def _write(self, rule: Rule) -> PeeringWrite:
        """Return the one write that a rule comes to, ``KEEP`` if nothing is left to do."""
        peering_id, remote, final = self._locate_side(rule.side)
        peering = self.seen[peering_id.lower()]
        after = _compute_flags(rule.goal, final, peering, peering_id.lower() in self.ours)
        if rule.kind is StepKind.PREPARE_SPOKE and self._is_routed and after and final:
            after = replace(after, allow_forwarded_traffic=final.allow_forwarded_traffic)
        if peering is None and self.leaving is Role.BACKUP and rule.side in LEAVING:
            after = None  # what is ready ahead of time is prestage's to make
        if peering is None and rule.kind is StepKind.BREAK:
            after = None  # nothing to break; a later step creates it
        change = _compute_change(
            peering, after, removed=rule.goal is Goal.REMOVED and after is None
        )
        sync = rule.phase is Phase.PREPARE and self._is_synced(peering)
        if sync and change is Change.KEEP:
            change = Change.UPDATE
        if self.observed.get_network(get_network_id(peering_id)) is None:
            change = Change.KEEP  # not read: nothing is known, so nothing is written
        before = peering.flags if peering else None
        return PeeringWrite(change, peering_id, remote, before, after, sync)

    def _is_synced(self, peering: Peering | None) -> bool:
        """Return whether a write of a peering syncs it: only while the spoke is on its path."""
        left_id, _, _ = self._locate_side(Side.SPOKE_TO_LEAVING)
        remaining = self.observed.get_peering(left_id)
        on_path = remaining is not None and remaining.flags.use_remote_gateways
        return on_path and peering is not None and peering.needs_sync

    def _build_rollback(self, rule: Rule, write: PeeringWrite) -> tuple[PeeringWrite, ...]:
        """Return the writes that roll the break back, onto the leaving hub's gateway again.

        If Azure accepted the make and then failed at it, the peering shows remote gateways
        that are not in force, and a second one is refused: so that is rolled back first.
        """
        left_id, remaining, _ = self._locate_side(Side.SPOKE_TO_LEAVING)
        lender_id, _, _ = self._locate_side(Side.LEAVING_TO_SPOKE)
        peering, lender = self.seen[left_id.lower()], self.seen[lender_id.lower()]
        first = self.observed.get_peering(left_id)
        now = first.flags if first else None
        back = self.spoke.get_outward(self.leaving).get_flags(self.target.other, now)
        if peering is None or back is None or write.after is None:
            return ()
        if lender is None or lender.failed or not lender.flags.allow_gateway_transit:
            return ()  # the leaving hub lends nothing: Azure would refuse
        if rule.side is Side.SPOKE_TO_LEAVING:
            broken = PeeringWrite(Change.UPDATE, left_id, remaining, write.after, back)
            return (broken,) if peering.flags.use_remote_gateways else ()
        unmade = replace(write, before=write.after, after=write.after.drop_remote_gateways())
        return (
            replace(unmade, change=Change.UPDATE),
            PeeringWrite(Change.UPDATE, left_id, remaining, peering.flags, back),
        )


def _compute_flags(
    goal: Goal, final: Flags | None, peering: Peering | None, ours: bool
) -> Flags | None:
    """Return the flags a rule makes of a peering; None if there is then no peering."""
    now = peering.flags if peering else None
    if goal is Goal.PRESENT:
        if peering is not None and now is not None and not peering.failed:
            return now
        return final.drop_remote_gateways() if final else now
    if goal is Goal.REMOVED:
        return None if final is None and ours else now
    if final is not None:
        return final
    if now is None:
        return None
    return now.drop_remote_gateways() if goal is Goal.FINAL_OR_LEFT else now


def _compute_change(peering: Peering | None, after: Flags | None, *, removed: bool) -> Change:
    if peering is None:
        return Change.KEEP if after is None else Change.CREATE
    if removed:
        return Change.DELETE
    if after == peering.flags and peering.state != "Disconnected" and not peering.failed:
        return Change.KEEP
    return Change.KEEP if after is None else Change.UPDATE


def find_breaches(site: Site, plan: SwitchPlan) -> list[str]:
    """Return what in a plan would break an invariant: nothing, unless there is a bug."""
    lines: list[str] = []
    names = {
        peering_id.lower()
        for spoke in site.spokes
        for peering_id in (
            site.build_peering_id(spoke.virtual_network, spoke.spoke_to_primary.name),
            site.build_peering_id(site.primary.virtual_network, spoke.primary_to_spoke.name),
        )
    }
    own = {id_.lower() for spoke in site.spokes for id_ in site.list_peering_ids(spoke)}
    tables = {site.build_route_table_id(entry.route_table).lower() for entry in site.routing}
    for step in plan.writes:
        for write in (step.write, *step.contingency):
            if isinstance(write, NextHopWrites):
                lines += find_table_breaches(write, tables)
                continue
            if write.peering_id.lower() not in own:
                lines.append(
                    f"step {step.number} writes {write.name}, which belongs to no chosen spoke"
                )
            if write.peering_id.lower() not in names:
                continue
            if write.change is Change.DELETE:
                lines.append(f"step {step.number} deletes {write.name}")
            elif write.after is None or not write.after.allow_virtual_network_access:
                lines.append(f"step {step.number} closes {write.name}")
    return lines
