"""The node of the Internet: it carries the tunnels, and answers for every public address. Pure."""

from __future__ import annotations

from erfailover.lab.linux.layout import Node, Route, Rule
from erfailover.lab.linux.translation.filters import NOT_PUBLIC, list_public_addresses
from erfailover.lab.linux.translation.ground import OTHER_SIDE, Ground

TUNNELS, HOSTS = 100, 200
"""The tables of what comes from gateways, and of what comes from VNets."""
_PRIORITY = 1000


def build_internet(ground: Ground) -> Node:
    """Return the node of the Internet.

    A gateway reaches the other gateways. A machine reaches every public address outside the lab,
    at which the node itself answers, and none of the lab's own, as in the model.
    """
    routes: list[Route] = []
    rules: list[Rule] = []
    for speaker in ground.instances:
        names = ground.name_link("outside", speaker[0], str(speaker[1]))
        public = ground.find_public_address(speaker)
        rules.append(Rule(_PRIORITY, TUNNELS, names.near))
        if public:
            routes.append(Route(f"{public}/32", names.near, OTHER_SIDE, TUNNELS))
    for vnet in ground.network.vnets.all:
        device = ground.name_link("internet", vnet).far
        rules.append(Rule(_PRIORITY, HOSTS, device))
        for public in list_public_addresses(ground, vnet):
            routes.append(Route(f"{public}/32", device, OTHER_SIDE))
    own = filter(None, ground.network.public_ips.all.values())
    closed = (*NOT_PUBLIC, *(f"{address}/32" for address in own))
    routes += [Route(prefix, table=HOSTS, kind="blackhole") for prefix in dict.fromkeys(closed)]
    routes.append(Route("0.0.0.0/0", device="lo", table=HOSTS, kind="local"))
    routes.append(Route("0.0.0.0/0", table=TUNNELS, kind="blackhole"))
    return Node("internet", "internet", forwarding=True, routes=tuple(routes), rules=tuple(rules))
