"""Hubs with an ExpressRoute gateway and a VPN gateway in one GatewaySubnet."""

from __future__ import annotations

from typing import Any

import pytest

from erfailover.lab.engine import customer_edges
from erfailover.lab.engine.customer_edges import SessionLoss
from erfailover.lab.engine.faults import Fault, FaultKind
from tests.support.express_site import Maker, make
from tests.support.stage import Stage

NATIVE = "Azure fails over between the two by itself within seconds"


def lose_circuit(stage: Stage) -> None:
    stage.lab.catch_up()
    customer_edges.lose_sessions(
        stage.lab, customer_edges.find_circuit(stage.lab, "c1"), SessionLoss()
    )
    stage.pass_time(60)


@pytest.fixture
def native(stage: Stage) -> Maker:
    """The site, with a VPN gateway and a tunnel to the far end in the primary hub as well."""
    maker = make(stage, "Amsterdam", drill="")
    maker.gateway("vpn-er", "hub-er", 1, bgpSettings={"asn": 65030})
    maker.settle()
    maker.tunnel("er-there", "vpn-er", "far-ip0", 65020, "10.4.0.254")
    maker.tunnel("er-back", "far", "vpn-er-ip0", 65030, "10.2.0.30")
    maker.wait(300)
    return maker


def add_expressroute_gateway(maker: Maker, circuit: str = "c1") -> None:
    """An ExpressRoute gateway beside the backup's VPN gateway, on the same circuit."""
    maker.gateway("er2", "hub-vpn", 0)
    maker.settle()
    maker.put(
        "connections/er2-to-c1",
        {
            "connectionType": "ExpressRoute",
            "virtualNetworkGateway1": maker.reference("virtualNetworkGateways/er2"),
            "peer": maker.reference(f"expressRouteCircuits/{circuit}"),
        },
    )
    maker.settle()
    maker.wait(60)


def cut_tunnels(maker: Maker) -> None:
    value: Any = maker.ask("GET", "connections/there").body
    maker.put("connections/there", {**value["properties"], "sharedKey": "another"})
    maker.settle()
    maker.wait(600)


def lines(stage: Stage, name: str) -> list[tuple[str, str]]:
    checks = stage.json("doctor")["checks"]
    return [(check["verdict"], check["seen"]) for check in checks if check["name"] == name]


def test_a_backup_whose_tunnels_are_down_is_not_ready_on_the_routes_beside_it(
    stage: Stage,
) -> None:
    maker = make(stage, "Amsterdam")
    add_expressroute_gateway(maker)
    assert stage.json("status")["ready"] is True
    cut_tunnels(maker)
    status = stage.json("status")
    (backup,) = [item for item in status["gateways"] if item["name"] == "vpn"]
    assert {(item["asn"], item["state"]) for item in backup["peers"]} >= {(12076, "Connected")}
    paths = {
        item["as_path"] for item in backup["learned_routes"] if item["network"] == "10.5.0.0/16"
    }
    assert paths == {"12076-65020"}
    assert (status["healthy"], status["ready"]) == (True, False)
    assert stage.run("switch", "--to", "ipsec", "--yes", "--planned") == 3
    assert "10.4.0.254 Connecting; expected one Connected" in stage.err
    assert "vpn has not learned 10.5.0.0/16 by BGP" in stage.err
    assert [verdict for verdict, _ in lines(stage, "backup-bgp-session")] == ["FAIL"]
    assert [verdict for verdict, _ in lines(stage, "backup-prefixes")] == ["FAIL"]


def test_a_primary_hub_that_fails_over_by_itself_is_healthy_and_says_so(
    stage: Stage, native: Maker
) -> None:
    status = stage.json("status")
    assert (status["healthy"], status["warnings"]) == (True, [])
    assert [item["name"] for item in status["gateways"]] == ["er", "vpn", "vpn-er"]
    lose_circuit(stage)
    status = stage.json("status")
    assert (status["path"], status["healthy"]) == ("expressroute", True)
    (warning,) = status["warnings"]
    assert warning.startswith(
        "er has not learned 10.5.0.0/16 by BGP; vpn-er in the same hub has taken over"
    )
    assert NATIVE in warning
    assert "er has not learned 10.5.0.0/16" in " ".join(stage.do("status").split())


def test_a_primary_hub_that_has_lost_both_gateways_paths_is_not_healthy(
    stage: Stage, native: Maker
) -> None:
    lose_circuit(stage)
    value: Any = native.ask("GET", "connections/er-there").body
    native.put("connections/er-there", {**value["properties"], "sharedKey": "another"})
    native.settle()
    native.wait(600)
    assert stage.run("status") == 6
    text = " ".join(stage.out.split())
    assert "er has not learned 10.5.0.0/16 by BGP; vpn-er has not learned 10.5.0.0/16 by" in text


def test_a_second_gateway_that_cannot_be_read_leaves_an_outage_unknown(
    stage: Stage, native: Maker
) -> None:
    lose_circuit(stage)
    path = "virtualNetworkGateways/vpn-er/*"
    stage.lab.add_faults(Fault(FaultKind.FORBIDDEN, "POST", path, times=0))
    assert stage.run("status") == 4
    assert [verdict for verdict, _ in lines(stage, "second-gateways")] == ["ok"]


def test_a_gateway_for_point_to_site_takes_nothing_over(stage: Stage) -> None:
    maker = make(stage, "Amsterdam", drill="")
    maker.gateway("p2s", "hub-er", 1, enableBgp=False)
    maker.settle()
    ((verdict, message),) = lines(stage, "second-gateways")
    assert (
        verdict,
        message.endswith("p2s could not take over: it has no tunnel to the premises"),
    ) == ("ok", True)
    lose_circuit(stage)
    assert stage.run("status") == 6


def test_the_doctor_names_the_second_gateway_of_either_hub(stage: Stage, native: Maker) -> None:
    add_expressroute_gateway(native)
    (_, primary), (_, backup) = lines(stage, "second-gateways")
    assert primary.startswith("hub-er has vpn-er (Vpn) beside er (ExpressRoute): " + NATIVE)
    assert "vpn-er could take over now" in primary
    assert backup == (
        "hub-vpn has er2 (ExpressRoute) beside vpn (Vpn): only the tunnels of vpn count for "
        "the backup. If both hubs use the same circuit, they lose it together"
    )


def test_a_site_without_second_gateways_says_so_and_what_its_hold_time_rests_on(
    stage: Stage,
) -> None:
    make(stage, "Amsterdam")
    assert lines(stage, "second-gateways") == [("ok", "neither hub has a second gateway")]
    ((verdict, message),) = lines(stage, "hold-time")
    assert verdict == "ok"
    assert "(circuit c1 with AS 65020: up for " in message
    path = "expressRouteCircuits/*/routeTablesSummary/*"
    stage.lab.add_faults(Fault(FaultKind.FORBIDDEN, "POST", path, times=0))
    ((verdict, message),) = lines(stage, "hold-time")
    assert verdict == "unknown"
    assert "so only erfailover's own readings count" in message


def test_adopting_a_hub_with_both_gateways_says_when_erfailover_is_of_use(
    stage: Stage, native: Maker
) -> None:
    add_expressroute_gateway(native)
    (stage.folder / "erfailover.yaml").unlink()
    hubs = (native.id("virtualNetworks/hub-er"), native.id("virtualNetworks/hub-vpn"))
    words = ("init", "--from-azure", "--primary-hub", hubs[0], "--backup-hub", hubs[1])
    remarks = stage.json(*words, "--site", "adopted.yaml", "--name", "adopted")["remarks"]
    rows = [remark for remark in remarks if "beside" in remark]
    assert rows[0].startswith("hub-er has vpn-er (Vpn) beside er (ExpressRoute): " + NATIVE)
    assert rows[1].startswith("hub-vpn has er2 (ExpressRoute) beside vpn (Vpn): only the tunnels")
    text = (stage.folder / "adopted.yaml").read_text()
    assert "helps only if you lose the" in text
