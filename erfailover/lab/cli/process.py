"""The lab as a background process: start, find, call and stop it.

Owns the process as its callers see it. ``server.state_folder`` has its files and the lock that
shows that it runs; ``server.daemon`` is what it runs.
"""

from __future__ import annotations

import http.client
import json
import os
import ssl
import subprocess
import sys
import time
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from erfailover.lab.core.data_planes import DEFAULT_SPEEDS, LINUX, LINUX_SPEED_LIMIT, MODEL
from erfailover.lab.server.state_folder import (
    LabError,
    LabNotRunningError,
    LabOptionError,
    StateFolder,
)

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class LabProcess:
    """A running lab."""

    folder: StateFolder
    endpoint: str
    ca_file: Path
    pid: int
    speed: float
    data_plane: str
    environment: dict[str, str]

    def request(self, method: str, path: str, timeout_s: float = 10.0, body: object = None) -> Any:
        """Call one of the lab's own paths; raise LabError if it does not answer."""
        secret = self.folder.load_identity().lab_secret
        context = ssl.create_default_context(cafile=str(self.ca_file))
        host, _, port = self.endpoint.removeprefix("https://").partition(":")
        connection = http.client.HTTPSConnection(
            host, int(port), timeout=timeout_s, context=context
        )
        try:
            data = None if body is None else json.dumps(body)
            headers = {"Authorization": f"Bearer {secret}"}
            connection.request(method, path, body=data, headers=headers)
            answer = connection.getresponse()
            reply = json.loads(answer.read() or b"null")
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise LabError(f"The lab at {self.endpoint} does not answer: {error}") from error
        finally:
            connection.close()
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise LabError(f"The lab rejected {method} {path}: {_get_message(reply)}")
        return reply


def _get_message(reply: Any) -> str:
    error = reply.get("error") if isinstance(reply, dict) else None
    return f"{error['code']}: {error['message']}" if error else str(reply)


def find(where: StateFolder) -> LabProcess:
    """Return the lab that serves from a folder; raise LabNotRunningError if none does."""
    if not where.is_held():
        raise LabNotRunningError(
            f"No lab is running in {where.path}. Start one with: erfailover lab up"
        )
    try:
        note = json.loads(where.note.read_text())
        return LabProcess(
            folder=where,
            endpoint=note["endpoint"],
            ca_file=Path(note["ca"]),
            pid=int(note["pid"]),
            speed=float(note["speed"]),
            data_plane=str(note.get("data_plane", MODEL)),
            environment=dict(note["environment"]),
        )
    except (OSError, ValueError, KeyError) as error:
        raise LabError(
            f"The lab in {where.path} is starting or stopping. Try again in a moment."
        ) from error


def start(
    where: StateFolder,
    *,
    port: int = 0,
    speed: float | None = None,
    data_plane: str | None = None,
    subscriptions: int = 1,
    tenants: int = 1,
) -> tuple[LabProcess, bool]:
    """Start a lab in the background unless one runs; return it and whether it was started.

    A running lab is left as it is. Raises LabError if the lab does not start, or runs with another
    data plane or fewer subscriptions or tenants.
    """
    if where.is_held():
        running = _await(where, None)
        _require_plane(running, data_plane)
        identity = where.load_identity()
        _require("subscriptions", len(identity.subscriptions), subscriptions)
        _require("tenants", len(identity.tenants), tenants)
        return running, False
    data_plane = data_plane or MODEL
    speed = speed or DEFAULT_SPEEDS[data_plane]
    if data_plane == LINUX:
        _check_linux(speed)
    where.make()
    where.extend(subscriptions, tenants)
    where.note.unlink(missing_ok=True)
    command = [sys.executable, "-m", "erfailover.lab", "serve", "--state-dir", str(where.path)]
    command += ["--port", str(port), "--speed", f"{speed:g}", "--data-plane", data_plane]
    with open(where.log, "ab") as log:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd=str(where.path),
            env=_build_environment(),
        )
    lab = _await(where, child)
    child.returncode = child.returncode or 0  # it outlives this process, which never waits for it
    return lab, lab.pid == child.pid


def _build_environment() -> dict[str, str]:
    """Return an environment in which the child imports this same package."""
    root = str(Path(__file__).resolve().parents[3])
    before = os.environ.get("PYTHONPATH", "")
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (root, before)))}


def _await(where: StateFolder, child: subprocess.Popen[bytes] | None) -> LabProcess:
    until = time.monotonic() + START_TIMEOUT_S
    problem = "It has not reported its address."
    while time.monotonic() < until:
        try:
            running = find(where)
            running.request("GET", "/lab/status")
            return running
        except LabError as error:
            problem = str(error)
        if child is not None and child.poll() is not None and not where.is_held():
            break
        time.sleep(0.05)
    raise LabError(f"The lab did not start. {problem}\n{_read_tail(where.log)}")


def _read_tail(log: Path) -> str:
    try:
        lines = log.read_text(errors="replace").splitlines()[-10:]
    except OSError:
        return ""
    return "\n".join([f"Last lines of {log}:", *lines])


def _check_linux(speed: float) -> None:
    """Raise LabError if the Linux data plane cannot run on this machine, or not so fast."""
    from erfailover.lab.linux.requirements import list_missing

    if speed > LINUX_SPEED_LIMIT:
        raise LabOptionError(
            f"The speed of a lab with the Linux data plane must be at most {LINUX_SPEED_LIMIT:g}, "
            f"not {speed:g}: BGP's hold time of 180 s cannot be below 3 s of real time."
        )
    missing = list_missing()
    if missing:
        lines = ["The Linux data plane cannot run on this machine:", *missing]
        raise LabError("\n".join(lines))


def _require_plane(running: LabProcess, data_plane: str | None) -> None:
    """Raise LabOptionError if a running lab has another data plane than requested."""
    if data_plane not in (None, running.data_plane):
        raise LabOptionError(
            f"The running lab has the data plane {running.data_plane}, not {data_plane}. Stop it "
            "with 'erfailover lab down', then start it again."
        )


def _require(what: str, count: int, minimum: int) -> None:
    """Raise LabOptionError if the running lab has fewer of something than requested."""
    if count < minimum:
        raise LabOptionError(
            f"The running lab has fewer {what} ({count}) than requested ({minimum}). Stop it with "
            "'erfailover lab down', then start it again."
        )


def stop(where: StateFolder) -> bool:
    """Stop the lab that serves from a folder; return whether one was running."""
    if not where.is_held():
        return False
    find(where).request("POST", "/lab/shutdown")
    until = time.monotonic() + STOP_TIMEOUT_S
    while where.is_held():
        if time.monotonic() > until:
            raise LabError(f"The lab in {where.path} did not stop. See {where.log}")
        time.sleep(0.02)
    return True


def build_variables(running: LabProcess) -> dict[str, str]:
    """Return the variables for a shell; proxies are bypassed for this machine."""
    variables = dict(running.environment)
    if any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY")):
        before = os.environ.get("NO_PROXY") or os.environ.get("no_proxy") or ""
        names = [host for host in before.split(",") if host]
        merged = ",".join(dict.fromkeys([*names, "127.0.0.1", "localhost"]))
        variables["NO_PROXY"] = variables["no_proxy"] = merged
    return variables


def describe(running: LabProcess) -> dict[str, Any]:
    """Return the output of ``env --json``: the lab's address and its client, secret included."""
    identity = running.folder.load_identity()
    return {
        "endpoint": running.endpoint,
        "authority": running.endpoint,
        "ca": str(running.ca_file),
        "tenant": identity.tenant,
        "subscription": identity.subscription,
        "subscriptions": list(identity.subscriptions),
        "tenants": {tenant.id: list(tenant.subscriptions) for tenant in identity.tenants},
        "client_id": identity.client_id,
        "client_secret": identity.client_secret,
        "federated_token_file": running.environment["AZURE_FEDERATED_TOKEN_FILE"],
        "az_config_dir": str(running.folder.az),
        "speed": running.speed,
        "data_plane": running.data_plane,
        "lab_secret": identity.lab_secret,
        "environment": build_variables(running),
    }
