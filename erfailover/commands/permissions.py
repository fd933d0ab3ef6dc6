"""``erfailover permissions``: the rights that a site needs, as a table or a custom role."""

from __future__ import annotations

import json
import sys

from erfailover import permissions, report_doctor
from erfailover.commands.context import Context
from erfailover.errors import UsageFailure
from erfailover.permissions import RoleKind


def run(context: Context, role: str | None) -> None:
    """Show what is needed where, or print a role definition. Azure is not asked.

    Raises:
        UsageFailure: the site's ids cannot be made without a subscription.
    """
    site = context.site
    if site.subscription is None and any("/None/" in each for each in permissions.groups(site)):
        raise UsageFailure(
            f"{context.site_file} names no subscription, and AZURE_SUBSCRIPTION_ID is not set",
            "Add subscription: <id> to the site file, or export AZURE_SUBSCRIPTION_ID.",
        )
    if role is None:
        rows = list(permissions.rows(site))
        context.show(report_doctor.rights_text(site, rows), report_doctor.rights_data(site, rows))
        return
    found = permissions.role_definition(site, RoleKind(role))
    if context.output == "yaml":
        context.show("", found)
    else:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
        sys.stdout.flush()
