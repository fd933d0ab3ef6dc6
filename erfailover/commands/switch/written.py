"""Read again what a run has written, and raise unless it is as written. Never writes."""

from __future__ import annotations

from collections.abc import Iterable

from erfailover.azure import peerings
from erfailover.azure.readers.cache import ReadingCache
from erfailover.errors import UnknownReading, VerificationFailed
from erfailover.model.counting import join_names
from erfailover.model.observed import SiteSnapshot
from erfailover.model.plan import NextHopWrites, SwitchStep
from erfailover.model.resource_ids import get_network_id
from erfailover.model.site import Site
from erfailover.runtime.clock import Clock


def insist_on_written(
    clock: Clock, readings: ReadingCache, site: Site, steps: Iterable[SwitchStep]
) -> None:
    """Read until every peering and route is as its last write said: a reading may be stale.

    Raises:
        UnknownReading: it could not be read again.
        VerificationFailed: it is not as written.
    """
    last = {step.write.resource_id: step for step in steps}
    owners = {step.id: _find_network(site, step) for step in last.values()}
    switch_steps = list(last.values())
    deadline = clock.now() + peerings.STALE_S
    while switch_steps:
        networks = list(dict.fromkeys(owners[step.id] for step in switch_steps))
        observed = readings.observe(networks)
        unread = {network for network in networks if observed.get_network(network) is None}
        switch_steps = [step for step in switch_steps if not _is_as_written(observed, step)]
        if not switch_steps:
            return
        if clock.now() >= deadline:
            switch_steps = [step for step in switch_steps if owners[step.id] not in unread]
            if not switch_steps:
                why = join_names(observed.unknown.values(), comma="; ")
                raise UnknownReading(
                    f"Azure accepted all changes, but they could not be read back: {why}",
                    "Check the result: erfailover status",
                )
            routed = any(isinstance(step.write, NextHopWrites) for step in switch_steps)
            what = "flags or routes" if routed else "flags"
            raise VerificationFailed(
                f"{join_names(step.write.name for step in switch_steps)}: Azure accepted the "
                f"change, but the {what} are not the ones written",
                "Another client may have changed this. Check, then run the command again.",
            )
        clock.sleep(3.0)


def _find_network(site: Site, step: SwitchStep) -> str:
    """Return the id of the VNet whose reading shows what a step has written."""
    if not isinstance(step.write, NextHopWrites):
        return get_network_id(step.write.peering_id)
    spoke = next(spoke for spoke in site.spokes if spoke.name == step.spoke)
    return site.build_network_id(spoke.virtual_network)


def _is_as_written(observed: SiteSnapshot, step: SwitchStep) -> bool:
    if isinstance(step.write, NextHopWrites):
        tables = {id_: observed.get_route_table(id_).value for id_ in step.write.tables}
        return all(
            (table := tables.get(write.table_id)) is not None
            and table.get_route(write.name) == write.after
            for write in step.write.routes
        )
    peering = observed.get_peering(step.write.peering_id)
    return peering.flags == step.write.after if peering else step.write.after is None
