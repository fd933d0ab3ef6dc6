"""An adopted site as a commented site file, and the result of adopting it. Pure.

Owns the words and the layout only; ``planning.adoption`` decides what is in the file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path as FilePath
from typing import Any

import yaml

from erfailover.model.counting import format_count, join_names
from erfailover.model.peering_flags import Flags
from erfailover.model.prefix_table import format_prefixes
from erfailover.model.resource_ids import get_last_name
from erfailover.model.site import FlagsOrAbsent, Path, Role, SiteFailoverTest, SitePeering
from erfailover.planning.adoption.adopt import (
    AdoptedSpoke,
    Adoption,
    DiscoveredSite,
    HubFacts,
)
from erfailover.planning.adoption.adopted_table import AdoptedTable
from erfailover.planning.adoption.prefixes import Prefix
from erfailover.planning.api_versions import format_yaml
from erfailover.reporting.words import format_path, wrap

WIDTH = 98
NOTE_AT = 34
"""The column at which a note beside a value begins."""


def render_site_file(discovered: DiscoveredSite, adoption: Adoption) -> str:
    """Return the text of the site file; ``config.loader.load`` takes it."""
    sections = (
        _render_head(discovered, adoption),
        _render_site(adoption),
        _render_hubs(discovered),
        _render_prefixes(adoption),
        _render_spokes(adoption),
        *([_render_routing(adoption)] if adoption.tables else []),
        _render_rest(discovered, adoption),
    )
    return "\n\n".join("\n".join(lines) for lines in sections) + "\n"


def _render_head(discovered: DiscoveredSite, adoption: Adoption) -> Iterator[str]:
    yield from _format_comment(
        'Site file of erfailover, written by "erfailover init --from-azure" from what existed in '
        f"Azure at {discovered.observed.taken_at}. Resources are named by full id, so they can be "
        "in different subscriptions, groups and regions."
    )
    yield from _format_comment(
        'Review it, then run "erfailover status" and "erfailover switch --to ipsec --dry-run".'
    )
    if adoption.remarks:
        yield "#"
        yield "# Review:"
        for remark in adoption.remarks:
            yield from _format_comment(remark, "# - ", "#   ")


def _render_site(adoption: Adoption) -> Iterator[str]:
    site = adoption.site
    yield _append_note(
        f"site: {_format_scalar(site.name)}", "journal and lease are kept under this name"
    )
    yield f"subscription: {site.subscription}"
    if site.api_versions:
        yield from _format_comment(
            "The newest API versions that Azure offered for these networks and that erfailover was "
            "tested with. Default: those of the SDK. doctor checks them."
        )
        yield format_yaml(site.cloud_name, site.api_versions)
    elif site.cloud != "public":
        yield f"cloud: {site.cloud}"
    if site.tenants:
        yield ""
        yield from _format_comment("Other tenants, and the credential that signs in to each:")
        yield "tenants:"
        for tenant, credential in site.tenants.items():
            yield f"  {tenant}: {credential}"
    yield ""
    yield from _format_comment(
        "To use several machines, keep journal and lease in Azure Storage. Default: on this "
        "machine."
    )
    yield f"# state: azblob://account/container/{site.name}"
    yield ""
    yield from _format_comment(
        "If terraform or bicep manages the peerings as well, set managed_by: status then warns "
        "while they differ from on_expressroute, because the next apply would undo a switch."
    )
    yield "# managed_by: terraform"


def _render_hubs(discovered: DiscoveredSite) -> Iterator[str]:
    for role, word in (
        (Role.PRIMARY, "in normal times"),
        (Role.BACKUP, "while the primary path is down"),
    ):
        hub = discovered.get_hub(role)
        yield from _format_comment(f"{role} hub, used {word}: {_describe_hub(hub)}")
        yield f"{role}:"
        yield f"  virtual_network: {_format_scalar(hub.hub)}"
        yield f"  gateway: {_format_scalar(hub.gateway)}"


def _describe_hub(hub: HubFacts) -> str:
    """Describe a hub's gateway: ``ergw-weu, ExpressRoute, ErGw1AZ; circuits at Amsterdam``."""
    words = ", ".join((get_last_name(hub.gateway), hub.kind, *hub.traits))
    places = ", ".join((*hub.locations, *hub.unread))
    return words + (f"; circuits at {places}" if places else "")


def _describe_paths(spokes: Iterable[AdoptedSpoke]) -> str:
    """On which path how many spokes are, in words."""
    counted = Counter(spoke.path for spoke in spokes)
    return ", ".join(f"{counted[path]} on {format_path(path)}" for path in Path if counted[path])


def _render_prefixes(adoption: Adoption) -> Iterator[str]:
    yield from _format_comment(
        "The prefixes that the spokes must reach on either path. A path is healthy if its hub's "
        "gateway has learned them by BGP."
    )
    yield "remote_prefixes:"
    for prefix in adoption.prefixes:
        yield _render_prefix(prefix)


def _render_prefix(prefix: Prefix) -> str:
    line = f"  - {prefix.network}"
    return _append_note(line if prefix.active else f"  # {line[2:]}", prefix.note)


def _render_spokes(adoption: Adoption) -> Iterator[str]:
    yield from _format_comment(
        "The flags of the path that a spoke is on are as found; those of the other path are "
        "derived (docs/adopting.md). An omitted flag has Azure's default: "
        "allow_virtual_network_access true, the others false. keep leaves a flag as it is in Azure."
    )
    yield "spokes:"
    for number, spoke in enumerate(adoption.spokes):
        if number:
            yield ""
        yield from _render_spoke(spoke)


def _render_spoke(adopted: AdoptedSpoke) -> Iterator[str]:
    spoke = adopted.spoke
    space = ", ".join(map(str, adopted.address_space)) or "no IPv4 address space"
    yield f"  # {spoke.name}: {space}; on {format_path(adopted.path)} now"
    yield f"  - virtual_network: {_format_scalar(spoke.virtual_network)}"
    if spoke.name != get_last_name(spoke.virtual_network):
        yield _append_note(
            f"    name: {_format_scalar(spoke.name)}", "another spoke's VNet has the same name"
        )
    for role in Role:
        for key, peering in (
            (f"spoke_to_{role}", spoke.get_outward(role)),
            (f"{role}_to_spoke", spoke.get_inward(role)),
        ):
            yield from _render_peering(key, peering)


def _render_peering(key: str, peering: SitePeering) -> Iterator[str]:
    yield f"    {key}:"
    yield f"      name: {_format_scalar(peering.name)}"
    yield f"      on_expressroute: {_format_flags(peering.on_expressroute)}"
    yield f"      on_ipsec: {_format_flags(peering.on_ipsec)}"


def _render_routing(adoption: Adoption) -> Iterator[str]:
    yield from _format_comment(
        "The route tables that send the spokes' traffic to an appliance in a hub: a switch moves "
        "their next hops with the peerings. overlay moves what is for the remote prefixes and "
        "leaves the default route, replace exchanges the next hop of complete routes."
    )
    decided = [table for table in adoption.tables if table.is_decided]
    yield "routing:" if decided else "# routing:"
    for table in (*decided, *(table for table in adoption.tables if not table.is_decided)):
        mark = "" if table.is_decided else "# "
        yield f"  # {join_names(table.spokes, 6)}"
        yield f"{mark}  - route_table: {_format_scalar(table.table_id)}"
        yield f"{mark}    mode: {table.mode}"
        yield f"{mark}    on_expressroute: {table.on_expressroute or OPEN_ADDRESS}"
        yield f"{mark}    on_ipsec: {table.on_ipsec or OPEN_ADDRESS}"


OPEN_ADDRESS = "ADDRESS"
"""In the place of a next hop that could not be decided, in a comment."""


def _format_flags(flags: FlagsOrAbsent) -> str:
    if flags == "absent":
        return "absent"
    defaults = Flags()
    written = [
        f"{field.name}: {_format_value(getattr(flags, field.name))}"
        for field in fields(flags)
        if getattr(flags, field.name) != getattr(defaults, field.name)
    ]
    return f"{{{', '.join(written)}}}"


def _format_value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _render_rest(discovered: DiscoveredSite, adoption: Adoption) -> Iterator[str]:
    yield from _format_comment(
        "Tests of connectivity from machines in the spokes, by Run Command. Routes show that a "
        "path exists, not that packets pass."
    )
    yield "# probes:"
    yield "#   office: {machine: /subscriptions/.../virtualMachines/NAME, ping: 10.0.0.4}"
    yield ""
    if discovered.primary.kind == "ExpressRoute":
        yield from _format_comment(
            '"erfailover drill start" disconnects the primary gateway from the circuits of one '
            'peering location until "drill stop" (Azure\'s site failover test). It needs circuits '
            "at two locations."
        )
        if isinstance(adoption.site.drill, SiteFailoverTest):
            location = _format_scalar(adoption.site.drill.peering_location)
            yield f"drill: {{peering_location: {location}}}"
        else:
            yield "# drill: {peering_location: Amsterdam}"
    else:
        yield from _format_comment(
            "A drill sets an unused BGP peering address on the primary's local network gateway."
        )
        yield "# drill:"
        yield "#   local_network_gateway: /subscriptions/.../localNetworkGateways/NAME"
        yield "#   bgp_peering_address: 10.4.0.254"
        yield "#   unused_bgp_peering_address: 10.4.0.253"
    yield ""
    yield "# timing:                         # seconds; these are the defaults"
    yield "#   failback_hold_time_s: 120     # how long the primary must have been healthy"
    yield "#   step_deadline_s: 600          # how long one write may take"
    yield "#   verify_deadline_s: 420        # how long routes and probes may take"
    yield "#   gate_reading_age_s: 40        # how old the reading of the gateway may be at a break"


def _format_comment(text: str, first: str = "# ", then: str = "# ") -> list[str]:
    return wrap(text, WIDTH, first, then)


def _append_note(line: str, note: str) -> str:
    return f"{line.ljust(NOTE_AT - 1)} # {note}" if note else line


def _format_scalar(text: str) -> str:
    """Return a text as YAML writes it, in quotes if it would be read as something else."""
    return yaml.safe_dump([text], width=10_000, allow_unicode=True)[2:].rstrip("\n")


def format_text(site_file: FilePath, discovered: DiscoveredSite, adoption: Adoption) -> str:
    """Return what ``init --from-azure`` has written, for people."""
    active = [str(prefix.network) for prefix in adoption.prefixes if prefix.active]
    lines = [
        f"Wrote {site_file}: site {adoption.site.name}, "
        f"{format_count(len(adoption.spokes), 'spoke')}, "
        f"{_describe_paths(adoption.spokes)}.",
        f"  primary  {discovered.primary.name}: {_describe_hub(discovered.primary)}",
        f"  backup   {discovered.backup.name}: {_describe_hub(discovered.backup)}",
        f"  remote   {format_prefixes(active)}",
        f"  spokes   {join_names((spoke.spoke.name for spoke in adoption.spokes), 12)}",
    ]
    if adoption.tables:
        lines.append(f"  routing  {_describe_tables(adoption.tables)}")
    if adoption.remarks:
        lines.append(
            f"{format_count(len(adoption.remarks), 'item')} to review: see the top of the file."
        )
    lines += ["Next steps:", "  erfailover status", "  erfailover switch --to ipsec --dry-run"]
    return "\n".join(lines)


def _describe_tables(tables: Iterable[AdoptedTable]) -> str:
    """Describe the tables whose next hops move: ``udr-dg 10.5.0.4 / 10.15.0.4``."""
    return join_names(
        (
            f"{get_last_name(table.table_id)} {table.on_expressroute or OPEN_ADDRESS} / "
            f"{table.on_ipsec or OPEN_ADDRESS}"
            for table in tables
        ),
        6,
        "; ",
    )


def build_data(
    site_file: FilePath, discovered: DiscoveredSite, adoption: Adoption, schema: str | None
) -> dict[str, Any]:
    """Return the same as plain data; ``schema`` is the file with the schema of the site file."""
    return {
        "site_file": str(site_file),
        "schema_file": schema,
        "site": adoption.site.name,
        "primary": {
            "virtual_network": discovered.primary.hub,
            "gateway": discovered.primary.gateway,
        },
        "backup": {"virtual_network": discovered.backup.hub, "gateway": discovered.backup.gateway},
        "remote_prefixes": [
            {"prefix": str(prefix.network), "adopted": prefix.active, "note": prefix.note}
            for prefix in adoption.prefixes
        ],
        "spokes": [
            {
                "name": spoke.spoke.name,
                "virtual_network": spoke.spoke.virtual_network,
                "path": str(spoke.path),
            }
            for spoke in adoption.spokes
        ],
        **({"routing": _build_routing(adoption)} if adoption.tables else {}),
        "remarks": list(adoption.remarks),
    }


def _build_routing(adoption: Adoption) -> list[dict[str, Any]]:
    """Return the tables whose next hops move; null for a next hop that could not be decided."""
    return [
        {
            "route_table": table.table_id,
            "mode": table.mode,
            "on_expressroute": str(table.on_expressroute) if table.on_expressroute else None,
            "on_ipsec": str(table.on_ipsec) if table.on_ipsec else None,
            "spokes": list(table.spokes),
            "adopted": table.is_decided,
        }
        for table in adoption.tables
    ]
