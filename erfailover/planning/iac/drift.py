"""Peerings that stand in code as well: what its next apply would undo. Pure.

A site whose file says ``managed_by: terraform`` or ``bicep`` has its peerings in code, which
holds the flags of the path ExpressRoute. After a switch Azure differs from that, and the next
apply would take the spokes back, in an order that nobody has planned. This module only says so;
``export`` writes what the code would have to say.
"""

from __future__ import annotations

from dataclasses import dataclass

from erfailover.model.observed import Observed
from erfailover.model.site import Path, Role, Site

TOOLS = {"terraform": "Terraform's next apply", "bicep": "The next deployment of the Bicep files"}


@dataclass(frozen=True, slots=True)
class AsCode:
    """What stands otherwise in Azure than in the code.

    Attributes:
        managed_by: ``terraform`` or ``bicep``.
        differing: the ids of the peerings whose flags differ.
    """

    managed_by: str
    differing: tuple[str, ...]

    @property
    def command(self) -> str:
        """What prints the peerings as they are."""
        return f"erfailover export {self.managed_by}"

    @property
    def data(self) -> dict[str, object]:
        """The warning as plain data."""
        return {
            "managed_by": self.managed_by,
            "differing": list(self.differing),
            "warning": self.text,
            "command": self.command,
        }

    @property
    def text(self) -> str:
        """The warning, in words."""
        names = ", ".join(each.rsplit("/", 1)[-1] for each in self.differing[:4])
        more = f" and {len(self.differing) - 4} more" if len(self.differing) > 4 else ""
        return (
            f"WARNING: {TOOLS[self.managed_by]} would undo this: {len(self.differing)} peering(s) "
            f"differ from on_expressroute ({names}{more}). Hold it back, or take over what "
            f"{self.command} prints."
        )


def as_code_warning(site: Site, observed: Observed) -> AsCode | None:
    """What the next apply would undo; None where nothing, or where no code is said to be.

    Args:
        site: whose file says which code, and the flags on ExpressRoute.
        observed: the peerings as they are; one that was not read does not count.
    """
    if site.managed_by is None:
        return None
    differing = []
    for spoke in site.spokes:
        for role in Role:
            hub = site.hub(role).virtual_network
            for owner, peering in (
                (spoke.virtual_network, spoke.outward(role)),
                (hub, spoke.inward(role)),
            ):
                found = observed.peering(site.peering_id(owner, peering.name))
                wanted = peering.on(Path.EXPRESSROUTE, found.flags if found else None)
                if found is not None and wanted is not None and found.flags != wanted:
                    differing.append(found.id)
    return AsCode(site.managed_by, tuple(differing)) if differing else None
