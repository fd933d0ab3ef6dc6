"""The az CLI's configuration folder; and, where asked for, az itself against a lab."""

from __future__ import annotations

import configparser
import json
import os
import shutil
import subprocess
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from erfailover.lab import identity, process
from erfailover.lab.azcli import CLOUD, write_configuration
from tests.lab import test_story as story
from tests.lab.conftest import Arm

ENDPOINT = "https://127.0.0.1:4443"
AZ_REQUIREMENT = "azure-cli==2.91.0"


def test_the_folder_names_the_lab_as_the_active_cloud(tmp_path: Path) -> None:
    known = identity.make()
    folder = write_configuration(tmp_path / "az", known, ENDPOINT)
    config = configparser.ConfigParser()
    config.read([folder / "config", folder / "clouds.config"])
    assert config["cloud"]["name"] == CLOUD
    assert config["core"]["instance_discovery"] == "false"
    assert config[CLOUD]["endpoint_resource_manager"] == ENDPOINT
    assert config[CLOUD]["endpoint_active_directory"] == ENDPOINT
    profile = json.loads((folder / "azureProfile.json").read_text())
    (subscription,) = profile["subscriptions"]
    assert (subscription["id"], subscription["isDefault"]) == (known.subscription, True)


def test_the_clients_secret_stands_in_one_private_file(tmp_path: Path) -> None:
    known = identity.make()
    folder = write_configuration(tmp_path / "az", known, ENDPOINT)
    holding = [each.name for each in folder.iterdir() if known.client_secret in each.read_text()]
    assert holding == ["service_principal_entries.json"]
    assert (folder / holding[0]).stat().st_mode & 0o077 == 0


def test_tokens_of_an_earlier_lab_are_forgotten(tmp_path: Path) -> None:
    (tmp_path / "msal_token_cache.json").write_text("{}")
    write_configuration(tmp_path, identity.make(), ENDPOINT)
    assert not (tmp_path / "msal_token_cache.json").exists()


# az itself, installed once into a cached virtual environment.


@pytest.fixture(scope="session")
def az_program() -> Path:
    """The az of the pinned version, from ``ERFAILOVER_AZ`` or a cached environment."""
    named = os.environ.get("ERFAILOVER_AZ")
    if named:
        return Path(named)
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "erfailover"
    home = cache / AZ_REQUIREMENT.replace("==", "-")
    program = home / "bin" / "az"
    if not (home / "complete").exists():
        shutil.rmtree(home, ignore_errors=True)
        venv.create(home, with_pip=True)
        pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", AZ_REQUIREMENT]
        subprocess.run(pip, check=True)
        (home / "complete").touch()
    return program


class _Wall:
    """Sleeps modelled seconds by the wall clock, as fast as the lab runs."""

    def __init__(self, speed: float) -> None:
        self.speed = speed

    def sleep(self, seconds: float) -> None:
        import time

        time.sleep(seconds / self.speed)


class _Known:
    def __init__(self, known: identity.Identity) -> None:
        self.identity = known


class Az:
    """Runs az with nothing but what ``lab env`` exports."""

    def __init__(self, program: Path, environment: dict[str, str]) -> None:
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self._program = str(program)
        self._environment = kept | environment

    def __call__(self, *words: str) -> Any:
        found = subprocess.run(
            [self._program, *words, "-o", "json"],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert found.returncode == 0, found.stderr
        return json.loads(found.stdout) if found.stdout.strip() else None


@pytest.fixture(scope="module")
def az(az_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Az]:
    """az, against a lab of its own that holds the proof of concept's topology."""
    folder = process.folder(tmp_path_factory.mktemp("lab"))
    running, _ = process.start(folder, speed=200)
    arm = Arm(
        _Known(folder.identity()),  # type: ignore[arg-type]
        _Wall(running.speed),  # type: ignore[arg-type]
        running.endpoint,
        str(running.ca_file),
        group="rg-we",
    )
    arm.make_group()
    story.provision(arm)
    arm.clock.sleep(300)
    arm.pool.clear()
    yield Az(az_program, process.variables(running))
    process.stop(folder)


@pytest.mark.slow
def test_az_knows_its_account(az: Az) -> None:
    shown = az("account", "show")
    assert (shown["environmentName"], shown["state"]) == (CLOUD, "Enabled")
    assert [each["name"] for each in az("group", "list")] == ["rg-we"]


@pytest.mark.slow
def test_az_prints_the_gateways_tables(az: Az) -> None:
    at = ("-g", "rg-we", "-n", "vng1")
    (peer,) = az("network", "vnet-gateway", "list-bgp-peer-status", *at)["value"]
    assert (peer["neighbor"], peer["state"]) == ("10.4.0.254", "Connected")
    rows = az("network", "vnet-gateway", "list-learned-routes", *at)["value"]
    seen = {each["name"]: each for each in json.loads(story.OBSERVED.read_text())["observations"]}
    expected = {(row["network"], row["origin"]) for row in seen["vng1-healthy"]["routes"]}
    assert {(row["network"], row["origin"]) for row in rows} == expected
    peered = az("network", "vnet", "peering", "list", "-g", "rg-we", "--vnet-name", "vnet1")
    assert [(each["name"], each["peeringState"]) for each in peered] == [
        ("vnet1-to-vnet2", "Connected")
    ]


@pytest.mark.slow
def test_az_writes_and_waits(az: Az) -> None:
    at = ("-g", "rg-we", "--vnet-name", "vnet1", "-n", "vnet1-to-vnet2")
    for value in (False, True):
        changed = az(
            "network", "vnet", "peering", "update", *at, "--set", f"useRemoteGateways={value}"
        )
        assert changed["useRemoteGateways"] is value
        assert changed["provisioningState"] == "Succeeded"
    az("network", "public-ip", "create", "-g", "rg-we", "-n", "p", "--zone", "1", "2", "3")
    az("network", "public-ip", "delete", "-g", "rg-we", "-n", "p")


@pytest.mark.slow
def test_az_runs_commands_and_shows_effective_routes(az: Az) -> None:
    script = ("--command-id", "RunShellScript", "--scripts", "ping -c 2 10.5.0.4")
    found = az("vm", "run-command", "invoke", "-g", "rg-we", "-n", "vm1", *script)
    assert "2 received" in found["value"][0]["message"]
    rows = az("network", "nic", "show-effective-route-table", "-g", "rg-we", "-n", "vm1-nic")
    assert any(row["source"] == "User" for row in rows["value"])
