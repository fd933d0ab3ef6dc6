"""Since when an answer carries ``azure-asyncnotification``.

Owns the days. All from recordings: Microsoft.Compute between 2018-08 and 2019-12; what
Microsoft.Network tracks between 2019-12 and 2020-09, its children, connections, and updates
of VNets and network interfaces between 2020-12 and 2023-01. The days in between are assumed.
"""

from __future__ import annotations

import datetime as dt

from erfailover.lab import resource_types as rt

COMPUTE_SINCE = dt.date(2019, 1, 1)
TRACKED_SINCE = dt.date(2020, 3, 1)
ALL_SINCE = dt.date(2021, 1, 1)


def notifies(type_: str, verb: str, today: dt.date) -> bool:
    """Whether the answers to a write carry the header; ``verb`` is create, update, delete, post."""
    if type_.startswith(rt.COMPUTE):
        return verb != "post" and today >= COMPUTE_SINCE
    known = rt.TYPES[type_.lower()]
    late = not known.tracked or type_ == rt.CONNECTION
    late = late or (verb == "update" and type_ in {rt.VNET, rt.NIC})
    return today >= (ALL_SINCE if late else TRACKED_SINCE)
