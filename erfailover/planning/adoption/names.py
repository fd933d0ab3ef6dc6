"""Names of adopted spokes and of the peerings that a site is to have. Pure.

Unique, within Azure's rules, and in the convention of the peerings that exist.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from erfailover.model.observed import Peering
from erfailover.model.resource_ids import get_last_name, parse
from erfailover.planning.peering_names import LONGEST_NAME

VIRTUAL_WAN = ("remotevnettohubpeering_", "hv_")
"""How names begin, in lower case, of a VNet's peering with a Virtual WAN hub, and of the VNet that
such a hub is in, in a subscription of Microsoft's (seen in public)."""


def describe_lender(peering: Peering) -> str:
    """Whose gateway a peering uses, in words."""
    hub = get_last_name(peering.remote_virtual_network)
    if peering.name.lower().startswith(VIRTUAL_WAN) or hub.lower().startswith(VIRTUAL_WAN):
        return f"a Virtual WAN hub ({peering.name})"
    return f"{hub} ({peering.name})"


def name_spokes(network_ids: Sequence[str]) -> list[str]:
    """Name spokes as their VNets; by group, then subscription, if those are alike."""
    ids = [parse(network_id_) for network_id_ in network_ids]
    forms = (
        [id_.names[-1] for id_ in ids],
        [f"{id_.group}/{id_.names[-1]}" for id_ in ids],
        [f"{id_.subscription}/{id_.group}/{id_.names[-1]}" for id_ in ids],
    )
    counts = [Counter(name.lower() for name in form) for form in forms]
    chosen = []
    for names in zip(*forms, strict=True):
        free = (name for name, count in zip(names, counts, strict=True) if count[name.lower()] == 1)
        chosen.append(next(free, names[-1]))
    return chosen


def propose_name(
    owner: str, like: str, hubs: tuple[str, str], otherwise: str, used: set[tuple[str, str]]
) -> str:
    """Propose a name for a peering with the backup hub, in the convention of the primary's.

    Args:
        owner: the id of the VNet that will own it.
        like: the name of the peering with the primary hub.
        hubs: the names of the primary and the backup hub's VNets.
        otherwise: what to call it if ``like`` does not name the hub.
        used: VNet ids and peering names, in lower case; the chosen one is added.
    """
    primary, backup = hubs
    text = re.sub(re.escape(primary), lambda _: backup, like, flags=re.IGNORECASE)
    names = [text] if text != like else []
    names += [otherwise, *(f"{otherwise[: LONGEST_NAME - 3]}-{n}" for n in range(2, 100))]
    fitting = [_sanitize_name(item) for item in names]
    name = next(item for item in fitting if (owner.lower(), item.lower()) not in used)
    used.add((owner.lower(), name.lower()))
    return name


def _sanitize_name(name: str) -> str:
    """Return a name that a peering may have; a resource group's may hold other characters."""
    plain = re.sub(r"-*[^A-Za-z0-9_.-]+-*", "-", name).lstrip("-.")
    return plain[:LONGEST_NAME].rstrip(".-")
