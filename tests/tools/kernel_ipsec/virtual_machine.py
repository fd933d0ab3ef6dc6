"""A virtual machine with Debian's kernel on this machine's root file system, never changed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

_BUSYBOX = "busybox-static"
_KERNELS = "linux-image-amd64"
_FIRST_MODULES = ("virtio_pci", "9p", "9pnet_virtio", "overlay")
_MEMORY_MIB = 4096

_INIT = """\
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in virtio_pci 9p 9pnet_virtio overlay; do modprobe $module; done
mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=262144 root /lower
mount -t tmpfs tmpfs /upper
mkdir /upper/files /upper/work
mount -t overlay -o lowerdir=/lower,upperdir=/upper/files,workdir=/upper/work overlay /new
mkdir -p /new/exchange /new/lib/modules
mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144 exchange /new/exchange
mount -t tmpfs tmpfs /new/run
ln -s {modules} /new/lib/modules/
cp /bin/busybox /new/usr/sbin/busybox-first
printf '#!/usr/sbin/busybox-first sh\\nexec /usr/sbin/busybox-first modprobe "$@"\\n' \\
  >/new/usr/sbin/modprobe
chmod 755 /new/usr/sbin/modprobe
mount --move /proc /new/proc
mount --move /sys /new/sys
mount --move /dev /new/dev
exec switch_root /new /bin/bash /exchange/first
"""

_FIRST = """\
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t cgroup2 none /sys/fs/cgroup
ip link set lo up
hostname emulated
bash /exchange/script
echo $? >/exchange/code
busybox-first poweroff -f
"""


class VirtualMachine:
    """The machine; what it is made of is kept in a folder."""

    def __init__(self, folder: Path, processors: int, accelerator: str):
        self._folder = folder
        self._accelerator = accelerator
        self._processors = processors
        self._system = folder / "system"
        self._initial = folder / "initial.cpio"

    def prepare(self) -> None:
        """Download a kernel and busybox and make the first file system, if it is not there."""
        if self._initial.exists():
            return
        if shutil.which("qemu-system-x86_64") is None:
            raise SystemExit("apt-get install --no-install-recommends qemu-system-x86")
        packages = self._folder / "packages"
        packages.mkdir(parents=True, exist_ok=True)
        _run("chmod", "a+rwx", str(packages))
        depends = _run("apt-cache", "depends", "--important", _KERNELS).split()
        kernel = next(word for word in depends[1:] if word.startswith("linux-image-"))
        _run("apt-get", "download", kernel, _BUSYBOX, folder=packages)
        for package in packages.glob("*.deb"):
            _run("dpkg", "-x", str(package), str(self._system))
        self._make_initial()

    def run(self, script: str, limit_s: float) -> int:
        """Boot, run a script there and return its exit code; it prints to this process's stdout."""
        exchange = self._folder / "exchange"
        shutil.rmtree(exchange, ignore_errors=True)
        exchange.mkdir()
        (exchange / "first").write_text(_FIRST)
        (exchange / "script").write_text(script)
        (kernel,) = (self._system / "boot").glob("vmlinuz-*")
        command = (
            *("setpriv", "--pdeathsig", "KILL", "qemu-system-x86_64", "-nodefaults", "-no-reboot"),
            *("-accel", self._accelerator, "-cpu", "max", "-smp", str(self._processors)),
            *("-m", str(_MEMORY_MIB), "-display", "none", "-serial", "stdio"),
            *("-kernel", str(kernel), "-initrd", str(self._initial)),
            *("-append", "console=ttyS0 quiet panic=-1 mitigations=off"),
            *("-virtfs", _share(Path("/"), "root") + ",readonly=on,multidevs=remap"),
            *("-virtfs", _share(exchange, "exchange")),
        )
        subprocess.run(command, stdin=subprocess.DEVNULL, check=True, timeout=limit_s)
        code = exchange / "code"
        if not code.exists():
            raise SystemExit("The virtual machine ended before the script did.")
        return int(code.read_text())

    def _make_initial(self) -> None:
        """Pack busybox and the modules with which the root file system is found."""
        (modules,) = (self._system / "lib" / "modules").iterdir()
        busybox = self._system / "bin" / "busybox"
        _run(str(busybox), "depmod", "-b", str(self._system), modules.name)
        content = self._folder / "initial"
        shutil.rmtree(content, ignore_errors=True)
        for name in ("bin", "proc", "sys", "dev", "lower", "upper", "new"):
            (content / name).mkdir(parents=True)
        shutil.copy(busybox, content / "bin")
        there = content / modules.relative_to(self._system)
        for name in _list_needed(modules):
            (there / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(modules / name, there / name)
        _run(str(busybox), "depmod", "-b", str(content), modules.name)
        init = content / "init"
        init.write_text(_INIT.format(modules=modules))
        init.chmod(0o755)
        names = "\n".join(str(path.relative_to(content)) for path in sorted(content.rglob("*")))
        pack = (str(busybox), "cpio", "-o", "-H", "newc")
        draft = self._initial.with_suffix(".new")
        with draft.open("wb") as archive:
            subprocess.run(
                pack, input=names.encode(), stdout=archive, cwd=content, check=True, env=os.environ
            )
        draft.rename(self._initial)


def _list_needed(modules: Path) -> set[str]:
    """Return the files of the first modules and of those that they need."""
    needed = set()
    for line in (modules / "modules.dep").read_text().splitlines():
        name, _, others = line.partition(":")
        if Path(name).name.removesuffix(".ko") in _FIRST_MODULES:
            needed |= {name, *others.split()}
    return needed


def _share(folder: Path, tag: str) -> str:
    return f"local,path={folder},security_model=none,mount_tag={tag}"


def _run(*command: str, folder: Path | None = None) -> str:
    done = subprocess.run(command, cwd=folder, text=True, capture_output=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout
