"""The machines' disks: what a machine can write that outlives its stop.

A disk is a file system in memory, of limited size, in the agent's mount namespace. Only what is
below ``FOLDERS`` is ever seen by a machine; the agent itself follows no path there once a machine
has run (see ``archive``). With a folder for archives, each disk is saved there, and the next agent
goes on with it.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterable
from pathlib import Path

log = logging.getLogger("erfailover.lab.linux.disks")

FOLDERS = {
    "etc": "/etc",
    "home": "/home",
    "opt": "/opt",
    "root": "/root",
    "srv": "/srv",
    "usr-local-bin": "/usr/local/bin",
    "var": "/var",
}
"""The folders at the top of a disk, and where a machine has them."""
DISK_BYTES = 32 << 20
_FILES = 8192
_ARCHIVE_S = 20.0
_MOUNT_S = 10.0
_ARCHIVE = Path(__file__).with_name("archive.py")
_SUBFOLDERS = (
    "etc/alternatives",
    "etc/iptables",
    "etc/sysctl.d",
    "var/cache",
    "var/lib/cloud/scripts/per-boot",
    "var/log",
    "var/spool",
    "var/tmp",
)
_LINKS = {
    "etc/mtab": "/proc/self/mounts",
    "etc/os-release": "../usr/lib/os-release",
    "var/lock": "/run/lock",
    "var/run": "/run",
}
_FROM_HOST = (
    "ethertypes",
    "gai.conf",
    "iproute2",
    "netconfig",
    "protocols",
    "rpc",
    "services",
    "xattr.conf",
)
"""What programs read in ``/etc`` and no machine may see differently: nothing of it is private."""
_FILES_OF_ETC = {
    "group": "root:x:0:\nnogroup:x:65534:\n",
    "host.conf": "multi on\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
    "passwd": "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n",
    "resolv.conf": "",
    "sysctl.conf": "",
}


class Disks:
    """The disks of the machines, by name."""

    def __init__(self, folder: Path, archives: Path | None = None) -> None:
        """Keep mounts in ``folder``, and archives of the disks in ``archives`` if it is given."""
        self._folder = folder
        self._archives = archives
        self._lock = threading.Lock()
        self._saving: dict[str, threading.Lock] = {}
        self._names: set[str] = set()

    def open(self, disk: str, hostname: str) -> Path:
        """Return the folder of a disk; make it, or load its archive, the first time."""
        folder = self._get_folder(disk)
        with self._lock:
            if disk in self._names:
                return folder
            folder.mkdir(parents=True, exist_ok=True)
            mount_memory(folder, DISK_BYTES, _FILES)
            try:
                for name in FOLDERS:
                    (folder / name).mkdir()
                archive = self._get_archive(disk)
                if archive is not None and archive.exists():
                    self.load(disk, archive)
                else:
                    _write_first_files(folder, hostname)
            except BaseException:
                unmount(folder)
                raise
            self._saving[disk] = threading.Lock()
            self._names.add(disk)
        return folder

    def keep(self, disks: Iterable[str]) -> None:
        """Remove all disks, and archives, but those of the machines that exist."""
        kept = set(disks)
        with self._lock:
            for disk in self._names - kept:
                with self._saving[disk]:
                    self._names.discard(disk)
                    unmount(self._get_folder(disk))
            if self._archives is not None:
                names = {archive.name for disk in kept if (archive := self._get_archive(disk))}
                for path in self._archives.glob("*.tar.gz"):
                    if path.name not in names:
                        path.unlink(missing_ok=True)

    def keep_archive(self, disk: str) -> None:
        """Save a disk to its archive; a problem with it is only logged: the disk goes on."""
        archive = self._get_archive(disk)
        if archive is None:
            return
        try:
            self.save(disk, archive)
        except (OSError, ValueError, subprocess.SubprocessError) as problem:
            log.warning("the disk %s is not saved: %s", disk, problem)

    def save(self, disk: str, file: Path) -> None:
        """Replace ``file`` by an archive of a disk; raise ValueError if that is impossible."""
        partial = file.with_name(f"{file.name}.partial")
        with self._saving[disk]:
            if disk not in self._names:
                return
            try:
                with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)) as output:
                    self._copy("save", disk, stdout=output.fileno())
                partial.replace(file)
            finally:
                partial.unlink(missing_ok=True)

    def load(self, disk: str, file: Path) -> None:
        """Write the files of an archive to an empty disk; raise ValueError if it cannot be read."""
        with open(file, "rb") as source:
            self._copy("load", disk, stdin=source.fileno())

    def _copy(
        self,
        action: str,
        disk: str,
        stdin: int = subprocess.DEVNULL,
        stdout: int = subprocess.DEVNULL,
    ) -> None:
        folder = str(self._get_folder(disk))
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(_ARCHIVE), action, folder, str(DISK_BYTES)],
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            timeout=_ARCHIVE_S,
            check=False,
        )
        if done.returncode != 0:
            reason = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
            raise ValueError(f"Cannot {action} the disk {disk}: {reason}")

    def _get_folder(self, disk: str) -> Path:
        return self._folder / _hash(disk)

    def _get_archive(self, disk: str) -> Path | None:
        return self._archives / f"{_hash(disk)}.tar.gz" if self._archives is not None else None


def mount_memory(folder: Path, size: int, files: int, devices: bool = False) -> None:
    """Mount a file system in memory, of limited size, on a folder."""
    options = f"size={size},nr_inodes={files},mode=755,nosuid{'' if devices else ',nodev'}"
    mount("-t", "tmpfs", "-o", options, "tmpfs", str(folder))


def mount(*arguments: str) -> None:
    """Mount something; raise OSError if that is impossible."""
    _run("mount", *arguments)


def unmount(folder: Path) -> None:
    """Unmount a folder, at once even if it is in use, and remove it."""
    _run("umount", "-l", str(folder))
    folder.rmdir()


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=_MOUNT_S, check=False)
    if done.returncode != 0:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")


def _hash(disk: str) -> str:
    return hashlib.sha256(disk.encode()).hexdigest()[:24]


def _write_first_files(folder: Path, hostname: str) -> None:
    for name in _SUBFOLDERS:
        (folder / name).mkdir(parents=True)
    (folder / "root").chmod(0o700)
    for name, target in _LINKS.items():
        (folder / name).symlink_to(target)
    etc = folder / "etc"
    for name, text in _FILES_OF_ETC.items():
        (etc / name).write_text(text)
    (etc / "hostname").write_text(f"{hostname}\n")
    (etc / "hosts").write_text(f"127.0.0.1 localhost\n127.0.1.1 {hostname}\n")
    for name in _FROM_HOST:
        source = Path("/etc") / name
        if source.is_dir():
            shutil.copytree(source, etc / name, ignore_dangling_symlinks=True)
        elif source.is_file():
            shutil.copyfile(source, etc / name)
