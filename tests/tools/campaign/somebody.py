"""Another client of Azure's, who changes a peering of the spoke during a trial."""

from __future__ import annotations

import copy
import json
from dataclasses import replace

from erfailover.lab.arm import service
from erfailover.lab.core.protocol import Request
from erfailover.lab.core.world import Resource
from erfailover.lab.engine.lab import Lab
from tests.tools.campaign.cells import BREAK, MAKE, Direction
from tests.tools.campaign.troubles import Trouble

PEERINGS = "Microsoft.Network/virtualNetworks/virtualNetworkPeerings"
HANDLE = service.handle
OF_TARGET = frozenset({Trouble.TARGET_DELETED, Trouble.TARGET_CHANGED})
DELETES = frozenset({Trouble.TARGET_DELETED, Trouble.ORIGIN_DELETED})


def outward(lab: Lab, name: str) -> Resource | None:
    """A peering of the spoke, by its name."""
    return next(
        (resource for resource in lab.world.iter_by_type(PEERINGS) if resource.id.name == name),
        None,
    )


def change(lab: Lab, direction: Direction, trouble: Trouble, like: Request) -> None:
    """Delete a peering, or turn its remote gateways off, by a request of one's own.

    Nothing happens where there is no such peering, or its remote gateways are off already.

    Args:
        like: a request of the controller's: with the same rights.
    """
    name = (MAKE if trouble in OF_TARGET else BREAK)[direction]
    with lab.lock:
        lab.catch_up()
        resource = outward(lab, name)
        if resource is None:
            return
        if trouble in DELETES:
            request = replace(like, method="DELETE", path=str(resource.id), body=b"")
        elif resource.properties.get("useRemoteGateways"):
            body = copy.deepcopy(resource.body)
            body["properties"]["useRemoteGateways"] = False
            request = replace(
                like, method="PUT", path=str(resource.id), body=json.dumps(body).encode()
            )
        else:
            return
        HANDLE(lab, request)
