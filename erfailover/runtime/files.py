"""Files of the owner alone, and files that are written as a whole or not at all."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO

PRIVATE = 0o600
"""Readable and writable by the owner alone."""
SHARED = 0o666
"""Readable and writable by whoever the umask allows."""


def open_private(path: Path) -> BinaryIO:
    """Open a file to read it and to append to it; a new one is the owner's alone."""
    return open(path, "a+b", opener=partial(os.open, mode=PRIVATE))


def write(path: Path, content: str, mode: int = PRIVATE) -> None:
    """Replace a file in one step, after its content has reached the disk.

    A reader sees the old content or the new one, never a part; so does whoever comes after a
    crash. The new file replaces a symbolic link instead of following it.

    Args:
        path: the file; its folder exists.
        content: written as UTF-8.
        mode: the permissions of the file, less the umask.

    Raises:
        OSError: the file was not written; the old one, if any, is untouched.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(temporary, "xb", opener=partial(os.open, mode=mode)) as stream:
            stream.write(content.encode())
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
