"""Asks the probes that run where erfailover runs: ping, TCP, a program.

The only place that starts the operator's programs. None gets our secrets, each has its
own session and time-out, and only the end of its output is kept. What it has started
ends with it, in other sessions too (``descendants``). Times are the machine's own: a ping knows
nothing of a lab's clock.
"""

from __future__ import annotations

import os
import selectors
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from erfailover.commands.probes.descendants import MARK, Family
from erfailover.model.probes import LocalCommand, LocalConnect, LocalPing, LocalProbe, LocalShell
from erfailover.planning.probes import answers
from erfailover.planning.probes.answers import KEPT, Answer

Ask = Callable[[LocalProbe], Answer]
SHELL = "/bin/sh"


@dataclass
class LocalMachine:
    """This machine.

    Attributes:
        folder: where programs are run: the site file's.
        environment: what they are given, our secrets left out.
    """

    folder: Path
    environment: Mapping[str, str]
    _running: set[Family] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _over: bool = False

    def ask(self, probe: LocalProbe) -> Answer:
        """Ask once. What cannot be asked is not known, with its reason; nothing is raised."""
        began = time.monotonic()
        try:
            answer = self._ask(probe)
        except FileNotFoundError as error:
            answer = Answer(
                None, f"{error.filename or 'the program'} was not found on this machine"
            )
        except (OSError, ValueError) as error:
            answer = Answer(None, str(error))
        return replace(answer, took_s=round(time.monotonic() - began, 3))

    def _ask(self, probe: LocalProbe) -> Answer:
        match probe:
            case LocalConnect():
                return _connect(probe)
            case LocalPing():
                words = answers.build_ping_command(probe.ping, probe.timeout_s, sys.platform)
                code, output = self._run(words, probe.timeout_s + 1.0, locale="C")
                return answers.judge_ping(code, output)
            case LocalCommand():
                words = list(probe.command)
            case LocalShell():
                words = [SHELL, "-c", probe.shell]
        code, output = self._run(words, probe.timeout_s)
        return answers.judge_command(code, probe.exit_code, output, probe.timeout_s)

    def stop(self) -> None:
        """End what still runs, and start nothing more."""
        with self._lock:
            self._over = True
            for family in self._running:
                family.end()

    def _run(
        self, words: Sequence[str], timeout_s: float, locale: str | None = None
    ) -> tuple[int | None, str]:
        """Run a program; its exit code, None if it did not end in time, and its output's end."""
        if os.name != "posix":
            raise OSError("probes that run a program need Linux or macOS")
        family = Family()
        environment = {**answers.remove_secrets(self.environment), MARK: family.mark}
        if locale is not None:
            environment["LC_ALL"] = locale
        with self._lock:
            if self._over:
                return None, ""
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env=environment,
                start_new_session=True,
            )
            family.pid = process.pid
            self._running.add(family)
        try:
            output = _read_tail(process, time.monotonic() + timeout_s)
            code = process.poll()
        finally:
            with self._lock:
                self._running.discard(family)
            family.end()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()
        text = output.decode("utf-8", "replace")
        return code, answers.shorten_output(text, self.environment)


def _read_tail(process: subprocess.Popen[bytes], deadline: float) -> bytes:
    """Return the end of what a program prints until it ends, or the deadline."""
    assert process.stdout is not None
    content = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while (left := deadline - time.monotonic()) > 0:
            if not selector.select(min(left, 0.2)):
                if process.poll() is not None:
                    break  # what it left behind in the background holds the pipe
                continue
            read = os.read(process.stdout.fileno(), 65536)
            if not read:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(max(deadline - time.monotonic(), 0.0))
                break
            content = (content + read)[-4 * KEPT :]
    return content


def _connect(probe: LocalConnect) -> Answer:
    began = time.monotonic()
    try:
        socket.create_connection(probe.address, probe.timeout_s).close()
    except socket.gaierror as error:
        return answers.build_unresolved(error.strerror or str(error))
    except OSError as error:
        return answers.judge_connect(error, time.monotonic() - began)
    return answers.judge_connect(None, time.monotonic() - began)
