"""Which tenant a request is of: its own token, and, of a peering across tenants, the peer's beside.

Published (authenticate-multi-tenant): the primary token must be of the tenant that owns the
subscription; a request that names a resource of another tenant has a token of that tenant in
``x-ms-authorization-auxiliary``, at most three, each of the same user or application. A managed
identity has none: it is of one tenant. Only the first request of a write needs it (azure-cli
16797), so the polls have the primary token alone.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from azure.core.credentials import AccessToken, TokenCredential
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.core.rest import HttpRequest
from azure.mgmt.core.policies import AuxiliaryAuthenticationPolicy

from erfailover.azure.client import sign_in
from erfailover.azure.client.clouds import Cloud
from erfailover.azure.client.request_log import LoggedTransport, strip_queries
from erfailover.azure.client.shared_credential import SharedCredential
from erfailover.errors import AzureErrorKind, AzureFailure
from erfailover.model.arm_json import get_section, parse_text
from erfailover.model.resource_ids import get_subscription
from erfailover.model.site import TenantCredential
from erfailover.runtime.logs import redact

AUXILIARY = "x-ms-authorization-auxiliary"
SUBSCRIPTIONS_API = "2022-12-01"
_OWNER = re.compile(r'\bauthorization_uri="https://[^/"]+/([0-9a-fA-F-]{36})')
_PEERING = re.compile(
    r"/subscriptions/([^/]+)/.+/virtualNetworks/[^/]+/virtualNetworkPeerings/[^/?]+(\?|$)",
    re.IGNORECASE,
)
FAR_TENANT_REMEDY = (
    "A managed identity belongs to one tenant and cannot do this. Use a multi-tenant application "
    "that was added to that tenant and has a role there, or a guest user of it (az login "
    "--tenant {tenant})."
)


class OneTenant(SharedCredential):
    """Gives tokens of one tenant. A missing token affects only the resources of that tenant."""

    def __init__(
        self, tenant: str, kind: TenantCredential, make: Callable[[], TokenCredential]
    ) -> None:
        super().__init__(make)
        self.tenant, self.kind = tenant, kind

    def get_token(
        self, *scopes: str, claims: str | None = None, tenant_id: str | None = None, **kwargs: Any
    ) -> AccessToken:
        """Return a token of the tenant, whatever tenant is requested.

        Raises:
            AzureFailure: kind OTHER_TENANT: the credential gives none.
        """
        try:
            return super().get_token(*scopes, claims=claims, tenant_id=self.tenant, **kwargs)
        except ClientAuthenticationError as error:
            message = sign_in.format_attempts(error).partition(" Content: {")[
                0
            ]  # repeats the same as JSON
            why = redact(strip_queries(message))
            raise AzureFailure(
                AzureErrorKind.OTHER_TENANT,
                f"no token of tenant {self.tenant} (credential {self.kind}): {why}",
                sign_in.suggest_remedy(str(error)) or FAR_TENANT_REMEDY.format(tenant=self.tenant),
            ) from error


class _SubscriptionCredential:
    """Gives tokens of the tenant that owns a subscription; which that is is asked when needed."""

    def __init__(self, tenants: Tenants, subscription: str) -> None:
        self._tenants, self._subscription = tenants, subscription

    def get_token(
        self, *scopes: str, claims: str | None = None, tenant_id: str | None = None, **kwargs: Any
    ) -> AccessToken:
        """Return a token, as the SDK's clients ask for one."""
        credential = self._tenants.get_credential(self._subscription)
        return credential.get_token(*scopes, claims=claims, tenant_id=tenant_id, **kwargs)


class Tenants:
    """The credentials of a run, by the tenants that own subscriptions. Safe for many threads.

    Without further tenants nothing is asked of whom a subscription is: there is one credential.

    Attributes:
        home: the credential of every tenant that is not named.

    Args:
        cloud: whose subscriptions.
        transport: sends the question for a subscription's owner, which carries no token.
        home: the same.
        named: the further tenants, and by which credential to sign in to each.
        make: makes such a credential.
    """

    def __init__(
        self,
        cloud: Cloud,
        transport: LoggedTransport,
        home: SharedCredential,
        named: Mapping[str, TenantCredential],
        make: Callable[[str, TenantCredential], TokenCredential],
    ) -> None:
        self._cloud, self._transport = cloud, transport
        self.home = home
        self._named = {
            tenant.lower(): OneTenant(tenant.lower(), kind, _bind_maker(make, tenant.lower(), kind))
            for tenant, kind in named.items()
        }
        self._owners: dict[str, str | None] = {}
        self._lock = threading.Lock()

    @property
    def are_several(self) -> bool:
        """Whether the site file names further tenants."""
        return bool(self._named)

    def build_credential(self, subscription: str) -> TokenCredential:
        """Return the credential for the clients of a subscription."""
        return _SubscriptionCredential(self, subscription) if self._named else self.home

    def get_credential(self, subscription: str) -> SharedCredential:
        """Return the credential of the tenant that owns a subscription.

        Raises:
            AzureError: the management endpoint does not say which tenant that is.
        """
        return self._named.get(self._find_owner(subscription) or "", self.home)

    def get_peer_credential(self, subscription: str, peer: str) -> SharedCredential | None:
        """Return the credential of a peer's tenant; None if both subscriptions are of one tenant.

        Raises:
            AzureError: the management endpoint does not say which tenants these are.
        """
        if not self._named or self._find_owner(subscription) == self._find_owner(peer):
            return None
        return self.get_credential(peer)

    def ensure(self, subscriptions: Iterable[str], lasts_s: float) -> None:
        """Have a token of each tenant that owns one of the subscriptions, and that lasts so long.

        Raises:
            AzureError, AzureFailure: a tenant gives none.
        """
        if not self._named:
            return
        for credential in dict.fromkeys(map(self.get_credential, subscriptions)):
            credential.ensure(self._cloud.scope, lasts_s)

    def renew(self) -> None:
        """Forget every credential and token."""
        for credential in (self.home, *self._named.values()):
            credential.renew()

    def close(self) -> None:
        """Close every credential that was made."""
        for credential in (self.home, *self._named.values()):
            credential.close()

    def _find_owner(self, subscription: str) -> str | None:
        """Return the tenant that owns a subscription; None if Azure does not say."""
        key = subscription.lower()
        with self._lock:
            if key not in self._owners:
                self._owners[key] = self._ask(key)
            return self._owners[key]

    def _ask(self, subscription: str) -> str | None:
        """Ask without a token: Azure's refusal names the authority that gives one (reported)."""
        request = HttpRequest(
            "GET",
            f"{self._cloud.endpoint}/subscriptions/{subscription}",
            params={"api-version": SUBSCRIPTIONS_API},
        )
        answer = self._transport.send(request)
        if answer.status_code not in (401, 404):
            raise HttpResponseError(response=answer)
        owner = _OWNER.search(answer.headers.get("WWW-Authenticate") or "")
        return owner[1].lower() if owner else None


def _bind_maker(
    make: Callable[[str, TenantCredential], TokenCredential], tenant: str, kind: TenantCredential
) -> Callable[[], TokenCredential]:
    return lambda: make(tenant, kind)


class PeerTenantPolicy(AuxiliaryAuthenticationPolicy):
    """Adds a token of the peer's tenant to a PUT of a peering across tenants, and to nothing else.

    The base class adds the tokens of all its credentials to every request, and raises if one
    of them gives none.
    """

    def __init__(self, tenants: Tenants, scope: str) -> None:
        super().__init__((), scope)
        self._tenants = tenants

    def on_request(self, request: Any) -> None:
        """Add the header, if the request is such a PUT.

        Raises:
            AzureFailure: the peer's tenant gives no token.
        """
        credential = self._find_peer_credential(request.http_request)
        if credential is not None:
            self._enforce_https(request)
            token = credential.get_token(*self._scopes)
            request.http_request.headers[AUXILIARY] = f"Bearer {token.token}"

    def _find_peer_credential(self, sent: Any) -> SharedCredential | None:
        where = _PEERING.search(sent.url) if sent.method == "PUT" else None
        if where is None:
            return None
        properties = get_section(json.loads(sent.content or "{}"), "properties")
        remote = parse_text(get_section(properties, "remoteVirtualNetwork").get("id"))
        if not remote.lower().startswith("/subscriptions/"):
            return None
        return self._tenants.get_peer_credential(where[1], get_subscription(remote))
