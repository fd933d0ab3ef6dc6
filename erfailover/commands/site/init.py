"""``erfailover init``: a commented site file to edit.

Of the proof of concept's topology, or of an existing network (``adopt``).
"""

from __future__ import annotations

from pathlib import Path

from erfailover.commands import output_file
from erfailover.commands.output import Output
from erfailover.commands.output_file import FileKind
from erfailover.commands.site_file import SiteFile
from erfailover.config import loader
from erfailover.errors import UsageFailure
from erfailover.reporting import schemas

SCHEMA_FILE = "erfailover.schema.json"
SCHEMA = FileKind("a schema of site files", lambda content: schemas.ID.encode() in content)


def run(site_file: SiteFile, output: Output, *, force: bool) -> None:
    """Write the proof of concept's site file.

    Args:
        site_file: the file to write.
        output: shows what was written.
        force: replace an existing file.

    Raises:
        UsageFailure: there is one already, or it cannot be written.
    """
    path = site_file.path
    schema = write(path, loader.read_template(), force=force)
    text = (
        f"Wrote {path} with a sample topology. Replace its names, prefixes and ASNs with yours, "
        "then run:\n  erfailover provision --dry-run"
    )
    text += describe_schema(schema)
    output.print_result(text, {"site_file": str(path), "schema_file": schema})


def describe_schema(schema: str | None) -> str:
    """Return what to say of the schema beside a site file."""
    if schema is None:
        return ""
    return f"\nEditors with YAML support can validate it with {schema}."


def write(path: Path, text: str, *, force: bool) -> str | None:
    """Write a site file; replace an existing one only with ``force``.

    Beside it goes the schema of its keys, which the file's first line names for editors (the YAML
    language server's convention, a path from the file's folder).

    Returns:
        Where the schema was written; None if it could not be: the file is whole without it.
    """
    output_file.check(path, output_file.SITE)
    if path.exists() and not force:
        raise build_exists_failure(path)
    schema = _write_schema(path.with_name(SCHEMA_FILE))
    line = f"# yaml-language-server: $schema={SCHEMA_FILE}\n" if schema else ""
    output_file.write(path, line + text, output_file.SITE)
    return schema


def _write_schema(path: Path) -> str | None:
    """Write the schema, over that of another version, never over a file that is something else."""
    try:
        output_file.write(path, schemas.read_text(schemas.SITE), SCHEMA)
    except UsageFailure:
        return None
    return str(path)


def build_exists_failure(path: Path) -> UsageFailure:
    """Return the error for a site file that already exists."""
    return UsageFailure(
        f"{path} already exists",
        "Choose another file with --site, or replace this one with --force.",
    )
