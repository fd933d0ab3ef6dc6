"""Template deployments in the form in which az composes them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from erfailover.lab.arm import template as arm_template
from erfailover.lab.core import ids
from erfailover.lab.core import resource_types as rt
from tests.support.arm_client import Arm, Reply

GROUP = ids.ResourceId("s", "rg", "", (), ())


def scope(**parameters: Any) -> arm_template.ExpressionScope:
    values = {name.lower(): value for name, value in parameters.items()}
    return arm_template.ExpressionScope(GROUP, "westeurope", values, {"there": "/a/b"})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"),
        ("[[not an expression]", "[not an expression]"),
        ("[parameters('key')]", "secret"),
        ("[Parameters('KEY')]", "secret"),
        ("[concat('a', 'b''c', 3)]", "ab'c3"),
        ("[concat(variables('there'), '/', parameters('key'))]", "/a/b/secret"),
        (
            "[resourceId('Microsoft.Network/virtualNetworks/subnets', 'v', 's')]",
            "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/v"
            "/subnets/s",
        ),
        ("[resourceGroup().location]", "westeurope"),
        ({"a": ["[parameters('key')]", 1, None]}, {"a": ["secret", 1, None]}),
    ],
)
def test_expressions_stand_for_their_values(text: Any, value: Any) -> None:
    assert arm_template.evaluate(text, scope(key="secret")) == value


@pytest.mark.parametrize(
    "text",
    [
        "[uniqueString('a')]",
        "[reference('x')]",
        "[listKeys('a', 'b')]",
        "[variables('there')[0]]",
        "[copyIndex()]",
    ],
)
def test_what_is_not_modelled_is_named(text: str) -> None:
    with pytest.raises(arm_template.NotModelledError, match=r"\w+"):
        arm_template.evaluate(text, scope())


@pytest.mark.parametrize(
    "text",
    [
        "[parameters('nobody')]",
        "[concat('a']",
        "[concat('a') 'b']",
        "[]",
        "['a]",
        "[concat(,)]",
        "[resourceGroup().nothing]",
        "[3.x]",
    ],
)
def test_broken_expressions_are_refused(text: str) -> None:
    with pytest.raises(arm_template.InvalidTemplateError):
        arm_template.evaluate(text, scope())


def template(*resources: Any, **sections: Any) -> dict[str, Any]:
    return {
        "$schema": "https://schema.management.azure.com/schemas/2015-01-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "parameters": {},
        "variables": {},
        "resources": list(resources),
        "outputs": {},
        **sections,
    }


def resource(type_: str, name: str, properties: Any, *depends_on: str, **more: Any) -> Any:
    return {
        "type": type_,
        "name": name,
        "apiVersion": "2023-09-01",
        "location": "westeurope",
        "tags": {},
        "dependsOn": list(depends_on),
        "properties": properties,
        **more,
    }


def deploy(arm: Arm, body: Any, name: str = "d1", parameters: Any = None) -> Reply:
    properties = {"template": body, "parameters": parameters or {}, "mode": "incremental"}
    return arm.call("PUT", path(arm, name), {"properties": properties})


def path(arm: Arm, name: str = "d1", rest: str = "") -> str:
    return f"{arm.root}/providers/Microsoft.Resources/deployments/{name}{rest}"


def poll_until_done(arm: Arm, accepted: Reply) -> tuple[list[str], Any]:
    """Every status that polling saw, and the last answer."""
    states: list[str] = []
    while True:
        polled = arm.call("GET", accepted.headers["Azure-AsyncOperation"])
        assert polled.status == 200, polled
        if not states or states[-1] != polled.body["status"]:
            states.append(polled.body["status"])
        if polled.body["status"] != "Running":
            return states, polled.body
        arm.clock.sleep(5)


VNET = "Microsoft.Network/virtualNetworks"
ONE_VNET = resource(VNET, "v", {"addressSpace": {"addressPrefixes": ["10.9.0.0/16"]}})


def connection_template(arm: Arm) -> dict[str, Any]:
    """The template of ``az network vpn-connection create`` (recorded)."""
    properties = {
        "virtualNetworkGateway1": {"id": arm.id("virtualNetworkGateways/g1")},
        "enableBgp": True,
        "connectionType": "IPSec",
        "routingWeight": 10,
        "usePolicyBasedTrafficSelectors": False,
        "expressRouteGatewayBypass": None,
        "localNetworkGateway2": {"id": arm.id("localNetworkGateways/far")},
        "sharedKey": "[parameters('sharedKey')]",
    }
    return template(
        resource("Microsoft.Network/connections", "c", properties),
        parameters={"sharedKey": {"type": "securestring", "metadata": {"description": "x"}}},
        outputs={"resource": {"type": "object", "value": "[reference('c')]"}},
    )


def test_a_connection_is_deployed_as_recorded(hub_and_spoke: Arm) -> None:
    arm = hub_and_spoke
    arm.put(
        "localNetworkGateways/far",
        {
            "gatewayIpAddress": "20.1.1.1",
            "localNetworkAddressSpace": {"addressPrefixes": ["10.8.0.0/16"]},
            "bgpSettings": {"asn": 65020, "bgpPeeringAddress": "10.8.0.254"},
        },
    )
    accepted = deploy(arm, connection_template(arm), parameters={"sharedKey": {"value": "abc1"}})
    assert accepted.status == 201
    properties = accepted.body["properties"]
    assert properties["provisioningState"] == "Accepted"
    assert properties["parameters"] == {"sharedKey": {"type": "SecureString"}}
    assert properties["mode"] == "Incremental"
    assert properties["providers"] == [
        {
            "namespace": "Microsoft.Network",
            "resourceTypes": [{"resourceType": "connections", "locations": ["westeurope"]}],
        }
    ]
    assert "Location" not in accepted.headers
    states, last = poll_until_done(arm, accepted)
    assert (states, last) == (["Running", "Succeeded"], {"status": "Succeeded"})
    value = arm.get(path(arm))["properties"]
    assert value["provisioningState"] == "Succeeded"
    assert value["outputResources"] == [{"id": arm.id("connections/c")}]
    output = value["outputs"]["resource"]
    assert output["type"] == "Object"
    assert (output["value"]["connectionType"], output["value"]["routingWeight"]) == ("IPsec", 10)
    assert arm.get("connections/c")["properties"]["provisioningState"] == "Succeeded"
    result = arm.lab.world.get(path(arm))
    assert result is not None
    assert "abc1" not in json.dumps(result.hidden), "a deployment forgets its secrets at its end"


def test_resources_wait_for_what_they_depend_on(arm: Arm) -> None:
    subnet = arm.id("virtualNetworks/v/subnets/s")
    accepted = deploy(
        arm,
        template(
            resource(
                "Microsoft.Network/networkInterfaces",
                "n",
                {"ipConfigurations": [{"name": "i", "properties": {"subnet": {"id": subnet}}}]},
                "Microsoft.Network/virtualNetworks/v",
                "Microsoft.Network/publicIpAddresses/p",
            ),
            {
                **ONE_VNET,
                "properties": {
                    "addressSpace": {"addressPrefixes": ["10.9.0.0/16"]},
                    "subnets": [{"name": "s", "properties": {"addressPrefix": "10.9.0.0/24"}}],
                },
            },
            resource(
                "Microsoft.Network/publicIPAddresses",
                "p",
                {"publicIPAllocationMethod": "Static"},
                sku={"name": "Standard"},
            ),
        ),
    )
    dependency = accepted.body["properties"]["dependencies"][0]
    assert dependency["resourceName"] == "n"
    assert [entry["resourceName"] for entry in dependency["dependsOn"]] == ["v", "p"]
    assert poll_until_done(arm, accepted)[1] == {"status": "Succeeded"}
    rows = [reference["id"] for reference in arm.get(path(arm))["properties"]["outputResources"]]
    assert rows == sorted(rows)
    assert len(rows) == 3
    operations = arm.get(path(arm, rest="/operations"))["value"]
    assert {operation["properties"]["provisioningState"] for operation in operations} == {
        "Succeeded"
    }


def test_what_arm_refuses_fails_the_deployment(arm: Arm) -> None:
    nowhere = arm.id("virtualNetworks/none/subnets/s")
    accepted = deploy(
        arm,
        template(
            resource(
                "Microsoft.Network/networkInterfaces",
                "n",
                {"ipConfigurations": [{"name": "i", "properties": {"subnet": {"id": nowhere}}}]},
            ),
            resource(
                "Microsoft.Network/routeTables",
                "t",
                {},
                "Microsoft.Network/networkInterfaces/n",
            ),
        ),
    )
    _, last = poll_until_done(arm, accepted)
    assert (last["status"], last["error"]["code"]) == ("Failed", "DeploymentFailed")
    (detail,) = last["error"]["details"]
    assert detail["code"] == "BadRequest"
    assert json.loads(detail["message"])["error"]["code"] == "InvalidResourceReference"
    assert arm.get(path(arm))["properties"]["provisioningState"] == "Failed"
    assert arm.call("GET", "routeTables/t").status == 404


def test_a_lock_is_waited_out(arm: Arm) -> None:
    """Two peerings of one VNet at once: the second meets 429 and is written again."""
    for name, prefix in (("a", "10.1.0.0/16"), ("b", "10.2.0.0/16"), ("c", "10.3.0.0/16")):
        arm.vnet(name, prefix)
    peerings = [
        resource(
            f"{VNET}/virtualNetworkPeerings",
            f"a/a-to-{other}",
            {"remoteVirtualNetwork": {"id": arm.id(f"virtualNetworks/{other}")}},
        )
        for other in ("b", "c")
    ]
    assert poll_until_done(arm, deploy(arm, template(*peerings)))[1] == {"status": "Succeeded"}
    rows = arm.get("virtualNetworks/a/virtualNetworkPeerings")["value"]
    assert len(rows) == 2


@pytest.mark.parametrize(
    ("body", "status", "code", "names"),
    [
        (template(ONE_VNET, functions=[]), 501, "NotModelledByLab", "functions"),
        (template({**ONE_VNET, "copy": {}}), 501, "NotModelledByLab", "copy"),
        (template({**ONE_VNET, "condition": True}), 501, "NotModelledByLab", "condition"),
        (
            template(resource("Microsoft.Network/natGateways", "n", {})),
            501,
            "NotModelledByLab",
            "Microsoft.Network/natGateways",
        ),
        (template(resource(VNET, "[guid('x')]", {})), 501, "NotModelledByLab", "guid"),
        (template(resource(VNET, "a/b", {})), 400, "InvalidTemplate", "a/b"),
        (template(resource(VNET, "a", {}, "nobody")), 400, "InvalidTemplate", "nobody"),
        (template(ONE_VNET, ONE_VNET), 400, "InvalidTemplate", "several"),
        (template(parameters={"x": {"type": "string"}}), 400, "InvalidTemplate", "'x'"),
        (template(parameters={"x": {"type": "odd"}}), 400, "InvalidTemplate", "'x'"),
        (template(outputs={"x": {"type": "odd"}}), 400, "InvalidTemplate", "odd"),
        (None, 400, "InvalidTemplate", "template"),
        (template(resources={}), 501, "NotModelledByLab", "list"),
    ],
)  # fmt: skip
def test_what_the_lab_does_not_take_is_named(
    arm: Arm, body: Any, status: int, code: str, names: str
) -> None:
    answer = deploy(arm, body)
    assert (answer.status, answer.code) == (status, code)
    assert names in answer.message
    assert arm.call("GET", path(arm)).code == "DeploymentNotFound"


def test_unknown_parameters_and_modes_are_refused(arm: Arm) -> None:
    assert deploy(arm, template(), parameters={"x": {"value": 1}}).code == "InvalidTemplate"
    for more in ({"mode": "Complete"}, {"templateLink": {"uri": "https://x"}}):
        properties = {"template": template(), "mode": "Incremental", **more}
        refused = arm.call("PUT", path(arm), {"properties": properties})
        assert (refused.status, refused.code) == (501, "NotModelledByLab")
    for raw in (b"[]", b"{}", b'{"properties": 3}'):
        assert arm.call("PUT", path(arm), raw=raw).status == 400


def test_one_deployment_at_a_time_under_one_name(arm: Arm) -> None:
    far = {
        "gatewayIpAddress": "20.1.1.1",
        "localNetworkAddressSpace": {"addressPrefixes": ["10.8.0.0/16"]},
    }
    gone = resource("Microsoft.Network/localNetworkGateways", "far", far)
    accepted = deploy(arm, template(gone))
    assert deploy(arm, template(gone)).code == "DeploymentActive"
    assert arm.call("DELETE", path(arm)).code == "DeploymentActive"
    poll_until_done(arm, accepted)
    again = deploy(arm, template(gone))
    assert again.status == 200
    poll_until_done(arm, again)
    assert [deployment["name"] for deployment in arm.get(path(arm, "")[:-1])["value"]] == ["d1"]
    assert arm.call("DELETE", path(arm)).status == 204
    assert arm.call("HEAD", path(arm)).status == 404
    assert arm.get("localNetworkGateways/far")["name"] == "far"


def test_validation_writes_nothing(arm: Arm) -> None:
    body = {"properties": {"template": template(ONE_VNET), "mode": "Incremental"}}
    answer = arm.call("POST", path(arm, rest="/validate"), body)
    assert answer.status == 200
    value = answer.body["properties"]
    assert value["validatedResources"] == [{"id": arm.id("virtualNetworks/v")}]
    assert arm.call("GET", "virtualNetworks/v").status == 404


def test_a_deployment_goes_with_its_group(arm: Arm) -> None:
    poll_until_done(arm, deploy(arm, template(ONE_VNET)))
    arm.wait(arm.call("DELETE", arm.root))
    assert not list(arm.lab.world.iter_by_type(rt.DEPLOYMENT))
    assert not arm.lab.world.resources


def test_images_are_found_by_their_name_only(arm: Arm) -> None:
    subscription = arm.root.split("/resourceGroups")[0]
    publishers = f"{subscription}/providers/Microsoft.Compute/locations/westeurope/publishers"
    sku = f"{publishers}/Canonical/artifacttypes/vmimage/offers/ubuntu-24_04-lts/skus/server"
    rows: Any = arm.get(f"{sku}/versions?$top=1&$orderby=name desc".replace(" ", "%20"))
    assert [row["location"] for row in rows] == ["westeurope"]
    one = arm.get(f"{sku}/versions/{rows[0]['name']}")
    assert one["properties"]["osDiskImage"]["operatingSystem"] == "Linux"
    assert arm.call("GET", f"{sku}/versions/1.0.0").status == 404
    assert arm.call("GET", f"{sku.replace('server', 'desktop')}/versions").status == 404
    assert arm.call("GET", f"{publishers}/Canonical/artifacttypes").status == 501


def test_a_deployment_goes_on_from_a_snapshot(arm: Arm) -> None:
    far = {
        "gatewayIpAddress": "20.1.1.1",
        "localNetworkAddressSpace": {"addressPrefixes": ["10.8.0.0/16"]},
    }
    accepted = deploy(
        arm,
        template(
            resource("Microsoft.Network/localNetworkGateways", "far", far),
            resource("Microsoft.Network/routeTables", "t", {}, "far"),
        ),
    )
    half_way = arm.lab.snapshot()
    poll_until_done(arm, accepted)
    arm.lab.restore(half_way)
    assert arm.call("GET", "routeTables/t").status == 404
    assert poll_until_done(arm, accepted)[1] == {"status": "Succeeded"}
    assert arm.get("routeTables/t")["name"] == "t"
