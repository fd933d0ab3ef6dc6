"""Whose token a request has, and which requests have one of the peer's tenant beside."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ServiceRequestError
from azure.core.pipeline import PipelineContext, PipelineRequest
from azure.core.rest import HttpRequest
from azure.mgmt.core.policies import AuxiliaryAuthenticationPolicy

from erfailover.azure.client.clouds import get_known_cloud
from erfailover.azure.client.errors import translate
from erfailover.azure.client.shared_credential import FRESH_S, SharedCredential
from erfailover.azure.client.tenants import AUXILIARY, PeerTenantPolicy, Tenants
from erfailover.errors import AzureErrorKind, AzureFailure

A, B = "aaaaaaaa-0000-4000-8000-000000000001", "bbbbbbbb-0000-4000-8000-000000000002"
OF_A, ALSO_A, OF_B = ("11111111-0000-4000-8000-00000000000" + name for name in "123")
OWNERS = {OF_A: A, ALSO_A: A, OF_B: B}
CLOUD = get_known_cloud("public")


@dataclass
class Answers:
    """The management endpoint, which says without a token whose a subscription is."""

    asked: list[str] = field(default_factory=list)
    status: int = 401
    sent: list[HttpRequest] = field(default_factory=list)

    def send(self, request: HttpRequest) -> Any:
        subscription = request.url.partition("?")[0].rsplit("/", 1)[-1]
        self.asked.append(subscription)
        self.sent.append(request)
        owner = OWNERS.get(subscription)
        uri = f'Bearer authorization_uri="https://login.windows.net/{owner}", error="invalid_token"'
        return SimpleNamespace(
            status_code=self.status if owner else 404,
            headers={"WWW-Authenticate": uri} if owner else {},
            reason="",
            request=request,
        )


@dataclass
class Issuer:
    """Gives a token for each tenant, unless it refuses."""

    refuses: bool = False
    lifetime_s: float = 3600.0
    given: list[str | None] = field(default_factory=list)

    def get_token(self, *scopes: str, tenant_id: str | None = None, **more: Any) -> AccessToken:
        if self.refuses:
            raise ClientAuthenticationError(message="AADSTS700016: not found in the directory")
        self.given.append(tenant_id)
        return AccessToken(f"of {tenant_id}", int(time.time() + self.lifetime_s))


@dataclass
class Scene:
    """Two tenants: A is the home, B is named."""

    issuer: Issuer = field(default_factory=Issuer)
    answers: Answers = field(default_factory=Answers)
    several: bool = True

    def __post_init__(self) -> None:
        def make(*requested: Any) -> Any:
            return self.issuer

        self.tenants = Tenants(
            CLOUD,
            cast(Any, self.answers),
            SharedCredential(make),
            {B.upper(): "default"} if self.several else {},
            make,
        )

    def header(self, method: str, url: str, body: Any = None) -> str | None:
        """The header that the policy adds to a request."""
        policy = PeerTenantPolicy(self.tenants, CLOUD.scope)
        sent = HttpRequest(method, url, json=body)
        policy.on_request(PipelineRequest(cast(Any, sent), PipelineContext(cast(Any, None))))
        return sent.headers.get(AUXILIARY)


def network(subscription: str) -> str:
    group = f"/subscriptions/{subscription}/resourceGroups/rg"
    return f"{group}/providers/Microsoft.Network/virtualNetworks/v"


def peering(subscription: str, name: str = "to-hub") -> str:
    return f"{CLOUD.endpoint}{network(subscription)}/virtualNetworkPeerings/{name}?api-version=1"


def to(subscription: str) -> Any:
    return {"properties": {"remoteVirtualNetwork": {"id": network(subscription)}}}


def test_it_is_a_subclass_of_the_sdks() -> None:
    assert issubclass(PeerTenantPolicy, AuxiliaryAuthenticationPolicy)


@pytest.mark.parametrize(
    ("near", "far", "header"),
    [(OF_A, OF_B, f"Bearer of {B}"), (OF_B, OF_A, "Bearer of None"), (OF_A, ALSO_A, None)],
)
def test_a_peering_across_has_a_token_of_the_peers_tenant(
    near: str, far: str, header: str | None
) -> None:
    scene = Scene()
    assert scene.header("PUT", peering(near), to(far)) == header
    assert (
        scene.header("PUT", peering(near).replace("virtualNetworks", "VIRTUALNETWORKS"), to(far))
        == header
    )
    assert scene.header("PUT", peering(near.upper()), to(far.upper())) == header


@pytest.mark.parametrize(
    ("method", "url", "body"),
    [
        ("GET", peering(OF_A), None),
        ("DELETE", peering(OF_A), None),
        ("PATCH", peering(OF_A), to(OF_B)),
        ("PUT", f"{CLOUD.endpoint}{network(OF_A)}?api-version=1", to(OF_B)),
        ("POST", f"{CLOUD.endpoint}{network(OF_A)}/x", to(OF_B)),
        ("PUT", peering(OF_A), {}),
        ("PUT", peering(OF_A), {"properties": None}),
        ("PUT", peering(OF_A), {"properties": {"remoteVirtualNetwork": {"id": None}}}),
        ("PUT", peering(OF_A), {"properties": {"remoteVirtualNetwork": {"id": "/x"}}}),
        ("PUT", peering(OF_A), {"properties": {"remoteVirtualNetwork": {"id": "/subscriptions"}}}),
    ],
)
def test_no_other_request_has_one(method: str, url: str, body: Any) -> None:
    scene = Scene(Issuer(refuses=True))
    assert scene.header(method, url, body) is None


def test_without_further_tenants_nothing_is_asked() -> None:
    scene = Scene(several=False)
    assert scene.header("PUT", peering(OF_A), to(OF_B)) is None
    scene.tenants.ensure([OF_A, OF_B], 900.0)
    assert scene.tenants.build_credential(OF_B) is scene.tenants.home
    assert (scene.answers.asked, scene.issuer.given) == ([], [])


def test_a_token_never_goes_over_http() -> None:
    with pytest.raises(ServiceRequestError):
        Scene().header("PUT", peering(OF_A).replace("https:", "http:"), to(OF_B))


def test_a_tenant_that_gives_none_fails_that_request_and_is_named() -> None:
    scene = Scene(Issuer(refuses=True))
    with pytest.raises(AzureFailure) as caught:
        scene.header("PUT", peering(OF_A), to(OF_B))
    assert caught.value.kind is AzureErrorKind.OTHER_TENANT
    assert f"no token of tenant {B} (credential default): " in caught.value.message
    assert "AADSTS700016" in caught.value.message


def test_each_request_has_a_token_of_the_tenant_that_owns_its_subscription() -> None:
    scene = Scene()
    tokens = [
        scene.tenants.build_credential(name).get_token("s").token
        for name in (OF_A, OF_B, ALSO_A, OF_B)
    ]
    assert tokens == ["of None", f"of {B}", "of None", f"of {B}"]
    assert scene.answers.asked == [OF_A, OF_B, ALSO_A], "once each"
    assert scene.issuer.given == [None, B]
    assert not any(
        name in sent.headers for sent in scene.answers.sent for name in ("Authorization", AUXILIARY)
    )


def test_of_a_subscription_that_azure_does_not_know_the_home_credential_asks() -> None:
    scene = Scene()
    assert scene.tenants.build_credential("22222222-0000-4000-8000-000000000000").get_token(
        "s"
    ).token == ("of None")


def test_an_endpoint_that_fails_is_asked_again() -> None:
    scene = Scene()
    scene.answers.status = 503
    with pytest.raises(HttpResponseError) as caught:
        scene.tenants.build_credential(OF_B).get_token("s")
    assert translate(caught.value, "GET x").kind is AzureErrorKind.SERVER
    scene.answers.status = 401
    assert scene.tenants.build_credential(OF_B).get_token("s").token == f"of {B}"


def test_the_gate_has_a_token_of_each_tenant_and_nobody_asks_again() -> None:
    scene = Scene()
    scene.tenants.ensure([OF_A, OF_B, ALSO_A], 900.0)
    assert scene.issuer.given == [None, B]
    scene.issuer.refuses = True
    assert scene.header("PUT", peering(OF_A), to(OF_B)) == f"Bearer of {B}"
    assert scene.header("PUT", peering(OF_B), to(OF_A)) == "Bearer of None"


@pytest.mark.parametrize(
    ("left_s", "refuses", "count"),
    [(3600.0, True, 1), (FRESH_S + 60, False, 2), (FRESH_S + 60, True, 1)],
    ids=["lasts", "too short, replaced", "too short, the only one"],
)
def test_a_token_that_lasts_too_short_is_replaced_before_the_break(
    left_s: float, refuses: bool, count: int
) -> None:
    scene = Scene(Issuer(lifetime_s=left_s))
    credential = scene.tenants.build_credential(OF_B)
    credential.get_token(CLOUD.scope)
    scene.issuer.lifetime_s, scene.issuer.refuses = 3600.0, refuses
    scene.tenants.ensure([OF_B], 900.0)
    assert len(scene.issuer.given) == count
    scene.issuer.refuses = True
    assert credential.get_token(CLOUD.scope).token == f"of {B}"


def test_where_no_token_lasts_there_is_no_break() -> None:
    scene = Scene(Issuer(lifetime_s=FRESH_S - 60))
    scene.tenants.build_credential(OF_B).get_token(CLOUD.scope)
    scene.issuer.refuses = True
    with pytest.raises(AzureFailure) as caught:
        scene.tenants.ensure([OF_B], 900.0)
    assert caught.value.kind is AzureErrorKind.OTHER_TENANT


def test_all_are_renewed() -> None:
    scene = Scene()
    read: Callable[[], list[str]] = lambda: [  # noqa: E731
        scene.tenants.build_credential(name).get_token("s").token for name in (OF_A, OF_B)
    ]
    read()
    scene.tenants.renew()
    read()
    assert scene.issuer.given == [None, B, None, B]
    scene.tenants.close()
