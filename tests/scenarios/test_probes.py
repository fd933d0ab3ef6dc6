"""Probes of one's own: from here, of effective routes, and continuously while a switch runs."""

from __future__ import annotations

import json
import socket
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.support.door import open_door
from tests.support.pages import check_page
from tests.support.probes import add_probes
from tests.support.stage import Stage

OFFICE = "10.5.0.4"
NIC = "Microsoft.Network/networkInterfaces"


def remove_pings() -> None:
    """Take the pings of Run Command out of the site file."""
    file = Path("erfailover.yaml")
    lines = [line for line in file.read_text().splitlines(True) if "machine: vm1" not in line]
    file.write_text("".join(lines))


def office_door(stage: Stage) -> AbstractContextManager[int]:
    """A TCP port that says whether VM1 reaches the office at that moment; yields the port."""
    return open_door(lambda: stage.reaches("vm1-nic1", OFFICE))


def asks(port: int) -> str:
    """A command that fails unless the door says that VM1 reaches the office."""
    script = f"exec 3<>/dev/tcp/127.0.0.1/{port}; read -r word <&3; [ $word = up ]"
    return f"door: {{command: [bash, -c, '{script}'], continuous: true, every_s: 2}}"


class Trace:
    """From when to when the office was out of VM1's reach, as the lab's routing has it."""

    def __init__(self, stage: Stage) -> None:
        self.changes: list[tuple[float, bool]] = []
        self._stage, self._nic = stage, stage.resource(NIC, "vm1-nic1")
        self._began = stage.lab.world.now
        self.look()
        stage.lab.listen(self.look)

    def look(self) -> None:
        lab = self._stage.lab
        up = lab.plane.trace_packet(self._nic, OFFICE).reached
        if not self.changes or self.changes[-1][1] is not up:
            self.changes.append((lab.world.now - self._began, up))

    def back_s(self) -> float:
        """When it was last within reach again."""
        return [at for at, up in self.changes if up][-1]


def report() -> Any:
    return json.loads(Path("night.json").read_text())


def test_the_outage_that_a_probe_measures_is_the_labs_own(provisioned: Stage) -> None:
    stage = provisioned
    remove_pings()
    with office_door(stage) as port:
        add_probes(asks(port))
        stage.do("drill", "start", "--yes")
        assert not stage.reaches("vm1-nic1", OFFICE)
        trace = Trace(stage)
        out = stage.do("switch", "--to", "ipsec", "--yes", "--planned", "--report", "night.json")
        back_s = trace.back_s()
    (outage,) = report()["outages"]
    assert outage["how"] == "probe"
    counted = outage["probe"]
    assert counted["down_at_first"] is True
    assert counted["down_at_last"] is False
    (interval,) = outage["intervals"]
    assert back_s <= interval["ended_s"] <= back_s + 2.0
    assert interval["began_s"] <= report()["steps"][0]["began_s"]
    assert outage["longest_s"] == pytest.approx(interval["ended_s"] - interval["began_s"])
    assert counted["last_s"] > report()["verified_s"] - 2.1
    assert 0 < counted["lost"] < counted["asked"]
    assert "Outage (measured): " in out
    assert "Probe door" in stage.err
    assert "answering again, after an outage of" in stage.err
    stage.do("history", "--report", "night.html")
    assert "probe door" in check_page(Path("night.html").read_text())


def test_a_planned_switch_is_out_from_the_break_until_bgp_shows_the_make(
    provisioned: Stage,
) -> None:
    stage = provisioned
    remove_pings()
    with office_door(stage) as port:
        add_probes(asks(port))
        trace = Trace(stage)
        stage.do("switch", "--to", "ipsec", "--yes", "--planned", "--report", "night.json")
    cuts = [at for at, up in trace.changes if not up]
    (outage,) = report()["outages"]
    (interval,) = outage["intervals"]
    assert cuts[0] <= interval["began_s"] <= cuts[0] + 2.0
    assert trace.back_s() <= interval["ended_s"] <= trace.back_s() + 2.0
    (spoke,) = report()["spokes"]
    assert spoke["off_s"] <= interval["began_s"]


def test_a_probe_that_cannot_be_asked_neither_stops_a_switch_nor_is_an_outage(
    provisioned: Stage,
) -> None:
    stage = provisioned
    remove_pings()
    add_probes("door: {command: [no-such-program], every_s: 5}")
    stage.run(
        "switch", "--to", "ipsec", "--yes", "--planned", "--probe", "door", "--report", "night.json"
    )
    value = report()
    assert [item["how"] for item in value["outages"]] == ["probe", "steps"]
    assert "not measured: no-such-program was not found" in value["outages"][0]["told"]
    assert value["spokes"][0]["state"] == "on IPsec"
    assert "cannot run: no-such-program" in stage.err


def test_a_probe_that_azure_answers_cannot_be_asked_every_second(provisioned: Stage) -> None:
    stage = provisioned
    for name, message in (("office", "it runs through Azure"), ("nothing", "no such probe")):
        assert stage.run("switch", "--to", "ipsec", "--probe", name, "--dry-run") == 2
        assert message in stage.err


def test_verify_asks_every_kind_at_once_and_tells_each_in_a_table(provisioned: Stage) -> None:
    stage = provisioned
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        add_probes(
            f"erp: {{connect: '127.0.0.1:{port}'}}",
            "closed: {connect: '127.0.0.1:1'}",
            "check: {shell: 'echo tried; exit 3', exit_code: 3}",
            "route: {interface: vm1-nic1, prefix: 10.5.0.0/16, "
            "next_hop_type: VirtualNetworkGateway}",
            "elsewhere: {interface: vm1-nic1, prefix: 10.5.0.0/16, next_hop_type: Internet}",
        )
        began = stage.clock.now()
        assert stage.run("verify", "--expect", "closed=down,elsewhere=down") == 0, stage.err
        took_s = stage.clock.now() - began
        body = {item["name"]: item for item in stage.json("verify")}
    assert all(item["took_s"] is not None for item in body.values())
    assert took_s < 1.5 * max(body["internet"]["took_s"], body["route"]["took_s"])
    assert body["route"]["seen"].startswith("10.5.0.0/16 via VirtualNetworkGateway")
    assert body["closed"]["seen"] == "refused: the port is closed"
    assert body["check"]["output"] == "tried\n"
    assert stage.run("verify") == 6
    assert "closed" in stage.err
    assert "FAILS  elsewhere: 10.5.0.0/16 via VirtualNetworkGateway" in stage.out
    assert max(map(len, stage.out.splitlines())) <= 100, stage.out
