"""The lab against the facts of recorded traffic of real Azure."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tools.replay import facts as kept
from tests.tools.replay import report
from tests.tools.replay.__main__ import replay
from tests.tools.replay.compare import step_type
from tests.tools.replay.known import KNOWN

FIVE = frozenset(
    {
        "local-network-gateway",
        "vnet-peering-crud",
        "vnet-peering-with-gateway",
        "vpn-connection-ipsec",
        "vpn-gateway",
    }
)
ALWAYS_SHARE = 0.95
STRICT = frozenset({*report.STRICT, "message"})


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for one certificate authority."""
    return tmp_path_factory.mktemp("authority")


@pytest.mark.parametrize("path", kept.every(), ids=lambda path: path.stem)
def test_the_lab_answers_as_azure_did(path: Path, authority: Path) -> None:
    outcome = replay(kept.read(path), authority)
    strict = [
        disagreement for disagreement in outcome.disagreements if disagreement.aspect in STRICT
    ]
    names = {step for item in KNOWN if item.recording == path.stem for step in item.steps}
    assert [str(disagreement) for disagreement in strict if disagreement.step not in names] == []
    assert names - {disagreement.step for disagreement in strict} == set(), (
        "agrees now: take it off the list"
    )
    assert outcome.agreed["always keys"] >= ALWAYS_SHARE * outcome.looked["always keys"]
    if path.stem in FIVE:
        assert strict == []
        assert outcome.not_modelled == []


def test_every_known_difference_is_of_a_recording_that_is_kept() -> None:
    assert {item.recording for item in KNOWN} <= {path.stem for path in kept.every()}


def test_the_recordings_cover_every_resource_type() -> None:
    every = [kept.read(path) for path in kept.every()]
    played = {step_type(facts, step) for facts in every for step in facts.steps}
    network = "Microsoft.Network"
    assert {
        "Microsoft.Resources/resourceGroups",
        f"{network}/virtualNetworks",
        f"{network}/virtualNetworks/subnets",
        f"{network}/virtualNetworks/virtualNetworkPeerings",
        f"{network}/publicIPAddresses",
        f"{network}/networkInterfaces",
        f"{network}/networkInterfaces:effectiveroutetable",
        f"{network}/routeTables",
        f"{network}/routeTables/routes",
        f"{network}/networkSecurityGroups",
        f"{network}/networkSecurityGroups/securityRules",
        f"{network}/virtualNetworkGateways",
        f"{network}/virtualNetworkGateways:getbgppeerstatus",
        f"{network}/localNetworkGateways",
        f"{network}/connections",
        f"{network}/connections/sharedkey",
        "Microsoft.Compute/virtualMachines",
        "Microsoft.Compute/virtualMachines:runcommand",
    } <= played
