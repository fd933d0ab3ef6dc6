"""The routes of the tables in ``routing`` as code: Terraform (azurerm 4) and Bicep. Pure.

Arguments follow the azurerm provider's documentation of ``azurerm_route`` and Azure's template
reference of ``Microsoft.Network/routeTables/routes``. The text says what is, on either path.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from erfailover.model.resource_ids import ROUTE, ROUTE_TABLE, build_child_id, parse
from erfailover.model.route_tables import RouteTable, UserRoute
from erfailover.planning.iac.export import BICEP_API, format_alias, format_bicep, format_hcl


def render_terraform(tables: Sequence[RouteTable], taken_at: str) -> str:
    """Return one Terraform file with each route and its import."""
    blocks = [
        f"# The routes of the tables in routing as they were at {taken_at}, for azurerm 4.x.\n"
        "# Not beside route blocks in azurerm_route_table: the provider allows one of the two.\n"
        "# peerings.tf has the providers, unless a table is in a further subscription."
    ]
    for table, route, symbol in _iter_routes(tables):
        where = parse(table.id)
        rows = {
            "provider": f"azurerm.{format_alias(where.subscription)}",
            "name": format_hcl(route.name),
            "resource_group_name": format_hcl(where.group),
            "route_table_name": format_hcl(table.name),
            "address_prefix": format_hcl(route.prefix),
            "next_hop_type": format_hcl(route.next_hop_type),
        }
        if route.next_hop:
            rows["next_hop_in_ip_address"] = format_hcl(route.next_hop)
        width = max(map(len, rows))
        id_ = build_child_id(table.id, ROUTE, route.name)
        lines = [f'resource "azurerm_route" "{symbol}" {{']
        lines += [f"  {key.ljust(width)} = {value}" for key, value in rows.items()]
        blocks += [
            f"import {{\n  to = azurerm_route.{symbol}\n  id = {format_hcl(id_)}\n}}",
            "\n".join([*lines, "}"]),
        ]
    return "\n\n".join(blocks) + "\n"


def render_bicep(tables: Sequence[RouteTable], taken_at: str) -> dict[str, str]:
    """Return one Bicep file for each table, by its name.

    A write of a route changes the table as a whole: so one comes after the other.
    """
    return {
        f"routes-{number:02}-{re.sub(r'[^0-9A-Za-z_.-]+', '_', table.name)}.bicep": _render_table(
            table, taken_at
        )
        for number, table in enumerate(tables, 1)
    }


def _render_table(table: RouteTable, taken_at: str) -> str:
    where = parse(table.id)
    parts = [
        f"// The routes of {table.name} as they were at {taken_at}.\n"
        f"// az deployment group create -f <this> --subscription {where.subscription} "
        f"-g {where.group}\n"
        "targetScope = 'resourceGroup'",
        f"resource table '{ROUTE_TABLE}@{BICEP_API}' existing = {{\n"
        f"  name: {format_bicep(table.name)}\n}}",
    ]
    before = ""
    for _, route, symbol in _iter_routes([table]):
        properties: Mapping[str, str | None] = {
            "addressPrefix": route.prefix,
            "nextHopType": route.next_hop_type,
            "nextHopIpAddress": route.next_hop,
        }
        lines = [
            f"resource {symbol} '{ROUTE}@{BICEP_API}' = {{",
            "  parent: table",
            f"  name: {format_bicep(route.name)}",
            "  properties: {",
            *(f"    {key}: {format_bicep(value)}" for key, value in properties.items() if value),
            "  }",
            *(["  dependsOn: [", f"    {before}", "  ]"] if before else []),
            "}",
        ]
        parts.append("\n".join(lines))
        before = symbol
    return "\n\n".join(parts) + "\n"


def _iter_routes(tables: Iterable[RouteTable]) -> Iterable[tuple[RouteTable, UserRoute, str]]:
    """Yield each route with a name that both languages take, unique whatever the letter case."""
    used: set[str] = set()
    for table in tables:
        for route in table.routes:
            name = re.sub(r"\W+", "_", f"{table.name}_{route.name}", flags=re.ASCII)
            symbol = name if re.match(r"[A-Za-z]", name) else f"route_{name}"
            number = 1
            while symbol.lower() in used:
                number += 1
                symbol = f"{name}_{number}"
            used.add(symbol.lower())
            yield table, route, symbol
