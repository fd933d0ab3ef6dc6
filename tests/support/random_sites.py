"""Sites with seeded random names, address spaces, ASNs and numbers of spokes.

The shape is the proof of concept's; nothing else is. ``routers`` says the same site again in the
words of the independent reference for BGP.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

from tests.support.naive_bgp import Neighbour, Router

USES = {"allow_forwarded_traffic": True, "use_remote_gateways": True}
LENDS = {"allow_forwarded_traffic": True, "allow_gateway_transit": True}


@dataclass(frozen=True)
class Hub:
    """A hub: its VNet, its gateway, what they were drawn to be."""

    network: str
    gateway: str
    asn: int
    prefix: IPv4Network

    @property
    def address(self) -> str:
        """The BGP address that Azure assigns: the last of the GatewaySubnet (observed)."""
        return str(next(self.prefix.subnets(new_prefix=26)).broadcast_address - 1)


@dataclass(frozen=True)
class Drawn:
    """A site as drawn: the site file's data, and what the checks need to know of it."""

    data: dict[str, Any]
    primary: Hub
    backup: Hub
    far: Hub
    spokes: dict[str, IPv4Network]
    office: IPv4Network
    unused: str

    def routers(self, on: str, *, primary_up: bool) -> list[Router]:
        """The three gateways, in the reference's words."""
        moved = tuple(map(str, self.spokes.values()))

        def router(hub: Hub, own: tuple[str, ...], *neighbours: Neighbour) -> Router:
            return Router(hub.gateway, hub.asn, hub.address, (str(hub.prefix), *own), neighbours)

        def towards(hub: Hub, address: str = "", *, up: bool = True) -> Neighbour:
            return Neighbour(
                address or hub.address, (str(hub.prefix),), hub.gateway if up else None
            )

        far_address = self.far.address if primary_up else self.unused
        return [
            router(
                self.primary,
                moved if on == "expressroute" else (),
                towards(self.far, far_address, up=primary_up),
            ),
            router(self.backup, moved if on == "ipsec" else (), towards(self.far)),
            router(
                self.far,
                (str(self.office),),
                towards(self.primary, up=primary_up),
                towards(self.backup),
            ),
        ]


def draw(seed: int) -> Drawn:
    """Draw a site."""
    rng = random.Random(seed)
    pool = [
        *IPv4Network("10.0.0.0/8").subnets(new_prefix=20),
        *IPv4Network("172.16.0.0/12").subnets(new_prefix=20),
        *IPv4Network("192.168.0.0/16").subnets(new_prefix=20),
    ]
    prefixes = iter(rng.sample(pool, 12))
    asns = iter(rng.sample([*range(64512, 65000), *range(65100, 65500)], 3))
    words = iter(rng.sample([f"{a}{b}" for a in ("net", "x-", "prod", "z") for b in range(40)], 20))

    def hub() -> Hub:
        return Hub(f"{next(words)}-vnet", f"gw-{next(words)}", next(asns), next(prefixes))

    primary, backup, far = hub(), hub(), hub()
    office_network, office = next(words), next(prefixes)
    spokes = {next(words): next(prefixes) for _ in range(rng.randint(1, 4))}
    unused = str(next(far.prefix.subnets(new_prefix=26)).broadcast_address - 2)
    first = next(iter(spokes))
    outside, inside = list(primary.prefix.subnets(new_prefix=24))[4:6]
    data: dict[str, Any] = {
        "site": f"site{seed}",
        "resource_group": f"rg-{next(words)}",
        "location": rng.choice(["westeurope", "northeurope", "eastus2"]),
        "primary": {"virtual_network": primary.network, "gateway": primary.gateway},
        "backup": {"virtual_network": backup.network, "gateway": backup.gateway},
        "remote_prefixes": [str(office)],
        "spokes": [_spoke(name, primary, backup) for name in spokes],
        "probes": {
            "office": {"machine": "vm-a", "ping": str(office[4])},
            "internet": {"machine": "vm-a", "ping": "9.9.9.9", "through": "vm-n"},
        },
        "drill": {
            "local_network_gateway": "l-pf",
            "bgp_peering_address": far.address,
            "unused_bgp_peering_address": unused,
        },
        "topology": {
            "virtual_networks": {
                **{hub.network: _hub_network(hub) for hub in (backup, far)},
                primary.network: {
                    "address_space": [str(primary.prefix)],
                    "subnets": {
                        **_hub_network(primary)["subnets"],
                        "outside": {"prefix": str(outside)},
                        "inside": {"prefix": str(inside)},
                    },
                },
                office_network: _leaf(office, {}),
                **{
                    name: _leaf(prefix, {"9.9.9.9/32": str(inside[4])} if name == first else {})
                    for name, prefix in spokes.items()
                },
            },
            "gateways": {
                item.gateway: {"virtual_network": item.network, "asn": item.asn}
                for item in (primary, backup, far)
            },
            "connections": {
                "c-pf": _tunnel(primary, far, "l-pf"),
                "c-bf": _tunnel(backup, far, "l-bf"),
                "c-fp": _tunnel(far, primary, "l-fp"),
                "c-fb": _tunnel(far, backup, "l-fb"),
            },
            "peerings": {
                "f-o": _peering(far.network, office_network, LENDS),
                "o-f": _peering(office_network, far.network, USES),
            },
            "machines": {
                "vm-a": _machine(f"{first}/leaf", str(spokes[first][4])),
                "vm-b": _machine(f"{office_network}/leaf", str(office[4])),
                "vm-n": {
                    "nat_for": f"{spokes[first]}",
                    "interfaces": {
                        "n0": _interface(f"{primary.network}/outside", str(outside[4]), True),
                        "n1": _interface(f"{primary.network}/inside", str(inside[4]), False),
                    },
                },
            },
        },
    }
    return Drawn(data, primary, backup, far, spokes, office, unused)


def _spoke(name: str, primary: Hub, backup: Hub) -> dict[str, Any]:
    return {
        "virtual_network": name,
        "spoke_to_primary": {"name": f"{name}-p", "on_expressroute": USES, "on_ipsec": {}},
        "primary_to_spoke": {"name": f"p-{name}", "on_expressroute": LENDS, "on_ipsec": {}},
        "spoke_to_backup": {"name": f"{name}-b", "on_expressroute": "absent", "on_ipsec": USES},
        "backup_to_spoke": {"name": f"b-{name}", "on_expressroute": "absent", "on_ipsec": LENDS},
    }


def _hub_network(hub: Hub) -> dict[str, Any]:
    first = next(hub.prefix.subnets(new_prefix=26))
    return {
        "address_space": [str(hub.prefix)],
        "subnets": {"GatewaySubnet": {"prefix": str(first)}},
    }


def _leaf(prefix: IPv4Network, routes: dict[str, str]) -> dict[str, Any]:
    subnet = str(next(prefix.subnets(new_prefix=24)))
    return {
        "address_space": [str(prefix)],
        "subnets": {"leaf": {"prefix": subnet, "routes": routes}},
    }


def _tunnel(hub: Hub, far: Hub, local: str) -> dict[str, str]:
    return {"gateway": hub.gateway, "far_gateway": far.gateway, "local_network_gateway": local}


def _peering(network: str, remote: str, flags: dict[str, bool]) -> dict[str, Any]:
    return {"virtual_network": network, "remote_virtual_network": remote, "flags": flags}


def _interface(subnet: str, address: str, public: bool) -> dict[str, Any]:
    return {"subnet": subnet, "address": address, "public": public, "forwarding": True}


def _machine(subnet: str, address: str) -> dict[str, Any]:
    interface = {"subnet": subnet, "address": address, "public": True}
    return {"interfaces": {f"{subnet.split('/')[0]}-nic": interface}}
