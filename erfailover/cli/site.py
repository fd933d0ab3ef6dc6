"""The commands that make a site: its file, its resources, its peerings as code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from erfailover.cli.help import CommandWithExamples
from erfailover.cli.options import (
    SITE,
    WordChoice,
    add_common_options,
    add_output_options,
    add_write_options,
    build_context,
    pop_output,
)


@click.command(cls=CommandWithExamples)
@click.option("--force", is_flag=True, help="Replace an existing site file.")
@click.option("--from-azure", is_flag=True, help="Adopt an existing network (read-only).")
@click.option("--primary-hub", metavar="ID", help="The primary hub's VNet, by its full id.")
@click.option("--backup-hub", metavar="ID", help="The backup hub's VNet, by its full id.")
@click.option("--primary-gateway", metavar="ID", help="Its gateway, if it has several.")
@click.option("--backup-gateway", metavar="ID", help="Its gateway, if it has several.")
@click.option("--name", help="The site's name; otherwise that of the primary hub.")
@click.option(
    "--cloud",
    type=WordChoice(["public", "usgovernment", "china"]),
    help="Whose network it is; otherwise the public cloud's.",
)
@click.option(
    "--tenant",
    "tenants",
    metavar="ID[=CREDENTIAL]",
    multiple=True,
    help="A further tenant that owns spokes or a hub, and which credential signs in to it "
    "(default, azure-cli, environment, workload-identity); repeatable.",
)
@click.option(
    "--spoke", "spokes", metavar="NAME|ID", multiple=True, help="Only these spokes; repeatable."
)
@click.option(
    "--remote-prefix",
    "remote_prefixes",
    metavar="PREFIX",
    multiple=True,
    help="What the spokes must reach, instead of what the primary has learned; repeatable.",
)
@add_common_options
def init(force: bool, from_azure: bool, **options: Any) -> None:
    """Write a commented site file to edit.

    With a sample topology, or --from-azure for an existing network.
    """
    names = ("primary_hub", "backup_hub", "primary_gateway", "backup_gateway", "name", "cloud")
    body = {name: options.pop(name) for name in (*names, "tenants", "spokes", "remote_prefixes")}
    if not from_azure:
        if any(body.values()):
            raise click.UsageError("--primary-hub and its like need --from-azure.")
        from erfailover.commands.site import init as command

        context = build_context(options)
        context.output.heading = None
        command.run(context.site_file, context.output, force=force)
        return
    if not body["primary_hub"] or not body["backup_hub"]:
        raise click.UsageError("--from-azure needs --primary-hub ID and --backup-hub ID.")
    from erfailover.commands.site import adopt

    body["cloud"] = body["cloud"] or "public"
    adopt.run(build_context(options), adopt.Options(**body, force=force))


@click.command(cls=CommandWithExamples)
@click.option("--dry-run", is_flag=True, help="Show the plan and stop.")
@add_write_options
@add_common_options
def provision(dry_run: bool, **options: Any) -> None:
    """Make the whole topology of the site file.

    Run again after an interruption, it goes on where it was.
    """
    from erfailover.commands.provision import command

    command.run(build_context(options), dry_run=dry_run)


@click.command(cls=CommandWithExamples)
@click.option("--dry-run", is_flag=True, help="Show what would be deleted and stop.")
@add_write_options
@add_common_options
def destroy(dry_run: bool, **options: Any) -> None:
    """Delete what provision created, in the order Azure allows."""
    from erfailover.commands.provision import destroy as command

    command.run(build_context(options), dry_run=dry_run)


@click.command(cls=CommandWithExamples)
@click.argument("language", type=WordChoice(["terraform", "bicep"]))
@click.option(
    "--split",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write files into a folder instead of printing them.",
)
@add_common_options
def export(language: str, split: Path | None, **options: Any) -> None:
    """Print the site's peerings as they are now, as code."""
    from erfailover.commands.site import export as command

    command.run(build_context(options), language, split)


@click.command(cls=CommandWithExamples)
@add_output_options
@SITE
def validate(site_file: Path, **options: Any) -> None:
    """Check the site file alone: no sign-in, no call to Azure.

    Prints what was read in one line, and warnings. Whether Azure agrees is for `doctor` to say.
    """
    from erfailover.commands.output import Output
    from erfailover.commands.site import validate as command

    output = Output(*pop_output(options))
    command.run(site_file, output)
    if output.query_failure is not None:
        raise output.query_failure


ALL = (init, provision, destroy, export, validate)
