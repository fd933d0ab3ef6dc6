"""The system calls that no program of a machine may make, as a filter of the kernel's (seccomp).

Those that no script needs and through which kernels were attacked before, and those that make
or enter a namespace. ``setgroups`` is answered with success: a user namespace forbids it, and
programs that root starts end there (tcpdump).
"""

from __future__ import annotations

import errno
import platform
import struct

_NATIVE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_SETGROUPS = {"x86_64": 116, "aarch64": 159}
_FORBIDDEN = {
    "x86_64": (321, 298, 323, 248, 249, 250, 425, 426, 427, 272, 308),
    "aarch64": (280, 241, 282, 217, 218, 219, 425, 426, 427, 97, 268),
}
"""bpf, perf_event_open, userfaultfd, add_key, request_key, keyctl, io_uring's three, unshare and
setns."""
_CLONE = {"x86_64": (56, 435), "aarch64": (220, 435)}
"""clone, and clone3, whose flags no filter can see; the C library goes on without it."""
_NEW_USER = 0x10000000
_X32 = 0x40000000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_ALLOW, _ANSWER = 0x7FFF0000, 0x00050000


def build_filter() -> bytes:
    """Return the filter as the kernel's program; empty on a processor that it does not know."""
    machine = platform.machine()
    if machine not in _NATIVE:
        return b""
    numbers = {number: errno.EPERM for number in _FORBIDDEN[machine]} | {_SETGROUPS[machine]: 0}
    lines = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, _NATIVE[machine]),
        (_RETURN, 0, 0, _ANSWER | errno.ENOSYS),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, _X32),
        (_RETURN, 0, 0, _ANSWER | errno.ENOSYS),
    ]
    for number, answer in numbers.items():
        lines += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ANSWER | answer)]
    clone, clone3 = _CLONE[machine]
    lines += [
        (_EQUAL, 0, 1, clone3),
        (_RETURN, 0, 0, _ANSWER | errno.ENOSYS),
        (_EQUAL, 0, 3, clone),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_ANY_BIT, 0, 1, _NEW_USER),
        (_RETURN, 0, 0, _ANSWER | errno.EPERM),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("=HBBI", *line) for line in lines)
