"""The shell of a modelled machine: runs a script's commands in order.

Owns variables, ``set -e``, lists, pipes, redirections, ``sudo`` and the search for a command.
A command that the lab does not model exits with 127 and a message; never a made-up success.

Running is a generator that yields how many modelled seconds pass before it continues; so a
script takes its time without a sleeping thread.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from erfailover.lab.machines.linux import Linux
from erfailover.lab.machines.netfilter import UnmodelledError
from erfailover.lab.machines.reachability import Trace
from erfailover.lab.machines.shell.sockets import predict_connection
from erfailover.lab.machines.shell.syntax import Command, Pipeline, Redirection, parse

Running = Generator[float, None, int]
"""A running command or script: yields seconds to wait, returns the exit status."""

_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)
_SOCKET = re.compile(r"/dev/tcp/([\d.]+)/(\d+)")
NOT_FOUND = 127
SCRIPT = "script.sh"
"""What the shell calls the script in its messages."""


class ScriptEnvironment(Protocol):
    """A command's access to the world around its machine."""

    def now(self) -> float:
        """Return the modelled time at this point of the script, in seconds."""

    def send(self, linux: Linux, destination: str, protocol: str, port: int) -> Trace:
        """Send a packet from the machine, by the interface that its kernel chooses."""

    def track(self, trace: Trace, echo_id: int) -> None:
        """Make the machines on the way track the flows that a packet opened."""


@dataclass(slots=True)
class Call:
    """A call of a command: its inputs, and where it writes."""

    arguments: list[str]
    linux: Linux
    outside: ScriptEnvironment
    stdin: str = ""
    stdout: list[str] = field(default_factory=list)
    stderr: list[str] = field(default_factory=list)

    def print_out(self, *lines: str) -> None:
        """Write lines to the standard output."""
        self.stdout.extend(f"{line}\n" for line in lines)

    def print_error(self, *lines: str) -> None:
        """Write lines to the standard error."""
        self.stderr.extend(f"{line}\n" for line in lines)


class Program(Protocol):
    """A command of the machine."""

    def __call__(self, call: Call) -> Running:
        """Run it."""


@dataclass(frozen=True, slots=True)
class Programs:
    """The commands by name, and the packages that some of them need."""

    by_name: Mapping[str, Program]
    packages: Mapping[str, str]


class _Exit(Exception):
    """The end of the script, with an exit status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass(slots=True)
class Shell:
    """A run of a script on a machine; ``stdout`` and ``stderr`` collect its output.

    ``bash`` is set for a script of bash, which alone opens ``/dev/tcp/ADDRESS/PORT`` (documented).
    """

    linux: Linux
    outside: ScriptEnvironment
    programs: Programs
    bash: bool = False
    stdout: list[str] = field(default_factory=list)
    stderr: list[str] = field(default_factory=list)
    _variables: dict[str, str] = field(default_factory=lambda: {"HOME": "/root", "USER": "root"})
    _options: set[str] = field(default_factory=set)

    def run(self, script: str) -> Running:
        """Run a script; return its exit status."""
        try:
            pipelines = parse(script)
        except UnmodelledError as unmodelled:
            self.stderr.append(f"the lab does not model {unmodelled}; nothing was run\n")
            return NOT_FOUND
        status = 0
        try:
            for number, pipeline in enumerate(pipelines):
                if (pipeline.after == "&&" and status) or (pipeline.after == "||" and not status):
                    continue
                status = yield from self._run_pipeline(pipeline)
                follows = pipelines[number + 1].after if number + 1 < len(pipelines) else ";"
                decided = follows in ("&&", "||") or pipeline.negated
                if status and "e" in self._options and not decided:
                    return status
        except _Exit as end:
            return end.status
        return status

    def _run_pipeline(self, pipeline: Pipeline) -> Running:
        stdin, statuses = "", [0]
        for number, command in enumerate(pipeline.commands):
            last = number + 1 == len(pipeline.commands)
            out: list[str] = []
            statuses.append((yield from self._run_command(command, stdin, out)))
            if last:
                self.stdout.extend(out)
            stdin = "".join(out)
        status = statuses[-1]
        if "pipefail" in self._options:
            status = next((code for code in reversed(statuses) if code), 0)
        if pipeline.negated:
            status = int(not status)
        self._variables["?"] = str(status)
        return status

    def _run_command(self, command: Command, stdin: str, out: list[str]) -> Running:
        words = [word.expand(self._variables) for word in command.words]
        assigned: dict[str, str] = {}
        while words and (match := _ASSIGNMENT.fullmatch(words[0])) is not None:
            assigned[match.group(1)] = match.group(2)
            words.pop(0)
        call = Call(words, self.linux, self.outside, stdin)
        status = 0
        if (yield from self._open_inputs(call, command)):
            if not words:
                self._variables |= assigned
            else:
                status = yield from self._run_call(call, command.line)
        else:
            status = 1
        self._redirect(call, command.redirections, out)
        return status

    def _run_call(self, call: Call, line: int) -> Running:
        built_in = self._run_built_in(call)
        if built_in is not None:
            return built_in
        elevated = self._elevate(call)
        if call.arguments[:1] == ["timeout"]:
            return (yield from self._run_timeout(call, line))
        if call.arguments[:1] == ["bash"] and call.arguments[1:2] == ["-c"]:
            return (yield from self._run_inner(call, (call.arguments[2:] or [""])[0], bash=True))
        if call.arguments[:1] in (["sh"], ["bash"]) and len(call.arguments[1:]) == 1:
            return (yield from self._run_file(call, call.arguments[1]))
        name = call.arguments[0] if call.arguments else ""
        program = self.programs.by_name.get(name.rpartition("/")[2])
        package = self.programs.packages.get(name.rpartition("/")[2])
        if program is None:
            call.print_error(f"{SCRIPT}: {line}: {name}: the lab does not model this command")
            return NOT_FOUND
        if package is not None and package not in self.linux.packages:
            if elevated:
                call.print_error(f"sudo: {name}: command not found")
                return 1
            call.print_error(f"{SCRIPT}: {line}: {name}: not found")
            return NOT_FOUND
        try:
            return (yield from program(call))
        except UnmodelledError as unmodelled:
            call.print_error(f"{SCRIPT}: {line}: the lab does not model {unmodelled}")
            return NOT_FOUND

    def _run_file(self, call: Call, name: str) -> Running:
        """Run a file of the machine as a separate script."""
        if name not in self.linux.files:
            call.print_error(f"sh: 0: cannot open {name}: No such file")
            return NOT_FOUND
        bash = call.arguments[0] == "bash"
        return (yield from self._run_inner(call, self.linux.files[name], bash=bash))

    def _run_inner(self, call: Call, script: str, *, bash: bool) -> Running:
        """Run a script in a separate shell."""
        inner = Shell(self.linux, self.outside, self.programs, bash)
        try:
            return (yield from inner.run(script))
        finally:  # what a shell wrote before it was ended is written
            call.stdout += inner.stdout
            call.stderr += inner.stderr

    def _run_timeout(self, call: Call, line: int) -> Running:
        """Run ``timeout SECONDS COMMAND``: 124 if the command had not ended by then."""
        limit = (call.arguments[1:2] or [""])[0]
        if not limit.isdigit() or not call.arguments[2:]:
            call.print_error(f"{SCRIPT}: {line}: the lab does not model timeout {limit}".rstrip())
            return NOT_FOUND
        del call.arguments[:2]
        began, running = self.outside.now(), self._run_call(call, line)
        try:
            while True:
                wait_s = next(running)
                left_s = began + float(limit) - self.outside.now()
                if wait_s > left_s:
                    running.close()
                    yield max(left_s, 0.0)
                    return 124
                yield wait_s
        except StopIteration as end:
            return int(end.value)

    def _elevate(self, call: Call) -> bool:
        """Strip ``sudo``, ``env`` and assignments; every user is root here."""
        elevated = False
        while call.arguments and call.arguments[0] in ("sudo", "env"):
            elevated = elevated or call.arguments[0] == "sudo"
            del call.arguments[0]
            while call.arguments and (
                _ASSIGNMENT.fullmatch(call.arguments[0]) or call.arguments[0] in ("-E", "-n", "-H")
            ):
                del call.arguments[0]
        return elevated

    def _run_built_in(self, call: Call) -> int | None:
        """Run a command of the shell itself; return None if it is not one."""
        name, *rest = call.arguments
        if name == "exit":
            raise _Exit(int(rest[0]) if rest and rest[0].isdigit() else self._get_last_status())
        if name == "set":
            return self._set(call, rest)
        if name == "export":
            for word in rest:
                match = _ASSIGNMENT.fullmatch(word)
                if match is not None:
                    self._variables[match.group(1)] = match.group(2)
            return 0
        if name in (":", "cd", "umask"):
            return 0
        if name == "command" and rest[:1] == ["-v"] and len(rest[1:]) == 1:
            package = self.programs.packages.get(rest[1])
            if rest[1] in self.programs.by_name and package in (None, *self.linux.packages):
                call.print_out(f"/usr/sbin/{rest[1]}")
                return 0
            return NOT_FOUND
        return None

    def _set(self, call: Call, options: list[str]) -> int:
        while options:
            option = options.pop(0)
            on = option.startswith("-")
            letters = set(option[1:])
            if not letters or option[0] not in "-+" or letters - set("eux" + "o"):
                raise _Exit(self._refuse_unmodelled(call, f"set {option}"))
            if "o" in letters:
                named = options.pop(0) if options else ""
                short = {"errexit": "e", "nounset": "u", "xtrace": "x", "pipefail": "pipefail"}
                if named not in short:
                    raise _Exit(self._refuse_unmodelled(call, f"set -o {named}"))
                letters = (letters - {"o"}) | {short[named]}
            self._options = self._options | letters if on else self._options - letters
        return 0

    def _refuse_unmodelled(self, call: Call, what: str) -> int:
        self.stderr.append(f"{SCRIPT}: the lab does not model {what}\n")
        return NOT_FOUND

    def _get_last_status(self) -> int:
        return int(self._variables.get("?", "0"))

    def _open_inputs(self, call: Call, command: Command) -> Generator[float, None, bool]:
        """Open a command's input files; return whether that was possible."""
        for redirection in command.redirections:
            if redirection.how == "<" and redirection.file is not None:
                name = redirection.file.expand(self._variables)
                if self.bash and (match := _SOCKET.fullmatch(name)):
                    trace = self.outside.send(self.linux, match[1], "tcp", int(match[2]))
                    wait_s, error = predict_connection(trace, int(match[2]))
                    yield wait_s
                    if error:
                        call.print_error(f"bash: connect: {error}")
                        call.print_error(f"bash: line {command.line}: {name}: {error}")
                        return False
                elif name != "/dev/null" and name not in self.linux.files:
                    call.print_error(f"{SCRIPT}: {command.line}: cannot open {name}: No such file")
                    return False
                call.stdin = self.linux.files.get(name, "")
        return True

    def _redirect(self, call: Call, redirections: tuple[Redirection, ...], out: list[str]) -> None:
        """Write a command's output to its destinations; files are complete once it has ended."""
        where: dict[int, list[str]] = {1: out, 2: self.stderr}
        files: list[tuple[str, bool, list[str]]] = []
        for redirection in redirections:
            if redirection.how == "<" or redirection.file is None:
                continue
            name = redirection.file.expand(self._variables)
            if redirection.how == ">&":
                where[redirection.stream] = where[int(name)]
            else:
                where[redirection.stream] = []
                files.append((name, redirection.how == ">>", where[redirection.stream]))
        where[1].extend(call.stdout)
        where[2].extend(call.stderr)
        for name, append, text in files:
            if name != "/dev/null":
                before = self.linux.files.get(name, "") if append else ""
                self.linux.files[name] = before + "".join(text)
