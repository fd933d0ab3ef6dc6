"""Observe a site and plan a switch of it; again for spokes that were left out. Never writes.

What is unknown is read again for a while before it is believed, and another client's operation
is awaited: what a GET shows meanwhile is not in force yet. Only the hubs' state makes all
spokes wait. A spoke that is busy or cannot be read is left out while others can be moved, and
planned again when these have been.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace

from erfailover.azure.readers.cache import ReadingCache
from erfailover.commands.context import Context
from erfailover.commands.switch.hazards import HazardLookup
from erfailover.commands.switch.options import PATIENCE_S, Options
from erfailover.errors import UnknownReading
from erfailover.model.conditions import Condition, ConditionStatus
from erfailover.model.counting import join_names
from erfailover.model.durations import format_duration
from erfailover.model.journal_lines import Record
from erfailover.model.observed import SiteSnapshot
from erfailover.model.plan import SwitchPlan
from erfailover.model.site import Site
from erfailover.planning.next_hops.groups import keep_together
from erfailover.planning.switch import gates, procedure
from erfailover.reporting.plan import document as plan_document
from erfailover.runtime.journal import find_created_peerings, is_prestaged

OWNER_TAG = "erfailover-site"
"""The tag that ``provision`` puts on what it makes, with the site's name."""
BUSY_PAUSE_S, UNKNOWN_PAUSE_S = 3.0, 10.0
"""The pause before the site is read again: because of an operation, and of an unknown reading."""


@dataclass
class Planner:
    """Plans one switch."""

    context: Context
    options: Options
    readings: ReadingCache
    began_s: float = field(init=False)
    _said: str = ""

    def __post_init__(self) -> None:
        self.began_s = self.context.clock.now()
        self._lookout = HazardLookup(self.context, self.options.target, self.readings)
        self._records = self.context.read_records()

    def plan(self) -> tuple[SiteSnapshot, SwitchPlan]:
        """Observe and plan the site.

        Raises:
            UnknownReading: an operation that every spoke waits for has not ended.
        """
        site, clock = self.context.site, self.context.clock
        while True:
            observed, plan = self._plan_once()
            busy, unknown = self._list_waits(observed, plan)
            patience_s = site.timing.step_deadline_s if busy else PATIENCE_S
            late = clock.now() - self.began_s >= patience_s
            all_wait = not plan.steps or gates.find_hubs_in_progress(site, observed)
            if busy and late and all_wait:
                operations = join_names(busy, comma="; ")
                raise UnknownReading(
                    f"an operation is still in progress after {format_duration(patience_s)}: "
                    f"{operations}",
                    "Nothing was changed. Wait until it has ended, then run the same command "
                    "again.",
                )
            if late or not (busy or (unknown and observed.networks)):
                return observed, plan
            self._wait(busy, unknown)

    def add_leaving_gateway(self, observed: SiteSnapshot) -> SiteSnapshot:
        """Return an observation with the gateway of the hub being left, as far as it was read."""
        return self._lookout.add_leaving_gateway(observed)

    def plan_again(self, spokes: Collection[str]) -> tuple[SiteSnapshot, SwitchPlan]:
        """Plan spokes that were left out; wait for operations on them, as long as at the start."""
        clock = self.context.clock
        while True:
            observed, plan = self._plan_once()
            steps = tuple(step for step in plan.steps if step.spoke in spokes)
            left_out = {
                name: condition for name, condition in plan.left_out.items() if name in spokes
            }
            plan = replace(plan, steps=steps, left_out=left_out)
            hubs = gates.find_hubs_in_progress(self.context.site, observed)
            busy = [
                condition.message
                for condition in (*hubs, *left_out.values())
                if _is_busy(condition)
            ]
            late = clock.now() - self.began_s >= self.context.site.timing.step_deadline_s
            if not busy or late:
                return observed, plan
            self._wait(busy, [])

    def _wait(self, busy: list[str], unknown: list[str]) -> None:
        """Say once what is waited for, and wait a while."""
        message = f"Reading again: {join_names(dict.fromkeys(busy or unknown), comma='; ')}"
        if message != self._said:
            self.context.output.print_info(message)
        self._said = message
        self.context.clock.sleep(BUSY_PAUSE_S if busy else UNKNOWN_PAUSE_S)

    def _plan_once(self) -> tuple[SiteSnapshot, SwitchPlan]:
        """Observe and plan once."""
        options = self.options
        observed = self._lookout.observe()
        site = self.context.use_names_of(observed)
        ready = is_prestaged(self._records, (spoke.name for spoke in site.spokes))
        spokes = (spoke.to_prestaged() if spoke.name in ready else spoke for spoke in site.spokes)
        planned_for = replace(site, spokes=tuple(spokes))
        own_peerings = find_own_peerings(site, observed, self._records)
        plan = procedure.plan(planned_for, observed, options.target, own_peerings)
        pass_by = options.force or options.undo
        plan = self._lookout.add_hazards(plan, observed, pass_by=pass_by)
        plan = replace(
            plan,
            remarks=self.context.remarks,
            leaves_healthy=self._lookout.find_leaving_healthy(plan, observed),
            tied=self._lookout.find_tied_groups(plan, observed),
            undoes=options.undoes,
            way_back=self._lookout.list_way_back_refusals(observed),
        )
        if options.saved is not None:
            plan = plan.drop_spokes(plan_document.read_left_out(options.saved[1]))
        if options.dry_run:
            return observed, keep_together(plan)
        by_name = {
            spoke.name: gates.find_in_progress(site, observed, spoke) for spoke in site.spokes
        }
        plan = plan.drop_spokes(
            {name: conditions[0] for name, conditions in by_name.items() if conditions}
        )
        return observed, keep_together(plan)

    def _list_waits(self, observed: SiteSnapshot, plan: SwitchPlan) -> tuple[list[str], list[str]]:
        """Return, in words, which operations to wait for, and what to read again."""
        conditions = [guard for guard in plan.guards if guard.name != "network_is_at_rest"]
        conditions += gates.find_hubs_in_progress(self.context.site, observed)
        if not plan.writes:  # nothing is held up
            conditions += plan.left_out.values()
        unknown = [
            condition for condition in conditions if condition.status is ConditionStatus.UNKNOWN
        ]
        busy = [
            condition.message
            for condition in unknown
            if _is_busy(condition) and not self.options.dry_run
        ]
        return busy, [condition.message for condition in unknown if not _is_busy(condition)]


def _is_busy(condition: Condition) -> bool:
    return condition.name == gates.IN_PROGRESS


def find_own_peerings(
    site: Site, observed: SiteSnapshot, records: Iterable[Record]
) -> frozenset[str]:
    """Return the peerings that erfailover made, by the journal or by the tags of both VNets."""
    tagged = {
        key
        for key, network in observed.networks.items()
        if network.tags.get(OWNER_TAG) == site.name
    }
    names = {
        peering.id.lower()
        for key in tagged
        for peering in observed.networks[key].peerings
        if peering.remote_virtual_network.lower() in tagged
    }
    return frozenset(names) | find_created_peerings(records)
