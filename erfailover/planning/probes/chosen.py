"""Which spokes a probe concerns. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network

from erfailover.model.arm_json import parse_ipv4_address
from erfailover.model.observed import SiteSnapshot
from erfailover.model.probes import (
    InterfaceRoute,
    LocalConnect,
    LocalPing,
    MachineConnect,
    MachinePing,
    NextHop,
    Probe,
)
from erfailover.model.site import Site


def is_relevant(
    site: Site, observed: SiteSnapshot, probe: Probe, networks: Mapping[str, str | None]
) -> bool:
    """Return whether a probe concerns a chosen spoke.

    If it is not known where it is asked from, it does: its result then says why.

    Args:
        site: the part of the site.
        observed: the VNets of the chosen spokes.
        probe: the probe.
        networks: the ids of the VNets of machines and interfaces, by their names in the site
            file; None if that is not known.
    """
    asked_from = get_source(probe)
    if asked_from is not None and networks.get(asked_from) is None:
        return True
    chosen = {spoke.name for spoke in site.spokes}
    return bool(chosen & find_spokes(site, observed, probe, networks))


def find_spokes(
    site: Site, observed: SiteSnapshot, probe: Probe, networks: Mapping[str, str | None]
) -> frozenset[str]:
    """Return the names of the spokes that a probe concerns.

    The one that it is asked from; if it is asked from elsewhere, those in which its destination
    lies. A probe without an address as destination concerns none.

    Args:
        site: the site, or a part of it.
        observed: VNets of spokes.
        probe: the probe.
        networks: as for ``is_relevant``.
    """
    spokes = {
        site.build_network_id(spoke.virtual_network).lower(): spoke.name
        for spoke in (*site.spokes, *site.others)
    }
    asked_from = get_source(probe)
    network_id = (networks.get(asked_from) if asked_from is not None else None) or ""
    if network_id.lower() in spokes:
        return frozenset({spokes[network_id.lower()]})
    destination = _get_destination(probe)
    return frozenset(
        name
        for spoke_id, name in spokes.items()
        if destination is not None
        and (network := observed.get_network(spoke_id)) is not None
        and any(destination.subnet_of(prefix) for prefix in network.address_space)
    )


def get_source(probe: Probe) -> str | None:
    """Return the machine or interface that a probe is asked from; None for this machine."""
    if isinstance(probe, InterfaceRoute):
        return probe.interface
    return probe.machine if isinstance(probe, MachinePing | MachineConnect | NextHop) else None


def _get_destination(probe: Probe) -> IPv4Network | None:
    if isinstance(probe, InterfaceRoute):
        return probe.prefix
    if isinstance(probe, MachinePing):
        return IPv4Network(probe.ping)
    if isinstance(probe, MachineConnect | NextHop):
        return IPv4Network(probe.address)
    text = probe.ping if isinstance(probe, LocalPing) else ""
    text = probe.address[0] if isinstance(probe, LocalConnect) else text
    address = parse_ipv4_address(text)
    return IPv4Network(address) if address is not None else None
