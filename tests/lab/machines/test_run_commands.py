"""Run commands over HTTPS: scripts that run side by side, and one whose machine is stopped."""

from __future__ import annotations

from tests.support.arm_client import Arm
from tests.support.lab_machines import get_command_output, start
from tests.support.lab_story import NAT, provision, run


def test_conntrack_sees_a_ping_that_is_under_way_on_another_machine(arm: Arm) -> None:
    provision(arm)
    run(arm, "vm3", *NAT)
    pinging = start(arm, "vm1", "ping -c 60 8.8.4.4")
    arm.clock.sleep(15)
    looking = start(arm, "vm3", "sudo conntrack -L -p icmp")

    assert "src=10.1.0.4 dst=8.8.4.4" in get_command_output(arm.wait(looking))
    assert arm.call("GET", pinging.headers["Azure-AsyncOperation"]).body["status"] == "InProgress"
    assert "60 packets transmitted, 60 received" in get_command_output(arm.wait(pinging))


def test_a_script_ends_with_its_machine(arm: Arm) -> None:
    provision(arm)
    pinging = start(arm, "vm1", "ping -c 600 10.1.0.4")
    arm.clock.sleep(30)
    arm.wait(arm.call("POST", "Microsoft.Compute/virtualMachines/vm1/deallocate"))

    assert "stopped in the middle" in get_command_output(arm.wait(pinging))
