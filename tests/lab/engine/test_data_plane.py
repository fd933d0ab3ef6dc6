"""What a lab asks of its data plane, and which state of it outlives a restart."""

from __future__ import annotations

import pickle
from functools import partial

import pytest

from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.clock import SteppedClock
from erfailover.lab.engine.faults import Fault, FaultKind
from erfailover.lab.engine.lab import Lab
from erfailover.lab.machines.data_plane import DataPlane
from erfailover.lab.machines.model_plane import ModelPlane
from erfailover.lab.routing.sessions import BgpTiming
from tests.support import worlds
from tests.support.arm_client import Arm
from tests.support.lab_story import provision, run
from tests.support.planes import OutsidePlane
from tests.support.worlds import Builder


def make_lab(plane: DataPlane) -> Lab:
    lab = Lab(SteppedClock(), plane=plane)
    builder = Builder()
    builder.world = lab.world
    worlds.proof_of_concept(builder)
    return lab


def find(lab: Lab, type_: str, name: str) -> str:
    return next(str(item.id) for item in lab.world.iter_by_type(type_) if item.id.name == name)


def count_connected(lab: Lab) -> int:
    gateway = lab.world.get(find(lab, rt.GATEWAY, "vng3"))
    assert gateway is not None
    return [row["state"] for row in lab.plane.list_peers(gateway)].count("Connected")


def trace(lab: Lab, nic: str) -> bool:
    interface = lab.world.get(find(lab, rt.NIC, nic))
    assert interface is not None
    return lab.plane.trace_packet(interface, "10.5.0.4").reached


def let_pass(lab: Lab, seconds: float) -> None:
    lab.world.advance_to(lab.world.now + seconds)
    lab._offset += seconds


def test_a_lab_has_the_model_unless_it_is_given_another_plane() -> None:
    assert isinstance(Lab(SteppedClock()).plane, ModelPlane)
    plane = OutsidePlane()
    assert Lab(SteppedClock(), plane=plane).plane is plane


def test_news_from_outside_reach_the_listeners_once() -> None:
    plane = OutsidePlane()
    lab = Lab(SteppedClock(), plane=plane)
    told: list[float] = []
    lab.listen(lambda: told.append(lab.world.now))
    lab.catch_up()
    assert told == []
    plane.has_news = True
    lab.catch_up()
    lab.catch_up()
    assert len(told) == 1


def test_a_change_of_the_plane_alone_is_part_of_the_stale_reads() -> None:
    plane = OutsidePlane()
    lab = make_lab(plane)
    lab.add_faults(Fault(FaultKind.STALE, "POST", "*/getBgpPeerStatus"))
    before = len(str(lab.history))
    plane.bgp.version += 1
    plane.bgp._sessions.views.clear()
    plane.has_news = True
    lab.catch_up()
    assert len(str(lab.history)) > before


def test_a_reset_gives_the_plane_the_new_world() -> None:
    plane = OutsidePlane()
    lab = make_lab(plane)
    before = lab.world
    lab.reset()
    assert lab.world is not before
    assert plane.attached[-1] == (lab.world, None)
    assert not plane.network.gateways.all


def test_a_plane_gets_back_what_it_saved() -> None:
    plane = OutsidePlane()
    lab = make_lab(plane)
    let_pass(lab, 15)
    assert count_connected(lab) == 2
    lab.restore(lab.snapshot())
    world, saved = plane.attached[-1]
    assert world is lab.world
    assert saved is not None
    assert count_connected(lab) == 2
    assert plane.bgp.world is lab.world


@pytest.mark.parametrize("kinds", [(ModelPlane, OutsidePlane), (OutsidePlane, ModelPlane)])
def test_a_plane_builds_itself_anew_from_the_world_of_another(
    kinds: tuple[type[ModelPlane], type[ModelPlane]],
) -> None:
    first, second = make_lab(kinds[0]()), Lab(SteppedClock(), plane=kinds[1]())
    let_pass(first, 15)
    for vm in first.world.iter_by_type(rt.VM):
        vm.hidden["powerState"] = "deallocated" if vm.id.name == "vm3" else "running"
    assert trace(first, "vm1-nic")
    second.restore(first.snapshot())
    assert count_connected(second) == 0
    let_pass(second, BgpTiming().connect_s)
    assert count_connected(second) == 2
    assert trace(second, "vm1-nic")
    vm3 = find(second, rt.VM, "vm3").lower()
    assert isinstance(second.plane, ModelPlane)
    assert second.plane.machines.get_system(vm3) is None


def test_machines_that_are_built_anew_have_a_new_disk(arm: Arm) -> None:
    provision(arm)
    run(arm, "vm1", "touch /root/kept-by-the-model-alone")
    plane = OutsidePlane()
    later = Lab(SteppedClock(), plane=plane)
    later.restore(arm.lab.snapshot())
    vm1 = later.world.get(find(later, rt.VM, "vm1"))
    assert vm1 is not None
    assert plane.machines.run(vm1, ["hostname"]).stdout == "vm1\n"
    assert plane.machines.run(vm1, ["cat /root/kept-by-the-model-alone"]).exit_code == 1


def test_a_plane_that_an_event_refers_to_is_not_saved() -> None:
    plane = OutsidePlane()
    lab = make_lab(plane)
    lab.snapshot()
    lab.world.schedule(1000, partial(plane.refresh))
    with pytest.raises(pickle.PicklingError, match="the data plane itself"):
        lab.snapshot()
