"""Copy a disk to or from an archive: ``python -I -S archive.py save|load DISK LIMIT``.

The archive is on standard output or input. What a disk holds is a machine's, so it is not to be
trusted: this process changes its root to the disk first, then no link leads out of it; it copies
folders, regular files and symbolic links only, and asks the C library for no names (which
would load what ``/etc/nsswitch.conf`` says). Needs only Python's standard library.
"""

from __future__ import annotations

import io
import os
import stat
import sys
import tarfile
from collections.abc import Iterator

_PERMISSIONS = 0o777


def save(limit: int) -> None:
    """Write the disk's files to standard output; raise ValueError if they exceed the limit."""
    with tarfile.open(fileobj=sys.stdout.buffer, mode="w|gz", format=tarfile.PAX_FORMAT) as archive:
        for path in _walk("."):
            status = os.lstat(path)
            member = tarfile.TarInfo(path)
            member.mode, member.mtime = status.st_mode & _PERMISSIONS, int(status.st_mtime)
            content = b""
            if stat.S_ISDIR(status.st_mode):
                member.type = tarfile.DIRTYPE
            elif stat.S_ISLNK(status.st_mode):
                member.type, member.linkname = tarfile.SYMTYPE, os.readlink(path)
            elif stat.S_ISREG(status.st_mode):
                content = _read(path, limit + 1)
                member.size = len(content)
            else:
                continue
            limit -= len(content)
            if limit < 0:
                raise ValueError("the files of the disk are too large to be kept")
            archive.addfile(member, io.BytesIO(content))


def _walk(folder: str) -> Iterator[str]:
    for name in sorted(os.listdir(folder)):
        path = f"{folder}/{name}"
        yield path
        if stat.S_ISDIR(os.lstat(path).st_mode):
            yield from _walk(path)


def _read(path: str, most: int) -> bytes:
    # A pipe that took the file's place must not block.
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        return file.read(most)


def load(limit: int) -> None:
    """Write the archive on standard input to the disk."""
    with tarfile.open(fileobj=sys.stdin.buffer, mode="r|gz") as archive:
        for member in archive:
            if member.isdir():
                os.makedirs(member.name, exist_ok=True)
                os.chmod(member.name, member.mode & _PERMISSIONS)
            elif member.issym():
                os.symlink(member.linkname, member.name)
            elif member.isreg() and (content := archive.extractfile(member)) is not None:
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
                with open(os.open(member.name, flags, 0o600), "wb") as file:
                    file.write(content.read(limit))
                    os.fchmod(file.fileno(), member.mode & _PERMISSIONS)
                os.utime(member.name, (member.mtime, member.mtime))


if __name__ == "__main__":
    os.chroot(sys.argv[2])
    os.chdir("/")
    {"save": save, "load": load}[sys.argv[1]](int(sys.argv[3]))
