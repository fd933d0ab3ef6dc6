"""Sites and observations for tests of decisions: plain values, no Azure."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network

from erfailover.model.observed import (
    BgpPeer,
    Gateway,
    GatewayRoute,
    Peering,
    Reading,
    SiteSnapshot,
    VirtualNetwork,
)
from erfailover.model.peering_flags import Flags
from erfailover.model.site import Hub, Path, Role, Site, SitePeering, Spoke

OPEN = Flags()
SPOKE_USES = Flags(allow_forwarded_traffic=True, use_remote_gateways=True)
HUB_LENDS = Flags(allow_forwarded_traffic=True, allow_gateway_transit=True)


def spoke(name: str = "vnet1") -> Spoke:
    return Spoke(
        virtual_network=name,
        spoke_to_primary=SitePeering(f"{name}-to-vnet2", SPOKE_USES, OPEN),
        primary_to_spoke=SitePeering(f"vnet2-to-{name}", HUB_LENDS, OPEN),
        spoke_to_backup=SitePeering(f"{name}-to-vnet3", "absent", SPOKE_USES),
        backup_to_spoke=SitePeering(f"vnet3-to-{name}", "absent", HUB_LENDS),
    )


def site(*names: str) -> Site:
    return Site(
        site="poc",
        resource_group="rg-we",
        subscription="0000",
        primary=Hub("vnet2", "vng1"),
        backup=Hub("vnet3", "vng2"),
        spokes=tuple(map(spoke, names or ("vnet1",))),
        remote_prefixes=(IPv4Network("10.5.0.0/16"),),
    )


def peer(neighbor: str = "10.4.0.254", state: str = "Connected") -> BgpPeer:
    up = state == "Connected"
    return BgpPeer(neighbor, "x", 65020, state, "00:10:00.0" if up else None, 3, 6, 6)


def route(network: str, origin: str = "EBgp", source: str = "10.4.0.254") -> GatewayRoute:
    hop = None if origin == "Network" else source
    return GatewayRoute(network, hop, "10.2.0.254", 32768, source, origin, None)


def gateway(role: Role, *routes: GatewayRoute, peers: tuple[BgpPeer, ...] = (peer(),)) -> Gateway:
    name, address = ("vng1", "10.2.0.254") if role is Role.PRIMARY else ("vng2", "10.3.0.254")
    return Gateway(
        f"/g/{name}", name, role, "Succeeded", (address,), Reading(peers), Reading(routes)
    )


State = dict[str, tuple[Flags, str]]
"""The peerings there are, by name: their flags and their ``peeringState``."""


def make_snapshot(
    of: Site, state: State, gateways: tuple[Gateway, ...] | None = None, **unknown: str
) -> SiteSnapshot:
    """What one would read of a site whose peerings are in a state; unknown VNets by name."""
    prefixes = {"vnet1": "10.1.0.0/16", "vnet2": "10.2.0.0/16", "vnet3": "10.3.0.0/16"}
    owned: dict[str, list[str]] = {}
    for text in state:
        owned.setdefault(text.split("-to-")[0], []).append(text)
    networks = {}
    for number, name in enumerate(of.list_network_names()):
        if name in unknown:
            continue
        network_id = of.build_network_id(name)
        peerings = tuple(
            Peering(
                id=f"{network_id}/virtualNetworkPeerings/{item}",
                name=item,
                virtual_network=network_id,
                remote_virtual_network=of.build_network_id(item.split("-to-")[1]),
                state=peering_state,
                sync_level="FullyInSync",
                provisioning_state="Succeeded",
                flags=flags,
            )
            for item in owned.get(name, ())
            for flags, peering_state in (state[item],)
        )
        spare = (
            f"10.{100 + number}.0.0/16"
            if number < 156
            else f"11.{number // 256}.{number % 256}.0/24"
        )
        prefix = prefixes.get(name, spare)
        networks[network_id.lower()] = VirtualNetwork(
            network_id, name, "Succeeded", (IPv4Network(prefix),), False, {}, peerings
        )
    if gateways is None:
        gateways = (
            gateway(Role.PRIMARY, route("10.5.0.0/16")),
            gateway(Role.BACKUP, route("10.5.0.0/16")),
        )
    return SiteSnapshot(
        "2026-01-01T00:00:00Z",
        networks,
        {item.role: item for item in gateways},
        {of.build_network_id(name).lower(): why for name, why in unknown.items()},
    )


def make_state(path: Path, of: Site) -> State:
    """The peerings of a site whose spokes are all on a path."""
    state: State = {}
    for item in of.spokes:
        for peering in (
            item.spoke_to_primary,
            item.primary_to_spoke,
            item.spoke_to_backup,
            item.backup_to_spoke,
        ):
            flags = peering.get_flags(path)
            if flags is not None:
                state[peering.name] = (flags, "Connected")
    return state


def replace_peers(of: Gateway, *peers: BgpPeer) -> Gateway:
    return replace(of, peers=Reading(peers))
