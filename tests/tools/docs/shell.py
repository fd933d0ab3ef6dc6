"""A shell as a newcomer has it: an empty home, an empty folder, nothing of this machine's own.

Owns the process; what is typed and what should come out is the pages'.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import platformdirs

ROOT = Path(__file__).parents[3]
BASH = "/bin/bash"
USER = "ana"
LAB_PORT = re.compile(r"\b127\.0\.0\.1:\d{4,5}\b")
SUBSCRIPTION = re.compile(r"[0-9a-f]{8}([-_])[0-9a-f]{4}(?:\1[0-9a-f]{4}){2}\1[0-9a-f]{12}")
"""An id of a subscription, as in resource ids or, with low lines, in names made of them."""


@dataclass(frozen=True)
class Ended:
    """How a command ended: exit code, standard output and error together, seconds."""

    command: str
    exit_code: int
    output: str
    seconds: float


class Stuck(RuntimeError):
    """A command did not end in time, or took the shell with it."""


class Shell:
    """One bash, into which commands are typed one after the other."""

    def __init__(self, folder: Path, variables: Mapping[str, str] | None = None) -> None:
        """Start it.

        Args:
            folder: its home and working folders are made in here.
            variables: besides HOME, PATH and the language; PATH is put before the plain one.
        """
        home, work = folder / "home", folder / "work"
        home.mkdir()
        work.mkdir()
        by_name = dict(variables or {})
        path = [by_name.pop("PATH", ""), str(_python(folder)), "/usr/bin", "/bin"]
        environment = {
            "HOME": str(home),
            "PATH": os.pathsep.join(name for name in path if name),
            "LANG": "C.UTF-8",
            "LOGNAME": USER,
        }
        pip = {
            "PIP_CONSTRAINT": str(ROOT / "constraints.txt"),
            "PIP_CACHE_DIR": str(platformdirs.user_cache_path("pip")),
        } | _pip_settings()
        self.work = work
        self._bash = subprocess.Popen(
            [BASH, "--noprofile", "--norc"],
            cwd=work,
            env={**environment, **pip, **by_name},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._count = 0
        self._ids: dict[str, int] = {}

    def run(self, command: str, within_s: float = 300.0) -> Ended:
        """Run a command line in the shell, which keeps what it sets.

        Raises:
            Stuck: it did not end within so many seconds; the shell is then gone.
        """
        assert self._bash.stdin is not None
        assert self._bash.stdout is not None
        self._count += 1
        mark = f"--- end of command {self._count}: "
        quoted = command.replace("'", "'\\''")
        began = time.monotonic()
        self._bash.stdin.write(f"eval '{quoted}' </dev/null\nprintf '\\n{mark}%s\\n' $?\n")
        self._bash.stdin.flush()
        guard = threading.Timer(within_s, self._bash.kill)
        guard.start()
        lines: list[str] = []
        try:
            for line in self._bash.stdout:
                if line.startswith(mark):
                    code = int(line[len(mark) :])
                    output = "".join(lines).removesuffix("\n")
                    return Ended(command, code, output, time.monotonic() - began)
                lines.append(line)
        finally:
            guard.cancel()
        raise Stuck(f"{command!r} ended the shell, or took over {within_s} s: {''.join(lines)}")

    def tellable(self, output: str) -> str:
        """An output without what is this machine's own: home folder, name, port, random ids."""
        output = output.replace(str(self.work.parent / "home"), "~")
        text, message = f"{USER}@{socket.gethostname()}", f"{USER}@ops"
        output = output.replace(f"{text}  ", f"{message:<{len(text)}}  ").replace(text, message)
        output = LAB_PORT.sub("127.0.0.1:43587", output)
        return SUBSCRIPTION.sub(self._tellable_id, output)

    def _tellable_id(self, match: re.Match[str]) -> str:
        """1111..., 2222... in the order in which they came."""
        joint = match[1]
        actual = match[0].replace(joint, "-")
        number = self._ids.setdefault(actual, len(self._ids) % 9 + 1)
        return joint.join([str(number) * 8, *["0000"] * 3, "0" * 12])

    def __enter__(self) -> Self:
        """The shell itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the lab that was started in it, then the shell."""
        if self._bash.poll() is None:
            self.run("command -v erfailover >/dev/null && erfailover lab down >/dev/null 2>&1")
        if self._bash.stdin is not None:
            self._bash.stdin.close()
        self._bash.wait(30)
        if self._bash.stdout is not None:
            self._bash.stdout.close()


def _python(folder: Path) -> Path:
    """A folder with python3 as the machine has it, not as a virtual environment has."""
    path = folder / "python"
    path.mkdir()
    (path / "python3").symlink_to(Path(sys.base_prefix) / "bin" / "python3")
    return path


def _pip_settings() -> dict[str, str]:
    """Where pip looks is the machine's own matter; what is installed is not."""
    return {
        name: value
        for name, value in os.environ.items()
        if name.startswith("PIP_") or name.lower().endswith("_proxy")
    }
