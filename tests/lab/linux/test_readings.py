"""What BIRD prints, and the rows of Azure's tables that it becomes."""

from __future__ import annotations

import datetime as dt

import pytest

from erfailover.lab.linux.bird_output import parse_routes, parse_sessions
from erfailover.lab.linux.readings import (
    GatewayReading,
    build_advertised_row,
    build_learned_row,
    build_peer_row,
    read_gateway,
)

# As birdc of BIRD 2.0.12 prints them, shortened to what differs.
PROTOCOLS = """\
Name       Proto      Table      State  Since         Info
device1    Device     ---        up     2026-11-30 02:43:58.540

originated Static     master4    up     2026-11-30 02:43:58.540
  Channel ipv4
    Routes:         2 imported, 0 exported, 2 preferred

session1   BGP        ---        up     2026-11-30 02:43:59.404  Established
  BGP state:          Established
    Neighbor address: 10.4.0.254
    Neighbor AS:      65020
  Channel ipv4
    Routes:         2 imported, 2 exported, 1 preferred

session2   BGP        ---        start  2026-11-30 02:44:10.001  Active  Socket: Refused
  BGP state:          Active
    Neighbor address: 10.6.0.254
    Neighbor AS:      65030
"""
ROUTES = """\
Table master4:
10.4.0.0/16          unreachable [originated 2026-11-30 02:43:58.540] * (200)
\tType: static univ
                     unicast [session1 2026-11-30 02:43:59.541] (100/?) [AS65020i]
\tvia 10.4.0.254 on tunnel1
\tType: BGP univ
\tBGP.origin: IGP
\tBGP.as_path: 65020
\tBGP.next_hop: 10.4.0.254
\tBGP.local_pref: 100
10.5.0.0/16          unreachable [session1 2026-11-30 02:43:59.541] * (100/-) [AS65000i]
\tType: BGP univ
\tBGP.origin: IGP
\tBGP.as_path: 65020 65000
\tBGP.next_hop: 10.4.0.254
10.6.0.0/16          unicast [twin 2026-11-30 02:43:59.541 from 10.2.0.5] * (100/?) [AS65030i]
\tBGP.as_path: 65030
\tBGP.next_hop: 10.2.0.5
"""


@pytest.fixture
def reading() -> GatewayReading:
    answer = {
        "bird": {"protocols": PROTOCOLS, "routes": ROUTES, "exported": {"session1": ROUTES}},
        "tunnels": {"one": {"device": "tunnel1", "up": True}},
    }
    return read_gateway(answer)


def test_sessions_are_those_of_bgp() -> None:
    sessions = parse_sessions(PROTOCOLS)
    assert {name: each.state for name, each in sessions.items()} == {
        "session1": "Established",
        "session2": "Active",
    }
    assert sessions["session1"].since == dt.datetime(2026, 11, 30, 2, 43, 59, 404000)
    assert sessions["session2"].neighbor == "10.6.0.254"


def test_every_route_is_read_with_its_attributes_the_best_or_not() -> None:
    routes = [(each.prefix, each.session, each.best, each.as_path) for each in parse_routes(ROUTES)]
    assert routes == [
        ("10.4.0.0/16", "originated", True, ()),
        ("10.4.0.0/16", "session1", False, (65020,)),
        ("10.5.0.0/16", "session1", True, (65020, 65000)),
        ("10.6.0.0/16", "twin", True, (65030,)),
    ]


def test_nothing_is_read_from_nothing() -> None:
    assert parse_routes("") == []
    assert parse_sessions("") == {}


def test_a_router_without_bird_has_no_sessions() -> None:
    reading = read_gateway({"bird": None, "tunnels": {}})
    row = build_peer_row(reading, "session1", ("10.2.0.254", "10.4.0.254", 65020), (1.0, 60.0))
    assert row["state"] == "Unknown"


def test_learned_is_what_is_best_and_came_from_another_gateway(reading: GatewayReading) -> None:
    assert reading.list_learned() == ("10.5.0.0/16",)


def test_the_duration_of_a_session_is_in_modelled_seconds(reading: GatewayReading) -> None:
    ends = "10.2.0.254", "10.4.0.254", 65020
    row = build_peer_row(reading, "session1", ends, (60.0, 60.0))
    age = dt.datetime.now(dt.UTC).replace(tzinfo=None) - dt.datetime(2026, 11, 30, 2, 43, 59)
    days, _, clock = str(row["connectedDuration"]).rpartition(".")[0].rpartition(".")
    hours = int(days or 0) * 24 + int(clock.split(":")[0])
    assert hours == pytest.approx(age.total_seconds() * 60 / 3600, abs=2)
    assert (row["state"], row["routesReceived"]) == ("Connected", 2)


@pytest.mark.parametrize("neighbor", ["10.4.0.253", ""])
def test_a_session_with_another_neighbour_is_not_the_configured_one(
    reading: GatewayReading, neighbor: str
) -> None:
    row = build_peer_row(reading, "session1", ("10.2.0.254", neighbor, 65020), (1.0, 60.0))
    assert row["state"] == "Connecting"


def test_rows_of_routes(reading: GatewayReading) -> None:
    row = build_learned_row(reading.list_received("session1")[1], "10.2.0.254")
    assert (row["network"], row["origin"], row["asPath"]) == ("10.5.0.0/16", "EBgp", "65020-65000")
    assert (row["nextHop"], row["sourcePeer"]) == ("10.4.0.254", "10.4.0.254")
    twin = build_learned_row(reading.list_received("twin")[0], "10.2.0.254")
    assert twin["origin"] == "IBgp"
    sent = build_advertised_row(reading.exports["session1"][0], "10.2.0.254", 65000)
    assert (sent["asPath"], sent["origin"], sent["weight"]) == ("65000", "Igp", 0)
