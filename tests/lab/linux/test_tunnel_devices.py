"""Who encrypts: chosen by a probe or on demand, and with the kernel nothing else is different."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from erfailover.lab.linux import encryption
from erfailover.lab.linux.agent import tunnel_devices
from erfailover.lab.linux.agent.tunnel_devices import KernelDevice, LibipsecDevice, choose_device
from tests.lab.linux.agent_bed import AgentBed, wait_until
from tests.lab.linux.sites import DEVICE, make_layout
from tests.support.linux_plane import LINUX_PLANE_SKIPPED

pytestmark = pytest.mark.slow

REFUSAL = ("sh", "-c", "echo Protocol not supported >&2; exit 2")
COUNTED = r"lifetime current:\s+\d+\(bytes\), (\d+)\(packets\)"


@pytest.fixture
def kernel_bed(bed: AgentBed) -> AgentBed:
    """Two sites whose tunnel is encrypted by the kernel."""
    if bed.agent.call("describe")["ipsec"] != encryption.KERNEL:
        pytest.skip(f"{LINUX_PLANE_SKIPPED} with the kernel's ESP: it has none")
    bed.apply(make_layout())
    wait_until(lambda: bed.pings("vm1", "10.2.0.4"), "a machine reaches the other site's")
    return bed


def test_the_kernel_encrypts_where_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(encryption.VARIABLE, raising=False)
    monkeypatch.setattr(tunnel_devices, "PROBE", ("true",))
    assert choose_device()[0] is KernelDevice
    monkeypatch.setattr(tunnel_devices, "PROBE", REFUSAL)
    device, reason = choose_device()
    assert device is LibipsecDevice
    assert "Protocol not supported" in reason


def test_either_is_had_on_demand_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(encryption.VARIABLE, encryption.LIBIPSEC)
    monkeypatch.setattr(tunnel_devices, "PROBE", ("true",))
    assert choose_device()[0] is LibipsecDevice
    monkeypatch.setenv(encryption.VARIABLE, encryption.KERNEL)
    assert choose_device()[0] is KernelDevice
    monkeypatch.setattr(tunnel_devices, "PROBE", REFUSAL)
    with pytest.raises(OSError, match="the kernel has no ESP: Protocol not supported"):
        choose_device()
    monkeypatch.setenv(encryption.VARIABLE, "wireguard")
    with pytest.raises(ValueError, match="ERFAILOVER_LAB_IPSEC is 'wireguard', not kernel or"):
        choose_device()


def test_the_agent_gets_the_demand_and_says_what_is_used(
    linux_plane: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(encryption.VARIABLE, encryption.LIBIPSEC)
    with AgentBed(tmp_path) as bed:
        assert bed.agent.call("describe")["ipsec"] == encryption.LIBIPSEC
        assert "IPsec by libipsec: as demanded" in bed.log.read_text()


def test_the_kernel_counts_the_packets_of_a_ping(kernel_bed: AgentBed) -> None:
    before = count_packets(kernel_bed)
    assert kernel_bed.pings("vm1", "10.2.0.4")
    after = count_packets(kernel_bed)
    assert len(before) == len(after) == len(("in", "out"))
    assert all(new >= old + 2 for old, new in zip(before, after, strict=True))


def test_the_kernel_keeps_nothing_of_a_daemon_that_was_killed(kernel_bed: AgentBed) -> None:
    kernel_bed.kill("gateway1", "charon-systemd")
    wait_until(lambda: not kernel_bed.is_up("gateway1"), "the tunnel is down")
    assert not kernel_bed.run("ip xfrm state; ip xfrm policy", "gateway1")
    assert DEVICE not in kernel_bed.run("ip link", "gateway1")
    wait_until(lambda: not kernel_bed.is_up("gateway2"), "the far end has noticed")
    wait_until(lambda: not kernel_bed.run("ip xfrm state", "gateway2"), "it gave up")
    kernel_bed.agent.call("restart_gateway", {"node": "gateway1"})
    wait_until(lambda: kernel_bed.pings("vm1", "10.2.0.4"), "packets pass again")


def count_packets(bed: AgentBed) -> list[int]:
    return [int(each) for each in re.findall(COUNTED, bed.run("ip -s xfrm state", "gateway1"))]
