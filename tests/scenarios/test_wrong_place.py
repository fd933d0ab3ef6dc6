"""A wrong subscription, tenant, group or API version is named, with who named it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from erfailover.lab.engine.faults import Fault, FaultKind
from tests.support.stage import Stage

WRONG = "11111111-2222-3333-4444-555555555555"
COMMANDS = [
    "status",
    "switch --to ipsec --dry-run",
    "switch --to ipsec --yes --planned",
    "prestage --dry-run",
    "doctor",
    "verify",
    "provision --dry-run",
    "provision --yes",
    "destroy --yes",
    "drill start --yes",
    "diagram",
    "export terraform",
]


def read_failure(stage: Stage) -> str:
    """The failure and its hint, without the messages before."""
    return " ".join(stage.err.partition("erfailover: ")[2].split())


def identity(stage: Stage) -> str:
    return f"{stage.lab.identity.client_id} of tenant {stage.lab.identity.tenant}"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_wrong_subscription_is_named_with_its_origin_and_what_is_visible(
    provisioned: Stage, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    stage = provisioned
    monkeypatch.setenv("AZURE_SUBSCRIPTION_ID", WRONG)
    assert stage.run(*command.split()) in (3, 4, 5)
    message = read_failure(stage)
    expected = (
        f"subscription {WRONG} (from AZURE_SUBSCRIPTION_ID) does not exist, or is not visible to "
        f"{identity(stage)} (SubscriptionNotFound)"
    )
    assert message.count(expected) == 1, message
    assert "this identity cannot see" not in message
    assert "GET " not in message
    assert f"This identity sees erfailover lab ({stage.lab.identity.subscription})." in message
    assert "Set AZURE_SUBSCRIPTION_ID to another one" in message
    assert "erfailover provision" not in message
    assert [write for write in stage.writes() if not write.endswith("/runCommand")] == []


def test_what_is_visible_is_asked_for_once_and_only_after_a_failure(
    provisioned: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = provisioned
    stage.do("status")
    assert not [
        trace_entry for trace_entry in stage.lab.trace if trace_entry.path == "/subscriptions"
    ]
    monkeypatch.setenv("AZURE_SUBSCRIPTION_ID", WRONG)
    assert stage.run("status") == 4
    assert (
        len(
            [trace_entry for trace_entry in stage.lab.trace if trace_entry.path == "/subscriptions"]
        )
        == 1
    )


def test_the_line_of_the_site_file_is_named(provisioned: Stage) -> None:
    stage = provisioned
    site = Path("erfailover.yaml")
    lines = site.read_text().splitlines()
    number = next(n for n, line in enumerate(lines, 1) if line.startswith("resource_group:"))
    site.write_text("\n".join([f"# {WRONG}", f"subscription: {WRONG}", *lines]))
    assert stage.run("switch", "--to", "ipsec", "--dry-run") == 4
    assert f"subscription {WRONG} (from erfailover.yaml:2) does not exist" in read_failure(stage)
    assert "Correct it in erfailover.yaml:2" in read_failure(stage)
    lines[number - 1] = "resource_group: rg-wrong"
    site.write_text("\n".join(lines))
    assert stage.run("switch", "--to", "ipsec", "--dry-run") == 4
    message = read_failure(stage)
    assert f"resource group rg-wrong (from erfailover.yaml:{number}) does not exist in" in message
    assert f"{stage.lab.identity.subscription} (from AZURE_SUBSCRIPTION_ID)" in message
    assert "erfailover provision" not in message
    assert stage.run("status") == 4
    assert read_failure(stage).endswith("To create the network there: erfailover provision.")


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (404, "SubscriptionNotFound", "does not exist, or is not visible to"),
        (400, "InvalidSubscriptionId", "does not exist, or is not visible to"),
        (401, "InvalidAuthenticationTokenTenant", "is in another tenant than"),
        (404, "ResourceGroupNotFound", "resource group rg-we (from erfailover.yaml:"),
        (404, "InvalidResourceType", "Azure does not know the resource type in this API version."),
        (400, "NoRegisteredProviderFound", "az provider register --namespace Microsoft.Network"),
        (400, "InvalidApiVersionParameter", "Azure does not know the API version"),
        (404, "ResourceNotFound", "vnet1 does not exist in Azure Looked for /subscriptions/"),
    ],
)
@pytest.mark.parametrize("command", ["status", "switch --to ipsec --dry-run"])
def test_the_code_of_azure_decides_what_is_said(
    provisioned: Stage, command: str, status: int, code: str, expected: str
) -> None:
    stage = provisioned
    path = re.compile("vnet1")
    network = next(
        str(resource.id)
        for resource in stage.lab.world.resources.values()
        if path.fullmatch(resource.id.name) and str(resource.id).endswith("/virtualNetworks/vnet1")
    )
    stage.lab.add_faults(
        Fault(FaultKind.ANSWER, "GET", network, times=0, status=status, code=code, message="m")
    )
    assert stage.run(*command.split()) == 4
    message = read_failure(stage)
    assert expected in message
    if code == "ResourceNotFound":
        assert f"{network} (from erfailover.yaml:" in message
    else:
        assert code in message
        assert "vnet1 does not exist" not in message
    if "ApiVersion" in code or "Type" in code:
        assert "The version is the SDK's default." in message
    assert ("erfailover provision" in message) is (
        code == "ResourceGroupNotFound" and command == "status"
    )


@pytest.mark.parametrize("role", ["primary", "backup"])
def test_an_adoption_names_the_option(provisioned: Stage, role: str) -> None:
    stage = provisioned
    group = "resourceGroups/rg-we/providers/Microsoft.Network/virtualNetworks"
    hubs = {"primary": "vnet2", "backup": "vnet3"}
    words = ["init", "--from-azure", "--force"]
    for text, name in hubs.items():
        subscription = WRONG if text == role else stage.lab.identity.subscription
        words += [f"--{text}-hub", f"/subscriptions/{subscription}/{group}/{name}"]
    assert stage.run(*words) == 5
    assert f"subscription {WRONG} (from --{role}-hub) does not exist" in read_failure(stage)
    assert f"Correct it in --{role}-hub" in read_failure(stage)
