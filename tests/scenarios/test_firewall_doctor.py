"""``doctor`` on hubs with an appliance: what it checks of the appliances and the routes to them."""

from __future__ import annotations

import pytest

from erfailover.lab.engine.faults import FOREVER, Fault, FaultKind
from erfailover.planning.doctor.check import CheckName
from tests.support.firewall_stage import FirewallSite, firewall, firewall_worlds
from tests.support.firewall_world import Appliance, Shape

__all__ = ["firewall", "firewall_worlds"]

MACHINES = Shape(Appliance.MACHINE, Appliance.MACHINE)
BALANCED = Shape(Appliance.BALANCED, Appliance.BALANCED)
RULES = "whether its rules allow the spokes' traffic cannot be checked"


def lines(site: FirewallSite, name: CheckName, mode: str = "overlay") -> list[tuple[str, str]]:
    """Verdict and text of the lines of a check."""
    site.write_site(mode)
    report = site.stage.json("doctor")
    return [(row["verdict"], row["seen"]) for row in report["checks"] if row["name"] == name]


@pytest.mark.parametrize(
    ("firewall", "primary", "backup"),
    [
        (
            Shape(),
            "azfw-vnet-hub (Azure Firewall, 10.5.0.4)",
            "azfw-vnet-hub-dr (Azure Firewall, 10.15.0.4)",
        ),
        (
            MACHINES,
            "nva-vnet-hub-nic (network interface, 10.5.1.4)",
            "nva-vnet-hub-dr-nic (network interface, 10.15.1.4)",
        ),
        (
            BALANCED,
            "lb-vnet-hub (load balancer, 10.5.1.100)",
            "lb-vnet-hub-dr (load balancer, 10.15.1.100)",
        ),
    ],
    indirect=["firewall"],
)
def test_appliances_of_each_kind_are_found(
    firewall: FirewallSite, primary: str, backup: str
) -> None:
    assert lines(firewall, CheckName.APPLIANCES) == [
        ("ok", f"vnet-hub-dr: {backup} is running and forwards; {RULES}"),
        ("ok", f"vnet-hub: {primary} is running and forwards; {RULES}"),
    ]


def test_without_routing_nothing_is_said_of_appliances(firewall: FirewallSite) -> None:
    assert lines(firewall, CheckName.APPLIANCES, mode="") == []


@pytest.mark.parametrize("firewall", [MACHINES], indirect=True)
def test_a_stopped_machine_forwards_nothing(firewall: FirewallSite) -> None:
    firewall.stop_machine("nva-vnet-hub-dr")
    assert lines(firewall, CheckName.APPLIANCES)[0] == (
        "FAIL",
        "vnet-hub-dr: nva-vnet-hub-dr-nic (network interface, 10.15.1.4) does not forward: "
        "nva-vnet-hub-dr is deallocated",
    )


@pytest.mark.parametrize("firewall", [BALANCED], indirect=True)
def test_a_load_balancer_forwards_while_a_machine_of_its_pool_runs(firewall: FirewallSite) -> None:
    firewall.stop_machine("nva-vnet-hub-dr-4")
    assert [verdict for verdict, _ in lines(firewall, CheckName.APPLIANCES)] == ["ok", "ok"]
    monitor = firewall.monitor()
    assert monitor.cuts == []
    firewall.stop_machine("nva-vnet-hub-dr-5")
    assert lines(firewall, CheckName.APPLIANCES)[0] == (
        "FAIL",
        "vnet-hub-dr: lb-vnet-hub-dr (load balancer, 10.15.1.100) does not forward: no member of "
        "its pools forwards: nva-vnet-hub-dr-4 is deallocated",
    )


def test_a_backup_without_its_firewall_fails_and_a_primary_without_is_a_warning(
    firewall: FirewallSite,
) -> None:
    firewall.delete("azureFirewalls/azfw-vnet-hub-dr")
    firewall.delete("azureFirewalls/azfw-vnet-hub")
    assert lines(firewall, CheckName.APPLIANCES) == [
        ("FAIL", "vnet-hub-dr: no appliance has the address 10.15.0.4"),
        ("warning", "vnet-hub: no appliance has the address 10.5.0.4"),
    ]


def test_the_routes_of_both_gateway_subnets_and_the_tables_hold(firewall: FirewallSite) -> None:
    assert lines(firewall, CheckName.RETURN_ROUTES) == [
        ("ok", "vnet-hub-dr/GatewaySubnet routes the prefixes of 3 spokes through the appliance"),
        ("ok", "vnet-hub/GatewaySubnet routes the prefixes of 3 spokes through the appliance"),
    ]
    assert lines(firewall, CheckName.ROUTE_TABLES) == [
        ("ok", "2 route tables can be updated, with at most 400 routes each")
    ]


def test_a_return_route_that_is_missing_or_too_wide_fails_for_the_backup_and_warns_for_the_primary(
    firewall: FirewallSite,
) -> None:
    firewall.delete("routeTables/udr-hub-spoke-dr/routes/to-vnet-web")
    wide = {
        "addressPrefix": "10.8.0.0/15",
        "nextHopType": "VirtualAppliance",
        "nextHopIpAddress": "10.15.0.4",
    }
    firewall.put("routeTables/udr-hub-spoke-dr/routes/wide", wide)
    firewall.delete("routeTables/udr-hub-spoke/routes/to-vnet-app")
    assert [
        (verdict, text.partition(":")[0])
        for verdict, text in lines(firewall, CheckName.RETURN_ROUTES)
    ] == [
        ("FAIL", "vnet-hub-dr/GatewaySubnet does not send 10.8.0.0/16 through 10.15.0.4"),
        ("warning", "vnet-hub/GatewaySubnet does not send 10.6.0.0/16 through 10.5.0.4"),
    ]


def test_a_table_that_a_vnet_shares_that_does_not_move_fails(firewall: FirewallSite) -> None:
    arm = firewall.arm()
    other = firewall.world.id("virtualNetworks/vnet-tools")
    table = {"id": firewall.world.id("routeTables/udr-dg")}
    subnet = {
        "name": "tools",
        "properties": {"addressPrefix": "10.40.0.0/24", "routeTable": table},
    }
    space = {"addressPrefixes": ["10.40.0.0/16"]}
    arm.put(other, {"addressSpace": space, "subnets": [subnet]}, location="westeurope")
    arm.pool.clear()
    assert lines(firewall, CheckName.ROUTE_TABLES) == [
        (
            "FAIL",
            "route table udr-dg is also used by vnet-tools, which is not a spoke of the site",
        )
    ]


GROUP = "resourceGroups/rg-firewall-hybrid/providers/Microsoft.Network"


@pytest.mark.parametrize(
    ("name", "resource"),
    [
        (CheckName.APPLIANCES, f"{GROUP}/azureFirewalls/azfw-vnet-hub-dr"),
        (CheckName.RETURN_ROUTES, f"{GROUP}/routeTables/udr-hub-spoke-dr"),
        (CheckName.ROUTE_TABLES, f"{GROUP}/routeTables/udr-dg"),
    ],
)
def test_what_may_not_be_read_is_unknown(
    firewall: FirewallSite, name: CheckName, resource: str
) -> None:
    answer = {"error": {"code": "AuthorizationFailed", "message": "no"}}
    fault = Fault(FaultKind.ANSWER, "GET", f"*/{resource}", times=FOREVER, status=403, body=answer)
    firewall.stage.lab.add_faults(fault)
    verdicts = [verdict for verdict, _ in lines(firewall, name)]
    assert "unknown" in verdicts
    assert "FAIL" not in verdicts
