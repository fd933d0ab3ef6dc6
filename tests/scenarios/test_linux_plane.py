"""The controller against a lab with real routers: what BIRD and charon say is what it judges."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from erfailover.lab.auth.identity import Identity
from tests.support.linux_plane import require_linux_plane
from tests.support.linux_stage import LinuxStage, play_on_linux
from tests.support.stage import Provisioned

pytestmark = pytest.mark.slow

OFFICE, INTERNET = "10.5.0.4", "8.8.4.4"


@pytest.fixture
def stage(
    tmp_path: Path,
    identity_: Identity,
    provisioned_once: Provisioned,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[LinuxStage]:
    """The proof of concept on real routers, healthy, with the NAT of vm3 set up."""
    require_linux_plane()
    with play_on_linux(tmp_path, identity_, provisioned_once, monkeypatch, capsys) as running:
        running.wait_for(lambda: running.run("status") == 0)
        running.wait_for(lambda: running.reaches("vm1-nic1", INTERNET))
        yield running


def test_the_story_of_the_proof_of_concept(stage: LinuxStage) -> None:
    assert stage.run("verify", "--expect", "office=up,internet=up") == 0
    assert stage.run("drill", "start", "--yes") == 0
    stage.wait_for(lambda: not stage.reaches("vm1-nic1", OFFICE))
    assert stage.run("verify", "--expect", "office=down,internet=up") == 0
    assert stage.run("switch", "--to", "ipsec", "--yes") == 0
    assert stage.run("verify", "--expect", "office=up,internet=up") == 0
    assert stage.run("drill", "stop", "--yes") == 0
    stage.wait_for(lambda: stage.run("switch", "--to", "expressroute", "--yes") == 0)
    assert stage.run("verify", "--expect", "office=up,internet=up") == 0


def test_a_dead_router_on_the_active_path_is_a_failure_that_a_switch_ends(
    stage: LinuxStage,
) -> None:
    stage.kill("bird", "vng1")
    stage.wait_for(lambda: stage.run("status") != 0)
    assert "NOT healthy" in stage.out or "unknown" in stage.out
    stage.wait_for(lambda: not stage.reaches("vm1-nic1", OFFICE))
    assert stage.run("switch", "--to", "ipsec", "--yes") == 0
    assert stage.reaches("vm1-nic1", OFFICE)
    assert stage.reaches("vm1-nic1", INTERNET)


def test_a_dead_router_on_the_backup_path_is_no_target(stage: LinuxStage) -> None:
    stage.kill("bird", "vng2")
    stage.wait_for(lambda: "ready to take over" not in (stage.run("status"), stage.out)[1])
    assert stage.run("switch", "--to", "ipsec", "--yes", "--planned") in (3, 4)
    assert "vng2" in stage.err
    assert stage.reaches("vm1-nic1", OFFICE), "nothing was changed"


def test_a_tunnel_that_dies_in_the_middle_of_a_switch_is_reported(stage: LinuxStage) -> None:
    killed = threading.Event()

    def kill_when_the_spoke_has_left() -> None:
        peering = next(
            each
            for each in stage.lab.world.iter_by_type(
                "Microsoft.Network/virtualNetworks/virtualNetworkPeerings"
            )
            if each.id.name == "vnet1-to-vnet2"
        )
        if not killed.is_set() and not peering.active_properties["useRemoteGateways"]:
            killed.set()
            stage.kill("charon-systemd", "vng2")

    with stage.lab.lock:
        stage.lab.listen(kill_when_the_spoke_has_left)
    code = stage.run("switch", "--to", "ipsec", "--yes", "--planned")
    assert killed.is_set()
    assert code != 0, stage.out
    assert not stage.reaches("vm1-nic1", OFFICE)
    assert stage.reaches("vm1-nic1", INTERNET), "the other traffic is never cut"
    # The gateway comes back, and with it the path.
    gateways = stage.lab.world.iter_by_type("Microsoft.Network/virtualNetworkGateways")
    with stage.lab.lock:
        stage.plane.restart_gateway(next(each for each in gateways if each.id.name == "vng2"))
    stage.wait_for(lambda: stage.reaches("vm1-nic1", OFFICE))
    stage.wait_for(lambda: stage.run("status") == 0)
