"""Translates the SDK's exceptions, once, at the edge.

Azure's error code decides before the HTTP status: a failed operation arrives as HTTP 200
(recorded), and contention as 400, 409 or 429 (recorded). The table ``ADVICE`` only adds a hint to
a message: no decision rests on its texts, some of which are not published.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)

from erfailover.azure.client import sign_in
from erfailover.azure.client.answers import parse
from erfailover.azure.client.request_log import without_queries
from erfailover.errors import AzureFailure, Kind
from erfailover.runtime.logs import redacted

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

OTHER_TENANT = frozenset({"InvalidAuthenticationTokenTenant"})
"""Codes of a 401 that concerns one resource: its subscription is in another tenant."""

ADVICE = (
    (
        "InvalidAuthenticationTokenTenant",
        "It is in a subscription of another tenant, which this sign-in does not reach.",
    ),
    (
        "RemoteVnetHasNoGateways",
        "Azure's rule: a VNet without a gateway cannot lend one. Check that the hub's gateway "
        "exists and that the peering leads to that hub.",
    ),
    (
        "AllowGatewayTransit flag set to false",
        "Azure's rule: use_remote_gateways needs allow_gateway_transit on the opposite side. "
        "Run the command again: it turns that on first.",
    ),
    (
        "another peering",
        "Azure's rule: one VNet uses remote gateways over one peering. Turn it off on the other "
        "peering named above; a peering that the site file does not know is yours to change.",
    ),
    (
        "VnetAddressSpacesOverlap",
        "Azure's rule: peered VNets must not overlap. Change one of the address spaces.",
    ),
    (
        "VnetAddressSpaceOverlapsWithAlreadyPeeredVnet",
        "Azure's rule: the VNets peered with one VNet must not overlap each other.",
    ),
    (
        "RemotePeeringIsDisconnected",
        "Azure's rule: a peering cannot be made while its opposite is Disconnected. Run the "
        "command again: it writes the opposite anew first.",
    ),
    (
        "AnotherPeeringAlreadyReferencesRemoteVnet",
        "Azure's rule: one peering between two VNets. There is one under another name: put that "
        "name into the site file.",
    ),
    (
        "LinkedAuthorizationFailed",
        "Azure's rule: a peering needs a right on either side. The identity lacks "
        "Microsoft.Network/virtualNetworks/peer/action on the other VNet, which may be in another "
        "subscription: have a role with it assigned there.",
    ),
    (
        "AuthorizationFailed",
        "The identity lacks the permission named above. A role assignment takes some minutes.",
    ),
    ("ScopeLocked", "A resource lock forbids it: az lock list shows it; its owner can remove it."),
    ("RequestDisallowedByPolicy", "A policy of the subscription forbids it; it is named above."),
    ("NonAzSkusNotAllowedForVPNGateway", "Take an AZ SKU (VpnGw1AZ) in the site file."),
)
"""What stands in a refusal's code or message, and what to do; the first that fits counts."""


def translate(error: AzureError, what: str) -> AzureFailure:
    """Say what an exception of the SDK means.

    Args:
        error: what the SDK raised.
        what: the request in words, for the message: ``PUT .../vnet1``.
    """
    if isinstance(error, HttpResponseError) and error.response is not None:
        return _from_response(error, what)
    if isinstance(error, ClientAuthenticationError):
        return AzureFailure(
            Kind.AUTHENTICATION,
            redacted(without_queries(f"no token for {what}: {sign_in.attempts(error)}")),
            _of_transport(error)
            or sign_in.remedy(str(error))
            or "Sign in (az login, or the AZURE_* variables of a service principal). Where "
            "ERFAILOVER_ENDPOINT and AZURE_AUTHORITY_HOST are set, check that both answer.",
        )
    if isinstance(error, ServiceRequestError | ServiceResponseError):
        return AzureFailure(
            Kind.CONNECTION,
            redacted(without_queries(f"{what} was not answered: {sign_in.first_line(error)}")),
            _of_transport(error)
            or "Check that the management endpoint can be reached from here "
            "(ERFAILOVER_ENDPOINT, proxy, REQUESTS_CA_BUNDLE).",
        )
    return AzureFailure(Kind.SERVER, f"{what} failed: {sign_in.first_line(error)}")


def _from_response(error: HttpResponseError, what: str) -> AzureFailure:
    response = error.response
    status = int(getattr(response, "status_code", 0) or 0)
    headers = getattr(response, "headers", {}) or {}
    code, message, details = _body(error)
    code = code or headers.get("x-ms-error-code")  # Azure Storage says it here (documented)
    kind = _kind(status, code, details)
    return AzureFailure(
        kind,
        f"{what} was refused by Azure: {code or status}: {message}"
        if kind is Kind.REFUSED
        else f"{what}: {code or status}: {message}",
        advice(code, message)
        if kind is Kind.REFUSED
        else sign_in.challenged(headers.get("WWW-Authenticate")) or _hint(kind),
        code=code,
        status=status,
        retry_after_s=retry_after_s(headers),
        correlation_id=headers.get("x-ms-correlation-request-id"),
    )


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return how long Azure asks to wait, in seconds: a finite number, 0 or more.

    None if it does not say, or says what makes no sense. Who waits holds it against a deadline.
    """
    for name, unit_s in (("retry-after-ms", 0.001), ("x-ms-retry-after-ms", 0.001)):
        if (seconds := _number(headers.get(name), unit_s)) is not None:
            return seconds
    told = headers.get("Retry-After")
    seconds = _number(told, 1.0)
    return _until_date(told) if seconds is None and told else seconds


def _number(text: str | None, unit_s: float) -> float | None:
    try:
        seconds = float(text) * unit_s if text else -1.0
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0.0 else None


def _until_date(text: str) -> float | None:
    """Return how far ahead an HTTP date is, by this machine's clock; None if it is none."""
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    if date.tzinfo is None:  # "-0000": the zone is not said; HTTP's is always UTC
        date = date.replace(tzinfo=UTC)
    return max(0.0, (date - datetime.now(UTC)).total_seconds())


def _kind(status: int, code: str | None, details: list[str]) -> Kind:
    if code in CONTENTION or CONTENTION.intersection(details):
        return Kind.CONTENTION
    if status == 429:
        return Kind.THROTTLED
    if code in OTHER_TENANT:
        return Kind.REFUSED
    if status == 401 or code in ("ExpiredAuthenticationToken", "InvalidAuthenticationToken"):
        return Kind.AUTHENTICATION
    if code is None or code in SERVER or status == 408 or status >= 500:
        return Kind.SERVER  # without a code of Azure's, an answer may be anybody's
    if status == 404:
        return Kind.NOT_FOUND
    return Kind.REFUSED


def _hint(kind: Kind) -> str | None:
    if kind is Kind.AUTHENTICATION:
        return "Sign in again; check the tenant, the subscription and the clock of this machine."
    if kind is Kind.SERVER:
        return "Azure failed by itself; the same command can be run again."
    return None


def _body(error: HttpResponseError) -> tuple[str | None, str, list[str]]:
    """The code, message and detail codes of an ARM error body, wherever it stands in the answer."""
    try:
        parsed: Any = parse(error.response.text().encode())  # type: ignore[union-attr]
    except Exception:
        parsed = {}
    found = parsed.get("error", parsed) if isinstance(parsed, dict) else {}
    found = found if isinstance(found, dict) else {}
    listed = found.get("details")
    rows = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    details = [str(each.get("code")) for each in rows]
    detail_text = "; ".join(str(each["message"]) for each in rows if each.get("message"))
    code = found.get("code")
    message = str(found.get("message") or sign_in.first_line(error))
    return (
        code if isinstance(code, str) else None,
        f"{message} ({detail_text})" if detail_text else message,
        details,
    )


TLS_MARKS = ("certificate_verify_failed", "certificate verify failed", "sslerror", "ssl:")
TLS_ADVICE = (
    "The certificate is not signed by an authority that is trusted here. If that is a private one "
    "(a lab, a cloud of your own, a proxy that looks into TLS), name its file in "
    "REQUESTS_CA_BUNDLE, or under cloud: ca: in the site file; the variable counts where both are "
    "set."
)
PROXY_MARKS = ("proxyerror", "unable to connect to proxy", "cannot connect to proxy")
PROXY_ADVICE = (
    "The proxy that HTTPS_PROXY names refused or did not answer. Correct it; NO_PROXY lists the "
    "hosts that are reached without one."
)


def _of_transport(error: Exception) -> str | None:
    """What to do about TLS or the proxy, where the trouble is one of these."""
    text = str(error).lower()
    if any(mark in text for mark in PROXY_MARKS):
        return PROXY_ADVICE
    return TLS_ADVICE if any(mark in text for mark in TLS_MARKS) else None


def advice(code: str | None, message: str) -> str | None:
    """What a refusal means and what to do next; None where it is not known."""
    text = f"{code or ''}: {message}"
    return next((advised for mark, advised in ADVICE if mark in text), None)
