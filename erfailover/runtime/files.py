"""Files of the owner alone, and files that are written as a whole or not at all."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from functools import partial
from io import FileIO
from pathlib import Path

PRIVATE = 0o600
"""Readable and writable by the owner alone."""
PRIVATE_FOLDER = 0o700
"""The same for a folder."""
SHARED = 0o666
"""Readable and writable by whoever the umask allows."""


def open_private(path: Path) -> FileIO:
    """Open a file, unbuffered, to read it and to append to it; a new one is the owner's alone."""
    stream = FileIO(path, "a+", opener=partial(os.open, mode=PRIVATE))
    _make_private(path, os.fstat(stream.fileno()))
    return stream


def append(stream: FileIO, content: bytes) -> None:
    """Append to a file as a whole or not at all, and wait until it is on the disk.

    Raises:
        OSError: it was not written. What was written of it is removed again, unless another
            process has written behind it.
    """
    before, written = stream.seek(0, os.SEEK_END), 0
    try:
        while written < len(content):
            written += stream.write(content[written:]) or 0
        os.fsync(stream.fileno())
    except BaseException:
        with suppress(OSError):
            if os.fstat(stream.fileno()).st_size == before + written:
                stream.truncate(before)
        raise


def make_private_folder(path: Path) -> None:
    """Make a folder that only the owner can use, and every missing folder above it in the same way.

    The umask does not matter. The permissions of folders that are there are left as they are,
    except that those of the folder itself are reduced to the owner's.
    """
    missing = [path, *path.parents]
    missing = missing[: next((i for i, item in enumerate(missing) if item.exists()), None)]
    for folder in reversed(missing):
        folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
        folder.chmod(PRIVATE_FOLDER)
    if not missing:
        _make_private(path, path.stat())


def _make_private(path: Path, status: os.stat_result) -> None:
    """Take from a file or folder of ours the permissions that others have."""
    desired = PRIVATE_FOLDER if stat.S_ISDIR(status.st_mode) else PRIVATE
    if stat.S_IMODE(status.st_mode) != desired and (
        not hasattr(os, "getuid") or status.st_uid == os.getuid()
    ):
        with suppress(OSError):
            path.chmod(desired)


def write(path: Path, content: str | bytes, mode: int = PRIVATE) -> None:
    """Replace a file in one step, after its content has reached the disk.

    A reader sees the old content or the new one, never a part; so does whoever comes after a
    crash. The new file replaces a symbolic link instead of following it.

    Args:
        path: the file; its folder exists.
        content: a text is written as UTF-8.
        mode: the permissions of the file, less the umask.

    Raises:
        OSError: the file was not written; the old one, if any, is untouched.
    """
    temporary = path.with_name(f".erfailover-{secrets.token_hex(4)}")
    if isinstance(content, str):
        content = content.encode(errors="backslashreplace")
    try:
        with open(temporary, "xb", opener=partial(os.open, mode=mode)) as stream:
            if mode == PRIVATE:
                _make_private(temporary, os.fstat(stream.fileno()))
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
