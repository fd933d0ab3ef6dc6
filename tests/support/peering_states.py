"""Every state that the four peerings of a spoke can be in."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from erfailover.model.peering_flags import Flags
from tests.support import sites
from tests.support.sites import HUB_LENDS, OPEN, SPOKE_USES, State

SITE = sites.site()
OUT_P, IN_P, OUT_B, IN_B = "vnet1-to-vnet2", "vnet2-to-vnet1", "vnet1-to-vnet3", "vnet3-to-vnet1"
OPPOSITE = {OUT_P: IN_P, IN_P: OUT_P, OUT_B: IN_B, IN_B: OUT_B}
OURS = frozenset(
    {
        SITE.build_peering_id("vnet1", OUT_B).lower(),
        SITE.build_peering_id("vnet3", IN_B).lower(),
    }
)


def legal_states() -> Iterator[State]:
    """Every state of the four peerings that Azure allows and that keeps invariant 1."""
    primary_outs = [OPEN, Flags(allow_forwarded_traffic=True), SPOKE_USES]
    primary_ins = [OPEN, HUB_LENDS, Flags(allow_gateway_transit=True)]
    backup_outs = [None, SPOKE_USES.drop_remote_gateways(), OPEN, SPOKE_USES]
    backup_ins = [None, HUB_LENDS, OPEN]
    for out_p, in_p, out_b, in_b in itertools.product(
        primary_outs, primary_ins, backup_outs, backup_ins
    ):
        if out_p.use_remote_gateways and not in_p.allow_gateway_transit:
            continue
        lent = in_b is not None and in_b.allow_gateway_transit and not out_p.use_remote_gateways
        if out_b and out_b.use_remote_gateways and not lent:
            continue
        state: State = {OUT_P: (out_p, "Connected"), IN_P: (in_p, "Connected")}
        alone = ("Initiated", "Disconnected") if (out_b is None) != (in_b is None) else ()
        for lonely in alone or ("Connected",):
            by_name = dict(state)
            if out_b:
                by_name[OUT_B] = (out_b, lonely)
            if in_b:
                by_name[IN_B] = (in_b, lonely)
            yield by_name


STATES = list(legal_states())
