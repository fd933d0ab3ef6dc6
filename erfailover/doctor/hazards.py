"""What else could keep traffic on the primary hub after a switch to the backup. Pure.

The claims are ``erfailover.hazards``'; one that is unknown does not keep a switch from working.
"""

from __future__ import annotations

from collections.abc import Iterator

from erfailover.doctor.lines import Check, Group
from erfailover.facts import Facts
from erfailover.hazards import hazards as claims
from erfailover.site import Path, Site


def hazards(site: Site, facts: Facts) -> Iterator[Check]:
    """A line for each hazard found or not decidable, and for each kind of which there is none."""
    for claim in claims(site, facts.around, facts.observed, Path.IPSEC):
        name = claim.name.replace("_", "-")
        yield Check(name, Group.NETWORKS, claim.verdict, claim.seen, claim.remedy, required=False)
