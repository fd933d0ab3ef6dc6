"""``erfailover lab fault``: add, list and clear the faults of a running lab."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import yaml

from erfailover.lab.cli.client import ask, state_dir_option
from erfailover.lab.engine.faults import FaultError, FaultKind, read_faults
from erfailover.lab.routing.circuit_sessions import PATHS


@click.group()
def fault() -> None:
    """Make requests to the lab fail on demand.

    A path pattern can contain * and ?. It matches the whole path or, without a leading slash, the
    end of the path: virtualNetworkGateways/*/getLearnedRoutes.
    """


@fault.command()
@state_dir_option
@click.argument(
    "kind", type=click.Choice([*(fault_kind.value for fault_kind in FaultKind), "unreliable-reads"])
)
@click.option("--method", default="*", show_default=True, help="HTTP method, or * for any.")
@click.option("--path", default="*", show_default=True, help="Pattern of the request path.")
@click.option("--nth", default=1, show_default=True, help="The first matching request to affect.")
@click.option("--every", default=1, show_default=True, help="After that, affect every N-th match.")
@click.option(
    "--times", default=1, show_default=True, help="Total number of affected requests; 0: no limit."
)
@click.option("--chance", default=1.0, show_default=True, help="Probability (above 0, up to 1).")
@click.option(
    "--seconds",
    default=0.0,
    help="Length of a delay, age of a stale read, or Retry-After, in modelled seconds.",
)
@click.option(
    "--status", default=500, show_default=True, help="HTTP status. For answer faults only."
)
@click.option("--code", default="", help="Error code.")
@click.option("--message", default="", help="Error message.")
@click.option(
    "--header",
    "headers",
    multiple=True,
    metavar="NAME=VALUE",
    help="Response header. For answer faults only.",
)
@click.option("--body", default="", metavar="JSON", help="Body. For answer faults only.")
def add(
    state_dir: Path | None, kind: str, headers: tuple[str, ...], body: str, **rest: Any
) -> None:
    """Add a fault."""
    if kind == "unreliable-reads":
        _add_faults(state_dir, "unreliable-reads")
        return
    description: dict[str, Any] = {"kind": kind, **rest}
    if headers:
        pairs = [header.partition("=") for header in headers]
        if not all(middle for _, middle, _ in pairs):
            raise click.BadParameter(
                "A header must have the form NAME=VALUE.", param_hint="--header"
            )
        description["headers"] = {name: value for name, _, value in pairs}
    if body:
        try:
            description["body"] = json.loads(body)
        except ValueError:
            raise click.BadParameter("The body is not valid JSON.", param_hint="--body") from None
    _add_faults(state_dir, description)


@fault.command()
@state_dir_option
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def load(state_dir: Path | None, file: Path) -> None:
    """Add the faults of a scenario file: a list in YAML or JSON."""
    try:
        descriptions = yaml.safe_load(file.read_text())
    except yaml.YAMLError as error:
        raise click.UsageError(f"{file} is not valid YAML: {error}") from None
    _add_faults(state_dir, descriptions)


@fault.command("list")
@state_dir_option
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
def list_(state_dir: Path | None, output: str) -> None:
    """List the active faults and how often each was applied."""
    rows = ask(state_dir, "GET", "/lab/faults")["value"]
    if output == "json":
        click.echo(json.dumps(rows))
        return
    for row in rows:
        rest = {key: value for key, value in row.items() if key not in {"id", "kind"}}
        details = "  ".join(f"{key}={value}" for key, value in rest.items())
        click.echo(f"{row['id']:4} {row['kind']:16} {details}")


@fault.command()
@state_dir_option
@click.argument("fault_id", default="")
def clear(state_dir: Path | None, fault_id: str) -> None:
    """Remove one fault, or all; operations that they hold up end now."""
    path = f"/lab/faults/{fault_id}" if fault_id else "/lab/faults"
    cleared = ask(state_dir, "DELETE", path)["cleared"]
    click.echo(f"Cleared: {' '.join(cleared) or 'none'}")


@fault.command()
@state_dir_option
@click.argument("circuit")
@click.option(
    "--path", "paths", multiple=True, type=click.Choice(PATHS), help="Edge router. Default: both."
)
@click.option(
    "--seconds",
    default=0.0,
    help="Duration of the loss, in modelled seconds. Default: until --restore.",
)
@click.option("--every", default=0.0, help="Interval between repeated losses, in modelled seconds.")
@click.option("--times", default=1, show_default=True, help="Number of losses; 0: no limit.")
@click.option("--restore", is_flag=True, help="Restore all sessions.")
def session(
    state_dir: Path | None,
    circuit: str,
    paths: tuple[str, ...],
    seconds: float,
    every: float,
    times: int,
    restore: bool,
) -> None:
    """Take down a circuit's BGP sessions with the customer edge.

    The on-premises routes are withdrawn. The gateway's own sessions, with Microsoft's edge, stay
    Connected. Use --every and --times to make the circuit flap.
    """
    request: dict[str, Any] = {"circuit": circuit, "paths": paths or PATHS, "seconds": seconds}
    request |= {"every": every, "times": times}
    if restore:
        request |= {"paths": (), "seconds": 0.0, "every": 0.0, "times": 1}
    lost = ask(state_dir, "PUT", "/lab/sessions", request)["lost"]
    click.echo(f"Lost: {' '.join(lost) or 'none'}")


def _add_faults(state_dir: Path | None, descriptions: Any) -> None:
    try:
        read_faults(descriptions)
    except FaultError as problem:
        raise click.UsageError(str(problem)) from None
    ids = ask(state_dir, "POST", "/lab/faults", descriptions)["ids"]
    click.echo(f"Added: {' '.join(ids)}")
