"""Run Command: scripts on virtual machines, through Azure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from erfailover.azure.client.answers import require_object
from erfailover.azure.client.operations import shorten_id
from erfailover.azure.client.polling import CadencePolling
from erfailover.azure.client.write_guard import Guard
from erfailover.azure.session import Session
from erfailover.model.arm_json import get_section, list_objects, parse_text
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
    command_id: str = "RunShellScript",
) -> CommandResult:
    """Run a script on a machine; Azure returns the last 4,096 bytes of its output.

    While another command runs there, for example one of a management agent, Azure answers 409
    Conflict "Run command extension execution is in progress" (published): that is waited out.

    Args:
        session: the connections.
        machine_id: the machine.
        script: the lines of the script; it must be safe to run twice.
        deadline_s: how long it may take, in seconds.
        guard: consulted before the script is sent; None for a script that changes nothing.
        command_id: ``RunShellScript`` for Linux, ``RunPowerShellScript`` for Windows.
    """
    where = parse(machine_id)
    body = {"commandId": command_id, "script": list(script)}

    def begin(polling: CadencePolling) -> Any:
        call = session.get_operations(where, guard).begin_run_command
        return call(*where.names, body, polling=polling)

    what = f"POST {shorten_id(machine_id)}/runCommand"
    answer = session.post(what, begin, require_object, deadline_s)
    output = get_section(answer, "properties", "output") or get_section(answer)
    return _parse_result(list_objects(output.get("value")))


def _parse_result(rows: Sequence[Mapping[str, Any]]) -> CommandResult:
    """Take Run Command's answer apart.

    Linux: one row, its message with ``[stdout]`` and ``[stderr]`` (recorded). Windows: a row each,
    ``ComponentStatus/StdOut/succeeded`` and ``ComponentStatus/StdErr/succeeded`` (published: "Run
    scripts in your Windows VM by using action Run Commands").
    """
    windows = {
        stream: "\n".join(
            parse_text(row.get("message"))
            for row in rows
            if f"/{stream}/" in parse_text(row.get("code")).lower()
        )
        for stream in ("stdout", "stderr")
    }
    message = "\n".join(parse_text(row.get("message")) for row in rows)
    _, _, rest = message.partition("[stdout]\n")
    stdout, _, stderr = rest.partition("[stderr]\n")
    stdout, stderr = stdout or windows["stdout"], stderr or windows["stderr"]
    return CommandResult(stdout.rstrip("\r\n"), stderr.rstrip("\r\n"))
