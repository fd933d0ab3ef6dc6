"""The agent: a layout becomes namespaces, routes, routers and tunnels, and nothing is left."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from erfailover.lab.linux.bird_output import BirdRoute, parse_routes, parse_sessions
from erfailover.lab.linux.launch import AgentError
from erfailover.lab.linux.layout import Layout, Route
from tests.lab.linux.agent_bed import AgentBed, wait_until
from tests.lab.linux.sites import DEVICE, SECRET, make_layout

pytestmark = pytest.mark.slow


@pytest.fixture
def sites(bed: AgentBed) -> AgentBed:
    """Two sites whose machines reach each other."""
    bed.apply(make_layout())
    wait_until(lambda: bed.pings("vm1", "10.2.0.4"), "a machine reaches the other site's")
    return bed


def is_established(bed: AgentBed, node: str) -> bool:
    bird = bed.read(node)["bird"]
    return bird is not None and "Established" in bird["protocols"]


def list_received(reading: Any) -> dict[str, BirdRoute]:
    """The routes that a gateway has from the far one, by prefix."""
    routes = parse_routes(reading["bird"]["routes"])
    return {route.prefix: route for route in routes if route.session == "far"}


def list_tunnel_routes(bed: AgentBed, node: str) -> list[str]:
    return bed.run(f"ip route show dev {DEVICE}", node).splitlines()


def restart_machine(layout: Layout, name: str) -> Layout:
    nodes = []
    for node in layout.nodes:
        if node.name == name and node.machine is not None:
            node = replace(node, machine=replace(node.machine, starts=2))
        nodes.append(node)
    return replace(layout, nodes=tuple(nodes))


def test_machines_reach_each_other_through_the_tunnel_and_the_gateways_say_why(
    sites: AgentBed,
) -> None:
    path = sites.run("traceroute -n -q 1 -w 1 10.2.0.4", "vm1")
    assert [line.split()[1] for line in path.splitlines()[1:]][-1] == "10.2.0.4"
    assert "10.2.0.254" in path, "the far gateway is on the path"
    reading = sites.read("gateway1")
    assert set(parse_sessions(reading["bird"]["protocols"])) == {"far"}
    assert set(reading["bird"]["exported"]) == {"far"}
    assert list_received(reading)["10.2.0.0/16"].as_path == (65002,)
    assert "10.1.0.0/16" in reading["bird"]["exported"]["far"]
    assert reading["tunnels"]["to-the-other"]["up"]
    assert {"event": "routes", "node": "gateway1"} in sites.events
    counted = sites.run("nft list ruleset", "internet")
    encrypted, clear = re.findall(r"counter packets (\d+)", counted)
    assert int(encrypted) > 10
    assert int(clear) == 0


def test_a_second_apply_of_the_same_layout_writes_nothing(sites: AgentBed) -> None:
    again = sites.apply(make_layout())
    assert (again["writes"], again["daemons"]) == (0, 0)


def test_what_only_a_tunnel_carries_follows_its_device(sites: AgentBed) -> None:
    static = "10.2.99.0/24"
    assert any(static in line for line in list_tunnel_routes(sites, "gateway1"))
    sites.kill("gateway1", "charon-systemd")
    wait_until(lambda: not sites.is_up("gateway1"), "the tunnel is down")
    assert not list_tunnel_routes(sites, "gateway1")
    assert sites.apply(make_layout())["daemons"] == 0, "a daemon that was killed stays down"
    sites.agent.call("restart_gateway", {"node": "gateway1"})
    wait_until(
        lambda: any(static in line for line in list_tunnel_routes(sites, "gateway1")),
        "the route is back",
    )
    wait_until(lambda: sites.pings("vm1", "10.2.0.4"), "packets pass again")


def test_routes_rules_and_rulesets_follow_the_layout(sites: AgentBed) -> None:
    layout = make_layout()
    vnet = next(node for node in layout.nodes if node.name == "vnet1")
    changed = replace(
        vnet,
        routes=(*vnet.routes[:3], Route("10.2.0.0/16", kind="unreachable", table=100)),
        rules=vnet.rules[:1],
        nft="",
    )
    assert "blackhole 192.168.0.0/16" in sites.run("ip route show table 100", "vnet1")
    assert "10.99.0.0/16" in sites.run("nft list ruleset", "vnet1")
    nodes = tuple(changed if node.name == "vnet1" else node for node in layout.nodes)
    assert sites.apply(replace(layout, nodes=nodes))["writes"] == 4
    table = sites.run("ip route show table 100", "vnet1")
    assert "blackhole" not in table
    assert "unreachable 10.2.0.0/16" in table
    assert "elsewhere" not in sites.run("ip rule", "vnet1")
    assert not sites.run("nft list ruleset", "vnet1").strip()
    assert not sites.pings("vm1", "10.2.0.4")
    sites.apply(layout)
    assert sites.pings("vm1", "10.2.0.4")


def test_a_machine_keeps_its_own_changes_until_it_is_started_again(sites: AgentBed) -> None:
    sites.run("ip route add 9.9.9.9/32 dev eth0; iptables -A INPUT -s 9.9.9.9 -j DROP", "vm1")
    assert sites.apply(make_layout(extra="10.77.0.0/16"))["writes"] == 0
    assert "9.9.9.9" in sites.run("ip route", "vm1")
    assert "9.9.9.9" in sites.run("iptables -S", "vm1")
    sites.apply(restart_machine(make_layout(), "vm1"))
    assert "9.9.9.9" not in sites.run("ip route; iptables -S", "vm1")
    assert sites.pings("vm1", "10.2.0.4")


def test_a_prefix_more_is_announced_without_a_loss_of_the_session(sites: AgentBed) -> None:
    sites.apply(make_layout(extra="10.77.0.0/16"))
    wait_until(
        lambda: "10.77.0.0/16 dev" in sites.run("ip route show proto bird", "gateway2"),
        "the far gateway has the route",
        2.0,
    )
    sites.apply(make_layout())
    wait_until(
        lambda: "10.77.0.0/16" not in sites.run("ip route show proto bird", "gateway2"),
        "the far gateway has lost the route",
        2.0,
    )
    assert is_established(sites, "gateway1")


def test_nodes_go_and_come_back(sites: AgentBed) -> None:
    before = sites.agent.call("describe")
    sites.apply(make_layout(1))
    assert sites.run("ip netns list | wc -l").strip() == "4"
    assert len(sites.run("pgrep -f '^(bird|charon-systemd)'").split()) == 2
    sites.apply(make_layout())
    wait_until(lambda: sites.pings("vm1", "10.2.0.4"), "machines reach each other again")
    after = sites.agent.call("describe")
    assert (after["nodes"], after["links"]) == (before["nodes"], before["links"])
    assert not sites.apply(make_layout())["writes"]


def test_a_layout_that_cannot_be_is_refused_by_name_and_the_rest_is_done(bed: AgentBed) -> None:
    layout = make_layout()
    broken = replace(layout.nodes[0], routes=(*layout.nodes[0].routes, Route("9.0.0.0/8", "x9")))
    with pytest.raises(AgentError, match=r"internet: route 9\.0\.0\.0/8.*no interface x9"):
        bed.apply(replace(layout, nodes=(broken, *layout.nodes[1:])))
    wait_until(lambda: bed.pings("vm1", "10.2.0.4"), "the rest works")


def test_a_wrong_secret_leaves_the_tunnel_down_until_it_is_corrected(bed: AgentBed) -> None:
    wrong = "no-such-secret-7352"
    bed.apply(make_layout(secret=wrong))
    refused = "tail -n 400 /run/erfailover/gateway1/*/charon.log | grep -c AUTHENTICATION_FAILED"
    wait_until(lambda: int(bed.run(refused) or 0) > 1, "it is tried again and again")
    assert not bed.is_up("gateway1")
    assert not bed.is_up("gateway2")
    bed.apply(make_layout())
    wait_until(lambda: bed.pings("vm1", "10.2.0.4"), "packets pass")
    bed.apply(make_layout(secret=wrong))
    wait_until(lambda: not bed.is_up("gateway1") and not bed.is_up("gateway2"), "both are down")
    for secret in (wrong, SECRET):
        pattern = f"[{secret[0]}]{secret[1:]}"  # Not found in grep's own command line.
        assert not bed.run(f"grep -rl {pattern} /run"), "no file has a secret"
        assert not bed.run(f"grep -l {pattern} /proc/[0-9]*/cmdline /proc/[0-9]*/environ")
        assert secret not in bed.log.read_text()


def test_a_gateway_whose_far_end_dies_notices_and_comes_back(sites: AgentBed) -> None:
    sites.kill("gateway2", "charon-systemd")
    wait_until(lambda: not sites.is_up("gateway1"), "the other end notices")
    assert not any("10.2.0.0/16" in line for line in list_tunnel_routes(sites, "gateway1")), (
        "what BIRD had learned through it is unusable"
    )
    sites.agent.call("restart_gateway", {"node": "gateway2"})
    wait_until(lambda: sites.is_up("gateway1", "gateway2"), "the tunnel is back")
    wait_until(lambda: sites.pings("vm1", "10.2.0.4"), "packets pass again")


def test_a_killed_bird_is_said_to_be_dead_until_it_is_restarted(sites: AgentBed) -> None:
    sites.events.clear()
    sites.kill("gateway1", "bird")
    wait_until(lambda: sites.read("gateway1")["bird"] is None, "its death is seen")
    wait_until(lambda: {"event": "routes", "node": "gateway1"} in sites.events, "it is told")
    wait_until(lambda: not is_established(sites, "gateway2"), "the far end lost its session")
    assert sites.apply(make_layout(extra="10.77.0.0/16"))["writes"] == 0
    assert sites.read("gateway1")["bird"] is None, "it is not restarted by itself"
    sites.agent.call("restart_gateway", {"node": "gateway1"})
    wait_until(
        lambda: "10.77.0.0/16" in list_received(sites.read("gateway2")),
        "the session is back, with what was configured meanwhile",
    )


def test_a_dead_agent_is_an_error_and_no_wait(sites: AgentBed) -> None:
    processes = psutil.Process(sites.agent.pid).children(recursive=True)
    processes[1].send_signal(signal.SIGKILL)  # The server, whose parent is pid 1.
    with pytest.raises(AgentError, match="has ended"):
        sites.agent.call("apply", {"layout": {}}, timeout_s=5)
    wait_until(lambda: sites.events[-1] == {"event": "ended"}, "its end is told")
    wait_until(lambda: not any(is_alive(each) for each in processes), "nothing is left")


def test_an_agent_that_hangs_is_an_error_in_time_and_can_be_closed(
    linux_plane: None, tmp_path: Path
) -> None:
    with AgentBed(tmp_path) as bed:
        bed.apply(make_layout())
        processes = psutil.Process(bed.agent.pid).children(recursive=True)
        processes[1].suspend()
        for more in ("x" * 1_000_000, ""):
            with pytest.raises(AgentError, match=r"no answer from the agent in 0\.2 s"):
                bed.agent.call("apply", {"layout": more}, timeout_s=0.2)
        bed.agent.close(timeout_s=0.2)
        wait_until(lambda: not any(is_alive(each) for each in processes), "nothing is left")


def test_ctrl_c_does_not_reach_the_agent(bed: AgentBed) -> None:
    bed.apply(make_layout())
    for process in psutil.Process(bed.agent.pid).children(recursive=True)[:2]:
        process.send_signal(signal.SIGINT)
    assert bed.agent.call("describe")["nodes"] == 7


@pytest.mark.parametrize("victim", ["the lab", "the agent"])
def test_kill_9_leaves_no_process_and_no_namespace(
    linux_plane: None, tmp_path: Path, victim: str
) -> None:
    program = textwrap.dedent(
        f"""
        import pathlib, time
        from erfailover.lab.linux.launch import start_agent
        from erfailover.lab.linux.layout import to_json
        from tests.lab.linux.sites import make_layout
        agent = start_agent(pathlib.Path({str(tmp_path)!r}), lambda event: None)
        agent.call("apply", {{"layout": to_json(make_layout())}})
        print("ready", flush=True)
        time.sleep(60)
        """
    )
    with subprocess.Popen((sys.executable, "-c", program), stdout=subprocess.PIPE) as lab:
        assert lab.stdout is not None
        try:
            assert lab.stdout.readline() == b"ready\n"
            started = psutil.Process(lab.pid).children(recursive=True)
            outside = {get_namespace(lab.pid), ""}
            namespaces = {get_namespace(each.pid) for each in started} - outside
            assert len(started) >= 7
            assert len(namespaces) >= 3, "the agent's own and two gateways' with daemons in them"
            (lab if victim == "the lab" else started[0]).kill()
            wait_until(lambda: not any(is_alive(each) for each in started), "all have ended", 5.0)
        finally:
            lab.kill()
    assert not namespaces & {get_namespace(pid) for pid in psutil.pids()}


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def get_namespace(pid: int) -> str:
    try:
        return str(Path(f"/proc/{pid}/ns/net").readlink())
    except OSError:
        return ""
