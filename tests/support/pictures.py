"""Sites in a few states, as pictures."""

from __future__ import annotations

from dataclasses import replace

from erfailover.model.observed import Gateway, SiteSnapshot
from erfailover.model.site import Path, Role, Site
from tests.support.sites import State, gateway, make_snapshot, make_state, peer, route

DARK = peer("10.4.0.253", "Connecting")


def serving(of: Site, role: Role, spokes: list[str], **more: object) -> Gateway:
    """A hub's gateway, healthy, that originates these spokes."""
    networks = make_snapshot(of, {}, ()).networks
    ids = [of.build_network_id(name).lower() for name in spokes]
    prefixes = [str(prefix) for id_ in ids for prefix in networks[id_].address_space]
    own = "10.2.0.254" if role is Role.PRIMARY else "10.3.0.254"
    routes = [route("10.5.0.0/16"), *(route(prefix, "Network", own) for prefix in prefixes)]
    return replace(gateway(role, *routes), asn=65010, **more)  # type: ignore[arg-type]


def healthy(of: Site) -> SiteSnapshot:
    names = [spoke.virtual_network for spoke in of.spokes]
    gateways = (serving(of, Role.PRIMARY, names), serving(of, Role.BACKUP, []))
    return make_snapshot(of, make_state(Path.EXPRESSROUTE, of), gateways)


def dark(of: Site) -> SiteSnapshot:
    down = gateway(Role.PRIMARY, route("10.1.0.0/16", "Network", "10.2.0.254"), peers=(DARK,))
    return make_snapshot(
        of, make_state(Path.EXPRESSROUTE, of), (down, serving(of, Role.BACKUP, []))
    )


def make_mixed_snapshot(of: Site, moved: int) -> SiteSnapshot:
    """So many of the spokes, the last ones, are on IPsec; the others on ExpressRoute."""
    names = [spoke.virtual_network for spoke in of.spokes]
    before, after = make_state(Path.EXPRESSROUTE, of), make_state(Path.IPSEC, of)
    gone = names[-moved:]
    state: State = {
        key: value
        for flags in (before, after)
        for key, value in flags.items()
        if any(key.startswith(f"{name}-to-") or key.endswith(f"-to-{name}") for name in gone)
        is (flags is after)
    }
    gateways = (
        serving(of, Role.PRIMARY, names[:-moved]),
        serving(of, Role.BACKUP, gone),
    )
    return make_snapshot(of, state, gateways)
