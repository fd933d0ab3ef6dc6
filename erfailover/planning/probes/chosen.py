"""Which probes concern the spokes that ``--spoke`` chose. Pure."""

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

    It does if it is asked from a machine or interface in one, or from elsewhere but not from
    another spoke, and its destination lies in one. If it is not known where it is asked from, it
    does: its result then says why. One without an address as destination does not.

    Args:
        site: the part of the site.
        observed: the VNets of the chosen spokes.
        probe: the probe.
        networks: the ids of the VNets of machines and interfaces, by their names in the site
            file; None if that is not known.
    """
    asked_from = get_source(probe)
    if asked_from is not None:
        network_id = networks.get(asked_from)
        if network_id is None:
            return True
        for spokes, answer in ((site.spokes, True), (site.others, False)):
            ids = {site.build_network_id(spoke.virtual_network).lower() for spoke in spokes}
            if network_id.lower() in ids:
                return answer
    destination = _get_destination(probe)
    return destination is not None and any(
        destination.subnet_of(prefix)
        for spoke in site.spokes
        if (network := observed.get_network(site.build_network_id(spoke.virtual_network)))
        is not None
        for prefix in network.address_space
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
