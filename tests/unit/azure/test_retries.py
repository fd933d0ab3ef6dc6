"""Which trouble of Azure is waited out, how long, and what is never repeated."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from azure.core.exceptions import AzureError, HttpResponseError, ServiceRequestError

from erfailover.azure.client.errors import translate
from erfailover.azure.client.retries import READ, WRITE, Retries
from erfailover.errors import AzureFailure, Kind
from erfailover.lab.core.clock import SteppedClock


class Answer:
    """An HTTP answer as azure-core's exceptions carry it."""

    reason = ""

    def __init__(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        self.status_code = status
        self.headers = headers or {}
        self._text = body if isinstance(body, str) else json.dumps(body)

    def text(self) -> str:
        return self._text


def refused(
    status: int, code: str, *details: str, headers: dict[str, str] | None = None
) -> HttpResponseError:
    body = {
        "error": {
            "code": code,
            "message": "m",
            "details": [{"code": each, "message": "d"} for each in details],
        }
    }
    return HttpResponseError(response=Answer(status, body, headers))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "code", "details", "kind"),
    [
        (429, "RetryableError", ("RetryableErrorDueToAnotherOperation",), Kind.CONTENTION),
        (409, "AnotherOperationInProgress", (), Kind.CONTENTION),
        (400, "ReferencedResourceNotProvisioned", (), Kind.CONTENTION),
        (429, "SubscriptionRequestsThrottled", (), Kind.THROTTLED),
        (401, "ExpiredAuthenticationToken", (), Kind.AUTHENTICATION),
        (403, "AuthorizationFailed", (), Kind.REFUSED),
        (404, "ResourceNotFound", (), Kind.NOT_FOUND),
        (400, "RemoteVnetHasNoGateways", (), Kind.REFUSED),
        (409, "ScopeLocked", (), Kind.REFUSED),
        (500, "InternalServerError", (), Kind.SERVER),
        (503, "ServerTimeout", (), Kind.SERVER),
        (200, "InternalServerError", (), Kind.SERVER),
        (200, "RemoteVnetHasNoGateways", (), Kind.REFUSED),
    ],
)
def test_an_answer_means_what_its_code_says(
    status: int, code: str, details: tuple[str, ...], kind: Kind
) -> None:
    failure = translate(refused(status, code, *details), "PUT x")
    assert failure.kind is kind
    assert code in failure.message


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("RemoteVnetHasNoGateways", "cannot lend one"),
        ("RemotePeeringIsDisconnected", "writes the opposite anew"),
        ("LinkedAuthorizationFailed", "peer/action"),
        ("AuthorizationFailed", "lacks the permission"),
        ("ScopeLocked", "az lock list"),
    ],
)
def test_a_refusal_is_explained_with_what_to_do(code: str, words: str) -> None:
    assert words in (translate(refused(403, code), "PUT x").hint or "")


def test_an_unknown_refusal_gets_no_invented_advice() -> None:
    assert translate(refused(400, "SomethingNew"), "PUT x").hint is None


def test_an_answer_that_is_no_json_is_translated_too() -> None:
    error = HttpResponseError(response=Answer(502, "<html>Bad gateway</html>"))  # type: ignore[arg-type]
    assert translate(error, "GET x").kind is Kind.SERVER


def test_a_dropped_connection_leaves_the_outcome_unknown() -> None:
    failure = translate(ServiceRequestError("reset"), "PUT x")
    assert failure.kind is Kind.CONNECTION
    assert failure.outcome_unknown


def attempts(*errors: AzureError) -> tuple[Callable[[], str], list[int]]:
    """Work that fails with the errors in turn, then succeeds; and how often it was tried."""
    left, tried = list(errors), [0]

    def work() -> str:
        tried[0] += 1
        if left:
            raise left.pop(0)
        return "done"

    return work, tried


def retries(clock: SteppedClock, renewed: list[int] | None = None) -> Retries:
    def renew() -> None:
        if renewed is not None:
            renewed.append(1)

    return Retries(clock, renew, jitter=lambda: 0.0)


def test_throttling_is_waited_out_as_long_as_azure_says() -> None:
    clock = SteppedClock()
    headers = {"Retry-After": "17"}
    work, _ = attempts(refused(429, "SubscriptionRequestsThrottled", headers=headers))
    assert retries(clock).call("x", work, WRITE, 100.0) == "done"
    assert clock.now() == pytest.approx(17.0)


def test_contention_is_tried_again_sooner_than_azure_proposes() -> None:
    clock = SteppedClock()
    work, tried = attempts(
        refused(429, "RetryableError", headers={"Retry-After": "13"}),
        refused(400, "ReferencedResourceNotProvisioned"),
    )
    assert retries(clock).call("x", work, WRITE, 100.0) == "done"
    assert tried == [3]
    assert clock.now() == pytest.approx(3.0 + 6.0)


@pytest.mark.parametrize(
    "error",
    [refused(500, "InternalServerError"), ServiceRequestError("reset")],
    ids=["server", "connection"],
)
def test_a_write_whose_outcome_is_unknown_is_not_repeated_and_a_read_is(error: AzureError) -> None:
    work, tried = attempts(error)
    with pytest.raises(AzureFailure):
        retries(SteppedClock()).call("x", work, WRITE, 100.0)
    assert tried == [1]
    work, tried = attempts(error)
    assert retries(SteppedClock()).call("x", work, READ, 100.0) == "done"
    assert tried == [2]


def test_a_refusal_is_never_repeated() -> None:
    work, tried = attempts(refused(400, "RemoteVnetHasNoGateways"))
    with pytest.raises(AzureFailure, match="RemoteVnetHasNoGateways"):
        retries(SteppedClock()).call("x", work, READ, 100.0)
    assert tried == [1]


def test_a_401_gets_one_fresh_credential_and_one_more_try() -> None:
    renewed: list[int] = []
    work, tried = attempts(refused(401, "ExpiredAuthenticationToken"))
    assert retries(SteppedClock(), renewed).call("x", work, WRITE, 100.0) == "done"
    assert (tried, renewed) == ([2], [1])
    work, tried = attempts(*[refused(401, "InvalidAuthenticationToken")] * 3)
    with pytest.raises(AzureFailure) as caught:
        retries(SteppedClock(), renewed).call("x", work, READ, 100.0)
    assert (tried, caught.value.kind) == ([2], Kind.AUTHENTICATION)


def test_retrying_ends_at_the_deadline() -> None:
    clock = SteppedClock()
    work, _ = attempts(*[refused(503, "ServiceUnavailable")] * 1000)
    with pytest.raises(AzureFailure):
        retries(clock).call("x", work, READ, 60.0)
    assert clock.now() <= 60.0
