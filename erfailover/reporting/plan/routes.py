"""Writes of user-defined routes in words and as data. Pure."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from erfailover.model.plan import Change, NextHopWrites, RouteWrite
from erfailover.model.route_tables import UserRoute


def describe_route(write: RouteWrite) -> str:
    """Return what one write changes: ``rt/default: 0.0.0.0/0 through 10.0.1.4 -> 10.2.1.4``."""
    name = write.full_name
    if write.after is None:
        return f"{name}: removed"
    after = _format_hop(write.after)
    if write.before is None:
        return f"{name}: {write.after.prefix} through {after}"
    return f"{name}: {write.after.prefix} through {_format_hop(write.before)} -> {after}"


def _format_hop(route: UserRoute) -> str:
    return route.next_hop or route.next_hop_type


def describe_routes(writes: NextHopWrites) -> list[str]:
    """Return what the writes of a step change, route by route."""
    return [describe_route(write) for write in writes.routes]


def build_routes_data(writes: NextHopWrites) -> dict[str, Any]:
    """Return the writes of a step as plain data."""
    return {
        "change": str(writes.change),
        "tables": list(writes.tables),
        "routes": [
            {
                "change": str(write.change),
                "route": write.route_id,
                "before": asdict(write.before) if write.before else None,
                "after": asdict(write.after) if write.after else None,
            }
            for write in writes.routes
        ],
    }


def count_routes(plan_writes: list[NextHopWrites]) -> dict[Change, int]:
    """Return how many routes are written in each way; one of a shared table counts once."""
    by_id = {
        write.route_id.lower(): write.change for writes in plan_writes for write in writes.routes
    }
    return {change: list(by_id.values()).count(change) for change in Change}
