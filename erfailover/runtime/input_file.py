"""Files that a user names or that a program left behind: read only if they are files, and not huge.

Never waits for a named pipe and never reads a device.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

KINDS = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


class FileTooLarge(OSError):
    """The file is larger than its reader expects."""


def read(path: Path, most_bytes: int) -> bytes:
    """Return the content of a regular file.

    Raises:
        FileNotFoundError: it does not exist.
        IsADirectoryError: it is a folder.
        FileTooLarge: it is larger than ``most_bytes``.
        OSError: it is something else, or cannot be read. ``strerror`` says which: ``a device``.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with open(path, "rb", opener=lambda name, _: os.open(name, flags)) as stream:
        mode = os.fstat(stream.fileno()).st_mode
        if not stat.S_ISREG(mode):
            kind = next((name for is_kind, name in KINDS if is_kind(mode)), "not a regular file")
            raise OSError(errno.EINVAL, kind, str(path))
        content = stream.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise FileTooLarge(errno.EFBIG, f"a file of more than {format_size(most_bytes)}", str(path))
    return content


def format_size(in_bytes: int) -> str:
    """Return a size for people: ``2 MiB``."""
    return f"{in_bytes >> 20} MiB" if in_bytes >= 1 << 20 else f"{in_bytes >> 10} KiB"
