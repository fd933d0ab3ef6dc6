"""The plans of ``prestage`` and ``unprestage``: parts of the procedure of a switch. Pure."""

from __future__ import annotations

from dataclasses import replace

from erfailover.model.observed import SiteSnapshot
from erfailover.model.plan import Change, PeeringWrite, Phase, Purpose, SwitchPlan
from erfailover.model.site import Path, Site
from erfailover.planning.switch import procedure
from erfailover.planning.switch.gates import READINESS


def prestage(site: Site, observed: SiteSnapshot) -> SwitchPlan:
    """Plan the preparation of a switch: the peerings with the backup hub, ahead of time."""
    there = procedure.plan(site, observed, Path.IPSEC)
    steps = tuple(step for step in there.steps if step.phase is Phase.PREPARE)
    read = tuple(condition for condition in there.guards if condition.name not in READINESS)
    return replace(there, steps=steps, guards=read, purpose=Purpose.PRESTAGE)


def unprestage(site: Site, observed: SiteSnapshot, ours: frozenset[str]) -> SwitchPlan:
    """Plan the removal of these peerings if erfailover created them and no spoke uses them."""
    back = procedure.plan(replace(site, prestaged=False), observed, Path.EXPRESSROUTE, ours)
    used = {
        spoke.name
        for spoke in site.spokes
        if (
            peering := observed.get_peering(
                site.build_peering_id(spoke.virtual_network, spoke.spoke_to_backup.name)
            )
        )
        and peering.flags.use_remote_gateways
    }
    steps = tuple(
        step
        for step in back.steps
        if isinstance(step.write, PeeringWrite)
        and step.write.change is Change.DELETE
        and step.spoke not in used
    )
    read = tuple(condition for condition in back.guards if condition.name not in READINESS)
    return replace(back, steps=steps, guards=read, purpose=Purpose.UNPRESTAGE)
