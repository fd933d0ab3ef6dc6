"""Keys that the site file only names: the tunnels' in a key vault, the machines' in a file."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from erfailover.azure.client.request_log import LoggedTransport
from erfailover.config.loader import read_template
from tests.support import azure, connect_proxy
from tests.support import vault as vaults
from tests.support.leaks import decode_base64_words
from tests.support.public_keys import ED25519, rsa
from tests.support.resources import shared_keys
from tests.support.stage import Stage
from tests.support.vault import FIRST, SECOND, Vault

KEY = "a-shared-key-of-the-vault-for-nobodys-eyes"
NEWER = "the-shared-key-after-it-for-nobodys-eyes"


@pytest.fixture(autouse=True)
def _nothing_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's own retries sleep by the wall clock."""
    monkeypatch.setattr(LoggedTransport, "sleep", lambda self, seconds: None)


@pytest.fixture
def vault(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Vault]:
    """A vault that is found under its name in Azure, as behind a proxy."""
    tenant = stage.lab.identity.tenant
    authority = f"{stage.environment['AZURE_AUTHORITY_HOST']}/{tenant}"
    result = Vault(authority, {"tunnels": {FIRST: KEY}})
    ca_file = Path(stage.environment["REQUESTS_CA_BUNDLE"])
    with vaults.running(result, ca_file) as served, connect_proxy.running() as proxy:
        proxy.instead[f"{result.host}:443"] = f"127.0.0.1:{served.port}"
        for name in ("no_proxy", "https_proxy"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield served


def name_keys(url: str, secret: str = "tunnels", more: str = "") -> None:
    """Let the site file name a vault."""
    file = Path("erfailover.yaml")
    lines = [name for name in file.read_text().splitlines() if "shared_keys: {key" not in name]
    line = f"  shared_keys: {{key_vault: '{url}', secret: {secret}{more}}}"
    at = lines.index("topology:") + 1
    file.write_text("\n".join([*lines[:at], line, *lines[at:]]) + "\n")


def everything_kept(stage: Stage) -> str:
    """What stands in any file of the folder: state, journal, site file."""
    return "".join(
        path.read_text(encoding="utf-8", errors="replace")
        for path in stage.folder.rglob("*")
        if path.is_file()
    )


def test_the_vault_s_key_goes_to_both_ends_of_every_tunnel_and_nowhere_else(
    stage: Stage, vault: Vault
) -> None:
    stage.do("init")
    name_keys(f"{vault.address}/")
    stage.do("provision", "--dry-run", "-o", "json", "-vv")
    message = stage.out + stage.err
    stage.do("provision", "--yes", "-vv", "--log-format", "json")
    message += stage.out + stage.err
    assert set(shared_keys(stage).values()) == {KEY}
    assert set(vault.read) == {"/secrets/tunnels/"}
    assert f"{vault.host}/secrets/tunnels" in message
    everything = message + everything_kept(stage) + " ".join(sys.argv)
    assert KEY not in everything + decode_base64_words(everything)
    [file] = (stage.folder / "state").rglob("secrets.json")
    assert list(json.loads(file.read_text())["secrets"]) == ["admin-password"]
    requested = len(vault.asked)
    assert "Nothing to change" in stage.do("provision", "--yes")
    assert len(vault.asked) == requested


def test_a_newer_version_goes_to_every_end_when_the_site_file_names_it(
    provisioned: Stage, vault: Vault
) -> None:
    stage = provisioned
    generated = everything_kept(stage)
    name_keys(vault.address)
    plan = stage.json("provision", "--yes")
    assert plan["changes"] == 4
    assert set(shared_keys(stage).values()) == {KEY}
    [file] = (stage.folder / "state").rglob("secrets.json")
    old = [load for load in json.loads(file.read_text())["secrets"] if "shared-key" in load]
    assert "shared-key/" in generated
    assert old == []
    vault.secrets["tunnels"][SECOND] = NEWER
    assert "Nothing to change" in stage.do("provision", "--yes")
    name_keys(vault.address, more=f", version: '{SECOND}'")
    assert stage.json("provision", "--yes")["changes"] == 4
    assert set(shared_keys(stage).values()) == {NEWER}
    assert vault.read[-1] == f"/secrets/tunnels/{SECOND}"


def test_one_end_that_is_made_anew_brings_the_newer_version_to_all(
    provisioned: Stage, vault: Vault
) -> None:
    stage = provisioned
    name_keys(vault.address)
    stage.do("provision", "--yes")
    vault.secrets["tunnels"][SECOND] = NEWER
    delete(stage, "vng1-to-vng3")
    plan = stage.json("provision", "--dry-run")
    assert (plan["create"], plan["update"]) == (1, 3)
    stage.do("provision", "--yes")
    assert set(shared_keys(stage).values()) == {NEWER}


def delete(stage: Stage, name: str) -> None:
    """Somebody deletes a connection."""
    with azure.session(stage.clock) as session:
        clients = session.get_clients(stage.lab.identity.subscription, lambda: None)
        group = clients.network.virtual_network_gateway_connections
        group.begin_delete("rg-we", name, polling=False)
        stage.pass_time(60.0)


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        ((403, "Forbidden", vaults.RBAC), "Key Vault Secrets User"),
        ((403, "Forbidden", vaults.POLICY), "the secret permission Get"),
        ((403, "Forbidden", vaults.FIREWALL), "firewall"),
        ((403, "Forbidden", vaults.DISABLED), "Enable the secret tunnels"),
        ((401, "Unauthorized", "AKV10022: Invalid audience."), "Sign in again"),
    ],
)
def test_a_vault_that_refuses_is_told_with_what_is_missing_and_nothing_is_written(
    stage: Stage, vault: Vault, failure: tuple[int, str, str], words: str
) -> None:
    stage.do("init")
    name_keys(vault.address)
    vault.failing = [failure] * 10
    assert stage.run("provision", "--yes") == 5
    assert "the tunnels' shared key cannot be read" in stage.err
    assert words in stage.err
    assert stage.writes() == []


def test_a_secret_that_is_not_there_is_told_with_its_name(stage: Stage, vault: Vault) -> None:
    stage.do("init")
    name_keys(vault.address, "tunnel")
    assert stage.run("provision", "--yes") == 5
    assert "SecretNotFound" in stage.err
    assert "create the secret tunnel" in stage.err
    assert stage.writes() == []


def test_a_vault_that_is_busy_is_asked_again(provisioned: Stage, vault: Vault) -> None:
    name_keys(vault.address)
    vault.failing = [(429, "Throttled", "Too many."), (503, "ServiceUnavailable", "Later.")]
    provisioned.do("provision", "--yes")
    assert set(shared_keys(provisioned).values()) == {KEY}


def test_a_vault_that_cannot_be_reached_is_told_and_stops_only_who_needs_it(
    provisioned: Stage, vault: Vault
) -> None:
    stage = provisioned
    name_keys("https://127.0.0.1:9")
    assert stage.run("provision", "--yes") == 5
    assert "Check the name https://127.0.0.1:9" in stage.err
    name_keys(vault.address)
    stage.do("provision", "--yes")
    vault.failing = [(503, "ServiceUnavailable", "Later.")] * 100
    assert "Nothing to change" in stage.do("provision", "--yes")
    stage.do("switch", "--to", "ipsec", "--yes", "--planned")


@pytest.mark.parametrize("resource", ["https://vault.azure.net", "own"])
def test_a_vault_of_one_s_own_gets_a_token_for_vaults(
    provisioned: Stage, vault: Vault, resource: str
) -> None:
    """The lab issues none for a host of its own, which shows that this was asked for."""
    stage = provisioned
    vault.resource = vault.url if resource == "own" else resource
    name_keys(vault.url)
    if resource == "own":
        assert stage.run("provision", "--yes") == 5
        assert f"The resource principal named {vault.url} was not found" in stage.err
        return
    stage.do("provision", "--yes")
    assert set(shared_keys(stage).values()) == {KEY}


@pytest.mark.parametrize("of_azure", [True, False])
def test_who_asks_for_a_token_that_opens_more_than_vaults_gets_none(
    provisioned: Stage, vault: Vault, of_azure: bool
) -> None:
    stage = provisioned
    vault.resource = "https://management.azure.com"
    name_keys(vault.address if of_azure else vault.url)
    assert stage.run("provision", "--yes") == 5
    assert vault.read == []
    assert [audience for _, audience in vault.asked] == [""]
    assert ("another resource" if of_azure else "management.azure.com") in stage.err


def test_a_secret_that_is_no_shared_key_is_refused_without_showing_it(
    provisioned: Stage, vault: Vault
) -> None:
    stage = provisioned
    before = len(stage.writes())
    vault.secrets["tunnels"] = {FIRST: f"{KEY}\n"}
    name_keys(vault.address)
    assert stage.run("provision", "--yes") == 2
    assert f"found {len(KEY) + 1} characters, with a blank at the end" in stage.err
    assert KEY not in stage.err
    assert not [write for write in stage.writes()[before:] if write.startswith("PUT")]


def test_without_the_package_the_command_that_installs_it_is_told(
    provisioned: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    name_keys("https://kv.vault.azure.net")
    monkeypatch.setitem(sys.modules, "azure.keyvault.secrets", None)
    monkeypatch.delitem(sys.modules, "erfailover.azure.key_vault", raising=False)
    monkeypatch.delattr("erfailover.azure.key_vault", raising=False)
    assert provisioned.run("provision", "--yes") == 2
    assert "pip install 'erfailover[keyvault]'" in provisioned.err


def test_a_key_in_the_environment_goes_before_the_vault_and_that_is_said(
    provisioned: Stage, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    name_keys(vault.address)
    monkeypatch.setenv("ERFAILOVER_SHARED_KEY", "given-by-hand")
    provisioned.do("provision", "--yes")
    assert set(shared_keys(provisioned).values()) == {"given-by-hand"}
    assert "the key vault is not used" in provisioned.err
    assert vault.asked == []


def write_site_with_key(key: str) -> None:
    lines = read_template().splitlines()
    for machine in ("vm1", "vm2", "vm3"):
        at = lines.index(f"    {machine}:") + 1
        lines.insert(at, f"      ssh_public_key: {key}")
    Path("erfailover.yaml").write_text("\n".join(lines) + "\n")


def profile(stage: Stage, name: str) -> Any:
    return stage.resource("Microsoft.Compute/virtualMachines", name).properties["osProfile"]


def test_machines_with_an_ssh_key_have_no_password_and_none_is_made(stage: Stage) -> None:
    Path("me.pub").write_text(f"{ED25519} anna@ops1\n")
    write_site_with_key("me.pub")
    stage.do("provision", "--yes")
    for name in ("vm1", "vm2", "vm3"):
        linux = profile(stage, name)["linuxConfiguration"]
        assert linux["disablePasswordAuthentication"] is True
        path = "/home/azureuser/.ssh/authorized_keys"
        assert linux["ssh"]["publicKeys"] == [{"path": path, "keyData": f"{ED25519} anna@ops1"}]
        assert (
            "adminPassword" not in stage.resource("Microsoft.Compute/virtualMachines", name).hidden
        )
    [file] = (stage.folder / "state").rglob("secrets.json")
    assert "admin-password" not in json.loads(file.read_text())["secrets"]
    assert "Nothing to change" in stage.do("provision", "--yes")
    assert "SSH" not in stage.out
    write_site_with_key(rsa(2048))
    assert "Nothing to change" in stage.do("provision", "--yes")
    assert "machine vm1: created without the site file's SSH key" in stage.out


def test_a_machine_with_a_password_keeps_it_when_it_is_written_again(provisioned: Stage) -> None:
    stage = provisioned
    write_site_with_key(ED25519)
    text = Path("erfailover.yaml").read_text()
    Path("erfailover.yaml").write_text(text.replace("Standard_B2ats_v2", "Standard_B2s_v2"))
    stage.do("provision", "--yes")
    vm3 = stage.resource("Microsoft.Compute/virtualMachines", "vm3")
    assert vm3.properties["hardwareProfile"]["vmSize"] == "Standard_B2s_v2"
    assert profile(stage, "vm3")["linuxConfiguration"]["disablePasswordAuthentication"] is False


@pytest.mark.parametrize("command", [("provision", "--yes"), ("provision", "--dry-run")])
def test_a_key_file_that_is_not_there_stops_provision_before_anything_is_asked(
    stage: Stage, command: tuple[str, ...]
) -> None:
    write_site_with_key("~/nowhere/me.pub")
    assert stage.run(*command) == 2
    assert "topology.machines.vm1.ssh_public_key names '~/nowhere/me.pub'" in stage.err
    assert not stage.lab.trace
