"""Passwords and SSH keys of machines: what Azure refuses, over HTTPS."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.arm_client import Arm, Reply
from tests.support.public_keys import ECDSA, ED25519, PRIVATE, RFC_4716, rsa

VM = "Microsoft.Compute/virtualMachines/m"
PATH = "/home/hans/.ssh/authorized_keys"
KEY_DATA = "linuxConfiguration.ssh.publicKeys.keyData"


@pytest.fixture
def nic(arm: Arm) -> Arm:
    arm.vnet("a", "10.1.0.0/16", sub="10.1.0.0/24")
    subnet = {"id": arm.id("virtualNetworks/a/subnets/sub")}
    one = {"name": "one", "properties": {"subnet": subnet}}
    arm.put("networkInterfaces/n", {"ipConfigurations": [one]})
    return arm


def keys(key: str, path: str = PATH, **linux: Any) -> dict[str, Any]:
    return {"ssh": {"publicKeys": [{"path": path, "keyData": key}]}, **linux}


def write(arm: Arm, linux: dict[str, Any], password: str | None = None) -> Reply:
    profile = {"computerName": "m", "adminUsername": "hans", "linuxConfiguration": linux}
    body = {
        "location": "westeurope",
        "properties": {
            "hardwareProfile": {"vmSize": "Standard_B2ats_v2"},
            "osProfile": profile | ({"adminPassword": password} if password else {}),
            "networkProfile": {"networkInterfaces": [{"id": arm.id("networkInterfaces/n")}]},
        },
    }
    return arm.call("PUT", VM, body)


@pytest.mark.parametrize("key", [ED25519, f"{rsa(2048)} hans@here"])
def test_a_machine_with_a_key_shows_it_and_has_no_password(nic: Arm, key: str) -> None:
    nic.wait(write(nic, keys(key, disablePasswordAuthentication=True)))
    linux = nic.get(VM)["properties"]["osProfile"]["linuxConfiguration"]
    assert linux["ssh"] == {"publicKeys": [{"path": PATH, "keyData": key}]}
    assert linux["disablePasswordAuthentication"] is True


@pytest.mark.parametrize("key", ["", "nonsense", "me.pub", rsa(1024), ECDSA, PRIVATE, ED25519[:-6]])
def test_a_key_that_is_none_for_azure_is_refused(nic: Arm, key: str) -> None:
    reply = write(nic, keys(key))
    assert (reply.status, reply.code) == (400, "InvalidParameter")
    assert reply.message == f"The value of parameter {KEY_DATA} is invalid."
    assert reply.body["error"]["target"] == KEY_DATA


def test_a_key_elsewhere_than_at_home_is_refused(nic: Arm) -> None:
    reply = write(nic, keys(ED25519, "/home/anna/.ssh/authorized_keys"))
    assert (reply.status, reply.code) == (400, "InvalidParameter")
    assert f"limited to its default value {PATH} " in reply.message


def test_a_form_of_key_that_is_not_modelled_is_told_so(nic: Arm) -> None:
    assert write(nic, keys(RFC_4716)).status == 501


@pytest.mark.parametrize(
    ("linux", "password"),
    [({}, None), ({"disablePasswordAuthentication": True}, "Lab-password-1"), ({"ssh": {}}, None)],
)
def test_somebody_must_be_able_to_sign_in(nic: Arm, linux: Any, password: str | None) -> None:
    reply = write(nic, linux, password)
    assert (reply.status, reply.code) == (400, "InvalidParameter")
    assert reply.message.startswith("Authentication using either SSH or by user name and password")


def test_what_a_machine_was_made_with_stays(nic: Arm) -> None:
    body = keys(ED25519, disablePasswordAuthentication=True)
    nic.wait(write(nic, body))
    nic.wait(write(nic, body))
    nic.wait(write(nic, {}))
    linux = nic.get(VM)["properties"]["osProfile"]["linuxConfiguration"]
    assert linux["ssh"] == body["ssh"]
    for other, target in (
        (keys(rsa(2048)), "ssh.publicKeys"),
        ({"disablePasswordAuthentication": False}, "disablePasswordAuthentication"),
    ):
        reply = write(nic, other)
        assert (reply.status, reply.code) == (409, "PropertyChangeNotAllowed")
        assert reply.message == f"Changing property 'linuxConfiguration.{target}' is not allowed."
