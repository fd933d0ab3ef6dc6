"""What is known of the spokes that ``--spoke`` did not choose, without reading them. Pure.

The hubs' peerings with them carry their address spaces.
"""

from __future__ import annotations

from ipaddress import IPv4Network

from erfailover.model.arm_json import parse_ipv4_prefix
from erfailover.model.observed import SiteSnapshot
from erfailover.model.site import Role, Site


def list_other_spaces(site: Site, observed: SiteSnapshot) -> dict[str, tuple[IPv4Network, ...]]:
    """Return the address spaces of the spokes that were not chosen, by name."""
    by_name: dict[str, tuple[IPv4Network, ...]] = {}
    for spoke in site.others:
        for role in Role:
            hub = site.get_hub(role).virtual_network
            peering = observed.get_peering(site.build_peering_id(hub, spoke.get_inward(role).name))
            if peering is not None and (texts := peering.remote_space or peering.known_space):
                prefixes = (parse_ipv4_prefix(text) for text in texts)
                by_name[spoke.name] = tuple(prefix for prefix in prefixes if prefix is not None)
                break
    return by_name
