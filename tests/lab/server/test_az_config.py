"""The az CLI's configuration folder; az itself runs in tests/scenarios."""

from __future__ import annotations

import configparser
import json
from pathlib import Path

from erfailover.lab.auth import identity
from erfailover.lab.server.az_config import CLOUD, write_configuration

ENDPOINT = "https://127.0.0.1:4443"


def test_the_folder_names_the_lab_as_the_active_cloud(tmp_path: Path) -> None:
    result = identity.make_identity()
    folder = write_configuration(tmp_path / "az", result, ENDPOINT)
    config = configparser.ConfigParser()
    config.read([folder / "config", folder / "clouds.config"])
    assert config["cloud"]["name"] == CLOUD
    assert config["core"]["instance_discovery"] == "false"
    assert config[CLOUD]["endpoint_resource_manager"] == ENDPOINT
    assert config[CLOUD]["endpoint_active_directory"] == ENDPOINT
    profile = json.loads((folder / "azureProfile.json").read_text())
    (subscription,) = profile["subscriptions"]
    assert (subscription["id"], subscription["isDefault"]) == (result.subscription, True)


def test_every_subscription_of_the_tenant_is_in_the_profile(tmp_path: Path) -> None:
    result = identity.make_identity().extend_subscriptions(3)
    assert identity.from_json(result.to_json()) == result
    folder = write_configuration(tmp_path / "az", result, ENDPOINT)
    rows = json.loads((folder / "azureProfile.json").read_text())["subscriptions"]
    assert [row["id"] for row in rows] == list(result.subscriptions)
    assert [row["isDefault"] for row in rows] == [True, False, False]
    assert len({row["name"] for row in rows}) == 3


def test_the_clients_secret_stands_in_one_private_file(tmp_path: Path) -> None:
    result = identity.make_identity()
    folder = write_configuration(tmp_path / "az", result, ENDPOINT)
    holding = [file.name for file in folder.iterdir() if result.client_secret in file.read_text()]
    assert holding == ["service_principal_entries.json"]
    assert (folder / holding[0]).stat().st_mode & 0o077 == 0


def test_tokens_of_an_earlier_lab_are_forgotten(tmp_path: Path) -> None:
    (tmp_path / "msal_token_cache.json").write_text("{}")
    write_configuration(tmp_path, identity.make_identity(), ENDPOINT)
    assert not (tmp_path / "msal_token_cache.json").exists()
