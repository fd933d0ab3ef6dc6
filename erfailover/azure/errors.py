"""The SDK's exceptions, translated once, here at the edge.

Decides on Azure's error code before the HTTP status: a failed operation arrives as HTTP 200
(recorded), and contention as 400, 409 or 429 (recorded).
"""

from __future__ import annotations

import json
from typing import Any

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)

from erfailover.azure.refusals import advice
from erfailover.errors import AzureFailure, Kind

CONTENTION = frozenset(
    {
        "RetryableError",
        "RetryableErrorDueToAnotherOperation",
        "AnotherOperationInProgress",
        "ReferencedResourceNotProvisioned",
        "OperationNotAllowedOnUpdatingResource",
        "ResourceGroupBeingDeleted",
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
            f"no token for {what}: {_attempts(error)}",
            "Sign in (az login, or the AZURE_* variables of a service principal). Where "
            "ERFAILOVER_ENDPOINT and AZURE_AUTHORITY_HOST are set, check that both answer.",
        )
    if isinstance(error, ServiceRequestError | ServiceResponseError):
        return AzureFailure(
            Kind.CONNECTION,
            f"{what} was not answered: {_first_line(error)}",
            "Check that the management endpoint can be reached from here "
            "(ERFAILOVER_ENDPOINT, proxy, REQUESTS_CA_BUNDLE).",
        )
    return AzureFailure(Kind.SERVER, f"{what} failed: {_first_line(error)}")


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
        advice(code, message) if kind is Kind.REFUSED else _hint(kind),
        code=code,
        status=status,
        retry_after_s=_number(headers.get("Retry-After")),
        correlation_id=headers.get("x-ms-correlation-request-id"),
    )


def _kind(status: int, code: str | None, details: list[str]) -> Kind:
    if code in CONTENTION or CONTENTION.intersection(details):
        return Kind.CONTENTION
    if status == 429:
        return Kind.THROTTLED
    if status == 401 or code in ("ExpiredAuthenticationToken", "InvalidAuthenticationToken"):
        return Kind.AUTHENTICATION
    if status == 404:
        return Kind.NOT_FOUND
    if code in SERVER or status in (408, 500, 502, 503, 504):
        return Kind.SERVER
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
        parsed: Any = json.loads(error.response.text())  # type: ignore[union-attr]
    except Exception:
        parsed = {}
    found = parsed.get("error", parsed) if isinstance(parsed, dict) else {}
    if not isinstance(found, dict):
        found = {}
    details = [
        str(each.get("code")) for each in found.get("details") or [] if isinstance(each, dict)
    ]
    detail_text = "; ".join(
        str(each.get("message"))
        for each in found.get("details") or []
        if isinstance(each, dict) and each.get("message")
    )
    message = str(found.get("message") or _first_line(error))
    return found.get("code"), f"{message} ({detail_text})" if detail_text else message, details


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _attempts(error: Exception) -> str:
    """What each credential of azure-identity's chain said that had something to try with."""
    tried = [line.strip() for line in str(error).splitlines() if line.startswith("\t")]
    telling = [line for line in tried if "unavailable" not in line]
    return "; ".join(telling or tried)[:600] or _first_line(error)


def _first_line(error: Exception) -> str:
    text = str(getattr(error, "message", None) or error).strip()
    return text.splitlines()[0][:300] if text else type(error).__name__
