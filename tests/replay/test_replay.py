"""The lab against the facts of recorded traffic of real Azure."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.replay import facts as kept
from tests.replay import report
from tests.replay.__main__ import replay
from tests.replay.compare import Outcome
from tests.replay.known import KNOWN, reason

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
EVERY = [each.stem for each in kept.every()]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """Each recording's outcome, replayed once."""
    folder = tmp_path_factory.mktemp("authority")
    return {path.stem: replay(kept.read(path), Path(folder)) for path in kept.every()}


@pytest.mark.parametrize("name", EVERY)
def test_every_status_code_and_header_set_of_a_recording_agrees(
    outcomes: dict[str, Outcome], name: str
) -> None:
    strict = (*report.STRICT, "message")
    found = [each for each in outcomes[name].disagreements if each.aspect in strict]
    assert [str(each) for each in found if reason(name, each.step) is None] == []


@pytest.mark.parametrize("name", EVERY)
def test_what_azures_answers_always_carry_is_there(outcomes: dict[str, Outcome], name: str) -> None:
    outcome = outcomes[name]
    looked = outcome.looked["always keys"]
    assert outcome.agreed["always keys"] >= ALWAYS_SHARE * looked


def test_a_known_difference_that_is_gone_is_taken_off_the_list(
    outcomes: dict[str, Outcome],
) -> None:
    found = {
        (name, each.step)
        for name, outcome in outcomes.items()
        for each in outcome.disagreements
        if each.aspect in report.STRICT
    }
    listed = {(each.recording, step) for each in KNOWN for step in each.steps}
    assert listed - found == set()


def test_the_first_five_recordings_agree_in_all_but_keys(outcomes: dict[str, Outcome]) -> None:
    for name in FIVE:
        outcome = outcomes[name]
        assert {each.aspect for each in outcome.disagreements} <= {"keys", "always keys"}
        assert outcome.not_modelled == []


def test_the_recordings_cover_every_resource_type(outcomes: dict[str, Outcome]) -> None:
    played = {type_ for outcome in outcomes.values() for type_ in outcome.types}
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
