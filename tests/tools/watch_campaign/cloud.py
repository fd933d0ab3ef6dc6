"""The lab of a trial: every peering write is noted with the replica that sent it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from erfailover.lab.arm import service
from erfailover.lab.core.protocol import Answer, Request
from erfailover.lab.core.world import Resource
from erfailover.lab.engine.cloud import Cloud
from erfailover.lab.engine.lab import Lab
from tests.tools.bench import worlds
from tests.tools.campaign.watch import uses
from tests.tools.watch_campaign.judge import PeeringWrite, Spoke
from tests.tools.watch_campaign.replicas import Replica

HANDLE = service.handle
PEERINGS = "Microsoft.Network/virtualNetworks/virtualNetworkPeerings"
OFFICE = "10.5.0.4"
FAILED_LOCAL_GATEWAY = f"{worlds.NETWORK}/localNetworkGateways/lng1"


@dataclass
class Watch:
    """Sees every request to a lab.

    Attributes:
        replicas: those that send them.
        struck: called at the write whose number is ``strike_at``, before it is done, or after.
    """

    lab: Lab
    replicas: list[Replica] = field(default_factory=list)
    writes: list[PeeringWrite] = field(default_factory=list)
    strike_at: int = 0
    is_done_first: bool = False
    struck: Callable[[], None] = lambda: None

    def install(self) -> None:
        """Let every request of this process' lab pass here."""
        service.handle = self.handle

    def handle(self, lab: Cloud, request: Request) -> Answer:
        """Answer a request."""
        if request.method not in ("PUT", "DELETE") or "/virtualNetworkPeerings/" not in (
            request.path
        ):
            return HANDLE(lab, request)
        strikes = len(self.writes) + 1 == self.strike_at
        self._note(request)
        if strikes and not self.is_done_first:
            self.struck()
            return Answer(503, drop=True)
        answer = HANDLE(lab, request)
        if strikes:
            self.struck()
        return answer

    def _note(self, request: Request) -> None:
        port = int(request.base.rpartition(":")[2])
        sender = next(item for item in self.replicas if item.lab.port == port)
        owner, _, peering = request.path.rstrip("/").partition("/virtualNetworkPeerings/")
        body = json.loads(request.body or b"{}").get("properties") or {}
        users = self.list_users(owner.rpartition("/")[2])
        self.writes.append(
            PeeringWrite(
                at=time.time(),
                replica=sender.number,
                peering=peering,
                uses_remote=bool(body.get("useRemoteGateways")),
                is_owed=peering.endswith(f"-to-{worlds.BACKUP}") and users in ((), (peering,)),
                sender_is_still=sender.still_since is not None,
            )
        )

    def list_users(self, network: str) -> tuple[str, ...]:
        """Return the peerings of a VNet that use remote gateways, or are going to."""
        with self.lab.lock:
            self.lab.catch_up()
            return tuple(
                peering.id.name
                for peering in self.lab.world.iter_by_type(PEERINGS)
                if f"/{network}/" in str(peering.id) and uses(peering)
            )

    def read_spokes(self, names: Iterable[str]) -> list[Spoke]:
        """Return where spokes are."""
        return [
            Spoke(name, self.list_users(name), f"{name}-to-{worlds.BACKUP}", self._reaches(name))
            for name in names
        ]

    def _reaches(self, spoke: str) -> bool:
        lab = self.lab
        with lab.lock:
            lab.catch_up()
            source = next(
                nic
                for nic in lab.world.iter_by_type("Microsoft.Network/networkInterfaces")
                if _is_of(nic, spoke)
            )
            return lab.plane.trace_packet(source, OFFICE).reached

    def fail_primary(self) -> None:
        """Let the far end of the primary path fail: its address becomes one that nobody has."""
        body = self._ask("GET", FAILED_LOCAL_GATEWAY).body
        assert isinstance(body, dict)
        properties: dict[str, Any] = json.loads(json.dumps(body["properties"]))
        properties["bgpSettings"]["bgpPeeringAddress"] = worlds.FAILED_PEER
        top = {"location": "westeurope", "properties": properties}
        self._ask("PUT", FAILED_LOCAL_GATEWAY, json.dumps(top).encode())

    def _ask(self, method: str, path: str, body: bytes = b"") -> Answer:
        token = self.lab.tokens.issue_access_token(f"{worlds.BASE}/t", worlds.BASE)
        headers = {"Authorization": f"Bearer {token}"}
        query = {"api-version": "2024-05-01"}
        answer = HANDLE(self.lab, Request(method, path, query, worlds.BASE, body, headers))
        if answer.status not in (200, 201):
            raise RuntimeError(f"{method} {path}: {answer}")
        return answer


def _is_of(nic: Resource, spoke: str) -> bool:
    return nic.id.name == f"{spoke}-nic1" or (spoke == "vnet1" and nic.id.name == "vm1-nic1")
