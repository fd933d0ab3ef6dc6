"""The Linux data plane as the rest of the lab sees it: real routers behind Azure's tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from erfailover.lab.machines.machines import CommandOutput
from tests.support import worlds
from tests.support.lab_story import NAT
from tests.support.linux_stage import kill_daemon
from tests.support.linux_world import LinuxWorld
from tests.support.patience import PATIENCE

pytestmark = pytest.mark.slow

OFFICE, INTERNET = "10.5.0.4", "8.8.4.4"


@pytest.fixture
def world(linux_plane: None, tmp_path: Path) -> Iterator[LinuxWorld]:
    """The proof of concept, its sessions established."""
    with LinuxWorld(tmp_path, worlds.proof_of_concept()) as running:
        running.wait_for(
            lambda: (
                [*running.list_states("vng1"), *running.list_states("vng3")] == ["Connected"] * 3
            )
        )
        yield running


def test_the_story_is_played_by_packets(world: LinuxWorld) -> None:
    assert world.run_script("vm3", *NAT).exit_code == 0
    world.wait_for(lambda: world.reaches("vm1-nic", OFFICE))
    assert world.reaches("vm1-nic", INTERNET)
    assert not world.reaches("vm1-nic", "10.9.9.9"), "nobody has this address"


def test_traffic_to_the_internet_is_translated_by_the_machine(world: LinuxWorld) -> None:
    world.run_script("vm3", *NAT)
    world.wait_for(lambda: world.reaches("vm1-nic", INTERNET))
    flows = world.run_script("vm3", "sudo conntrack -L -p icmp 2>/dev/null").stdout
    assert re.search(r"src=10\.1\.0\.4 dst=8\.8\.4\.4 .* dst=10\.2\.1\.4", flows), flows


def test_a_switch_moves_the_spoke_to_the_other_gateway(world: LinuxWorld) -> None:
    worlds.expressroute_fails(world.builder)
    world.wait_for(lambda: world.list_learned("vng1") == [])
    world.wait_for(lambda: not world.reaches("vm1-nic", OFFICE))
    worlds.leave_primary(world.builder)
    worlds.join_backup(world.builder)
    world.wait_for(lambda: world.reaches("vm1-nic", OFFICE))
    assert world.list_states("vng1") == ["Connecting"]
    assert "10.1.0.0/16" in world.list_learned("vng3")


def test_a_router_whose_bird_was_killed_says_so_and_its_peer_after_the_hold_time(
    world: LinuxWorld,
) -> None:
    kill_daemon(world.plane, "bird", "vng1")
    world.wait_for(lambda: world.list_states("vng1") == ["Unknown"])
    assert world.list_learned("vng1") == []
    world.wait_for(lambda: world.list_states("vng3") == ["Connecting", "Connected"])
    assert "10.1.0.0/16" not in world.list_learned("vng3")
    assert not world.reaches("vm1-nic", OFFICE)


def test_a_tunnel_whose_charon_was_killed_takes_the_session_with_it(world: LinuxWorld) -> None:
    connection = world.builder.get("connections", "vng1-to-vng3")
    assert world.plane.get_connection_status(connection) == "Connected"
    kill_daemon(world.plane, "charon-systemd", "vng1")
    world.wait_for(lambda: world.plane.get_connection_status(connection) == "Connecting")
    world.wait_for(lambda: world.list_states("vng1") == ["Connecting"])
    assert not world.reaches("vm1-nic", OFFICE)


def test_a_machine_that_is_stopped_answers_nothing_until_it_is_started(world: LinuxWorld) -> None:
    world.wait_for(lambda: world.reaches("vm1-nic", OFFICE))
    world.run_script("vm2", "echo kept > /root/file; ip route add blackhole 10.9.0.0/16")
    world.plane.stop(world.get_machine("vm2"))
    world.wait_for(lambda: not world.reaches("vm1-nic", OFFICE))
    world.plane.boot(world.get_machine("vm2"))
    world.wait_for(lambda: world.reaches("vm1-nic", OFFICE))
    output = world.run_script("vm2", "cat /root/file; ip route").stdout
    assert output.startswith("kept\n")
    assert "10.9.0.0/16" not in output


def test_a_script_on_a_machine_that_does_not_run_ends_at_once(world: LinuxWorld) -> None:
    world.plane.stop(world.get_machine("vm2"))
    assert world.run_script("vm2", "true").exit_code == 127


def test_an_agent_that_dies_is_replaced_and_everything_made_anew(world: LinuxWorld) -> None:
    world.wait_for(lambda: world.reaches("vm1-nic", OFFICE))
    before = world.plane.agent.pid
    psutil.Process(before).kill()
    world.wait_for(lambda: world.plane.agent.pid != before)
    world.wait_for(lambda: world.reaches("vm1-nic", OFFICE))


def test_a_script_ends_when_the_agent_dies(world: LinuxWorld) -> None:
    outputs: list[CommandOutput] = []
    world.plane.start_script(world.get_machine("vm1"), ["sleep 60"], outputs.append)
    world.run_for(PATIENCE)
    psutil.Process(world.plane.agent.pid).kill()
    world.wait_for(lambda: bool(outputs))
    assert outputs[0].exit_code == 1
    assert "in the middle of the script" in outputs[0].stderr


def test_what_is_not_carried_is_named_once(
    world: LinuxWorld, caplog: pytest.LogCaptureFixture
) -> None:
    world.builder.put("azureFirewalls", "fw1")
    world.run_for(0.1)
    world.builder.put("azureFirewalls", "fw1", threatIntelMode="Alert")
    world.run_for(0.1)
    named = [each for each in caplog.messages if "does not carry" in each]
    assert len(named) == 1
    assert named[0].endswith("/azurefirewalls/fw1")
