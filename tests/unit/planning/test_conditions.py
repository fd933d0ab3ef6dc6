"""What is learned, what is originated, what is unknown: on the tables real gateways reported."""

from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path as File

import pytest

from erfailover.model.conditions import ConditionStatus
from erfailover.model.observed import BgpPeer, Gateway, GatewayRoute, Reading
from erfailover.model.site import Path, Role
from erfailover.planning import conditions
from tests.support import sites

OFFICE = [IPv4Network("10.5.0.0/16")]
SPOKE = [IPv4Network("10.1.0.0/16")]
OBSERVED = File(__file__).parents[2] / "lab" / "observed_bgp.json"


def read_observed_gateway(name: str) -> Gateway:
    """A gateway as the proof of concept's real one was read."""
    for load in json.loads(OBSERVED.read_text())["observations"]:
        if load["name"] == name:
            role = Role.PRIMARY if load["gateway"] == "vng1" else Role.BACKUP
            return replace(
                sites.gateway(role),
                peers=Reading(tuple(BgpPeer(**row) for row in load["peers"])),
                learned_routes=Reading(tuple(GatewayRoute(**row) for row in load["routes"])),
            )
    raise AssertionError(name)


@pytest.mark.parametrize(
    ("name", "connected", "learned", "originates"),
    [
        ("vng1-healthy", "HOLDS", "HOLDS", "HOLDS"),
        ("vng1-expressroute-down", "FAILS", "FAILS", "HOLDS"),
        ("vng2-before-switch", "HOLDS", "HOLDS", "FAILS"),
        ("vng2-after-switch", "HOLDS", "HOLDS", "HOLDS"),
    ],
)
def test_the_observed_tables_mean_what_the_proof_of_concept_read_from_them(
    name: str, connected: str, learned: str, originates: str
) -> None:
    gateway = read_observed_gateway(name)
    role = gateway.role
    assert conditions.check_gateway_connected(gateway, role).status == connected
    assert conditions.check_gateway_learned(gateway, role, OFFICE).status == learned
    assert conditions.check_originated(gateway, role, SPOKE).status == originates


def test_a_static_prefix_of_a_dead_gateway_is_not_learned() -> None:
    gateway = read_observed_gateway("vng1-expressroute-down")
    static = [IPv4Network("10.4.0.0/16")]
    assert conditions.check_gateway_learned(gateway, Role.PRIMARY, static).status == "FAILS"


def test_a_prefix_learned_from_the_far_end_is_not_originated() -> None:
    gateway = sites.gateway(Role.BACKUP, sites.route("10.1.0.0/16"))
    assert conditions.check_originated(gateway, Role.BACKUP, SPOKE).status == "FAILS"
    assert conditions.check_not_originated(gateway, Role.BACKUP, SPOKE).status == "HOLDS"


def test_a_covering_prefix_is_learned_but_whether_it_is_originated_is_unknown() -> None:
    own = sites.route("10.0.0.0/8", "Network", "10.3.0.254")
    gateway = sites.gateway(Role.BACKUP, own, sites.route("10.4.0.0/15"))
    assert conditions.check_gateway_learned(gateway, Role.BACKUP, OFFICE).status == "HOLDS"
    assert conditions.check_originated(gateway, Role.BACKUP, SPOKE).status == "UNKNOWN"


def test_empty_lists_and_failed_reads_are_unknown_and_never_down() -> None:
    full = sites.gateway(Role.BACKUP, sites.route("10.5.0.0/16"))
    for gateway in (
        None,
        replace(full, peers=Reading(())),
        replace(full, peers=Reading(None, "timed out")),
        replace(full, learned_routes=Reading(())),
        replace(full, learned_routes=Reading(None, "timed out")),
    ):
        condition = conditions.check_gateway_learned(gateway, Role.BACKUP, OFFICE)
        assert condition.status is ConditionStatus.UNKNOWN
    nothing = replace(full, learned_routes=Reading(()))
    for ask in (conditions.check_originated, conditions.check_not_originated):
        assert ask(nothing, Role.BACKUP, SPOKE).status is ConditionStatus.UNKNOWN


def test_a_twin_instance_is_no_peer_that_keeps_a_gateway_alive() -> None:
    twin = replace(sites.peer("10.3.0.253"), asn=65010)
    dead = sites.peer("10.4.0.254", "Connecting")
    gateway = replace(sites.gateway(Role.BACKUP, peers=(twin, dead)), asn=65010)
    condition = conditions.check_gateway_connected(gateway, Role.BACKUP)
    assert condition.status is ConditionStatus.FAILS
    assert condition.message == "vng2: 10.4.0.254 Connecting; expected one Connected"


def express(*states: str, routes: tuple[GatewayRoute, ...] = ()) -> Gateway:
    """An ExpressRoute gateway with an edge peer in each state, and a Route Server beside it."""
    edges = [
        replace(sites.peer(f"10.2.0.{4 + number}", state), asn=12076)
        for number, state in enumerate(states)
    ]
    server = replace(sites.peer("10.2.1.4"), asn=65515)
    return replace(
        sites.gateway(Role.PRIMARY, *routes, peers=(*edges, server)),
        type="ExpressRoute",
        asn=65515,
        bgp_addresses=("10.2.0.12", "10.2.0.13"),
    )


@pytest.mark.parametrize(
    ("states", "alive", "whole", "message"),
    [
        (("Connected", "Connected"), "HOLDS", "HOLDS", "10.2.0.4 Connected, 10.2.0.5 Connected"),
        (("Connected", "Connecting"), "HOLDS", "FAILS", "1 of 2 edge peers Connected; 10.2.0.5"),
        (("Connected",), "HOLDS", "FAILS", "it lists one edge peer, but a circuit has two"),
        (("Idle", "Connecting"), "FAILS", "FAILS", "10.2.0.4 Idle, 10.2.0.5 Connecting; expected"),
        ((), "FAILS", "FAILS", "no edge peer (AS 12076)"),
    ],
)
def test_one_edge_down_is_degraded_and_both_are_dead(
    states: tuple[str, ...], alive: str, whole: str, message: str
) -> None:
    gateway = express(*states)
    assert conditions.check_gateway_connected(gateway, Role.PRIMARY).status == alive
    condition = conditions.check_all_peers_connected(gateway, Role.PRIMARY)
    assert condition.status == whole
    assert message in condition.message


def test_an_unread_table_of_peers_is_unknown_and_not_degraded() -> None:
    whole = express("Connected", "Connected")
    for gateway in (replace(whole, peers=Reading(())), replace(whole, peers=Reading(None, "no"))):
        condition = conditions.check_all_peers_connected(gateway, Role.PRIMARY)
        assert condition.status is ConditionStatus.UNKNOWN


def test_an_active_active_gateway_names_the_instance_whose_session_is_down() -> None:
    up, down = sites.peer("10.4.0.254"), sites.peer("10.4.0.254", "Connecting")
    twin = replace(sites.peer("10.3.0.5"), asn=65010)
    peers = (replace(up, local_address="10.3.0.4"), replace(down, local_address="10.3.0.5"), twin)
    gateway = replace(sites.gateway(Role.BACKUP, peers=peers), asn=65010)
    condition = conditions.check_all_peers_connected(gateway, Role.BACKUP)
    assert condition.message == "vng2 is degraded: 1 of 2 BGP peers Connected; " + (
        "10.3.0.5 to 10.4.0.254 Connecting"
    )


@pytest.mark.parametrize(
    ("origin", "source", "verdict"),
    [
        ("EBgp", "10.2.0.4", "HOLDS"),
        ("EBgp", "10.2.0.5", "FAILS"),
        ("IBgp", "10.2.0.13", "HOLDS"),
        ("IBgp", "10.2.1.4", "FAILS"),
        ("Network", "10.2.0.12", "FAILS"),
    ],
)
def test_an_express_gateway_learns_from_a_connected_edge_or_its_twin_alone(
    origin: str, source: str, verdict: str
) -> None:
    gateway = express(
        "Connected", "Connecting", routes=(sites.route("10.5.0.0/16", origin, source),)
    )
    assert conditions.check_gateway_learned(gateway, Role.PRIMARY, OFFICE).status == verdict


def make_coexisting_gateway(tunnel: str, *routes: GatewayRoute, asn: int = 65515) -> Gateway:
    """A VPN gateway with one tunnel, beside an ExpressRoute gateway and a Route Server."""
    far = sites.peer("192.168.11.88", tunnel)
    edges = (replace(sites.peer(f"10.17.11.{number}"), asn=12076) for number in (68, 69))
    others = (replace(sites.peer(f"10.17.11.{number}"), asn=65515) for number in (78, 100))
    return replace(
        sites.gateway(Role.BACKUP, *routes, peers=(far, *edges, *others)),
        asn=asn,
        bgp_addresses=("10.17.11.76", "10.17.11.77"),
    )


def make_edge_route(source: str, origin: str = "EBgp", path: str = "12076-65020") -> GatewayRoute:
    """A route as a VPN gateway lists it that comes from the ExpressRoute gateway beside it."""
    route = sites.route("10.5.0.0/16", origin, source)
    return route._replace(next_hop="10.17.11.69", as_path=path, weight=32769)


@pytest.mark.parametrize("asn", [65515, 65010])
@pytest.mark.parametrize(
    "route",
    [
        make_edge_route("10.17.11.69"),
        make_edge_route("10.17.11.76"),
        make_edge_route("10.17.11.77", "IBgp"),
        make_edge_route("10.17.11.77", "IBgp", "12076 65020"),
        make_edge_route("10.17.11.78", path="65515-12076-65020"),
        make_edge_route("10.17.11.100", path="65099"),
        make_edge_route("192.168.11.88", path="65020"),
    ],
)
def test_a_vpn_gateway_is_not_ready_on_the_routes_of_the_expressroute_gateway_beside_it(
    route: GatewayRoute, asn: int
) -> None:
    gateway = make_coexisting_gateway("Connecting", route, asn=asn)
    alive = conditions.check_gateway_connected(gateway, Role.BACKUP)
    assert (alive.status, alive.message) == (
        "FAILS",
        "vng2: 192.168.11.88 Connecting; expected one Connected",
    )
    assert conditions.check_gateway_learned(gateway, Role.BACKUP, OFFICE).status == "FAILS"


@pytest.mark.parametrize("asn", [65515, 65010])
def test_a_vpn_gateway_beside_an_expressroute_gateway_is_ready_by_its_own_tunnel(asn: int) -> None:
    routes = (
        make_edge_route("10.17.11.69"),
        make_edge_route("192.168.11.88", path="65020"),
        make_edge_route("10.17.11.77", "IBgp", "65020-12076"),
    )
    for route in routes[1:]:
        gateway = make_coexisting_gateway("Connected", routes[0], route, asn=asn)
        alive = conditions.check_all_peers_connected(gateway, Role.BACKUP)
        assert (alive.status, alive.message) == ("HOLDS", "vng2: 192.168.11.88 Connected")
        assert conditions.check_gateway_learned(gateway, Role.BACKUP, OFFICE).status == "HOLDS"
    lost = make_coexisting_gateway("Connected", routes[0], asn=asn)
    assert conditions.check_gateway_learned(lost, Role.BACKUP, OFFICE).status == "FAILS"


def test_the_sessions_of_an_expressroute_gateway_say_nothing_of_the_hold_time() -> None:
    gateway = express(
        "Connected", "Connected", routes=(sites.route("10.5.0.0/16", source="10.2.0.4"),)
    )
    condition = conditions.check_gateway_healthy_for(gateway, Role.PRIMARY, OFFICE, 120.0)
    assert condition.status is ConditionStatus.UNKNOWN


def test_the_hold_time_does_not_count_the_session_of_the_two_instances() -> None:
    young = replace(sites.peer("10.4.0.254"), connected_duration="00:00:30.0")
    twin = replace(sites.peer("10.2.0.5"), asn=65000, connected_duration="9.00:00:00.0")
    routes = (
        sites.route("10.5.0.0/16", "EBgp", "10.4.0.254"),
        sites.route("10.5.0.0/16", "IBgp", "10.2.0.5"),
    )
    gateway = replace(
        sites.gateway(Role.PRIMARY, *routes, peers=(young, twin)),
        asn=65000,
        bgp_addresses=("10.2.0.4", "10.2.0.5"),
    )
    assert conditions.compute_held_s(gateway, OFFICE) == 30.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("00:01:14.8269278", 74.8269278),
        ("3.03:14:13.1796961", 3 * 86400 + 3 * 3600 + 14 * 60 + 13.1796961),
        ("00:00:00", 0.0),
        (None, None),
        ("soon", None),
    ],
)
def test_connected_durations_are_read_as_azure_writes_them(
    text: str | None, seconds: float | None
) -> None:
    duration_s = conditions.parse_duration_s(text)
    assert duration_s == (pytest.approx(seconds) if seconds is not None else None)


def test_the_hold_time_counts_the_session_that_carries_the_prefix() -> None:
    young = replace(sites.peer("10.4.0.254"), connected_duration="00:00:30.0")
    old = replace(sites.peer("10.9.0.254"), connected_duration="01:00:00.0")
    gateway = sites.replace_peers(
        sites.gateway(Role.PRIMARY, sites.route("10.5.0.0/16", source="10.4.0.254")), young, old
    )
    condition = conditions.check_gateway_healthy_for(gateway, Role.PRIMARY, OFFICE, 120.0)
    assert condition.status is ConditionStatus.FAILS
    result = replace(
        gateway,
        learned_routes=Reading(
            (
                sites.route("10.5.0.0/16", source="10.4.0.254"),
                sites.route("10.5.0.0/16", source="10.9.0.254"),
            )
        ),
    )
    condition = conditions.check_gateway_healthy_for(result, Role.PRIMARY, OFFICE, 120.0)
    assert condition.status is ConditionStatus.HOLDS


def test_a_peering_that_is_being_written_says_so_and_not_that_it_is_disconnected() -> None:
    site = sites.site()
    state = sites.make_state(Path.EXPRESSROUTE, site)
    network = sites.make_snapshot(site, state).get_network(site.build_network_id("vnet1"))
    assert network is not None
    peering = next(item for item in network.peerings if item.name == "vnet1-to-vnet2")

    def check_peering(
        state: str = "Connected", provisioning_state: str = "Succeeded"
    ) -> tuple[str, str]:
        result = replace(peering, state=state, provisioning_state=provisioning_state)
        condition = conditions.check_peering_ready(result, result.name)
        return str(condition.status), condition.message

    assert check_peering() == ("HOLDS", "vnet1-to-vnet2 is Connected, FullyInSync")
    assert check_peering(provisioning_state="Updating") == (
        "FAILS",
        "vnet1-to-vnet2 is Connected, FullyInSync, and its last operation is Updating, "
        "not Succeeded",
    )
    assert check_peering(state="Disconnected") == (
        "FAILS",
        "vnet1-to-vnet2 is Disconnected, FullyInSync; expected Connected, FullyInSync",
    )
