"""Sites with names as long as Azure's customers give them, in several states."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network

from erfailover.model.observed import BgpPeer, Gateway, Peering, SiteSnapshot, VirtualNetwork
from erfailover.model.peering_flags import Flags
from erfailover.model.site import Hub, Path, Role, Site, SitePeering, Spoke
from tests.support.sites import HUB_LENDS, OPEN, SPOKE_USES, gateway, peer, route

LENGTHS = (21, 64, 80)
"""A usual name, the longest of a VNet, the longest of a peering."""


def name(start: str, number: int, length: int) -> str:
    """Return a name of a length: ``vnet-prod-weu-erp-001``."""
    end = f"-weu-erp-{number:03}"
    return (
        start
        + "-prod-application"[: max(length - len(start + end), 0)].ljust(
            length - len(start + end), "x"
        )
        + end
    )


def long_site(spokes: int, length: int) -> Site:
    """Return a site whose VNets, peerings and gateways all have names of a length."""
    hubs = [Hub(name(f"vnet-{what}", 1, length), name(f"vgw-{what}", 1, length)) for what in "hb"]
    return Site(
        site="contoso-production-weu",
        resource_group="rg-connectivity-production-westeurope-001",
        subscription="0000",
        primary=hubs[0],
        backup=hubs[1],
        spokes=tuple(_spoke(number, length) for number in range(spokes)),
        remote_prefixes=(IPv4Network("10.5.0.0/16"), IPv4Network("192.168.100.0/22")),
    )


def _spoke(number: int, length: int) -> Spoke:
    names = [name(f"peer-{way}", number, length) for way in ("sp", "ps", "sb", "bs")]
    return Spoke(
        virtual_network=name("vnet", number, length),
        spoke_to_primary=SitePeering(names[0], SPOKE_USES, OPEN),
        primary_to_spoke=SitePeering(names[1], HUB_LENDS, OPEN),
        spoke_to_backup=SitePeering(names[2], "absent", SPOKE_USES),
        backup_to_spoke=SitePeering(names[3], "absent", HUB_LENDS),
    )


def make_long_snapshot(
    of: Site, kinds: int = 1, *, dark: bool = False, missing: bool = False
) -> SiteSnapshot:
    """Return what one reads of such a site: on ExpressRoute, its spokes of so many kinds.

    Args:
        of: the site.
        kinds: how many groups of like spokes there are, at most six.
        dark: whether ExpressRoute is down.
        missing: whether of the last spoke the hub's peering is gone.
    """
    hub = of.primary.virtual_network
    owned: dict[str, list[Peering]] = {network_name: [] for network_name in of.list_network_names()}
    for number, spoke in enumerate(of.spokes):
        outward, inward = spoke.spoke_to_primary, spoke.primary_to_spoke
        uses, lends = outward.get_flags(Path.EXPRESSROUTE), inward.get_flags(Path.EXPRESSROUTE)
        assert uses
        assert lends
        kind = number % kinds
        flags = (
            replace(uses, allow_forwarded_traffic=not kind & 1),
            replace(lends, allow_forwarded_traffic=not kind & 2),
        )
        state = "Disconnected" if missing and spoke is of.spokes[-1] else "Connected"
        owned[spoke.virtual_network].append(_peering(of, spoke, hub, outward.name, flags[0], state))
        if state == "Connected":
            theirs = _peering(of, hub, spoke.virtual_network, inward.name, flags[1], state)
            owned[hub].append(theirs)
        if kind & 4:
            half = spoke.spoke_to_backup.name
            backup = of.backup.virtual_network
            owned[spoke.virtual_network].append(
                _peering(of, spoke, backup, half, OPEN, "Initiated")
            )
    networks = {
        of.build_network_id(text).lower(): VirtualNetwork(
            of.build_network_id(text),
            text,
            "Succeeded",
            (IPv4Network(f"10.{100 + number // 200}.{number % 200}.0/24"),),
            False,
            {},
            tuple(peerings),
        )
        for number, (text, peerings) in enumerate(owned.items())
    }
    gateways = (_gateway(of, Role.PRIMARY, networks, dark=dark), _gateway(of, Role.BACKUP, {}))
    return SiteSnapshot(
        "2026-01-01T00:00:00Z", networks, {item.role: item for item in gateways}, {}
    )


def _peering(
    of: Site, owner: Spoke | str, remote: str, name_: str, flags: Flags, state: str
) -> Peering:
    network_id = of.build_network_id(owner if isinstance(owner, str) else owner.virtual_network)
    return Peering(
        id=f"{network_id}/virtualNetworkPeerings/{name_}",
        name=name_,
        virtual_network=network_id,
        remote_virtual_network=of.build_network_id(remote),
        state=state,
        sync_level="FullyInSync",
        provisioning_state="Succeeded",
        flags=flags,
    )


def _gateway(
    of: Site, role: Role, networks: dict[str, VirtualNetwork], *, dark: bool = False
) -> Gateway:
    own = "10.2.0.254" if role is Role.PRIMARY else "10.3.0.254"
    learned = [] if dark else [route(str(remote_prefix)) for remote_prefix in of.remote_prefixes]
    spokes = {of.build_network_id(spoke.virtual_network).lower() for spoke in of.spokes}
    served = [
        route(str(prefix), "Network", own)
        for key, network in networks.items()
        if key in spokes
        for prefix in network.address_space
    ]
    peers: tuple[BgpPeer, ...]
    peers = (peer("10.4.0.253", "Connecting"),) if dark else (peer(), peer("10.4.0.252"))
    if role is Role.PRIMARY:
        peers = tuple(replace(bgp_peer, asn=12076) for bgp_peer in peers)
    result = gateway(role, *learned, *served, peers=peers)
    return replace(
        result,
        name=of.get_hub(role).gateway,
        type="ExpressRoute" if role is Role.PRIMARY else "Vpn",
        sku="ErGw1AZ" if role is Role.PRIMARY else "VpnGw2AZ",
        active_active=role is Role.BACKUP,
        asn=65010,
    )
