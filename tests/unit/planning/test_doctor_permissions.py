"""Which rights are needed, on what; what a role grants; the roles that are printed."""

from __future__ import annotations

import re
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

import pytest

from erfailover.model.probes import InterfaceRoute, MachinePing, NextHop
from erfailover.model.resource_ids import PEERING
from erfailover.model.site import SiteFailoverTest, SpokeRouteTable
from erfailover.planning.doctor.permissions import (
    NEEDS,
    ActionScope,
    Grant,
    RoleKind,
    build_role_definition,
    can_remove_peerings,
    is_granted,
    list_groups,
    list_needs,
    list_providers,
    list_resources,
    list_scopes,
    select_actions,
)
from tests.support import sites
from tests.support.doctor_facts import DRILL, prestage_site

SITE = sites.site("vnet1", "vnet9")

WHOLE = replace(
    SITE,
    drill=DRILL,
    routing=(SpokeRouteTable("rt1", IPv4Address("10.2.2.4"), IPv4Address("10.3.2.4")),),
    probes={
        "office": MachinePing("vm1", IPv4Address("10.5.0.4"), through="vm3"),
        "hop": NextHop("vm1", IPv4Address("10.5.0.4"), "VirtualNetworkGateway"),
        "route": InterfaceRoute("vm1-nic1", IPv4Network("10.5.0.0/16"), "VirtualNetworkGateway"),
    },
)

EXPRESSROUTE = replace(SITE, drill=SiteFailoverTest("Amsterdam"))


@pytest.mark.parametrize(
    ("grant", "action", "expected"),
    [
        (Grant(("*",)), "Microsoft.Network/virtualNetworks/write", True),
        (Grant(("*/read",)), "Microsoft.Network/virtualNetworks/read", True),
        (Grant(("*/read",)), "Microsoft.Network/virtualNetworks/peer/action", False),
        (Grant(("Microsoft.Network/*",)), "microsoft.network/virtualnetworks/write", True),
        (Grant(("Microsoft.Network/*/peer/action",)), "Microsoft.Network/a/peer/action", True),
        (Grant(("Microsoft.Network/a/read",)), "Microsoft.Network/a/b/read", False),
        (Grant(("Microsoft.Network/a/*",)), "Microsoft.Networks/a/read", False),
        (Grant(("*",), ("Microsoft.Network/*/write",)), "Microsoft.Network/a/write", False),
        (Grant(("a.b/read",)), "axb/read", False),
        (Grant(()), "Microsoft.Network/a/read", False),
    ],
)
def test_an_assignment_grants_what_its_actions_match_and_its_not_actions_do_not(
    grant: Grant, action: str, expected: bool
) -> None:
    assert grant.has_action(action) is expected


def test_what_one_assignment_leaves_out_another_can_grant() -> None:
    contributor = Grant(("*",), ("Microsoft.Authorization/*/write",))
    assert not is_granted("Microsoft.Authorization/locks/write", [contributor])
    assert is_granted("Microsoft.Authorization/locks/write", [contributor, Grant(("*/locks/*",))])
    assert not is_granted("Microsoft.Network/a/read", [])


def test_no_action_stands_in_the_table_or_a_role_twice() -> None:
    assert len({(permission.action, permission.on) for permission in NEEDS}) == len(NEEDS)
    for role in RoleKind:
        actions = build_role_definition(WHOLE, role)["Actions"]
        assert len(set(actions)) == len(actions)


def test_a_site_needs_only_what_it_has() -> None:
    assert {need.on for need in list_needs(SITE)} == set(ActionScope) - {
        ActionScope.MACHINE,
        ActionScope.INTERFACE,
        ActionScope.LOCAL_GATEWAY,
        ActionScope.WATCHER,
        ActionScope.OF_MACHINE,
        ActionScope.MOVED_TABLE,
        ActionScope.SPOKE_INTERFACE,
        ActionScope.APPLIANCE,
    }
    assert {need.on for need in list_needs(WHOLE)} == set(ActionScope)
    assert not any("Compute" in need.action for need in list_needs(SITE))


def test_a_next_hop_runs_nothing_in_the_machine_and_asks_a_network_watcher() -> None:
    hop = NextHop("vm1", IPv4Address("10.5.0.4"), "VirtualNetworkGateway")
    site = replace(SITE, probes={"hop": hop})
    actions = {need.action for need in list_needs(site)}
    assert {
        "Microsoft.Network/networkWatchers/read",
        "Microsoft.Network/networkWatchers/nextHop/action",
        "Microsoft.Compute/virtualMachines/read",
        "Microsoft.Network/networkInterfaces/read",
    } <= actions
    assert not any("runCommand" in action for action in actions)
    group = "/subscriptions/0000/resourceGroups/NetworkWatcherRG"
    assert list_scopes(site, ActionScope.WATCHER) == (group,)
    assert group in build_role_definition(site, RoleKind.SWITCH)["AssignableScopes"]
    assert group not in build_role_definition(site, RoleKind.READ)["AssignableScopes"]
    assert group not in build_role_definition(SITE, RoleKind.SWITCH)["AssignableScopes"]


def test_deletion_is_needed_only_where_peerings_are_removed() -> None:
    delete = f"{PEERING}/delete"
    assert can_remove_peerings(SITE)
    assert delete in {need.action for need in list_needs(SITE)}
    assert not can_remove_peerings(prestage_site(SITE))
    assert delete not in {need.action for need in list_needs(prestage_site(SITE))}
    assert not can_remove_peerings(replace(SITE, prestaged=True))


def test_a_site_failover_test_is_started_only_where_the_site_file_has_one() -> None:
    start = "Microsoft.Network/virtualNetworkGateways/startSiteFailoverTest/action"
    assert start in {need.action for need in list_needs(EXPRESSROUTE)}
    assert start not in {need.action for need in list_needs(SITE)}


def test_what_the_site_file_does_not_name_is_looked_for_beside_what_it_names() -> None:
    far = (
        "/subscriptions/1/resourceGroups/Hubs/providers/Microsoft.Network/virtualNetworkGateways/g"
    )
    site = replace(SITE, backup=replace(SITE.backup, gateway=far))
    own = "/subscriptions/0000/resourceGroups/rg-we"
    assert list_scopes(site, ActionScope.CONNECTED) == (own, "/subscriptions/1/resourceGroups/Hubs")
    assert list_scopes(site, ActionScope.ROUTE_TABLE) == (own,)


def test_a_role_takes_further_scopes_each_once() -> None:
    own, other = "/subscriptions/0000/resourceGroups/rg-we", "/subscriptions/2"
    role_definition = build_role_definition(SITE, RoleKind.READ, [other, own.upper(), other])
    assert role_definition["AssignableScopes"] == [own, other]


def test_the_reading_role_changes_nothing() -> None:
    reading = list_needs(WHOLE, RoleKind.READ)
    pattern = re.compile(
        r"/read|/(getBgpPeerStatus|getLearnedRoutes|getAdvertisedRoutes|learnedRoutes)/action"
    )
    assert all(pattern.search(permission.action) for permission in reading)
    tested = list_needs(EXPRESSROUTE, RoleKind.READ)
    assert {permission.action for permission in tested} - {
        permission.action for permission in reading
    } == {
        "Microsoft.Network/expressRouteCircuits/peerings/routeTablesSummary/read",
        "Microsoft.Network/expressRouteCircuits/read",
        "Microsoft.Network/virtualNetworkGateways/getFailoverAllTestsDetails/action",
    }
    assert set(reading) < set(list_needs(WHOLE))


def test_a_role_is_in_the_form_that_az_takes_and_holds_no_wildcard() -> None:
    role_definition = build_role_definition(WHOLE, RoleKind.SWITCH)
    assert list(role_definition) == [
        "Name",
        "IsCustom",
        "Description",
        "Actions",
        "NotActions",
        "DataActions",
        "NotDataActions",
        "AssignableScopes",
    ]
    assert role_definition["IsCustom"] is True
    assert not any("*" in item for item in role_definition["Actions"])
    assert role_definition["AssignableScopes"] == [
        "/subscriptions/0000/resourceGroups/rg-we",
        "/subscriptions/0000/resourceGroups/NetworkWatcherRG",
    ]


def test_resources_and_groups_are_named_once_whatever_their_case() -> None:
    hub = "/subscriptions/1/resourceGroups/Hubs/providers/Microsoft.Network/virtualNetworks/h"
    other = replace(SITE, primary=replace(SITE.primary, virtual_network=hub))
    other = replace(other, backup=replace(other.backup, virtual_network=hub.replace("H", "h")))
    assert list_resources(other, ActionScope.NETWORK)[0].lower() == hub.lower()
    assert len(list_resources(other, ActionScope.NETWORK)) == 3
    assert len(list_groups(other)) == 2
    assert [
        resource.rsplit("/", 1)[-1] for resource in list_resources(WHOLE, ActionScope.MACHINE)
    ] == [
        "vm1",
        "vm3",
    ]
    assert list_resources(SITE, ActionScope.LOCAL_GATEWAY) == ()


GATEWAY = "Microsoft.Network/virtualNetworkGateways"
TESTS = f"{GATEWAY}/getFailoverAllTestsDetails/action"
START = f"{GATEWAY}/startSiteFailoverTest/action"


def test_names_that_nobody_has_seen_published_are_the_failover_tests_alone() -> None:
    assumed = {permission.action for permission in NEEDS if not permission.published}
    assert assumed == {TESTS, START, START.replace("start", "stop")}


def test_without_azure_the_reading_role_leaves_out_what_may_not_exist() -> None:
    checked_role = select_actions(SITE, RoleKind.READ)
    assert (checked_role.left_out, checked_role.unconfirmed) == ((TESTS,), ())
    assert TESTS not in build_role_definition(SITE, RoleKind.READ)["Actions"]
    switch = select_actions(EXPRESSROUTE, RoleKind.SWITCH)
    assert switch.left_out == (TESTS,)
    assert switch.unconfirmed == (START, START.replace("start", "stop"))


def test_what_a_provider_publishes_decides_in_any_letter_case() -> None:
    every = frozenset(need.action.lower() for need in list_needs(EXPRESSROUTE))
    by_name = dict.fromkeys(list_providers(EXPRESSROUTE), every)
    whole = select_actions(EXPRESSROUTE, RoleKind.SWITCH, by_name)
    assert set(whole.actions) == {need.action for need in list_needs(EXPRESSROUTE)}
    assert (whole.left_out, whole.unconfirmed) == ((), ())
    lacking = by_name | {"Microsoft.Network": every - {START.lower(), f"{PEERING}/read".lower()}}
    checked_role = select_actions(EXPRESSROUTE, RoleKind.SWITCH, lacking)
    assert set(checked_role.left_out) == {START, f"{PEERING}/read"}
    assert not set(checked_role.left_out) & set(checked_role.actions)


def test_a_provider_that_did_not_answer_is_trusted_for_published_names() -> None:
    checked_role = select_actions(SITE, RoleKind.SWITCH, {"Microsoft.Network": frozenset()})
    assert "Microsoft.Insights/metrics/read" in checked_role.actions
    assert f"{PEERING}/write" in checked_role.left_out
