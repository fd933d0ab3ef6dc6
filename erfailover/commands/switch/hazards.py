"""Hazards in the plan of a switch: read with the first observation, shown, refused or forced.

What is one is ``hazards``' to decide. The surroundings are read once for each plan, beside the
observation, and never again: no gate rests on them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial

from erfailover.azure.client.polling import poll_in_turn
from erfailover.azure.readers import routing
from erfailover.azure.readers.cache import ReadingCache
from erfailover.commands.context import Context
from erfailover.model.conditions import Condition, ConditionStatus, Weight
from erfailover.model.observed import SiteSnapshot
from erfailover.model.plan import SwitchPlan
from erfailover.model.routing import RoutingEnvironment
from erfailover.model.site import ROLE_OF_PATH, Path
from erfailover.planning import health
from erfailover.planning.hazards.checks import add_hazards, check_hazards
from erfailover.planning.switch import gates
from erfailover.runtime.clock import start

YOUNG_S = 60.0
"""How old a VNet's reading may be: the first observation's own, made at the same time."""


@dataclass
class HazardLookup:
    """The surroundings of a site, read once beside the first observation."""

    context: Context
    target: Path
    readings: ReadingCache
    _environment: RoutingEnvironment | None = field(default=None)

    def observe(self) -> SiteSnapshot:
        """Observe the site; the first time, read its surroundings meanwhile."""
        context, leaving = self.context, ROLE_OF_PATH[self.target.other]
        if self._environment is not None:
            return self._observe_site()
        # As old as the gate accepts: only a caller that has just read them has given any.
        tables_age_s = context.site.timing.gate_reading_age_s / 2
        body = partial(self.readings.get_network_body, max_age_s=YOUNG_S)
        gateway = partial(self.readings.read_leaving_gateway, max_age_s=tables_age_s)
        read = partial(
            routing.read, context.reader, context.site, (leaving,), body, leaving, gateway
        )
        with poll_in_turn(context.clock):
            reading = start(context.clock, read, "surroundings")
            observed = self._observe_site(tables_age_s)
        while not context.clock.wait_for(reading.done, 3600.0):
            continue
        self._environment = reading.result()
        return observed

    def find_leaving_healthy(self, plan: SwitchPlan, observed: SiteSnapshot) -> tuple[str, ...]:
        """Return the spokes that a plan takes off a path that is known to work."""
        snapshot = self.add_leaving_gateway(observed)
        if ROLE_OF_PATH[self.target.other] not in snapshot.gateways:
            return ()
        return health.find_leaving_healthy(self.context.site, snapshot, plan)

    def find_tied_groups(
        self, plan: SwitchPlan, observed: SiteSnapshot
    ) -> tuple[tuple[str, ...], ...]:
        """Return the spokes that share tables and of which one is on a path that works."""
        snapshot = self.add_leaving_gateway(observed)
        if not plan.sharing or ROLE_OF_PATH[self.target.other] not in snapshot.gateways:
            return ()
        return health.find_tied_groups(self.context.site, snapshot, plan)

    def list_way_back_refusals(self, observed: SiteSnapshot) -> tuple[Condition, ...]:
        """Return what a switch back would be refused for now; empty if it would not be."""
        snapshot = self.add_leaving_gateway(observed)
        return gates.list_refusals(self.context.site, snapshot, self.target.other)

    def add_leaving_gateway(self, observed: SiteSnapshot) -> SiteSnapshot:
        """Return an observation with the gateway of the hub being left, as far as it was read."""
        gateway = self._environment.leaving_gateway.value if self._environment is not None else None
        if gateway is None:
            return observed
        return replace(observed, gateways={**observed.gateways, gateway.role: gateway})

    def _observe_site(self, gateway_age_s: float = 0.0) -> SiteSnapshot:
        names, role = self.context.site.list_network_names(), ROLE_OF_PATH[self.target]
        return self.readings.observe(names, role, gateway_age_s=gateway_age_s)

    def add_hazards(self, plan: SwitchPlan, observed: SiteSnapshot, *, pass_by: bool) -> SwitchPlan:
        """Return a plan with its hazards, without the spokes that these alone concern."""
        if self._environment is None:
            return plan
        conditions = check_hazards(self.context.site, self._environment, observed, self.target)
        return add_hazards(plan, conditions, pass_by=pass_by)


def select_blocking(plan: SwitchPlan, *, every: bool) -> tuple[Condition, ...]:
    """Return the hazards that a plan must not pass unless forced: not remarks, nor what is unknown.

    Args:
        plan: whose hazards.
        every: whether those count as well that concern one spoke: a plan that is not forced has
            left out that spoke.
    """
    return tuple(
        hazard
        for hazard in plan.hazards
        if hazard.status is ConditionStatus.FAILS
        and hazard.weight is Weight.REFUSES
        and (every or not hazard.spoke)
    )
