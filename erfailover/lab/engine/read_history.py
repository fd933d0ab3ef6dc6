"""A history of reads, for stale answers.

Owns a short history of answers and gateways' tables, kept only while a fault needs stale
reads: gateways' tables are recorded when routing changes, other reads when they are answered.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field

from erfailover.lab.core import ids
from erfailover.lab.core.operations import Operation
from erfailover.lab.core.world import Body, Resource, World
from erfailover.lab.engine.faults import FaultKind
from erfailover.lab.machines.data_plane import GatewayTables

KEPT = 50
"""How many versions of one read are kept."""
KEPT_READS = 5000
"""How many different reads are kept."""


@dataclass(slots=True)
class ReadHistory:
    """Past answers by the read's name, oldest first, with modelled times."""

    is_recording: bool = False
    _past: dict[str, deque[tuple[float, str]]] = field(default_factory=dict)
    _version: int = -1

    def record_tables(self, world: World, tables: GatewayTables) -> None:
        """Record every gateway's tables if routing has changed."""
        if not self.is_recording or tables.version == self._version:
            return
        self._version = tables.version
        for key in tables.network.gateways.all:
            gateway = world.get(key)
            if gateway is not None:
                self._record_gateway_tables(world.now, tables, gateway)

    def _record_gateway_tables(self, now: float, tables: GatewayTables, gateway: Resource) -> None:
        peers = tables.list_peers(gateway)
        self.record(get_table_name(gateway, "getbgppeerstatus"), now, {"value": peers})
        rows = tables.list_learned_routes(gateway)
        self.record(get_table_name(gateway, "getlearnedroutes"), now, {"value": rows})
        for peer in peers:
            address = str(peer["neighbor"])
            advertised = tables.list_advertised_routes(gateway, address)
            self.record(
                get_table_name(gateway, "getadvertisedroutes", address), now, {"value": advertised}
            )

    def record(self, name: str, now: float, body: Body) -> None:
        """Record the current answer of a read."""
        if not self.is_recording:
            return
        past = self._past.setdefault(name, deque(maxlen=KEPT))
        text = json.dumps(body)
        if not past or past[-1][1] != text:
            past.append((now, text))
        if len(self._past) > KEPT_READS:
            self._past.pop(next(iter(self._past)))

    def find(self, name: str, when: float) -> Body | None:
        """Return a read's answer at or nearest to a time; None for an unknown read."""
        past = self._past.get(name)
        if not past:
            return None
        texts = [text for since, text in past if since <= when]
        body: Body = json.loads(texts[-1] if texts else past[0][1])
        return body

    def stop(self) -> None:
        """Stop recording and drop the history."""
        self.is_recording = False
        self._past.clear()
        self._version = -1


def get_table_name(resource: Resource, action: str, peer: str = "") -> str:
    """Return the name of an action's read."""
    return f"POST {ids.to_key(resource.id)}/{action} {peer}".rstrip()


def apply_read_fault(
    history: ReadHistory, now_s: float, operation: Operation, resource: Resource
) -> None:
    """Change the result of an action that a fault makes misleading."""
    peer = operation.arguments.get("peer", "")
    name = get_table_name(resource, operation.action, peer)
    result, injected = operation.result, operation.injected
    if isinstance(result, dict):
        history.record(name, now_s, result)
    if (
        injected is None
        or not isinstance(result, dict)
        or not isinstance(result.get("value"), list)
    ):
        return
    match FaultKind(injected.kind):
        case FaultKind.EMPTY:
            operation.result = {"value": []}
        case FaultKind.STALE:
            past = history.find(name, now_s - injected.seconds)
            operation.result = past if past is not None else result
        case FaultKind.INSTANCE_MISSING:
            operation.result = {"value": _drop_last_instance(resource, result["value"])}
        case _:
            pass


def _drop_last_instance(gateway: Resource, rows: list[Body]) -> list[Body]:
    settings = gateway.active_properties.get("bgpSettings") or {}
    last = str(settings.get("bgpPeeringAddress") or "").split(",")[-1].strip()
    return [row for row in rows if row.get("localAddress") != last]
