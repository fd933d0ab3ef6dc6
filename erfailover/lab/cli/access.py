"""``erfailover lab role`` and ``metric``: the client's rights, and gateway metrics."""

from __future__ import annotations

import json
from pathlib import Path
from typing import IO, Any

import click

from erfailover.lab.auth.rbac import RoleError, read_roles
from erfailover.lab.cli.client import ask, state_dir_option
from erfailover.lab.engine.metrics import UNITS


@click.group()
def role() -> None:
    """Show or limit the rights of the lab's client.

    They work like role assignments in Azure.
    """


@role.command()
@state_dir_option
@click.argument("file", type=click.File())
def limit(state_dir: Path | None, file: IO[str]) -> None:
    """Limit the client to the roles in FILE (- for standard input).

    FILE contains a role definition in the format of `az role definition create`, or a list of
    them. Each role is assigned at its AssignableScopes.
    """
    try:
        definitions = json.load(file)
        read_roles(definitions)
    except (ValueError, RoleError) as problem:
        raise click.UsageError(f"{file.name} is not a valid role definition: {problem}.") from None
    _print_roles(ask(state_dir, "PUT", "/lab/role", definitions))


@role.command()
@state_dir_option
def show(state_dir: Path | None) -> None:
    """Show the client's rights, by scope."""
    _print_roles(ask(state_dir, "GET", "/lab/role"))


@role.command()
@state_dir_option
def clear(state_dir: Path | None) -> None:
    """Remove all limits; the client is an owner again."""
    _print_roles(ask(state_dir, "DELETE", "/lab/role"))


@click.command()
@state_dir_option
@click.argument("resource")
@click.argument("name", type=click.Choice(list(UNITS)))
@click.argument("value", type=click.FloatRange(0))
def metric(state_dir: Path | None, resource: str, name: str, value: float) -> None:
    """Set a gateway metric. RESOURCE is the gateway's id; VALUE is in Azure's unit."""
    body = {"resource": resource, "metric": name, "value": value}
    ask(state_dir, "PUT", "/lab/metric", body)
    click.echo(f"{name} set to {value:g} {UNITS[name]}.")


def _print_roles(roles: Any) -> None:
    for assignment in roles["value"]:
        click.echo(f"{assignment['scope']}: {', '.join(assignment['actions'])}")
        if assignment["not_actions"]:
            click.echo(f"  except {', '.join(assignment['not_actions'])}")
