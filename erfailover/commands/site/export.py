"""``erfailover export terraform | bicep``: the peerings as they are now, as code.

Reads Azure and writes nothing there. What could not be read is an error: code that lacks a
peering would delete it.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from erfailover.azure.readers import network as readers_network
from erfailover.azure.readers.route_tables import read_table
from erfailover.commands import output_file
from erfailover.commands.context import Context
from erfailover.commands.output_file import FileKind
from erfailover.errors import UnknownReading, UsageFailure
from erfailover.model.counting import format_count
from erfailover.model.observed import SiteSnapshot
from erfailover.model.resource_ids import get_last_name
from erfailover.model.route_tables import RouteTable
from erfailover.planning.iac import export, routes
from erfailover.planning.iac.export import ExportedPeering
from erfailover.runtime.clock import run_all

NOTHING = FileKind("a file that may be replaced", lambda content: False)


def run(context: Context, language: str, split: Path | None) -> None:
    """Print the site's peerings as code, or write its files into a folder.

    Args:
        context: the invocation.
        language: ``terraform`` or ``bicep``.
        split: the folder to write into; None to print.

    Raises:
        UnknownReading: a VNet of the site does not exist.
        AzureFailure: one could not be read.
        UsageFailure: the folder cannot be written, or holds such a file.
    """
    peerings = _read(context)
    tables = _read_tables(context)
    taken_at = _format_now()
    if language == "terraform":
        files = {"peerings.tf": export.render_terraform(peerings, taken_at)}
        files |= {"routes.tf": routes.render_terraform(tables, taken_at)} if tables else {}
    else:
        files = export.render_bicep(peerings, taken_at) | routes.render_bicep(tables, taken_at)
    data = {
        "language": language,
        "peerings": [peering.id for peering in peerings],
        "files": files,
    }
    if split is not None:
        _write(split, files)
        detail = "\n".join(f"  {split / name}" for name in files)
        context.output.print_result(
            f"Wrote {format_count(len(peerings), 'peering')}:\n{detail}", data
        )
        return
    if len(files) > 1:
        context.output.print_info("Each part is a separate file; --split DIR writes them.")
    texts = [text if len(files) == 1 else f"// ---- {name}\n{text}" for name, text in files.items()]
    context.output.print_heading()
    code = "\n".join(texts).rstrip("\n")
    context.output.print_result(code, data, heads=False, as_it_is=True)


def _read(context: Context) -> list[ExportedPeering]:
    """Return the site's existing peerings, hub by hub, then spoke by spoke."""
    site, reader = context.site, context.reader
    ids = [site.build_network_id(name) for name in site.list_network_names()]
    with context.show_activity(f"Reading the peerings of {site.name}"):
        bodies = run_all(context.clock, [partial(reader.get, id_) for id_ in ids])
    missing = [id_ for id_, body in zip(ids, bodies, strict=True) if body is None]
    if missing:
        raise UnknownReading(
            f"{get_last_name(missing[0])} does not exist in Azure",
            "Nothing was printed. Correct the site file.",
        )
    networks = {
        id_.lower(): readers_network.parse_network(body or {}, id_)
        for id_, body in zip(ids, bodies, strict=True)
    }
    site = context.use_names_of(SiteSnapshot(_format_now(), networks, {}))
    for remark in context.remarks:
        context.output.print_info(remark)
    ours = {id_.lower() for spoke in site.spokes for id_ in site.list_peering_ids(spoke)}
    return [
        export.parse_peering(row, peering.id)
        for network, body in zip(networks.values(), bodies, strict=True)
        for peering in network.peerings
        if peering.id.lower() in ours
        and (row := readers_network.find_peering_row(body, peering.id)) is not None
    ]


def _read_tables(context: Context) -> list[RouteTable]:
    """Return the route tables in the site file, in its order."""
    site = context.site
    ids = [site.build_route_table_id(entry.route_table) for entry in site.routing]
    return run_all(context.clock, [partial(read_table, context.reader, id_) for id_ in ids])


def _write(folder: Path, files: dict[str, str]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        there = [name for name in files if os.path.lexists(folder / name)]
        if there:
            raise UsageFailure(
                f"{folder / there[0]} already exists", "Name an empty folder, or remove it."
            )
        for name, text in files.items():
            output_file.write(folder / name, text, NOTHING)
    except OSError as error:
        raise UsageFailure(f"{folder} cannot be written: {error.strerror or error}") from None


def _format_now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
