"""The lab's background process and its command line."""

from __future__ import annotations

import json
import os
import shlex
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from erfailover.lab.cli import process
from erfailover.lab.server import state_folder
from tests.support.schemas import hold

ROOT = Path(__file__).resolve().parents[3]


def lab(state: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "erfailover.lab", *words, "--state-dir", str(state)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
        check=False,
    )


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "lab"
    process.stop(state_folder.get_state_folder(tmp_path / "lab"))


def test_a_lab_comes_up_once_answers_and_goes_down(state: Path) -> None:
    first = lab(state, "up", "--speed", "500")
    assert first.returncode == 0, first.stderr
    assert "The lab is running at https://127.0.0.1:" in first.stdout
    second = lab(state, "up")
    assert second.returncode == 0
    assert "already running" in second.stdout
    output = lab(state, "status", "-o", "json").stdout
    hold("lab-status", output)
    status = json.loads(output)
    assert status["clock"]["speed"] == 500
    assert lab(state, "reset").returncode == 0
    port = status["endpoint"].rsplit(":", 1)[1]
    assert lab(state, "down").stdout == "The lab has stopped.\n"
    assert lab(state, "down").stdout.startswith("No lab is running")
    output = lab(state, "up", "-o", "json").stdout
    hold("lab-up", output)
    again = json.loads(output)
    assert again["endpoint"].endswith(f":{port}")


def test_a_tenant_has_as_many_subscriptions_as_were_asked_for(state: Path) -> None:
    assert lab(state, "up", "--subscriptions", "2").returncode == 0
    description = json.loads(lab(state, "env", "--json").stdout)
    assert len(description["subscriptions"]) == 2
    assert description["subscriptions"][0] == description["subscription"]
    refused = lab(state, "up", "--subscriptions", "3")
    assert refused.returncode == 2
    assert refused.stderr.startswith("erfailover: The running lab has fewer ")
    assert "has fewer subscriptions (2) than requested (3)" in refused.stderr
    assert lab(state, "down").returncode == 0
    assert lab(state, "up", "--subscriptions", "3").returncode == 0
    again = json.loads(lab(state, "env", "--json").stdout)["subscriptions"]
    assert (len(again), again[:2]) == (3, description["subscriptions"])


def test_there_are_as_many_tenants_as_were_asked_for(state: Path) -> None:
    assert lab(state, "up", "--tenants", "2").returncode == 0
    value = json.loads(lab(state, "env", "--json").stdout)
    (first, own), (second, others) = value["tenants"].items()
    assert (first, own) == (value["tenant"], value["subscriptions"])
    assert len(others) == 1
    assert second != first
    refused = lab(state, "up", "--tenants", "3")
    assert refused.returncode == 2
    assert refused.stderr.startswith("erfailover: The running lab has fewer ")
    assert "has fewer tenants (2) than requested (3)" in refused.stderr
    assert lab(state, "down").returncode == 0
    assert lab(state, "up").returncode == 0
    assert json.loads(lab(state, "env", "--json").stdout)["tenants"] == value["tenants"]


@pytest.mark.parametrize("words", [["status"], ["env"], ["env", "--json"], ["reset"]])
def test_without_a_lab_the_message_says_how_to_start_one(state: Path, words: list[str]) -> None:
    result = lab(state, *words)
    assert result.returncode == 2
    assert "No lab is running" in result.stderr
    assert "erfailover lab up" in result.stderr
    assert result.stdout == ""


def test_the_environment_is_shell_and_json_alike(state: Path) -> None:
    lab(state, "up")
    lines = lab(state, "env").stdout.splitlines()
    exported = dict(
        shlex.split(line)[1].split("=", 1) for line in lines if line.startswith("export ")
    )
    description = json.loads(lab(state, "env", "--json").stdout)
    assert exported["ERFAILOVER_ENDPOINT"] == description["endpoint"] == description["authority"]
    assert exported["AZURE_TENANT_ID"] == description["tenant"]
    assert exported["AZURE_SUBSCRIPTION_ID"] == description["subscription"]
    assert exported["REQUESTS_CA_BUNDLE"] == description["ca"]
    assert exported["ERFAILOVER_CLOCK_SPEED"] == "100"
    assert description["client_secret"] not in "\n".join(lines)


def test_private_files_are_their_owners_alone(state: Path) -> None:
    lab(state, "up")
    private = ["ca.key", "signing.key", "identity.json", "federated-token"]
    private += ["lab.json", "az/service_principal_entries.json"]
    for name in private:
        assert stat.S_IMODE((state / name).stat().st_mode) == 0o600, name
    assert stat.S_IMODE(state.stat().st_mode) == 0o700


def test_the_authority_and_the_identity_outlive_a_restart(state: Path) -> None:
    lab(state, "up")
    by_name = {name: (state / name).read_bytes() for name in ("ca.pem", "identity.json")}
    lab(state, "down")
    lab(state, "up")
    assert by_name == {name: (state / name).read_bytes() for name in by_name}


def test_a_lab_that_was_killed_is_seen_to_be_gone(state: Path) -> None:
    lab(state, "up")
    running = process.find(state_folder.get_state_folder(state))
    os.kill(running.pid, 9)
    folder = state_folder.get_state_folder(state)
    while folder.is_held():
        time.sleep(0.01)
    assert lab(state, "status").returncode == 2
    assert lab(state, "up").returncode == 0


def test_a_port_that_is_taken_is_told(state: Path, tmp_path: Path) -> None:
    endpoint = json.loads(lab(state, "up", "-o", "json").stdout)["endpoint"]
    other = tmp_path / "other"
    result = lab(other, "up", "--port", endpoint.rsplit(":", 1)[1])
    assert result.returncode == 1
    assert "did not start" in result.stderr
    assert "address already in use" in result.stderr
    assert "Traceback" not in result.stderr


def test_the_state_folder_may_come_from_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(state_folder.STATE_VARIABLE, str(tmp_path / "x"))
    assert state_folder.get_state_folder(None).path == tmp_path / "x"
    assert state_folder.get_state_folder(tmp_path / "y").path == tmp_path / "y"


def arm_request(state: Path, method: str, path: str, body: object = None) -> object:
    """One request to ARM with a token of the lab's client."""
    described = json.loads(lab(state, "env", "--json").stdout)
    pool = urllib3.PoolManager(ca_certs=described["ca"], retries=False)
    answer = pool.request(
        "POST",
        f"{described['authority']}/{described['tenant']}/oauth2/v2.0/token",
        fields={
            "grant_type": "client_credentials",
            "client_id": described["client_id"],
            "client_secret": described["client_secret"],
            "scope": f"{described['endpoint']}/.default",
        },
        encode_multipart=False,
    )
    token = json.loads(answer.data)["access_token"]
    url = f"{described['endpoint']}/subscriptions/{described['subscription']}/{path}"
    sent = {"Authorization": f"Bearer {token}"}
    response = pool.request(method, f"{url}?api-version=2024-05-01", headers=sent, json=body)
    pool.clear()
    return json.loads(response.data)


def test_the_world_survives_down_and_up(state: Path) -> None:
    assert lab(state, "up", "--speed", "500").returncode == 0
    arm_request(state, "PUT", "resourceGroups/kept", {"location": "westeurope"})
    assert lab(state, "down").returncode == 0
    assert stat.S_IMODE((state / "world.snapshot").stat().st_mode) == 0o600
    assert lab(state, "up").returncode == 0
    groups = arm_request(state, "GET", "resourceGroups")
    assert isinstance(groups, dict)
    assert [group["name"] for group in groups["value"]] == ["kept"]
    assert lab(state, "reset").returncode == 0
    assert lab(state, "down").returncode == 0
    assert lab(state, "up").returncode == 0
    assert json.loads(lab(state, "status", "-o", "json").stdout)["resources"] == {}


def test_the_world_is_saved_to_a_file_and_restored(state: Path, tmp_path: Path) -> None:
    file = str(tmp_path / "world")
    assert lab(state, "up", "--speed", "500").returncode == 0
    arm_request(state, "PUT", "resourceGroups/kept", {"location": "westeurope"})
    assert lab(state, "save", file).stdout.startswith("Saved: 1 resources")
    assert lab(state, "reset").returncode == 0
    assert lab(state, "restore", file).stdout.startswith("Restored: 1 resources")
    groups = arm_request(state, "GET", "resourceGroups")
    assert isinstance(groups, dict)
    assert [group["name"] for group in groups["value"]] == ["kept"]
    (tmp_path / "world").write_bytes(b"spoilt")
    refused = lab(state, "restore", file)
    assert refused.returncode == 1
    assert "InvalidSnapshot" in refused.stderr


def test_a_spoilt_world_is_left_for_an_empty_one(state: Path) -> None:
    state.mkdir()
    (state / "world.snapshot").write_bytes(b"spoilt")
    assert lab(state, "up").returncode == 0
    assert json.loads(lab(state, "status", "-o", "json").stdout)["resources"] == {}
    assert "starts empty" in (state / "lab.log").read_text()
