"""Asks the probes that run where erfailover runs: ping, TCP, a program.

Programs run as ``runtime.programs`` runs them. Times are the machine's own: a ping knows nothing of
a lab's clock.
"""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from erfailover.model.probes import LocalCommand, LocalConnect, LocalPing, LocalProbe, LocalShell
from erfailover.planning.probes import answers
from erfailover.planning.probes.answers import Answer
from erfailover.runtime.programs import Programs

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
    _programs: Programs = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._programs = Programs(self.folder)

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
        self._programs.stop()

    def _run(
        self, words: Sequence[str], timeout_s: float, locale: str | None = None
    ) -> tuple[int | None, str]:
        """Run a program; its exit code, None if it did not end in time, and its output's end."""
        variables = {"LC_ALL": locale} if locale is not None else {}
        environment = {**answers.remove_secrets(self.environment), **variables}
        code, output = self._programs.run(words, timeout_s, environment)
        return code, answers.shorten_output(output, self.environment)


def _connect(probe: LocalConnect) -> Answer:
    began = time.monotonic()
    try:
        socket.create_connection(probe.address, probe.timeout_s).close()
    except socket.gaierror as error:
        return answers.build_unresolved(error.strerror or str(error))
    except OSError as error:
        return answers.judge_connect(error, time.monotonic() - began)
    return answers.judge_connect(None, time.monotonic() - began)
