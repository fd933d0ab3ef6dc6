"""``erfailover lab fault``: arm, list and clear the faults of a running lab."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import yaml

from erfailover.lab.cli.client import ask, state_dir_option
from erfailover.lab.engine.faults import FaultProblem, Kind, read_faults
from erfailover.lab.routing.circuit_sessions import PATHS


@click.group()
def fault() -> None:
    """Let requests to the lab go wrong, on demand.

    A path pattern has * and ?, and matches the whole path, or its end where it begins with no
    slash: virtualNetworkGateways/*/getLearnedRoutes.
    """


@fault.command()
@state_dir_option
@click.argument("kind", type=click.Choice([*(each.value for each in Kind), "unreliable-reads"]))
@click.option("--method", default="*", show_default=True, help="GET, PUT, ... or * for any.")
@click.option("--path", default="*", show_default=True, help="Which requests, by their path.")
@click.option("--nth", default=1, show_default=True, help="The first matching request to strike.")
@click.option("--every", default=1, show_default=True, help="Then every so many of them.")
@click.option("--times", default=1, show_default=True, help="How often in all; 0 is without end.")
@click.option("--chance", default=1.0, show_default=True, help="How likely, of those.")
@click.option("--seconds", default=0.0, help="Of a delay, a stale read, Retry-After; modelled.")
@click.option("--status", default=500, show_default=True, help="Of kind answer.")
@click.option("--code", default="", help="The error's code.")
@click.option("--message", default="", help="The error's message.")
@click.option("--header", "headers", multiple=True, metavar="NAME=VALUE", help="Of kind answer.")
@click.option("--body", default="", metavar="JSON", help="Of kind answer.")
def add(
    state_dir: Path | None, kind: str, headers: tuple[str, ...], body: str, **rest: Any
) -> None:
    """Arm a fault."""
    if kind == "unreliable-reads":
        _arm(state_dir, "unreliable-reads")
        return
    found: dict[str, Any] = {"kind": kind, **rest}
    if headers:
        pairs = [each.partition("=") for each in headers]
        if not all(middle for _, middle, _ in pairs):
            raise click.BadParameter("a header is NAME=VALUE")
        found["headers"] = {name: value for name, _, value in pairs}
    if body:
        try:
            found["body"] = json.loads(body)
        except ValueError:
            raise click.BadParameter("the body is no JSON") from None
    _arm(state_dir, found)


@fault.command()
@state_dir_option
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def load(state_dir: Path | None, file: Path) -> None:
    """Arm the faults of a scenario file: a list in YAML or JSON."""
    try:
        found = yaml.safe_load(file.read_text())
    except yaml.YAMLError as error:
        raise click.ClickException(f"{file} is no YAML: {error}") from None
    _arm(state_dir, found)


@fault.command("list")
@state_dir_option
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
def list_(state_dir: Path | None, output: str) -> None:
    """Show the armed faults, and how often each has struck."""
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
    """Disarm one fault, or all; what they keep stuck ends now."""
    path = f"/lab/faults/{fault_id}" if fault_id else "/lab/faults"
    cleared = ask(state_dir, "DELETE", path)["cleared"]
    click.echo(f"Cleared: {' '.join(cleared) or 'none'}")


@fault.command()
@state_dir_option
@click.argument("circuit")
@click.option(
    "--path", "paths", multiple=True, type=click.Choice(PATHS), help="Of one edge router only."
)
@click.option("--seconds", default=0.0, help="For so long, modelled; without it for good.")
@click.option("--every", default=0.0, help="Again so many seconds after it was lost.")
@click.option("--times", default=1, show_default=True, help="How often in all; 0 is without end.")
@click.option("--restore", is_flag=True, help="Have all sessions up again, and lose none.")
def session(
    state_dir: Path | None,
    circuit: str,
    paths: tuple[str, ...],
    seconds: float,
    every: float,
    times: int,
    restore: bool,
) -> None:
    """Let a circuit lose its BGP sessions with the customer edge.

    What lies behind it is then no longer announced. The gateway's own sessions, with Microsoft's
    edge, stay Connected. With --every and --times the circuit flaps.
    """
    found: dict[str, Any] = {"circuit": circuit, "paths": paths or PATHS, "seconds": seconds}
    found |= {"every": every, "times": times}
    if restore:
        found |= {"paths": (), "seconds": 0.0, "every": 0.0, "times": 1}
    lost = ask(state_dir, "PUT", "/lab/sessions", found)["lost"]
    click.echo(f"Lost: {' '.join(lost) or 'none'}")


def _arm(state_dir: Path | None, found: Any) -> None:
    try:
        read_faults(found)
    except FaultProblem as problem:
        raise click.UsageError(str(problem)) from None
    ids = ask(state_dir, "POST", "/lab/faults", found)["ids"]
    click.echo(f"Armed: {' '.join(ids)}")
