"""Reads in which VNet a machine or a network interface of a probe is. Changes nothing."""

from __future__ import annotations

from functools import partial

from erfailover.azure.reader import Reader
from erfailover.azure.readers.network_watcher import find_primary_interface
from erfailover.model.arm_json import get_section, list_objects, parse_text
from erfailover.model.observed import attempt
from erfailover.model.probes import InterfaceRoute, Probe
from erfailover.model.resource_ids import INTERFACE, get_resource_id
from erfailover.model.site import Site
from erfailover.planning.probes.chosen import get_source
from erfailover.runtime.clock import run_all


def read_probe_networks(
    reader: Reader, site: Site, probes: dict[str, Probe]
) -> dict[str, str | None]:
    """Return the ids of the VNets that probes are asked from, by the names in the site file.

    None if it is not known: the machine or interface cannot be read.
    """
    sources = {
        source: isinstance(probe, InterfaceRoute)
        for probe in probes.values()
        if (source := get_source(probe)) is not None
    }
    reads = [
        partial(attempt, partial(_read_network_id, reader, site, source, is_interface=is_interface))
        for source, is_interface in sources.items()
    ]
    readings = run_all(reader.clock, reads)
    return {source: reading.value for source, reading in zip(sources, readings, strict=True)}


def _read_network_id(reader: Reader, site: Site, source: str, *, is_interface: bool) -> str | None:
    interface_id: str | None = site.build_resource_id(INTERFACE, source)
    if not is_interface:
        machine = reader.get(site.build_machine_id(source))
        interface_id = find_primary_interface(machine) if machine is not None else None
    interface = reader.get(interface_id) if interface_id else None
    if interface is None:
        return None
    for row in list_objects(get_section(interface, "properties").get("ipConfigurations")):
        subnet_id = parse_text(get_section(row, "properties", "subnet").get("id"))
        if subnet_id:
            return get_resource_id(subnet_id)
    return None
