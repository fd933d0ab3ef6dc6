"""Run a program inside a machine: ``python -I -S enter.py MACHINE GROUPS TASKS FILTER PROGRAM...``.

MACHINE is a descriptor of the machine's first process (a pidfd), GROUPS the files, with
colons between, through which a process joins the machine's groups, TASKS the limit of processes
if no group has one, FILTER the file of ``syscall_filter``.
It is a separate script, because the rights that joining takes must be gone before the
next exec: the machine's root may write what the dynamic loader reads (``/etc/ld.so.preload``).
SIGTERM kills the program and its process group. Needs only Python's standard library.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys

_NAMESPACES = 0x00020000 | 0x04000000 | 0x08000000 | 0x20000000 | 0x40000000
"""CLONE_NEWNS, NEWUTS, NEWIPC, NEWPID and NEWNET."""
_CAPABILITIES = (0, 1, 3, 5, 6, 7, 10, 12, 13)
"""chown, dac_override, fowner, kill, setgid, setuid, net_bind_service, net_admin, net_raw."""
_PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 4, 24, 38, 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_PR_SET_SECCOMP, _SECCOMP_FILTER, _LINE_BYTES = 22, 2, 8
_CAPABILITY_VERSION = 0x20080522
_MEMORY_BYTES = 512 << 20
_FILE_BYTES = 16 << 20
_OPEN_FILES = 256
_FAILED = 126
_SIGNALLED = 128

_libc = ctypes.CDLL(None, use_errno=True)


class _Filter(ctypes.Structure):
    """The kernel's ``sock_fprog``."""

    _fields_ = (("length", ctypes.c_ushort), ("lines", ctypes.c_void_p))


def _call(name: str, *arguments: object) -> None:
    """Call a function of the C library; raise OSError if it fails."""
    if getattr(_libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}{arguments}: {os.strerror(number)}")


def give_up_rights(tasks: int, system_calls: bytes) -> None:
    """Keep what a machine's root may do, for this process and all that it starts."""
    # Until the next exec, no process of the machine may look into this one.
    _call("prctl", _PR_SET_DUMPABLE, 0, 0, 0, 0)
    for limit, value in (
        (resource.RLIMIT_AS, _MEMORY_BYTES),
        (resource.RLIMIT_FSIZE, _FILE_BYTES),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
        *([(resource.RLIMIT_NPROC, tasks)] if tasks else []),
    ):
        _, most = resource.getrlimit(limit)
        value = value if most == resource.RLIM_INFINITY else min(value, most)
        resource.setrlimit(limit, (value, value))
    _call("prctl", _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    with open("/proc/sys/kernel/cap_last_cap", "rb") as file:
        last = int(file.read())
    for capability in range(last + 1):
        if capability not in _CAPABILITIES:
            _call("prctl", _PR_CAPBSET_DROP, capability, 0, 0, 0)
    kept = sum(1 << capability for capability in _CAPABILITIES)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    # Effective, permitted, inheritable: the lower 32 bits, then the upper ones.
    _call("capset", header, (ctypes.c_uint32 * 6)(kept, kept, 0, 0, 0, 0))
    _call("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if system_calls:
        lines = ctypes.create_string_buffer(system_calls)
        program = _Filter(len(system_calls) // _LINE_BYTES, ctypes.addressof(lines))
        _call("prctl", _PR_SET_SECCOMP, _SECCOMP_FILTER, ctypes.byref(program), 0, 0)


def main(machine: str, groups: str, tasks: str, filter_file: str, *program: str) -> int:
    """Run the program; return its exit code, 128 and the number if a signal ended it."""
    with open(filter_file, "rb") as file:
        system_calls = file.read()
    for group in filter(None, groups.split(":")):
        with open(group, "wb") as file:
            file.write(b"0")
    _call("setns", int(machine), _NAMESPACES)
    os.close(int(machine))
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            os.chdir("/root")
            give_up_rights(int(tasks), system_calls)
            os.execv(program[0], program)
        except BaseException as problem:
            os.write(2, f"{program[0]}: {problem}\n".encode())
        os._exit(_FAILED)
    signal.signal(signal.SIGTERM, lambda *_: os.killpg(child, signal.SIGKILL))
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code if code >= 0 else _SIGNALLED - code


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except OSError as problem:
        sys.exit(f"the machine cannot run it: {problem}")
