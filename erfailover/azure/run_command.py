"""Run Command: shell scripts on virtual machines, through Azure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from erfailover.azure.client.answers import understood
from erfailover.azure.client.operations import label, raw
from erfailover.azure.client.polling import CadencePolling
from erfailover.azure.client.write_guard import Guard
from erfailover.azure.session import Session
from erfailover.model.resource_ids import parse


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What a command on a machine printed."""

    stdout: str
    stderr: str


def run_command(
    session: Session,
    machine_id: str,
    script: Sequence[str],
    deadline_s: float,
    guard: Guard | None = None,
) -> CommandResult:
    """Run a shell script on a machine; Azure returns the last 4 KB of its output.

    Args:
        session: the connections.
        machine_id: the machine.
        script: the lines of the script; it must be safe to run twice.
        deadline_s: how long it may take, in seconds.
        guard: consulted before the script is sent; None for a script that changes nothing.
    """
    where = parse(machine_id)
    body = {"commandId": "RunShellScript", "script": list(script)}

    def begin(polling: CadencePolling) -> Any:
        call = session.operations(where, guard).begin_run_command
        return call(*where.names, body, polling=polling, cls=raw)

    what = f"POST {label(machine_id)}/runCommand"
    answer = session.post(what, begin, deadline_s)
    with understood(what):
        answer = answer.get("properties", {}).get("output", answer)
        message = "\n".join(str(each.get("message", "")) for each in answer.get("value") or [])
        return _streams(message)


def _streams(message: str) -> CommandResult:
    """Take Run Command's message apart: ``[stdout]`` and ``[stderr]`` (recorded)."""
    _, _, rest = message.partition("[stdout]\n")
    stdout, _, stderr = rest.partition("[stderr]\n")
    return CommandResult(stdout.rstrip("\n"), stderr.rstrip("\n"))
