"""The routes that a table has on a path: overlay and replace, as pure values."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erfailover.model.observed import Reading
from erfailover.model.plan import Change
from erfailover.model.route_tables import APPLIANCE, RouteTable, UserRoute
from erfailover.model.site import Path, SpokeRouteTable
from erfailover.planning.next_hops.conditions import check_return
from erfailover.planning.next_hops.desired import (
    compute_routes,
    is_own,
    list_writes,
    split_around,
)
from erfailover.planning.next_hops.scene import find_groups
from erfailover.planning.route_selection import split_prefix

HERE, THERE = IPv4Address("10.0.1.4"), IPv4Address("10.2.1.4")
ENTRY = SpokeRouteTable("rt", HERE, THERE)
REPLACE = replace(ENTRY, mode="replace")
REMOTE = (IPv4Network("192.168.0.0/16"),)
KEPT = (IPv4Network("10.0.0.0/16"), IPv4Network("10.1.0.0/16"), IPv4Network("10.2.0.0/16"))


def net(text: str) -> IPv4Network:
    return IPv4Network(text)


def route(name: str, prefix: str, hop: object = HERE, kind: str = APPLIANCE) -> UserRoute:
    return UserRoute(name, prefix, kind, None if hop is None else str(hop))


def make_table(*routes: UserRoute, takes: bool = False) -> RouteTable:
    return RouteTable("/tables/rt", takes, routes)


def move(
    table: RouteTable,
    target: Path,
    entry: SpokeRouteTable = ENTRY,
    remote: tuple[IPv4Network, ...] = REMOTE,
    kept: tuple[IPv4Network, ...] = KEPT,
) -> dict[str, tuple[str, str | None]]:
    moved = compute_routes(entry, table, target, remote, kept)
    return {item.name: (item.prefix, item.next_hop) for item in moved.routes}


DEFAULT = route("default", "0.0.0.0/0")
ADDED = {"erfailover-192.168.0.0-16": ("192.168.0.0/16", str(THERE))}


def test_a_wide_route_stays_and_a_narrower_one_is_added_beside_it() -> None:
    table = make_table(DEFAULT)
    assert move(table, Path.IPSEC) == {"default": ("0.0.0.0/0", str(HERE))} | ADDED
    (write,) = list_writes(ENTRY, table, Path.IPSEC, REMOTE, KEPT)
    assert (write.change, write.name) == (Change.CREATE, "erfailover-192.168.0.0-16")


def test_on_the_way_back_only_what_was_added_is_removed() -> None:
    away = compute_routes(ENTRY, make_table(DEFAULT), Path.IPSEC, REMOTE, KEPT)
    (write,) = list_writes(ENTRY, away, Path.EXPRESSROUTE, REMOTE, KEPT)
    assert (write.change, write.name) == (Change.DELETE, "erfailover-192.168.0.0-16")
    assert compute_routes(ENTRY, away, Path.EXPRESSROUTE, REMOTE, KEPT) == make_table(DEFAULT)


@pytest.mark.parametrize("prefix", ["192.168.0.0/16", "192.168.4.0/24"])
def test_a_route_within_a_remote_prefix_changes_its_next_hop(prefix: str) -> None:
    table = make_table(route("to-premises", prefix))
    assert move(table, Path.IPSEC) == {"to-premises": (prefix, str(THERE))}
    (write,) = list_writes(ENTRY, table, Path.IPSEC, REMOTE, KEPT)
    assert write.change is Change.UPDATE
    assert write.reverse().after == table.routes[0]


def test_a_route_within_a_remote_prefix_is_no_reason_not_to_add_the_rest() -> None:
    moved = move(make_table(DEFAULT, route("part", "192.168.4.0/24")), Path.IPSEC)
    assert moved["part"] == ("192.168.4.0/24", str(THERE))
    assert ADDED.items() <= moved.items()


def test_a_route_with_another_next_hop_is_left_alone() -> None:
    routes = (
        route("hole", "192.168.1.0/24", None, "None"),
        route("mine", "192.168.2.0/24", "10.9.0.4"),
        route("service", "Storage", None, "Internet"),
    )
    assert move(make_table(*routes), Path.IPSEC) == {
        item.name: (item.prefix, item.next_hop) for item in routes
    }


def test_where_gateways_tell_the_remote_prefix_a_wide_route_carries_nothing_of_it() -> None:
    table = make_table(DEFAULT, takes=True)
    assert list_writes(ENTRY, table, Path.IPSEC, REMOTE, KEPT) == ()


def test_a_remote_prefix_that_covers_hubs_and_spokes_is_split_around_them() -> None:
    moved = move(make_table(DEFAULT), Path.IPSEC, remote=(net("10.0.0.0/8"),))
    added = [net(prefix) for prefix, hop in moved.values() if hop == str(THERE)]
    assert added == [net("10.3.0.0/16"), *sorted(added)[1:]]
    assert not any(prefix.overlaps(space) for prefix in added for space in KEPT)


def test_a_route_to_a_spoke_within_a_remote_prefix_stays_with_the_primary() -> None:
    table = make_table(route("all", "10.0.0.0/8"), route("other", "10.1.0.0/16"))
    moved = move(table, Path.IPSEC, remote=(net("10.0.0.0/8"),))
    assert moved["other"] == ("10.1.0.0/16", str(HERE))
    assert moved["all"] == ("10.0.0.0/8", str(HERE))
    assert ("10.128.0.0/9", str(THERE)) in moved.values()


def test_replace_exchanges_every_next_hop_of_the_path_being_left() -> None:
    table = make_table(DEFAULT, route("to-premises", "192.168.0.0/16"))
    assert {hop for _, hop in move(table, Path.IPSEC, REPLACE).values()} == {str(THERE)}


def test_replace_of_named_routes_leaves_the_others() -> None:
    entry = replace(REPLACE, routes=("To-Premises",))
    table = make_table(DEFAULT, route("to-premises", "192.168.0.0/16"))
    assert move(table, Path.IPSEC, entry) == {
        "default": ("0.0.0.0/0", str(HERE)),
        "to-premises": ("192.168.0.0/16", str(THERE)),
    }


PREFIXES = st.builds(
    lambda number, length: IPv4Network((number >> (32 - length) << (32 - length), length)),
    st.integers(0, 2**32 - 1),
    st.integers(4, 28),
)
NEAR = st.builds(
    lambda number, length: IPv4Network((10 << 24 | number << (32 - length), length)),
    st.integers(0, 15),
    st.integers(9, 16),
)
ROUTES = st.lists(
    st.tuples(st.one_of(PREFIXES, NEAR, st.just(net("0.0.0.0/0"))), st.sampled_from([HERE, THERE])),
    max_size=5,
    unique_by=lambda row: row[0],
)


@given(PREFIXES, st.lists(st.one_of(PREFIXES, NEAR), max_size=6))
def test_what_is_split_covers_the_rest_exactly(
    prefix: IPv4Network, kept: list[IPv4Network]
) -> None:
    parts = split_around(prefix, kept)
    assert not any(part.overlaps(space) for part in parts for space in kept)
    inside = [space for space in kept if space.overlaps(prefix)]
    holes = {min(prefix, space, key=lambda item: -item.prefixlen) for space in inside}
    lone = [a for a in holes if not any(a != b and a.subnet_of(b) for b in holes)]
    assert sum(p.num_addresses for p in parts) + sum(p.num_addresses for p in lone) == (
        prefix.num_addresses
    )


@given(
    ROUTES,
    st.lists(NEAR, min_size=1, max_size=3, unique=True),
    st.lists(NEAR, max_size=4),
    st.sampled_from(Path),
    st.sampled_from([ENTRY, REPLACE]),
    st.booleans(),
)
def test_a_moved_table_has_nothing_left_to_write_and_loses_no_route_of_others(
    rows: list[tuple[IPv4Network, IPv4Address]],
    remote: list[IPv4Network],
    kept: list[IPv4Network],
    target: Path,
    entry: SpokeRouteTable,
    takes: bool,
) -> None:
    routes = (route(f"r{n}", str(prefix), hop) for n, (prefix, hop) in enumerate(rows))
    table = make_table(*routes, takes=takes)
    moved = compute_routes(entry, table, target, remote, kept)
    assert list_writes(entry, moved, target, remote, kept) == ()
    for write in list_writes(entry, table, target, remote, kept):
        assert write.change is not Change.DELETE
    theirs = [item for item in moved.routes if not is_own(item)]
    assert [(item.name, item.prefix) for item in theirs] == [
        (item.name, item.prefix) for item in table.routes
    ]
    assert len({item.prefix for item in moved.routes}) == len(moved.routes)


@given(ROUTES, st.lists(NEAR, min_size=1, max_size=3, unique=True), st.lists(NEAR, max_size=4))
def test_an_overlay_moves_the_remote_prefixes_and_nothing_else(
    rows: list[tuple[IPv4Network, IPv4Address]],
    remote: list[IPv4Network],
    kept: list[IPv4Network],
) -> None:
    """Every address of a kept space goes as before; every other remote one by the backup."""
    routes = (route(f"r{n}", str(prefix), HERE) for n, (prefix, _) in enumerate(rows))
    table = make_table(*routes)
    moved = compute_routes(ENTRY, table, Path.IPSEC, remote, kept)
    for space in kept:
        for piece in split_prefix(moved, (), space):
            assert piece.route is None or piece.route.address == HERE
    for prefix in remote:
        for part in split_around(prefix, kept):
            for piece in split_prefix(table, (), part):
                if piece.route is not None:
                    after = split_prefix(moved, (), piece.prefix)
                    assert {item.route and item.route.address for item in after} == {THERE}
    home = compute_routes(ENTRY, moved, Path.EXPRESSROUTE, remote, kept)
    assert home == table


@pytest.mark.parametrize(
    ("rows", "verdict"),
    [
        ([("10.1.0.0/16", THERE)], "HOLDS"),
        ([("10.1.0.0/17", THERE), ("10.1.128.0/17", THERE)], "HOLDS"),
        ([("10.1.0.0/17", THERE)], "FAILS"),
        ([("10.0.0.0/8", THERE)], "FAILS"),
        ([("10.1.0.0/16", HERE)], "FAILS"),
        ([("10.1.0.0/16", THERE), ("10.1.4.0/24", HERE)], "FAILS"),
        ([], "FAILS"),
    ],
)
def test_answers_come_by_the_appliance_if_a_route_is_no_wider_than_the_spokes_prefix(
    rows: list[tuple[str, IPv4Address]], verdict: str
) -> None:
    table = make_table(*(route(f"r{n}", prefix, hop) for n, (prefix, hop) in enumerate(rows)))
    condition = check_return("hub2", Reading(table), (net("10.1.0.0/16"),), {THERE})
    assert condition.status.name == verdict, condition.message
    assert check_return("hub2", None, (net("10.1.0.0/16"),), {THERE}).status.name == "FAILS"
    unread = check_return("hub2", Reading(None, "no right"), (net("10.1.0.0/16"),), {THERE})
    assert unread.status.name == "UNKNOWN"


def test_spokes_are_tied_by_tables_in_common_directly_or_not() -> None:
    members = [("a", ["T1"]), ("b", ["t1", "t2"]), ("c", ["t2"]), ("d", ["t3"]), ("e", [])]
    assert find_groups(members) == (("a", "b", "c"), ("d",), ("e",))
