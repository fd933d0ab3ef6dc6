"""The checks of ``doctor``: decisions on plain values."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import jwt
import pytest

from erfailover.azure.client.raw_request import parse_claims
from erfailover.model.conditions import ConditionStatus
from erfailover.model.lease import LeaseRecord, LeaseStanding, LeaseState
from erfailover.model.observed import Reading, SiteSnapshot
from erfailover.model.site import Path, Role, Site, SpokeRouteTable
from erfailover.planning.doctor import environment, gateways, limits, rights, skus
from erfailover.planning.doctor.check import Check, CheckName, Group, compute_verdict
from erfailover.planning.doctor.checks import run_checks
from erfailover.planning.doctor.facts import (
    EVERYBODY,
    DenyAssignment,
    GatewayLoad,
    HostReachability,
    Identity,
    Lock,
    Policies,
    SignIn,
)
from erfailover.planning.doctor.permissions import ActionScope, Grant, list_groups, list_resources
from erfailover.planning.hazards.scene import NAMES, REMARKS
from erfailover.reporting import doctor as told
from tests.support import sites
from tests.support.doctor_facts import (
    FAILS,
    GROUP,
    HOLDS,
    NOW,
    PLACES,
    SITE,
    UNKNOWN,
    detail,
    facts,
    host,
    lines_of,
    make_circuits,
    prestage_site,
)
from tests.support.hazard_scenes import around
from tests.support.stores import ANNA

VNET2 = SITE.build_network_id("vnet2")
HAZARDS = {name.replace("_", "-") for name in (*NAMES, *REMARKS)}
"""The lines that ``hazards`` makes; each is provoked in the tests of that."""
OF_ROUTING = {CheckName.APPLIANCES, CheckName.RETURN_ROUTES, CheckName.ROUTE_TABLES}
"""The lines of a site with ``routing`` alone."""


def test_a_sound_site_passes_every_check() -> None:
    checks = run_checks(SITE, facts())
    assert {check.verdict for check in checks} == {HOLDS}
    assert {check.name for check in checks} == set(CheckName) - OF_ROUTING | HAZARDS
    assert compute_verdict(checks) is HOLDS


def test_lines_stand_in_the_order_of_their_groups() -> None:
    order = [list(Group).index(run_check.group) for run_check in run_checks(SITE, facts())]
    assert order == sorted(order)


def test_without_azure_only_what_can_be_told_is_told() -> None:
    checks = run_checks(SITE, facts(unreachable="no token", remedy="Sign in."))
    by_name = {check.name: check for check in checks}
    assert by_name[CheckName.CREDENTIALS].verdict is FAILS
    assert by_name[CheckName.CREDENTIALS].remedy == "Sign in."
    here = {CheckName.ENDPOINT_PATH, CheckName.STORE_PATH, CheckName.LEASE, CheckName.JOURNAL}
    assert set(by_name) == {CheckName.CREDENTIALS} | here


@pytest.mark.parametrize(
    ("verdicts", "required", "expected"),
    [
        ([HOLDS, HOLDS], True, HOLDS),
        ([HOLDS, UNKNOWN], True, UNKNOWN),
        ([HOLDS, UNKNOWN], False, HOLDS),
        ([UNKNOWN, FAILS], True, FAILS),
        ([FAILS], False, FAILS),
        ([], True, HOLDS),
    ],
)
def test_a_failure_counts_always_and_an_unknown_line_where_a_switch_rests_on_it(
    verdicts: list[ConditionStatus], required: bool, expected: ConditionStatus
) -> None:
    checks = [Check("x", Group.RUN, verdict, "", "", required) for verdict in verdicts]
    assert compute_verdict(checks) is expected


# Identity and rights.


APP = Identity("app", "application", "1", "t1")
GUEST = Identity("anna_example.org#EXT#@contoso", "user", "2", "t2")
ACROSS = replace(SITE, tenants={"t2": "default"})


@pytest.mark.parametrize(
    ("site", "signed", "verdict", "message"),
    [
        (SITE, [], HOLDS, "one tenant owns every subscription"),
        (SITE, [SignIn(APP), SignIn(APP)], HOLDS, "one tenant owns every subscription"),
        (SITE, [SignIn(replace(APP, managed=True))] * 2, HOLDS, "one tenant owns"),
        (ACROSS, [SignIn(APP), SignIn(replace(APP, tenant="t2"))], HOLDS, "2 tenants: t1, t2"),
        (
            ACROSS,
            [SignIn(replace(GUEST, tenant="t1")), SignIn(GUEST)],
            HOLDS,
            "token for each of 2 tenants",
        ),
        (ACROSS, [SignIn(APP), SignIn(None, "no token of tenant t2")], FAILS, "no token of"),
        (SITE, [SignIn(APP), SignIn(None, "in another tenant")], FAILS, "in another tenant"),
        (
            ACROSS,
            [SignIn(APP), SignIn(GUEST)],
            FAILS,
            "the tenants' tokens belong to different identities: application app",
        ),
        (ACROSS, [SignIn(APP), SignIn(replace(APP, name="b"))], FAILS, "different identities"),
        (
            ACROSS,
            [SignIn(replace(APP, managed=True))],
            FAILS,
            "a managed identity belongs to one tenant, but",
        ),
        (ACROSS, [None], UNKNOWN, "403"),
    ],
)
def test_every_tenant_gives_a_token_of_the_same_identity(
    site: Site, signed: list[SignIn | None], verdict: ConditionStatus, message: str
) -> None:
    sign_ins = {
        f"s{number}": Reading(sign_in, None if sign_in else "403")
        for number, sign_in in enumerate(signed)
    }
    checks = [check_tenant for check_tenant in rights.check_tenants(site, facts(sign_ins=sign_ins))]
    bad = [check for check in checks if check.verdict is not HOLDS] or checks
    assert [check.verdict for check in bad] == [verdict]
    assert message in bad[0].message
    if verdict is not HOLDS:
        assert bad[0].remedy
    assert bad[0].required is bool(site.tenants)


def test_what_can_sign_in_to_a_second_tenant_is_said_of_a_managed_identity() -> None:
    managed = {"s": Reading(SignIn(replace(APP, managed=True)))}
    (line,) = rights.check_tenants(ACROSS, facts(sign_ins=managed))
    for words in ("managed identity cannot", "multi-tenant application", "guest", "tenants:"):
        assert words in line.remedy


def test_a_missing_right_is_named_with_what_needs_it() -> None:
    network = list_resources(SITE, ActionScope.NETWORK)[0].lower()
    grants = {**facts().grants, network: Reading((Grant(("*/read",)),))}
    (bad,) = [line for line in lines_of(rights.check_rights, grants=grants) if line[0] is FAILS]
    assert bad[1].startswith("hub and spoke networks (vnet2): missing")
    assert "virtualNetworkPeerings/write" in bad[1]
    assert "switch: steps 1 to 5" in bad[1]


def test_rights_that_azure_does_not_tell_are_unverified() -> None:
    rows = lines_of(
        rights.check_rights, grants={name.lower(): Reading(None, "403") for name in PLACES}
    )
    assert {status for status, _ in rows} == {UNKNOWN}
    assert all("unverified: 403" in message for _, message in rows)


def test_polling_may_be_granted_elsewhere() -> None:
    narrow = Grant(("*",), ("*/locations/*", "*/publicIPAddresses/*"))
    grants = {grant: Reading((narrow,)) for grant in facts().grants}
    checks = list(rights.check_rights(SITE, facts(grants=grants)))
    assert {check.verdict for check in checks} == {HOLDS, UNKNOWN}
    assert not any(check.required for check in checks if check.verdict is UNKNOWN)


def test_whether_a_shared_store_may_be_written_is_said_to_be_unverified() -> None:
    shared = replace(SITE, state="azblob://acct/box/poc")
    assert lines_of(rights.check_rights, shared)[-1][0] is UNKNOWN


def make_locks(level: str, scope: str) -> dict[str, Any]:
    return {"locks": {GROUP: Reading((Lock("keep", scope, level),))}}


@pytest.mark.parametrize("scope", ["/subscriptions/0000", list_groups(SITE)[0].upper()])
def test_a_lock_against_writes_names_what_it_holds(scope: str) -> None:
    ((verdict, message),) = lines_of(rights.check_locks, **make_locks("ReadOnly", scope))
    assert verdict is FAILS
    assert "vnet1" in message
    assert "vng2" in message


def test_a_lock_elsewhere_is_in_nobodys_way() -> None:
    other = f"{list_groups(SITE)[0]}/providers/Microsoft.Network/virtualNetworks/vnet11"
    assert lines_of(rights.check_locks, **make_locks("ReadOnly", other)) == [
        (HOLDS, "no lock blocks a switch")
    ]


def test_a_lock_against_deletion_matters_where_peerings_are_removed() -> None:
    lock = make_locks("CanNotDelete", list_groups(SITE)[0])
    assert lines_of(rights.check_locks, **lock)[0][0] is FAILS
    assert lines_of(rights.check_locks, prestage_site(SITE), **lock)[0][0] is HOLDS


def test_a_lock_against_deletion_matters_where_a_failback_removes_routes() -> None:
    here, there = IPv4Address("10.2.1.4"), IPv4Address("10.3.1.4")
    entry = SpokeRouteTable("rt-spokes", here, there)
    site = replace(prestage_site(SITE), routing=(entry,))
    lock = make_locks("CanNotDelete", list_groups(SITE)[0])
    ((verdict, message),) = lines_of(rights.check_locks, site, **lock)
    assert verdict is FAILS
    assert message.endswith("could not remove the routes that a switch adds to rt-spokes")
    kept = replace(site, routing=(replace(entry, mode="replace"),))
    assert lines_of(rights.check_locks, kept, **lock)[0][0] is HOLDS


def test_policies_of_management_groups_are_said_not_to_be_evaluated() -> None:
    above = {GROUP: Reading(Policies((), ("Corp baseline",)))}
    ((verdict, message),) = lines_of(rights.check_policies, policies=above)
    assert verdict is UNKNOWN
    assert "Corp baseline" in message
    denied = {GROUP: Reading(Policies((("vnet1-to-vnet3", "/a/no"),), ("Corp baseline",)))}
    assert lines_of(rights.check_policies, policies=denied) == [
        (FAILS, "the policy assignment /a/no denies writing vnet1-to-vnet3")
    ]


# Gateways.


def test_a_prefix_is_learned_exactly_or_covered() -> None:
    assert "10.5.0.0/16 (exact match)" in lines_of(gateways.check_backup_gateway)[2][1]
    wide = sites.gateway(Role.BACKUP, sites.route("10.0.0.0/8"))
    observed = sites.make_snapshot(SITE, {}, (wide,))
    verdict, message = lines_of(gateways.check_backup_gateway, observed=observed)[2]
    assert verdict is HOLDS
    assert "covered: 10.5.0.0/16 by 10.0.0.0/8" in message


@pytest.mark.parametrize(
    ("actions", "principals", "excluded", "scope", "expected"),
    [
        (("*/write",), (EVERYBODY,), (), GROUP, FAILS),
        (("*/write",), ("1",), (), GROUP, FAILS),
        (("*/write",), ("another",), (), GROUP, UNKNOWN),
        (("*/write",), (EVERYBODY,), ("1",), GROUP, HOLDS),
        (("Microsoft.Compute/*",), (EVERYBODY,), (), GROUP, HOLDS),
        (("*",), (EVERYBODY,), (), "/subscriptions/0000/resourceGroups/rg-w", HOLDS),
        (("*/delete",), (EVERYBODY,), (), VNET2, FAILS),
    ],
)
def test_a_deny_assignment_is_judged_by_action_principal_and_scope(
    actions: tuple[str, ...],
    principals: tuple[str, ...],
    excluded: tuple[str, ...],
    scope: str,
    expected: ConditionStatus,
) -> None:
    deny_assignment = DenyAssignment("stack", scope, (Grant(actions),), principals, excluded)
    lines = lines_of(
        rights.check_denials,
        denials={GROUP: Reading((deny_assignment,))},
        identity=Reading(Identity("a", "user", "1", "2")),
    )
    assert [verdict for verdict, _ in lines] == [expected]


def test_a_deny_assignment_that_spares_child_scopes_denies_nothing_below() -> None:
    deny_assignment = DenyAssignment("x", GROUP, (Grant(("*",)),), (EVERYBODY,), whole_scope=False)
    lines = lines_of(rights.check_denials, denials={GROUP: Reading((deny_assignment,))})
    assert [verdict for verdict, _ in lines] == [HOLDS]
    unread = lines_of(rights.check_denials, denials={GROUP: Reading(None, "403")})
    assert [verdict for verdict, _ in unread] == [UNKNOWN]


@pytest.mark.parametrize(
    ("sku", "type_", "today", "expected", "word"),
    [
        ("VpnGw1AZ", "Vpn", date(2030, 1, 1), HOLDS, "VpnGw1AZ"),
        ("VpnGw2", "Vpn", date(2026, 9, 29), HOLDS, "retires on 2026-09-30"),
        ("VpnGw2", "Vpn", date(2026, 9, 30), FAILS, "retired on 2026-09-30"),
        ("Standard", "Vpn", date(2026, 4, 1), FAILS, "retired on 2026-03-31"),
        ("Standard", "ExpressRoute", date(2030, 1, 1), HOLDS, "Standard"),
        ("Basic", "Vpn", date(2026, 1, 1), FAILS, "does not support BGP"),
        ("ErGwScale", "ExpressRoute", date(2030, 1, 1), HOLDS, "ErGwScale"),
    ],
)
def test_a_sku_is_retired_from_its_day_on(
    sku: str, type_: str, today: date, expected: ConditionStatus, word: str
) -> None:
    now = datetime(today.year, today.month, today.day, tzinfo=UTC)
    readings = {role: Reading(detail(sku=sku, type_=type_)) for role in Role}
    verdict, message = lines_of(gateways.check_gateway_skus, now=now, gateways=readings)[0]
    assert verdict is expected
    assert word in message


@pytest.mark.parametrize(
    ("type_", "sku", "generation", "mbps"),
    [
        ("Vpn", "VpnGw1AZ", "", 650),
        ("Vpn", "VpnGw2AZ", "Generation1", 1_000),
        ("Vpn", "VpnGw2AZ", "Generation2", 1_250),
        ("Vpn", "VpnGw5", "", 10_000),
        ("Vpn", "Basic", "", 100),
        ("ExpressRoute", "ErGw1AZ", "", 1_000),
        ("ExpressRoute", "UltraPerformance", "", 10_000),
        ("ExpressRoute", "ErGwScale", "", None),
        ("Vpn", "VpnGwNext", "", None),
        ("Vpn", "", "", None),
    ],
)
def test_the_throughput_is_what_is_published_and_otherwise_unknown(
    type_: str, sku: str, generation: str, mbps: int | None
) -> None:
    expected = None if mbps is None else mbps * 1e6
    assert skus.find_capacity_bps(type_, sku, generation) == expected


def test_more_load_than_the_backup_carries_fails_and_an_unknown_load_is_told() -> None:
    most = Reading(GatewayLoad(1e8, 651e6, "24 hours"))
    ((verdict, message),) = lines_of(gateways.check_throughput, load=most)
    assert verdict is FAILS
    assert "up to 651 Mbit/s" in message
    assert lines_of(gateways.check_throughput, load=Reading(None, "no values"))[0][0] is UNKNOWN
    unknown = {Role.BACKUP: Reading(detail(sku="New"))}
    assert lines_of(gateways.check_throughput, gateways=unknown)[0][0] is UNKNOWN


@pytest.mark.parametrize(
    ("sku", "warning"), [("VpnGw2", True), ("Standard", True), ("Basic", False)]
)
def test_a_retired_sku_is_a_warning_and_one_without_bgp_a_failure(sku: str, warning: bool) -> None:
    readings = {role: Reading(detail(sku=sku)) for role in Role}
    lines = list(gateways.check_gateway_skus(SITE, facts(gateways=readings)))
    assert {line.verdict for line in lines} == {FAILS}
    assert {line.warning for line in lines} == {warning}
    assert compute_verdict(lines) is (HOLDS if warning else FAILS)
    assert not warning or all("learn.microsoft.com" in line.remedy for line in lines)


def test_a_basic_public_address_is_a_warning() -> None:
    basic = replace(detail(), addresses=(("ip", "Basic"),))
    lines = list(gateways.check_address_skus(SITE, facts(gateways={Role.BACKUP: Reading(basic)})))
    assert [(line.verdict, line.warning) for line in lines] == [(FAILS, True)]


def test_throughput_says_over_how_many_tunnels_and_where_the_figure_is_published() -> None:
    ((_, message),) = lines_of(gateways.check_throughput)
    assert "over several tunnels, but it has one" in message
    assert "learn.microsoft.com/azure/vpn-gateway/about-gateway-skus" in message
    two = {Role.BACKUP: make_circuits("vng2", "Vpn", "Connected", "Connected")}
    assert "over 2 tunnels" in lines_of(gateways.check_throughput, circuits=two)[0][1]


@pytest.mark.parametrize(("count", "expected"), [(498, HOLDS), (499, HOLDS), (500, FAILS)])
def test_a_vnet_has_500_peerings_at_most_those_to_come_included(
    count: int, expected: ConditionStatus
) -> None:
    sound = facts().observed
    hub = SITE.build_network_id("vnet3").lower()
    some = sites.make_snapshot(SITE, sites.make_state(Path.IPSEC, SITE)).networks[hub].peerings[0]
    others = tuple(replace(some, id=f"{hub}/p/{n}", name=str(n)) for n in range(count))
    full = {**sound.networks, hub: replace(sound.networks[hub], peerings=others)}
    lines = lines_of(limits.check_limits, observed=replace(sound, networks=full))
    assert [verdict for verdict, _ in lines] == [expected]
    assert "azure-resource-manager" in lines[0][1]


@pytest.mark.parametrize(("count", "expected"), [(998, HOLDS), (999, HOLDS), (1000, FAILS)])
def test_an_expressroute_gateway_advertises_1000_prefixes_at_most(
    count: int, expected: ConditionStatus
) -> None:
    express = replace(sites.gateway(Role.PRIMARY), type="ExpressRoute")
    observed = replace(facts().observed, gateways={Role.PRIMARY: express})
    own = around()
    spoke = own.networks[SITE.build_network_id("vnet1").lower()].value
    assert spoke is not None
    space = tuple(IPv4Network(f"11.{n // 250}.{n % 250}.0/24") for n in range(count))
    wide = Reading(replace(spoke, address_space=space))
    networks = {**own.networks, SITE.build_network_id("vnet1").lower(): wide}
    routing_environment = replace(own, networks=networks)
    verdicts = [
        v for v, _ in lines_of(limits.check_limits, observed=observed, around=routing_environment)
    ]
    assert verdicts == [expected]
    hub = routing_environment.networks[SITE.build_network_id("vnet2").lower()].value
    assert hub is not None
    summary = Reading(replace(hub, summarized=(IPv4Network("11.0.0.0/8"),)))
    summed = replace(
        routing_environment, networks={**networks, SITE.build_network_id("vnet2").lower(): summary}
    )
    assert lines_of(limits.check_limits, observed=observed, around=summed)[0][0] is HOLDS


# What a switch runs on.


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, HOLDS), (-29, HOLDS), (30, UNKNOWN), (-299, UNKNOWN), (300, FAILS), (-4000, FAILS)],
)
def test_a_clock_may_be_a_little_wrong(seconds: int, expected: ConditionStatus) -> None:
    rows = lines_of(environment.check_clock, date=Reading(NOW - timedelta(seconds=seconds)))
    assert [verdict for verdict, _ in rows] == [expected]


def test_room_is_left_for_a_switch_and_no_more_than_a_bucket_is_asked_for() -> None:
    def verdicts(site: Site, writes: int) -> list[ConditionStatus]:
        readings = {("s", "writes"): Reading(writes)}
        return [
            verdict
            for verdict, _ in lines_of(environment.check_throttling, site, remaining=readings)
        ]

    assert verdicts(SITE, 20) == [HOLDS]
    assert verdicts(SITE, 5) == [FAILS]
    dozens = sites.site(*(f"vnet{number}" for number in range(10, 60)))
    assert verdicts(dozens, 190) == [HOLDS]
    assert verdicts(dozens, 20) == [FAILS]


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        (["4.150.240.10"], HOLDS),
        (["127.0.0.1"], HOLDS),
        (["10.5.7.7"], FAILS),
        (["4.150.240.10", "10.5.7.7"], FAILS),
        (["10.77.0.4"], FAILS),
        (["192.168.1.1"], UNKNOWN),
        ([], UNKNOWN),
    ],
)
def test_a_host_behind_the_circuit_is_told(addresses: list[str], expected: ConditionStatus) -> None:
    learned = (sites.route("10.77.0.0/16"), sites.route("0.0.0.0/0"), sites.route("nonsense"))
    gateway = sites.gateway(Role.PRIMARY, *learned)
    observed = sites.make_snapshot(SITE, {}, (gateway,))
    host_reachability = host(environment.ENDPOINT, *addresses)
    assert environment.check_host_path(SITE, observed, host_reachability)[0] is expected


def test_a_proxy_is_what_is_reached_and_is_named() -> None:
    host_reachability = host(environment.ENDPOINT, "10.5.0.1", proxy="proxy.example")
    verdict, message = environment.check_host_path(SITE, facts().observed, host_reachability)
    assert verdict is FAILS
    assert "through the proxy proxy.example" in message


def test_a_name_that_cannot_be_resolved_is_unknown() -> None:
    host_reachability = HostReachability(
        environment.STORE, "h", Reading(None, "h cannot be resolved: no such host")
    )
    verdict, message = environment.check_host_path(
        SITE, SiteSnapshot("", {}, {}), host_reachability
    )
    assert verdict is UNKNOWN
    assert "cannot be resolved" in message


@pytest.mark.parametrize(
    ("standing", "expected"),
    [
        (LeaseStanding.FREE, HOLDS),
        (LeaseStanding.LIVE, FAILS),
        (LeaseStanding.EXPIRED, HOLDS),
        (LeaseStanding.ORPHANED, HOLDS),
    ],
)
def test_only_a_live_lease_is_in_the_way(
    standing: LeaseStanding, expected: ConditionStatus
) -> None:
    record = LeaseRecord(ANNA, NOW.timestamp() - 60)
    ((verdict, message),) = lines_of(
        environment.check_lease, lease=Reading(LeaseState(standing, record))
    )
    assert verdict is expected
    assert (ANNA.name in message) is (standing is not LeaseStanding.FREE)
    ((verdict, _),) = lines_of(
        environment.check_lease, lease=Reading(LeaseState(LeaseStanding.LIVE))
    )
    assert verdict is FAILS


# What is shown.


def test_a_line_that_does_not_hold_says_so_in_words_with_its_remedy() -> None:
    checks = [
        Check("one", Group.RUN, FAILS, "seen", "mend it"),
        Check("two", Group.RUN, UNKNOWN, "seen", "look", required=False),
    ]
    text = told.format_text(SITE, checks)
    assert "poc: NOT ready for a switch (1 FAIL, 1 unknown)." in text
    assert "     FAIL  one: seen\n           -> mend it" in text
    assert "unknown*  two" in text
    assert "* a switch does not depend on it" in text


HEADER = "eyJhbGciOiJIUzI1NiJ9"
"""``{"alg":"HS256"}``."""


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "Bearer x",
        "Bearer a.b.c",
        "Bearer a.!!!.c",
        "Bearer a.WzFd.c",
        f"Bearer {HEADER}.!!!.cw",
        f"Bearer {HEADER}.WzFd.cw",
    ],
)
def test_a_token_that_cannot_be_read_has_no_claims(sent: str) -> None:
    assert parse_claims(sent) == {}


def test_the_claims_of_a_token_are_read_without_its_signature() -> None:
    assert parse_claims(f"Bearer {HEADER}.eyJvaWQiOiAiMSJ9.cw") == {"oid": "1"}


def test_the_claims_of_a_token_that_has_expired_are_read_all_the_same() -> None:
    by_name = {"oid": "1", "exp": 1, "nbf": 2**40, "aud": "https://management.azure.com"}
    token = jwt.encode(by_name, "k" * 32, algorithm="HS256")
    assert parse_claims(f"Bearer {token}") == by_name
