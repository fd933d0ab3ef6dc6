"""What follows from a reading of a gateway or a site, worked out once for all who ask. Pure.

A site has hundreds of spokes behind one gateway, whose tables have thousands of rows, and hundreds
may share a route table.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeVar, TypeVarTuple

from erfailover.model.observed import Gateway, SiteSnapshot

Inputs = TypeVarTuple("Inputs")
T = TypeVar("T")
G = TypeVar("G", Gateway, Gateway | None, SiteSnapshot)


def once_per_reading(work: Callable[[G, *Inputs], T]) -> Callable[[G, *Inputs], T]:
    """Make a function of a gateway or a site keep its result with that reading.

    Its further arguments are compared by identity: they are kept with the result, and must not
    change.
    """

    @wraps(work)
    def compute_once(reading: G, *inputs: *Inputs) -> T:
        if reading is None:
            return work(reading, *inputs)
        key = work, *map(id, inputs)
        if key not in reading.derived:
            reading.derived[key] = inputs, work(reading, *inputs)
        result: T = reading.derived[key][1]
        return result

    return compute_once
