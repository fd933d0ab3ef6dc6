"""The writers of a switch: one for each kind of write that the lease treats differently."""

from __future__ import annotations

from dataclasses import dataclass

from erfailover.azure.writer import Writer


@dataclass(frozen=True)
class Writers:
    """A writer for each kind of write that the lease treats differently (``model.fencing``).

    Attributes:
        take_off: for the break.
        make: for the make, which may be sent for a while although the store is silent.
        other: for everything else.
    """

    take_off: Writer
    make: Writer
    other: Writer
