"""Connectivity checks: what to run on which machine, and what the output means. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from erfailover.model.probes import MachinePing, Probe, kind, what, where
from erfailover.planning.probes.answers import Answer

PINGS = 3


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What a probe came to.

    Attributes:
        name: the probe's name in the site file.
        check: what was checked, in words.
        up: whether it passed; None where that could not be told.
        expected: whether it should pass.
        output: what came back.
        kind: what the probe is: ``ping``, ``connect``, ``command``, ``route``.
        what, where: what was asked, and from where.
        seen: what came back, in a few words.
        took_s: how long it took, in seconds; None where that is not known.
    """

    name: str
    check: str
    up: bool | None
    expected: bool
    output: str
    kind: str = ""
    what: str = ""
    where: str = ""
    seen: str = ""
    took_s: float | None = None

    @property
    def as_expected(self) -> bool:
        """Whether it came out as it should."""
        return self.up is self.expected


def result(name: str, probe: Probe, answer: Answer, expected: bool) -> ProbeResult:
    """What a probe came to, told by its answer."""
    return ProbeResult(
        name,
        what(probe) if where(probe) == "here" else f"{where(probe)}: {what(probe)}",
        answer.up,
        expected,
        answer.output,
        kind(probe),
        what(probe),
        where(probe),
        answer.seen,
        answer.took_s,
    )


def ping_script(probes: Mapping[str, MachinePing]) -> list[str]:
    """One script for all the pings of one machine: Run Command runs one at a time."""
    lines = []
    for name, probe in probes.items():
        lines += [f"echo '== {name}'", f"ping -c {PINGS} -W 2 {probe.ping}"]
    return [*lines, "true"]


def sections(output: str) -> dict[str, str]:
    """The output of a script, by the names that it announced."""
    found: dict[str, list[str]] = {}
    current: list[str] = []
    for line in output.splitlines():
        if line.startswith("== "):
            current = found.setdefault(line[3:].strip(), [])
        else:
            current.append(line)
    return {name: "\n".join(lines).strip() for name, lines in found.items()}


def ping_passed(output: str) -> bool | None:
    """Whether a ping got an answer; None where the output does not tell."""
    received = re.search(r"(\d+) received", output)
    return int(received.group(1)) > 0 if received else None


def ping_seen(output: str) -> str:
    """How many of the pings were answered, in words."""
    counted = re.search(r"(\d+) packets transmitted, (\d+) received", output)
    if counted:
        return f"{counted.group(2)} of {counted.group(1)} answered"
    lines = [each for each in output.splitlines() if each.strip()]
    return lines[-1].strip() if lines else "nothing came back"


def nat_script(probe: MachinePing) -> list[str]:
    """Look for the probe's flow in the NAT table of a machine."""
    return [f'sudo conntrack -L 2>/dev/null | grep "{probe.ping}"', "true"]


def nat_entry(output: str, probe: MachinePing) -> str | None:
    """The entry of the NAT table that shows the probe's flow, answered."""
    for line in output.splitlines():
        answered = "[UNREPLIED]" not in line
        if answered and f"dst={probe.ping} " in line and f"src={probe.ping} " in line:
            return line.strip()
    return None


def expectations(text: str | None, names: Sequence[str]) -> dict[str, bool]:
    """What ``--expect office=down,internet=up`` says; what it does not name is expected up.

    Raises:
        ValueError: it names no probe of the site, or says neither up nor down.
    """
    expected = dict.fromkeys(names, True)
    for part in filter(None, (each.strip() for each in (text or "").split(","))):
        name, _, state = part.partition("=")
        if name not in expected:
            raise ValueError(f"no probe is called {name!r}; the site has {', '.join(names)}")
        if state not in ("up", "down"):
            raise ValueError(f"{part!r}: expected {name}=up or {name}=down")
        expected[name] = state == "up"
    return expected
