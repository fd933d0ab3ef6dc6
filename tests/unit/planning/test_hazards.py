"""What else could keep traffic on the path that is left: every rule, met and just not met."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from erfailover.model.conditions import Condition, ConditionStatus
from erfailover.model.observed import Reading
from erfailover.model.route_tables import RouteTable, UserRoute
from erfailover.model.routing import RouteServer, RoutingEnvironment, StaticPrefix
from erfailover.model.site import Path, Role, Site
from erfailover.planning.hazards.checks import check_hazards
from erfailover.planning.hazards.scene import (
    ADVERTISED,
    APPLIANCES,
    DEFAULT_ROUTE,
    GATEWAY_SUBNET,
    NAMES,
    NEXT_HOP,
    PREFIXES,
    PROPAGATION,
    REMARKS,
    ROUTE_SERVER,
)
from erfailover.planning.route_selection import split_prefix
from tests.support import sites
from tests.support.hazard_scenes import SITE, around, net

REMOTE = "10.5.0.0/16"
IN_PRIMARY, IN_BACKUP, IN_SPOKE, ELSEWHERE = "10.2.2.4", "10.3.2.4", "10.1.9.4", "10.9.9.4"
VNG = "VirtualNetworkGateway"
USING = {"vnet1-to-vnet2": (sites.SPOKE_USES, "Connected")}


def route(prefix: str, hop: str = "", type_: str = "") -> UserRoute:
    kind = type_ or ("VirtualAppliance" if hop else "None")
    return UserRoute("r1", prefix, kind, hop or None)


def table(*routes: UserRoute, takes: bool = True) -> RouteTable:
    return RouteTable("/g/rt1", takes, routes)


def find_condition(
    name: str, surroundings: RoutingEnvironment, to: Path = Path.IPSEC, of: Site = SITE
) -> Condition:
    """The one condition of a name."""
    (condition,) = (
        check_hazard
        for check_hazard in check_hazards(of, surroundings, sites.make_snapshot(of, USING), to)
        if check_hazard.name == name
    )
    assert bool(condition.remedy) is (condition.status is not ConditionStatus.HOLDS)
    return condition


def verdict(name: str, surroundings: RoutingEnvironment, to: Path = Path.IPSEC) -> str:
    return str(find_condition(name, surroundings, to).status)


def test_nothing_around_a_spoke_is_no_hazard_in_either_direction() -> None:
    for to in Path:
        conditions = check_hazards(SITE, around(), sites.make_snapshot(SITE, USING), to)
        assert [condition.name for condition in conditions] == [*NAMES, *REMARKS]
        assert {condition.status for condition in conditions} == {ConditionStatus.HOLDS}


def test_the_proof_of_concepts_nat_route_by_the_primary_hub_is_no_hazard() -> None:
    for to in Path:
        conditions = check_hazards(
            SITE,
            around(table(route("8.8.4.4/32", IN_PRIMARY))),
            sites.make_snapshot(SITE, USING),
            to,
        )
        assert {condition.status for condition in conditions} == {ConditionStatus.HOLDS}


def test_nothing_read_at_all_is_unknown_and_never_a_refusal() -> None:
    conditions = check_hazards(
        SITE, RoutingEnvironment(), sites.make_snapshot(SITE, USING), Path.IPSEC
    )
    read = {DEFAULT_ROUTE, PREFIXES}  # the gateways' own tables decide these
    for name in (*NAMES, *REMARKS):
        expected = ConditionStatus.HOLDS if name in read else ConditionStatus.UNKNOWN
        assert {condition.status for condition in conditions if condition.name == name} == {
            expected
        }, name
    unread = replace(sites.make_snapshot(SITE, USING), gateways={})
    for checked in check_hazards(SITE, RoutingEnvironment(), unread, Path.IPSEC):
        assert checked.status is ConditionStatus.UNKNOWN, checked


def test_a_table_that_may_not_be_read_is_unknown_with_the_reason() -> None:
    hidden = replace(around(table()), route_tables={"spoke": Reading(None, "forbidden")})
    for name in (PROPAGATION, APPLIANCES, NEXT_HOP):
        condition = find_condition(name, hidden)
        assert condition.status is ConditionStatus.UNKNOWN
        assert condition.message == "vnet1/sub1: route table spoke: forbidden"


COVERING = ("10.5.0.0/16", "10.5.7.0/24", "10.0.0.0/8", "0.0.0.0/0", "10.6.0.0/16", "Internet")
HOPS = {
    "primary": route("x", IN_PRIMARY),
    "backup": route("x", IN_BACKUP),
    "spoke": route("x", IN_SPOKE),
    "elsewhere": route("x", ELSEWHERE),
    "none": route("x"),
    "internet": route("x", type_="Internet"),
    "gateway": route("x", type_=VNG),
}


@pytest.mark.parametrize(
    ("prefix", "hop", "takes", "to"),
    list(product(COVERING, HOPS, (True, False), Path)),
    ids=lambda item: str(item),
)
def test_every_route_at_a_spoke_is_judged_by_whether_it_carries_a_remote_prefix(
    prefix: str, hop: str, takes: bool, to: Path
) -> None:
    """With the gateway's routes, only one as narrow as 10.5.0.0/16 goes before it."""
    environment = around(table(replace(HOPS[hop], prefix=prefix), takes=takes))
    narrow = prefix in ("10.5.0.0/16", "10.5.7.0/24")
    wide = prefix in ("10.0.0.0/8", "0.0.0.0/0")
    carries = narrow or (wide and not takes)
    leaving = "primary" if to is Path.IPSEC else "backup"
    desired = "HOLDS"
    if carries and hop == leaving:
        desired = "FAILS"
    elif carries and hop == "elsewhere":
        desired = "UNKNOWN"
    assert verdict(APPLIANCES, environment, to) == desired
    whole = prefix != "10.5.7.0/24" and carries
    assert verdict(PROPAGATION, environment, to) == ("HOLDS" if takes or whole else "FAILS")
    assert verdict(NEXT_HOP, environment, to) == "HOLDS"


def test_a_subnet_without_gateway_routes_names_the_part_that_nothing_carries() -> None:
    condition = find_condition(
        PROPAGATION, around(table(route("10.5.0.0/17", IN_BACKUP), takes=False))
    )
    assert condition.message == (
        "vnet1/sub1 receives no gateway routes: route table rt1 has disableBgpRoutePropagation "
        "and no route to 10.5.128.0/17"
    )
    assert condition.remedy.startswith("az network route-table update")


def test_a_route_loses_against_a_narrower_one_that_the_arriving_gateway_has_learned() -> None:
    halves = [sites.route("10.5.0.0/17"), sites.route("10.5.128.0/17")]
    snapshot = sites.make_snapshot(SITE, USING)
    learned = sites.gateway(Role.BACKUP, sites.route("10.0.0.0/8"), *halves)
    snapshot = replace(snapshot, gateways={**snapshot.gateways, Role.BACKUP: learned})
    by_primary = around(table(route(REMOTE, IN_PRIMARY)))
    conditions = {
        check_hazard.name: check_hazard
        for check_hazard in check_hazards(SITE, by_primary, snapshot, Path.IPSEC)
    }
    assert conditions[APPLIANCES].status is ConditionStatus.HOLDS
    wide = sites.gateway(Role.BACKUP, sites.route("10.0.0.0/8"))
    snapshot = replace(snapshot, gateways={**snapshot.gateways, Role.BACKUP: wide})
    conditions = {
        check_hazard.name: check_hazard
        for check_hazard in check_hazards(SITE, by_primary, snapshot, Path.IPSEC)
    }
    assert conditions[APPLIANCES].status is ConditionStatus.FAILS


@pytest.mark.parametrize("to", Path)
@pytest.mark.parametrize(
    ("kinds", "desired"),
    [
        (("Vpn", "Vpn"), "HOLDS"),
        (("ExpressRoute", "Vpn"), "FAILS"),
        (("Vpn", "ExpressRoute"), "FAILS"),
        (None, "UNKNOWN"),
    ],
)
def test_the_next_hop_virtual_network_gateway_is_for_vpn_gateways_only(
    kinds: tuple[str, str] | None, desired: str, to: Path
) -> None:
    for prefix in (REMOTE, "0.0.0.0/0"):
        environment = around(table(route(prefix, type_=VNG)), kinds=kinds)
        assert verdict(NEXT_HOP, environment, to) == desired
    assert verdict(NEXT_HOP, around(table(), kinds=kinds), to) == "HOLDS"


@pytest.mark.parametrize(
    ("rows", "takes", "desired"),
    [
        ((), True, "HOLDS"),
        ((), False, "FAILS"),
        ((route("0.0.0.0/0", IN_BACKUP),), True, "FAILS"),
        ((route("10.1.0.0/16", IN_BACKUP),), True, "FAILS"),
        ((route("10.1.3.0/24", IN_PRIMARY),), True, "FAILS"),
        ((route("10.1.0.0/16"),), True, "FAILS"),
        ((route("10.0.0.0/8", IN_BACKUP),), True, "HOLDS"),
        ((route("10.7.0.0/16", IN_BACKUP),), True, "HOLDS"),
    ],
)
def test_a_route_on_the_gateway_subnet_matters_where_it_goes_before_the_peering(
    rows: tuple[UserRoute, ...], takes: bool, desired: str
) -> None:
    environment = around(gateway_subnet=table(*rows, takes=takes))
    assert verdict(GATEWAY_SUBNET, environment) == desired


def test_a_firewall_that_both_directions_pass_is_no_hazard() -> None:
    inward = table(route("10.1.0.0/16", IN_BACKUP))
    environment = around(table(route(REMOTE, IN_BACKUP)), inward)
    assert verdict(GATEWAY_SUBNET, environment) == "HOLDS"
    other = around(table(route(REMOTE, "10.3.2.9")), inward)
    assert verdict(GATEWAY_SUBNET, other) == "FAILS"
    narrower = around(table(route("10.5.0.0/17", IN_BACKUP)), inward)
    assert verdict(GATEWAY_SUBNET, narrower) == "FAILS"


def server(*learned: str, peers: tuple[str, ...] = ("nva1",)) -> tuple[RouteServer, ...]:
    return (RouteServer("/g/rs1", "rs1", peers, Reading(learned)),)


def test_routes_of_a_route_server_in_the_hub_being_left_would_be_lost() -> None:
    environment = around(route_servers={Role.PRIMARY: Reading(server("192.168.0.0/16"))})
    assert verdict(ROUTE_SERVER, environment) == "FAILS"
    assert verdict(ROUTE_SERVER, environment, Path.EXPRESSROUTE) == "HOLDS"
    assert "vnet1 would lose 192.168.0.0/16" in find_condition(ROUTE_SERVER, environment).message
    unused = sites.make_snapshot(SITE, {"vnet1-to-vnet2": (sites.OPEN, "Connected")})
    conditions = check_hazards(SITE, environment, unused, Path.IPSEC)
    assert all(condition.status is ConditionStatus.HOLDS for condition in conditions)


@pytest.mark.parametrize(
    ("reading", "desired"),
    [
        (Reading(()), "HOLDS"),
        (Reading(server(peers=())), "HOLDS"),
        (Reading(server()), "UNKNOWN"),
        (Reading(None, "forbidden"), "UNKNOWN"),
        (Reading(server(REMOTE)), "HOLDS"),
        (Reading(server(REMOTE, "10.6.0.0/16")), "FAILS"),
    ],
)
def test_a_route_server_without_peers_or_with_what_the_gateway_has_is_no_hazard(
    reading: Reading[tuple[RouteServer, ...]], desired: str
) -> None:
    assert verdict(ROUTE_SERVER, around(route_servers={Role.PRIMARY: reading})) == desired


def test_the_arriving_hubs_route_server_keeps_what_it_has_learned_too() -> None:
    servers = {Role.PRIMARY: Reading(server("192.168.0.0/16"))}
    halves = server("192.168.0.0/17", "192.168.128.0/17")
    servers[Role.BACKUP] = Reading(halves)
    assert verdict(ROUTE_SERVER, around(route_servers=servers)) == "HOLDS"


@pytest.mark.parametrize(
    ("prefix", "desired"),
    [
        ("10.1.0.0/16", "FAILS"),
        ("10.1.4.0/24", "FAILS"),
        ("10.0.0.0/8", "HOLDS"),
        ("10.4.0.0/16", "HOLDS"),
    ],
)
def test_a_static_prefix_within_a_spoke_keeps_the_leaving_gateway_advertising(
    prefix: str, desired: str
) -> None:
    static = {Role.PRIMARY: Reading((StaticPrefix(net(prefix), "lng1"),))}
    assert verdict(ADVERTISED, around(static_prefixes=static)) == desired
    assert verdict(ADVERTISED, around(static_prefixes=static), Path.EXPRESSROUTE) == "HOLDS"


@pytest.mark.parametrize(
    ("remaining", "met", "desired"),
    [
        ("10.0.0.0/12", None, "HOLDS"),
        ("10.1.0.0/16", None, "FAILS"),
        ("10.0.0.0/12", "10.0.0.0/12", "FAILS"),
        ("10.0.0.0/12", "10.0.0.0/14", "HOLDS"),
        ("10.0.0.0/14", "10.0.0.0/12", "FAILS"),
        ("10.8.0.0/14", "10.0.0.0/12", "HOLDS"),
    ],
)
def test_a_summary_of_the_leaving_hub_matters_where_the_arriving_one_is_no_narrower(
    remaining: str, met: str | None, desired: str
) -> None:
    base = around()
    networks = dict(base.networks)
    for name, prefix in (("vnet2", remaining), ("vnet3", met)):
        key = SITE.build_network_id(name).lower()
        value = networks[key].value
        assert value is not None
        summarized = (net(prefix),) if prefix else ()
        networks[key] = Reading(replace(value, summarized=summarized))
    assert verdict(ADVERTISED, replace(base, networks=networks)) == desired


def test_a_prefix_within_the_spoke_that_the_leaving_gateway_originates_already_is_told() -> None:
    snapshot = sites.make_snapshot(SITE, USING)
    odd = sites.gateway(
        Role.PRIMARY,
        sites.route("10.1.0.0/16", "Network", "10.2.0.254"),
        sites.route("10.1.7.0/24", "Network", "10.2.0.254"),
    )
    snapshot = replace(snapshot, gateways={**snapshot.gateways, Role.PRIMARY: odd})
    conditions = [
        check_hazard
        for check_hazard in check_hazards(SITE, around(), snapshot, Path.IPSEC)
        if check_hazard.name == ADVERTISED
    ]
    assert [
        condition.message for condition in conditions if condition.status is ConditionStatus.FAILS
    ] == ["vng1 originates 10.1.7.0/24, within vnet1's 10.1.0.0/16, but not because of its peering"]


def test_pieces_cover_a_prefix_wholly_and_do_not_overlap() -> None:
    rows = [route("10.5.128.0/17", IN_PRIMARY), route("10.5.130.0/24"), route("0.0.0.0/0")]
    routed_ranges = split_prefix(table(*rows), [net("10.5.0.0/18")], net(REMOTE))
    total = sum(routed_range.prefix.num_addresses for routed_range in routed_ranges)
    assert total == net(REMOTE).num_addresses
    assert not any(
        one.prefix.overlaps(other.prefix)
        for one in routed_ranges
        for other in routed_ranges
        if one is not other
    )
    by = {str(routed_range.prefix): routed_range.route for routed_range in routed_ranges}
    assert by["10.5.0.0/18"] is None
    assert by["10.5.130.0/24"] == rows[1]
    assert by["10.5.64.0/18"] == rows[2]
