"""``erfailover lab role`` and ``metric``: what the client may do, what a gateway carries."""

from __future__ import annotations

import json
from pathlib import Path
from typing import IO, Any

import click

from erfailover.lab.auth.rbac import RoleProblem, read_roles
from erfailover.lab.cli.client import ask, state_dir_option
from erfailover.lab.engine.metrics import UNITS


@click.group()
def role() -> None:
    """Limit what the lab's client may do, as role assignments do in Azure."""


@role.command()
@state_dir_option
@click.argument("file", type=click.File())
def limit(state_dir: Path | None, file: IO[str]) -> None:
    """Give the client the roles of FILE (- is standard input), and nothing else.

    FILE holds a role definition as `az role definition create` takes it, or a list of them; each
    is assigned at its AssignableScopes.
    """
    try:
        found = json.load(file)
        read_roles(found)
    except (ValueError, RoleProblem) as problem:
        raise click.UsageError(f"{file.name} is no role definition: {problem}") from None
    _tell(ask(state_dir, "PUT", "/lab/role", found))


@role.command()
@state_dir_option
def show(state_dir: Path | None) -> None:
    """Show what the client may do, and where."""
    _tell(ask(state_dir, "GET", "/lab/role"))


@role.command()
@state_dir_option
def clear(state_dir: Path | None) -> None:
    """Let the client do everything again."""
    _tell(ask(state_dir, "DELETE", "/lab/role"))


@click.command()
@state_dir_option
@click.argument("resource")
@click.argument("name", type=click.Choice(list(UNITS)))
@click.argument("value", type=click.FloatRange(0))
def metric(state_dir: Path | None, resource: str, name: str, value: float) -> None:
    """Let a metric of the gateway with the id RESOURCE have a VALUE, in Azure's unit for it."""
    body = {"resource": resource, "metric": name, "value": value}
    ask(state_dir, "PUT", "/lab/metric", body)
    click.echo(f"{name} is {value:g} {UNITS[name]}.")


def _tell(found: Any) -> None:
    for each in found["value"]:
        click.echo(f"{each['scope']}: {', '.join(each['actions'])}")
        if each["not_actions"]:
            click.echo(f"  but not {', '.join(each['not_actions'])}")
