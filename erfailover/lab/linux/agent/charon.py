"""strongSwan's charon: one daemon and one device for each end of a tunnel.

kernel-libipsec has one device for each daemon and chooses the security association by traffic
selector alone, so a gateway's tunnels need a daemon each; with the kernel's ESP it is the same, so
that the two differ in nothing else. The device is up only while a security association is
installed. Secrets go over the daemon's socket, never to a file.
"""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from erfailover.lab.linux.agent import daemons, namespaces
from erfailover.lab.linux.agent.tunnel_devices import TunnelDevice
from erfailover.lab.linux.agent.vici import Message, Vici, ViciError
from erfailover.lab.linux.layout import Tunnel

_CHILD = "tunnel"
_TICK_S = 2.0
_OWN_PREFIX = "ipsec"

_CONFIGURATION = """\
charon {{
  load = random nonce openssl aes sha1 sha2 hmac kdf gmp drbg {plugins} socket-default vici
  port = {tunnel.port}
  port_nat_t = {tunnel.nat_port}
  # With fewer, vici hangs for ever.
  threads = 16
  install_routes = no
  install_virtual_ip = no
  retransmit_tries = 3
  retransmit_timeout = 1.0
  retransmit_base = 1.2
  plugins {{
    vici {{
      socket = unix://{run}/vici
    }}
    socket-default {{
      use_ipv6 = no
    }}
  }}
  filelog {{
    log {{
      path = {run}/charon.log
      time_format = %FT%TZ
      flush_line = yes
      default = 1
    }}
  }}
}}
"""


class Charon:
    """One end of a tunnel; a daemon that ended stays down until ``start``."""

    def __init__(
        self,
        node: str,
        run: Path,
        tunnel: Tunnel,
        device: type[TunnelDevice],
        on_change: Callable[[str, bool], None],
    ):
        self.node = node
        self.tunnel = tunnel
        self._device = device(node, tunnel)
        self._run = run / f"tunnel-{tunnel.nat_port}"
        self._on_change = on_change
        self._socket = self._run / "vici"
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._up = False
        self._since = datetime.now(UTC)
        self._associations: list[Message] = []

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        """The daemon, if it runs."""
        process = self._process
        return process if process is not None and process.poll() is None else None

    def start(self) -> None:
        """Start the daemon; the tunnel comes up later."""
        if self.tunnel.device.startswith(_OWN_PREFIX):
            raise ValueError(f"{self.tunnel.device} is a name that charon gives its own devices")
        self.forget()
        self.remove_device()
        self._run.mkdir(parents=True, exist_ok=True)
        log = self._run / "charon.log"
        for stale in (self._socket, log):
            stale.unlink(missing_ok=True)
        configuration = self._run / "strongswan.conf"
        daemons.replace_file(configuration, describe_daemon(self.tunnel, self._device, self._run))
        environment = {"STRONGSWAN_CONF": str(configuration)}
        output = self._run / "charon.out"
        process = daemons.start(self.node, ("charon-systemd",), output, environment)
        name = f"charon of {self.node}'s tunnel {self.tunnel.name}"
        try:
            daemons.wait_until(lambda: self._is_ready(log), process, name)
            self._device.make(log.read_text())
            with Vici(self._socket) as vici:
                vici.request("load-shared", describe_secret(self.tunnel))
                vici.request("load-conn", describe_connection(self.tunnel, self._device))
        except (OSError, EOFError, ViciError, daemons.DaemonError) as error:
            daemons.stop([process])
            with contextlib.suppress(OSError):
                self.remove_device()
            raise daemons.DaemonError(f"{name}: {error}: {_read_end(log, output)}") from error
        self._process = process
        name = f"charon-{self.node}-{self.tunnel.device}"
        threading.Thread(target=self._watch, args=(process,), name=name, daemon=True).start()

    def forget(self) -> list[subprocess.Popen[bytes]]:
        """Return the daemon, to be stopped: its end is no news."""
        with self._lock:
            process, self._process = self.process, None
            self._up = False
        return [process] if process is not None else []

    def remove_device(self) -> None:
        """Remove the device, and what a daemon that was killed left in the kernel."""
        self._device.remove()

    def read(self) -> dict[str, Any]:
        """Return the tunnel's state, and its security associations as vici listed them last."""
        running = self.process is not None
        return {
            "device": self.tunnel.device,
            "running": running,
            "up": self._up,
            "since": self._since.isoformat(timespec="milliseconds"),
            "associations": self._associations if running else [],
        }

    def _is_ready(self, log: Path) -> bool:
        """Return whether charon listens (its socket is there a little earlier) and has a device."""
        if not (log.exists() and self._device.can_be_made(log.read_text())):
            return False
        try:
            with Vici(self._socket):
                return True
        except (FileNotFoundError, ConnectionRefusedError):
            return False

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        """Follow the tunnel until the daemon ends."""
        while process.poll() is None:
            try:
                with Vici(self._socket, _TICK_S) as events:
                    events.subscribe("child-updown")
                    while True:
                        self._follow(process)
                        events.wait_for_event()
            except (OSError, EOFError, ViciError):
                # It has ended, or a busy machine kept it from answering.
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_TICK_S)
        with self._lock:
            if self._process is not process:
                return
            try:
                self._device.remove()
            finally:
                self._note(False)

    def _follow(self, process: subprocess.Popen[bytes]) -> None:
        with Vici(self._socket) as vici:
            associations = vici.stream("list-sas", "list-sa")
        if self._process is not process:
            return
        self._associations = associations
        up = _is_up(associations)
        if up != self._up:
            with namespaces.enter(self.node):
                namespaces.set_up(self.tunnel.device, up)
            self._note(up)
        if self.tunnel.initiates and not up and not _is_busy(associations):
            # charon gives up when the other end refuses the secret, or the child.
            with Vici(self._socket) as vici:
                vici.request("initiate", {"child": _CHILD, "ike": "tunnel", "timeout": -1})

    def _note(self, up: bool) -> None:
        self._up = up
        self._since = datetime.now(UTC)
        self._on_change(self.tunnel.device, up)


def describe_daemon(tunnel: Tunnel, device: TunnelDevice, run: Path) -> str:
    """Return the strongswan.conf of a tunnel's own daemon, which holds no secret."""
    common = _CONFIGURATION.format(tunnel=tunnel, plugins=device.PLUGINS, run=run)
    return common + device.describe_daemon()


def describe_secret(tunnel: Tunnel) -> dict[str, Any]:
    """Return a tunnel's shared key for vici."""
    owners = [tunnel.local_identity, tunnel.remote_identity]
    return {"id": "tunnel", "type": "IKE", "data": tunnel.secret, "owners": owners}


def describe_connection(tunnel: Tunnel, device: TunnelDevice) -> dict[str, Any]:
    """Return a tunnel's connection for vici: everything routed to the device is encrypted."""
    again = "start" if tunnel.initiates else "none"
    child = {
        "local_ts": ["0.0.0.0/0"],
        "remote_ts": ["0.0.0.0/0"],
        "esp_proposals": ["aes256-sha256"],
        "rekey_time": 0,
        "start_action": again,
        "close_action": again,
        "dpd_action": "restart" if tunnel.initiates else "clear",
        **device.describe_child(),
    }
    return {
        "tunnel": {
            "version": 2,
            "local_addrs": [tunnel.local_address],
            "remote_addrs": [tunnel.remote_address],
            "local_port": tunnel.nat_port,
            "remote_port": tunnel.remote_port,
            "encap": "yes",
            "mobike": "no",
            "unique": "replace",
            "proposals": ["aes256-sha256-modp1024"],
            "dpd_delay": max(1, round(tunnel.dead_peer_s)),
            "rekey_time": 0,
            "keyingtries": 0,
            "local": {"auth": "psk", "id": tunnel.local_identity},
            "remote": {"auth": "psk", "id": tunnel.remote_identity},
            "children": {_CHILD: child},
        }
    }


def _is_up(associations: list[Message]) -> bool:
    return any(
        child["state"] == "INSTALLED"
        for message in associations
        for association in message.values()
        for child in association["child-sas"].values()
    )


def _is_busy(associations: list[Message]) -> bool:
    """Return whether an exchange of keys is under way."""
    return any(
        association["state"] != "ESTABLISHED"
        or association["child-sas"]
        or "tasks-active" in association
        for message in associations
        for association in message.values()
    )


def _read_end(*paths: Path) -> str:
    texts = [path.read_text(errors="replace").strip() for path in paths if path.exists()]
    return " ".join(line for text in texts for line in text.splitlines()[-3:])
