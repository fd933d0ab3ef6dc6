"""What reads showed a while ago, for stale reads.

Owns a short history of answers and gateways' tables, kept only while somebody wants stale
reads: gateways' tables are noted when routing changes, other reads when they are answered.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field

from erfailover.lab.core import ids
from erfailover.lab.core.operations import Operation
from erfailover.lab.core.world import Body, Resource, World
from erfailover.lab.engine.faults import Kind
from erfailover.lab.routing.bgp import Bgp

KEPT = 50
"""How many versions of one read are kept."""
KEPT_READS = 5000
"""How many different reads are kept."""


@dataclass(slots=True)
class History:
    """What reads showed, by the read's name, oldest first, with modelled times."""

    wanted: bool = False
    _past: dict[str, deque[tuple[float, str]]] = field(default_factory=dict)
    _version: int = -1

    def follow(self, world: World, bgp: Bgp) -> None:
        """Note every gateway's tables where routing has changed."""
        if not self.wanted or bgp.version == self._version:
            return
        self._version = bgp.version
        for key in bgp.network.gateways.all:
            gateway = world.get(key)
            if gateway is not None:
                self._note_tables(world.now, bgp, gateway)

    def _note_tables(self, now: float, bgp: Bgp, gateway: Resource) -> None:
        peers = bgp.peers(gateway)
        self.note(table(gateway, "getbgppeerstatus"), now, {"value": peers})
        rows = bgp.learned_routes(gateway)
        self.note(table(gateway, "getlearnedroutes"), now, {"value": rows})
        for peer in peers:
            address = str(peer["neighbor"])
            told = bgp.advertised_routes(gateway, address)
            self.note(table(gateway, "getadvertisedroutes", address), now, {"value": told})

    def note(self, name: str, now: float, body: Body) -> None:
        """Keep what a read shows now."""
        if not self.wanted:
            return
        past = self._past.setdefault(name, deque(maxlen=KEPT))
        text = json.dumps(body)
        if not past or past[-1][1] != text:
            past.append((now, text))
        if len(self._past) > KEPT_READS:
            self._past.pop(next(iter(self._past)))

    def at(self, name: str, when: float) -> Body | None:
        """What a read showed at a time, or as near to it as is known; None for an unknown one."""
        past = self._past.get(name)
        if not past:
            return None
        texts = [text for since, text in past if since <= when]
        found: Body = json.loads(texts[-1] if texts else past[0][1])
        return found

    def forget(self) -> None:
        """Nobody wants stale reads any more."""
        self.wanted = False
        self._past.clear()
        self._version = -1


def table(resource: Resource, action: str, peer: str = "") -> str:
    """The name of an action's read."""
    return f"POST {ids.key(resource.id)}/{action} {peer}".rstrip()


def read_wrongly(history: History, now_s: float, operation: Operation, resource: Resource) -> None:
    """Change the result of an action that a fault wants read wrongly."""
    peer = operation.arguments.get("peer", "")
    name = table(resource, operation.action, peer)
    result, doom = operation.result, operation.doom
    if isinstance(result, dict):
        history.note(name, now_s, result)
    if doom is None or not isinstance(result, dict) or not isinstance(result.get("value"), list):
        return
    match Kind(doom.kind):
        case Kind.EMPTY:
            operation.result = {"value": []}
        case Kind.STALE:
            past = history.at(name, now_s - doom.seconds)
            operation.result = past if past is not None else result
        case Kind.INSTANCE_MISSING:
            operation.result = {"value": _without_last_instance(resource, result["value"])}
        case _:
            pass


def _without_last_instance(gateway: Resource, rows: list[Body]) -> list[Body]:
    settings = gateway.active_properties.get("bgpSettings") or {}
    last = str(settings.get("bgpPeeringAddress") or "").split(",")[-1].strip()
    return [row for row in rows if row.get("localAddress") != last]
