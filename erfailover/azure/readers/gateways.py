"""Reads as much of one gateway as a question takes: of the one being left, or its routes again."""

from __future__ import annotations

from dataclasses import replace

from erfailover.azure.client.polling import PollSchedule
from erfailover.azure.reader import Reader
from erfailover.azure.readers.network import (
    NOT_ASKED,
    add_static_tunnels,
    observe,
    read_table,
)
from erfailover.azure.readers.outcomes import build_readings, read_outcome
from erfailover.errors import Failure
from erfailover.model.observed import Gateway, Reading, attempt
from erfailover.model.site import Role, Site
from erfailover.planning import conditions

PEERS, ROUTES = "get_bgp_peer_status", "get_learned_routes"
DEADLINE_S = 20.0
"""How long the gateway being left is asked, repetitions included: it may never answer."""


def read_leaving(reader: Reader, site: Site, role: Role) -> Gateway:
    """Return the gateway of the hub being left, with its tables, if it answers soon.

    One that has learned no route from outside carries nothing, whatever its sessions are: the
    table of its peers, which decides nothing then, is not read.

    Raises:
        Failure: it could not be read.
    """
    observed = observe(reader, site, [role], [], [ROUTES], DEADLINE_S)
    gateway = observed.gateways.get(role)
    if gateway is None:
        raise Failure("; ".join(observed.unknown.values()) or "it could not be read")
    rows = gateway.learned_routes.value
    if gateway.bgp and rows is None:
        # It has just not answered: the same is unknown of its peers, and nothing waits twice.
        return replace(gateway, peers=Reading(None, gateway.learned_routes.unknown))
    if gateway.bgp and (not rows or conditions.has_external_routes(gateway)):
        peers = attempt(lambda: read_table(reader, gateway.id, PEERS, DEADLINE_S))
        return add_static_tunnels(reader, site, replace(gateway, peers=peers), DEADLINE_S)
    if gateway.static_tunnels is not None:
        return gateway
    # Without routes by BGP, connections without it may carry something, whatever the peers are.
    alone = add_static_tunnels(reader, site, replace(gateway, peers=Reading(())), DEADLINE_S)
    return replace(gateway, static_tunnels=alone.static_tunnels)


def refresh_routes(
    reader: Reader, gateway: Gateway, deadline_s: float, cadence: PollSchedule
) -> Gateway:
    """Return a gateway that was read before with its learned routes alone, read now.

    Raises:
        AzureFailure: there is no token, or no answer.
    """
    answered: list[float] = []
    read = read_outcome(
        lambda: read_table(reader, gateway.id, ROUTES, deadline_s, answered.append, cadence)
    )
    routes = build_readings({ROUTES: read})[ROUTES]
    return replace(
        gateway,
        peers=NOT_ASKED,
        learned_routes=routes,
        static_tunnels=None,
        advertised=None,
        answered_s=answered[0] if answered else reader.clock.now(),
    )
