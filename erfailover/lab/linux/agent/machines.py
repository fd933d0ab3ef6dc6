"""The machines: each a container in its node's network namespace, made by bubblewrap.

A machine has separate process, mount, host name and IPC namespaces, and no more rights than the
root of a machine needs in its network. Its first process lives until the machine is
stopped, which ends all others. Programs join it by ``enter``, which gives up its rights
before it runs anything.

The kernel's state of a stopped machine (rules, routes, parameters, connections) is that of its
network namespace. To lose it, the caller deletes the namespace after ``stop`` and calls ``boot``
with a new one, whose links, addresses and routes are there already: flushing would have to
know everything that a machine's root can set. Nothing of a stopped machine holds the old one,
but the kernel ends it a little later: delete its links first to use their names again at once.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from erfailover.lab.linux.agent import disks as disk_folders
from erfailover.lab.linux.agent.disks import Disks
from erfailover.lab.linux.agent.listeners import Listeners
from erfailover.lab.linux.agent.machine_limits import (
    TASKS,
    Groups,
    MachineLimits,
    count_tasks,
    limits_tasks,
)
from erfailover.lab.linux.agent.syscall_filter import build_filter
from erfailover.lab.linux.layout import Machine

log = logging.getLogger("erfailover.lab.linux.machines")

NAMESPACES = Path("/run/netns")
PROGRAMS = "/usr/local/sbin"
"""Where a machine has the lab's own programs."""
ENVIRONMENT = {
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "LOGNAME": "root",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "SHELL": "/bin/bash",
    "USER": "root",
}
_CAPABILITIES = (
    *("chown", "dac_override", "fowner", "kill", "net_admin", "net_bind_service", "net_raw"),
    *("setgid", "setuid"),
)
"""Those of ``enter``, for the first process."""
_MEMORY = {"tmp": "/tmp", "run": "/run", "shm": "/dev/shm"}
"""What a machine can write that ends with it, together of limited size."""
_MEMORY_BYTES = 32 << 20
_MEMORY_FILES = 8192
_DEVICES = ("full", "null", "random", "tty", "urandom", "zero")
_DEVICE_LINKS = {
    "core": "/proc/kcore",
    "fd": "/proc/self/fd",
    "stderr": "/proc/self/fd/2",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
}
_READ_ONLY_PROC = ("acpi", "bus", "fs", "irq", "scsi", "sys", "sysrq-trigger")
_HIDDEN_PROC = ("kallsyms", "kcore", "keys", "kmsg", "timer_list")
_REPLACED = ("apt", "apt-get", "cloud-init", "netfilter-persistent", "sudo")
"""Programs of the lab that a machine has in the place of its host's."""
_ALSO_CALLED = {"apt-get": ("apt",)}
_FIRST_PROCESS = ("env", "--ignore-signal=CHLD", "sleep", "infinity")
"""Needs no further process, cannot be killed from inside, and leaves no zombie of an orphan."""
_START = 'IFS=:; for group in $1; do echo 0 > "$group" || exit; done; shift; exec "$@"'
_START_S = 10.0
_PAUSE_S = 0.002
_STOP_S = 10.0
BOOT_S = 30.0
"""How long a boot waits for the scripts of the start; they go on if they take longer."""
_ENTER = Path(__file__).with_name("enter.py")


class MachineError(Exception):
    """A machine that cannot be started, or that does not run."""


@dataclass(frozen=True, slots=True)
class _Running:
    """A running machine: bubblewrap's process, and the machine's first process."""

    machine: Machine
    container: subprocess.Popen[bytes]
    first: int
    groups: Groups
    memory: Path


class Machines:
    """The running machines, by node."""

    def __init__(self, folder: Path, disks: Disks, limits: MachineLimits) -> None:
        """Keep programs and mounts in ``folder``."""
        self._folder = folder
        self._disks = disks
        self._limits = limits
        self._listeners = Listeners()
        self._locks: dict[str, threading.RLock] = {}
        self._running: dict[str, _Running] = {}
        self._programs = folder / "programs"
        _write_programs(self._programs)
        self._filter = folder / "filter"
        self._filter.write_bytes(build_filter())
        self._devices = folder / "devices"
        _make_devices(self._devices)
        _forbid_user_namespaces()

    def boot(self, node: str, machine: Machine, wait_s: float = BOOT_S) -> None:
        """Start a machine in its node's namespace; raise MachineError if that is impossible.

        Returns when the scripts of the start have ended, or go on after ``wait_s``.
        """
        with self._get_lock(node):
            if self.is_running(node):
                raise MachineError(f"The machine {machine.hostname} ({node}) is already running.")
            self.stop(node)
            try:
                self._running[node] = self._start(node, machine)
                self._listeners.open(node, NAMESPACES / node, machine.listens)
            except (OSError, subprocess.SubprocessError, ValueError) as problem:
                self.stop(node)
                raise MachineError(f"Cannot start the machine {node}: {problem}") from problem
        with tempfile.TemporaryFile(dir=self._folder) as custom_data:
            custom_data.write(machine.first_boot.encode())
            custom_data.seek(0)
            boot = self.enter(node, [f"{PROGRAMS}/lab-boot"], stdin=custom_data.fileno())
        try:
            boot.wait(wait_s)
        except subprocess.TimeoutExpired:
            log.info("%s still runs the scripts of its start", node)
            threading.Thread(target=boot.wait, daemon=True).start()
        self.keep_disk(node)

    def stop(self, node: str) -> None:
        """Stop a machine, as its power switch does; every process in it ends."""
        with self._get_lock(node):
            running = self._running.pop(node, None)
            if running is None:
                return
            self._listeners.close(node)
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(running.first, signal.SIGKILL)
            try:
                running.container.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                log.warning("the processes of %s have not ended", node)
                running.container.kill()
            os.close(running.first)
            disk_folders.unmount(running.memory)
            self._limits.remove_groups(running.groups)
            self._disks.keep_archive(running.machine.disk)

    def stop_all(self) -> None:
        """Stop all machines."""
        for node in list(self._running):
            self.stop(node)

    def is_running(self, node: str) -> bool:
        """Return whether a machine runs in a node."""
        running = self._running.get(node)
        return running is not None and running.container.poll() is None

    def get_identity(self, node: str) -> object:
        """Return what distinguishes the running machine from a later start; None if none runs."""
        return self._running[node].container.pid if self.is_running(node) else None

    def keep_disk(self, node: str) -> None:
        """Save the disk of a machine, if disks are saved; it may go on running."""
        running = self._running.get(node)
        if running is not None:
            self._disks.keep_archive(running.machine.disk)

    def enter(
        self,
        node: str,
        program: Iterable[str],
        stdin: int = subprocess.DEVNULL,
        stdout: int = subprocess.DEVNULL,
        stderr: int | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a program as root of a machine; raise MachineError if the machine does not run.

        SIGTERM to the process that is returned kills the program and its process group.
        """
        with self._get_lock(node):
            running = self._running.get(node)
            if running is None or not self.is_running(node):
                raise MachineError(f"The machine {node} is not running.")
            limit = 0 if limits_tasks(running.groups) else count_tasks() + TASKS
            command = [sys.executable, "-I", "-S", str(_ENTER), str(running.first)]
            return subprocess.Popen(
                [*command, _join(running.groups), str(limit), str(self._filter), *program],
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                env=ENVIRONMENT,
                pass_fds=(running.first,),
                start_new_session=True,
            )

    def _get_lock(self, node: str) -> threading.RLock:
        return self._locks.setdefault(node, threading.RLock())

    def _start(self, node: str, machine: Machine) -> _Running:
        disk = self._disks.open(machine.disk, machine.hostname)
        memory = self._folder / "memory" / node
        memory.mkdir(parents=True, exist_ok=True)
        disk_folders.mount_memory(memory, _MEMORY_BYTES, _MEMORY_FILES)
        for name in _MEMORY:
            (memory / name).mkdir()
            (memory / name).chmod(0o755 if name == "run" else 0o1777)
        (memory / "run" / "lock").mkdir()
        groups = self._limits.make_groups(node)
        read, write = os.pipe()
        with open(read, "rb") as information, open(self._filter, "rb") as system_calls:
            filtered = ["--seccomp", str(system_calls.fileno())] if build_filter() else []
            container = subprocess.Popen(
                [
                    *("/bin/sh", "-c", _START, "sh", _join(groups)),
                    *("nsenter", f"--net={NAMESPACES / node}", "bwrap"),
                    *_build_arguments(machine, disk, memory, self._programs, self._devices),
                    *(*filtered, "--info-fd", str(write), "--", *_FIRST_PROCESS),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=ENVIRONMENT,
                pass_fds=(write, system_calls.fileno()),
                start_new_session=True,
            )
            os.close(write)
            told = information.read()
        first = -1
        try:
            child = int(json.loads(told)["child-pid"])
            first = os.pidfd_open(child)
            _await_first_process(child)
        except (ValueError, KeyError, OSError) as problem:
            container.kill()
            container.wait(_START_S)
            if first >= 0:
                os.close(first)
            disk_folders.unmount(memory)
            self._limits.remove_groups(groups)
            raise ValueError(f"bubblewrap ended with code {container.returncode}") from problem
        return _Running(machine, container, first, groups, memory)


def _join(groups: Groups) -> str:
    """Return the files through which a process joins groups, as one argument."""
    return ":".join(str(group / "cgroup.procs") for group in groups)


def _await_first_process(child: int) -> None:
    """Wait until bubblewrap has made the machine's root: it tells the process before that."""
    until = time.monotonic() + _START_S
    while Path(f"/proc/{child}/comm").read_text().strip() == "bwrap":
        if time.monotonic() > until:
            raise OSError("bubblewrap takes too long")
        time.sleep(_PAUSE_S)


def _build_arguments(
    machine: Machine, disk: Path, memory: Path, programs: Path, devices: Path
) -> list[str]:
    """Return bubblewrap's arguments: what a machine sees.

    What is the kernel's in ``/proc`` is read-only: the agent may be the host's root, who owns it.
    """
    arguments = ["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--as-pid-1", "--new-session"]
    arguments += ["--hostname", machine.hostname, "--ro-bind", "/usr", "/usr"]
    for name in ("bin", "lib", "lib32", "lib64", "libx32", "sbin"):
        if (Path("/") / name).is_symlink():
            arguments += ["--symlink", os.readlink(f"/{name}"), f"/{name}"]
        elif (Path("/") / name).is_dir():
            arguments += ["--ro-bind", f"/{name}", f"/{name}"]
    arguments += ["--tmpfs", "/usr/local", "--ro-bind", str(programs), "/usr/local/sbin"]
    for name in _REPLACED:
        for folder in ("/usr/bin", "/usr/sbin"):
            if Path(folder, name).is_file():
                arguments += ["--ro-bind", str(programs / name), f"{folder}/{name}"]
    for name, there in disk_folders.FOLDERS.items():
        arguments += ["--bind", str(disk / name), there]
    if Path("/etc/alternatives").is_dir():
        arguments += ["--ro-bind", "/etc/alternatives", "/etc/alternatives"]
    arguments += ["--proc", "/proc"]
    for name in _READ_ONLY_PROC:
        if Path("/proc", name).exists():
            arguments += ["--ro-bind", f"/proc/{name}", f"/proc/{name}"]
    for name in _HIDDEN_PROC:
        if Path("/proc", name).exists():
            arguments += ["--ro-bind", "/dev/null", f"/proc/{name}"]
    arguments += ["--bind", "/proc/sys/net", "/proc/sys/net"]
    arguments += ["--dev-bind", str(devices), "/dev"]
    for name, there in _MEMORY.items():
        arguments += ["--bind", str(memory / name), there]
    for there in ("/usr/local", "/"):
        arguments += ["--remount-ro", there]
    arguments += ["--chdir", "/", "--cap-drop", "ALL"]
    for capability in _CAPABILITIES:
        arguments += ["--cap-add", f"CAP_{capability.upper()}"]
    return arguments


def _write_programs(folder: Path) -> None:
    """Write the programs of a machine that its host does not have, or has for itself only."""
    folder.mkdir(parents=True, exist_ok=True)
    for source in files("erfailover.lab.linux.agent").joinpath("programs").iterdir():
        for name in (source.name, *_ALSO_CALLED.get(source.name, ())):
            target = folder / name
            target.write_bytes(source.read_bytes())
            target.chmod(0o755)


def _make_devices(folder: Path) -> None:
    """Make the devices of all machines, read-only: writing to a device is no change of it.

    Bubblewrap's own could be changed by the host's root, for the host as well (``chmod``).
    """
    folder.mkdir(exist_ok=True)
    disk_folders.mount_memory(folder, _MEMORY_BYTES, _MEMORY_FILES, devices=True)
    for name, target in _DEVICE_LINKS.items():
        (folder / name).symlink_to(target)
    for name in _MEMORY.values():
        if Path(name).parent == Path("/dev"):
            (folder / Path(name).name).mkdir()
    for name in _DEVICES:
        (folder / name).touch()
        disk_folders.mount("--bind", f"/dev/{name}", str(folder / name))
        disk_folders.mount("-o", "remount,bind,ro,nosuid,noexec", str(folder / name))
    disk_folders.mount("-o", "remount,bind,ro,nosuid,noexec", str(folder))


def _forbid_user_namespaces() -> None:
    """Let no process in the agent's user namespace make one, where it would have all rights.

    In the host's own user namespace, where a lab runs if it may make none, nothing is changed.
    """
    with open("/proc/self/uid_map") as file:
        inside, outside, count = file.read().split()[:3]
    if (inside, outside, count) != ("0", "0", "4294967295"):
        Path("/proc/sys/user/max_user_namespaces").write_text("0")
