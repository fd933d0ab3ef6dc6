"""The lease is checked immediately before a write is sent, not before the call that sends it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ServiceRequestError
from azure.core.pipeline.transport import RequestsTransport

from erfailover.azure.client.access import Access
from erfailover.azure.client.clouds import resolve
from erfailover.azure.client.rate_limits import NETWORK_LIMITS
from erfailover.azure.client.tenants import Tenants
from erfailover.azure.client.write_guard import WriteGuardPolicy
from erfailover.azure.reader import Reader
from erfailover.azure.session import Session
from erfailover.azure.writer import Writer
from erfailover.errors import AzureFailure, Failure, Refused
from erfailover.lab.core.clock import SteppedClock

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers"
TABLE = f"{GROUP}/Microsoft.Network/routeTables/rt"
GATEWAY = f"{GROUP}/Microsoft.Network/virtualNetworkGateways/gw"
MACHINE = f"{GROUP}/Microsoft.Compute/virtualMachines/vm"

WRITES: dict[str, Callable[[Writer], object]] = {
    "PUT": lambda writer: writer.write(TABLE, {"location": "westeurope"}, 0.0),
    "DELETE": lambda writer: writer.delete(TABLE, 0.0),
    "POST": lambda writer: writer.change_gateway(
        GATEWAY,
        "start_express_route_site_failover_simulation",
        0.0,
        lambda: False,
        peering_location="Amsterdam",
    ),
    "POST of Run Command": lambda writer: writer.run_command(MACHINE, ["true"], 0.0),
}
every_write = pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)


class Wire(RequestsTransport):  # type: ignore[misc] # the SDK exports it untyped
    """A network that loses every request, and knows what was sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[str] = []

    def send(self, request: Any, **_: Any) -> Any:
        self.sent.append(request.method)
        raise ServiceRequestError("lost")


@dataclass
class Lease:
    """A lease that may be lost."""

    lost: bool = False
    checks: int = 0

    def check(self) -> None:
        self.checks += 1
        if self.lost:
            raise Refused("the lease was taken over")


@dataclass
class Slow:
    """A credential that takes a while; what happens meanwhile."""

    meanwhile: Callable[[], None] = lambda: None

    def get_token(self, *_: str, **__: Any) -> AccessToken:
        self.meanwhile()
        return AccessToken("token", 9_999_999_999)

    def renew(self) -> None:
        """Nothing is kept."""


class Pausing(SteppedClock):
    """A clock that does something while somebody sleeps."""

    meanwhile: Callable[[], None] = staticmethod(lambda: None)

    def sleep(self, seconds: float) -> None:
        self.meanwhile()
        super().sleep(seconds)


@dataclass
class Scene:
    """A session without a cloud."""

    clock: Pausing = field(default_factory=Pausing)
    wire: Wire = field(default_factory=Wire)
    lease: Lease = field(default_factory=Lease)

    def __post_init__(self) -> None:
        self.cloud = resolve("public", {})
        self.credential = Slow()
        self.agent = "erfailover"
        home: Any = self.credential
        self.tenants = Tenants(self.cloud, cast(Any, self.wire), home, {}, lambda *requested: home)
        self.session = Session(self.clock, SUBSCRIPTION, cast(Access, self))
        self.writer = Writer(self.session, self.lease.check)

    def build_transport(self, base: str) -> Wire:
        return self.wire

    def lose_the_lease(self) -> None:
        self.lease.lost = True


@every_write
def test_a_write_under_a_held_lease_is_sent(write: Callable[[Writer], object]) -> None:
    scene = Scene()
    with pytest.raises(AzureFailure):
        write(scene.writer)
    assert scene.lease.checks == len(scene.wire.sent) >= 1


def test_a_lease_lost_while_a_write_waits_for_a_pacing_token_stops_it() -> None:
    scene = Scene()
    for _ in range(NETWORK_LIMITS["writes"] - 40):
        scene.session.budget.take("PUT", TABLE)
    scene.clock.meanwhile = scene.lose_the_lease
    before = scene.clock.now()
    with pytest.raises(Refused, match="taken over"):
        scene.writer.write(TABLE, {"location": "westeurope"}, 600.0)
    assert scene.clock.now() - before > 100.0
    assert scene.wire.sent == []


@every_write
def test_a_lease_lost_while_a_write_waits_for_an_access_token_stops_it(
    write: Callable[[Writer], object],
) -> None:
    scene = Scene()
    scene.credential.meanwhile = scene.lose_the_lease
    with pytest.raises(Refused, match="taken over"):
        write(scene.writer)
    assert scene.wire.sent == []


def test_clients_for_reading_cannot_write() -> None:
    scene = Scene()
    tables = scene.session.get_clients(SUBSCRIPTION).network.route_tables
    with pytest.raises(Failure, match="PUT without a lease"):
        tables.begin_create_or_update("rg", "rt", cast(Any, {"location": "westeurope"}))
    with pytest.raises(Failure, match="DELETE without a lease"):
        tables.begin_delete("rg", "rt")
    assert scene.wire.sent == []


def test_readings_by_post_need_no_lease() -> None:
    scene = Scene()
    with pytest.raises(AzureFailure):
        Reader(scene.session).read_gateway_action(GATEWAY, "get_learned_routes")
    assert set(scene.wire.sent) == {"POST"}
    assert scene.lease.checks == 0


@pytest.mark.parametrize("name", ["network", "compute", "resource"])
def test_the_guard_is_the_last_policy_before_the_transport(name: str) -> None:
    client = getattr(Scene().session.get_clients(SUBSCRIPTION, lambda: None), name)
    last = client._client._pipeline._impl_policies[-1]
    assert isinstance(last._policy, WriteGuardPolicy)
