"""Network Watcher: which one serves a machine, and the next hop that it tells of a destination.

Nothing runs in the guest. Published: "Network Watcher next hop"; REST reference of ``nextHop``.
"""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any

from erfailover.azure.client.answers import wrap_parse_errors
from erfailover.azure.reader import Reader
from erfailover.azure.readers.references import read_required
from erfailover.errors import Failure
from erfailover.model.arm_json import Body, get_section, list_objects, parse_text
from erfailover.model.resource_ids import NETWORK_WATCHER, get_last_name, get_subscription
from erfailover.planning.provision.offers import normalize_region


def find_for_machine(reader: Reader, machine_id: str) -> tuple[str, str | None]:
    """Return the region of a machine, and the id of its Network Watcher; None if there is none.

    Raises:
        Failure: there is no such machine, or Azure does not tell.
    """
    return _find_watcher(reader, machine_id, read_required(reader, machine_id))


@wrap_parse_errors("next hop")
def read_next_hop(
    reader: Reader, machine_id: str, address: IPv4Address, deadline_s: float
) -> dict[str, Any]:
    """Return Azure's answer: the next hop of a packet from a machine to an address.

    Raises:
        Failure: as ``find_for_machine``, there is no Network Watcher, or it does not answer.
    """
    machine = read_required(reader, machine_id)
    region, watcher = _find_watcher(reader, machine_id, machine)
    if watcher is None:
        raise Failure(f"no Network Watcher in {region} that this identity can read")
    interface_id = find_primary_interface(machine)
    interface = reader.get(interface_id) if interface_id else None
    if interface is None:
        raise Failure(f"{get_last_name(machine_id)} has no network interface that can be read")
    requested = {
        "targetResourceId": machine_id,
        "sourceIPAddress": _get_address(interface),
        "destinationIPAddress": str(address),
        "targetNicResourceId": interface_id,
    }
    answer = reader.read_action(watcher, "get_next_hop", deadline_s, parameters=requested)
    return answer if isinstance(answer, dict) else {}


def _find_watcher(reader: Reader, machine_id: str, machine: Body) -> tuple[str, str | None]:
    region = normalize_region(parse_text(machine.get("location")))
    scope = f"/subscriptions/{get_subscription(machine_id)}"
    for child in reader.list_children(scope, NETWORK_WATCHER, "list_all"):
        if normalize_region(parse_text(child.get("location"))) == region and child.get("id"):
            return region, parse_text(child.get("id"))
    return region, None


def find_primary_interface(machine: Body) -> str | None:
    """Return the id of a machine's primary network interface; None if it has none."""
    objects = list_objects(
        get_section(machine, "properties", "networkProfile").get("networkInterfaces")
    )
    first = [row for row in objects if get_section(row, "properties").get("primary")]
    return next((id_ for row in (*first, *objects) if (id_ := parse_text(row.get("id")))), None)


def _get_address(interface: Body) -> str:
    objects = list_objects(get_section(interface, "properties").get("ipConfigurations"))
    rows = [get_section(row, "properties") for row in objects]
    first = [row for row in rows if row.get("primary")] or rows
    address = parse_text(first[0].get("privateIPAddress")) if first else ""
    if not address:
        raise Failure(f"{interface.get('name')} has no private IPv4 address")
    return address
