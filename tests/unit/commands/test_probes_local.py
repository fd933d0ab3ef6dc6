"""Probes that run on this machine: what their answers mean, and that they end when they must."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import time
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import psutil
import pytest

from erfailover.commands.probes.local import LocalMachine
from erfailover.model.probes import (
    InterfaceRoute,
    LocalCommand,
    LocalConnect,
    LocalPing,
    LocalShell,
)
from erfailover.planning.probes import answers
from erfailover.planning.probes.answers import KEPT, Answer, judge_ping, judge_routes

ANSWERED = (
    "64 bytes from 10.5.0.4: icmp_seq=1 ttl=64 time=6.33 ms\n1 packets transmitted, 1 received"
)
LOST = "1 packets transmitted, 0 received, 100% packet loss, time 0ms"
SECRETS = {"AZURE_CLIENT_SECRET": "s3cr3t-value", "ERFAILOVER_SHARED_KEY": "k3y-value"}


@pytest.fixture
def here(tmp_path: Path) -> LocalMachine:
    return LocalMachine(tmp_path, {**os.environ, **SECRETS, "ERFAILOVER_SITE": "x.yaml"})


@pytest.mark.parametrize(
    ("code", "output", "up", "message"),
    [
        (0, ANSWERED, True, "answered in 6.33 ms"),
        (1, LOST, False, "no answer"),
        (None, "", False, "no answer"),
        (2, "ping: connect: Network is unreachable", False, "no answer"),
        (2, "ping: nowhere: Name or service not known", None, "ping: nowhere: Name or service"),
        (2, "ping: socket: Operation not permitted", None, "ping: socket: Operation not permitted"),
    ],
)
def test_a_ping_that_could_not_be_sent_is_unknown_and_not_down(
    code: int | None, output: str, up: bool | None, message: str
) -> None:
    answer = judge_ping(code, output)
    assert answer.up is up
    assert answer.observation.startswith(message)


def test_a_machine_without_ping_is_told_as_such(
    here: LocalMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere(host: str, timeout_s: float, platform: str) -> list[str]:
        return ["no-such-ping", host]

    monkeypatch.setattr(answers, "build_ping_command", nowhere)
    answer = here.ask(LocalPing("10.5.0.4"))
    assert answer.up is None
    assert answer.observation == "no-such-ping was not found on this machine"


def test_the_systems_ping_is_asked_for_one_answer_in_its_own_words() -> None:
    assert answers.build_ping_command("h", 1.5, "linux") == [
        "ping",
        "-n",
        "-c",
        "1",
        "-W",
        "2",
        "h",
    ]
    assert answers.build_ping_command("h", 1.5, "darwin") == [
        "ping",
        "-n",
        "-c",
        "1",
        "-t",
        "2",
        "h",
    ]


@pytest.mark.parametrize(
    ("probe", "up", "message"),
    [
        (LocalCommand(("true",)), True, "exit code 0"),
        (LocalCommand(("false",)), False, "exit code 1, expected 0"),
        (LocalCommand(("false",), exit_code=1), True, "exit code 1"),
        (LocalCommand(("no-such-program",)), None, "no-such-program was not found on this machine"),
        (LocalShell("exit 7", exit_code=7), True, "exit code 7"),
        (LocalCommand(("echo", "$HOME;", "exit 3")), True, "exit code 0"),
    ],
)
def test_a_program_is_judged_by_its_exit_code_and_gets_no_shell_unless_told(
    here: LocalMachine, probe: LocalCommand | LocalShell, up: bool | None, message: str
) -> None:
    answer = here.ask(probe)
    assert (answer.up, answer.observation) == (up, message)
    if isinstance(probe, LocalCommand) and probe.command[0] == "echo":
        assert answer.output == "$HOME; exit 3\n"


def took(work: Callable[[], Answer]) -> tuple[Answer, float]:
    began = time.monotonic()
    return work(), time.monotonic() - began


@pytest.mark.parametrize("line", ["sleep 30", "sleep 30 & sleep 30; wait", "yes"])
def test_what_does_not_end_in_time_is_ended_with_all_that_it_started(
    here: LocalMachine, line: str
) -> None:
    answer, seconds = took(lambda: here.ask(LocalShell(line, timeout_s=0.3)))
    assert (answer.up, answer.observation) == (False, "timed out after 0.3 s")
    assert seconds < 5.0
    assert len(answer.output) <= KEPT + 4


@pytest.mark.parametrize(
    "line",
    [
        "setsid {} & wait",
        "setsid sh -c '{0} & {0}' & wait",
        "(setsid {} &); sleep 30",
        "(setsid sh -c '(setsid {} &)' &); sleep 30",
        "env -i setsid {} & wait",
        "setsid nohup {} >/dev/null 2>&1 & exit 0",
        "(setsid {} >/dev/null 2>&1 </dev/null &); exit 0",
    ],
)
def test_what_it_started_in_another_session_ends_with_it(here: LocalMachine, line: str) -> None:
    seconds = f"{random.randint(10_000, 99_999)}.5"
    here.ask(LocalShell(line.format(f"sleep {seconds}"), timeout_s=0.5))
    processes = [
        process
        for process in psutil.process_iter(["cmdline", "status"])
        if seconds in (process.info["cmdline"] or ())
        and process.info["status"] != psutil.STATUS_ZOMBIE
    ]
    _, alive = psutil.wait_procs(
        processes, timeout=10.0
    )  # a signal takes effect when it is scheduled
    assert alive == []


def test_ending_a_program_touches_no_process_that_was_there_before(here: LocalMachine) -> None:
    popen = subprocess.Popen(["sleep", "30"])
    try:
        here.ask(LocalShell("sleep 30", timeout_s=0.2))
        here.ask(LocalShell("exit 0"))
        assert popen.poll() is None
    finally:
        popen.kill()
        popen.wait()


def test_what_a_program_leaves_in_the_background_is_not_waited_for(here: LocalMachine) -> None:
    answer, seconds = took(lambda: here.ask(LocalShell("echo up; sleep 30 &")))
    assert (answer.up, answer.output) == (True, "up\n")
    assert seconds < 5.0


def test_a_program_is_given_no_secret_and_prints_none(here: LocalMachine, tmp_path: Path) -> None:
    answer = here.ask(LocalShell("env; pwd; echo s3cr3t-value"))
    assert "AZURE_CLIENT_SECRET" not in answer.output
    assert "ERFAILOVER_SHARED_KEY" not in answer.output
    assert "ERFAILOVER_SITE=x.yaml" in answer.output
    assert "s3cr3t-value" not in answer.output
    assert str(tmp_path) in answer.output


def test_nothing_is_started_once_it_is_over(here: LocalMachine) -> None:
    here.stop()
    assert here.ask(LocalShell("echo x")).output == ""


def test_a_connection_is_up_refused_or_of_a_name_that_is_not_known(
    here: LocalMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert here.ask(LocalConnect(f"127.0.0.1:{port}")).up is True
    refused = here.ask(LocalConnect(f"127.0.0.1:{port}"))
    assert (refused.up, refused.observation) == (False, "refused: the port is closed")

    def unknown(*_: Any) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "create_connection", unknown)
    answer = here.ask(LocalConnect("nowhere.example:443"))
    assert answer.up is None
    assert "Name or service not known" in answer.observation
    assert answers.judge_connect(TimeoutError(), 2.0).up is False


def row(prefix: str, type_: str, *hops: str, state: str = "Active") -> dict[str, Any]:
    return {
        "addressPrefix": [prefix],
        "nextHopType": type_,
        "nextHopIpAddress": list(hops),
        "state": state,
    }


ROUTE = InterfaceRoute("nic", IPv4Network("10.5.0.0/16"), "VirtualNetworkGateway")
HOP = InterfaceRoute("nic", ROUTE.prefix, ROUTE.next_hop_type, IPv4Address("10.3.0.254"))
GATEWAY = row("10.5.0.0/16", "VirtualNetworkGateway", "10.3.0.254")


@pytest.mark.parametrize(
    ("rows", "probe", "up"),
    [
        ([], ROUTE, None),
        ([GATEWAY, row("0.0.0.0/0", "Internet")], ROUTE, True),
        ([GATEWAY], HOP, True),
        ([row("10.5.0.0/16", "VirtualNetworkGateway", "10.2.0.254")], HOP, False),
        ([row("10.0.0.0/8", "VirtualNetworkGateway", "10.3.0.254")], ROUTE, True),
        ([row("10.0.0.0/8", "None"), row("0.0.0.0/0", "Internet")], ROUTE, False),
        ([GATEWAY, row("10.5.0.0/16", "VirtualAppliance", "10.9.9.9")], ROUTE, False),
        ([GATEWAY | {"state": "Invalid"}, row("10.0.0.0/8", "None")], ROUTE, False),
        (
            [row("10.6.0.0/16", "VirtualNetworkGateway"), row("AzureCloud", "Internet")],
            ROUTE,
            False,
        ),
    ],
)
def test_a_route_is_that_of_the_longest_prefix_that_holds_it(
    rows: list[dict[str, Any]], probe: InterfaceRoute, up: bool | None
) -> None:
    assert judge_routes(rows, probe).up is up
