"""``erfailover permissions``: the rights that a site needs, as a table or a custom role."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from erfailover.commands.output import Output
from erfailover.commands.site_file import SiteFile
from erfailover.errors import UsageFailure
from erfailover.planning.doctor import permissions
from erfailover.planning.doctor.permissions import RoleKind
from erfailover.reporting import doctor as told

SCOPE = re.compile(
    r"/subscriptions/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(/resourceGroups/[^/]+(/providers/.+)?)?",
    re.IGNORECASE,
)


def run(site_file: SiteFile, output: Output, role: str | None, scopes: Sequence[str] = ()) -> None:
    """Show what is needed where, or print a role definition. Azure is not asked.

    Args:
        site_file: the site.
        output: shows the result.
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
                "'az group show --name NAME --query id' prints a resource group's.",
            )
    site = site_file.site
    if site.subscription is None and any("/None/" in each for each in permissions.groups(site)):
        raise UsageFailure(
            f"{site_file} names no subscription, and AZURE_SUBSCRIPTION_ID is not set",
            "Add subscription: <id> to the site file, or export AZURE_SUBSCRIPTION_ID.",
        )
    if role is None:
        rows = list(permissions.rows(site))
        output.print_result(told.rights_text(site, rows), told.rights_data(site, rows))
        return
    found = permissions.role_definition(site, RoleKind(role), [each.rstrip("/") for each in scopes])
    output.print_result(json.dumps(found, indent=2), found)
