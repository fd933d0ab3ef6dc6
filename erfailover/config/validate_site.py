"""The checks of a site whose keys are well formed. Pure.

Owns the checks across keys of the operator's part of a site file; ``validate_topology`` has those
of what is provisioned. Never reads Azure: what only Azure knows is ``conditions``' business.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields
from urllib.parse import urlsplit

from erfailover.config.azure_names import describe_expected, is_name
from erfailover.config.validate_ids import find_problems as id_problems
from erfailover.config.validate_probes import NAME
from erfailover.config.validate_probes import find_problems as probe_problems
from erfailover.config.validate_routing import find_problems as routing_problems
from erfailover.config.validate_topology import check_topology
from erfailover.config.validate_watch import find_problems as watch_problems
from erfailover.config.yaml_source import Keys, Problem
from erfailover.model.peering_flags import Flags
from erfailover.model.resource_ids import GROUP, GUID, PEERING
from erfailover.model.site import (
    ROLE_OF_PATH,
    CloudEndpoint,
    Path,
    Role,
    Site,
    SiteFailoverTest,
    SitePeering,
    Spoke,
)
from erfailover.model.state_location import FORM, parse

A_SUBSCRIPTION = "a subscription's id (a GUID)"
"""What the site file names a subscription by."""
MOST_TENANTS = 3
"""Tenants beside the one that the credential signs in to."""
LOCATION = re.compile(r"\w[\w ,.()&'/-]{0,99}")
SPOKE_NAME = re.compile(r"[\w(][\w.()/-]{0,170}")


def find_problems(site: Site) -> list[Problem]:
    """Everything that is wrong with a site as a whole, without line numbers."""
    return [
        *_check_names(site),
        *_check_cloud(site),
        *check_tenants(site),
        *_check_peering_location(site),
        *id_problems(site),
        *_check_hubs_and_spokes(site),
        *_check_spoke_names(site),
        *_check_prefixes_and_times(site),
        *probe_problems(site),
        *(
            problem
            for i, spoke in enumerate(site.spokes)
            for problem in _check_spoke(("spokes", i), spoke)
        ),
        *_check_peering_names(site),
        *routing_problems(site),
        *watch_problems(site),
        *check_topology(site),
    ]


def _check_names(site: Site) -> Iterator[Problem]:
    if not NAME.fullmatch(site.site):
        yield Problem(
            ("site",), "up to 63 letters, digits, dots, hyphens or underscores", repr(site.site)
        )
    if site.resource_group is not None and not is_name(GROUP, site.resource_group):
        yield Problem(("resource_group",), describe_expected(GROUP), repr(site.resource_group))
    if site.subscription is not None and not GUID.fullmatch(site.subscription):
        yield Problem(
            ("subscription",),
            A_SUBSCRIPTION,
            repr(site.subscription),
            "'az account show --query id -o tsv' prints it",
        )
    if site.state is not None:
        try:
            parse(site.state)
        except ValueError as error:
            yield Problem(("state",), FORM, f"{site.state!r}", str(error))
    if not re.fullmatch(r"[a-z0-9]+", site.location):
        actual, remedy = repr(site.location), "'az account list-locations' lists them"
        yield Problem(("location",), "a region name like westeurope", actual, remedy)


def _check_peering_location(site: Site) -> Iterator[Problem]:
    if isinstance(site.drill, SiteFailoverTest) and not LOCATION.fullmatch(
        site.drill.peering_location
    ):
        keys: Keys = ("drill", "peering_location")
        expected_ = "a peering location such as Amsterdam or Washington DC"
        yield Problem(keys, expected_, repr(site.drill.peering_location))


def _check_cloud(site: Site) -> Iterator[Problem]:
    """Check the URLs of a cloud; its certificate authorities are read on use."""
    for key, version in site.api_versions.items():
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}(-\w+)?", version):
            expected = "an api-version like 2025-07-01"
            yield Problem(("cloud", "api_versions", key), expected, repr(version))
    if not isinstance(site.cloud, CloudEndpoint):
        return
    for name in ("endpoint", "authority"):
        url = getattr(site.cloud, name)
        try:
            parts = urlsplit(url)
            is_whole = bool(parts.hostname) and parts.port != 0
        except ValueError:  # brackets without an address, a port that is not a number
            yield Problem(("cloud", name), "an https:// URL", repr(url))
            continue
        if not is_whole or parts.scheme != "https" or parts.query or parts.username:
            yield Problem(
                ("cloud", name),
                "an https:// URL",
                repr(url),
                "tokens are sent over TLS only" if parts.scheme == "http" else None,
            )


def check_tenants(site: Site) -> Iterator[Problem]:
    """Azure takes three auxiliary tokens (published: authenticate-multi-tenant)."""
    for tenant in site.tenants:
        if not GUID.fullmatch(tenant):
            remedy = "'az account show --query tenantId -o tsv' prints it"
            yield Problem(("tenants", tenant), "a tenant's id (a GUID)", repr(tenant), remedy)
    lines = [tenant.lower() for tenant in site.tenants]
    for tenant in site.tenants:
        if lines.count(tenant.lower()) > 1 and tenant != tenant.lower():
            yield Problem(("tenants", tenant), "each tenant once", repr(tenant))
    if len(lines) > MOST_TENANTS:
        yield Problem(
            ("tenants",),
            f"at most {MOST_TENANTS} tenants",
            str(len(lines)),
            "Azure accepts no more auxiliary tokens; leave out the tenant that you sign in to, and "
            "put the spokes of more tenants into a separate site",
        )


def _check_hubs_and_spokes(site: Site) -> Iterator[Problem]:
    if not site.spokes:
        yield Problem(("spokes",), "at least one spoke", "none")
    if site.primary.virtual_network.lower() == site.backup.virtual_network.lower():
        yield Problem(
            ("backup", "virtual_network"),
            "a VNet other than the primary hub's",
            repr(site.backup.virtual_network),
        )
    if site.primary.gateway.lower() == site.backup.gateway.lower():
        yield Problem(
            ("backup", "gateway"), "a gateway other than the primary's", repr(site.backup.gateway)
        )
    hubs = {site.get_hub(role).virtual_network.lower() for role in Role}
    names: set[str] = set()
    for i, spoke in enumerate(site.spokes):
        name = spoke.virtual_network.lower()
        if name in hubs or name in names:
            expected = "a VNet that is neither a hub nor another spoke"
            yield Problem(("spokes", i, "virtual_network"), expected, repr(spoke.virtual_network))
        names.add(name)


def _check_spoke_names(site: Site) -> Iterator[Problem]:
    """Plans, journals and reports tell spokes apart by their names."""
    names: set[str] = set()
    for i, spoke in enumerate(site.spokes):
        if not SPOKE_NAME.fullmatch(spoke.name):
            expected = "letters, digits and ._-()/, a letter or digit first"
            yield Problem(("spokes", i, "name"), expected, repr(spoke.name))
        if spoke.name.lower() in names:
            yield Problem(
                ("spokes", i, "name"),
                "a name that no other spoke has",
                repr(spoke.name),
                "VNets in different groups may have the same name; set name: on this spoke",
            )
        names.add(spoke.name.lower())


def _check_prefixes_and_times(site: Site) -> Iterator[Problem]:
    if not site.remote_prefixes:
        yield Problem(
            ("remote_prefixes",),
            "at least one prefix that the spokes must reach",
            "none",
            "list the prefixes of the far end: they decide whether a path is healthy",
        )
    for name in (field.name for field in fields(site.timing)):
        value = getattr(site.timing, name)
        if not 0 <= value < float("inf") or (value == 0 and name != "failback_hold_time_s"):
            yield Problem(("timing", name), "seconds, above 0", f"{value:g}")


def _check_spoke(keys: Keys, spoke: Spoke) -> Iterator[Problem]:
    """Invariants 1 and 2 of the procedure, and what Azure refuses, in the flags of one spoke."""
    for key in ("spoke_to_primary", "primary_to_spoke"):
        yield from _check_never_absent((*keys, key), getattr(spoke, key))
    for key in ("primary_to_spoke", "backup_to_spoke"):
        yield from _check_hub_flags((*keys, key), getattr(spoke, key))
    for role in Role:
        yield from _check_keep_on_both((*keys, f"spoke_to_{role}"), spoke.get_outward(role))
        yield from _check_keep_on_both((*keys, f"{role}_to_spoke"), spoke.get_inward(role))
    for path in Path:
        yield from _check_both_or_neither(keys, spoke, path)
        yield from _check_remote_gateway(keys, spoke, path)


def _check_never_absent(keys: Keys, peering: SitePeering) -> Iterator[Problem]:
    for path in Path:
        flags = peering.get_flags(path)
        place = (*keys, f"on_{path}")
        if flags is None:
            yield Problem(
                place,
                "flags",
                "'absent'",
                "the peering with the primary hub is never deleted: "
                "the spoke reaches the NAT next hop through it",
            )
        elif not flags.allow_virtual_network_access:
            yield Problem(
                (*place, "allow_virtual_network_access"),
                "true",
                "false",
                "without it the spoke loses its route to the NAT next hop",
            )


def _check_keep_on_both(keys: Keys, peering: SitePeering) -> Iterator[Problem]:
    """Yield flags that one path keeps and the other sets: a switch back could not restore them."""
    home, away = peering.on_expressroute, peering.on_ipsec
    if home == "absent" or away == "absent":
        return
    rows = [flags.allow_forwarded_traffic == "keep" for flags in (home, away)]
    if rows == [True, False]:
        actual = "true" if away.allow_forwarded_traffic else "false"
        yield Problem(
            (*keys, "on_ipsec", "allow_forwarded_traffic"),
            "keep, as in on_expressroute",
            actual,
            "or set true or false on both paths: a failback could not restore the old value",
        )


def _check_hub_flags(keys: Keys, peering: SitePeering) -> Iterator[Problem]:
    for path in Path:
        flags = peering.get_flags(path)
        if flags is not None and flags.use_remote_gateways:
            yield Problem(
                (*keys, f"on_{path}", "use_remote_gateways"),
                "false",
                "true",
                "a hub has its own gateway, and shares it with allow_gateway_transit",
            )


def _check_both_or_neither(keys: Keys, spoke: Spoke, path: Path) -> Iterator[Problem]:
    outward, inward = spoke.spoke_to_backup.get_flags(path), spoke.backup_to_spoke.get_flags(path)
    if (outward is None) != (inward is None):
        absent = "spoke_to_backup" if outward is None else "backup_to_spoke"
        other = "backup_to_spoke" if outward is None else "spoke_to_backup"
        yield Problem(
            (*keys, absent, f"on_{path}"),
            f"flags, as in {other}",
            "'absent'",
            "a peering needs both sides: give both flags, or make both absent",
        )


def _check_remote_gateway(keys: Keys, spoke: Spoke, path: Path) -> Iterator[Problem]:
    serving = ROLE_OF_PATH[path]
    for role in Role:
        flags = spoke.get_outward(role).get_flags(path) or Flags()
        place = (*keys, f"spoke_to_{role}", f"on_{path}")
        if role is serving and not flags.use_remote_gateways:
            actual = "'absent'" if spoke.get_outward(role).get_flags(path) is None else "false"
            remedy = f"on the path {path} the spoke uses the gateway of the {role} hub"
            yield Problem((*place, "use_remote_gateways"), "true", actual, remedy)
        if role is not serving and flags.use_remote_gateways:
            yield Problem(
                (*place, "use_remote_gateways"),
                "false",
                "true",
                f"only one peering of a VNet can use remote gateways; on the path {path}, "
                f"the one to the {serving} hub",
            )
    inward = spoke.get_inward(serving).get_flags(path)
    if inward is not None and not inward.allow_gateway_transit:
        yield Problem(
            (*keys, f"{serving}_to_spoke", f"on_{path}", "allow_gateway_transit"),
            "true",
            "false",
            f"Azure rejects remote gateways on the spoke unless the {serving} hub allows transit",
        )


def _check_peering_names(site: Site) -> Iterator[Problem]:
    """Azure allows a name, and two peerings of one VNet cannot have the same."""
    places: list[tuple[Keys, tuple[str, str]]] = []
    for i, spoke in enumerate(site.spokes):
        for role in Role:
            owner = spoke.virtual_network.lower()
            outward, inward = spoke.get_outward(role).name, spoke.get_inward(role).name
            places.append((("spokes", i, f"spoke_to_{role}", "name"), (owner, outward.lower())))
            hub = site.get_hub(role).virtual_network.lower()
            places.append((("spokes", i, f"{role}_to_spoke", "name"), (hub, inward.lower())))
    if site.topology is not None:
        for name, peering in site.topology.peerings.items():
            owner = peering.virtual_network.lower()
            places.append((("topology", "peerings", name), (owner, name.lower())))
    counted = Counter(where for _, where in places)
    for keys, (owner, name) in places:
        if keys[0] == "spokes" and not is_name(PEERING, name):
            yield Problem(keys, describe_expected(PEERING), repr(name))
        if counted[owner, name] > 1:
            yield Problem(keys, f"a name that no other peering of {owner} has", repr(name))
