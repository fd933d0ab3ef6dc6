"""Watches the gateways' tables while a switch runs, and notes when each spoke shows in them.

A gateway's table is read once for all spokes. Changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from erfailover.azure.readers.cache import Readings
from erfailover.errors import AzureFailure
from erfailover.model.claims import Claim, Verdict
from erfailover.model.observed import Gateway, Observed
from erfailover.model.site import ROLE_OF_PATH, Path, Role, Site
from erfailover.planning.switch import gates
from erfailover.runtime.clock import Clock, start

BUSY_PAUSE_S = 20.0
"""Between readings while spokes are still switched: they cost tokens of the same bucket."""
PAUSE_S = 1.0
FEW = 10
"""Up to so many spokes, readings come as often while they are still switched."""


@dataclass
class Watch:
    """What the tables have shown so far.

    Attributes:
        seen: what was observed when the switch was planned; its VNets' prefixes are looked for.
        at_gate: what was observed at the gates of spokes, which comes after their peerings' sync.
        arrived_s: when each spoke showed at the arriving hub, in seconds of the clock.
    """

    readings: Readings
    site: Site
    target: Path
    clock: Clock
    seen: Observed
    at_gate: Mapping[str, Observed] = field(default_factory=dict)
    arrived_s: dict[str, float] = field(default_factory=dict)
    _pending: dict[Role, set[str]] = field(default_factory=lambda: {r: set() for r in Role})
    _claims: dict[Role, dict[str, Claim]] = field(default_factory=lambda: {r: {} for r in Role})
    _writing: bool = True
    _over: bool = False

    def __post_init__(self) -> None:
        self._arriving = ROLE_OF_PATH[self.target]
        self._spokes = {spoke.name: spoke for spoke in self.site.spokes}

    def begin(self) -> None:
        """Start reading, beside what else goes on."""
        for role in Role:
            start(self.clock, partial(self._follow, role), f"watch the {role} hub")

    def expect(self, spokes: Iterable[str]) -> None:
        """From now on these spokes' switch should come to show."""
        names = list(spokes)
        for pending in self._pending.values():
            pending.update(names)
        self.clock.notify()

    def idle(self) -> bool:
        """Whether everything that is expected has come to show."""
        return not any(self._pending.values())

    def hurry(self) -> None:
        """No spoke is left to switch: read as often as one can."""
        self._writing = False
        self.clock.notify()

    def end(self) -> None:
        """Stop reading."""
        self._over = True
        self.clock.notify()

    def claims(self, spoke: str) -> tuple[Claim, Claim]:
        """Return the tables' claims on a spoke: the arriving hub's, then the leaving hub's."""
        unread = Claim("spoke_was_read", Verdict.FAILS, f"no table was read yet for {spoke}")
        leaving = ROLE_OF_PATH[self.target.other]
        first, second = self._claims[self._arriving], self._claims[leaving]
        return first.get(spoke, unread), second.get(spoke, unread)

    def _follow(self, role: Role) -> None:
        pending = self._pending[role]
        while not self._over:
            if not pending:
                self.clock.wait_for(lambda: self._over or bool(pending), 3600.0)
                continue
            self._read(role, list(pending))
            self._pause()

    def _summarizes(self) -> bool:
        """Whether the arriving hub may advertise a spoke by a summary alone."""
        hub = self.site.network_id(self.site.hub(self._arriving).virtual_network)
        found = self.seen.network(hub)
        return bool(found and found.summarized)

    def _rival(self) -> dict[Role, Gateway]:
        """Return the gateway of the hub that was left, with what it advertises, if it answers."""
        leaving = ROLE_OF_PATH[self.target.other]
        try:
            found = self.readings.advertised(leaving)
        except AzureFailure:
            return {}
        return {leaving: found} if found else {}

    def _pause(self) -> None:
        writing = self._writing
        pause_s = BUSY_PAUSE_S if writing and len(self._spokes) > FEW else PAUSE_S
        self.clock.wait_for(lambda: self._over or self._writing is not writing, pause_s)

    def _read(self, role: Role, expected: Iterable[str]) -> None:
        try:
            gateway = self.readings.routes(role)
        except AzureFailure:
            gateway = None
        arriving = role is self._arriving
        gateways = {role: gateway} if gateway else {}
        if arriving and gateway and self._summarizes():
            gateways |= self._rival()
        for name in expected:
            seen = self.at_gate.get(name, self.seen)
            observed = replace(seen, gateways=gateways)
            pair = gates.outcome(self.site, observed, self.target, self._spokes[name])
            claim = pair[0] if arriving else pair[1]
            self._claims[role][name] = claim
            if claim.verdict is Verdict.HOLDS:
                self._pending[role].discard(name)
                if arriving:
                    self.arrived_s.setdefault(name, self.clock.now())
        self.clock.notify()
