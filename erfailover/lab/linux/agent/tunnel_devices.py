"""The device of a tunnel's end, which leads to its security associations.

It is there while the daemon runs and its name is the layout's, whoever encrypts: the kernel, with
an xfrm interface, or libipsec in user space, with a TUN device of the daemon's own.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from typing import IO, Any, ClassVar, Protocol

from erfailover.lab.linux.agent import namespaces
from erfailover.lab.linux.encryption import KERNEL, LIBIPSEC, PROBE, get_demand
from erfailover.lab.linux.layout import Tunnel

_TIMEOUT_S = 10.0
_MTU = 1400
_TABLE = 1_000_000
_PRIORITY = 40_000
_UNUSED_MARK = "0x7e57ab1e"
_CREATED = re.compile(r"created TUN device: (\S+)")
_ABSENT = re.compile(r"No such file|No such process|Cannot find device|Command failed -:")
_ANYTHING = "src 0.0.0.0/0 dst 0.0.0.0/0"


class TunnelDevice(Protocol):
    """The device, and what charon's configuration says about it."""

    ENCRYPTION: ClassVar[str]
    PLUGINS: ClassVar[str]

    def __init__(self, node: str, tunnel: Tunnel): ...

    def describe_daemon(self) -> str:
        """Return what the daemon's strongswan.conf needs besides."""

    def describe_child(self) -> dict[str, Any]:
        """Return what the tunnel's child needs besides."""

    def can_be_made(self, log: str) -> bool:
        """Return whether the daemon, by its log, is as far as that."""

    def make(self, log: str) -> None:
        """Make the device; it carries nothing until it is set up."""

    def remove(self) -> None:
        """Remove the device, if it is there, and what the daemon may leave behind."""


class KernelDevice:
    """An xfrm interface: its number ties it to the daemon's associations in the kernel."""

    ENCRYPTION: ClassVar[str] = KERNEL
    PLUGINS: ClassVar[str] = "kernel-netlink"

    def __init__(self, node: str, tunnel: Tunnel):
        self._node = node
        self._name = tunnel.device
        self._number = tunnel.nat_port

    def describe_daemon(self) -> str:
        """Return that routing is left alone."""
        return "charon {\n  routing_table = 0\n}\n"

    def describe_child(self) -> dict[str, Any]:
        """Return the number, as a request's too: by that alone can ip delete associations."""
        return dict.fromkeys(("if_id_in", "if_id_out", "reqid"), self._number)

    def can_be_made(self, log: str) -> bool:
        """Return True: the kernel makes it."""
        return True

    def make(self, log: str) -> None:
        """Add the interface, down as every new one."""
        add = f"link add {self._name} mtu {_MTU} type xfrm dev lo if_id {self._number}"
        if said := self._run_ip([add]):
            raise OSError(f"{self._name}: {said}")

    def remove(self) -> None:
        """Delete the interface and the kernel's associations, which outlive their daemon."""
        said = self._run_ip(
            (
                f"link del {self._name}",
                *(
                    f"xfrm policy delete {_ANYTHING} dir {direction} if_id {self._number}"
                    for direction in ("in", "out", "fwd")
                ),
                # Last: ip ends with it, whatever follows.
                f"xfrm state deleteall reqid {self._number}",
            )
        )
        unexpected = [line for line in said.splitlines() if not _ABSENT.search(line)]
        if unexpected:
            raise OSError(f"{self._name}: {' '.join(unexpected)}")

    def _run_ip(self, commands: Iterable[str]) -> str:
        """Run all commands and return what ip has to say against them.

        pyroute2 knows no security associations.
        """
        batch = "".join(f"{command}\n" for command in commands)
        command = ("ip", "-force", "-batch", "-")
        try:
            with namespaces.enter(self._node):
                done = subprocess.run(
                    command, input=batch, text=True, capture_output=True, timeout=_TIMEOUT_S
                )
        except subprocess.TimeoutExpired as error:
            raise TimeoutError(f"{self._name}: {error}") from error
        return done.stderr.strip()


class LibipsecDevice:
    """The daemon's TUN device, which it has for all its associations, under another name."""

    ENCRYPTION: ClassVar[str] = LIBIPSEC
    PLUGINS: ClassVar[str] = "kernel-libipsec kernel-netlink"

    def __init__(self, node: str, tunnel: Tunnel):
        self._node = node
        self._name = tunnel.device
        self._number = tunnel.nat_port
        self._decoy: IO[bytes] | None = None

    def describe_daemon(self) -> str:
        """Return where its routes go.

        kernel-libipsec routes everything into its device whatever its configuration: after the main
        table, and only what has a mark that nothing sets.
        """
        return f"""\
charon {{
  routing_table = {_TABLE + self._number}
  routing_table_prio = {_PRIORITY + self._number}
  plugins {{
    kernel-netlink {{
      fwmark = {_UNUSED_MARK}
    }}
    kernel-libipsec {{
      load = yes
      allow_peer_ts = yes
    }}
  }}
}}
"""

    def describe_child(self) -> dict[str, Any]:
        """Return nothing."""
        return {}

    def can_be_made(self, log: str) -> bool:
        """Return whether the daemon has its device."""
        return bool(_CREATED.search(log))

    def make(self, log: str) -> None:
        """Give the daemon's device its name, and let it carry nothing yet.

        charon refuses a security association for which it cannot add a route to the device by
        its old name, though nothing uses that route; a device without a far end takes it.
        """
        match = _CREATED.search(log)
        assert match is not None
        with namespaces.enter(self._node):
            namespaces.set_up(match[1], up=False)
            namespaces.rename(match[1], self._name)
            self._decoy = namespaces.create_tun(match[1])
            namespaces.set_up(match[1], up=True)

    def remove(self) -> None:
        """Remove the decoy; the device goes with the daemon."""
        decoy, self._decoy = self._decoy, None
        if decoy is not None:
            decoy.close()


def choose_device() -> tuple[type[TunnelDevice], str]:
    """Return the kind of device for all tunnels, and why; raise OSError if it cannot be had."""
    demand = get_demand()
    if demand == LIBIPSEC:
        return LibipsecDevice, "as demanded"
    try:
        done = subprocess.run(PROBE, text=True, capture_output=True, timeout=_TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        refusal = str(error)
    else:
        if done.returncode == 0:
            return KernelDevice, "the kernel has ESP"
        refusal = " ".join(done.stderr.split())
    if demand == KERNEL:
        raise OSError(f"the kernel has no ESP: {refusal}")
    return LibipsecDevice, f"the kernel has no ESP: {refusal}"
