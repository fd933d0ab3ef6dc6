"""The lab's token issuer, and unmodified credentials against it."""

from __future__ import annotations

import time
from typing import Any

import jwt
import pytest
from azure.identity import ClientSecretCredential, DefaultAzureCredential
from azure.mgmt.network import NetworkManagementClient

from erfailover.lab.auth import managed_identity
from erfailover.lab.core.clock import ScaledClock
from erfailover.lab.engine.lab import Lab
from erfailover.lab.server.server import LabServer
from tests.support.arm_client import Arm


def form(arm: Arm, **more: str) -> dict[str, str]:
    identity = arm.lab.identity
    return {
        "grant_type": "client_credentials",
        "client_id": identity.client_id,
        "client_secret": identity.client_secret,
        "scope": f"{arm.endpoint}/.default",
        **more,
    }


@pytest.mark.parametrize(
    ("more", "status", "error"),
    [
        ({}, 200, ""),
        ({"scope": "https://management.azure.com//.default"}, 200, ""),
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_secret": ""}, 401, "invalid_client"),
        ({"client_id": "nobody"}, 400, "unauthorized_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"scope": "https://graph.microsoft.com/.default"}, 400, "invalid_resource"),
        ({"scope": "https://vault.azure.net/.default"}, 200, ""),
        ({"client_assertion": "forged"}, 401, "invalid_client"),
    ],
)
def test_the_issuer_knows_its_client_only(
    arm: Arm, more: dict[str, str], status: int, error: str
) -> None:
    url = f"{arm.endpoint}/{arm.lab.identity.tenant}/oauth2/v2.0/token"
    sent = form(arm, **more)
    answer = arm.pool.request("POST", url, fields=sent, encode_multipart=False)
    assert answer.status == status
    assert answer.json().get("error", "") == error


def test_another_tenant_is_not_known(arm: Arm) -> None:
    url = f"{arm.endpoint}/11111111-2222-3333-4444-555555555555/oauth2/v2.0/token"
    answer = arm.pool.request("POST", url, fields=form(arm), encode_multipart=False)
    assert answer.status == 400
    assert "AADSTS90002" in answer.json()["error_description"]


def test_a_token_can_be_checked_with_the_published_key(arm: Arm) -> None:
    base = f"{arm.endpoint}/{arm.lab.identity.tenant}"
    configuration = arm.pool.request("GET", f"{base}/v2.0/.well-known/openid-configuration").json()
    assert configuration["token_endpoint"] == f"{base}/oauth2/v2.0/token"
    keys = jwt.PyJWKSet.from_dict(arm.pool.request("GET", configuration["jwks_uri"]).json())
    claims = jwt.decode(arm.token, keys.keys[0], algorithms=["RS256"], audience=arm.endpoint)
    identity = arm.lab.identity
    assert (claims["tid"], claims["appid"]) == (identity.tenant, identity.client_id)
    assert claims["oid"] == identity.object_id


def issue_expired_token(arm: Arm) -> str:
    return arm.lab.tokens.issue_access_token("https://issuer/", arm.endpoint, lifetime_s=-10)


def test_a_missing_wrong_or_expired_token_is_a_401(arm: Arm) -> None:
    elsewhere = arm.lab.tokens.issue_access_token("https://issuer/", "https://storage.azure.com")
    cases = {
        "": "AuthenticationFailed",
        "Basic abc": "AuthenticationFailedInvalidHeader",
        "Bearer abc": "InvalidAuthenticationToken",
        f"Bearer {arm.token[:-4]}AAAA": "InvalidAuthenticationToken",
        f"Bearer {issue_expired_token(arm)}": "ExpiredAuthenticationToken",
        f"Bearer {elsewhere}": "InvalidAuthenticationTokenAudience",
    }
    for header, code in cases.items():
        reply = arm.call("GET", arm.root, headers={"Authorization": header})
        assert (reply.status, reply.code) == (401, code)
        assert reply.headers["WWW-Authenticate"].startswith("Bearer ")


def test_a_token_expires_though_it_was_seen_before(arm: Arm) -> None:
    short = arm.lab.tokens.issue_access_token("https://issuer/", arm.endpoint, lifetime_s=1)
    header = {"Authorization": f"Bearer {short}"}
    assert arm.call("GET", arm.root, headers=header).status == 200
    while time.time() < jwt.decode(short, options={"verify_signature": False})["exp"]:
        time.sleep(0.05)
    reply = arm.call("GET", arm.root, headers=header)
    assert reply.code == "ExpiredAuthenticationToken"


def test_a_labs_secrets_are_not_in_its_representation(arm: Arm) -> None:
    identity = arm.lab.identity
    assert identity.client_secret not in repr(identity)
    assert identity.lab_secret not in repr(identity)


def test_the_default_credential_finds_the_lab_by_variables_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lab = Lab(ScaledClock(1000))
    with LabServer(lab) as server:
        for name, value in server.build_environment().items():
            monkeypatch.setenv(name, value)
        with (
            DefaultAzureCredential() as credential,
            NetworkManagementClient(
                credential,
                lab.identity.subscription,
                base_url=server.endpoint,
                credential_scopes=[f"{server.endpoint}/.default"],
            ) as client,
        ):
            assert list(client.virtual_networks.list_all()) == []


def test_a_client_secret_reaches_the_lab_and_writes_through_the_sdk() -> None:
    lab = Lab(ScaledClock(1000))
    with LabServer(lab) as server:
        arm = Arm(lab, clock=None, endpoint=server.endpoint, ca_file=str(server.ca_file))  # type: ignore[arg-type]
        arm.make_group()
        arm.pool.clear()
        identity = lab.identity
        with (
            ClientSecretCredential(
                identity.tenant,
                identity.client_id,
                identity.client_secret,
                authority=server.endpoint,
                disable_instance_discovery=True,
                connection_verify=str(server.ca_file),
            ) as credential,
            NetworkManagementClient(
                credential,
                identity.subscription,
                base_url=server.endpoint,
                credential_scopes=[f"{server.endpoint}/.default"],
                connection_verify=str(server.ca_file),
            ) as client,
        ):
            body: Any = {
                "location": "westeurope",
                "properties": {"addressSpace": {"addressPrefixes": ["10.1.0.0/16"]}},
            }
            network = client.virtual_networks.begin_create_or_update("rg", "a", body).result(30)
            assert network.properties is not None
            assert network.properties.provisioning_state == "Succeeded"
            client.virtual_networks.begin_delete("rg", "a").result(30)
            assert list(client.virtual_networks.list("rg")) == []


@pytest.mark.parametrize(
    ("header", "query", "status"),
    [
        ("right", {}, 200),
        ("right", {"client_id": "mine"}, 200),
        ("right", {"client_id": "another"}, 400),
        ("right", {"resource": "https://storage.azure.com"}, 400),
        ("wrong", {}, 401),
        ("", {}, 401),
    ],
)
def test_the_managed_identity_opens_with_its_header_only(
    arm: Arm, header: str, query: dict[str, str], status: int
) -> None:
    identity = arm.lab.identity
    sent = {"resource": arm.endpoint, "api-version": "2019-08-01"} | query
    if sent.get("client_id") == "mine":
        sent["client_id"] = identity.client_id
    value = managed_identity.derive_header_value(identity) if header == "right" else header
    answer = arm.pool.request(
        "GET", f"{arm.endpoint}/msi/token", fields=sent, headers={managed_identity.HEADER: value}
    )
    assert answer.status == status
    if status == 200:
        assert arm.lab.tokens.check(arm.endpoint, f"Bearer {answer.json()['access_token']}") is None
        assert identity.client_secret not in value


def test_the_default_credential_takes_the_managed_identity_by_variables(
    arm: Arm, server: LabServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in server.build_environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AZURE_FEDERATED_TOKEN_FILE")
    with DefaultAzureCredential() as credential:
        token = credential.get_token(f"{server.endpoint}/.default").token
    assert arm.lab.tokens.check(arm.endpoint, f"Bearer {token}") is None


def test_the_published_key_verifies_the_tokens_that_it_is_named_in(arm: Arm) -> None:
    published = arm.pool.request("GET", f"{arm.endpoint}/common/discovery/v2.0/keys").json()
    named = jwt.PyJWKSet.from_dict(published)[jwt.get_unverified_header(arm.token)["kid"]]
    assert named.public_key_use == "sig"
    claims = jwt.decode(arm.token, named, algorithms=["RS256"], audience=arm.endpoint)
    assert claims["tid"] == arm.lab.identity.tenant
