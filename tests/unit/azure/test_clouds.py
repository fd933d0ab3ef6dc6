"""Which cloud a site is in, and what overrides what."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme

from erfailover.azure.client.clouds import resolve
from erfailover.errors import UsageFailure
from erfailover.model.site import CloudEndpoint, CloudName

OWN = CloudEndpoint("https://arm.example:444/", "https://login.example/")


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("ca") / "ca.pem"
    file.write_bytes(trustme.CA().cert_pem.bytes())
    return file


@pytest.mark.parametrize(
    ("name", "endpoint", "scope", "authority", "blob"),
    [
        (
            "public",
            "https://management.azure.com",
            "https://management.azure.com/.default",
            "https://login.microsoftonline.com",
            "https://acc.blob.core.windows.net",
        ),
        (
            "usgovernment",
            "https://management.usgovcloudapi.net",
            "https://management.core.usgovcloudapi.net/.default",
            "https://login.microsoftonline.us",
            "https://acc.blob.core.usgovcloudapi.net",
        ),
        (
            "china",
            "https://management.chinacloudapi.cn",
            "https://management.chinacloudapi.cn/.default",
            "https://login.chinacloudapi.cn",
            "https://acc.blob.core.chinacloudapi.cn",
        ),
    ],
)
def test_a_cloud_of_microsofts_has_its_own_endpoints(
    name: CloudName, endpoint: str, scope: str, authority: str, blob: str
) -> None:
    cloud = resolve(name, {})
    assert (cloud.endpoint, cloud.scope, cloud.authority) == (endpoint, scope, authority)
    assert cloud.build_blob_endpoint("acc") == blob
    assert not cloud.private_authority
    assert resolve("public", {"ERFAILOVER_ENDPOINT": f"{endpoint}/"}) == cloud
    assert resolve(CloudEndpoint(endpoint, authority), {}) == cloud


def test_a_cloud_by_url_is_its_own_audience_and_has_no_storage_that_is_known() -> None:
    cloud = resolve(OWN, {})
    assert cloud.endpoint == "https://arm.example:444"
    assert cloud.scope == "https://arm.example:444/.default"
    assert cloud.authority == "https://login.example"
    assert cloud.private_authority
    assert cloud.build_blob_endpoint("acc") is None


def test_the_environment_overrides_the_site_file_piece_by_piece() -> None:
    endpoint = resolve(OWN, {"ERFAILOVER_ENDPOINT": "https://other.example"})
    assert (endpoint.endpoint, endpoint.authority) == (
        "https://other.example",
        "https://login.example",
    )
    authority = resolve("china", {"AZURE_AUTHORITY_HOST": "login.example"})
    assert (authority.endpoint, authority.authority) == (
        "https://management.chinacloudapi.cn",
        "https://login.example",
    )
    assert authority.private_authority


@pytest.mark.parametrize("variable", ["ERFAILOVER_ENDPOINT", "AZURE_AUTHORITY_HOST"])
@pytest.mark.parametrize("url", ["http://127.0.0.1:80", "https://", "ftp://x"])
def test_a_variable_that_is_no_https_url_is_refused_by_name(variable: str, url: str) -> None:
    with pytest.raises(UsageFailure, match=variable) as caught:
        resolve("public", {variable: url})
    assert caught.value.exit_code == 2


def test_a_private_authority_stands_in_the_site_files_folder_or_in_a_variable(ca: Path) -> None:
    cloud_endpoint = CloudEndpoint("https://arm.example", "https://login.example", ca.name)
    assert resolve(cloud_endpoint, {}, ca.parent).ca == ca
    assert resolve(cloud_endpoint, {"REQUESTS_CA_BUNDLE": str(ca)}, Path("/nowhere")).ca is None


@pytest.mark.parametrize(
    ("content", "words"), [(None, "found none"), (b"\x30\x82", "BEGIN CERTIFICATE")]
)
def test_a_file_without_certificates_is_told_before_anything_is_sent(
    tmp_path: Path, content: bytes | None, words: str
) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    cloud_endpoint = CloudEndpoint("https://arm.example", "https://login.example", "ca.pem")
    for named_by, environment in (
        ("REQUESTS_CA_BUNDLE", {"REQUESTS_CA_BUNDLE": str(file)}),
        ("cloud.ca", {}),
    ):
        with pytest.raises(UsageFailure, match=named_by) as caught:
            resolve(cloud_endpoint, environment, tmp_path)
        assert str(file) in caught.value.message
        assert words in caught.value.message + (caught.value.hint or "")
