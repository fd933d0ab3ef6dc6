"""Reads route tables, and which subnets have one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from erfailover.azure.client.answers import wrap_parse_errors
from erfailover.azure.reader import Reader
from erfailover.azure.readers.references import get_reference, read_required
from erfailover.azure.session import READ_DEADLINE_S
from erfailover.model.arm_json import (
    Body,
    get_provisioning_state,
    get_section,
    list_objects,
    parse_bool,
    parse_text,
)
from erfailover.model.observed import SiteSnapshot, VirtualNetwork, attempt
from erfailover.model.resource_ids import GATEWAY_SUBNET, canonicalize, get_last_name
from erfailover.model.route_tables import RouteTable, UserRoute
from erfailover.model.site import Site
from erfailover.runtime.clock import run_all

NEXT_HOPS = ("VirtualNetworkGateway", "VnetLocal", "Internet", "VirtualAppliance", "None")


def read_table(reader: Reader, table_id: str, deadline_s: float = READ_DEADLINE_S) -> RouteTable:
    """Return a route table with its routes.

    Raises:
        AzureFailure: it could not be read, or does not exist.
    """
    return parse_table(read_required(reader, table_id, deadline_s), table_id)


@wrap_parse_errors("GET of a route table")
def parse_table(body: Body, table_id: str) -> RouteTable:
    """Return a route table from its ARM JSON; it is known by the id that was asked for."""
    properties = get_section(body, "properties")
    id_ = canonicalize(parse_text(body.get("id")))
    return RouteTable(
        id_ if id_.lower() == table_id.lower() else canonicalize(table_id),
        not parse_bool(properties.get("disableBgpRoutePropagation")),
        tuple(map(parse_route, list_objects(properties.get("routes")))),
        tuple(
            canonicalize(parse_text(row.get("id")))
            for row in list_objects(properties.get("subnets"))
        ),
        get_provisioning_state(properties),
    )


def parse_route(body: Body) -> UserRoute:
    """Return a user-defined route from its ARM JSON."""
    properties = get_section(body, "properties")
    return UserRoute(
        parse_text(body.get("name")) or get_last_name(parse_text(body.get("id"))),
        parse_text(properties.get("addressPrefix")),
        parse_text(properties.get("nextHopType"), NEXT_HOPS),
        parse_text(properties.get("nextHopIpAddress")) or None,
    )


def get_table_id(subnet: Body) -> str:
    """Return the id, in lower case, of the route table of a subnet; empty if it has none."""
    return get_reference(subnet, "routeTable").lower()


def list_subnet_tables(properties: Body) -> tuple[tuple[str, str], ...]:
    """Return the subnets of a VNet that have a route table, by name, with its id in lower case."""
    return tuple(
        (parse_text(subnet.get("name")).lower(), table)
        for subnet in list_objects(properties.get("subnets"))
        if (table := get_table_id(subnet))
    )


def list_table_ids(site: Site, networks: Iterable[VirtualNetwork]) -> list[str]:
    """Return the ids, in lower case, of the tables that decide the next hops of some VNets.

    Those of ``routing`` in the site file that a subnet has, and the GatewaySubnets'; none for a
    site without the section.
    """
    named = {site.build_route_table_id(entry.route_table).lower() for entry in site.routing}
    return list(
        dict.fromkeys(
            table
            for network in networks
            for subnet, table in network.subnet_tables
            if named and (table in named or subnet == GATEWAY_SUBNET.lower())
        )
    )


def add_route_tables(
    reader: Reader, site: Site, observed: SiteSnapshot, deadline_s: float = READ_DEADLINE_S
) -> SiteSnapshot:
    """Return a picture with the tables that decide the next hops of its VNets, read now."""
    ids = list_table_ids(site, observed.networks.values())
    if not ids:
        return observed
    reads = [partial(attempt, partial(read_table, reader, id_, deadline_s)) for id_ in ids]
    tables = dict(zip(ids, run_all(reader.clock, reads), strict=True))
    return replace(observed, route_tables=tables)


def list_interfaces(network: Body, table_id: str) -> list[str]:
    """Return the ids of the network interfaces in the subnets of a VNet that have a route table."""
    rows = (
        parse_text(row.get("id"))
        for subnet in list_objects(get_section(network, "properties").get("subnets"))
        if get_table_id(subnet) == table_id.lower()
        for row in list_objects(get_section(subnet, "properties").get("ipConfigurations"))
    )
    owners = (canonicalize(row).partition("/ipConfigurations/")[0] for row in rows)
    return list(dict.fromkeys(owner for owner in owners if "/networkInterfaces/" in owner))
