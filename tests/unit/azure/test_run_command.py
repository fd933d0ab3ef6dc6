"""Probes on machines, as Azure's answers come: of Linux and of Windows machines."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

import pytest

from erfailover.azure.readers import probes as readers_probes
from erfailover.azure.run_command import _parse_result
from erfailover.errors import AzureErrorKind, AzureFailure
from erfailover.model.probes import MachineConnect, MachinePing
from tests.support import sites

PING = MachinePing("vm1", IPv4Address("10.5.0.4"))
TCP = MachineConnect("vm1", IPv4Address("10.5.0.4"), 3389)
PRINTED = (
    "<probe 1>\r\n3 packets transmitted, 3 received\r\n</probe 1>\r\n"
    "<probe 2>\r\nconnected: False\r\n</probe 2>"
)


def windows(stdout: str, stderr: str = "") -> list[dict[str, str]]:
    """The rows of a Windows machine (published form)."""
    return [
        {"code": "ComponentStatus/StdOut/succeeded", "level": "Info", "message": stdout},
        {"code": "ComponentStatus/StdErr/succeeded", "level": "Info", "message": stderr},
    ]


def test_the_streams_of_both_systems_are_told_apart() -> None:
    command_result = _parse_result(windows("out\r\n", "err\n"))
    assert (command_result.stdout, command_result.stderr) == ("out", "err")
    message = "Enable succeeded: \n[stdout]\nout\n[stderr]\nerr"
    command_result = _parse_result([{"code": "ProvisioningState/succeeded", "message": message}])
    assert (command_result.stdout, command_result.stderr) == ("out", "err")
    assert _parse_result([{"code": "x", "message": None}, {}]).stdout == ""


class Reader:
    """Answers for a machine of one system."""

    def __init__(self, system: str | None) -> None:
        self.system, self.commands = system, []  # type: ignore[var-annotated]
        self.clock = self

    def now(self) -> float:
        return 0.0

    def get(self, machine_id: str) -> dict[str, Any]:
        if self.system is None:
            raise AzureFailure(AzureErrorKind.REFUSED, "AuthorizationFailed")
        return {"properties": {"storageProfile": {"osDisk": {"osType": self.system}}}}

    def run_command(self, _id: str, script: list[str], _s: float, command_id: str) -> Any:
        self.commands.append((command_id, "\n".join(script)))
        return _parse_result(windows(PRINTED))


@pytest.mark.parametrize(
    ("system", "command", "word"),
    [
        ("Windows", "RunPowerShellScript", "Test-NetConnection"),
        ("windows", "RunPowerShellScript", "Test-NetConnection"),
        ("Linux", "RunShellScript", "/dev/tcp/10.5.0.4/3389"),
        (None, "RunShellScript", "/dev/tcp/10.5.0.4/3389"),
    ],
)
def test_a_machine_is_sent_a_script_of_its_system(
    system: str | None, command: str, word: str
) -> None:
    reader = Reader(system)
    site = replace(sites.site(), probes={"ping": PING, "tcp": TCP})
    desired = dict.fromkeys(site.probes, True)
    (work,) = readers_probes.build_work(reader, site, site.probes, desired)  # type: ignore[arg-type]
    assert [result.up for result in work()] == [True, False]
    ((command_id, script),) = reader.commands
    assert command_id == command
    assert word in script


def test_a_command_that_azure_refuses_makes_its_probes_unknown() -> None:
    reader = Reader("Linux")

    def refuse(*_: Any) -> Any:
        raise AzureFailure(AzureErrorKind.REFUSED, "Cannot modify extensions in the VM")

    reader.run_command = refuse  # type: ignore[assignment]
    site = replace(sites.site(), probes={"ping": PING, "tcp": TCP})
    desired = dict.fromkeys(site.probes, True)
    (work,) = readers_probes.build_work(reader, site, site.probes, desired)  # type: ignore[arg-type]
    assert [result.up for result in work()] == [None, None]
    assert "Cannot modify extensions" in work()[0].seen
