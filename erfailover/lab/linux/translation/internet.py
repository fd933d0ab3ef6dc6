"""The node of the Internet: it carries the tunnels, and answers for every public address. Pure.

The kernel answers from an address only if its table ``local`` has it, and looks there first of
all, so that the ways to the lab's own addresses are in that table too. They have no next hop, for
every address is local there; the links know these addresses as permanent neighbours.
"""

from __future__ import annotations

from erfailover.lab.linux.layout import Node, Route
from erfailover.lab.linux.translation.filters import (
    NOT_PUBLIC,
    build_internet_ruleset,
    list_public_addresses,
)
from erfailover.lab.linux.translation.ground import Ground

_LOCAL_TABLE = 255


def build_internet(ground: Ground) -> Node:
    """Return the node of the Internet.

    A gateway reaches the other gateways. A machine reaches every public address outside the lab,
    at which the node itself answers, and none of the lab's own, as in the model.
    """
    ways: dict[str, str] = {}
    gateways, hosts = [], []
    for speaker in ground.instances:
        device = ground.name_link("outside", speaker[0], str(speaker[1])).near
        gateways.append(device)
        public = ground.find_public_address(speaker)
        if public:
            ways[public] = device
    for vnet in ground.network.vnets.all:
        device = ground.name_link("internet", vnet).far
        hosts.append(device)
        for public in list_public_addresses(ground, vnet):
            ways[public] = device
    own = filter(None, ground.network.public_ips.all.values())
    return Node(
        "internet",
        "internet",
        forwarding=True,
        routes=(
            *(Route(f"{each}/32", way, table=_LOCAL_TABLE) for each, way in ways.items()),
            Route("0.0.0.0/0", device="lo", table=_LOCAL_TABLE, kind="local"),
        ),
        nft=build_internet_ruleset(gateways, hosts, [*NOT_PUBLIC, *own]),
    )
