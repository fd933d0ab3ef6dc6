"""``erfailover permissions``: the rights that a site needs, as a table or a custom role."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from erfailover.azure.readers.operations import read_operations
from erfailover.commands.context import Context
from erfailover.errors import Failure, UsageFailure
from erfailover.planning.doctor import permissions
from erfailover.planning.doctor.permissions import RoleKind
from erfailover.reporting import doctor as told

SCOPE = re.compile(
    r"/subscriptions/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(/resourceGroups/[^/]+(/providers/.+)?)?",
    re.IGNORECASE,
)

ROWS = "permissions[].[role, action]"
"""The columns of ``-o tsv``."""


def run(context: Context, role: str | None, scopes: Sequence[str] = ()) -> None:
    """Show what is needed where, or print a role definition.

    For a role Azure is asked which actions it knows; if it cannot be asked, names that were not
    seen published are left out.

    Args:
        context: the site, and how Azure is reached.
        role: ``read`` or ``switch``, to print a role; None for the table.
        scopes: further ``AssignableScopes`` of the role.

    Raises:
        UsageFailure: the site's ids cannot be made without a subscription; a scope is none.
    """
    for scope in scopes:
        if role is None or not SCOPE.fullmatch(scope.rstrip("/")):
            raise UsageFailure(
                f"--scope {scope}: expected --role-definition with it, and "
                "/subscriptions/<guid>[/resourceGroups/<name>]",
                "'az group show --name NAME --query id' prints the id of a resource group.",
            )
    site_file, output = context.site_file, context.output
    site = site_file.site
    if site.subscription is None and any(
        "/None/" in group for group in permissions.list_groups(site)
    ):
        raise UsageFailure(
            f"{site_file} does not set subscription, and AZURE_SUBSCRIPTION_ID is not set",
            "Add subscription: <id> to the site file, or export AZURE_SUBSCRIPTION_ID.",
        )
    if role is None:
        rows = list(permissions.iter_rows(site))
        output.print_result(
            told.format_rights(site, rows), told.build_rights_data(site, rows), ROWS
        )
        return
    kind = RoleKind(role)
    checked = permissions.select_actions(site, kind, _read_operations(context))
    if checked.left_out:
        output.print_info(
            f"Left out: {', '.join(checked.left_out)}. Azure rejects a whole role for one action "
            "that it does not know, and these names are not confirmed."
        )
    if checked.unconfirmed:
        output.print_info(
            f"Not confirmed: {', '.join(checked.unconfirmed)}. If Azure returns "
            "InvalidActionOrNotAction, remove them; only drill needs them."
        )
    more = [name.rstrip("/") for name in scopes]
    role_definition = permissions.build_role_definition(site, kind, more, checked.actions)
    output.print_heading()
    output.print_result(
        json.dumps(role_definition, indent=2), role_definition, heads=False, as_it_is=True
    )


def _read_operations(context: Context) -> dict[str, frozenset[str]]:
    """Return what the providers publish; nothing of those that could not be asked."""
    try:
        with context.show_activity("Asking Azure which actions it knows"):
            operations = read_operations(context.reader, permissions.list_providers(context.site))
    except Failure as failure:
        context.output.print_info(f"Could not read which actions Azure knows: {failure.message}")
        return {}
    unread = {
        name: reading.unknown for name, reading in operations.items() if reading.value is None
    }
    if unread:
        names, why = ", ".join(unread), next(iter(unread.values()))
        context.output.print_info(f"Could not read which actions {names} knows: {why}")
    return {
        name: reading.value for name, reading in operations.items() if reading.value is not None
    }
