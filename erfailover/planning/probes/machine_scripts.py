"""Scripts for the probes of one machine, and what their output means. Pure.

Run Command returns the last 4,096 bytes of an output (published: "Run scripts in your VM by using
Run Command"). So each probe's output is a frame of limited size that carries the probe's number,
and a script holds no more frames than fit. What is not in its own frame is not known.

What a script needs in the guest is part of every image that Azure endorses: ``ping``, ``bash`` with
its ``/dev/tcp``, and ``timeout`` of coreutils on Linux (``nc`` is missing in minimal images);
Windows PowerShell with ``Test-NetConnection`` on Windows (Server 2012 R2 and later).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from ipaddress import IPv4Address

from erfailover.model.probes import MachinePing, MachineProbe
from erfailover.planning.probes.answers import Answer, get_last_line

TIMED_OUT = 124
"""The exit code of ``timeout`` for a command that it ended (coreutils)."""

OUTPUT_BYTES = 4096
"""What Run Command keeps of an output: its end."""
FRAME_BYTES = 200
"""The most that one probe prints, its marks included."""
TEXT_BYTES = 160
"""The most that is printed between the marks."""
PINGS = 3
CONNECT_S = 5
"""How long a connection may take, in seconds."""

Frames = Sequence[tuple[int, str]]
"""The numbers of probes, and what was printed for each."""


class System(StrEnum):
    """The operating system of a machine, as ``osDisk.osType`` names it."""

    LINUX = "Linux"
    WINDOWS = "Windows"

    @property
    def command_id(self) -> str:
        """Return the command of Run Command that takes a script for the system."""
        return "RunPowerShellScript" if self is System.WINDOWS else "RunShellScript"


def build_script(probes: Iterable[MachineProbe], system: System) -> list[str]:
    """Return the script that asks probes, in frames numbered from 1; safe to run twice."""
    frame, line = (
        (_build_frame, _build_linux_command)
        if system is System.LINUX
        else (_build_windows_frame, _build_windows_command)
    )
    return [name for number, probe in enumerate(probes, 1) for name in frame(number, line(probe))]


def group_names(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Return the names of probes in groups whose frames fit into one output."""
    lines, most = list(names), OUTPUT_BYTES // FRAME_BYTES
    return [tuple(lines[at : at + most]) for at in range(0, len(lines), most)]


def parse_answers(
    output: str, probes: Sequence[MachineProbe], took_s: float | None = None
) -> list[Answer]:
    """Return what a script's output says of each of its probes, in their order."""
    frames = parse_frames(output)
    return [
        _parse_answer(probe, frames.get(number), output, took_s)
        for number, probe in enumerate(probes, 1)
    ]


def parse_frames(output: str) -> Mapping[int, str]:
    """Return the whole frames of an output, by number; one that is there twice is left out."""
    by_name: dict[int, list[str]] = {}
    form = r"^<probe (\d+)>\r?\n((?:(?!</?probe ).)*?)</probe \1>"
    for number, text in re.findall(form, output, re.DOTALL | re.MULTILINE):
        by_name.setdefault(int(number), []).append(text.strip())
    return {number: texts[0] for number, texts in by_name.items() if len(texts) == 1}


def build_nat_script(address: IPv4Address) -> list[str]:
    """Return the script that looks for an answered flow to an address in a machine's NAT table."""
    look = (
        f"sudo conntrack -L 2>/dev/null | grep -F 'dst={address} ' | grep -F 'src={address} ' | "
        f"grep -v -F UNREPLIED | tail -n 1 | tail -c {TEXT_BYTES}"
    )
    return _build_frame(1, f"command -v conntrack >/dev/null || echo 'no conntrack'\n{look}")


def parse_nat_answer(output: str, probe: MachinePing) -> Answer:
    """Return whether the NAT table shows a probe's flow, answered."""
    text = parse_frames(output).get(1)
    if text is None:
        return Answer(None, f"its NAT table could not be read: {get_last_line(output)}", output)
    if "no conntrack" in text:
        return Answer(None, f"its NAT table could not be read: {text.splitlines()[0]}", output)
    for line in text.splitlines():
        answered = "[UNREPLIED]" not in line
        if answered and f"dst={probe.ping} " in line and f"src={probe.ping} " in line:
            return Answer(True, "in the NAT table", line.strip())
    return Answer(False, "no entry in the NAT table", text)


def _build_frame(number: int, lines: str) -> list[str]:
    # The mark at the end is on a separate line even if the text ends in the middle of one.
    return [f"echo '<probe {number}>'", *lines.splitlines(), "echo", f"echo '</probe {number}>'"]


def _build_linux_command(probe: MachineProbe) -> str:
    if isinstance(probe, MachinePing):
        requested = f"LC_ALL=C ping -n -q -c {PINGS} -W 2 {probe.ping}"
    else:
        connect = f'timeout {CONNECT_S} bash -c ": </dev/tcp/{probe.address}/{probe.tcp}"'
        requested = f"""LC_ALL=C bash -c '{connect}; echo "exit $?"'"""
    return f"{requested} 2>&1 | tail -c {TEXT_BYTES}"


def _build_windows_frame(number: int, line: str) -> list[str]:
    return [f"'<probe {number}>'", line, f"'</probe {number}>'"]


def _build_windows_command(probe: MachineProbe) -> str:
    if isinstance(probe, MachinePing):
        send = f"(New-Object Net.NetworkInformation.Ping).Send('{probe.ping}', 2000).Status"
        ask = (
            f"$n = 0; foreach ($i in 1..{PINGS}) {{ if ({send} -eq 'Success') {{ $n++ }} }}; "
            f'"{PINGS} packets transmitted, $n received"'
        )
    else:
        ask = (
            "$ProgressPreference = 'SilentlyContinue'; $ok = Test-NetConnection -ComputerName "
            f"{probe.address} -Port {probe.tcp} -InformationLevel Quiet -WarningAction "
            'SilentlyContinue -ErrorAction Stop; "connected: $ok"'
        )
    # An id of an error is ASCII, unlike its message, and so has as many bytes as characters.
    error = (
        f'"error: $($_.FullyQualifiedErrorId)".PadRight({TEXT_BYTES}).Substring(0, {TEXT_BYTES})'
    )
    return f"try {{ {ask} }} catch {{ {error} }}"


def _parse_answer(
    probe: MachineProbe, text: str | None, output: str, took_s: float | None
) -> Answer:
    if text is None:
        why = "the output does not contain a complete result of this probe"
        return Answer(None, f"{why}: {get_last_line(output) or 'no output'}", output, took_s)
    up, message = _parse_ping(text) if isinstance(probe, MachinePing) else _parse_connect(text)
    return Answer(up, message, text, took_s)


def _parse_ping(text: str) -> tuple[bool | None, str]:
    counted = re.search(r"(\d+) packets transmitted, (\d+) (?:packets )?received", text)
    if counted is None:
        return None, get_last_line(text) or "ping printed nothing"
    return int(counted[2]) > 0, f"{counted[2]} of {counted[1]} answered"


def _parse_connect(text: str) -> tuple[bool | None, str]:
    windows = re.search(r"^connected: (True|False)$", text, re.MULTILINE)
    if windows is not None:
        return windows[1] == "True", "connected" if windows[1] == "True" else "no connection"
    ended = re.search(r"^exit (\d+)$", text, re.MULTILINE)
    code = int(ended[1]) if ended else None
    if code == 0:
        return True, "connected"
    if code == TIMED_OUT:
        return False, f"no answer within {CONNECT_S} s"
    for words, message in _NOT_CONNECTED.items():
        if code == 1 and words in text:
            return False, message
    return None, get_last_line(text.replace(f"exit {code}", "")) or f"exited with code {code}"


_NOT_CONNECTED = {
    "Connection refused": "refused: no service is listening",
    "No route to host": "no route to the host",
    "Network is unreachable": "the network is unreachable",
    "Connection timed out": "no answer",
    "Connection reset": "the connection was reset",
    "Host is down": "the host does not answer",
}
"""Messages of a failed ``connect`` that say that the destination is not reached (errno(3))."""
