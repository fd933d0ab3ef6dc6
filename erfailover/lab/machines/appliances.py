"""An Azure Firewall's decision on a packet, and a load balancer's choice of an appliance.

Pure. Rules are not modelled: a firewall of the lab lets everything pass that belongs to a flow
whose packets it has all seen.

Documented (*Azure Firewall FAQ*, *Firewall in a hub and spoke*): it is stateful, so an answer to a
packet that went another way is dropped; it translates the source of what leaves for the Internet,
and never of what stays in the private ranges. That a TCP connection whose answer goes around the
firewall fails as well (it drops the third packet) is inferred from the same; an echo passes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from erfailover.lab.core import addresses
from erfailover.lab.machines.linux import Flow, Linux
from erfailover.lab.routing import records
from erfailover.lab.routing.index import Network
from erfailover.lab.routing.security_groups import Packet


class SystemSource(Protocol):
    """A source of the systems of virtual machines; ``Machines`` is one."""

    def get_system(self, machine: str) -> Linux | None:
        """Return the running system of a virtual machine, by key; None if none runs."""


@dataclass(slots=True)
class FirewallSessions:
    """The flows that firewalls have seen, and those of which they have seen an answer."""

    opened: list[Flow] = field(default_factory=list)
    answered: list[Flow] = field(default_factory=list)

    def admit(self, firewall: records.Nic, packet: Packet, *, answer: bool) -> Packet | None:
        """Return the packet as a firewall sends it on; None if it drops it.

        Args:
            firewall: the firewall as the interface that it has in its VNet.
            packet: the packet that arrives.
            answer: whether it answers one that was sent before.
        """
        if not answer:
            sent = packet
            if not any(
                addresses.contains(space, packet.destination) for space in addresses.PRIVATE
            ):
                sent = replace(packet, source=firewall.address)
            self.opened.append(_make_flow(firewall.key, packet, sent))
            return sent
        flow = _find_flow(self.opened, firewall.key, packet)
        if flow is None:
            return None
        self.answered.append(flow)
        return replace(packet, source=flow.destination, destination=flow.source)

    def find_half_seen(self, packet: Packet) -> str:
        """Return the key of a firewall that a TCP answer has gone around; empty if none."""
        if packet.protocol != "tcp":
            return ""
        return next((flow.machine for flow in self.opened if flow not in self.answered), "")


def find_backend(
    network: Network, runs: Callable[[str], bool], vnet: str, address: str
) -> records.Nic | None:
    """Return the interface that a load balancer's front end delivers to; None if there is none.

    The first whose machine runs, which ``runs`` says of a machine's key: both directions of a flow
    meet the same one (documented, *High availability ports overview*); that a probe notices a
    stopped machine at once is assumed.
    """
    front_end = network.find_front_end(vnet, address)
    for nic in network.list_backends(front_end) if front_end is not None else ():
        machine = network.machine_of.get(nic.key)
        if machine is not None and runs(machine.key):
            return nic
    return None


def _make_flow(key: str, packet: Packet, sent: Packet) -> Flow:
    return Flow(
        key, packet.protocol, packet.source, packet.destination, sent.destination, sent.source
    )


def _find_flow(flows: Sequence[Flow], key: str, packet: Packet) -> Flow | None:
    ends = key, packet.protocol, packet.source, packet.destination
    for flow in flows:
        if ends == (flow.machine, flow.protocol, flow.reply_source, flow.reply_destination):
            return flow
    return None
