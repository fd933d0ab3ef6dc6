"""Which paths the lab serves, and what it answers to requests that no client should send."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from erfailover.lab.auth import managed_identity
from erfailover.lab.server.server import LabServer
from tests.support.arm_client import Arm
from tests.support.lab_express import hub_on_a_circuit

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def send(
    server: LabServer,
    method: str,
    path: str,
    headers: Mapping[str, str | bytes] | None = None,
    body: bytes | None = None,
) -> tuple[int, Any, http.client.HTTPMessage]:
    """Send a request exactly as given; return status, JSON and headers of its answer."""
    url = urlsplit(server.endpoint)
    context = ssl.create_default_context(cafile=str(server.ca_file))
    connection = http.client.HTTPSConnection(str(url.hostname), url.port, context=context)
    try:
        connection.putrequest(method, path, skip_host="Host" in (headers or {}))
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"null"), answer.headers
    finally:
        connection.close()


def secret(server: LabServer) -> dict[str, str | bytes]:
    return {"Authorization": f"Bearer {server.lab.identity.lab_secret}"}


# Which hosts are answered.


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8443", "127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:443"]
)
def test_loopback_hosts_are_answered_at_any_port(server: LabServer, host: str) -> None:
    status, body, _ = send(server, "GET", "/metadata/endpoints?api-version=2022", {"Host": host})
    assert status == 200
    assert body[0]["resourceManager"] == f"https://{host}"


@pytest.mark.parametrize(
    "host",
    [
        "evil.com",
        "evil.com:443",
        "localhost:evil.com",
        "localhost:",
        "localhost:443:evil.com",
        "localhost.evil.com",
        "127.0.0.1.evil.com",
        "127.0.0.1@evil.com",
        "[::1]:evil.com",
        "[::1].evil.com",
        "",
    ],
)
@pytest.mark.parametrize("path", ["/tenants", "/lab/status", "/metadata/endpoints"])
def test_other_hosts_are_turned_away_at_every_path(server: LabServer, host: str, path: str) -> None:
    status, body, _ = send(server, "GET", path, {**secret(server), "Host": host})
    assert (status, body["error"]["code"]) == (421, "MisdirectedRequest")


# Bytes that are no text.


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/lab/status", "LabSecretRequired"),
        ("/tenants?api-version=2022-12-01", "InvalidAuthenticationToken"),
    ],
)
def test_a_token_that_is_no_text_is_refused(server: LabServer, path: str, code: str) -> None:
    status, body, _ = send(server, "GET", path, {"Authorization": b"Bearer \xff"})
    assert (status, body["error"]["code"]) == (401, code)


def test_an_identity_header_that_is_no_text_is_refused(server: LabServer) -> None:
    path = f"/{managed_identity.PATH}?resource={server.endpoint}"
    status, _, _ = send(server, "GET", path, {managed_identity.HEADER: b"\xff"})
    assert status == 401


@pytest.mark.parametrize("name", ["client_secret", "client_assertion"])
def test_a_client_secret_that_is_no_text_is_refused(server: LabServer, name: str) -> None:
    identity = server.lab.identity
    form = {"grant_type": "client_credentials", "client_id": identity.client_id, name: b"\xff"}
    path = f"/{identity.tenant}/oauth2/v2.0/token"
    status, body, _ = send(server, "POST", path, FORM, urlencode(form).encode())
    assert (status, body["error"]) == (401, "invalid_client")


# The paths of Entra ID.


@pytest.mark.parametrize("version", ["", "v2.0/"])
def test_entra_id_answers_at_the_paths_of_both_its_versions(
    server: LabServer, version: str
) -> None:
    identity = server.lab.identity
    form = {
        "grant_type": "client_credentials",
        "client_id": identity.client_id,
        "client_secret": identity.client_secret,
        "scope": f"{server.endpoint}/.default",
    }
    base, body = f"/{identity.tenant}", urlencode(form).encode()
    status, reply, _ = send(server, "POST", f"{base}/oauth2/{version}token", FORM, body)
    assert (status, reply["token_type"]) == (200, "Bearer")
    status, reply, _ = send(server, "GET", f"{base}/{version}.well-known/openid-configuration")
    assert (status, reply["issuer"]) == (200, f"{server.endpoint}/{identity.tenant}/v2.0")
    status, reply, _ = send(server, "GET", f"{base}/discovery/{version}keys")
    assert (status, reply["keys"][0]["kty"]) == (200, "RSA")


def test_instance_discovery_names_the_lab_as_its_own_cloud(server: LabServer) -> None:
    status, body, _ = send(server, "GET", "/common/discovery/instance?api-version=1.1")
    host = server.endpoint.removeprefix("https://")
    assert status == 200
    assert body["metadata"][0]["aliases"] == [host]
    assert body["tenant_discovery_endpoint"].startswith(server.endpoint)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/tenant/oauth2/v2.0/token"),
        ("PUT", "/metadata/endpoints"),
        ("POST", "/common/discovery/instance"),
        ("OPTIONS", "/tenants"),
        ("GET", "/"),
        ("GET", "/a%0Ab"),
    ],
)
def test_every_other_request_is_arms_which_asks_for_a_token(
    server: LabServer, method: str, path: str
) -> None:
    status, body, headers = send(server, method, path)
    assert (status, body["error"]["code"]) == (401, "AuthenticationFailed")
    assert headers["WWW-Authenticate"].startswith("Bearer ")


# The paths of ARM.


@pytest.mark.parametrize(
    "form", ["{0}", "{0}/", "//{0}", "/{1}", "/{2}", "/SUBSCRIPTIONS//{3}//ResourceGroups///rG/"]
)
def test_arm_takes_paths_in_any_case_and_with_doubled_slashes(arm: Arm, form: str) -> None:
    root, subscription = arm.root, arm.lab.identity.subscription
    path = form.format(root, root.upper(), root.replace("/", "//"), subscription)
    reply = arm.call("GET", f"{arm.endpoint}{path}?api-version=2024-05-01")
    assert reply.status == 200
    assert reply.body["name"] == "rg"


def test_a_body_beyond_arms_limit_is_refused_in_arms_words(arm: Arm) -> None:
    reply = arm.call("PUT", arm.root, raw=b" " * (4 * 2**20 + 1))
    assert reply.status == 413
    assert reply.code


# The lab's own paths.


def test_an_unknown_path_of_the_labs_own_is_not_found(server: LabServer) -> None:
    status, body, _ = send(server, "GET", "/lab/nowhere", secret(server))
    assert (status, body["error"]["code"]) == (404, "NotFound")
    assert body["error"]["message"] == "GET /lab/nowhere"


def test_a_wrong_method_of_the_labs_own_is_refused_with_those_allowed(server: LabServer) -> None:
    status, body, headers = send(server, "PATCH", "/lab/faults", secret(server))
    assert (status, body["error"]["code"]) == (405, "MethodNotAllowed")
    assert set(headers["Allow"].split(",")) == {"DELETE", "GET", "HEAD", "POST"}


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/lab"), ("GET", "/lab/nowhere"), ("PATCH", "/lab/faults")]
)
def test_without_the_secret_the_lab_does_not_say_which_paths_it_has(
    server: LabServer, method: str, path: str
) -> None:
    status, body, _ = send(server, method, path)
    assert (status, body["error"]["code"]) == (401, "LabSecretRequired")


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("POST", "/lab/faults", "InvalidFault"),
        ("PUT", "/lab/role", "InvalidRole"),
        ("PUT", "/lab/metric", "InvalidMetric"),
        ("PUT", "/lab/sessions", "InvalidLoss"),
        ("POST", "/lab/save", "InvalidSnapshot"),
        ("POST", "/lab/restore", "InvalidSnapshot"),
        ("GET", "/lab/reachability?from=vm1&to=10.0.0.1", "InvalidParameter"),
    ],
)
@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[1]", b'{"file": 1}'])
def test_what_the_labs_own_paths_cannot_read_is_refused(
    server: LabServer, method: str, path: str, code: str, body: bytes
) -> None:
    status, reply, _ = send(server, method, path, secret(server), body)
    assert (status, reply["error"]["code"]) == (400, code)


def test_a_circuit_loses_the_customer_edge_and_has_it_again(server: LabServer, arm: Arm) -> None:
    hub_on_a_circuit(arm)
    circuits = arm.lab.plane.network.circuits.all
    desired = {"circuit": "c1", "paths": ["primary"], "seconds": 0, "every": 0, "times": 1}
    for paths, up in ((["primary"], (False, True)), ([], (True, True))):
        body = json.dumps({**desired, "paths": paths}).encode()
        status, reply, _ = send(server, "PUT", "/lab/sessions", secret(server), body)
        assert (status, reply["lost"]) == (200, paths)
        assert [circuit.customer_up for circuit in circuits.values()] == [up]
    body = json.dumps({**desired, "times": 3}).encode()
    status, reply, _ = send(server, "PUT", "/lab/sessions", secret(server), body)
    assert (status, reply["error"]["code"]) == (400, "InvalidLoss")
