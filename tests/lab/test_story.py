"""The proof of concept's whole story, told to the lab over HTTPS.

The topology is provisioned, ExpressRoute fails, the spoke is moved; the gateways' tables are
those that real gateways showed.
"""

from __future__ import annotations

import json

import pytest

from tests.support.arm_client import Arm
from tests.support.lab_story import (
    NAT,
    act,
    assert_observed,
    has_no_packet_loss,
    local_gateway,
    provision,
    run,
)


@pytest.fixture
def story(arm: Arm) -> Arm:
    """The provisioned topology, NAT set up."""
    provision(arm)
    run(arm, "vm3", *NAT)
    return arm


def test_the_story_of_the_proof_of_concept_comes_out_as_observed(story: Arm) -> None:
    arm = story
    arm.clock.sleep(600)
    assert_observed(arm, "vng1-healthy")
    assert has_no_packet_loss(run(arm, "vm1", "ping -c 3 10.5.0.4"))
    assert has_no_packet_loss(run(arm, "vm1", "ping -c 3 8.8.4.4"))

    local_gateway(arm, "lng1", peer="10.4.0.253")
    arm.clock.sleep(600)
    assert_observed(arm, "vng1-expressroute-down")
    assert_observed(arm, "vng2-before-switch")
    assert not has_no_packet_loss(run(arm, "vm1", "ping -c 3 10.5.0.4"))
    assert has_no_packet_loss(run(arm, "vm1", "ping -c 3 8.8.4.4"))

    arm.peering("vnet3", "vnet1", access=True, forwarded=True, transit=True)
    arm.peering("vnet1", "vnet3", access=True, forwarded=True)
    arm.peering("vnet1", "vnet2", access=True)
    arm.peering("vnet1", "vnet3", access=True, forwarded=True, remote=True)
    arm.peering("vnet2", "vnet1", access=True)
    arm.clock.sleep(600)
    assert_observed(arm, "vng2-after-switch")
    assert has_no_packet_loss(run(arm, "vm1", "ping -c 3 10.5.0.4"))
    assert has_no_packet_loss(run(arm, "vm1", "ping -c 3 8.8.4.4"))
    nat = run(arm, "vm3", "sudo conntrack -L | grep 8.8.4.4")
    assert "src=10.1.0.4 dst=8.8.4.4" in nat
    assert "dst=10.2.1.4" in nat


def test_effective_routes_of_an_interface_come_in_azures_form(story: Arm) -> None:
    rows = act(story, "networkInterfaces/vm1-nic/effectiveRouteTable")
    user = [row for row in rows if row["source"] == "User"]
    assert [(row["addressPrefix"], row["nextHopIpAddress"]) for row in user] == [
        (["8.8.4.4/32"], ["10.2.2.4"])
    ]


def test_no_answer_shows_a_machines_password_or_custom_data(story: Arm) -> None:
    body = story.get("Microsoft.Compute/virtualMachines/vm1?$expand=instanceView")
    assert "not to be seen" not in json.dumps(body)
    assert "customData" not in json.dumps(body)
    codes = [status["code"] for status in body["properties"]["instanceView"]["statuses"]]
    assert codes == ["ProvisioningState/succeeded", "PowerState/running"]


def test_people_may_ask_the_lab_what_reaches_what(story: Arm) -> None:
    secret = {"Authorization": f"Bearer {story.lab.identity.lab_secret}"}
    story.clock.sleep(600)
    url = f"{story.endpoint}/lab/reachability?from=vm2&to=10.1.0.4"
    reply = story.call("GET", url, headers=secret)
    assert reply.status == 200
    assert reply.body["reached"] is True


def test_a_machine_that_is_stopped_runs_no_command(story: Arm) -> None:
    path = "Microsoft.Compute/virtualMachines/vm2"
    story.wait(story.call("POST", f"{path}/deallocate"))
    body = {"commandId": "RunShellScript", "script": ["true"]}
    reply = story.call("POST", f"{path}/runCommand", body)
    assert (reply.status, reply.code) == (409, "OperationNotAllowed")
    story.wait(story.call("POST", f"{path}/start"))
    assert "vm2" in run(story, "vm2", "hostname")


def test_the_group_goes_with_everything_in_it(story: Arm) -> None:
    reply = story.call("DELETE", story.root)
    assert reply.status == 202
    assert "Location" in reply.headers
    assert story.wait(reply).status == 200
    assert story.lab.world.resources == {}
    assert story.call("GET", story.root).code == "ResourceGroupNotFound"
