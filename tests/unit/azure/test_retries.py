"""Which trouble of Azure is waited out, how long, and what is never repeated."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from azure.core.exceptions import AzureError, HttpResponseError, ServiceRequestError

from erfailover.azure.client import deadline as deadlines
from erfailover.azure.client.errors import retry_after_s, translate
from erfailover.azure.client.retries import LEAST_S, READ, WRITE, Retries
from erfailover.errors import AzureErrorKind, AzureFailure
from erfailover.lab.core.clock import SteppedClock
from tests.support.http_answer import Answer


def make_response_error(
    status: int, code: str, *details: str, headers: dict[str, str] | None = None
) -> HttpResponseError:
    body = {
        "error": {
            "code": code,
            "message": "m",
            "details": [{"code": detail, "message": "d"} for detail in details],
        }
    }
    return HttpResponseError(response=Answer(status, body, headers))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "code", "details", "kind"),
    [
        (
            429,
            "RetryableError",
            ("RetryableErrorDueToAnotherOperation",),
            AzureErrorKind.CONTENTION,
        ),
        (409, "AnotherOperationInProgress", (), AzureErrorKind.CONTENTION),
        (400, "ReferencedResourceNotProvisioned", (), AzureErrorKind.CONTENTION),
        (429, "SubscriptionRequestsThrottled", (), AzureErrorKind.THROTTLED),
        (401, "ExpiredAuthenticationToken", (), AzureErrorKind.AUTHENTICATION),
        (403, "AuthorizationFailed", (), AzureErrorKind.REFUSED),
        (404, "ResourceNotFound", (), AzureErrorKind.NOT_FOUND),
        (404, "NotFound", (), AzureErrorKind.NOT_FOUND),
        (404, "ParentResourceNotFound", (), AzureErrorKind.NOT_FOUND),
        (404, "SubscriptionNotFound", (), AzureErrorKind.SUBSCRIPTION_NOT_FOUND),
        (404, "ResourceGroupNotFound", (), AzureErrorKind.GROUP_NOT_FOUND),
        (404, "InvalidResourceType", (), AzureErrorKind.NOT_OFFERED),
        (400, "NoRegisteredProviderFound", (), AzureErrorKind.NOT_OFFERED),
        (400, "InvalidApiVersionParameter", (), AzureErrorKind.NOT_OFFERED),
        (404, "SomethingNewNotFound", (), AzureErrorKind.REFUSED),
        (401, "InvalidAuthenticationTokenTenant", (), AzureErrorKind.OTHER_TENANT),
        (409, "NobodyListedThisOne", (), AzureErrorKind.CONTENTION),
        (429, "NobodyListedThisOne", (), AzureErrorKind.THROTTLED),
        (400, "NobodyListedThisOne", (), AzureErrorKind.REFUSED),
        (409, "MissingSubscriptionRegistration", (), AzureErrorKind.REFUSED),
        (409, "LeaseAlreadyPresent", (), AzureErrorKind.REFUSED),
        (400, "AnotherPeeringAlreadyReferencesRemoteVnet", (), AzureErrorKind.REFUSED),
        (400, "RemoteVnetHasNoGateways", (), AzureErrorKind.REFUSED),
        (409, "ScopeLocked", (), AzureErrorKind.REFUSED),
        (500, "InternalServerError", (), AzureErrorKind.SERVER),
        (503, "ServerTimeout", (), AzureErrorKind.SERVER),
        (200, "InternalServerError", (), AzureErrorKind.SERVER),
        (200, "RemoteVnetHasNoGateways", (), AzureErrorKind.REFUSED),
    ],
)
def test_an_answer_means_what_its_code_says(
    status: int, code: str, details: tuple[str, ...], kind: AzureErrorKind
) -> None:
    failure = translate(make_response_error(status, code, *details), "PUT x")
    assert failure.kind is kind
    assert code in failure.message


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("RemoteVnetHasNoGateways", "cannot allow gateway transit"),
        ("RemotePeeringIsDisconnected", "recreates the opposite"),
        ("LinkedAuthorizationFailed", "peer/action"),
        ("AuthorizationFailed", "lacks the permission"),
        ("ScopeLocked", "az lock list"),
    ],
)
def test_a_refusal_is_explained_with_what_to_do(code: str, words: str) -> None:
    assert words in (translate(make_response_error(403, code), "PUT x").hint or "")


def test_a_refusal_across_tenants_is_no_missing_right() -> None:
    """The text of azure-sdk-for-go 21891: the right is there, the token is of one tenant only."""
    body = {
        "error": {
            "code": "LinkedAuthorizationFailed",
            "message": "The client has permission to perform action 'peer/action' on scope 'x', "
            "however the current tenant 'A' is not authorized to access linked subscription 'B'.",
        }
    }
    error = HttpResponseError(response=Answer(403, body))  # type: ignore[arg-type]
    hint = translate(error, "PUT x").hint or ""
    assert "different tenants" in hint
    assert "lacks" not in hint


def test_a_deny_assignment_is_no_missing_role() -> None:
    hint = (
        translate(make_response_error(403, "DenyAssignmentAuthorizationFailed"), "PUT x").hint or ""
    )
    assert "deny assignment" in hint
    assert "role assignment" not in hint


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("InvalidAuthenticationTokenTenant", "in another tenant"),
        ("SubscriptionNotFound", "cannot see the subscription"),
        ("ResourceGroupNotFound", "the resource group does not exist"),
        ("InvalidResourceType", "does not offer the resource type or the API version"),
    ],
)
def test_what_did_not_reach_the_resource_says_so(code: str, words: str) -> None:
    failure = translate(make_response_error(404, code), "GET vnet-erp")
    assert words in failure.message
    assert failure.hint
    assert not failure.outcome_unknown


def test_a_401_of_another_tenant_asks_for_no_new_credential() -> None:
    renewed: list[int] = []
    work, tried = attempts(make_response_error(401, "InvalidAuthenticationTokenTenant"))
    with pytest.raises(AzureFailure) as caught:
        retries(SteppedClock(), renewed).call("x", work, READ, 100.0)
    assert (tried, renewed, caught.value.kind) == ([1], [], AzureErrorKind.OTHER_TENANT)


def test_an_unknown_409_is_waited_out_before_it_is_believed() -> None:
    clock = SteppedClock()
    work, tried = attempts(*[make_response_error(409, "NobodyListedThisOne")] * 3)
    assert retries(clock).call("x", work, WRITE, 100.0) == "done"
    assert tried == [4]
    assert clock.now() == pytest.approx(3.0 + 6.0 + 12.0)


def test_an_unknown_refusal_gets_no_invented_advice() -> None:
    assert translate(make_response_error(400, "SomethingNew"), "PUT x").hint is None


def test_an_answer_that_is_no_json_is_translated_too() -> None:
    error = HttpResponseError(response=Answer(502, "<html>Bad gateway</html>"))  # type: ignore[arg-type]
    assert translate(error, "GET x").kind is AzureErrorKind.SERVER


def test_a_dropped_connection_leaves_the_outcome_unknown() -> None:
    failure = translate(ServiceRequestError("reset"), "PUT x")
    assert failure.kind is AzureErrorKind.CONNECTION
    assert failure.outcome_unknown


def attempts(*errors: AzureError) -> tuple[Callable[[], str], list[int]]:
    """Work that fails with the errors in turn, then succeeds; and how often it was tried."""
    azure_errors, tried = list(errors), [0]

    def work() -> str:
        tried[0] += 1
        if azure_errors:
            raise azure_errors.pop(0)
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
    work, _ = attempts(make_response_error(429, "SubscriptionRequestsThrottled", headers=headers))
    assert retries(clock).call("x", work, WRITE, 100.0) == "done"
    assert clock.now() == pytest.approx(17.0)


def test_contention_is_tried_again_sooner_than_azure_proposes() -> None:
    clock = SteppedClock()
    work, tried = attempts(
        make_response_error(429, "RetryableError", headers={"Retry-After": "13"}),
        make_response_error(400, "ReferencedResourceNotProvisioned"),
    )
    assert retries(clock).call("x", work, WRITE, 100.0) == "done"
    assert tried == [3]
    assert clock.now() == pytest.approx(3.0 + 6.0)


@pytest.mark.parametrize(
    "error",
    [make_response_error(500, "InternalServerError"), ServiceRequestError("reset")],
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
    work, tried = attempts(make_response_error(400, "RemoteVnetHasNoGateways"))
    with pytest.raises(AzureFailure, match="RemoteVnetHasNoGateways"):
        retries(SteppedClock()).call("x", work, READ, 100.0)
    assert tried == [1]


def test_a_401_gets_one_fresh_credential_and_one_more_try() -> None:
    renewed: list[int] = []
    work, tried = attempts(make_response_error(401, "ExpiredAuthenticationToken"))
    assert retries(SteppedClock(), renewed).call("x", work, WRITE, 100.0) == "done"
    assert (tried, renewed) == ([2], [1])
    work, tried = attempts(*[make_response_error(401, "InvalidAuthenticationToken")] * 3)
    with pytest.raises(AzureFailure) as caught:
        retries(SteppedClock(), renewed).call("x", work, READ, 100.0)
    assert (tried, caught.value.kind) == ([2], AzureErrorKind.AUTHENTICATION)


def test_retrying_ends_at_the_deadline() -> None:
    clock = SteppedClock()
    work, _ = attempts(*[make_response_error(503, "ServiceUnavailable")] * 1000)
    with pytest.raises(AzureFailure):
        retries(clock).call("x", work, READ, 60.0)
    assert clock.now() <= 60.0


@pytest.mark.parametrize(
    ("name", "text", "seconds"),
    [
        ("Retry-After", "17", 17.0),
        ("Retry-After", "0", 0.0),
        ("Retry-After", "1.5", 1.5),
        ("Retry-After", "1000000000", 1e9),
        ("Retry-After", "nan", None),
        ("Retry-After", "inf", None),
        ("Retry-After", "-inf", None),
        ("Retry-After", "-5", None),
        ("Retry-After", "9" * 400, None),
        ("Retry-After", "soon", None),
        ("Retry-After", "", None),
        ("Retry-After", "Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Retry-After", "Wed, 21 Oct 2015 07:28:00 -0000", 0.0),
        ("Retry-After", "Xxx, 99 Foo 99999 99:99:99 GMT", None),
        ("retry-after-ms", "250", 0.25),
        ("x-ms-retry-after-ms", "2500", 2.5),
        ("x-ms-retry-after-ms", "nan", None),
        ("x-ms-retry-after-ms", "-1", None),
        ("x-ms-retry-after-ms", "1e400", None),
    ],
)
def test_how_long_azure_asks_to_wait_is_a_finite_number_or_nothing(
    name: str, text: str, seconds: float | None
) -> None:
    assert retry_after_s({name: text}) == seconds


def test_an_http_date_is_a_time_from_now() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    value = retry_after_s({"Retry-After": date})
    assert value is not None
    assert 85.0 < value <= 90.0


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("text", ["nan", "inf", "-5", "soon", "0", "0.0001"])
def test_a_wait_that_makes_no_sense_becomes_one_that_does(status: int, text: str) -> None:
    clock = SteppedClock()
    work, tried = attempts(
        *[make_response_error(status, "Busy", headers={"Retry-After": text})] * 10_000
    )
    with pytest.raises(AzureFailure):
        retries(clock).call("x", work, READ, 60.0)
    assert tried[0] <= 60.0 / LEAST_S + 1
    assert clock.now() <= 60.0


def test_a_wait_beyond_the_deadline_is_not_begun() -> None:
    clock = SteppedClock()
    work, tried = attempts(
        *[make_response_error(429, "Busy", headers={"Retry-After": "1000000000"})] * 3
    )
    with pytest.raises(AzureFailure) as caught:
        retries(clock).call("x", work, WRITE, 60.0)
    assert (tried, clock.now()) == ([1], 0.0)
    assert caught.value.kind is AzureErrorKind.THROTTLED


@pytest.mark.parametrize(
    "error", [ValueError("x"), TypeError("x"), KeyError("id"), RecursionError(), AttributeError()]
)
def test_an_error_of_python_in_reading_an_answer_is_a_server_error(error: Exception) -> None:
    tried = 0

    def work() -> str:
        nonlocal tried
        tried += 1
        if tried == 1:
            raise error
        return "done"

    assert retries(SteppedClock()).call("x", work, READ, 60.0) == "done"
    tried = 0
    with pytest.raises(AzureFailure, match="not what Azure's API describes") as caught:
        retries(SteppedClock()).call("x", work, WRITE, 60.0)
    assert caught.value.kind is AzureErrorKind.SERVER
    assert caught.value.outcome_unknown


def test_a_call_knows_its_deadline() -> None:
    rows: list[float] = []

    def work() -> None:
        rows.append(deadlines.get_deadline())

    retries(SteppedClock()).call("x", work, READ, 42.0)
    assert rows == [42.0]
    assert deadlines.get_deadline() == float("inf")


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (404, "<html>", AzureErrorKind.SERVER),
        (200, "<html>", AzureErrorKind.SERVER),
        (304, "", AzureErrorKind.SERVER),
        (521, "", AzureErrorKind.SERVER),
        (403, "<html>", AzureErrorKind.SERVER),
        (425, "{}", AzureErrorKind.SERVER),
        (401, "<html>", AzureErrorKind.AUTHENTICATION),
        (429, "<html>", AzureErrorKind.THROTTLED),
    ],
)
def test_a_status_without_a_code_of_azure_s(status: int, body: str, kind: AzureErrorKind) -> None:
    assert translate(HttpResponseError(response=Answer(status, body)), "GET x").kind is kind  # type: ignore[arg-type]
