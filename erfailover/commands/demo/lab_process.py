"""Starts and stops a lab as a person would: as another program, met at its HTTPS endpoint."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence

from erfailover.errors import LabFailure, UsageFailure


def start(options: Sequence[str] = (), of_up: Sequence[str] = ()) -> dict[str, str]:
    """Start the lab unless it runs; returns the environment variables that lead to it.

    Raises LabFailure if it does not start, with the lab's message and exit code.
    """
    started = _run_lab("up", *options, *of_up)
    if started.returncode:
        raise LabFailure(f"the lab did not start: {_get_message(started)}", started.returncode)
    completed_process = _run_lab("env", "--json", *options)
    try:
        environment = json.loads(completed_process.stdout)["environment"]
    except (ValueError, KeyError):
        raise UsageFailure(
            f"the lab did not print its variables: {_get_last_line(completed_process)}"
        ) from None
    return {str(name): str(value) for name, value in environment.items()}


def stop(options: Sequence[str] = ()) -> None:
    """Stop the lab."""
    _run_lab("down", *options)


def _run_lab(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "erfailover.lab", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _get_message(process: subprocess.CompletedProcess[str]) -> str:
    text = process.stderr.strip().removeprefix("erfailover: ")
    return text or f"exit code {process.returncode}"


def _get_last_line(process: subprocess.CompletedProcess[str]) -> str:
    lines = (process.stderr or process.stdout).strip().splitlines()
    return lines[-1].removeprefix("erfailover: ") if lines else f"exit code {process.returncode}"
