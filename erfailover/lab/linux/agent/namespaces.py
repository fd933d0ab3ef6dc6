"""Network namespaces by name, as ``ip netns`` keeps them: created, entered, removed.

Entering changes the calling thread only; whatever it opens or starts inside (sockets, programs)
stays there.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import re
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

FOLDER = Path("/run/netns")

_NEW_NET = 0x40000000
_MS_BIND = 0x1000
_MNT_DETACH = 2
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_GET_FLAGS, _SET_FLAGS, _SET_NAME = 0x8913, 0x8914, 0x8923
_IFF_UP = 1
_SET_TUN = 0x400454CA
_TUN_NO_INFO = 0x1001

_libc = ctypes.CDLL(None, use_errno=True)


def get_path(name: str) -> Path:
    """Return the file that names a namespace."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} cannot name a network namespace")
    return FOLDER / name


def create(name: str) -> None:
    """Create an empty network namespace."""
    path = get_path(name)
    FOLDER.mkdir(parents=True, exist_ok=True)
    path.touch(exist_ok=False)
    here = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _check(_libc.unshare(_NEW_NET), f"namespace {name}")
        try:
            own = b"/proc/thread-self/ns/net"
            mounted = _libc.mount(own, os.fsencode(path), None, _MS_BIND, None)
            _check(mounted, f"namespace {name}")
        finally:
            _check(_libc.setns(here, _NEW_NET), "the agent's own namespace")
    finally:
        os.close(here)


def remove(name: str) -> None:
    """Remove a namespace's name; the kernel ends it with the last process and socket in it."""
    path = get_path(name)
    _check(_libc.umount2(os.fsencode(path), _MNT_DETACH), f"namespace {name}")
    path.unlink()


@contextmanager
def enter(name: str) -> Iterator[None]:
    """Let the calling thread, and what it starts, be in a namespace for a while."""
    here = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        there = os.open(get_path(name), os.O_RDONLY | os.O_CLOEXEC)
        try:
            _check(_libc.setns(there, _NEW_NET), f"namespace {name}")
        finally:
            os.close(there)
        try:
            yield
        finally:
            _check(_libc.setns(here, _NEW_NET), "the agent's own namespace")
    finally:
        os.close(here)


def set_up(interface: str, up: bool) -> None:
    """Set an interface of the calling thread's namespace up or down."""
    name = interface.encode()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        answer = fcntl.ioctl(control, _GET_FLAGS, struct.pack("16sH14x", name, 0))
        flags: int = struct.unpack("16sH14x", answer)[1]
        wanted = flags | _IFF_UP if up else flags & ~_IFF_UP
        if wanted != flags:
            fcntl.ioctl(control, _SET_FLAGS, struct.pack("16sH14x", name, wanted))


def rename(interface: str, name: str) -> None:
    """Give another name to an interface, which must be down, of the thread's namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16s16s8x", interface.encode(), name.encode())
        fcntl.ioctl(control, _SET_NAME, request)


def create_tun(interface: str) -> IO[bytes]:
    """Return a TUN device of the thread's namespace; it is there until it is closed."""
    device = open("/dev/net/tun", "r+b", buffering=0)  # noqa: SIM115 (the caller closes it)
    try:
        fcntl.ioctl(device, _SET_TUN, struct.pack("16sH22x", interface.encode(), _TUN_NO_INFO))
    except OSError:
        device.close()
        raise
    return device


def _check(result: int, subject: str) -> None:
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), subject)
