"""Find the peerings of a site by the VNets that they join. Pure.

Azure has one peering from one VNet to another, whatever its name; Terraform and the portal create
it again under another name (reported: terraform-provider-azurerm 10312). The names in the site file
are those for peerings that do not exist yet. ``resolve_names`` is applied once after each
observation, and the site it returns is used from then on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from erfailover.model.observed import Peering, SiteSnapshot, VirtualNetwork
from erfailover.model.resource_ids import canonicalize, get_last_name
from erfailover.model.site import Role, Site, SitePeering, Spoke

LONGEST_NAME = 80
"""Characters that a peering's name may have (documented)."""


@dataclass(frozen=True, slots=True)
class RenamedPeering:
    """A peering whose name differs from the one in the site file.

    Attributes:
        keys: where the site file names it.
        network: the VNet that owns it.
        remote: the VNet that it leads to.
        written: the name in the site file.
        used: the name that is used instead.
        leads_to: the VNet that the peering of the written name leads to; None if the peering
            exists under the name ``used``.
    """

    keys: tuple[str | int, ...]
    network: str
    remote: str
    written: str
    used: str
    leads_to: str | None = None

    @property
    def description(self) -> str:
        """What was found, in words."""
        if self.leads_to is None:
            return (
                f"{self.network}'s peering with {self.remote} is called {self.used} in Azure, "
                f"not {self.written}"
            )
        return (
            f"{self.network}'s peering {self.written} leads to {self.leads_to}, not to "
            f"{self.remote}; a new one would be called {self.used}"
        )

    @property
    def remedy(self) -> str:
        """What to change in the site file."""
        return f"write name: {self.used}"


def resolve_names(site: Site, observed: SiteSnapshot) -> tuple[Site, tuple[RenamedPeering, ...]]:
    """Return a site with the names that its peerings have, and those that differ.

    The names in a VNet that was not read stay as they are.

    Args:
        site: as the site file describes it.
        observed: what was read.
    """
    peerings = _index_by_remote(observed)
    differing: list[RenamedPeering] = []
    spokes = tuple(
        _resolve_spoke(site, number, spoke, observed, peerings, differing)
        for number, spoke in enumerate(site.spokes)
    )
    return (replace(site, spokes=spokes) if differing else site), tuple(differing)


_ByRemote = Callable[[VirtualNetwork, str], list[Peering]]


def _index_by_remote(observed: SiteSnapshot) -> _ByRemote:
    """Return what finds the peerings of a VNet that lead to another one."""
    by_name: dict[tuple[str, str], list[Peering]] = defaultdict(list)
    for network in observed.networks.values():
        for peering in network.peerings:
            by_name[network.id.lower(), peering.remote_virtual_network.lower()].append(peering)
    return lambda network, remote: by_name.get((network.id.lower(), remote.lower()), [])


def _resolve_spoke(
    site: Site,
    number: int,
    spoke: Spoke,
    observed: SiteSnapshot,
    peerings: _ByRemote,
    differing: list[RenamedPeering],
) -> Spoke:
    """Return a spoke with the names that its peerings have; adds those that differ."""
    changed: dict[str, Any] = {}
    for role in Role:
        hub = site.get_hub(role).virtual_network
        for key, owner, remote in (
            (f"spoke_to_{role}", spoke.virtual_network, hub),
            (f"{role}_to_spoke", hub, spoke.virtual_network),
        ):
            network = observed.get_network(site.build_network_id(owner))
            if network is None:
                continue
            desired: SitePeering = getattr(spoke, key)
            remote_id = canonicalize(site.build_network_id(remote))
            used, elsewhere = _resolve_name(desired.name, network, peerings(network, remote_id))
            if used != desired.name:
                changed[key] = replace(desired, name=used)
                keys = ("spokes", number, key, "name")
                names = get_last_name(owner), get_last_name(remote)
                differing.append(RenamedPeering(keys, *names, desired.name, used, elsewhere))
    return replace(spoke, **changed) if changed else spoke


def _resolve_name(
    written: str, network: VirtualNetwork, leading: list[Peering]
) -> tuple[str, str | None]:
    """Return the name to use, and where the peering of the written name leads instead.

    Args:
        written: the name in the site file.
        network: the VNet that owns the peering.
        leading: its peerings that lead where this one should.
    """
    if any(peering.name.lower() == written.lower() for peering in leading):
        return written, None
    if leading:
        return max(leading, key=lambda item: item.state == "Connected").name, None
    peerings = {peering.name.lower(): peering for peering in network.peerings}
    if written.lower() not in peerings:
        return written, None
    leads_to = get_last_name(peerings[written.lower()].remote_virtual_network) or "an unknown VNet"
    number = 2
    while (free := f"{written[: LONGEST_NAME - 4]}-{number}").lower() in peerings:
        number += 1
    return free, leads_to
