"""The probes of a site, or those that concern the spokes that ``--spoke`` chose.

Only for a part of a site is anything read for this: in which VNets the machines are.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from erfailover.azure.readers.places import read_probe_networks
from erfailover.commands.context import Context
from erfailover.commands.probes import continuous
from erfailover.model.counting import join_names
from erfailover.model.observed import SiteSnapshot
from erfailover.model.probes import LocalProbe, Probe
from erfailover.planning.probes.chosen import is_relevant

NAMED = 6
"""So many probes that are not run are named."""


def select_probes(
    context: Context, observed: SiteSnapshot, named: Collection[str] = ()
) -> dict[str, Probe]:
    """Return the probes to run; say which are not, because they concern no chosen spoke.

    Args:
        context: the invocation.
        observed: the VNets of the chosen spokes.
        named: the probes that the operator named: they are run in any case.
    """
    site = context.site
    if not site.chosen or not site.probes:
        return dict(site.probes)
    networks = read_probe_networks(context.reader, site, dict(site.probes))
    by_name = {
        name: probe
        for name, probe in site.probes.items()
        if name in named or is_relevant(site, observed, probe, networks)
    }
    if rest := [name for name in site.probes if name not in by_name]:
        context.output.print_info(
            f"Skipped, because they do not relate to the chosen spokes: {join_names(rest, NAMED)}"
        )
    return by_name


def select_continuous(
    context: Context, observed: SiteSnapshot, named: Sequence[str]
) -> dict[str, LocalProbe]:
    """Return the probes to run continuously; of a part of a site, those of its spokes.

    Raises:
        UsageFailure: a name is of no probe, or of one that cannot be run every second.
    """
    site = context.site
    probes = continuous.select_probes(site, named)
    if not site.chosen:
        return probes
    return {
        name: probe
        for name, probe in probes.items()
        if name in named or is_relevant(site, observed, probe, {})
    }
