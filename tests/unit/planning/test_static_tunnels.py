"""A VPN gateway without BGP: its tunnels and their prefixes decide."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network

import pytest

from erfailover.model.conditions import ConditionStatus
from erfailover.model.observed import Gateway, Reading, Tunnel
from erfailover.model.site import Role
from erfailover.planning import conditions
from erfailover.planning.carried_prefixes import list_carried_prefixes, needs_static_tunnels
from tests.support import sites

OFFICE = IPv4Network("10.5.0.0/16")
SPOKE = (IPv4Network("10.1.0.0/16"),)


def tunnel(status: str = "Connected", *prefixes: str) -> Tunnel:
    nets = tuple(map(IPv4Network, prefixes or ("10.4.0.0/15",)))
    return Tunnel("to-premises", "lng", "20.50.1.1", bgp=False, status=status, prefixes=nets)


def gateway(*tunnels: Tunnel, unread: str = "", bgp: bool = False) -> Gateway:
    reading = Reading(None, unread) if unread else Reading(tunnels)
    plain = sites.gateway(Role.BACKUP, peers=())
    return replace(plain, bgp=bgp, static_tunnels=reading)


@pytest.mark.parametrize(
    ("result", "session", "prefixes"),
    [
        (gateway(tunnel()), ConditionStatus.HOLDS, ConditionStatus.HOLDS),
        (gateway(tunnel(), bgp=True), ConditionStatus.HOLDS, ConditionStatus.HOLDS),
        (gateway(tunnel("NotConnected"), tunnel()), ConditionStatus.HOLDS, ConditionStatus.HOLDS),
        (gateway(tunnel("Connected", "10.9.0.0/16")), ConditionStatus.HOLDS, ConditionStatus.FAILS),
        (gateway(tunnel("Connected", "10.5.0.0/24")), ConditionStatus.HOLDS, ConditionStatus.FAILS),
        (gateway(tunnel("NotConnected")), ConditionStatus.FAILS, ConditionStatus.FAILS),
        (gateway(), ConditionStatus.FAILS, ConditionStatus.FAILS),
        (gateway(tunnel("Unknown")), ConditionStatus.UNKNOWN, ConditionStatus.UNKNOWN),
        (gateway(unread="403"), ConditionStatus.UNKNOWN, ConditionStatus.UNKNOWN),
    ],
)
def test_connection_state_and_address_space_decide(
    result: Gateway, session: ConditionStatus, prefixes: ConditionStatus
) -> None:
    alive = conditions.check_gateway_connected(result, Role.BACKUP)
    learned = conditions.check_gateway_learned(result, Role.BACKUP, [OFFICE])
    assert (alive.status, learned.status) == (session, prefixes)
    arrived = conditions.check_originated(result, Role.BACKUP, SPOKE)
    assert arrived.status is session
    assert (
        conditions.check_not_originated(result, Role.BACKUP, SPOKE).status is ConditionStatus.HOLDS
    )


def test_one_of_two_tunnels_down_is_degraded() -> None:
    whole = conditions.check_all_peers_connected(gateway(tunnel()), Role.BACKUP)
    half = gateway(tunnel(), tunnel("NotConnected"))
    assert whole.status is ConditionStatus.HOLDS
    assert conditions.check_all_peers_connected(half, Role.BACKUP).status is ConditionStatus.FAILS


def test_a_static_tunnel_beside_bgp_carries_what_bgp_does_not_tell() -> None:
    mixed = replace(
        sites.gateway(Role.BACKUP, sites.route("10.9.0.0/16")), static_tunnels=Reading((tunnel(),))
    )
    condition = conditions.check_gateway_learned(mixed, Role.BACKUP, [OFFICE])
    assert condition.status is ConditionStatus.HOLDS
    assert condition.message == (
        "vng2 reaches prefixes without BGP: 10.5.0.0/16 through connection to-premises"
    )
    assert not conditions.is_static(mixed)
    assert OFFICE.supernet() in list_carried_prefixes(mixed)


@pytest.mark.parametrize(
    ("result", "needed"),
    [
        (sites.gateway(Role.BACKUP, sites.route("10.5.0.0/16")), False),
        (sites.gateway(Role.BACKUP, sites.route("10.9.0.0/16")), True),
        (sites.gateway(Role.BACKUP, peers=()), True),
        (replace(sites.gateway(Role.BACKUP, sites.route("10.5.0.0/16")), bgp=False), True),
        (replace(sites.gateway(Role.BACKUP), peers=Reading(None, "403")), False),
    ],
)
def test_connections_are_read_only_if_bgp_does_not_tell_all(result: Gateway, needed: bool) -> None:
    assert needs_static_tunnels(result, [OFFICE]) is needed


def test_an_empty_table_of_a_gateway_with_bgp_stays_unknown() -> None:
    result = gateway(bgp=True)
    assert not conditions.is_static(result)
    condition = conditions.check_gateway_connected(result, Role.BACKUP)
    assert condition.status is ConditionStatus.UNKNOWN
