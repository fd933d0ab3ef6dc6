"""How long Azure usually takes to create, update and delete the resources of a topology. Pure.

Medians and 90th percentiles of recorded operations, first answers included; gateways are those of
the SKU VpnGw1. What is not listed takes some seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from erfailover.model.durations import PEERING_WRITES, DurationEstimate
from erfailover.model.plan import Change
from erfailover.model.resource_ids import (
    CONNECTION,
    GATEWAY,
    GROUP,
    LOCAL_GATEWAY,
    MACHINE,
    PEERING,
    PUBLIC_IP,
)

DURATIONS: Mapping[Change, Mapping[str, DurationEstimate]] = MappingProxyType(
    {
        Change.CREATE: {
            GATEWAY: DurationEstimate(1092.0, 1330.0),
            MACHINE: DurationEstimate(72.0, 128.0),
            CONNECTION: DurationEstimate(12.0, 26.0),
            LOCAL_GATEWAY: DurationEstimate(6.0, 9.0),
            PEERING: PEERING_WRITES["create"],
        },
        Change.UPDATE: {
            GATEWAY: DurationEstimate(113.0, 151.0),
            MACHINE: DurationEstimate(7.0, 24.0),
            CONNECTION: DurationEstimate(27.0, 97.0),
            LOCAL_GATEWAY: DurationEstimate(6.0, 10.0),
            PEERING: PEERING_WRITES["update"],
        },
        Change.DELETE: {
            GATEWAY: DurationEstimate(404.0, 595.0),
            GROUP: DurationEstimate(220.0, 688.0),
            MACHINE: DurationEstimate(40.0, 121.0),
            CONNECTION: DurationEstimate(10.0, 141.0),
            PUBLIC_IP: DurationEstimate(9.0, 15.0),
            LOCAL_GATEWAY: DurationEstimate(6.0, 9.0),
            PEERING: PEERING_WRITES["delete"],
        },
    }
)
SETUP = DurationEstimate(18.0, 52.0)
"""A script by Run Command."""
NOTABLE_S = 30.0
"""What usually takes at least so long is named in a plan."""


def find_usual(type_: str, change: Change) -> DurationEstimate | None:
    """Return how long a change of a resource usually takes; None if that is not known."""
    return DURATIONS.get(change, {}).get(type_)


def select_notable(changes: Iterable[tuple[str, Change]]) -> dict[str, DurationEstimate]:
    """Return the types among some changes that take long, the longest first."""
    existing = {
        type_: usual
        for type_, change in changes
        if (usual := find_usual(type_, change)) is not None and usual.usually_s >= NOTABLE_S
    }
    return dict(sorted(existing.items(), key=lambda pair: -pair[1].usually_s))
