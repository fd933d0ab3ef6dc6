"""What a switch leaves behind: each condition met, just not met, and not decidable."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv6Network

import pytest

from erfailover.model.conditions import Condition, ConditionStatus, Weight
from erfailover.model.observed import Gateway, Reading, Tunnel
from erfailover.model.plan import SwitchPlan
from erfailover.model.route_tables import RouteTable, UserRoute
from erfailover.model.routing import ManagedConfiguration, RoutingEnvironment, VnetRouting
from erfailover.model.site import Path, Role
from erfailover.planning.adoption.prefixes import find_remote_prefixes
from erfailover.planning.hazards.checks import check_hazards
from erfailover.planning.hazards.scene import (
    DEFAULT_ROUTE,
    DNS_SERVERS,
    ENFORCED,
    IPV6,
    MANAGED,
    PREFIXES,
    REMARKS,
    RESIDENTS,
    TUNNELS,
)
from erfailover.reporting.plan.risks import describe_untouched
from tests.support import sites
from tests.support.hazard_scenes import SITE, around

SPOKE, PRIMARY, BACKUP = (
    SITE.build_network_id(name).lower() for name in ("vnet1", "vnet2", "vnet3")
)
LEARNED = "10.5.0.0/16"


def gateway(role: Role, *prefixes: str) -> Gateway:
    return sites.gateway(role, *map(sites.route, prefixes))


def check(
    surroundings: RoutingEnvironment,
    primary: tuple[str, ...] | None = (LEARNED,),
    backup: tuple[str, ...] | None = (LEARNED,),
    to: Path = Path.IPSEC,
) -> dict[str, Condition]:
    """The remarks by name; None for a gateway that was not read."""
    items = ((Role.PRIMARY, primary), (Role.BACKUP, backup))
    gateways = tuple(gateway(role, *names) for role, names in items if names is not None)
    observed = sites.make_snapshot(SITE, sites.make_state(Path.EXPRESSROUTE, SITE), gateways)
    conditions = check_hazards(SITE, surroundings, observed, to)
    return {condition.name: condition for condition in conditions if condition.name in REMARKS}


def having(
    network: str, surroundings: RoutingEnvironment | None = None, **changes: object
) -> RoutingEnvironment:
    """Surroundings in which one VNet differs."""
    base = surroundings or around()
    routing = base.networks[network].value
    assert isinstance(routing, VnetRouting)
    changed = Reading(replace(routing, **changes))  # type: ignore[arg-type]
    return replace(base, networks={**base.networks, network: changed})


DUAL = having(SPOKE, ipv6=(IPv6Network("fd00:11::/48"),))


def test_nothing_of_it_ever_refuses_a_switch() -> None:
    for surroundings in (DUAL, RoutingEnvironment()):
        for condition in check(surroundings, primary=("0.0.0.0/0", "fd00:5::/48")).values():
            assert condition.weight is not Weight.REFUSES


@pytest.mark.parametrize("to", Path)
def test_a_site_of_ipv4_alone_loses_nothing(to: Path) -> None:
    conditions = check(around(), to=to)
    assert list(conditions) == list(REMARKS)
    assert {condition.status for condition in conditions.values()} == {ConditionStatus.HOLDS}


def test_ipv6_of_a_spoke_and_of_the_primary_is_named() -> None:
    condition = check(DUAL, primary=(LEARNED, "fd00:5::/48"))[IPV6]
    assert condition.status is ConditionStatus.FAILS
    assert condition.message == (
        "IPv6 is lost: fd00:5::/48 (learned by vng1), fd00:11::/48 (vnet1); vng2 is a VPN gateway "
        "and carries IPv4 only"
    )
    assert "fd00:5::/48" in check(around(), primary=(LEARNED, "fd00:5::/48"))[IPV6].message


def test_ipv6_that_the_backup_has_learned_as_well_comes_along() -> None:
    assert check(DUAL, ("fd00:5::/48",), ("fd00::/16",))[IPV6].status is ConditionStatus.HOLDS
    assert check(DUAL, ("fd00:5::/48",), ("fd00:6::/48",))[IPV6].status is ConditionStatus.FAILS


def test_a_gateway_or_spoke_that_was_not_read_leaves_ipv6_unknown() -> None:
    unread = check(around(), primary=None)
    for name in (IPV6, DEFAULT_ROUTE, PREFIXES):
        assert unread[name].status is ConditionStatus.UNKNOWN
        assert unread[name].remedy.startswith("Check getLearnedRoutes: ")
    names = {unread[name].message for name in (IPV6, DEFAULT_ROUTE, PREFIXES)}
    assert len(names) == 1  # told once in a plan
    blind = replace(around(), networks={})
    assert check(blind)[IPV6].status is ConditionStatus.UNKNOWN


def test_a_plan_knows_the_leaving_gateway_from_its_surroundings() -> None:
    beside = replace(around(), leaving_gateway=Reading(gateway(Role.PRIMARY, "fd00:5::/48")))
    assert "fd00:5::/48" in check(beside, primary=None)[IPV6].message


BOTH = ("0.0.0.0/0", LEARNED)


@pytest.mark.parametrize(
    ("primary", "backup", "words"),
    [
        (BOTH, BOTH, None),
        ((LEARNED,), (LEARNED,), None),
        (BOTH, (LEARNED,), "Internet traffic of vnet1 bypasses the premises"),
        ((LEARNED,), BOTH, "all Internet traffic of vnet1 goes to the premises"),
    ],
)
def test_a_default_route_of_one_gateway_alone_is_told_in_either_direction(
    primary: tuple[str, ...], backup: tuple[str, ...], words: str | None
) -> None:
    condition = check(around(), primary, backup)[DEFAULT_ROUTE]
    assert condition.status is (ConditionStatus.FAILS if words else ConditionStatus.HOLDS)
    assert words is None or words in condition.message
    plan = SwitchPlan("poc", Path.IPSEC, (), (), hazards=(condition,))
    assert describe_untouched(plan).startswith("traffic" if words else "Internet, NAT")


@pytest.mark.parametrize(
    "table",
    [
        RouteTable("/g/rt1", True, (UserRoute("out", "0.0.0.0/0", "Internet"),)),
        RouteTable("/g/rt1", False),
    ],
    ids=["own default route", "no gateway routes"],
)
def test_a_subnet_that_follows_no_gateway_does_not_care_for_its_default_route(
    table: RouteTable,
) -> None:
    condition = check(around(table), BOTH, (LEARNED,))[DEFAULT_ROUTE]
    assert condition.status is ConditionStatus.HOLDS


def test_further_prefixes_that_the_backup_lacks_are_named() -> None:
    rows = (LEARNED, "192.168.50.0/24", "10.2.9.0/24", "10.4.0.254/32", "172.16.5.0/24")
    condition = check(around(), rows, (LEARNED, "172.16.0.0/12"))[PREFIXES]
    assert condition.message.startswith("vng1 has learned 192.168.50.0/24 and vng2 has not: ")


@pytest.mark.parametrize(
    ("server", "words"),
    [
        ("168.63.129.16", None),
        ("9.9.9.9", None),
        ("10.1.0.4", None),
        ("10.3.0.4", None),
        ("10.5.0.53", None),
        ("10.2.0.4", "is in vnet2, which does not move"),
        ("10.9.0.4", "is not in vnet1 or a hub, and vng2 has no route to it"),
    ],
)
def test_dns_servers_are_judged_by_where_they_are(server: str, words: str | None) -> None:
    condition = check(having(SPOKE, dns_servers=(server,)))[DNS_SERVERS]
    assert condition.status is (ConditionStatus.FAILS if words else ConditionStatus.HOLDS)
    assert words is None or (words in condition.message and server in condition.message)


def test_a_dns_server_in_the_backup_hub_is_lost_with_the_peering_on_the_way_home() -> None:
    condition = check(having(SPOKE, dns_servers=("10.3.0.4",)), to=Path.EXPRESSROUTE)[DNS_SERVERS]
    assert "is in vnet3, and the peering with vnet3 is removed" in condition.message


def test_a_dns_server_behind_a_gateway_that_was_not_read_is_unknown() -> None:
    condition = check(having(SPOKE, dns_servers=("10.5.0.53",)), backup=None)[DNS_SERVERS]
    assert condition.status is ConditionStatus.UNKNOWN
    assert "getLearnedRoutes" in condition.remedy


def test_what_is_in_the_primary_hub_is_a_note() -> None:
    inside = having(PRIMARY, residents={"network interface": 2, "DNS resolver endpoint": 1})
    condition = check(inside)[RESIDENTS]
    assert (condition.status, condition.weight) == (ConditionStatus.HOLDS, Weight.NOTES)
    assert condition.message == (
        "vnet2 itself (10.2.0.0/16) does not move and cannot reach the premises after a switch; it "
        "contains 1 DNS resolver endpoint, 2 network interfaces"
    )
    assert check(around())[RESIDENTS].weight is not Weight.NOTES
    assert check(inside, to=Path.EXPRESSROUTE)[RESIDENTS].weight is not Weight.NOTES


@pytest.mark.parametrize(
    ("private", "address", "words"),
    [
        (False, "20.50.1.1", None),
        (False, "198.51.100.7", None),
        (False, "", None),
        (True, "20.50.1.1", "has useLocalAzureIpAddress"),
        (False, "10.9.0.1", "leads to the private address 10.9.0.1"),
        (False, "100.64.1.1", "leads to the private address 100.64.1.1"),
        (False, "10.5.0.1", "leads to 10.5.0.1, in 10.5.0.0/16 behind the primary"),
        (False, "203.0.113.9", "leads to 203.0.113.9, in 203.0.113.0/24 behind the primary"),
    ],
)
def test_tunnels_that_need_the_circuit_are_named(
    private: bool, address: str, words: str | None
) -> None:
    tunnel = Tunnel("to-premises", "lng", address, private)
    surroundings = around(tunnels=Reading((tunnel,)))
    condition = check(surroundings, primary=(LEARNED, "203.0.113.0/24"))[TUNNELS]
    assert condition.status is (ConditionStatus.FAILS if words else ConditionStatus.HOLDS)
    assert words is None or words in condition.message


@pytest.mark.parametrize(
    ("backup", "words"),
    [(("0.0.0.0/0",), "the backup has learned it too"), ((LEARNED,), "NOT learned it: not ready")],
)
def test_a_default_route_that_is_all_that_is_learned_is_adopted_with_the_question(
    backup: tuple[str, ...], words: str
) -> None:
    gateways = (gateway(Role.PRIMARY, "0.0.0.0/0"), gateway(Role.BACKUP, *backup))
    (prefix,) = find_remote_prefixes(sites.make_snapshot(SITE, {}, gateways))
    assert prefix.active
    assert words in prefix.note
    assert "Should all traffic go there on IPsec as well?" in prefix.note
    assert prefix.is_question


@pytest.mark.parametrize(
    ("enforced", "managed_by", "refused", "warned"),
    [
        (True, None, ConditionStatus.FAILS, ConditionStatus.HOLDS),
        (True, "network-manager", ConditionStatus.FAILS, ConditionStatus.HOLDS),
        (False, None, ConditionStatus.HOLDS, ConditionStatus.FAILS),
        (False, "network-manager", ConditionStatus.HOLDS, ConditionStatus.HOLDS),
    ],
)
def test_a_network_manager_that_enforces_is_refused_and_one_that_does_not_is_said(
    enforced: bool, managed_by: str | None, refused: ConditionStatus, warned: ConditionStatus
) -> None:
    reading = Reading((ManagedConfiguration("hub-and-spoke", enforced),))
    site = replace(SITE, managed_by=managed_by)  # type: ignore[arg-type]
    surroundings = around(managed={SPOKE: reading, PRIMARY: Reading(())})
    observed = sites.make_snapshot(SITE, sites.make_state(Path.EXPRESSROUTE, SITE))
    conditions = {
        check_hazard.name: check_hazard
        for check_hazard in check_hazards(site, surroundings, observed, Path.IPSEC)
    }
    assert (conditions[ENFORCED].status, conditions[MANAGED].status) == (refused, warned)
    assert conditions[ENFORCED].weight is Weight.REFUSES
    assert conditions[MANAGED].weight is not Weight.REFUSES


def test_a_network_manager_that_may_not_be_asked_is_unknown() -> None:
    surroundings = around(managed={PRIMARY: Reading(None, "403")})
    condition = check(surroundings)[MANAGED]
    assert condition.status is ConditionStatus.UNKNOWN
    assert condition.message.endswith("configurations of vnet2 are unknown: 403")
    assert "list-effective-connectivity-config" in condition.remedy
