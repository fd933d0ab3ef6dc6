"""Translates the SDK's exceptions, once, at the edge.

Azure's error code decides before the HTTP status: a failed operation arrives as HTTP 200
(recorded), and contention as 400, 409 or 429 (recorded). A code that is not listed here means what
costs least if that is wrong: 409 and 429 are waited out, 404 is not taken for a missing resource.
The table ``ADVICE`` only adds a hint to a message: no decision rests on its texts, some of which
are not published.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.core.polling.base_polling import OperationFailed

from erfailover.azure.client import sign_in
from erfailover.azure.client.answers import parse
from erfailover.azure.client.request_log import strip_queries
from erfailover.errors import AzureErrorKind, AzureFailure
from erfailover.runtime.logs import redact

CONTENTION = frozenset(
    {
        "RetryableError",
        "RetryableErrorDueToAnotherOperation",
        "AnotherOperationInProgress",
        "ReferencedResourceNotProvisioned",
        "OperationNotAllowedOnUpdatingResource",
        "ResourceGroupBeingDeleted",
        "Conflict",  # of Run Command: "Run command extension execution is in progress" (published)
    }
)
"""Codes that say that another operation holds the resource (recorded; see errors of ARM)."""

SERVER = frozenset(
    {
        "InternalServerError",
        "ServerTimeout",
        "ServiceUnavailable",
        "GatewayTimeout",
        "Canceled",
        "OperationPreempted",
        "VmssGatewayDeploymentFailed",
    }
)
"""Codes of an intermittent failure inside Azure."""

FINAL_CONFLICTS = frozenset(
    {
        "AnotherPeeringAlreadyReferencesRemoteVnet",
        "BlobAlreadyExists",
        "BlobImmutableDueToPolicy",
        "BlockCountExceedsLimit",
        "ContainerAlreadyExists",
        "InvalidBlobType",
        "InvalidResourceLocation",
        "MissingSubscriptionRegistration",
        "OperationNotAllowed",
        "PropertyChangeNotAllowed",
        "QuotaExceeded",
        "ReadOnlyDisabledSubscription",
        "ResourceGroupDeletionBlocked",
        "ScopeLocked",
        "SkuNotAvailable",
    }
)
"""Codes of a 409 that no waiting cures (documented: ARM's and Storage's common error codes)."""

NOT_FOUND = frozenset(
    {
        "NotFound",
        "ParentResourceNotFound",
        "ResourceNotFound",
        "BlobNotFound",
        "ContainerNotFound",
        "SecretNotFound",
    }
)
"""Codes of a 404 that say that the resource does not exist (recorded; Storage's and Key Vault's
documented)."""

PLACES = {
    "InvalidAuthenticationTokenTenant": AzureErrorKind.OTHER_TENANT,
    "SubscriptionNotFound": AzureErrorKind.SUBSCRIPTION_NOT_FOUND,
    "InvalidSubscriptionId": AzureErrorKind.SUBSCRIPTION_NOT_FOUND,
    "ResourceGroupNotFound": AzureErrorKind.GROUP_NOT_FOUND,
    "InvalidResourceType": AzureErrorKind.NOT_OFFERED,
    "InvalidApiVersionParameter": AzureErrorKind.NOT_OFFERED,
    "NoRegisteredProviderFound": AzureErrorKind.NOT_OFFERED,
    "UnsupportedApiVersion": AzureErrorKind.NOT_OFFERED,
}
"""Codes that say that the request did not reach the resource (documented: ARM's common errors;
reported: azure-powershell 12061, azure-cli 28496, terraform-provider-azurerm 4546)."""

SEEN = {
    AzureErrorKind.OTHER_TENANT: "the subscription is in another tenant than this sign-in",
    AzureErrorKind.SUBSCRIPTION_NOT_FOUND: "this identity cannot see the subscription",
    AzureErrorKind.GROUP_NOT_FOUND: "the resource group does not exist",
    AzureErrorKind.NOT_OFFERED: (
        "this cloud or region does not offer the resource type or the API version"
    ),
}
"""What the kinds of ``PLACES`` mean."""

NOT_OFFERED_HINTS = {
    "InvalidResourceType": (
        "Azure does not know the resource type in this API version. Compare with the versions "
        "that 'az provider show --namespace Microsoft.Network' lists"
    ),
    "NoRegisteredProviderFound": (
        "Either the subscription has not registered the resource provider (az provider "
        "register --namespace Microsoft.Network), or the region does not offer the API version "
        "yet: run the command again, then compare with the versions that 'az provider show "
        "--namespace Microsoft.Network' lists"
    ),
    "InvalidApiVersionParameter": (
        "Azure does not know the API version; its message lists those that it supports"
    ),
}
"""What to do next about what is not offered, by code."""

HINTS = {
    AzureErrorKind.AUTHENTICATION: (
        "Sign in again. Check the tenant, the subscription and this machine's clock."
    ),
    AzureErrorKind.OTHER_TENANT: (
        "If the whole site is in that tenant, sign in there (az login --tenant ID). Otherwise "
        "name the tenant under tenants: in the site file (init: --tenant ID); a managed "
        "identity cannot sign in to it, a multi-tenant application or a guest user can."
    ),
    AzureErrorKind.SUBSCRIPTION_NOT_FOUND: (
        "Check the subscription's id and the tenant of the sign-in (az account show), and "
        "whether the identity has a role in that subscription."
    ),
    AzureErrorKind.GROUP_NOT_FOUND: "Check the name of the resource group and the subscription.",
    AzureErrorKind.NOT_OFFERED: (
        "The resource may exist all the same. New versions reach regions one after another: run "
        "the command again, then compare with the versions that 'az provider show "
        "--namespace Microsoft.Network' lists."
    ),
    AzureErrorKind.CONTENTION: (
        "Another operation may be in progress, or the cause is unknown. Run the command again."
    ),
    AzureErrorKind.SERVER: "Azure failed. Run the command again.",
}
"""What to do next, by kind."""

ADVICE = (
    (
        "RemoteVnetHasNoGateways",
        "A VNet without a gateway cannot allow gateway transit. Check that the hub's gateway "
        "exists and that the peering leads to that hub.",
    ),
    (
        "AllowGatewayTransit flag set to false",
        "use_remote_gateways needs allow_gateway_transit on the opposite side. Run the command "
        "again: it turns that on first.",
    ),
    (
        "another peering",
        "A VNet can use remote gateways over one peering only. Turn them off on the other peering "
        "named above; erfailover does not change peerings that are not in the site file.",
    ),
    (
        "VnetAddressSpacesOverlap",
        "The address spaces of peered VNets cannot overlap. Change one of them.",
    ),
    (
        "VnetAddressSpaceOverlapsWithAlreadyPeeredVnet",
        "VNets that are peered with the same VNet cannot overlap. Change one of the address "
        "spaces.",
    ),
    (
        "RemotePeeringIsDisconnected",
        "A peering cannot be created while its opposite is Disconnected. Run the "
        "command again: it recreates the opposite one first.",
    ),
    (
        "AnotherPeeringAlreadyReferencesRemoteVnet",
        "Two VNets can have one peering only. It exists under another name: use that name in the "
        "site file.",
    ),
    (
        "current tenant",
        "The two VNets are in different tenants, so Azure needs a token of the other tenant as "
        "well: name that tenant under tenants: in the site file. A managed identity cannot "
        "sign in to it; a multi-tenant application or a guest user can.",
    ),
    (
        "LinkedAuthorizationFailed",
        "A peering needs a right on both sides. The identity lacks "
        "Microsoft.Network/virtualNetworks/peer/action on the other VNet, which may be in another "
        "subscription: assign a role with it there.",
    ),
    (
        "DenyAssignmentAuthorizationFailed",
        "A deny assignment forbids it, and no role overrides that. Deployment stacks and managed "
        "applications create them; their owner can exempt this identity.",
    ),
    (
        "AuthorizationFailed",
        "The identity lacks the permission named above. A new role assignment takes "
        "some minutes to apply.",
    ),
    (
        "MissingSubscriptionRegistration",
        "The subscription has not registered the resource provider named above. Run: az "
        "provider register --namespace NAME --subscription ID",
    ),
    ("ReadOnlyDisabledSubscription", "The subscription is disabled. Its owner can enable it."),
    (
        "ScopeLocked",
        "A resource lock forbids it. To find it: az lock list. Its owner can remove it.",
    ),
    ("RequestDisallowedByPolicy", "An Azure Policy assignment, named above, forbids it."),
    ("NonAzSkusNotAllowedForVPNGateway", "Use an AZ SKU (such as VpnGw1AZ) in the site file."),
)
"""Texts in the code or message of a rejection, and what to do; the first match counts."""


def translate(error: AzureError, what: str) -> AzureFailure:
    """Say what an exception of the SDK means.

    Args:
        error: what the SDK raised.
        what: a description of the request, for the message: ``PUT .../vnet1``.
    """
    if isinstance(error, HttpResponseError) and error.response is not None:
        return _translate_response(error, what)
    if isinstance(error, ClientAuthenticationError):
        return AzureFailure(
            AzureErrorKind.AUTHENTICATION,
            redact(strip_queries(f"no token for {what}: {sign_in.format_attempts(error)}")),
            _find_transport_advice(error)
            or sign_in.suggest_remedy(str(error))
            or "Sign in (az login, or the AZURE_* variables of a service principal). If "
            "ERFAILOVER_ENDPOINT and AZURE_AUTHORITY_HOST are set, check that both answer.",
        )
    if isinstance(error, ServiceRequestError | ServiceResponseError):
        return AzureFailure(
            AzureErrorKind.CONNECTION,
            redact(strip_queries(f"{what} was not answered: {_explain_no_answer(error)}")),
            _find_transport_advice(error)
            or "Check that this machine can reach the management endpoint "
            "(ERFAILOVER_ENDPOINT, proxy, REQUESTS_CA_BUNDLE).",
        )
    return AzureFailure(AzureErrorKind.SERVER, f"{what} failed: {sign_in.get_first_line(error)}")


def _translate_response(error: HttpResponseError, what: str) -> AzureFailure:
    response = error.response
    status = int(getattr(response, "status_code", 0) or 0)
    headers = getattr(response, "headers", {}) or {}
    code, message, details = _parse_body(error)
    code = code or headers.get("x-ms-error-code")  # Azure Storage says it here (documented)
    ended = isinstance(error.__cause__, OperationFailed)  # the status is that of a look at it
    kind = _classify(200 if ended else status, code, details)
    text = f"{code or status}: {message}"
    if kind is AzureErrorKind.REFUSED:
        text = f"{what} was refused by Azure: {text}"
    else:
        text = f"{what}: {SEEN[kind]} ({text})" if kind in SEEN else f"{what}: {text}"
    return AzureFailure(
        kind,
        text,
        sign_in.explain_challenge(headers.get("WWW-Authenticate"))
        or NOT_OFFERED_HINTS.get(code or "", HINTS.get(kind))
        or find_advice(code, message),
        code=code,
        status=status,
        retry_after_s=retry_after_s(headers),
        correlation_id=headers.get("x-ms-correlation-request-id"),
        path=urlsplit(str(getattr(getattr(response, "request", None), "url", ""))).path,
    )


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return how long Azure asks to wait, in seconds: a finite number, 0 or more.

    None if it does not say, or if the value is invalid. The caller applies its deadline.
    """
    for name, unit_s in (("retry-after-ms", 0.001), ("x-ms-retry-after-ms", 0.001)):
        if (seconds := _parse_seconds(headers.get(name), unit_s)) is not None:
            return seconds
    text = headers.get("Retry-After")
    seconds = _parse_seconds(text, 1.0)
    return _parse_http_date_s(text) if seconds is None and text else seconds


def _parse_seconds(text: str | None, unit_s: float) -> float | None:
    try:
        seconds = float(text) * unit_s if text else -1.0
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0.0 else None


def _parse_http_date_s(text: str) -> float | None:
    """Return how far ahead an HTTP date is, by this machine's clock; None if it is none."""
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    if date.tzinfo is None:  # "-0000": the zone is not said; HTTP's is always UTC
        date = date.replace(tzinfo=UTC)
    return max(0.0, (date - datetime.now(UTC)).total_seconds())


def _classify(status: int, code: str | None, details: list[str]) -> AzureErrorKind:
    if code in CONTENTION or CONTENTION.intersection(details):
        return AzureErrorKind.CONTENTION
    if code in PLACES:
        return PLACES[code]
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return AzureErrorKind.THROTTLED
    if status == HTTPStatus.UNAUTHORIZED or code in (
        "ExpiredAuthenticationToken",
        "InvalidAuthenticationToken",
    ):
        return AzureErrorKind.AUTHENTICATION
    if (
        code is None
        or code in SERVER
        or status == HTTPStatus.REQUEST_TIMEOUT
        or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    ):
        return AzureErrorKind.SERVER  # without one of Azure's codes, a proxy may have answered
    if status == HTTPStatus.NOT_FOUND and code in NOT_FOUND:
        return AzureErrorKind.NOT_FOUND
    if (
        status == HTTPStatus.CONFLICT
        and code not in FINAL_CONFLICTS
        and not code.startswith("Lease")
    ):
        return AzureErrorKind.CONTENTION
    return AzureErrorKind.REFUSED


def _parse_body(error: HttpResponseError) -> tuple[str | None, str, list[str]]:
    """Return the code, message and detail codes of an ARM error body, wherever they are."""
    try:
        parsed: Any = parse(error.response.text().encode())  # type: ignore[union-attr]
    except Exception:
        parsed = {}
    body = _lower_keys(parsed)
    body = _lower_keys(body.get("error")) or body
    value = body.get("details")
    rows = [_lower_keys(item) for item in (value if isinstance(value, list) else ())]
    codes = [row["code"] for row in rows if isinstance(row.get("code"), str)]
    detail_text = "; ".join(str(row["message"]) for row in rows if row.get("message"))
    message = str(body.get("message") or sign_in.get_first_line(error))
    code = body.get("code")
    return (
        code if isinstance(code, str) and code else None,
        f"{message} ({detail_text})" if detail_text else message,
        codes,
    )


def _lower_keys(value: Any) -> Mapping[str, Any]:
    """Lower the names in a JSON object (recorded: ``{"Error": {"Code": ...}}``)."""
    return (
        {str(key).lower(): item for key, item in value.items()} if isinstance(value, dict) else {}
    )


TLS_MARKS = ("certificate_verify_failed", "certificate verify failed", "sslerror", "ssl:")
TLS_ADVICE = (
    "The certificate is not signed by an authority that this machine trusts. For a private "
    "authority (of a lab, a private cloud, or a proxy that inspects TLS), set REQUESTS_CA_BUNDLE "
    "to its file, or cloud: ca: in the site file. The variable takes precedence."
)
PROXY_MARKS = ("proxyerror", "unable to connect to proxy", "cannot connect to proxy")
PROXY_ADVICE = (
    "The proxy in HTTPS_PROXY refused or did not answer. Correct it, or list the hosts to reach "
    "without a proxy in NO_PROXY."
)


_POOL = re.compile(
    r"^\w+\(host='(?P<host>[^']*)', port=(?P<port>\w+)\): "
    r"(?:Max retries exceeded with url: .*? \(Caused by )?"
)
"""How urllib3's messages of a connection begin (2.5)."""
_CAUSES = (
    ("failed to resolve", "the name cannot be resolved (DNS)"),
    ("connection refused", "the connection was refused"),
    ("read timed out", "there was no response in time"),
    ("timed out", "no connection in time"),
    ("network is unreachable", "the network is unreachable"),
    ("no route to host", "there is no route to it"),
    ("connection reset", "the connection was reset"),
    ("remote end closed connection", "the connection was closed without a response"),
)
"""What their ends mean, in lower case; the first that is found."""


def _explain_no_answer(error: Exception) -> str:
    """Return why there was no answer: what the transport says, without the names of its classes."""
    text = sign_in.get_first_line(error)
    cause = next((words for mark, words in _CAUSES if mark in str(error).lower()), None)
    pool = _POOL.match(text)
    where = f"{pool['host']}:{pool['port']}: " if pool else ""
    if cause is not None:
        return f"{where}{cause}"
    return f"{where}{text[pool.end() :]}" if pool else text


def _find_transport_advice(error: Exception) -> str | None:
    """Return what to do about TLS or the proxy if the trouble is one of these."""
    text = str(error).lower()
    if any(mark in text for mark in PROXY_MARKS):
        return PROXY_ADVICE
    return TLS_ADVICE if any(mark in text for mark in TLS_MARKS) else None


def find_advice(code: str | None, message: str) -> str | None:
    """Return what a refusal means and what to do next; None if it is not known."""
    text = f"{code or ''}: {message}"
    return next((advised for mark, advised in ADVICE if mark in text), None)
