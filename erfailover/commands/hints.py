"""What to do next, if a site's resources are not found."""

from __future__ import annotations

from erfailover.model.site import Site


def not_found_hint(site: Site) -> str:
    """Return what to check if nothing of a site was found; only a topology can be provisioned."""
    check = "Check the subscription and the names in the site file: erfailover doctor"
    return (
        check if site.topology is None else f"{check}. To create the network: erfailover provision"
    )
