"""BIRD: one daemon for each gateway, asked over its control socket."""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from erfailover.lab.linux.agent import daemons

_TIMEOUT_S = 5.0
_ATTEMPTS = 5
_CUT_SHORT = "Stopped due to reconfiguration"
_END_S = 0.5
_CODE = re.compile(r"(\d{4})([ -])(.*)")
_FIRST_ERROR = 8000


class Bird:
    """A node's BIRD; one that ended stays down until ``start``."""

    def __init__(self, node: str, run: Path, configuration: str, on_end: Callable[[], None]):
        self.node = node
        self.configuration = configuration
        self._run = run
        self._on_end = on_end
        self._control = run / "bird.ctl"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        """The daemon, if it runs."""
        process = self._process
        return process if process is not None and process.poll() is None else None

    def start(self) -> None:
        """Start the daemon and wait until it answers."""
        self._run.mkdir(parents=True, exist_ok=True)
        self._control.unlink(missing_ok=True)
        self._write(self.configuration)
        output = self._run / "bird.out"
        command = ("bird", "-f", "-c", str(self._run / "bird.conf"), "-s", str(self._control))
        process = daemons.start(self.node, command, output)
        try:
            daemons.wait_until(self._answers, process, f"BIRD of {self.node}")
        except daemons.DaemonError as error:
            daemons.stop([process])
            said = output.read_text(errors="replace").strip()
            raise daemons.DaemonError(f"{error}: {said}") from error
        self._process = process
        name = f"bird-{self.node}"
        threading.Thread(target=self._await_end, args=(process,), name=name, daemon=True).start()

    def configure(self, configuration: str) -> None:
        """Let the daemon take another configuration, or keep it for its next start."""
        self._write(configuration)
        if self.process is not None:
            self.ask("configure")
        self.configuration = configuration

    def forget(self) -> list[subprocess.Popen[bytes]]:
        """Return the daemon, to be stopped: its end is no news."""
        process, self._process = self.process, None
        return [process] if process is not None else []

    def read(self) -> dict[str, Any] | None:
        """Return what BIRD says about its protocols and routes, None if it does not run.

        ``routes`` has every route, the best or not, with the protocol it came from. ``exported``
        is by name of a BGP protocol: every route exported, with the attributes after the export
        filter and before BGP's own changes (own AS number, next hop).
        """
        process = self.process
        if process is None:
            return None
        try:
            return self._read()
        except daemons.DaemonError:
            # Its socket closes a moment before it has ended.
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_END_S)
                return None
            raise

    def _read(self) -> dict[str, Any]:
        protocols = self.ask("show protocols all")
        names = [
            line.split()[0]
            for line in protocols.splitlines()
            if line[:1].strip() and line.split()[1:2] == ["BGP"]
        ]
        return {
            "protocols": protocols,
            "routes": self.ask("show route all"),
            "exported": {name: self._ask_exported(name) for name in names},
        }

    def ask(self, command: str) -> str:
        """Return the text of an answer, as birdc prints it; raise DaemonError for a refusal.

        An answer that a new configuration cut short is asked for again.
        """
        for left in reversed(range(_ATTEMPTS)):
            try:
                return self._ask(command)
            except daemons.DaemonError as error:
                if not left or _CUT_SHORT not in str(error):
                    raise
            except (OSError, EOFError) as error:
                raise daemons.DaemonError(f"BIRD of {self.node}: {command}: {error}") from error
        raise AssertionError("the last attempt returns or raises")

    def _ask_exported(self, name: str) -> str:
        try:
            return self.ask(f"show route all export {name}")
        except daemons.DaemonError:
            if self.process is None:
                raise
            return ""  # A session that is down exports nothing.

    def _ask(self, command: str) -> str:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as control:
            control.settimeout(_TIMEOUT_S)
            control.connect(str(self._control))
            with control.makefile("r", encoding="utf-8", errors="replace") as lines:
                _read_answer(lines.readline)
                control.sendall(command.encode() + b"\n")
                return _read_answer(lines.readline)

    def _answers(self) -> bool:
        try:
            self._ask("show status")
        except (OSError, EOFError):
            return False
        return True

    def _write(self, configuration: str) -> None:
        text = re.sub(r"\bRUN\b", str(self._run), configuration)
        daemons.replace_file(self._run / "bird.conf", text)

    def _await_end(self, process: subprocess.Popen[bytes]) -> None:
        process.wait()
        if self._process is process:
            self._on_end()


def _read_answer(read_line: Callable[[], str]) -> str:
    """Return the lines of an answer without the codes of BIRD's protocol."""
    texts: list[str] = []
    while line := read_line():
        line = line.rstrip("\n")
        match = _CODE.match(line)
        if match is None:
            if line.startswith(" "):
                texts.append(line[1:])
            continue
        code, more, text = match.groups()
        texts.append(text)
        if more == "-":
            continue
        if int(code) >= _FIRST_ERROR:
            raise daemons.DaemonError("; ".join(filter(None, texts)))
        return "\n".join(texts)
    raise EOFError("no answer")
