"""Watches the gateways' tables while a switch runs, and notes when each spoke shows in them.

A gateway's table is read once for all spokes. Changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from erfailover.azure.client.polling import TABLES, PollSchedule, poll_while_needed
from erfailover.azure.readers.cache import ReadingCache
from erfailover.errors import AzureFailure
from erfailover.model.conditions import Condition, ConditionStatus
from erfailover.model.durations import LEARNING_S
from erfailover.model.observed import Gateway, SiteSnapshot
from erfailover.model.site import ROLE_OF_PATH, Path, Role, Site
from erfailover.planning.switch import gates
from erfailover.runtime.clock import Clock, start

BUSY_PAUSE_S = 20.0
"""Between readings while spokes are still switched: they cost tokens of the same bucket."""
PAUSE_S = 1.0
"""The least time from the start of a reading to the next."""
FEW = 10
"""Up to this many spokes, several readings overlap."""
ARRIVING_LEADS_S, LEAVING_LEADS_S = (5.0, 1.0, 0.8, 0.5, 0.2, 0.0), (1.0, 0.0)
"""How long before a spoke can show readings begin, in seconds. What counts is when a reading ends,
and that cannot be foreseen: 10 % take 1 s, half take 5 s or more, 10 % take 9 s (recorded). With
few spokes several overlap, so that one of them ends soon; with many, the first is repeated. The hub
being left learns first, by the make's duration."""
LONE_POLL_S = 2.0
FIRST_POLL_S, POLLS_S = 0.6, 0.25
"""When the first of the overlapping readings is polled after a spoke can show, and how long after
that the next one, in turn. In 3,000 drawn sets of readings, one showed it after 1.6 s and twelve
requests on average; nine requests would take 0.7 s longer."""


@dataclass(frozen=True, slots=True)
class PollTurn:
    """The turn of one of several overlapping readings."""

    place: int
    of: int

    def schedule_polls(self, due_s: float) -> PollSchedule:
        """Return when to poll a reading, from ``due_s`` seconds on if it is alone."""
        if self.of == 1:
            return replace(TABLES, first_s=max(due_s, LONE_POLL_S))
        round_s = POLLS_S * self.of
        first_s = max(due_s + FIRST_POLL_S + POLLS_S * self.place, round_s)
        return PollSchedule(first_s, share=0.0, pause_s=round_s)


@dataclass
class RouteWatch:
    """What the tables have shown so far.

    Attributes:
        snapshot: what was observed when the switch was planned; its VNets' prefixes are looked for.
        at_gate: what was observed at the gates of spokes, which comes after their peerings' sync.
        arrived_s: when each spoke showed at the arriving hub, in seconds of the clock.
    """

    readings: ReadingCache
    site: Site
    target: Path
    clock: Clock
    snapshot: SiteSnapshot
    at_gate: Mapping[str, SiteSnapshot] = field(default_factory=dict)
    arrived_s: dict[str, float] = field(default_factory=dict)
    _broken_s: dict[str, float] = field(default_factory=dict)
    _pending: dict[Role, dict[str, float]] = field(default_factory=lambda: {r: {} for r in Role})
    _conditions: dict[Role, dict[str, Condition]] = field(
        default_factory=lambda: {r: {} for r in Role}
    )
    _writing: bool = True
    _over: bool = False

    def __post_init__(self) -> None:
        self._arriving = ROLE_OF_PATH[self.target]
        self._spokes = {spoke.name: spoke for spoke in self.site.spokes}

    def begin(self) -> None:
        """Start reading in the background."""
        for role in Role:
            leads_s: tuple[float, ...] = (
                ARRIVING_LEADS_S if role is self._arriving else LEAVING_LEADS_S
            )
            if len(self._spokes) > FEW:
                leads_s = leads_s[:1]
            for turn, lead_s in enumerate(leads_s):
                follow = partial(self._follow, role, lead_s, PollTurn(turn, len(leads_s)))
                start(self.clock, follow, f"watch the {role} hub")

    def note_broken(self, spoke: str) -> None:
        """Note that a spoke was taken off the hub being left, whose gateway learns it from now."""
        self._broken_s[spoke] = self.clock.now()

    def expect(self, spokes: Iterable[str], *, moved: bool = False) -> None:
        """Expect the switch of these spokes to show from now on.

        Args:
            spokes: their names.
            moved: whether they were put on their target just now, so that BGP has yet to learn it.
        """
        now = self.clock.now()
        for name in spokes:
            for role, pending in self._pending.items():
                since_s = now if role is self._arriving else self._broken_s.get(name, now)
                pending[name] = since_s + LEARNING_S if moved else now
        self.clock.notify()

    def is_idle(self) -> bool:
        """Whether everything that is expected shows."""
        return not any(self._pending.values())

    def hurry(self) -> None:
        """No spoke is left to switch: read as often as one can."""
        self._writing = False
        self.clock.notify()

    def end(self) -> None:
        """Stop reading."""
        self._over = True
        self.clock.notify()

    def get_conditions(self, spoke: str) -> tuple[Condition, Condition]:
        """Return the tables' conditions on a spoke: the arriving hub's, then the leaving hub's."""
        unread = Condition(
            "spoke_was_read",
            ConditionStatus.FAILS,
            f"no gateway table has been read yet for {spoke}",
        )
        leaving = ROLE_OF_PATH[self.target.other]
        first, second = self._conditions[self._arriving], self._conditions[leaving]
        return first.get(spoke, unread), second.get(spoke, unread)

    def _follow(self, role: Role, lead_s: float, turn: PollTurn) -> None:
        pending = self._pending[role]
        while not self._over:
            if not pending:
                self.clock.wait_for(lambda: self._over or bool(pending), 3600.0)
                continue
            began_s, due_s = self.clock.now(), self._compute_due_s(role)
            if began_s < due_s - lead_s:
                self._wait_until(due_s - lead_s)
                continue
            self._read(
                role, list(pending), turn.schedule_polls(self._compute_shown_s(role) - began_s)
            )
            self._pause(began_s)

    def _compute_due_s(self, role: Role) -> float:
        """Return when a reading may show the next spoke, or at last all of them."""
        due = list(self._pending[role].values())
        return min(due) if self._writing else max(due)

    def _compute_shown_s(self, role: Role) -> float:
        """Return when a reading of a hub is needed: the leaving one's with the arriving one's."""
        return max(self._compute_due_s(of) for of in {role, self._arriving} if self._pending[of])

    def _wait_until(self, due_s: float) -> None:
        writing, pending = self._writing, {role: len(row) for role, row in self._pending.items()}

        def is_another() -> bool:
            now = {role: len(row) for role, row in self._pending.items()}
            return self._over or self._writing is not writing or now != pending

        self.clock.wait_for(is_another, due_s - self.clock.now())

    def _can_summarize(self) -> bool:
        """Whether the arriving hub may advertise a spoke by a summary alone."""
        hub = self.site.build_network_id(self.site.get_hub(self._arriving).virtual_network)
        network = self.snapshot.get_network(hub)
        return bool(network and network.summarized)

    def _rival(self) -> dict[Role, Gateway]:
        """Return the gateway of the hub that was left, with what it advertises, if it answers."""
        leaving = ROLE_OF_PATH[self.target.other]
        try:
            gateway = self.readings.read_advertised(leaving)
        except AzureFailure:
            return {}
        return {leaving: gateway} if gateway else {}

    def _pause(self, began_s: float) -> None:
        writing = self._writing
        pause_s = began_s + PAUSE_S - self.clock.now()
        if writing and len(self._spokes) > FEW:
            pause_s = BUSY_PAUSE_S
        if pause_s > 0:
            self.clock.wait_for(lambda: self._over or self._writing is not writing, pause_s)

    def _read(self, role: Role, expected: Iterable[str], polls: PollSchedule) -> None:
        try:
            with poll_while_needed(lambda: not self._over and bool(self._pending[role])):
                gateway = self.readings.read_routes(role, polls)
        except AzureFailure:
            gateway = None
        arriving = role is self._arriving
        gateways = {role: gateway} if gateway else {}
        if arriving and gateway and self._can_summarize():
            gateways |= self._rival()
        for name in expected:
            if name not in self._pending[role]:
                continue  # another reading has shown it meanwhile
            snapshot = self.at_gate.get(name, self.snapshot)
            observed = replace(snapshot, gateways=gateways)
            pair = gates.check_outcome(self.site, observed, self.target, self._spokes[name])
            condition = pair[0] if arriving else pair[1]
            self._conditions[role][name] = condition
            if condition.status is ConditionStatus.HOLDS:
                self._pending[role].pop(name, None)
                if arriving:
                    self.arrived_s.setdefault(name, self.clock.now())
        self.clock.notify()
