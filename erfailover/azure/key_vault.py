"""Secrets read from Azure Key Vault by the run's one credential: shared keys, URLs of targets.

Reads one secret and writes nothing. The value goes to the caller and nowhere else: it is in no
log, no message and no exception.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from azure.core.credentials import AccessToken, TokenCredential
from azure.keyvault.secrets import SecretClient

from erfailover.azure.client.access import Access
from erfailover.azure.client.errors import PROXY_ADVICE, TLS_ADVICE
from erfailover.azure.client.retries import READ, Contact, Retries
from erfailover.errors import AzureErrorKind, AzureFailure
from erfailover.model.topology import TopologySharedKeys
from erfailover.runtime.clock import Clock
from erfailover.runtime.secrets import VaultKey

DEADLINE_S = 60.0
"""How long the reading is tried, in Azure's seconds."""

DOMAINS = (".vault.azure.net", ".vault.azure.cn", ".vault.usgovcloudapi.net")
"""Azure's vaults: every other host is a cloud of one's own, or an emulator."""

FIREWALL = ("Client address is not authorized", "Public network access is disabled", "NSP rules")
"""What a vault says whose network rules keep the caller out (observed: ForbiddenByFirewall)."""


def read(
    named: TopologySharedKeys,
    access: Access,
    clock: Clock,
    subject: str = "the tunnels' shared key",
    setting: str = "topology.shared_keys",
) -> VaultKey:
    """Read a secret.

    Args:
        named: the vault, the secret and, if one is named, its version.
        access: the run's credential, connections and trusted authorities.
        clock: in whose seconds retries wait.
        subject: what the secret is, for messages.
        setting: the key of the site file that names it, for messages.

    Raises:
        AzureFailure: the vault refused, has no such secret, or did not answer.
    """
    host = str(urlsplit(named.key_vault).hostname).lower()
    what = f"GET {named.id}"

    def read_once() -> VaultKey:
        try:
            with _build_client(named, host, access) as client:
                key_vault_secret = client.get_secret(named.secret, named.version)
                version, value = key_vault_secret.properties.version, key_vault_secret.value
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            # The SDK's word for a challenge that leads elsewhere; any other answer may be quoted
            # in the exception, so that nothing of it is repeated.
            elsewhere = "challenge resource" in str(error)
            found_text = "a challenge for another resource" if elsewhere else "another response"
            raise AzureFailure(
                AzureErrorKind.REFUSED,
                f"{what}: expected a secret of Key Vault, found {found_text}",
            ) from None
        if not version or value is None:
            raise AzureFailure(
                AzureErrorKind.REFUSED, f"{what}: expected a secret with a value, found none"
            )
        return VaultKey(f"{named.unversioned_id}/{version}", value)

    retries = Retries(clock, access.credential.renew, Contact())
    try:
        return retries.call(what, read_once, on=READ, deadline=clock.now() + DEADLINE_S)
    except AzureFailure as failure:
        raise AzureFailure(
            failure.kind,
            f"{subject} cannot be read: {failure.message}",
            _suggest_remedy(failure, named, setting),
            code=failure.code,
            status=failure.status,
            correlation_id=failure.correlation_id,
        ) from failure


def _build_client(named: TopologySharedKeys, host: str, access: Access) -> SecretClient:
    """Return a client of the vault.

    A vault answers the first request with a challenge: which resource the token must be for. The
    SDK takes one only if the vault's host is in that resource's domain, so that no other host is
    sent a token. A host that is not one of Azure's vaults may name a resource of another domain
    (Azure Stack Hub does; an emulator may), and there alone ``_VaultCredential`` checks instead.
    """
    of_azure = host.endswith(DOMAINS)
    return SecretClient(
        named.key_vault,
        credential=access.credential if of_azure else _VaultCredential(access.credential, host),
        verify_challenge_resource=of_azure,
        transport=access.build_transport(named.key_vault),
        retry_total=0,
        user_agent=access.agent,
    )


@dataclass(frozen=True)
class _VaultCredential:
    """Gives a host tokens for itself and for vaults, never one that opens anything else."""

    inner: TokenCredential
    host: str

    def get_token(
        self, *scopes: str, claims: str | None = None, tenant_id: str | None = None, **kwargs: Any
    ) -> AccessToken:
        """Return a token, as the SDK asks for one.

        Raises:
            AzureFailure: it would be for another service.
        """
        for scope in scopes:
            requested = str(urlsplit(scope).hostname).lower()
            if requested != self.host and not requested.startswith("vault."):
                raise AzureFailure(
                    AzureErrorKind.REFUSED,
                    f"{self.host} asks for a token for {requested}, which no vault needs; none "
                    "was sent",
                )
        return self.inner.get_token(*scopes, claims=claims, tenant_id=tenant_id, **kwargs)


def _suggest_remedy(failure: AzureFailure, named: TopologySharedKeys, setting: str) -> str | None:
    """Return what to do, by what the vault said (its texts are observed, its codes published)."""
    vault = named.key_vault
    if failure.status == HTTPStatus.FORBIDDEN:
        if any(mark in failure.message for mark in FIREWALL):
            return (
                f"Allow this machine's address in the firewall of {vault}, or run erfailover where "
                "the vault can be reached."
            )
        if "disabled" in failure.message:
            return f"Enable the secret {named.secret}, or set another one in the site file."
        return (
            f"Assign the role Key Vault Secrets User on {vault} or, if that vault uses access "
            "policies, the secret permission Get. It takes some minutes to apply."
        )
    if failure.kind is AzureErrorKind.NOT_FOUND:
        return (
            f"Correct {setting} in the site file, or create the secret {named.secret}. "
            "To restore a deleted one: az keyvault secret recover"
        )
    if failure.kind is AzureErrorKind.CONNECTION and failure.hint not in (TLS_ADVICE, PROXY_ADVICE):
        return (
            f"Check the name {vault}, and that this machine can reach it (DNS, firewall, private "
            "endpoint, proxy)."
        )
    if failure.kind is AzureErrorKind.REFUSED:
        return f"Check that {vault} is the right key vault."
    return failure.hint
