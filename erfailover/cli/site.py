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
@click.option("--primary-hub", metavar="ID", help="Resource id of the primary hub's VNet.")
@click.option("--backup-hub", metavar="ID", help="Resource id of the backup hub's VNet.")
@click.option("--primary-gateway", metavar="ID", help="The primary hub's gateway, if several.")
@click.option("--backup-gateway", metavar="ID", help="The backup hub's gateway, if several.")
@click.option("--name", help="Site name. Default: the name of the primary hub.")
@click.option(
    "--cloud",
    type=WordChoice(["public", "usgovernment", "china"]),
    help="Azure cloud. Default: public.",
)
@click.option(
    "--tenant",
    "tenants",
    metavar="ID[=CREDENTIAL]",
    multiple=True,
    help="Another tenant that owns spokes or a hub, and the credential that signs in to it "
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
    help="Prefix that the spokes must reach, instead of those that the primary gateway has "
    "learned; repeatable.",
)
@add_common_options
def init(force: bool, from_azure: bool, **options: Any) -> None:
    """Write a commented site file to edit.

    It has a sample topology or, with --from-azure, an existing network.
    """
    names = ("primary_hub", "backup_hub", "primary_gateway", "backup_gateway", "name", "cloud")
    body = {name: options.pop(name) for name in (*names, "tenants", "spokes", "remote_prefixes")}
    if not from_azure:
        if any(body.values()):
            raise click.UsageError("The options that describe a network need --from-azure.")
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
    """Create the whole topology of the site file.

    After an interruption, run it again to resume.
    """
    from erfailover.commands.provision import command

    command.run(build_context(options), dry_run=dry_run)


@click.command(cls=CommandWithExamples)
@click.option("--dry-run", is_flag=True, help="Show what would be deleted and stop.")
@add_write_options
@add_common_options
def destroy(dry_run: bool, **options: Any) -> None:
    """Delete the resources that provision created.

    Other resources are kept, even those in the same resource group.
    """
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
    """Print the site's current peerings as code."""
    from erfailover.commands.site import export as command

    command.run(build_context(options), language, split)


@click.command(cls=CommandWithExamples)
@add_output_options
@SITE
def validate(site_file: Path, **options: Any) -> None:
    """Check the site file without signing in or calling Azure.

    Prints a one-line summary and any warnings. To compare the file with Azure, use `doctor`.
    """
    from erfailover.commands.output import Output
    from erfailover.commands.site import validate as command

    output = Output(*pop_output(options))
    command.run(site_file, output)
    if output.query_failure is not None:
        raise output.query_failure


ALL = (init, provision, destroy, export, validate)
