"""A cloud whose newest api-version is older than the SDK's: the site file says what to send."""

from __future__ import annotations

from pathlib import Path

import pytest

from erfailover.planning.api_versions import TESTED
from tests.support.flags import ON_IPSEC, flags
from tests.support.resources import network
from tests.support.stage import Stage


def pin(**versions: str) -> None:
    file = Path("erfailover.yaml")
    text = ", ".join(f"{key}: {version}" for key, version in versions.items())
    cloud = f"cloud: {{name: public, api_versions: {{{text}}}}}"
    file.write_text(file.read_text().replace("\nlocation:", f"\n{cloud}\nlocation:", 1))


@pytest.mark.parametrize("oldest", [True, False])
def test_a_switch_and_its_probes_carry_the_versions_of_the_site_file(
    provisioned: Stage, oldest: bool
) -> None:
    stage = provisioned
    at = 0 if oldest else -2
    versions = {provider: names[at] for provider, names in TESTED.items()}
    stage.lab.newest_api_version = max(versions.values())
    pin(**versions)
    stage.do("switch", "--to", "ipsec", "--yes", "--planned")
    assert flags(stage.json("status")) == ON_IPSEC


@pytest.mark.parametrize("version", TESTED["network"])
def test_status_is_read_with_every_version_that_counts_as_tested(
    provisioned: Stage, version: str
) -> None:
    stage = provisioned
    stage.lab.newest_api_version = version
    pin(network=version)
    stage.do("status")


def test_without_the_key_doctor_names_the_version_that_is_not_offered(provisioned: Stage) -> None:
    stage = provisioned
    stage.lab.newest_api_version = "2025-05-01"
    checks = {item["name"]: item for item in reversed(stage.json("doctor")["checks"])}
    line = checks["api-versions"]
    assert line["verdict"] == "FAIL"
    assert line["seen"].startswith("Microsoft.Network 2026-03-01: not offered")
    assert "api_versions: {network: 2025-05-01, compute: 2025-04-01}" in line["remedy"]


def test_init_writes_the_newest_versions_that_are_offered_and_tested(provisioned: Stage) -> None:
    stage = provisioned
    stage.lab.newest_api_version = "2026-03-31"
    hubs = [network(stage, f"virtualNetworks/{name}") for name in ("vnet2", "vnet3")]
    stage.do(
        *("init", "--from-azure", "--site", "adopted.yaml"),
        *("--primary-hub", hubs[0], "--backup-hub", hubs[1]),
    )
    versions = "{network: 2026-03-01, compute: 2025-11-01}"
    text = Path("adopted.yaml").read_text()
    assert f"\ncloud: {{name: public, api_versions: {versions}}}\n" in text
    stage.do("status", "--site", "adopted.yaml")
