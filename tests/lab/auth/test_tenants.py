"""Several tenants in one lab: which token opens what, and what a peering across needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import jwt
import pytest

from erfailover.lab.auth import identity
from erfailover.lab.auth.tokens import AUXILIARY
from erfailover.lab.core.clock import SteppedClock
from erfailover.lab.engine.lab import Lab
from erfailover.lab.server.az_config import write_configuration
from erfailover.lab.server.server import LabServer
from tests.support.arm_client import Arm, Reply

REMOTE = "Microsoft.Network/virtualNetworks"


@dataclass
class World:
    """A VNet in either of two tenants."""

    arm: Arm
    home: str
    other: str
    subscriptions: dict[str, str]

    def token(self, tenant: str, lifetime_s: float = 3600.0) -> str:
        base = self.arm.endpoint
        return self.arm.lab.tokens.issue_access_token(f"{base}/{tenant}/", base, lifetime_s, tenant)

    def root(self, tenant: str) -> str:
        return f"/subscriptions/{self.subscriptions[tenant]}/resourceGroups/rg"

    def vnet(self, tenant: str) -> str:
        return f"{self.root(tenant)}/providers/{REMOTE}/{tenant[:8]}"

    def make_headers(self, tenant: str, *auxiliary: str) -> dict[str, str]:
        sent = {"Authorization": f"Bearer {self.token(tenant)}"}
        if auxiliary:
            sent[AUXILIARY] = ", ".join(f"Bearer {name}" for name in auxiliary)
        return sent

    def peer(self, near: str, far: str, *auxiliary: str) -> Reply:
        body = {"properties": {"remoteVirtualNetwork": {"id": self.vnet(far)}}}
        path = f"{self.vnet(near)}/virtualNetworkPeerings/across"
        return self.arm.call("PUT", path, body, headers=self.make_headers(near, *auxiliary))


@pytest.fixture
def world() -> Iterator[World]:
    result = identity.make_identity().extend_tenants(2)
    clock = SteppedClock()
    lab = Lab(clock, identity_=result, seed=7)
    with LabServer(lab) as server:
        arm = Arm(lab, clock, server.endpoint, str(server.ca_file))
        first, second = result.tenants
        subscriptions = {item.id: item.subscriptions[0] for item in result.tenants}
        value = World(arm, first.id, second.id, subscriptions)
        for number, tenant in enumerate((first.id, second.id)):
            sent = value.make_headers(tenant)
            arm.call("PUT", value.root(tenant), {"location": "westeurope"}, headers=sent)
            space = {"addressSpace": {"addressPrefixes": [f"10.{number}.0.0/16"]}}
            body = {"location": "westeurope", "properties": space}
            assert arm.call("PUT", value.vnet(tenant), body, headers=sent).status == 201
        clock.sleep(60)
        yield value
        arm.pool.clear()


def test_a_token_opens_the_subscriptions_of_its_own_tenant_only(world: World) -> None:
    for tenant, another in ((world.home, world.other), (world.other, world.home)):
        own = world.arm.call("GET", world.vnet(tenant), headers=world.make_headers(tenant))
        assert own.status == 200
        reply = world.arm.call("GET", world.vnet(another), headers=world.make_headers(tenant))
        assert (reply.status, reply.code) == (401, "InvalidAuthenticationTokenTenant")
        assert reply.message.startswith(
            f"The access token is from the wrong issuer 'https://sts.windows.net/{tenant}/'. It "
            f"must match the tenant 'https://sts.windows.net/{another}/' associated with this "
            f"subscription. Please use the authority (URL) 'https://login.windows.net/{another}' "
            "to get the token."
        )
        assert f"/{another}" in reply.headers["WWW-Authenticate"]
        value = world.arm.call("GET", "/subscriptions", headers=world.make_headers(tenant)).body[
            "value"
        ]
        assert [item["subscriptionId"] for item in value] == [world.subscriptions[tenant]]
        assert {item["tenantId"] for item in value} == {tenant}
        body = world.arm.call("GET", "/tenants", headers=world.make_headers(tenant)).body["value"]
        assert [item["tenantId"] for item in body] == [tenant]


def test_without_a_token_the_challenge_names_the_tenant_that_owns_the_subscription(
    world: World,
) -> None:
    for tenant in (world.home, world.other):
        path = f"/subscriptions/{world.subscriptions[tenant]}"
        reply = world.arm.call("GET", path, headers={"Authorization": ""})
        assert (reply.status, reply.code) == (401, "AuthenticationFailed")
        uri = f'authorization_uri="{world.arm.endpoint}/{tenant}"'
        assert uri in reply.headers["WWW-Authenticate"]


def test_a_peering_across_needs_a_token_of_the_other_tenant_beside(world: World) -> None:
    for near, far in ((world.home, world.other), (world.other, world.home)):
        alone = world.peer(near, far)
        assert (alone.status, alone.code) == (403, "LinkedAuthorizationFailed")
        assert alone.message == (
            "The client has permission to perform action "
            "'Microsoft.Network/virtualNetworks/peer/action' on scope "
            f"'{world.vnet(near)}/virtualNetworkPeerings/across', however the current tenant "
            f"'{near}' is not authorized to access linked subscription "
            f"'{world.subscriptions[far]}'."
        )
        assert world.peer(near, far, world.token(near)).status == 403, "a token of its own tenant"
        reply = world.peer(near, far, world.token(far))
        assert reply.status == 201
        world.arm.clock.sleep(60)
    result = world.arm.call(
        "GET", f"{world.vnet(near)}/virtualNetworkPeerings/across", headers=world.make_headers(near)
    )
    assert result.body["properties"]["peeringState"] == "Connected"


def test_every_auxiliary_token_must_be_valid(world: World) -> None:
    good, expired = world.token(world.other), world.token(world.other, -10)
    reply = world.peer(world.home, world.other, good, expired)
    assert (reply.status, reply.code) == (401, "ExpiredAuthenticationToken")
    assert world.other in reply.message
    assert world.arm.lab.identity.client_id in reply.message
    assert world.peer(world.home, world.other, "abc").code == "InvalidAuthenticationToken"
    assert world.peer(world.home, world.other, *[good] * 4).status == 401


def test_a_tenant_grants_a_token_of_its_own_unless_the_client_was_not_added(world: World) -> None:
    result = world.arm.lab.identity
    form = {
        "grant_type": "client_credentials",
        "client_id": result.client_id,
        "client_secret": result.client_secret,
        "scope": f"{world.arm.endpoint}/.default",
    }
    url = f"{world.arm.endpoint}/{world.other}/oauth2/v2.0/token"

    def ask() -> tuple[int, dict[str, str]]:
        answer = world.arm.pool.request("POST", url, fields=form, encode_multipart=False)
        return answer.status, answer.json()

    status, body = ask()
    claims = jwt.decode(body["access_token"], options={"verify_signature": False})
    assert (status, claims["tid"], claims["appid"]) == (200, world.other, result.client_id)
    assert claims["oid"] == result.tenants[1].object_id != result.object_id
    world.arm.lab.tokens.without_client.add(world.other)
    status, body = ask()
    assert (status, body["error"]) == (400, "unauthorized_client")
    assert body["error_description"].startswith("AADSTS700016")


def test_the_tenants_outlive_a_restart_and_az_knows_them(world: World, tmp_path) -> None:  # type: ignore[no-untyped-def]
    result = world.arm.lab.identity
    assert identity.from_json(result.to_json()) == result
    assert result.extend_tenants(1) == result
    folder = write_configuration(tmp_path / "az", result, world.arm.endpoint)
    profile = (folder / "azureProfile.json").read_text()
    entries = (folder / "service_principal_entries.json").read_text()
    for tenant in result.tenants:
        assert tenant.id in profile
        assert tenant.subscriptions[0] in profile
        assert tenant.id in entries
