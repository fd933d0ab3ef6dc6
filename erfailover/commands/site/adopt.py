"""``erfailover init --from-azure``: read an existing network, write its site file.

Nothing is written to Azure. If what has to be known is unknown, nothing is written at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from ipaddress import IPv4Network
from typing import get_args

from erfailover.azure.reader import Reader
from erfailover.azure.readers import api_versions, appliances, routing
from erfailover.azure.readers.adoption import discover
from erfailover.commands.context import Context
from erfailover.commands.site import init
from erfailover.config import loader
from erfailover.config.validate_ids import is_id
from erfailover.config.validate_probes import NAME
from erfailover.config.validate_site import check_tenants
from erfailover.errors import UsageFailure
from erfailover.model.observed import SiteSnapshot, attempt
from erfailover.model.resource_ids import GATEWAY, HUB, NETWORK, get_last_name, get_subscription
from erfailover.model.site import (
    ApiVersions,
    CloudName,
    Hub,
    NamedCloud,
    Role,
    Site,
    TenantCredential,
)
from erfailover.planning.adoption.adopt import Adoption, AdoptionOptions, adopt
from erfailover.planning.adoption.left_behind import add_remarks
from erfailover.planning.adoption.next_hops import add_next_hops, needs_next_hops
from erfailover.planning.hazards.checks import check_left_behind
from erfailover.reporting import adoption as adoption_report


@dataclass(frozen=True)
class Options:
    """The options of the command line."""

    primary_hub: str
    backup_hub: str
    primary_gateway: str | None = None
    backup_gateway: str | None = None
    name: str | None = None
    spokes: tuple[str, ...] = ()
    remote_prefixes: tuple[str, ...] = ()
    cloud: CloudName = "public"
    tenants: tuple[str, ...] = ()
    force: bool = False


def run(context: Context, options: Options) -> None:
    """Read both hubs and all that is peered with them, and write the site file.

    Raises:
        UsageFailure: a wrong option, a file that exists already, or nothing to adopt.
        UnknownReading: a VNet that may be a spoke, or the primary's routes, could not be read.
        SiteFileError: the file was written, and what exists in Azure cannot be a site as it is.
    """
    hubs = {Role.PRIMARY: options.primary_hub, Role.BACKUP: options.backup_hub}
    gateways = {Role.PRIMARY: options.primary_gateway, Role.BACKUP: options.backup_gateway}
    for role in Role:
        _insist_on_id(f"--{role}-hub", hubs[role], NETWORK)
        if gateways[role] is not None:
            _insist_on_id(f"--{role}-gateway", str(gateways[role]), GATEWAY)
    if options.primary_hub.lower() == options.backup_hub.lower():
        raise UsageFailure("--backup-hub: expected a VNet other than the primary hub")
    if options.name and not NAME.fullmatch(options.name):
        expected = "up to 63 letters, digits, dots, hyphens or underscores"
        raise UsageFailure(f"--name: expected {expected}, found {options.name!r}")
    desired = AdoptionOptions(
        options.name, options.spokes, _parse_networks(options.remote_prefixes), options.cloud
    )
    path = context.site_file.path
    if path.exists() and not options.force:
        raise init.build_exists_failure(path)
    stub = _build_stub(options)
    context.site_file.use_site(stub, {f"--{role}-hub": hub for role, hub in hubs.items()})
    context.connect()
    reading = "Reading both hubs, their gateways and every VNet peered with them"
    with context.show_activity(reading, announced=True):
        discovered = discover(context.reader, hubs, gateways)
        adoption = adopt(discovered, desired)
        adoption = replace(adoption, site=replace(adoption.site, tenants=stub.tenants))
        adoption = _add_api_versions(context.reader, discovered.observed, adoption)
        around = routing.read(context.reader, adoption.site)
        if needs_next_hops(adoption, around, discovered.observed):
            in_hubs = appliances.read_by_role(context.reader, adoption.site)
            adoption = add_next_hops(adoption, around, discovered.observed, in_hubs)
    adoption = add_remarks(adoption, check_left_behind(adoption.site, around, discovered.observed))
    schema = init.write(
        path, adoption_report.render_site_file(discovered, adoption), force=options.force
    )
    loader.load(path, context.environment)
    for remark in adoption.remarks:
        context.output.print_info(f"Review: {remark}")
    context.output.print_result(
        adoption_report.format_text(path, discovered, adoption) + init.describe_schema(schema),
        adoption_report.build_data(path, discovered, adoption, schema),
    )


def _add_api_versions(reader: Reader, observed: SiteSnapshot, adoption: Adoption) -> Adoption:
    """Add the api-versions that Azure offers for the site, or a remark that they are unknown."""
    site = adoption.site
    spaces = [site.build_network_id(name) for name in site.list_network_names()]
    networks = [observed.get_network(space) for space in spaces]
    regions = [network.location for network in networks if network is not None and network.location]
    subscriptions = list(dict.fromkeys(get_subscription(space) for space in spaces))
    reading = attempt(partial(api_versions.read, reader, subscriptions, regions, {}, machines=True))
    chosen = reading.value.choose_versions() if reading.value else {}
    if not chosen or site.cloud_name is None:
        why = reading.unknown or "Azure offers none that erfailover was tested with"
        remark = f"API versions: {why}; the SDK's own are used (erfailover doctor checks them)"
        return replace(adoption, remarks=(*adoption.remarks, remark))
    cloud = NamedCloud(site.cloud_name, ApiVersions(**chosen))
    return replace(adoption, site=replace(site, cloud=cloud))


def _build_stub(options: Options) -> Site:
    """Return a site of nothing but its hubs and tenants: the ids say the subscription."""
    site = Site(
        site=options.name or get_last_name(options.primary_hub),
        primary=Hub(options.primary_hub, ""),
        backup=Hub(options.backup_hub, ""),
        spokes=(),
        remote_prefixes=(),
        subscription=get_subscription(options.primary_hub),
        cloud=options.cloud,
        tenants=dict(map(_parse_tenant, options.tenants)),
    )
    for problem in check_tenants(site):
        actual = f"--tenant: expected {problem.expected}, found {problem.found}"
        raise UsageFailure(actual, problem.remedy)
    return site


def _parse_tenant(text: str) -> tuple[str, TenantCredential]:
    """Return a tenant's id and the credential behind ``=``; without one, azure-identity's chain."""
    tenant, _, word = text.partition("=")
    kinds: tuple[TenantCredential, ...] = get_args(TenantCredential)
    kind = next((name for name in kinds if name == (word or "default").lower()), None)
    if kind is None:
        raise UsageFailure(
            f"--tenant: expected one of {', '.join(kinds)} after '=', found {word!r}",
            "A managed identity gets tokens for its home tenant only."
            if word == "managed-identity"
            else None,
        )
    return tenant, kind


def _insist_on_id(option: str, value: str, type_: str) -> None:
    if is_id(value, HUB):
        raise UsageFailure(
            f"{option}: {get_last_name(value)} is a Virtual WAN hub, which is not supported: its "
            "connections are not peerings",
            "erfailover moves spokes between hubs that are VNets: give the id of such a hub.",
        )
    if not is_id(value, type_):
        raise UsageFailure(
            f"{option}: expected /subscriptions/<guid>/resourceGroups/<group>/providers/{type_}/"
            f"<name>, found {value!r}",
            "'az network vnet show --query id' prints it."
            if type_ == NETWORK
            else "'az network vnet-gateway show --query id' prints it.",
        )


def _parse_networks(texts: Sequence[str]) -> tuple[IPv4Network, ...]:
    prefixes = []
    for text in texts:
        try:
            if "/" not in text:
                raise ValueError
            prefixes.append(IPv4Network(text))
        except ValueError:
            expected = "an IPv4 prefix like 10.5.0.0/16"
            raise UsageFailure(f"--remote-prefix: expected {expected}, found {text!r}") from None
    return tuple(dict.fromkeys(prefixes))
