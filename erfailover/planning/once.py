"""What follows from a reading of a gateway, worked out once and shared by all who ask. Pure.

A site has hundreds of spokes behind one gateway, whose tables have thousands of rows.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeVar, TypeVarTuple

from erfailover.model.observed import Gateway

Inputs = TypeVarTuple("Inputs")
T = TypeVar("T")
G = TypeVar("G", Gateway, Gateway | None)


def once_per_reading(work: Callable[[G, *Inputs], T]) -> Callable[[G, *Inputs], T]:
    """Make a function of a gateway keep its result with that reading of the gateway.

    Its further arguments are compared by identity: they are kept with the result, and must not
    change.
    """

    @wraps(work)
    def compute_once(gateway: G, *inputs: *Inputs) -> T:
        if gateway is None:
            return work(gateway, *inputs)
        key = work, *map(id, inputs)
        if key not in gateway.derived:
            gateway.derived[key] = inputs, work(gateway, *inputs)
        result: T = gateway.derived[key][1]
        return result

    return compute_once
