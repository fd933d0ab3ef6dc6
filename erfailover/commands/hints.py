"""What to do next, if a site's resources are not found."""

from __future__ import annotations

from erfailover.model.site import Site

SUGGEST_PROVISION = frozenset({"status", "diagram", "doctor", "verify"})
"""The commands that suggest ``provision`` for a site with a topology. What acts on an existing
network does not: in a wrong subscription ``provision`` would build another one."""


def explain_not_found(site: Site) -> str:
    """Return what to check if nothing of a site was found; only a topology can be provisioned."""
    check = "Check the subscription and the names in the site file: erfailover doctor"
    return (
        check if site.topology is None else f"{check}. To create the network: erfailover provision"
    )
