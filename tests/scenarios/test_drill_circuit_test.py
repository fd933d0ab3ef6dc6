"""``drill --show-circuit-test``: the commands of a test that erfailover does not make."""

from __future__ import annotations

import shlex

from erfailover.lab.engine.faults import FOREVER, Fault, FaultKind
from tests.support.express_site import make
from tests.support.stage import Stage

SHOW = ("drill", "--show-circuit-test")


def test_the_commands_of_every_circuit_are_printed_and_nothing_is_written(stage: Stage) -> None:
    make(stage)
    before = stage.writes()
    value = stage.json(*SHOW)
    assert [item["peering_location"] for item in value["circuits"]] == ["Amsterdam", "Dublin"]
    first = value["circuits"][0]
    assert first["peering_state"] == "Enabled"
    subscription = stage.lab.identity.subscription
    assert (
        shlex.split(first["disable_az"])
        == (
            f"az network express-route peering update --subscription {subscription} "
            "--resource-group rg --circuit-name c1 --name AzurePrivatePeering --set state=Disabled"
        ).split()
    )
    assert first["enable_az"].endswith("state=Enabled")
    text = stage.do(*SHOW)
    assert "erfailover does not run these commands" in text
    assert "every gateway, site and subscription that uses this circuit" in " ".join(text.split())
    assert "Get-AzExpressRouteCircuit -Name 'c2' -ResourceGroupName 'rg'" in text
    assert [write for write in stage.writes()[len(before) :] if "POST" not in write] == []


def test_a_circuit_that_cannot_be_read_is_listed_with_the_reason(stage: Stage) -> None:
    make(stage, "Amsterdam")
    path = "*/expressRouteCircuits/c1"
    stage.lab.add_faults(Fault(FaultKind.FORBIDDEN, "GET", path, times=FOREVER))
    text = stage.do(*SHOW)
    assert "Circuit c1, connection to-c1: it could not be read" in text
    assert "--circuit-name c1" in text


def test_without_connections_that_can_be_read_nothing_is_printed(stage: Stage) -> None:
    make(stage, "Amsterdam")
    path = "*/virtualNetworkGateways/er/connections"
    stage.lab.add_faults(Fault(FaultKind.FORBIDDEN, "GET", path, times=FOREVER))
    assert stage.run(*SHOW) == 4
    assert "the connections of er could not be read" in stage.err


def test_a_vpn_stand_in_has_no_circuit(provisioned: Stage) -> None:
    assert "has no connection to an ExpressRoute circuit" in provisioned.do(*SHOW)
    assert provisioned.json(*SHOW)["circuits"] == []


def test_other_words_are_no_part_of_it(provisioned: Stage) -> None:
    assert provisioned.run("drill", "start", "--show-circuit-test") == 2
