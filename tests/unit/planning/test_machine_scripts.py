"""The scripts of machines' probes, and what their output means."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from erfailover.model.probes import MachineConnect, MachinePing, MachineProbe
from erfailover.planning.probes import machine_scripts
from erfailover.planning.probes.machine_scripts import (
    FRAME_BYTES,
    OUTPUT_BYTES,
    System,
    build_script,
    group_names,
    parse_answers,
    parse_frames,
    parse_nat_answer,
)

OFFICE = MachinePing("vm1", IPv4Address("10.5.0.4"))
INTERNET = MachinePing("vm1", IPv4Address("8.8.4.4"), through="vm3")
ERP = MachineConnect("vm1", IPv4Address("10.5.0.4"), 443)

PASSED = """--- 10.5.0.4 ping statistics ---
3 packets transmitted, 3 received, 0% packet loss, time 2002ms
rtt min/avg/max/mdev = 5.112/6.330/7.701/1.059 ms"""
LOST = "--- 10.5.0.4 ping statistics ---\n3 packets transmitted, 0 received, 100% packet loss"
ENTRY = (
    "icmp     1 29 src=10.1.0.4 dst=8.8.4.4 type=8 code=0 id=2445 "
    "src=8.8.4.4 dst=10.2.1.4 type=0 code=0 id=2445 mark=0 use=1"
)
UNREPLIED = ENTRY.replace("src=8.8.4.4", "[UNREPLIED] src=8.8.4.4")


def frame_answers(*texts: str) -> str:
    return "".join(
        f"<probe {number}>\n{text}\n</probe {number}>\n" for number, text in enumerate(texts, 1)
    )


def up(output: str, *probes: MachineProbe) -> list[bool | None]:
    return [answer.up for answer in parse_answers(output, probes)]


def test_each_probe_is_judged_by_its_own_frame() -> None:
    assert up(frame_answers(LOST, PASSED), OFFICE, INTERNET) == [False, True]
    assert up(frame_answers(PASSED, LOST), OFFICE, INTERNET) == [True, False]


@pytest.mark.parametrize("lost", range(400))
def test_what_run_command_cuts_off_makes_a_probe_unknown_and_never_takes_anothers_answer(
    lost: int,
) -> None:
    """The first probe is down and the second up; Run Command keeps the end of the output."""
    rows = up(frame_answers(LOST, PASSED)[lost:], OFFICE, INTERNET)
    assert rows[0] in (False, None)
    assert rows[1] in (True, None)
    assert rows[0] is None or lost == 0


def test_fourteen_pings_of_one_machine_each_have_their_own_answer() -> None:
    """Reproduction: of 14 pings 11 sections survived, and the rest took another's answer."""
    probes = {f"p{n}": MachinePing("vm1", IPv4Address(f"10.5.0.{n + 1}")) for n in range(14)}
    output = frame_answers(LOST, *[PASSED] * 13)
    assert len(output) < OUTPUT_BYTES
    assert up(output, *probes.values()) == [False] + [True] * 13
    noisy = frame_answers(*["x" * 300 + f"\n{LOST}"] + ["y" * 300 + f"\n{PASSED}"] * 13)
    assert up(noisy[-OUTPUT_BYTES:], *probes.values())[:5] == [None] * 5


def test_no_script_prints_more_than_run_command_keeps() -> None:
    names = [f"p{n}" for n in range(45)]
    groups = group_names(names)
    assert [name for group in groups for name in group] == names
    assert all(len(group) * FRAME_BYTES <= OUTPUT_BYTES for group in groups)
    longest = machine_scripts.TEXT_BYTES
    number = len(groups[0])
    frame = f"<probe {number}>\n{'x' * longest}\n</probe {number}>\n"
    assert len(frame.encode()) <= FRAME_BYTES
    for system in System:
        for line in build_script([OFFICE, ERP], system):
            limits = any(name in line for name in ("tail -c 160", "Substring(0, 160)"))
            assert limits or "probe" in line or line == "echo"


@pytest.mark.parametrize(
    "output",
    [
        "",
        "ping: command not found",
        f"<probe 1>\n{PASSED}",
        f"{PASSED}\n</probe 1>",
        frame_answers(PASSED) * 2,
        f"<probe 1>\n<probe 2>\n{PASSED}\n</probe 2>\n",
        f"<probe 1>\n</probe 2>\n{PASSED}\n</probe 1>\n",
    ],
    ids=["nothing", "no frame", "no end", "no beginning", "twice", "another inside", "end inside"],
)
def test_without_a_whole_frame_of_its_own_a_probe_is_unknown(output: str) -> None:
    assert up(output, OFFICE) == [None]


@pytest.mark.parametrize(
    ("text", "passed", "message"),
    [
        (PASSED, True, "3 of 3 answered"),
        (LOST, False, "0 of 3 answered"),
        ("3 packets transmitted, 2 packets received, 33% packet loss", True, "2 of 3 answered"),
        ("3 packets transmitted, 0 received, +3 errors, 100% packet loss", False, "0 of 3"),
        ("sh: 1: ping: not found", None, "ping: not found"),
        ("ping: connect: Network is unreachable", None, "Network is unreachable"),
        ("error: PingException", None, "PingException"),
        ("", None, "printed nothing"),
    ],
)
def test_what_a_ping_prints(text: str, passed: bool | None, message: str) -> None:
    (answer,) = parse_answers(frame_answers(text), [OFFICE])
    assert answer.up is passed
    assert message in answer.observation


@pytest.mark.parametrize(
    ("text", "passed", "message"),
    [
        ("exit 0", True, "connected"),
        ("exit 124", False, "no answer within 5 s"),
        ("bash: connect: Connection refused\nbash: line 1: ...\nexit 1", False, "refused"),
        ("bash: connect: No route to host\nexit 1", False, "no route"),
        ("bash: line 1: /dev/tcp/10.5.0.4/443: No such file or directory\nexit 1", None, "No such"),
        ("bash: line 1: timeout: command not found\nexit 127", None, "command not found"),
        ("sh: 1: bash: not found", None, "bash: not found"),
        ("connected: True", True, "connected"),
        ("connected: False", False, "no connection"),
        ("error: CommandNotFoundException", None, "CommandNotFoundException"),
        ("", None, "exited with code None"),
    ],
)
def test_what_a_connection_prints(text: str, passed: bool | None, message: str) -> None:
    (answer,) = parse_answers(frame_answers(text), [ERP])
    assert answer.up is passed
    assert message in answer.observation


def test_output_of_windows_has_other_line_ends() -> None:
    output = frame_answers("3 packets transmitted, 3 received", "connected: False").replace(
        "\n", "\r\n"
    )
    assert up(output, OFFICE, ERP) == [True, False]
    assert parse_frames(output)[2] == "connected: False"


def test_a_script_names_the_command_of_its_system() -> None:
    assert System.LINUX.command_id == "RunShellScript"
    assert System.WINDOWS.command_id == "RunPowerShellScript"
    linux, windows = ("\n".join(build_script([OFFICE, ERP], system)) for system in System)
    assert "ping -n -q -c 3 -W 2 10.5.0.4" in linux
    assert "/dev/tcp/10.5.0.4/443" in linux
    assert "Test-NetConnection -ComputerName 10.5.0.4 -Port 443" in windows
    assert "Send('10.5.0.4', 2000)" in windows


@pytest.mark.parametrize(
    ("table", "is_found"),
    [
        (ENTRY, True),
        (UNREPLIED, False),
        (ENTRY.replace("8.8.4.4", "8.8.4.40"), False),
        ("", False),
        ("no conntrack", None),
    ],
)
def test_only_an_answered_flow_of_the_probe_counts_in_the_nat_table(
    table: str, is_found: bool | None
) -> None:
    assert parse_nat_answer(frame_answers(table), INTERNET).up is is_found


def test_a_nat_table_that_was_not_printed_whole_is_unknown() -> None:
    assert parse_nat_answer(frame_answers(ENTRY)[12:], INTERNET).up is None
    assert parse_nat_answer("conntrack: command not found", INTERNET).up is None
