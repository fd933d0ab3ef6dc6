"""The whole world written down and read back."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

import erfailover
from erfailover.lab.core.clock import SteppedClock
from erfailover.lab.engine.faults import Fault, FaultKind
from erfailover.lab.engine.lab import Lab
from erfailover.lab.engine.snapshots import SnapshotError
from erfailover.lab.server.server import LabServer
from tests.support.arm_client import Arm
from tests.support.lab_machines import get_command_output, start
from tests.support.lab_story import (
    GATEWAYS,
    NAT,
    act,
    assert_observed,
    has_no_packet_loss,
    local_gateway,
    provision,
    run,
)


class Later:
    """A second lab, which has another clock, and reads back what the first one wrote."""

    def __init__(self, first: Arm, data: bytes) -> None:
        self.clock = SteppedClock()
        self.lab = Lab(self.clock, identity_=first.lab.identity)
        self.lab.restore(data)
        self.server = LabServer(self.lab)

    def __enter__(self) -> Arm:
        self.server.__enter__()
        self.arm = Arm(self.lab, self.clock, self.server.endpoint, str(self.server.ca_file))
        return self.arm

    def __exit__(self, *_: object) -> None:
        self.arm.pool.clear()
        self.server.__exit__(None, None, None)


def test_the_story_goes_on_in_another_lab(arm: Arm) -> None:
    provision(arm)
    run(arm, "vm3", *NAT)
    arm.clock.sleep(600)
    before = [act(arm, f"virtualNetworkGateways/{name}/getLearnedRoutes") for name in GATEWAYS]
    data = arm.lab.snapshot()
    with Later(arm, data) as later:
        assert later.lab.world.now == arm.lab.world.now
        assert later.get("virtualNetworks/vnet1") == arm.get("virtualNetworks/vnet1")
        after = [act(later, f"virtualNetworkGateways/{name}/getLearnedRoutes") for name in GATEWAYS]
        assert after == before
        assert_observed(later, "vng1-healthy")
        assert has_no_packet_loss(run(later, "vm1", "ping -c 2 8.8.4.4"))
        local_gateway(later, "lng1", peer="10.4.0.253")
        later.clock.sleep(600)
        assert_observed(later, "vng1-expressroute-down")
        assert_observed(later, "vng2-before-switch")
    assert_observed(arm, "vng1-healthy")


def test_a_hold_time_under_way_runs_on(hub_and_spoke: Arm) -> None:
    arm = hub_and_spoke
    arm.peering("hub", "spoke", transit=True)
    reply = arm.call(
        "PUT",
        "virtualNetworks/new",
        {
            "location": "westeurope",
            "properties": {"addressSpace": {"addressPrefixes": ["10.9.0.0/16"]}},
        },
    )
    peering = arm.call(
        "PUT",
        "virtualNetworks/spoke/virtualNetworkPeerings/spoke-to-hub",
        {"properties": arm.peering_properties("hub", remote=True)},
    )
    data = arm.lab.snapshot()
    with Later(arm, data) as later:
        path = "virtualNetworks/new"
        assert later.get(path)["properties"]["provisioningState"] == "Updating"
        url = reply.headers["Azure-AsyncOperation"].replace(arm.endpoint, later.endpoint)
        assert later.call("GET", url).body["status"] == "InProgress"
        later.clock.sleep(60)
        assert later.call("GET", url).body["status"] == "Succeeded"
        assert later.get(path)["properties"]["provisioningState"] == "Succeeded"
        rows = act(later, "virtualNetworkGateways/g1/getLearnedRoutes")
        assert {row["network"] for row in rows} == {"10.2.0.0/16", "10.1.0.0/16"}
    assert peering.status == 201


def test_a_lab_goes_back_to_what_it_was(arm: Arm) -> None:
    arm.vnet("kept", "10.1.0.0/16")
    data = arm.lab.snapshot()
    before = arm.lab.world.now
    for _ in range(3):
        arm.vnet("more", "10.2.0.0/16")
        arm.delete("virtualNetworks/kept")
        arm.lab.restore(data)
        assert arm.lab.world.now == before
        assert [vnet["name"] for vnet in arm.get("virtualNetworks")["value"]] == ["kept"]
        arm.peering_refused("kept", "more")


def test_listeners_listen_on(arm: Arm) -> None:
    times: list[float] = []
    arm.lab.listen(lambda: times.append(arm.lab.world.now))
    arm.lab.restore(arm.lab.snapshot())
    before = len(times)
    arm.vnet("v", "10.1.0.0/16")
    assert len(times) > before


def test_a_script_under_way_is_cut_off_and_says_so(arm: Arm) -> None:
    provision(arm)
    reply = start(arm, "vm1", "ping -c 600 10.1.0.4")
    arm.clock.sleep(60)
    data = arm.lab.snapshot()
    with Later(arm, data) as later:
        url = reply.headers["Azure-AsyncOperation"].replace(arm.endpoint, later.endpoint)
        later.clock.sleep(10)
        assert "the lab was restarted" in get_command_output(later.call("GET", url))
        assert "vm1" in run(later, "vm1", "hostname")
    assert "600 received" in get_command_output(arm.wait(reply))


def test_faults_and_limits_are_part_of_the_world(arm: Arm) -> None:
    arm.lab.add_faults(Fault(FaultKind.EMPTY, "GET", "virtualNetworks", nth=2))
    arm.vnet("v", "10.1.0.0/16")
    arm.get("virtualNetworks")
    arm.lab.restore(arm.lab.snapshot())
    assert arm.get("virtualNetworks") == {"value": []}


class Harmful:
    def __reduce__(self) -> tuple[Any, ...]:
        return (eval, ("1 + 1",))


@pytest.mark.parametrize("data", [b"", b"x", b"erfailover lab world, form 5, version 0\nx"])
def test_anything_else_is_refused_and_the_lab_stays(arm: Arm, data: bytes) -> None:
    arm.vnet("v", "10.1.0.0/16")
    with pytest.raises(SnapshotError):
        arm.lab.restore(data)
    assert arm.get("virtualNetworks/v")["name"] == "v"


@pytest.mark.parametrize("version", ["form 1, version 0.1.0", "form 3, version 0"])
def test_a_world_of_another_version_is_refused_in_a_sentence(arm: Arm, version: str) -> None:
    header = f"erfailover lab world, {version}"
    with pytest.raises(SnapshotError) as caught:
        arm.lab.restore(f"{header}\nx".encode())
    assert str(caught.value) == (
        f"another version of the lab saved this state ('{header}'), and this version reads "
        f"only 'erfailover lab world, form 5, version {erfailover.__version__}'. Build the network "
        f"again, or use that version of the lab."
    )


def test_a_doctored_snapshot_runs_nothing(arm: Arm) -> None:
    header = f"erfailover lab world, form 5, version {erfailover.__version__}\n".encode()
    with pytest.raises(SnapshotError, match="eval"):
        arm.lab.restore(header + pickle.dumps(Harmful()))
    borrowed = b"cbuiltins\ngetattr\n(cerfailover.lab.cli.process\nos\nVgetpid\ntR."
    with pytest.raises(SnapshotError, match=r"process\.os"):
        arm.lab.restore(header + borrowed)
    bound = b"cbuiltins\ngetattr\n(cerfailover.lab.core.world\nWorld\nV__init__\ntR."
    with pytest.raises(SnapshotError, match="__init__"):
        arm.lab.restore(header + bound)
