"""What is said if Entra wants more than a credential gives, and what to type."""

from __future__ import annotations

import base64
import json
from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.identity import (
    AzureCliCredential,
    ChainedTokenCredential,
    CredentialUnavailableError,
)

from erfailover.azure.client import sign_in
from erfailover.azure.client.errors import translate
from erfailover.errors import AzureErrorKind, AzureFailure

SCOPE = "https://management.azure.com//.default"
CLAIMS = json.dumps({"access_token": {"acrs": {"essential": True, "values": ["p1", "x" * 900]}}})
ENCODED = base64.b64encode(CLAIMS.encode()).decode()
COMMAND = f"az login --claims-challenge {ENCODED} --scope {SCOPE}"
MFA = (
    "ERROR: AADSTS50076: Due to a configuration change made by your administrator, or because you "
    "moved to a new location, you must use multi-factor authentication to access "
    "'797f4846-ba00-4fd7-ba43-dac1f8f63013'. Trace ID: 1 Correlation ID: 2\n"
    "Interactive authentication is needed. Please run:\n"
    'az login --tenant "t" --scope "https://management.core.windows.net//.default"'
)


class Fails:
    def __init__(self, error: Exception) -> None:
        self.error = error

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        raise self.error


class ManagedIdentityCredential(Fails):
    pass


class EnvironmentCredential(Fails):
    pass


def provoke_failure(*credentials: Any, **options: Any) -> AzureFailure:
    with pytest.raises(ClientAuthenticationError) as raised:
        ChainedTokenCredential(*credentials).get_token(SCOPE, **options)
    return translate(raised.value, "PUT peering")


NOT_HERE = (
    EnvironmentCredential(CredentialUnavailableError("EnvironmentCredential is unavailable")),
    ManagedIdentityCredential(CredentialUnavailableError("No managed identity: unavailable")),
)


def test_a_claims_challenge_is_shown_whole_with_the_command_to_type() -> None:
    """Reproduction: it counted as "not set up", because it contains "az login"."""
    failure = provoke_failure(*NOT_HERE, AzureCliCredential(), claims=CLAIMS)
    assert failure.kind is AzureErrorKind.AUTHENTICATION
    assert COMMAND in failure.message
    assert failure.message.endswith(
        "; not set up: EnvironmentCredential, ManagedIdentityCredential"
    )
    assert failure.hint == f"Run: {COMMAND}; then run the command again."


def test_so_is_one_of_a_credential_that_has_worked_before() -> None:
    with pytest.raises(CredentialUnavailableError) as raised:
        AzureCliCredential().get_token(SCOPE, claims=CLAIMS)
    failure = translate(raised.value, "PUT peering")
    assert COMMAND in failure.message
    assert failure.hint is not None
    assert COMMAND in failure.hint


@pytest.mark.parametrize("chained", [True, False])
def test_an_answer_of_entras_is_shown_with_all_its_lines(chained: bool) -> None:
    error = ClientAuthenticationError(message=MFA)
    failure = provoke_failure(*NOT_HERE, Fails(error)) if chained else translate(error, "GET vnet1")
    assert "AADSTS50076" in failure.message
    assert "multi-factor" in failure.message
    command = 'az login --tenant "t" --scope "https://management.core.windows.net//.default"'
    assert command in failure.message
    assert failure.hint == f"Run: {command}; then run the command again."


def test_a_refused_application_is_told_where_its_code_is_explained() -> None:
    text = "Authentication failed: AADSTS7000222: The provided client secret keys are expired."
    failure = provoke_failure(EnvironmentCredential(ClientAuthenticationError(message=text)))
    assert text in failure.message
    assert failure.hint is not None
    assert "error?code=7000222" in failure.hint


def test_a_machine_without_any_credential_is_told_to_sign_in() -> None:
    text = "Please run 'az login' to set up an account"
    failure = provoke_failure(*NOT_HERE, Fails(CredentialUnavailableError(message=text)))
    assert "not set up: EnvironmentCredential, ManagedIdentityCredential, Fails" in failure.message
    assert failure.hint is not None
    assert failure.hint.startswith("Sign in (az login")


def test_the_chains_own_advice_is_left_out() -> None:
    error = ClientAuthenticationError(
        message="DefaultAzureCredential failed to retrieve a token from the included credentials."
        "\nAttempted credentials:\n\tAzureCliCredential: AADSTS1: no\nTrace ID: 1\n"
        "To mitigate this issue, please refer to the troubleshooting guidelines here."
    )
    assert sign_in.format_attempts(error) == "AzureCliCredential: AADSTS1: no Trace ID: 1"


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (
            'Bearer realm="", authorization_uri="https://login.microsoftonline.com/t1/oauth2", '
            f'error="insufficient_claims", claims="{ENCODED}"',
            f"az login --tenant t1 --claims-challenge {ENCODED};",
        ),
        (f'Bearer error="insufficient_claims", claims="{ENCODED}"', f"-challenge {ENCODED};"),
        ('Bearer error="invalid_token", error_description="expired"', None),
        ('Bearer error="insufficient_claims"', None),
        ("", None),
        (None, None),
    ],
)
def test_a_401_with_a_claims_challenge_is_answered_by_a_command(
    header: str | None, message: str | None
) -> None:
    actual = sign_in.explain_challenge(header)
    assert (actual is None) if message is None else message in str(actual)


def test_a_401_that_repeats_its_claims_challenge_says_what_to_type() -> None:
    claims = f'error="insufficient_claims", claims="{ENCODED}"'
    header = f'Bearer authorization_uri="https://l/t1/x", {claims}'
    response = SimpleNamespace(
        status_code=401,
        reason="Unauthorized",
        headers={"WWW-Authenticate": header},
        text=lambda encoding=None: '{"error": {"code": "InvalidAuthenticationToken"}}',
    )
    failure = translate(HttpResponseError(response=response), "PUT peering")
    assert failure.kind is AzureErrorKind.AUTHENTICATION
    assert failure.hint is not None
    assert f"az login --tenant t1 --claims-challenge {ENCODED};" in failure.hint
