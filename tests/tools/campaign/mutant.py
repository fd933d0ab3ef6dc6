"""What a wrong controller is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.tools.campaign.cells import Direction

Patch = Callable[[], None]


@dataclass(frozen=True)
class Mutant:
    """One wrong controller.

    Attributes:
        apply: makes this process's controller wrong.
        cell: the id of the cell that shows it; empty for a run without trouble.
        caught_by: the check that is expected to catch it.
        direction: of the switch.
    """

    name: str
    apply: Patch
    cell: str
    caught_by: str
    direction: Direction = Direction.IPSEC


def patch(owner: object, name: str, value: object) -> None:
    """Replace an attribute of a module or a class that has one of this name.

    Raises:
        AttributeError: it has none; set all the same, it would change nothing.
    """
    getattr(owner, name)
    setattr(owner, name, value)
