"""Hubs with two gateways: what they carry between them."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network
from itertools import product

import pytest

from erfailover.model.conditions import Condition, ConditionStatus
from erfailover.model.observed import EXPRESSROUTE, Gateway, Reading
from erfailover.model.site import Path, Role
from erfailover.planning.coexistence import (
    check_any,
    check_coexistence,
    check_hub_learned,
    list_warnings,
)
from erfailover.planning.health import judge
from tests.support import sites

HOLDS, FAILS, UNKNOWN = ConditionStatus.HOLDS, ConditionStatus.FAILS, ConditionStatus.UNKNOWN
SITE = sites.site()
ONE, TWO = IPv4Network("10.5.0.0/16"), IPv4Network("10.6.0.0/16")


def gateway(name: str, *prefixes: str, asn: int = 65020, unread: bool = False) -> Gateway:
    """A gateway with one connected peer that has learned some prefixes, and originates vnet1."""
    peer = replace(sites.peer("10.9.9.9"), asn=asn)
    own = sites.route("10.1.0.0/16", "Network", "10.2.0.254")
    routes = [sites.route(prefix, source="10.9.9.9") for prefix in prefixes]
    result = replace(sites.gateway(Role.PRIMARY, own, *routes, peers=(peer,)), name=name)
    if asn == 12076:
        result = replace(result, type=EXPRESSROUTE)
    return replace(result, learned_routes=Reading(None, "timed out")) if unread else result


def test_whichever_gateway_makes_a_condition_hold_decides() -> None:
    gateways = {name: gateway(name) for name in ("a", "b")}
    for verdicts in product(ConditionStatus, repeat=2):
        statuses = dict(zip(gateways, verdicts, strict=True))

        def condition(
            of: Gateway | None, by_name: dict[str, ConditionStatus] = statuses
        ) -> Condition:
            assert of is not None
            return Condition("condition", by_name[of.name], of.name)

        checked = check_any(tuple(gateways.values()), condition)
        expected = HOLDS if HOLDS in verdicts else UNKNOWN if UNKNOWN in verdicts else FAILS
        assert checked.status is expected
        if expected is HOLDS:
            assert statuses[checked.message] is HOLDS
        else:
            assert checked.message == "a; b"


@pytest.mark.parametrize(
    ("first", "second", "verdict", "message"),
    [
        (("10.5.0.0/16", "10.6.0.0/16"), (), HOLDS, "er has learned 10.5.0.0/16, 10.6.0.0/16"),
        ((), ("10.4.0.0/14",), HOLDS, "vpn has learned 10.5.0.0/16, 10.6.0.0/16"),
        (("10.5.0.0/16",), ("10.6.0.0/16",), HOLDS, "er has learned 10.5.0.0/16; vpn has learned"),
        (("10.5.0.0/16",), (), FAILS, "er has not learned 10.6.0.0/16 by BGP; vpn has not learned"),
        ((), (), FAILS, "er has not learned 10.5.0.0/16 by BGP"),
    ],
)
def test_a_hub_has_learned_what_its_gateways_have_between_them(
    first: tuple[str, ...], second: tuple[str, ...], verdict: ConditionStatus, message: str
) -> None:
    gateways = gateway("er", *first, asn=12076), gateway("vpn", *second)
    condition = check_hub_learned(gateways, Role.PRIMARY, (ONE, TWO))
    assert condition.status is verdict
    assert condition.message.startswith(message)


def test_a_second_gateway_that_cannot_be_read_may_have_taken_over() -> None:
    gateways = gateway("er", "10.5.0.0/16", asn=12076), gateway("vpn", unread=True)
    assert check_hub_learned(gateways, Role.PRIMARY, (ONE,)).status is HOLDS
    assert check_hub_learned(gateways, Role.PRIMARY, (ONE, TWO)).status is UNKNOWN


def test_the_health_of_the_primary_path_is_that_of_both_gateways() -> None:
    def judge_primary(
        *beside: Gateway, has: tuple[str, ...] = ()
    ) -> tuple[bool | None, tuple[str, ...]]:
        state = sites.make_state(Path.EXPRESSROUTE, SITE)
        snapshot = sites.make_snapshot(SITE, state, (gateway("er", *has, asn=12076),))
        health = judge(SITE, replace(snapshot, beside={Role.PRIMARY: beside}))
        return health.healthy, tuple(
            warning for warning in health.warnings if "taken over" in warning
        )

    assert judge_primary()[0] is False
    healthy, names = judge_primary(gateway("vpn", "10.5.0.0/16"))
    assert (healthy, len(names)) == (True, 1)
    assert judge_primary(gateway("vpn", "10.5.0.0/16"), has=("10.5.0.0/16",)) == (True, ())
    assert judge_primary(gateway("vpn"))[0] is False
    assert judge_primary(gateway("vpn", unread=True))[0] is None
    p2s = replace(gateway("p2s", unread=True), bgp=False, static_tunnels=Reading(()))
    assert judge_primary(p2s)[0] is False
    assert judge_primary(replace(p2s, static_tunnels=Reading(None, "refused")))[0] is None


def test_a_gateway_of_the_hub_that_was_not_read_is_unknown() -> None:
    snapshot = sites.make_snapshot(SITE, {})
    hub_id = SITE.build_network_id("vnet2").lower()
    hub = replace(snapshot.networks[hub_id], gateways=("/g/vng1", "/g/second"))
    (condition,) = check_coexistence(
        SITE, replace(snapshot, networks={**snapshot.networks, hub_id: hub})
    )
    assert condition.status is UNKNOWN
    assert "second" in condition.message
    assert list(list_warnings(SITE, snapshot)) == []
    unread = sites.make_snapshot(SITE, {}, vnet2="refused")
    assert [item.status for item in check_coexistence(SITE, unread)] == [UNKNOWN]
