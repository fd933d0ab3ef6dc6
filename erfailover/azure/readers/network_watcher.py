"""Network Watcher: which one serves a machine, and the next hop that it tells of a destination.

Nothing runs in the guest. Published: "Network Watcher next hop"; REST reference of ``nextHop``.
"""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any

from erfailover.azure.client.answers import understood
from erfailover.azure.reader import Reader
from erfailover.errors import Failure
from erfailover.model.arm_json import Body, rows, section, text
from erfailover.model.resource_ids import NETWORK_WATCHER, last_of, subscription_of
from erfailover.planning.provision.offers import short_name


def of_machine(reader: Reader, machine_id: str) -> tuple[str, str | None]:
    """Return the region of a machine, and the id of its Network Watcher; None if there is none.

    Raises:
        Failure: there is no such machine, or Azure does not tell.
    """
    return _serving(reader, machine_id, _machine(reader, machine_id))


@understood("next hop")
def next_hop(
    reader: Reader, machine_id: str, address: IPv4Address, deadline_s: float
) -> dict[str, Any]:
    """Return Azure's answer: the next hop of a packet from a machine to an address.

    Raises:
        Failure: as ``of_machine``, there is no Network Watcher, or it does not answer.
    """
    machine = _machine(reader, machine_id)
    region, watcher = _serving(reader, machine_id, machine)
    if watcher is None:
        raise Failure(f"there is no Network Watcher of {region} that this identity may read")
    interface_id = primary_interface(machine)
    interface = reader.get(interface_id) if interface_id else None
    if interface is None:
        raise Failure(f"{last_of(machine_id)} has no network interface that can be read")
    asked = {
        "targetResourceId": machine_id,
        "sourceIPAddress": _address(interface),
        "destinationIPAddress": str(address),
        "targetNicResourceId": interface_id,
    }
    answer = reader.action(watcher, "get_next_hop", deadline_s, parameters=asked)
    return answer if isinstance(answer, dict) else {}


def _machine(reader: Reader, machine_id: str) -> Body:
    found = reader.get(machine_id)
    if found is None:
        raise Failure(f"{last_of(machine_id)} does not exist in Azure")
    return found


def _serving(reader: Reader, machine_id: str, machine: Body) -> tuple[str, str | None]:
    region = short_name(text(machine.get("location")))
    scope = f"/subscriptions/{subscription_of(machine_id)}"
    for each in reader.listed(scope, NETWORK_WATCHER, "list_all"):
        if short_name(text(each.get("location"))) == region and each.get("id"):
            return region, text(each.get("id"))
    return region, None


def primary_interface(machine: Body) -> str | None:
    """Return the id of a machine's primary network interface; None if it has none."""
    listed = rows(section(machine, "properties", "networkProfile").get("networkInterfaces"))
    first = [each for each in listed if section(each, "properties").get("primary")]
    return next((id_ for each in (*first, *listed) if (id_ := text(each.get("id")))), None)


def _address(interface: Body) -> str:
    listed = rows(section(interface, "properties").get("ipConfigurations"))
    found = [section(each, "properties") for each in listed]
    first = [each for each in found if each.get("primary")] or found
    address = text(first[0].get("privateIPAddress")) if first else ""
    if not address:
        raise Failure(f"{interface.get('name')} has no private IPv4 address")
    return address
