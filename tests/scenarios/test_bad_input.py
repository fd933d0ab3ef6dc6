"""What goes wrong is told in words, with the documented exit code, and nothing is lost."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.support.stage import Stage


def test_an_unknown_key_of_the_site_file_is_named_with_its_line(stage: Stage) -> None:
    stage.do("init")
    site = Path("erfailover.yaml")
    lines = site.read_text().splitlines()
    number = next(i for i, line in enumerate(lines) if line.startswith("remote_prefixes"))
    lines.insert(number, "remote_prefixs: [10.9.0.0/16]")
    site.write_text("\n".join(lines))
    assert stage.run("status") == 2
    assert f"erfailover.yaml:{number + 1}" in stage.err
    assert "remote_prefixs" in stage.err
    assert "remote_prefixes" in stage.err


def test_a_missing_subscription_is_named_with_both_places_it_can_stand(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.do("init")
    monkeypatch.delenv("AZURE_SUBSCRIPTION_ID")
    assert stage.run("status") == 2
    assert "AZURE_SUBSCRIPTION_ID" in stage.err
    assert "subscription:" in stage.err


def test_a_site_that_is_not_provisioned_is_unknown_and_told_how_to_make_it(stage: Stage) -> None:
    stage.do("init")
    assert stage.run("status") == 4
    assert "resource group rg-we (from erfailover.yaml:14) does not exist in" in stage.err
    assert "(ResourceGroupNotFound)" in stage.err
    assert "erfailover provision" in stage.err
    assert stage.run("switch", "--to", "ipsec", "--yes", "--planned") == 4
    assert stage.run("drill", "start", "--yes") == 5
    assert "ResourceGroupNotFound" in stage.err


def test_an_unreachable_endpoint_fails_soon_and_says_which_and_what_to_check(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.do("init")
    monkeypatch.setenv("ERFAILOVER_ENDPOINT", "https://127.0.0.1:9")
    began = time.monotonic()
    assert stage.run("status") == 5
    assert time.monotonic() - began < 5.0
    assert "the lab at https://127.0.0.1:9 does not answer" in stage.err
    assert "erfailover lab up" in stage.err
    assert "ERFAILOVER_ENDPOINT" in stage.err


def test_no_lab_running_is_told_as_an_authority_that_does_not_answer(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.do("init")
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", "https://127.0.0.1:9")
    monkeypatch.setenv("ERFAILOVER_ENDPOINT", "https://127.0.0.1:9")
    assert stage.run("status") == 5
    assert "127.0.0.1" in stage.err


def test_an_endpoint_without_https_is_refused(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.do("init")
    monkeypatch.setenv("ERFAILOVER_ENDPOINT", "http://127.0.0.1:80")
    assert stage.run("status") == 2
    assert "https://" in stage.err


def test_a_token_of_another_identity_is_refused_and_told_so(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.do("init")
    wrong = stage.folder / "wrong-token"
    wrong.write_text("not.a.token")
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(wrong))
    assert stage.run("status") == 5
    assert "no token" in stage.err


def test_a_token_that_the_endpoint_does_not_accept_is_told_after_one_fresh_try(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    from azure.core.credentials import AccessToken

    class Wrong:
        def __init__(self, **_: object) -> None:
            rows.append(1)

        def get_token(self, *_: str, **__: object) -> AccessToken:
            return AccessToken("wrong", int(time.time()) + 3600)

        def close(self) -> None:
            pass

    rows: list[int] = []
    stage.do("init")
    monkeypatch.setattr("erfailover.azure.client.access.DefaultAzureCredential", Wrong)
    assert stage.run("status") == 5
    assert "InvalidAuthenticationToken" in stage.err
    assert "Sign in again" in stage.err
    assert len(rows) > 1


def test_a_target_that_is_not_ready_is_refused_and_what_is_missing_is_said(
    provisioned: Stage,
) -> None:
    stage = provisioned
    stage.do("drill", "start", "--yes")
    stage.do("switch", "--to", "ipsec", "--yes", "--planned")
    before = len(stage.writes())
    assert stage.run("switch", "--to", "expressroute", "--yes") == 3
    assert "vng1" in stage.err
    assert "expected one Connected" in stage.err
    assert [write for write in stage.writes()[before:] if write.startswith("PUT")] == []


def test_force_says_what_it_overrides(provisioned: Stage) -> None:
    stage = provisioned
    stage.do("drill", "start", "--yes")
    stage.do("switch", "--to", "ipsec", "--yes", "--planned")
    assert stage.run("switch", "--to", "expressroute", "--yes", "--force") == 6
    assert "Overridden by --force: gateway_has_a_connected_bgp_peer" in stage.err
    assert stage.json("status")["path"] == "expressroute"


def test_failback_waits_for_the_hold_time_or_refuses_at_once(provisioned: Stage) -> None:
    stage = provisioned
    stage.do("drill", "start", "--yes")
    stage.do("switch", "--to", "ipsec", "--yes", "--planned")
    stage.do("drill", "stop", "--yes")
    assert stage.run("switch", "--to", "expressroute", "--yes", "--no-hold-wait") == 3
    assert "has been up for" in stage.err
    stage.do("switch", "--to", "expressroute", "--yes")
    assert "Waiting for the hold time" in stage.err


def test_nobody_to_answer_is_a_no(provisioned: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = provisioned
    before = len(stage.writes())
    for command in (["switch", "--to", "ipsec"], ["drill", "start"], ["destroy"]):
        assert stage.run(*command) == 3
        assert "--yes" in stage.err
    assert [write for write in stage.writes()[before:] if not write.startswith("POST")] == []


@pytest.mark.parametrize("expect", ["office=sideways", "nothing=up", "office"])
def test_a_wrong_expectation_is_named(stage: Stage, expect: str) -> None:
    stage.do("init")
    assert stage.run("verify", "--expect", expect) == 2
    assert "--expect" in stage.err
