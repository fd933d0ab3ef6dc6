"""A site file's targets are built and checked without anything being sent or shown."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from erfailover.commands.context import Context
from erfailover.commands.watch import targets as module
from erfailover.commands.watch.targets import SecretReader, build_targets, open_targets
from erfailover.errors import AzureErrorKind, AzureFailure, UsageFailure
from erfailover.model.watch_settings import (
    AppriseTarget,
    CommandTarget,
    NotificationTarget,
    WebhookTarget,
)
from tests.support.notifications import SECRET, notify

VAULT = "https://kv.vault.azure.net/secrets/hook"


def open_for(
    folder: Path, *settings: NotificationTarget, lines: list[str] | None = None, **variables: str
) -> Any:
    context = SimpleNamespace(
        site=SimpleNamespace(watch=SimpleNamespace(notifications=settings)),
        site_file=SimpleNamespace(path=folder / "site.yaml"),
        environment=variables,
    )
    return open_targets(cast(Context, context), (lines if lines is not None else []).append)


def test_each_setting_is_a_target_with_its_own_place(tmp_path: Path) -> None:
    (tmp_path / "hook").write_text(f"https://x/{SECRET}\n")
    targets = open_for(
        tmp_path,
        AppriseTarget("env:CHAT"),
        WebhookTarget("file:hook"),
        WebhookTarget("file:hook"),
        CommandTarget(("/bin/page", "a")),
        CommandTarget(("/bin/page", "b")),
        CHAT=f"json://127.0.0.1/{SECRET}",
    )
    assert [target.place for target in targets] == [
        "apprise env:CHAT",
        "webhook file:hook",
        "command /bin/page",
        "command /bin/page (2)",
    ]
    assert SECRET not in repr(targets)


def test_a_secret_that_is_missing_stops_the_start_and_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageFailure, match="the variable CHAT"):
        open_for(tmp_path, AppriseTarget("env:CHAT"))


def test_a_vault_that_does_not_answer_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(context: Context, url: str) -> str:
        raise AzureFailure(AzureErrorKind.CONNECTION, f"{url} did not answer")

    monkeypatch.setattr(module, "read_vault_secret", fail)
    lines: list[str] = []
    [target] = open_for(tmp_path, WebhookTarget(VAULT), lines=lines)
    assert target.place == f"webhook {VAULT}"
    assert lines == [
        f"webhook {VAULT}: {VAULT} did not answer. It is read again for the first notification."
    ]


def test_a_vault_s_secret_is_the_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def read(context: Context, url: str) -> str:
        asked.append(url)
        return f"http://example.com/{SECRET}"

    monkeypatch.setattr(module, "read_vault_secret", read)
    with pytest.raises(UsageFailure, match="expected a URL of https") as caught:
        open_for(tmp_path, WebhookTarget(VAULT))
    assert asked == [VAULT]
    assert SECRET not in repr(caught.value)


def test_a_program_gets_no_variable_that_holds_a_secret(tmp_path: Path) -> None:
    script = "import os, json; json.dump(dict(os.environ), open('result.json', 'w'))"
    environment = {"HOOK": SECRET, "AZURE_CLIENT_SECRET": SECRET, "OTHER": "kept"}
    secrets = SecretReader(tmp_path, environment, lambda url: "")
    [program, _] = build_targets(
        [CommandTarget((sys.executable, "-c", script)), WebhookTarget("env:HOOK")], secrets
    )
    program.send(notify())
    variables = json.loads((tmp_path / "result.json").read_text())
    assert variables["OTHER"] == "kept"
    assert SECRET not in json.dumps(variables)
