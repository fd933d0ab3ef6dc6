"""Every call can be seen, and no secret with it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from erfailover.lab.engine.faults import Fault, FaultKind
from tests.support.leaks import decode_base64_words
from tests.support.stage import Stage

REQUESTS = "erfailover.azure.request_log"


def records(stage: Stage) -> list[dict[str, Any]]:
    """Every line on standard error, which must all be JSON."""
    return [json.loads(line) for line in stage.err.splitlines()]


def requests(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if row["logger"] == REQUESTS]


def test_every_request_of_a_provision_and_a_switch_is_logged_and_no_secret(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = {
        "ERFAILOVER_SHARED_KEY": "k3yOfT3st!ng",
        "ERFAILOVER_ADMIN_PASSWORD": "P4ss-w0rd-xyz",
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    stage.do("init")
    printed, logged = "", []
    for command in (("provision", "--yes"), ("switch", "--to", "ipsec", "--yes", "--planned")):
        stage.do(*command, "-vv", "--log-format", "json")
        printed += stage.out + stage.err
        logged += records(stage)
        stage.pass_time(60.0)
    sent = requests(logged)
    to_arm = [row for row in sent if row["path"].startswith("/subscriptions/")]
    assert Counter((row["method"], row["path"], row["status"]) for row in to_arm) == Counter(
        (trace_entry.method, trace_entry.path, trace_entry.status)
        for trace_entry in stage.lab.trace
    )
    assert all(row["correlation_id"] and row["duration_ms"] >= 0 for row in to_arm)
    assert any(row["remaining"] for row in to_arm)
    tokens = [row for row in sent if row["path"].endswith("/oauth2/v2.0/token")]
    assert len(tokens) == 2, "one token a run, whatever the number of clients"
    token = Path(stage.environment["AZURE_FEDERATED_TOKEN_FILE"]).read_text()
    for secret in (*secrets.values(), token, stage.lab.identity.client_secret, "Bearer "):
        assert secret not in printed + decode_base64_words(printed)
    progress = [row["message"] for row in logged if row["logger"] == "erfailover.progress"]
    assert any("4. connect vnet1 to the gateway in vnet3" in item for item in progress)


def test_v_logs_each_request_in_a_line_and_what_is_chosen_first(provisioned: Stage) -> None:
    stage = provisioned
    stage.do("status", "-v")
    first, *rest = stage.err.splitlines()
    assert f"Subscription {stage.lab.identity.subscription} (from AZURE_SUBSCRIPTION_ID)" in first
    assert stage.environment["ERFAILOVER_ENDPOINT"] in first
    [line] = [name for name in rest if " GET rg-we/virtualNetworks/vnet1 200, " in name]
    assert " ms, correlation id " in line
    stage.do("status")
    assert stage.err == ""


def test_retries_and_waits_are_in_the_log(provisioned: Stage) -> None:
    stage = provisioned
    stage.lab.faults.add(Fault(FaultKind.ANSWER, path="virtualNetworks/vnet1", status=500))
    stage.do("status", "-vv", "--log-format", "json")
    [retry] = [
        record for record in records(stage) if record["logger"] == "erfailover.azure.retrying"
    ]
    assert (retry["level"], retry["attempt"]) == ("debug", 1)
    assert retry["wait_s"] >= 2.0
    assert retry["correlation_id"]
    looks = [record for record in records(stage) if record["logger"] == "erfailover.azure.polling"]
    assert all(look["wait_s"] > 0 for look in looks)


def test_an_error_is_a_record_too_with_its_exit_code_and_hint(stage: Stage) -> None:
    stage.do("init")
    assert stage.run("status", "--log-format", "json") == 4
    last = records(stage)[-1]
    assert (last["level"], last["exit_code"]) == ("error", 4)
    assert "erfailover provision" in last["hint"]


def test_a_token_that_runs_out_while_an_operation_is_watched_is_replaced(
    provisioned: Stage,
) -> None:
    stage = provisioned
    stage.lab.faults.add(Fault(FaultKind.EXPIRED_TOKEN, path="operations/*", nth=2))
    stage.do("switch", "--to", "ipsec", "--yes", "--planned", "-v", "--log-format", "json")
    sent = requests(records(stage))
    refused = [row for row in sent if row["status"] == 401]
    assert len(refused) == 1
    assert "/operations/" in refused[0]["path"]
    assert len([row for row in sent if row["path"].endswith("/oauth2/v2.0/token")]) == 2
