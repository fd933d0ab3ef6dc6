"""The URL of a notification's target is read from a key vault, and shown nowhere."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from erfailover.azure.client.request_log import LoggedTransport
from erfailover.commands.context import Context
from erfailover.commands.site_file import SiteFile
from erfailover.commands.watch.targets import open_targets
from erfailover.errors import AzureFailure
from erfailover.runtime.notifications.target import DeliveryFailed
from tests.support import connect_proxy
from tests.support import receiver as receivers
from tests.support import vault as vaults
from tests.support.notifications import SECRET, notify
from tests.support.receiver import Receiver
from tests.support.stage import Stage
from tests.support.vault import FIRST, SECOND, Vault

OLD, NEW = f"old-{SECRET}", f"new-{SECRET}"


@pytest.fixture
def vault(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Vault]:
    """A vault that is found under its name in Azure, as behind a proxy."""
    monkeypatch.setattr(LoggedTransport, "sleep", lambda self, seconds: None)
    authority = f"{stage.environment['AZURE_AUTHORITY_HOST']}/{stage.lab.identity.tenant}"
    result = Vault(authority, {})
    ca_file = Path(stage.environment["REQUESTS_CA_BUNDLE"])
    with vaults.running(result, ca_file) as served, connect_proxy.running() as proxy:
        proxy.instead[f"{result.host}:443"] = f"127.0.0.1:{served.port}"
        for name in ("no_proxy", "https_proxy"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield served


@pytest.fixture
def context(stage: Stage, vault: Vault) -> Context:
    stage.do("init")
    file = Path("erfailover.yaml")
    file.write_text(
        f"{file.read_text()}\nwatch:\n  notifications:\n"
        f"    - webhook: {vault.address}/secrets/hook\n"
    )
    return Context(SiteFile(file, os.environ), clock=stage.clock)


def test_a_replaced_secret_is_read_again_after_a_failed_delivery(
    context: Context, vault: Vault, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(1)
    receiver = Receiver(statuses=[204, 401])
    lines: list[str] = []
    with receivers.running(receiver):
        vault.secrets["hook"] = {FIRST: f"{receiver.url}/{OLD}\n"}
        [target] = open_targets(context, lines.append)
        assert target.place == f"webhook {vault.address}/secrets/hook"
        target.send(notify())
        assert vault.read == ["/secrets/hook/"]
        vault.secrets["hook"][SECOND] = f"{receiver.url}/{NEW}"
        with pytest.raises(DeliveryFailed, match="HTTP 401"):
            target.send(notify())
        target.send(notify())
    assert receiver.paths == [f"/{OLD}", f"/{OLD}", f"/{NEW}"]
    assert vault.read == ["/secrets/hook/"] * 2
    assert lines == []
    assert SECRET not in caplog.text + repr(target)


def test_a_vault_that_refuses_stops_nothing_and_is_reported(context: Context, vault: Vault) -> None:
    vault.failing = [(403, "Forbidden", vaults.RBAC)] * 2
    lines: list[str] = []
    [target] = open_targets(context, lines.append)
    [line] = lines
    assert f"{vault.address}/secrets/hook" in line
    assert "the URL of a target cannot be read" in line
    with pytest.raises(DeliveryFailed) as caught:
        target.send(notify())
    assert "Key Vault Secrets User" in str(caught.value.hint)


def test_a_secret_that_does_not_exist_names_the_setting(context: Context, vault: Vault) -> None:
    from erfailover.commands.watch.targets import read_vault_secret

    with pytest.raises(AzureFailure) as caught:
        read_vault_secret(context, f"{vault.address}/secrets/hook/")
    assert "Correct watch.notifications in the site file" in str(caught.value.hint)
