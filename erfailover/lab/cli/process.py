"""The lab as a background process: start it, find it, ask it, stop it.

Owns the process as its callers see it. What it keeps on disk, and the lock that shows that it
runs, are ``server.state_folder``'s; what it does while it runs is ``server.daemon``'s.
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
from pathlib import Path
from typing import Any

from erfailover.lab.server.state_folder import Folder, LabProblem, NotRunning

DEFAULT_SPEED = 100.0
"""A gateway of the proof of concept (about 1,085 s) is then made in 11 s of wall time."""
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Running:
    """A lab that runs."""

    folder: Folder
    endpoint: str
    ca_file: Path
    pid: int
    speed: float
    environment: dict[str, str]

    def request(self, method: str, path: str, timeout_s: float = 10.0, body: object = None) -> Any:
        """Ask one of the lab's own paths; raises LabProblem where it does not answer."""
        secret = self.folder.identity().lab_secret
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
            found = json.loads(answer.read() or b"null")
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise LabProblem(f"the lab at {self.endpoint} does not answer: {error}") from error
        finally:
            connection.close()
        if answer.status >= 400:
            raise LabProblem(f"the lab refused {method} {path}: {found}")
        return found


def find(where: Folder) -> Running:
    """The lab that serves from a folder; raises NotRunning where none does."""
    if not where.held():
        raise NotRunning(f"no lab runs from {where.path}; start one with: erfailover lab up")
    try:
        found = json.loads(where.note.read_text())
        return Running(
            folder=where,
            endpoint=found["endpoint"],
            ca_file=Path(found["ca"]),
            pid=int(found["pid"]),
            speed=float(found["speed"]),
            environment=dict(found["environment"]),
        )
    except (OSError, ValueError, KeyError) as error:
        raise LabProblem(f"the lab in {where.path} is still starting, or ending") from error


def start(
    where: Folder,
    *,
    port: int = 0,
    speed: float = DEFAULT_SPEED,
    subscriptions: int = 1,
    tenants: int = 1,
) -> tuple[Running, bool]:
    """Start a lab in the background and wait until it answers; tells whether it was started.

    A lab that runs already is left alone. Raises LabProblem where it does not come up, or runs
    with fewer subscriptions or tenants.
    """
    if where.held():
        running = _await(where, None)
        known = where.identity()
        _insist("subscription(s)", len(known.subscriptions), subscriptions)
        _insist("tenant(s)", len(known.tenants), tenants)
        return running, False
    where.make()
    where.extend(subscriptions, tenants)
    where.note.unlink(missing_ok=True)
    command = [sys.executable, "-m", "erfailover.lab", "serve", "--state-dir", str(where.path)]
    command += ["--port", str(port), "--speed", f"{speed:g}"]
    with open(where.log, "ab") as log:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd=str(where.path),
            env=_own_environment(),
        )
    found = _await(where, child)
    child.returncode = child.returncode or 0  # it lives on; nobody here waits for it
    return found, found.pid == child.pid


def _own_environment() -> dict[str, str]:
    """Ours, so that the child finds this very package wherever it was imported from."""
    root = str(Path(__file__).resolve().parents[3])
    before = os.environ.get("PYTHONPATH", "")
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (root, before)))}


def _await(where: Folder, child: subprocess.Popen[bytes] | None) -> Running:
    until = time.monotonic() + START_TIMEOUT_S
    problem = "it has not said where it serves"
    while time.monotonic() < until:
        try:
            running = find(where)
            running.request("GET", "/lab/status")
            return running
        except LabProblem as error:
            problem = str(error)
        if child is not None and child.poll() is not None and not where.held():
            break
        time.sleep(0.05)
    raise LabProblem(f"the lab did not come up: {problem}\n{_tail(where.log)}")


def _tail(log: Path) -> str:
    try:
        lines = log.read_text(errors="replace").splitlines()[-10:]
    except OSError:
        return ""
    return "\n".join([f"the end of {log}:", *lines])


def _insist(what: str, has: int, wanted: int) -> None:
    """Refuse to go on with a lab that runs and has fewer of something than are wanted."""
    if has < wanted:
        raise LabProblem(
            f"the lab runs with {has} {what}, and {wanted} are wanted: end it with 'erfailover "
            "lab down', then start it again"
        )


def stop(where: Folder) -> bool:
    """End the lab that serves from a folder; tells whether one did."""
    if not where.held():
        return False
    find(where).request("POST", "/lab/shutdown")
    until = time.monotonic() + STOP_TIMEOUT_S
    while where.held():
        if time.monotonic() > until:
            raise LabProblem(f"the lab in {where.path} does not end; see {where.log}")
        time.sleep(0.02)
    return True


def variables(running: Running) -> dict[str, str]:
    """The variables for a shell; proxies are told to leave this machine alone."""
    found = dict(running.environment)
    if any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY")):
        before = os.environ.get("NO_PROXY") or os.environ.get("no_proxy") or ""
        names = [each for each in before.split(",") if each]
        merged = ",".join(dict.fromkeys([*names, "127.0.0.1", "localhost"]))
        found["NO_PROXY"] = found["no_proxy"] = merged
    return found


def description(running: Running) -> dict[str, Any]:
    """What ``env --json`` prints: where the lab is and who its client is, secret included."""
    known = running.folder.identity()
    return {
        "endpoint": running.endpoint,
        "authority": running.endpoint,
        "ca": str(running.ca_file),
        "tenant": known.tenant,
        "subscription": known.subscription,
        "subscriptions": list(known.subscriptions),
        "tenants": {each.id: list(each.subscriptions) for each in known.tenants},
        "client_id": known.client_id,
        "client_secret": known.client_secret,
        "federated_token_file": running.environment["AZURE_FEDERATED_TOKEN_FILE"],
        "az_config_dir": str(running.folder.az),
        "speed": running.speed,
        "lab_secret": known.lab_secret,
        "environment": variables(running),
    }
