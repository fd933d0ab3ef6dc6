"""Rights, locks, policies and metrics, as ARM answers and refuses."""

from __future__ import annotations

from typing import Any

import pytest

from erfailover.lab.auth.rbac import Access, Assignment, RoleError, read_roles
from tests.support.arm_client import Arm, Json

PEERING = "Microsoft.Network/virtualNetworks/virtualNetworkPeerings"


def limit(arm: Arm, *actions: str, scope: str = "", without: tuple[str, ...] = ()) -> None:
    arm.lab.access = Access((Assignment(scope or arm.root, actions, without),))


def add_vnets(arm: Arm) -> Arm:
    arm.vnet("a", "10.1.0.0/16")
    arm.vnet("b", "10.2.0.0/16")
    return arm


def lock(arm: Arm, level: str, scope: str, name: str = "keep") -> Json:
    path = f"{scope}/providers/Microsoft.Authorization/locks/{name}"
    reply = arm.call("PUT", path, {"properties": {"level": level}})
    assert reply.status in {200, 201}, reply
    return reply.body


def deny(arm: Arm, rule: Json, scope: str = "", mode: str = "Default") -> None:
    subscription = arm.root.split("/resourceGroups/")[0]
    definition = f"{subscription}/providers/Microsoft.Authorization/policyDefinitions/no"
    body: Json = {"properties": {"policyRule": {"if": rule, "then": {"effect": "deny"}}}}
    assert arm.call("PUT", definition, body).status == 201
    assignment = f"{scope or arm.root}/providers/Microsoft.Authorization/policyAssignments/no"
    body = {"properties": {"policyDefinitionId": definition, "enforcementMode": mode}}
    assert arm.call("PUT", assignment, body).status == 201


# Rights.


@pytest.mark.parametrize(
    ("actions", "without", "action", "granted"),
    [
        (("*",), (), "Microsoft.Network/virtualNetworks/write", True),
        (("*/read",), (), "Microsoft.Network/virtualNetworks/read", True),
        (("*/read",), (), "Microsoft.Network/virtualNetworks/write", False),
        (("microsoft.network/*",), (), "Microsoft.Network/virtualNetworks/write", True),
        (("*",), ("Microsoft.Network/*/write",), "Microsoft.Network/x/write", False),
        (("*",), ("Microsoft.Network/*/write",), "Microsoft.Network/x/read", True),
        (("Microsoft.Network/virtualNetworks",), (), "Microsoft.Network/virtualNetworks/x", False),
    ],
)
def test_a_role_grants_what_its_actions_match_and_its_not_actions_do_not(
    actions: tuple[str, ...], without: tuple[str, ...], action: str, granted: bool
) -> None:
    assert Assignment("/", actions, without).grants(action) is granted


def test_assignments_add_up_each_for_what_lies_below_its_scope() -> None:
    one = Assignment("/subscriptions/s/resourceGroups/rg", ("*",), ("*/delete",))
    two = Assignment("/subscriptions/s/resourceGroups/rg/providers/P/t/n", ("*/delete",))
    access = Access((one, two))
    assert access.is_allowed("P/t/delete", "/subscriptions/S/resourcegroups/RG/providers/P/t/n")
    assert not access.is_allowed("P/t/delete", "/subscriptions/s/resourceGroups/rg/providers/P/t/m")
    assert not access.is_allowed("P/t/read", "/subscriptions/s/resourceGroups/rg2")


def test_what_no_role_grants_is_403_also_for_what_is_not_there(arm: Arm) -> None:
    add_vnets(arm)
    limit(arm, "*/read")
    reply = arm.call("PUT", "virtualNetworks/none", {"location": "westeurope"})
    assert (reply.status, reply.code) == (403, "AuthorizationFailed")
    assert "perform action 'Microsoft.Network/virtualNetworks/write'" in reply.message
    assert arm.call("GET", "virtualNetworks/a").status == 200
    assert arm.call("POST", "virtualNetworkGateways/g/getLearnedRoutes").status == 403


def test_a_list_of_the_subscription_holds_what_may_be_read(arm: Arm) -> None:
    add_vnets(arm)
    limit(arm, "*/read", scope=arm.id("virtualNetworks/b"))
    subscription = arm.root.split("/resourceGroups/")[0]
    reply = arm.call("GET", f"{subscription}/providers/Microsoft.Network/virtualNetworks")
    assert [vnet["name"] for vnet in reply.body["value"]] == ["b"]
    assert arm.call("GET", f"{arm.root}/providers/Microsoft.Network/virtualNetworks").status == 403


def test_a_peering_needs_the_right_to_peer_with_the_other_network(arm: Arm) -> None:
    add_vnets(arm)
    own = Assignment(arm.id("virtualNetworks/a"), ("*",))
    arm.lab.access = Access((own,))
    reply = arm.peering_refused("a", "b")
    assert (reply.status, reply.code) == (403, "LinkedAuthorizationFailed")
    assert "'Microsoft.Network/virtualNetworks/peer/action' on the linked scope(s)" in reply.message
    arm.lab.access = Access(
        (own, Assignment(arm.id("virtualNetworks/b"), ("Microsoft.Network/*/peer/action",)))
    )
    assert (
        arm.call(
            "PUT",
            "virtualNetworks/a/virtualNetworkPeerings/a-to-b",
            {"properties": arm.peering_properties("b")},
        ).status
        == 201
    )


def test_the_permissions_of_a_scope_are_the_roles_that_hold_there(arm: Arm) -> None:
    add_vnets(arm)
    limit(arm, "*/read", without=("x/read",))
    for scope in (arm.root, arm.id("virtualNetworks/a")):
        reply = arm.call("GET", f"{scope}/providers/Microsoft.Authorization/permissions")
        (row,) = reply.body["value"]
        assert (row["actions"], row["notActions"]) == (["*/read"], ["x/read"])


def test_an_operation_can_be_polled_by_whoever_began_it(arm: Arm) -> None:
    limit(arm, "Microsoft.Network/virtualNetworks/*")
    arm.vnet("c", "10.3.0.0/16")


@pytest.mark.parametrize("wrong", [[], {"Actions": "*"}, {"Actions": [1]}, {"Actions": ["*"]}, "x"])
def test_a_role_definition_that_is_none_is_refused(wrong: Any) -> None:
    if wrong == []:
        assert read_roles(wrong) == ()
        return
    with pytest.raises(RoleError):
        read_roles(wrong)


# Locks.


def test_a_read_only_lock_refuses_writes_and_posts_below_it(arm: Arm) -> None:
    add_vnets(arm)
    lock(arm, "ReadOnly", arm.id("virtualNetworks/a"))
    reply = arm.peering_refused("a", "b")
    assert (reply.status, reply.code) == (409, "ScopeLocked")
    assert reply.message.startswith(
        f"The scope '{arm.id('virtualNetworks/a')}/virtualNetworkPeerings/a-to-b' cannot perform "
        f"write operation because following scope(s) are locked: '{arm.id('virtualNetworks/a')}'."
    )
    lock(arm, "readonly", arm.root)
    assert arm.call("POST", "virtualNetworkGateways/g/getLearnedRoutes").code == "ScopeLocked"
    assert arm.call("GET", "virtualNetworks/a").status == 200


def test_a_lock_against_deletion_holds_for_what_lies_below_and_for_the_group(arm: Arm) -> None:
    add_vnets(arm)
    arm.peering("a", "b")
    lock(arm, "CanNotDelete", arm.id("virtualNetworks/a"))
    gone = arm.call("DELETE", "virtualNetworks/a/virtualNetworkPeerings/a-to-b")
    assert gone.code == "ScopeLocked"
    assert "cannot perform delete operation" in gone.message
    assert arm.call("DELETE", arm.root).code == "ScopeLocked"
    arm.peering("a", "b", forwarded=True)
    assert arm.call("DELETE", "virtualNetworks/b").status == 202


def test_the_locks_of_a_scope_are_those_at_above_and_below_it(arm: Arm) -> None:
    add_vnets(arm)
    subscription = arm.root.split("/resourceGroups/")[0]
    lock(arm, "ReadOnly", subscription, "above")
    arm.call("DELETE", f"{subscription}/providers/Microsoft.Authorization/locks/none")
    lock(arm, "CanNotDelete", arm.id("virtualNetworks/a"), "below")
    path = "/providers/Microsoft.Authorization/locks"
    names = {
        scope: {lock["name"] for lock in arm.call("GET", f"{at}{path}").body["value"]}
        for scope, at in (
            ("group", arm.root),
            ("a", arm.id("virtualNetworks/a")),
            ("b", arm.id("virtualNetworks/b")),
        )
    }
    assert names == {"group": {"above", "below"}, "a": {"above", "below"}, "b": {"above"}}
    assert arm.call("DELETE", f"{subscription}{path}/above").status == 200
    assert arm.call("DELETE", f"{subscription}{path}/above").status == 204
    assert arm.call("GET", f"{subscription}{path}/above").status == 404


def test_a_lock_of_an_unknown_level_or_scope_is_refused(arm: Arm) -> None:
    path = "/providers/Microsoft.Authorization/locks/x"
    assert arm.call("PUT", f"{arm.root}{path}", {"properties": {"level": "Some"}}).status == 400
    assert arm.call("GET", f"{arm.id('virtualNetworks/none')}{path}").status == 404
    assert arm.call("GET", f"{arm.root}x{path}").code == "ResourceGroupNotFound"


# Policies.


def test_a_policy_denies_the_writes_that_its_rule_matches(arm: Arm) -> None:
    add_vnets(arm)
    transit = f"{PEERING}/allowGatewayTransit"
    deny(
        arm,
        {"allOf": [{"field": "type", "equals": PEERING}, {"field": transit, "equals": "true"}]},
    )
    reply = arm.peering_refused("a", "b", transit=True)
    assert (reply.status, reply.code) == (403, "RequestDisallowedByPolicy")
    assert "Resource 'a-to-b' was disallowed by policy. Policy identifiers: '[{" in reply.message
    (violation,) = reply.body["error"]["additionalInfo"]
    assert violation["info"]["policyDefinitionName"] == "no"
    arm.peering("a", "b", transit=False)


def test_a_policy_that_is_not_enforced_or_is_elsewhere_denies_nothing(arm: Arm) -> None:
    add_vnets(arm)
    deny(arm, {"field": "type", "equals": PEERING}, mode="DoNotEnforce")
    arm.peering("a", "b")
    deny_elsewhere = arm.id("virtualNetworks/b")
    path = f"{deny_elsewhere}/providers/Microsoft.Authorization/policyAssignments/no"
    subscription = arm.root.split("/resourceGroups/")[0]
    definition = f"{subscription}/providers/Microsoft.Authorization/policyDefinitions/no"
    assert arm.call("PUT", path, {"properties": {"policyDefinitionId": definition}}).status == 201
    arm.peering("a", "b", forwarded=True)
    assert arm.peering_refused("b", "a").code == "RequestDisallowedByPolicy"


def test_what_policies_would_deny_can_be_asked_without_a_write(arm: Arm) -> None:
    add_vnets(arm)
    deny(arm, {"field": "type", "equals": PEERING})
    path = f"{arm.root}/providers/Microsoft.PolicyInsights/checkPolicyRestrictions"

    def list_restricting_policies(type_: str) -> list[str]:
        details = {"resourceContent": {"type": type_, "properties": {}}, "apiVersion": "2024-05-01"}
        reply = arm.call("POST", path, {"resourceDetails": details})
        assert reply.status == 200, reply
        rows = reply.body["contentEvaluationResult"]["policyEvaluations"]
        return [row["policyInfo"]["policyAssignmentId"] for row in rows]

    assert list_restricting_policies(PEERING) == [
        f"{arm.root}/providers/Microsoft.Authorization/policyAssignments/no"
    ]
    assert list_restricting_policies("Microsoft.Network/virtualNetworks") == []


@pytest.mark.parametrize(
    "rule",
    [
        {"field": "tags['x']", "equals": "y"},
        {"value": "[resourceGroup().name]", "equals": "y"},
        {"field": "type", "match": "x"},
        {"count": {}},
    ],
)
def test_a_rule_that_is_not_modelled_is_a_loud_501(arm: Arm, rule: Json) -> None:
    subscription = arm.root.split("/resourceGroups/")[0]
    path = f"{subscription}/providers/Microsoft.Authorization/policyDefinitions/no"
    body = {"properties": {"policyRule": {"if": rule, "then": {"effect": "deny"}}}}
    assert arm.call("PUT", path, body).status == 501
    body = {"properties": {"policyRule": {"if": {}, "then": {"effect": "modify"}}}}
    assert arm.call("PUT", path, body).status == 501


@pytest.mark.parametrize("properties", [5, {}, {"policyRule": 5}, {"policyRule": {"if": 5}}])
def test_a_policy_that_is_none_is_refused(arm: Arm, properties: Json) -> None:
    subscription = arm.root.split("/resourceGroups/")[0]
    for kind in ("policyDefinitions", "policyAssignments"):
        path = f"{subscription}/providers/Microsoft.Authorization/{kind}/no"
        reply = arm.call("PUT", path, {"properties": properties})
        assert 400 <= reply.status < 502
        assert reply.status != 500
    broken = {"parameters": [], "policyRule": {"if": {"allOf": 5}, "then": {"effect": "deny"}}}
    path = f"{subscription}/providers/Microsoft.Authorization/policyDefinitions/no"
    assert arm.call("PUT", path, {"properties": broken}).status == 400


# Metrics, and what else the extensions answer.


def test_a_metric_has_the_value_that_was_set_and_none_before(hub_and_spoke: Arm) -> None:
    arm = hub_and_spoke
    path = f"{arm.id('virtualNetworkGateways/g1')}/providers/Microsoft.Insights/metrics"
    query = "?metricnames=AverageBandwidth&aggregation=Average"

    def values() -> list[Any]:
        (series,) = arm.get(path + query)["value"]
        assert series["unit"] == "BytesPerSecond"
        return [point.get("average") for point in series["timeseries"][0]["data"]]

    assert set(values()) == {None}
    arm.lab.metrics.set(arm.id("virtualNetworkGateways/g1"), "AverageBandwidth", 5e6)
    arm.lab.restore(arm.lab.snapshot())
    assert set(values()) == {5e6}
    assert arm.call("GET", f"{path}?metricnames=Nothing").code == "BadRequest"


def test_other_extensions_are_a_loud_501(arm: Arm) -> None:
    for name in (
        "Microsoft.Authorization/roleAssignments",
        "Microsoft.Insights/diagnosticSettings",
    ):
        assert arm.call("GET", f"{arm.root}/providers/{name}").code == "NotModelledByLab"
