"""Machines: the shell, its commands' output and exit statuses, time, and booting."""

from __future__ import annotations

import base64

import pytest

from erfailover.lab.core.world import Resource
from erfailover.lab.machines.machines import CommandOutput, Machines
from erfailover.lab.machines.netfilter import UnmodelledError
from erfailover.lab.machines.shell.syntax import parse
from erfailover.lab.routing.sessions import BgpTiming
from tests.support import worlds
from tests.support.lab_machines import NAT
from tests.support.worlds import Builder

TIMING = BgpTiming()


class Lab:
    """The proof of concept with sessions up."""

    def __init__(self) -> None:
        self.builder: Builder = worlds.proof_of_concept()
        self.bgp = worlds.routing(self.builder)
        self.machines = Machines(self.builder.world, self.bgp)
        self.builder.wait(TIMING.connect_s)

    def vm(self, name: str) -> Resource:
        return self.builder.get("virtualMachines", name, provider="Microsoft.Compute")

    def run(self, script: str, name: str = "vm3") -> CommandOutput:
        return self.machines.run(self.vm(name), script.splitlines())


def out(script: str, name: str = "vm3") -> str:
    """What a script writes on a fresh machine; it must succeed."""
    output = Lab().run(script, name)
    assert output.exit_code == 0, output
    return output.stdout


# ping


def test_ping_writes_what_a_real_one_does() -> None:
    lab = Lab()
    output = lab.run("ping -c 3 10.5.0.4", "vm1")
    lines = output.stdout.splitlines()
    assert lines[0] == "PING 10.5.0.4 (10.5.0.4) 56(84) bytes of data."
    assert [line.partition(" time=")[0] for line in lines[1:4]] == [
        f"64 bytes from 10.5.0.4: icmp_seq={n} ttl=64" for n in (1, 2, 3)
    ]
    assert lines[4:6] == ["", "--- 10.5.0.4 ping statistics ---"]
    assert lines[6].startswith("3 packets transmitted, 3 received, 0% packet loss, time 200")
    assert lines[7].startswith("rtt min/avg/max/mdev = ")
    assert (output.exit_code, output.stderr, output.duration_s) == (0, "", 2.0)


def test_ping_without_an_answer_waits_and_fails() -> None:
    lab = Lab()
    worlds.expressroute_fails(lab.builder)
    output = lab.run("ping -c 5 10.5.0.4", "vm1")
    assert output.stdout.splitlines() == [
        "PING 10.5.0.4 (10.5.0.4) 56(84) bytes of data.",
        "",
        "--- 10.5.0.4 ping statistics ---",
        "5 packets transmitted, 0 received, 100% packet loss, time 4008ms",
        "",
    ]
    assert (output.exit_code, output.duration_s) == (1, 14.0)
    assert lab.run("ping -c 3 -W 2 10.5.0.4", "vm1").duration_s == 4.0


def test_ping_by_way_of_the_nat_machine_shows_one_hop_more() -> None:
    lab = Lab()
    assert lab.run(NAT).exit_code == 0
    assert "icmp_seq=1 ttl=115 time=" in lab.run("ping -c 1 8.8.4.4", "vm1").stdout
    assert "icmp_seq=1 ttl=116 time=" in lab.run("ping -c 1 8.8.8.8", "vm1").stdout


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("ping 10.5.0.4", 127),
        ("ping -c 1 example.com", 127),
        ("ping -c x 10.5.0.4", 2),
        ("ping -c 1", 2),
        ("ping -f -c 1 10.5.0.4", 127),
    ],
)
def test_ping_refuses_what_cannot_be(command: str, status: int) -> None:
    output = Lab().run(command, "vm1")
    assert output.exit_code == status
    assert output.stdout == ""
    assert output.stderr


def test_a_ping_that_takes_its_time_sees_the_path_break_in_the_middle() -> None:
    lab = Lab()
    done: list[CommandOutput] = []
    lab.machines.start(lab.vm("vm1"), ["ping -c 6 10.5.0.4"], done.append)
    lab.builder.wait(2.5)
    assert not done
    worlds.expressroute_fails(lab.builder)
    lab.builder.wait(10)
    assert "6 packets transmitted, 3 received, 50% packet loss" in done[0].stdout
    assert done[0].duration_s == 6.0


def test_a_script_under_way_ends_when_its_machine_stops() -> None:
    lab = Lab()
    done: list[CommandOutput] = []
    lab.machines.start(lab.vm("vm1"), ["sleep 5; echo later"], done.append)
    lab.machines.stop(lab.vm("vm1"))
    lab.builder.wait(10)
    assert (done[0].exit_code, done[0].stdout) == (1, "")
    assert lab.run("true", "vm1").exit_code != 0


# conntrack


def test_conntrack_is_not_there_until_it_is_installed() -> None:
    lab = Lab()
    assert lab.run("conntrack -L").exit_code == 127
    assert "conntrack: not found" in lab.run("conntrack -L").stderr
    assert lab.run("sudo conntrack -L").stderr == "sudo: conntrack: command not found\n"
    assert lab.run("apt-get install -y -qq conntrack && conntrack -L").exit_code == 0


def test_the_nat_machine_remembers_an_echo_for_thirty_seconds() -> None:
    lab = Lab()
    lab.run(NAT)
    lab.run("ping -c 3 8.8.4.4", "vm1")
    lab.builder.wait(1)
    command_output = lab.run('sudo conntrack -L | grep "8.8.4.4"')
    (line,) = command_output.stdout.splitlines()
    assert line.startswith("icmp     1 29 src=10.1.0.4 dst=8.8.4.4 type=8 code=0 id=")
    assert "src=8.8.4.4 dst=10.2.1.4 type=0 code=0 id=" in line
    assert line.endswith(" mark=0 use=1")
    assert "1 flow entries have been shown." in command_output.stderr
    lab.builder.wait(29)
    assert lab.run('conntrack -L | grep "8.8.4.4"').exit_code == 1


def test_an_echo_without_an_answer_is_shown_as_unreplied() -> None:
    lab = Lab()
    lab.run(NAT)
    lab.run("iptables -A FORWARD -i eth0 -o eth1 -j DROP")
    lab.run("iptables -D FORWARD -i eth0 -o eth1 -m state --state RELATED,ESTABLISHED -j ACCEPT")
    lab.run("ping -c 1 -W 1 8.8.4.4", "vm1")
    assert "[UNREPLIED] src=8.8.4.4 dst=10.2.1.4" in lab.run("conntrack -L -p icmp").stdout


def test_each_ping_has_an_id_of_its_own() -> None:
    lab = Lab()
    lab.run(NAT)
    lab.run("ping -c 2 8.8.4.4; ping -c 2 8.8.4.4", "vm1")
    assert len(lab.run("conntrack -L").stdout.splitlines()) == 2


def test_what_would_happen_changes_nothing() -> None:
    lab = Lab()
    script = [*NAT.splitlines(), "ping -c 3 8.8.8.8", "echo x > /tmp/x"]
    assert lab.machines.estimate_duration_s(lab.vm("vm3"), script) == 5.0 + 2.0
    assert lab.run("iptables -S").stdout.count("-A") == 0
    assert lab.run("cat /tmp/x; conntrack -L").exit_code == 127


# iptables, ip, sysctl


def test_iptables_lists_what_was_set() -> None:
    lab = Lab()
    lab.run(NAT)
    assert lab.run("iptables -S").stdout.splitlines() == [
        "-P INPUT ACCEPT",
        "-P FORWARD ACCEPT",
        "-P OUTPUT ACCEPT",
        "-A FORWARD -i eth1 -o eth0 -j ACCEPT",
        "-A FORWARD -i eth0 -o eth1 -m state --state RELATED,ESTABLISHED -j ACCEPT",
    ]
    lines = lab.run("iptables -t nat -L POSTROUTING -n -v").stdout.splitlines()
    assert lines[0] == "Chain POSTROUTING (policy ACCEPT 0 packets, 0 bytes)"
    assert lines[2].split() == [
        *("0", "0", "MASQUERADE", "all", "--", "*", "eth0", "0.0.0.0/0", "0.0.0.0/0")
    ]


def test_iptables_check_makes_a_set_up_idempotent() -> None:
    lab = Lab()
    rule = "POSTROUTING -o eth0 -j MASQUERADE"
    script = f"iptables -t nat -C {rule} 2>/dev/null || iptables -t nat -A {rule}"
    for _ in range(3):
        assert lab.run(script).exit_code == 0
    assert lab.run("iptables -t nat -S").stdout.count("MASQUERADE") == 1
    assert lab.run(f"iptables -t nat -D {rule}").exit_code == 0
    missing = lab.run(f"iptables -t nat -D {rule}")
    assert missing.exit_code == 1
    assert "does a matching rule exist in that chain?" in missing.stderr


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("iptables -A FORWARD -j MASQUERADE", 2),
        ("iptables -A NOWHERE -j ACCEPT", 2),
        ("iptables -t nat -A POSTROUTING -i eth0 -j MASQUERADE", 2),
        ("iptables -t mangle -L", 127),
        ("iptables -A INPUT -m mark --mark 1 -j DROP", 127),
        ("iptables -t nat -A PREROUTING -j DNAT --to-destination 10.0.0.1", 127),
        ("iptables -N mine", 127),
    ],
)
def test_iptables_refuses_what_is_wrong_or_not_modelled(command: str, status: int) -> None:
    output = Lab().run(command)
    assert output.exit_code == status
    assert output.stderr


def test_ip_route_shows_and_changes_the_kernels_routes() -> None:
    lab = Lab()
    lines = [line.rstrip() for line in lab.run("ip route").stdout.splitlines()]
    assert lines[0] == "default via 10.2.1.1 dev eth0 proto dhcp src 10.2.1.4 metric 100"
    assert "10.2.2.0/24 dev eth1 proto kernel scope link src 10.2.2.4 metric 200" in lines
    assert lab.run("ip route add 10.0.0.0/8 via 10.2.2.1 dev eth1").exit_code == 0
    again = lab.run("ip route add 10.0.0.0/8 via 10.2.2.1 dev eth1")
    assert (again.exit_code, again.stderr) == (2, "RTNETLINK answers: File exists\n")
    assert lab.run("ip route replace 10.0.0.0/8 via 10.2.2.1 dev eth1").exit_code == 0
    assert lab.run("ip route show 10.0.0.0/8").stdout == "10.0.0.0/8 via 10.2.2.1 dev eth1 \n"
    assert "dev eth1 src 10.2.2.4" in lab.run("ip route get 10.1.0.4").stdout
    assert lab.run("ip route del 10.0.0.0/8").exit_code == 0
    assert lab.run("ip route del 10.0.0.0/8").stderr == "RTNETLINK answers: No such process\n"


@pytest.mark.parametrize(
    ("command", "status", "text"),
    [
        ("ip route add 10.0.0.0/8 via 10.9.9.9 dev eth1", 2, "Nexthop has invalid gateway"),
        ("ip route add 10.0.0.0/8 via 10.2.2.1 dev eth7", 1, 'Cannot find device "eth7"'),
        ("ip route add nonsense via 10.2.2.1", 1, "any valid prefix is expected"),
        ("ip link set eth0 down", 127, "does not model"),
    ],
)
def test_ip_refuses_what_is_wrong_or_not_modelled(command: str, status: int, text: str) -> None:
    output = Lab().run(command)
    assert output.exit_code == status
    assert text in output.stderr


def test_ip_shows_addresses() -> None:
    rows = [line.split() for line in out("ip -br addr").splitlines()]
    assert rows[1:] == [["eth0", "UP", "10.2.1.4/24"], ["eth1", "UP", "10.2.2.4/24"]]
    assert "inet 10.2.2.4/24 scope global eth1" in out("ip addr show eth1")


def test_a_machine_without_a_route_says_that_the_network_is_unreachable() -> None:
    output = Lab().run("ip route del default; ping -c 1 8.8.8.8")
    assert (output.exit_code, output.stderr) == (2, "ping: connect: Network is unreachable\n")


def test_sysctl_writes_and_reads() -> None:
    assert out("sysctl net.ipv4.ip_forward") == "net.ipv4.ip_forward = 0\n"
    assert out("sysctl -w net.ipv4.ip_forward=1") == "net.ipv4.ip_forward = 1\n"
    assert out("sysctl -qw net.ipv4.ip_forward=1; sysctl -n net.ipv4.ip_forward") == "1\n"
    assert out("sysctl -w net.ipv4.ip_forward=1 >/dev/null; cat /proc/sys/net/ipv4/ip_forward") == (
        "1\n"
    )
    assert Lab().run("sysctl -w kernel.panic=1").exit_code == 127


# apt


def test_apt_needs_the_internet() -> None:
    lab = Lab()
    lab.builder.nic("vm1-nic", "vnet1", "vnet1-sub1", "10.1.0.4")
    output = lab.run("sudo DEBIAN_FRONTEND=noninteractive apt-get install -y conntrack", "vm1")
    assert output.exit_code == 100
    assert "E: Unable to fetch some archives" in output.stderr
    assert output.duration_s == 30.0


def test_apt_installs_once() -> None:
    lab = Lab()
    assert "Setting up conntrack" in lab.run("sudo apt install conntrack").stdout
    again = lab.run("sudo apt install conntrack")
    assert "conntrack is already the newest version" in again.stdout
    assert again.duration_s == 0.0
    assert lab.run("apt-get update -qq && apt-get install -y nginx").exit_code == 127


# The shell


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("echo a  b; echo 'c  d'", "a b\nc  d\n"),
        ("false || echo x && echo y", "x\ny\n"),
        ("true || echo x && echo y", "y\n"),
        ("false && echo x; echo y", "y\n"),
        ("X=1; echo $X ${X}2 '$X' \"$X\" \\$X", "1 12 $X 1 $X\n"),
        ("false; echo $?", "1\n"),
        ("! false && echo x # a comment", "x\n"),
        ("#!/bin/sh\n# nothing\necho a#b", "a#b\n"),
        ("echo one \\\n two", "one two\n"),
        ("echo x |\n cat |\n grep x", "x\n"),
        ("true &&\n echo x", "x\n"),
        ("echo x > /tmp/f; echo y >> /tmp/f; cat < /tmp/f", "x\ny\n"),
        ("echo x | sudo tee /etc/a; cat /etc/a", "x\nx\n"),
        ("cat /nothing 2>/dev/null || echo none", "none\n"),
        ("cat /nothing 2>&1 | grep -c 'No such'", "1\n"),
        ("set -e; false || true; echo on", "on\n"),
        ("export A=b; echo $A; exit 0; echo never", "b\n"),
        ("sudo hostname; hostname -I", "vm3\n10.2.1.4 10.2.2.4 \n"),
        ("command -v iptables", "/usr/sbin/iptables\n"),
        ("printf x 2>/dev/null || echo 'not modelled'", "not modelled\n"),
    ],
)
def test_the_shell_runs(script: str, expected: str) -> None:
    assert out(script) == expected


@pytest.mark.parametrize(
    ("script", "status", "stdout"),
    [
        ("set -e\necho a\nfalse\necho b", 1, "a\n"),
        ("set -eu; false | true; echo a; exit 3", 3, "a\n"),
        ("set -o pipefail; false | true", 1, ""),
        ("echo a; false", 1, "a\n"),
        ("echo a | grep -q b", 1, ""),
    ],
)
def test_the_shells_exit_status_is_its_last_commands(script: str, status: int, stdout: str) -> None:
    output = Lab().run(script)
    assert (output.exit_code, output.stdout) == (status, stdout)


@pytest.mark.parametrize(
    "script",
    [
        "if true; then echo x; fi",
        "for i in 1 2; do echo $i; done",
        "echo `hostname`",
        "echo $(hostname)",
        'echo "$(hostname)"',
        "echo x &",
        "(echo x)",
        "cat <<EOF\nx\nEOF",
        "echo 'x",
        "echo x |",
        "&& echo x",
        "f() { echo x; }",
    ],
)
def test_a_script_the_shell_does_not_know_runs_nothing(script: str) -> None:
    output = Lab().run(f"echo first\n{script}")
    assert output.exit_code == 127
    assert output.stdout == ""
    assert "the lab does not model" in output.stderr
    with pytest.raises(UnmodelledError):
        parse(script)


@pytest.mark.parametrize("command", ["python3 -c pass", "sudo systemctl restart x", "echo -e x"])
def test_a_command_the_lab_does_not_model_says_so(command: str) -> None:
    output = Lab().run(command)
    assert output.exit_code == 127
    assert "the lab does not model" in output.stderr


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ("-q b", 0),
        ("-E '^(a|b)$'", 0),
        ("-v b", 0),
        ("-F .", 1),
        ("-i B", 0),
        ("z", 1),
        ("-w b", 0),
    ],
)
def test_grep_tells_whether_it_found(options: str, status: int) -> None:
    assert (
        Lab().run(f"echo b > /tmp/f; echo a >> /tmp/f; grep {options} /tmp/f").exit_code == status
    )


# Booting


def test_a_boot_loses_rules_and_routes_but_not_packages_and_files() -> None:
    lab = Lab()
    lab.run(NAT)
    lab.run("echo net.ipv4.ip_forward=1 | sudo tee /etc/sysctl.d/99-nat.conf")
    lab.machines.stop(lab.vm("vm3"))
    lab.machines.boot(lab.vm("vm3"))
    assert lab.run("iptables -t nat -S").stdout.count("-A") == 0
    assert "10.0.0.0/8" not in lab.run("ip route").stdout
    assert lab.run("sysctl -n net.ipv4.ip_forward").stdout == "1\n"
    assert lab.run("conntrack -L").exit_code == 0


def test_saved_rules_are_there_after_a_boot() -> None:
    lab = Lab()
    lab.run("apt-get install -y iptables-persistent")
    lab.run("iptables -t nat -A POSTROUTING -o eth0 -j MASQUERADE; netfilter-persistent save")
    lab.run("iptables -t nat -F")
    lab.machines.boot(lab.vm("vm3"))
    assert "MASQUERADE" in lab.run("iptables-save").stdout


def custom(lab: Lab, text: str) -> None:
    lab.vm("vm3").hidden["customData"] = base64.b64encode(text.encode()).decode()


def test_a_script_in_the_custom_data_runs_once_at_the_first_boot() -> None:
    lab = Lab()
    custom(lab, f"#!/bin/sh\n{NAT}\necho once >> /tmp/count\n")
    lab.machines.boot(lab.vm("vm3"))
    assert lab.run("cat /tmp/count").stdout == "once\n"
    assert "MASQUERADE" in lab.run("iptables -t nat -S").stdout
    lab.machines.boot(lab.vm("vm3"))
    assert lab.run("cat /tmp/count").stdout == "once\n"
    assert "exit status 0" in lab.run("cat /var/log/cloud-init-output.log").stdout


def test_other_custom_data_is_said_not_to_be_modelled() -> None:
    lab = Lab()
    custom(lab, "#cloud-config\nruncmd: [ls]\n")
    lab.machines.boot(lab.vm("vm3"))
    assert "does not model" in lab.run("cat /var/log/cloud-init-output.log").stdout


def test_a_machine_made_anew_under_the_same_name_is_another_one() -> None:
    lab = Lab()
    lab.run(NAT)
    vm = lab.vm("vm3")
    lab.builder.world.remove(vm.id)
    lab.builder.world.notify_listeners()
    assert lab.machines.get_system(str(vm.id).lower()) is None
    lab.builder.machine("vm3", "vm3-nic1", "vm3-nic2")
    assert lab.run("conntrack -L").exit_code == 127


def test_a_machine_keeps_its_state_when_its_resource_is_written_again() -> None:
    lab = Lab()
    lab.run(NAT)
    lab.builder.machine("vm3", "vm3-nic1", "vm3-nic2")
    assert lab.run("conntrack -L").exit_code == 0
