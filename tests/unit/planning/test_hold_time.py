"""How long the primary has been healthy before a switch back: the count, and the sessions."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erfailover.model.conditions import Condition, ConditionStatus
from erfailover.model.edge_sessions import EdgeNeighbor, EdgeSessions, parse_uptime_s
from erfailover.model.observed import EXPRESSROUTE, VPN, Reading, SiteSnapshot
from erfailover.model.site import Role
from erfailover.planning.switch import gates
from erfailover.planning.switch.hold_time import (
    LONGEST_GAP_S,
    READING_COUNTS_S,
    HoldTimeCount,
    SessionUptime,
    compute_left_s,
    describe_basis,
    find_longest_session,
)
from tests.support import sites

HOLDS, FAILS, UNKNOWN = ConditionStatus.HOLDS, ConditionStatus.FAILS, ConditionStatus.UNKNOWN
SITE = sites.site()
HOLD_S = SITE.timing.failback_hold_time_s
DAYS_3 = "3.03:14:13.1796961"
LONG = SessionUptime(3 * 86400.0, "circuit c1 with AS 65020")
NOT_READ = SessionUptime(None, "", ("circuit c1: refused by Azure",))


def make_learned_condition(verdict: ConditionStatus) -> Condition:
    return Condition(
        "learned", verdict, {FAILS: "er has not learned 10.5.0.0/16 by BGP"}.get(verdict, "")
    )


def count_readings(*readings: tuple[float, ConditionStatus]) -> HoldTimeCount:
    count = HoldTimeCount()
    for at_s, verdict in readings:
        count = count.add_reading(at_s, make_learned_condition(verdict))
    return count


def every(
    step_s: float, until_s: float, verdict: ConditionStatus = HOLDS
) -> list[tuple[float, ConditionStatus]]:
    return [(step_s * number, verdict) for number in range(int(until_s / step_s) + 1)]


def test_the_first_reading_that_shows_every_prefix_starts_the_count_at_nothing() -> None:
    assert count_readings((1000.0, HOLDS)) == HoldTimeCount(0.0, 1000.0)
    assert count_readings((0.0, FAILS), (5.0, UNKNOWN)) == HoldTimeCount()


def test_readings_ten_seconds_apart_count_in_full() -> None:
    assert count_readings(*every(10.0, 120.0)).seen_s == 120.0


@pytest.mark.parametrize(
    ("gap_s", "seen_s"), [(15.0, 15.0), (16.0, 15.0), (59.9, 15.0), (60.0, 0.0), (3600.0, 0.0)]
)
def test_a_reading_vouches_for_fifteen_seconds_and_a_minute_without_one_starts_again(
    gap_s: float, seen_s: float
) -> None:
    count = count_readings((0.0, HOLDS), (gap_s, HOLDS))
    assert count.seen_s == seen_s
    assert count.restarts == (gap_s >= LONGEST_GAP_S)


def test_a_missing_prefix_starts_the_count_again_and_says_why() -> None:
    count = count_readings(*every(10.0, 100.0), (110.0, FAILS), (120.0, HOLDS), (130.0, HOLDS))
    assert (count.seen_s, count.restarts) == (10.0, 1)
    assert count.why == "er has not learned 10.5.0.0/16 by BGP"


def test_an_unknown_reading_neither_counts_nor_starts_again() -> None:
    before = count_readings(*every(10.0, 50.0))
    assert before.add_reading(60.0, make_learned_condition(UNKNOWN)) is before
    assert count_readings(*every(10.0, 50.0), (60.0, UNKNOWN), (64.0, HOLDS)).seen_s == 64.0
    assert count_readings((0.0, HOLDS), *every(10.0, 70.0, UNKNOWN), (75.0, HOLDS)).seen_s == 0.0


STEPS = st.lists(
    st.tuples(st.floats(0.1, 90.0), st.sampled_from(list(ConditionStatus))), min_size=1, max_size=40
)


@given(STEPS)
def test_the_count_never_exceeds_what_could_have_been_seen(
    steps: list[tuple[float, ConditionStatus]],
) -> None:
    """Whatever is read, the count covers only time since the last reading that failed."""
    now, since, good = 0.0, None, 0
    count = HoldTimeCount()
    for gap_s, verdict in steps:
        now += gap_s
        before, count = count, count.add_reading(now, make_learned_condition(verdict))
        if verdict is UNKNOWN:
            assert count is before
        if verdict is FAILS:
            since, good = None, 0
            assert (count.seen_s, count.last_s) == (0.0, None)
        if verdict is HOLDS:
            since, good = (now if since is None else since), good + 1
            assert count.last_s == now
            assert count.seen_s <= min(now - since, READING_COUNTS_S * (good - 1)) + 1e-6
            if before.last_s is not None and now - before.last_s < LONGEST_GAP_S:
                assert count.seen_s > before.seen_s


def test_every_sequence_of_four_readings_counts_what_its_definition_says() -> None:
    """The definition, written the other way round: from the end back to the last restart."""
    gaps = (5.0, 15.0, 30.0, 60.0)
    for verdicts in product(ConditionStatus, repeat=4):
        for spaces in product(gaps, repeat=3):
            times = [sum(spaces[:number]) for number in range(4)]
            good: list[float] = []
            for at_s, verdict in zip(times, verdicts, strict=True):
                if verdict is FAILS or (verdict is HOLDS and good and at_s - good[-1] >= 60.0):
                    good = []
                if verdict is HOLDS:
                    good.append(at_s)
            pairs = pairwise(good)
            expected = sum(min(later - earlier, 15.0) for earlier, later in pairs)
            assert count_readings(*zip(times, verdicts, strict=True)).seen_s == expected


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("00:25:24", 25 * 60 + 24),
        ("1d02h", 26 * 3600),
        ("3w4d", 25 * 86400),
        ("8w4d", 60 * 86400),
        ("1y23w", (365 + 161) * 86400),
        ("1w2d 3:04:05", 9 * 86400 + 3 * 3600 + 245),
        (DAYS_3, 3 * 86400 + 3 * 3600 + 14 * 60 + 13),
        (" 00:00:05 ", 5),
        ("never", None),
        ("", None),
        ("5:07", None),
        ("1d2", None),
        ("Established", None),
        ("-00:00:05", None),
        ("00:99:00", None),
    ],
)
def test_an_up_down_is_read_in_the_forms_that_routers_print(
    text: str, seconds: float | None
) -> None:
    assert parse_uptime_s(text) == seconds


def row(up_down: str = "1d02h", state: str = "3", asn: int | None = 65020) -> EdgeNeighbor:
    return EdgeNeighbor("192.168.1.1", asn, up_down, state)


GATEWAY = EdgeNeighbor("10.2.0.12", 65515, "8w4d", "2")


def circuit(
    primary: tuple[EdgeNeighbor, ...] | str,
    secondary: tuple[EdgeNeighbor, ...] | str,
    name: str = "c1",
) -> EdgeSessions:
    def reading(result: tuple[EdgeNeighbor, ...] | str) -> Reading[tuple[EdgeNeighbor, ...]]:
        return Reading(None, result) if isinstance(result, str) else Reading(result)

    paths = {"primary": reading(primary), "secondary": reading(secondary)}
    return EdgeSessions(name, 65020, paths)


@pytest.mark.parametrize(
    ("primary", "secondary", "up_s"),
    [
        ((row(), GATEWAY), (row("00:00:40"), GATEWAY), 26 * 3600.0),
        ((row("00:00:40"),), (row("00:00:10"),), 40.0),
        ((row("never", "Idle"),), (row("00:00:10"),), 10.0),
        ((row("3w4d", "Active"),), (row("3w4d", "Idle"),), 0.0),
        ((row("3w4d", "Idle (Admin)"),), (row("3w4d", "OpenSent"),), 0.0),
        ((GATEWAY,), (GATEWAY,), None),
        ((), (), None),
        ("refused", "refused", None),
        ("refused", (row("00:00:10"),), None),
        ("refused", (row(),), 26 * 3600.0),
        ((row("soon"),), (row("00:00:10"),), None),
        ((row(state="Shrug"),), (row("00:00:10"),), None),
        ((row(state=""),), (row(),), 26 * 3600.0),
        ((row("00:02:10", "10/12/12/0"),), (row("00:00:10", "Establ"),), 130.0),
    ],
)
def test_the_longest_session_with_the_customer_edge_counts_and_no_other(
    primary: tuple[EdgeNeighbor, ...] | str,
    secondary: tuple[EdgeNeighbor, ...] | str,
    up_s: float | None,
) -> None:
    session_uptime = find_longest_session([circuit(primary, secondary)], HOLD_S)
    assert session_uptime.up_s == up_s
    assert bool(session_uptime.circuit) == (up_s is not None)
    assert session_uptime.unknown or up_s is not None


def test_without_a_circuit_or_its_asn_no_session_is_known() -> None:
    assert find_longest_session([], HOLD_S).unknown == ("the gateway lists no circuit",)
    unread = EdgeSessions("c1", None, {}, "refused by Azure")
    assert find_longest_session([unread], HOLD_S) == NOT_READ
    nameless = EdgeSessions("c1", None, {"primary": Reading((row(asn=None),))})
    assert find_longest_session([nameless], HOLD_S).up_s is None


def test_a_second_circuit_that_has_been_up_for_longer_counts() -> None:
    young, old = circuit((row("00:00:05"),), ()), circuit((row(),), (row(),), "c2")
    session_uptime = find_longest_session([young, old], HOLD_S)
    assert (session_uptime.up_s, session_uptime.circuit) == (
        26 * 3600.0,
        "circuit c2 with AS 65020",
    )


def express(*prefixes: str) -> SiteSnapshot:
    """The review's gateway: both edge peers up for three days, whatever the circuit did."""
    edges = tuple(
        replace(sites.peer(f"10.2.0.{number}"), asn=12076, connected_duration=DAYS_3)
        for number in (4, 5)
    )
    routes = [
        sites.route(prefix, source=edge.neighbor)._replace(as_path="12076-65020")
        for prefix in prefixes
        for edge in edges
    ]
    own = sites.route("10.2.0.0/16", "Network", "10.2.0.12")
    gateway = replace(
        sites.gateway(Role.PRIMARY, own, *routes, peers=edges),
        type=EXPRESSROUTE,
        bgp_addresses=("10.2.0.12", "10.2.0.13"),
    )
    return sites.make_snapshot(SITE, {}, (gateway,))


def test_a_prefix_that_is_back_for_five_seconds_does_not_hold_although_the_peers_are_old() -> None:
    condition = gates.check_hold_time(SITE, express("10.5.0.0/16"), HoldTimeCount(5.0, 5.0), LONG)
    assert condition.status is FAILS
    assert condition.message.startswith("vng1: every remote prefix seen for 5 s of 2 min")


@pytest.mark.parametrize(
    ("seen_s", "session", "verdict", "text"),
    [
        (120.0, LONG, HOLDS, "the BGP session of circuit c1 with AS 65020 has been up for 3 d"),
        (119.0, LONG, FAILS, "every remote prefix seen for 1 min 59 s of 2 min"),
        (500.0, SessionUptime(119.0, "c"), FAILS, "has been up for 1 min 59 s"),
        (500.0, SessionUptime(0.0, "c"), FAILS, "the BGP session of c is down"),
        (120.0, NOT_READ, HOLDS, "so only erfailover's own readings count"),
        (119.0, NOT_READ, FAILS, "unknown (circuit c1: refused by Azure)"),
    ],
)
def test_the_shorter_of_session_and_count_decides(
    seen_s: float, session: SessionUptime, verdict: ConditionStatus, text: str
) -> None:
    condition = gates.check_hold_time(
        SITE, express("10.5.0.0/16"), HoldTimeCount(seen_s, 0.0), session
    )
    assert condition.status is verdict
    assert text in condition.message
    assert (compute_left_s(HoldTimeCount(seen_s), session, HOLD_S) == 0) == (verdict is HOLDS)


def test_a_last_reading_that_lacks_a_prefix_or_is_unknown_does_not_hold() -> None:
    enough = HoldTimeCount(500.0, 0.0)
    assert gates.check_hold_time(SITE, express("10.9.0.0/16"), enough, LONG).status is FAILS
    unread = sites.make_snapshot(SITE, {}, ())
    assert gates.check_hold_time(SITE, unread, enough, LONG).status is UNKNOWN


def test_a_vpn_gateway_that_stands_in_is_measured_by_its_own_session() -> None:
    old = replace(sites.peer(), connected_duration="00:02:01")
    gateway = sites.gateway(Role.PRIMARY, sites.route("10.5.0.0/16"), peers=(old,))
    stand_in = sites.make_snapshot(SITE, {}, (gateway,))
    assert gates.check_hold_time(SITE, stand_in, HoldTimeCount(), NOT_READ).status is HOLDS


def test_what_the_hold_time_rests_on_is_said_in_words() -> None:
    assert describe_basis(SITE, VPN).endswith(
        "measured by the connected duration of vng1's BGP session"
    )
    assert "if their route table summaries can be read" in describe_basis(SITE, EXPRESSROUTE)
    assert "circuit c1 with AS 65020: up for 3 d" in describe_basis(SITE, EXPRESSROUTE, LONG)
    text = describe_basis(SITE, EXPRESSROUTE, NOT_READ)
    assert "measured by how long erfailover itself has seen every remote prefix" in text
    assert "unknown (circuit c1: refused by Azure)" in text
