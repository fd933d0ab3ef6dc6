"""The doctor's checks of appliances: each way in which one forwards nothing or is not known."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from erfailover.model.appliances import Appliance, ApplianceKind
from erfailover.model.observed import Reading
from erfailover.model.site import Role, SpokeRouteTable
from erfailover.planning.doctor.appliances import RULES, check_appliances
from tests.support.doctor_facts import FAILS, HOLDS, SITE, UNKNOWN, facts

NEAR, FAR = IPv4Address("10.2.2.4"), IPv4Address("10.3.2.4")
ROUTED = replace(SITE, routing=(SpokeRouteTable("rt1", NEAR, FAR),))
FIREWALL = ApplianceKind.FIREWALL


def appliance(name: str, *addresses: IPv4Address, fault: str = "", unknown: str = "") -> Appliance:
    id_ = f"/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network/azureFirewalls/{name}"
    return Appliance(id_, FIREWALL, addresses, fault, unknown)


OWN = appliance("fw1", NEAR)


def lines(
    backup: Reading[tuple[Appliance, ...]], *primary: Appliance
) -> list[tuple[object, bool, str]]:
    """Verdict, whether it is a warning, and text of each line."""
    by_role = {Role.PRIMARY: Reading(primary or (OWN,)), Role.BACKUP: backup}
    checks = check_appliances(ROUTED, facts(appliances=by_role))
    return [(check.verdict, check.warning, check.message) for check in checks]


def test_a_site_without_routing_has_no_line() -> None:
    assert list(check_appliances(SITE, facts())) == []


def test_appliances_that_run_are_named_and_their_rules_are_not_judged() -> None:
    assert lines(Reading((appliance("fw2", FAR),))) == [
        (HOLDS, False, f"vnet3: fw2 (Azure Firewall, 10.3.2.4) is running and forwards; {RULES}"),
        (HOLDS, False, f"vnet2: fw1 (Azure Firewall, 10.2.2.4) is running and forwards; {RULES}"),
    ]


@pytest.mark.parametrize(
    ("backup", "verdict", "text"),
    [
        (Reading(()), FAILS, "vnet3: no appliance has the address 10.3.2.4"),
        (
            Reading((appliance("fw2", FAR, fault="IP forwarding is off"),)),
            FAILS,
            "vnet3: fw2 (Azure Firewall, 10.3.2.4) does not forward: IP forwarding is off",
        ),
        (
            Reading((appliance("fw2", FAR, unknown="whether nva runs: 403"),)),
            UNKNOWN,
            "vnet3: fw2 (Azure Firewall, 10.3.2.4): whether nva runs: 403",
        ),
        (
            Reading((appliance("fw2", unknown="403"),)),
            UNKNOWN,
            "vnet3: it is unknown what has the address 10.3.2.4: fw2 could not be read (403)",
        ),
        (Reading(None, "403"), UNKNOWN, "vnet3: 10.3.2.4: 403"),
    ],
)
def test_each_way_in_which_the_backups_appliance_is_none(
    backup: Reading[tuple[Appliance, ...]], verdict: object, text: str
) -> None:
    assert lines(backup)[0] == (verdict, False, text)


def test_the_primarys_appliance_is_a_warning_because_a_switch_to_ipsec_does_not_need_it() -> None:
    faulty = appliance("fw1", NEAR, fault="it is stopped")
    verdict, warning, text = lines(Reading((appliance("fw2", FAR),)), faulty)[1]
    assert (verdict, warning) == (FAILS, True)
    assert text == "vnet2: fw1 (Azure Firewall, 10.2.2.4) does not forward: it is stopped"
