"""One credential for all clients of a run: asked once, renewed as a whole."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError

from erfailover.azure.client.errors import translate
from erfailover.azure.client.shared_credential import FRESH_S, SharedCredential
from erfailover.errors import AzureErrorKind


class Issuer:
    """Makes credentials, each of which numbers the tokens it gives."""

    def __init__(self, lifetime_s: float = 3600.0, pause_s: float = 0.0) -> None:
        self.lifetime_s, self.pause_s = lifetime_s, pause_s
        self.made = self.asked = self.closed = 0
        self.down = False

    def __call__(self) -> Any:
        self.made += 1
        return self

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        self.asked += 1
        if self.pause_s:
            threading.Event().wait(self.pause_s)
        if self.down:
            raise ClientAuthenticationError(message="the authority is down")
        return AccessToken(f"{self.made}.{self.asked}", int(time.time() + self.lifetime_s))

    def close(self) -> None:
        self.closed += 1


def test_a_token_is_asked_for_once_however_many_clients_and_threads_need_it() -> None:
    issuer = Issuer(pause_s=0.05)
    shared = SharedCredential(issuer)
    lines: list[str] = []
    threads = [
        threading.Thread(target=lambda: lines.append(shared.get_token("scope").token))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lines == ["1.1"] * 8
    assert issuer.asked == 1


def test_a_chain_that_fails_is_tried_once_for_all_who_wait_and_again_when_renewed() -> None:
    issuer = Issuer(pause_s=0.05)
    issuer.down = True
    shared = SharedCredential(issuer)
    failures: list[str] = []

    def ask() -> None:
        try:
            shared.get_token("scope")
        except ClientAuthenticationError as error:
            failures.append(str(error))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == ["the authority is down"] * 8
    assert issuer.asked == 1
    issuer.down = False
    shared.renew()
    assert shared.get_token("scope").token == "2.2"


def test_a_retry_after_a_failure_asks_the_authority_again() -> None:
    issuer = Issuer()
    issuer.down = True
    shared = SharedCredential(issuer)
    for _ in range(3):
        with pytest.raises(ClientAuthenticationError):
            shared.get_token("scope")
    assert issuer.asked == 3
    issuer.down = False
    assert shared.get_token("scope").token == "1.4"


def test_each_scope_has_a_token_of_its_own_and_a_claim_is_never_served_from_memory() -> None:
    issuer = Issuer()
    shared = SharedCredential(issuer)
    assert shared.get_token("a").token != shared.get_token("b").token
    before = shared.get_token("a").token
    fresh = shared.get_token("a", claims="{}").token
    assert fresh != before
    assert shared.get_token("a").token == fresh


def test_a_token_that_runs_out_soon_is_replaced() -> None:
    issuer = Issuer(lifetime_s=FRESH_S - 10)
    shared = SharedCredential(issuer)
    assert shared.get_token("a").token == "1.1"
    assert shared.get_token("a").token == "1.2"


def test_while_the_authority_fails_a_token_that_is_still_valid_serves() -> None:
    issuer = Issuer(lifetime_s=FRESH_S - 10)
    shared = SharedCredential(issuer)
    shared.get_token("a")
    issuer.down = True
    assert [shared.get_token("a").token for _ in range(5)] == ["1.1"] * 5
    assert issuer.asked == 2
    with pytest.raises(ClientAuthenticationError):
        shared.get_token("another")


def test_renewed_it_makes_a_fresh_credential_and_closes_both_at_the_end() -> None:
    issuer = Issuer()
    shared = SharedCredential(issuer)
    shared.get_token("a")
    shared.renew()
    assert shared.get_token("a").token == "2.2"
    shared.close()
    assert issuer.closed == 2


@pytest.mark.parametrize("error", [ValueError("no such tenant"), FileNotFoundError("cert.pem")])
def test_a_credential_that_cannot_be_set_up_is_no_bug(error: Exception) -> None:
    def make() -> Any:
        raise error

    with pytest.raises(ClientAuthenticationError) as caught:
        SharedCredential(make).get_token("a")
    failure = translate(caught.value, "GET x")
    assert failure.kind is AzureErrorKind.AUTHENTICATION
    assert str(error) in failure.message


CHAIN = """DefaultAzureCredential failed to retrieve a token from the included credentials.
Attempted credentials:
\tEnvironmentCredential: EnvironmentCredential authentication unavailable. Not configured.
Visit https://aka.ms/x to troubleshoot this issue.
\tManagedIdentityCredential: ManagedIdentityCredential authentication unavailable.
\tAzureCliCredential: AADSTS700082: The refresh token has expired. client_secret=abc123
To mitigate this issue, please refer to the troubleshooting guidelines."""


def test_a_failure_says_which_credentials_were_tried_and_what_to_do() -> None:
    failure = translate(ClientAuthenticationError(message=CHAIN), "GET x")
    assert "AADSTS700082" in failure.message
    assert "not set up: EnvironmentCredential, ManagedIdentityCredential" in failure.message
    assert "abc123" not in failure.message
    assert "az login" in (failure.hint or "")
