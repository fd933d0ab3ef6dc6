"""The whole layout. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from erfailover.lab.linux.layout import Layout, Node, Route
from erfailover.lab.linux.translation.fabric import build_links, build_vnet
from erfailover.lab.linux.translation.gateways import build_gateways, build_outside_links
from erfailover.lab.linux.translation.ground import Ground
from erfailover.lab.linux.translation.internet import build_internet

_DHCP_METRIC = 100


def build_layout(ground: Ground) -> Layout:
    """Return what should exist."""
    vnets = ground.network.vnets.all.values()
    nodes = [
        build_internet(ground),
        *(build_vnet(ground, vnet) for vnet in vnets),
        *build_gateways(ground),
        *_build_machines(ground),
    ]
    links = [link for vnet in vnets for link in build_links(ground, vnet)]
    return Layout(tuple(nodes), (*links, *build_outside_links(ground)), ground.disks)


def _build_machines(ground: Ground) -> Iterator[Node]:
    """Yield the nodes of running machines: addresses and routes as Azure's DHCP gives them."""
    for key, machine in ground.machines.items():
        nics = ground.list_machine_nics(key)
        routes: list[Route] = []
        for nic in nics[:1]:
            router, _ = ground.find_router(nic.subnet, nic.address)
            routes.append(
                Route("0.0.0.0/0", "eth0", router, metric=_DHCP_METRIC, source=nic.address)
            )
        yield Node(ground.name_machine(key), "machine", routes=tuple(routes), machine=machine)
