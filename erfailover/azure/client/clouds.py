"""Where Azure is: the public cloud, another of Microsoft's, or any endpoint by URL.

Owns the endpoints and what overrides what. Reads no credential; of the certificate authorities
it looks only at whether there are any in the file named.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from azure.core import AzureClouds
from azure.identity import AzureAuthorityHosts
from azure.mgmt.core.tools import get_arm_endpoints

from erfailover.errors import UsageFailure
from erfailover.model.site import CloudEndpoint, CloudName, NamedCloud

ENDPOINT_VARIABLE = "ERFAILOVER_ENDPOINT"
AUTHORITY_VARIABLE = "AZURE_AUTHORITY_HOST"
CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""What requests, and so the SDK, reads, in this order (its documentation)."""

PUBLIC_AUTHORITIES = frozenset(
    {
        AzureAuthorityHosts.AZURE_PUBLIC_CLOUD,
        AzureAuthorityHosts.AZURE_GOVERNMENT,
        AzureAuthorityHosts.AZURE_CHINA,
    }
)


@dataclass(frozen=True, slots=True)
class Cloud:
    """A cloud, as this run reaches it.

    Attributes:
        name: ``public``, ``usgovernment``, ``china``, or the host of its endpoint.
        endpoint: the management endpoint, without a slash at its end.
        scope: what a token for it is asked for.
        authority: the token issuer, ``https://host``.
        storage_suffix: what follows ``account.blob.``; None if it is not known.
        ca: the certificate authorities to trust instead of the public ones; None if those
            count, or a variable names others.
        api_versions: the api-versions that requests carry, by provider, instead of the SDK's.
    """

    name: str
    endpoint: str
    scope: str
    authority: str
    storage_suffix: str | None
    ca: Path | None = None
    api_versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def private_authority(self) -> bool:
        """Whether the authority is not one of Microsoft's.

        azure-identity would ask the public cloud about one that it does not know.
        """
        return urlsplit(self.authority).netloc.lower() not in PUBLIC_AUTHORITIES

    @property
    def description(self) -> str:
        """The cloud for people: its name, if it has one, and its endpoint."""
        return self.endpoint if self.name in self.endpoint else f"{self.name}, {self.endpoint}"

    def build_blob_endpoint(self, account: str) -> str | None:
        """Return a storage account's blob endpoint; None if the cloud's suffix is not known."""
        return f"https://{account}.blob.{self.storage_suffix}" if self.storage_suffix else None


def get_known_cloud(name: CloudName) -> Cloud:
    """One of Microsoft's clouds: endpoint and scope are the SDK's own, the suffix is az's."""
    setting, authority, suffix = {
        "public": (
            AzureClouds.AZURE_PUBLIC_CLOUD,
            AzureAuthorityHosts.AZURE_PUBLIC_CLOUD,
            "core.windows.net",
        ),
        "usgovernment": (
            AzureClouds.AZURE_US_GOVERNMENT,
            AzureAuthorityHosts.AZURE_GOVERNMENT,
            "core.usgovcloudapi.net",
        ),
        "china": (
            AzureClouds.AZURE_CHINA_CLOUD,
            AzureAuthorityHosts.AZURE_CHINA,
            "core.chinacloudapi.cn",
        ),
    }[name]
    arm_endpoints = get_arm_endpoints(setting)
    return Cloud(
        name,
        arm_endpoints["resource_manager"].rstrip("/"),
        arm_endpoints["credential_scopes"][0],
        f"https://{authority}",
        suffix,
    )


def resolve(
    requested: CloudName | NamedCloud | CloudEndpoint,
    environment: Mapping[str, str],
    folder: Path = Path(),
) -> Cloud:
    """Return the cloud that a site file asks for, with what the environment overrides.

    ``ERFAILOVER_ENDPOINT`` replaces the endpoint; one of a cloud of Microsoft's brings that cloud's
    authority along. ``AZURE_AUTHORITY_HOST`` replaces the authority, ``REQUESTS_CA_BUNDLE`` the
    certificate authorities.

    Args:
        requested: the site file's ``cloud``.
        environment: variables.
        folder: what a relative path of ``ca`` starts from: the site file's.

    Raises:
        UsageFailure: a URL without https, or a file without certificate authorities.
    """
    ca: Path | None = None
    if isinstance(requested, CloudEndpoint):
        cloud = get_cloud_at(requested.endpoint, get_known_cloud("public"))
        cloud = replace(cloud, authority=requested.authority.rstrip("/"))
        if cloud.name not in ("public", "usgovernment", "china"):
            cloud = replace(cloud, storage_suffix=None)
        ca = folder / Path(requested.ca).expanduser() if requested.ca else None
    else:
        cloud = get_known_cloud(requested if isinstance(requested, str) else requested.name)
    endpoint = environment.get(ENDPOINT_VARIABLE)
    if endpoint:
        _check_https(ENDPOINT_VARIABLE, endpoint, "Set it to the management endpoint of your cloud")
        cloud = get_cloud_at(endpoint, cloud)
    authority = environment.get(AUTHORITY_VARIABLE)
    if authority:
        authority = authority if "://" in authority else f"https://{authority}"
        _check_https(
            AUTHORITY_VARIABLE, authority, "Set it to the host that issues your cloud's tokens"
        )
        cloud = replace(cloud, authority=authority.rstrip("/"))
    if not isinstance(requested, str):
        cloud = replace(cloud, api_versions=requested.api_versions.to_dict())
    for variable in CA_VARIABLES:
        if environment.get(variable):
            check_ca(Path(environment[variable]), variable)
            return cloud
    if ca is not None:
        check_ca(ca, "cloud.ca of the site file")
    return replace(cloud, ca=ca)


def get_cloud_at(endpoint: str, otherwise: Cloud) -> Cloud:
    """Return the cloud at an endpoint: Microsoft's if it is one, else another cloud with it."""
    endpoint = endpoint.rstrip("/")
    names: tuple[CloudName, ...] = ("public", "usgovernment", "china")
    for name in names:
        cloud = get_known_cloud(name)
        if cloud.endpoint == endpoint.lower():
            return cloud
    host = urlsplit(endpoint).netloc
    return replace(otherwise, name=host, endpoint=endpoint, scope=f"{endpoint}/.default")


def check_ca(file: Path, named_by: str) -> None:
    """Look whether a file, or a folder as OpenSSL hashes it, holds certificate authorities.

    Raises:
        UsageFailure: it is not there, cannot be read, or holds none.
    """
    if file.is_dir():
        return
    expected = f"{named_by} names {file}; expected a file of certificates in PEM"
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=file)
    except FileNotFoundError:
        raise UsageFailure(f"{expected}, found none", "Correct the path, or unset it.") from None
    except ssl.SSLError:
        raise UsageFailure(
            f"{expected}, found other content",
            "It must hold '-----BEGIN CERTIFICATE-----'; convert DER with: "
            "openssl x509 -inform der -in FILE -out FILE.pem",
        ) from None
    except OSError as error:
        actual = (error.strerror or type(error).__name__).lower()
        raise UsageFailure(f"{expected}, found: {actual}", "Make the file readable.") from None


def _check_https(variable: str, url: str, remedy: str) -> None:
    parts = urlsplit(url)
    if parts.scheme.lower() != "https" or not parts.netloc:
        raise UsageFailure(
            f"{variable} is {url!r}; expected an https:// URL",
            f"{remedy}, or unset it to use the site file's.",
        )
