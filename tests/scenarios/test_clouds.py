"""Another cloud by the site file alone; identities, a proxy, a private certificate authority."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from erfailover.azure.client.request_log import LoggedTransport
from erfailover.lab.server.az_config import write_configuration
from tests.support import az as az_cli
from tests.support import connect_proxy
from tests.support.az import Az
from tests.support.clocks import ResumedClock
from tests.support.stage import Stage

WORKLOAD = ("AZURE_FEDERATED_TOKEN_FILE",)
MANAGED = ("IDENTITY_ENDPOINT", "IDENTITY_HEADER")


@pytest.fixture(autouse=True)
def _nothing_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """azure-identity's own retries sleep by the wall clock."""
    monkeypatch.setattr(LoggedTransport, "sleep", lambda self, seconds: None)


def configure_by_site_file(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, ca: str | None = "ca.pem"
) -> None:
    """Take the variables that lead to the lab away, and let the site file do it."""
    endpoint = stage.environment["ERFAILOVER_ENDPOINT"]
    for name in ("ERFAILOVER_ENDPOINT", "AZURE_AUTHORITY_HOST"):
        monkeypatch.delenv(name)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    shutil.copy(stage.environment["REQUESTS_CA_BUNDLE"], "ca.pem")
    authority = f"  ca: {ca}\n" if ca else ""
    with Path("erfailover.yaml").open("a") as file:
        file.write(f"cloud:\n  endpoint: {endpoint}/\n  authority: {endpoint}\n{authority}")


def only(stage: Stage, monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Leave of the identities only the one that some variables make."""
    for name in {*WORKLOAD, *MANAGED} - {*names}:
        monkeypatch.delenv(name)
    if names == ("AZURE_CLIENT_SECRET",):
        monkeypatch.setenv(names[0], stage.lab.identity.client_secret)


@pytest.mark.parametrize(
    ("variables", "credential"),
    [
        (("AZURE_CLIENT_SECRET",), "EnvironmentCredential"),
        (WORKLOAD, "WorkloadIdentityCredential"),
        (MANAGED, "ManagedIdentityCredential"),
    ],
)
def test_each_identity_reaches_a_cloud_that_the_site_file_alone_names(
    provisioned: Stage,
    monkeypatch: pytest.MonkeyPatch,
    variables: tuple[str, ...],
    credential: str,
) -> None:
    stage = provisioned
    configure_by_site_file(stage, monkeypatch)
    only(stage, monkeypatch, *variables)
    assert stage.json("status", "-vv")["path"] == "expressroute"
    assert f"acquired a token from {credential}" in stage.err
    assert stage.lab.identity.client_secret not in stage.err
    assert "AZURE_AUTHORITY_HOST" not in os.environ


def test_a_wrong_secret_is_told_with_the_credential_and_without_the_secret(
    provisioned: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = provisioned
    only(stage, monkeypatch, "AZURE_CLIENT_SECRET")
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "wr0ng-Secret")
    assert stage.run("status", "-vv") == 5
    assert "EnvironmentCredential: Authentication failed: AADSTS7000215" in stage.err
    assert "az login" in stage.err
    assert "wr0ng-Secret" not in stage.err


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("AZURE_CLIENT_CERTIFICATE_PATH", "none.pem", "none.pem"),
        ("AZURE_TENANT_ID", "no tenant!", "tenant"),
        ("AZURE_TOKEN_CREDENTIALS", "nonsense", "AZURE_TOKEN_CREDENTIALS"),
    ],
)
def test_nonsense_in_the_variables_of_an_identity_is_no_bug(
    provisioned: Stage, monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    monkeypatch.setenv(name, value)
    assert provisioned.run("status") == 5
    assert words in provisioned.err


def test_an_authority_that_is_not_trusted_is_told_with_what_to_do(
    provisioned: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = provisioned
    configure_by_site_file(stage, monkeypatch, ca=None)
    only(stage, monkeypatch, *WORKLOAD)
    assert stage.run("status") == 5
    assert "REQUESTS_CA_BUNDLE" in stage.err
    assert "cloud: ca:" in stage.err


def test_a_file_of_authorities_that_is_not_there_is_told_before_anything_is_sent(
    provisioned: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = provisioned
    before = len(stage.lab.trace)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "nowhere.pem")
    assert stage.run("status") == 2
    assert "REQUESTS_CA_BUNDLE names nowhere.pem" in stage.err
    assert len(stage.lab.trace) == before


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cloud: germany", "'public' or 'usgovernment' or 'china'"),
        ("cloud: {endpoint: 'https://x'}", "authority"),
        ("cloud: {endpoint: 'http://x', authority: 'https://x'}", "https:// URL"),
        ("cloud: {endpoint: 'https://x', authority: x, cert: y}", "cert"),
    ],
)
def test_a_cloud_that_cannot_be_is_told_with_its_line(stage: Stage, text: str, words: str) -> None:
    stage.do("init")
    site = Path("erfailover.yaml")
    number = len(site.read_text().splitlines()) + 1
    site.write_text(f"{site.read_text()}{text}\n")
    assert stage.run("status") == 2
    assert f"erfailover.yaml:{number}: cloud" in stage.err
    assert words in stage.err


def test_doctor_judges_the_way_to_the_cloud_that_the_site_file_names(
    provisioned: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = provisioned
    configure_by_site_file(stage, monkeypatch)
    body = {item["name"]: item["seen"] for item in stage.json("doctor")["checks"]}
    assert body["credentials"].endswith(f"at {stage.environment['ERFAILOVER_ENDPOINT']}")
    assert body["endpoint-path"] == (
        "the sign-in endpoint (127.0.0.1) has the loopback address 127.0.0.1"
    )


def test_a_proxy_is_used_except_where_no_proxy_says_otherwise(
    provisioned: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = provisioned
    host = stage.environment["ERFAILOVER_ENDPOINT"].removeprefix("https://")
    for name in ("NO_PROXY", "no_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    with connect_proxy.running() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        assert stage.json("status")["path"] == "expressroute"
        assert set(proxy.asked_for) == {host}
        counted = len(proxy.asked_for)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        stage.do("status")
        assert len(proxy.asked_for) == counted


def test_a_proxy_that_does_not_answer_is_told_as_such(
    provisioned: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    assert provisioned.run("status") == 5
    assert "HTTPS_PROXY" in provisioned.err


def test_state_in_a_cloud_whose_storage_is_not_known_needs_its_endpoint(
    provisioned: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure_by_site_file(provisioned, monkeypatch)
    with Path("erfailover.yaml").open("a") as file:
        file.write("state: azblob://account/container/site\n")
    assert provisioned.run("history") == 2
    assert "ERFAILOVER_BLOB_ENDPOINT" in provisioned.err


@pytest.fixture(scope="module")
def az() -> Az:
    return az_cli.install_az()


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_who_is_signed_in_to_az_needs_no_variable_at_all(
    az: Az, provisioned: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = provisioned
    configure_by_site_file(stage, monkeypatch)
    only(stage, monkeypatch)
    endpoint = stage.environment["ERFAILOVER_ENDPOINT"]
    folder = write_configuration(stage.folder / "az", stage.lab.identity, endpoint)
    for name in ("AZURE_SUBSCRIPTION_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_ID"):
        monkeypatch.delenv(name)
    # az has no other way to a private authority; the probe of a managed identity is not for here.
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", stage.environment["REQUESTS_CA_BUNDLE"])
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "AzureCliCredential")
    monkeypatch.setenv("AZURE_CONFIG_DIR", str(folder))
    monkeypatch.setenv("PATH", str(az.program.parent), prepend=":")
    stage.lab.clock = ResumedClock(50.0, stage.clock.now())
    status = stage.json("status", "-vv")
    assert status["path"] == "expressroute"
    assert status["subscription"] == {"id": stage.lab.identity.subscription, "from": "az"}
    assert "acquired a token from AzureCliCredential" in stage.err
    assert "(from the default of az)" in stage.err
