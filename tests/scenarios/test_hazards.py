"""Every hazard provoked on the lab: found by the plan, refused with exit code 3, then forced."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from erfailover.commands.switch_options import FORCEABLE
from erfailover.hazards import NAMES
from erfailover.lab.faults import Fault, Kind
from tests.lab.conftest import Arm
from tests.scenarios.conftest import Stage
from tests.scenarios.test_story import OFFICE, ON_IPSEC, flags

NAT_ROUTE = {
    "name": "to-8.8.4.4-32",
    "properties": {
        "addressPrefix": "8.8.4.4/32",
        "nextHopType": "VirtualAppliance",
        "nextHopIpAddress": "10.2.2.4",
    },
}
TABLE = "routeTables/vnet1-sub1-routes"


def arm_of(stage: Stage) -> Arm:
    """Somebody else who writes to the same resource group."""
    endpoint = stage.environment["ERFAILOVER_ENDPOINT"]
    return Arm(
        stage.lab, stage.clock, endpoint, stage.environment["REQUESTS_CA_BUNDLE"], group="rg-we"
    )


def route(prefix: str, type_: str = "VirtualAppliance", hop: str | None = None) -> Any:
    found = {"addressPrefix": prefix, "nextHopType": type_}
    return found | ({"nextHopIpAddress": hop} if hop else {})


def appliance(arm: Arm, stage: Stage) -> None:
    arm.put(f"{TABLE}/routes/office", route("10.5.0.0/16", hop="10.2.2.4"))


def propagation(arm: Arm, stage: Stage) -> None:
    arm.put(TABLE, {"disableBgpRoutePropagation": True, "routes": [NAT_ROUTE]})


def next_hop(arm: Arm, stage: Stage) -> None:
    arm.put(f"{TABLE}/routes/office", route("10.5.0.0/16", "VirtualNetworkGateway"))
    # What a GET shows; the stand-in goes on routing as the VPN gateway that it is.
    gateway = stage.resource("Microsoft.Network/virtualNetworkGateways", "vng1")
    gateway.body["properties"]["gatewayType"] = "ExpressRoute"


def gateway_subnet(arm: Arm, stage: Stage) -> None:
    rows = [{"name": "in", "properties": route("10.1.0.0/16", hop="10.3.2.4")}]
    arm.put("routeTables/inward", {"routes": rows})
    prefix = arm.get("virtualNetworks/vnet3/subnets/GatewaySubnet")["properties"]["addressPrefix"]
    table = {"id": arm.id("routeTables/inward")}
    path = "virtualNetworks/vnet3/subnets/GatewaySubnet"
    arm.put(path, {"addressPrefix": prefix, "routeTable": table})


def route_server(arm: Arm, stage: Stage) -> None:
    path = "virtualNetworks/vnet2/subnets/RouteServerSubnet"
    arm.put(path, {"addressPrefix": "10.2.9.0/27"})
    arm.public_ip("rs1-ip")
    tags = {"lab:learned": "nva1=192.168.50.0/24"}
    arm.put("virtualHubs/rs1", {"sku": "Standard"}, tags=tags)
    parts = {
        "subnet": {"id": arm.id(path)},
        "publicIPAddress": {"id": arm.id("publicIPAddresses/rs1-ip")},
    }
    arm.put("virtualHubs/rs1/ipConfigurations/one", parts)
    arm.put("virtualHubs/rs1/bgpConnections/nva1", {"peerIp": "10.2.2.4", "peerAsn": 65099})


def static_prefix(arm: Arm, stage: Stage) -> None:
    found = arm.get("localNetworkGateways/lng1")["properties"]
    found["localNetworkAddressSpace"]["addressPrefixes"].append("10.1.4.0/24")
    arm.put("localNetworkGateways/lng1", found)


PROVOKED: dict[str, tuple[Callable[[Arm, Stage], None], str]] = {
    "no_user_route_leads_to_the_hub_being_left": (
        appliance,
        "route office of vnet1-sub1-routes takes 10.5.0.0/16 by the appliance 10.2.2.4 in vnet2",
    ),
    "subnets_take_gateway_routes": (propagation, "has disableBgpRoutePropagation"),
    "no_user_route_names_the_virtual_network_gateway": (
        next_hop,
        "which an ExpressRoute gateway (vng1) does not serve",
    ),
    "gateway_subnet_sends_nothing_astray": (
        gateway_subnet,
        "route table inward sends 10.1.0.0/16 to VirtualAppliance 10.3.2.4",
    ),
    "spokes_lose_no_route_of_a_route_server": (
        route_server,
        "vnet1 would lose 192.168.50.0/24, which Route Server rs1 in vnet2 has learned",
    ),
    "leaving_gateway_gives_up_the_spokes": (static_prefix, "local network gateway lng1 has it"),
}


FORCED = ("no_user_route_leads_to_the_hub_being_left", "spokes_lose_no_route_of_a_route_server")
"""Those that are gone through with as well; that all can be is the first test's claim."""


def test_every_hazard_can_be_forced() -> None:
    assert set(PROVOKED) == set(NAMES) <= FORCEABLE


@pytest.mark.parametrize("name", PROVOKED)
def test_a_hazard_is_told_refused_and_forced(provisioned: Stage, name: str) -> None:
    stage = provisioned
    provoke, words = PROVOKED[name]
    arm = arm_of(stage)
    provoke(arm, stage)
    stage.pass_time(60.0)
    plan = stage.json("switch", "--to", "ipsec", "--dry-run")
    failing = [each for each in plan["hazards"] if each["verdict"] != "HOLDS"]
    assert [(each["condition"], each["verdict"]) for each in failing] == [(name, "FAILS")]
    assert words in failing[0]["seen"]
    assert failing[0]["remedy"]
    before = writes(stage)
    assert stage.run("switch", "--to", "ipsec", "--yes") == 3
    assert words in stage.err.replace("\n             ", " ")
    assert "remedy:" in stage.err
    assert writes(stage) == before
    arm.pool.clear()
    if name not in FORCED:
        return
    verify_briefly()
    assert stage.run("switch", "--to", "ipsec", "--yes", "--force") in {0, 6}
    assert f"Overridden by --force: {name}" in stage.err
    assert flags(stage.json("status")) == ON_IPSEC


def writes(stage: Stage) -> list[str]:
    return [each for each in stage.writes() if not each.startswith("POST")]


def verify_briefly() -> None:
    """Whether a forced switch shows is another matter: it is not waited for."""
    file = Path("erfailover.yaml")
    text, count = re.subn(r"verify_deadline_s: \d+", "verify_deadline_s: 20", file.read_text())
    assert count == 1
    file.write_text(text)


def test_what_the_hazards_say_of_the_lab_is_what_packets_do_there(provisioned: Stage) -> None:
    """A forced switch past a route by the hub being left does not bring the office back."""
    stage = provisioned
    arm = arm_of(stage)
    gateway_subnet(arm, stage)
    verify_briefly()
    stage.run("switch", "--to", "ipsec", "--yes", "--force")
    assert not stage.reaches("vm1-nic1", OFFICE)
    table = arm.get("routeTables/inward")["properties"]
    arm.put("routeTables/inward", {**table, "routes": []})
    stage.pass_time(60.0)
    assert stage.reaches("vm1-nic1", OFFICE)
    arm.pool.clear()


def test_tables_that_may_not_be_read_are_said_and_refuse_nothing(provisioned: Stage) -> None:
    stage = provisioned
    stage.lab.add_faults(Fault(Kind.FORBIDDEN, method="GET", path="routeTables/*", times=0))
    stage.do("switch", "--to", "ipsec", "--yes")
    assert "unknown  vnet1/vnet1-sub1: route table vnet1-sub1-routes" in stage.err
    assert stage.reaches("vm1-nic1", OFFICE)


def test_a_plan_costs_few_requests_and_one_read_of_each_table(provisioned: Stage) -> None:
    stage = provisioned
    before = len(stage.lab.trace)
    stage.do("switch", "--to", "ipsec", "--dry-run")
    seen = [each.path.rsplit("/providers/", 1)[-1] for each in list(stage.lab.trace)[before:]]
    assert sum("routeTables" in each for each in seen) == 1
    around = ("routeTables", "localNetworkGateways", "/connections")
    assert sum(any(word in each for word in around) for each in seen) == 3
    assert sum(each.startswith("Microsoft.Network/virtualNetworks/") for each in seen) == 3


def test_doctor_finds_a_hazard_before_anybody_switches(provisioned: Stage) -> None:
    stage = provisioned
    arm = arm_of(stage)
    appliance(arm, stage)
    arm.pool.clear()
    lines = stage.json("doctor")["checks"]
    names = {name.replace("_", "-") for name in NAMES}
    found = {each["name"]: each for each in lines if each["name"] in names}
    assert set(found) == names
    failing = [name for name, each in found.items() if each["verdict"] != "ok"]
    assert failing == ["no-user-route-leads-to-the-hub-being-left"]
    assert "10.2.2.4 in vnet2" in found[failing[0]]["seen"]
    assert found[failing[0]]["remedy"].startswith("Remove the route")
