"""One echo request from a node, for the lab's own questions; nothing runs in a machine for it."""

from __future__ import annotations

import subprocess
from pathlib import Path

_NAMESPACES = Path("/run/netns")
_MARGIN_S = 2.0


def ping(node: str, interface: str, destination: str, timeout_s: float) -> bool:
    """Return whether an echo reply comes back in time.

    Args:
        node: whose network the request starts in.
        interface: leave by this interface; empty for the one that the routes choose.
        destination: an IPv4 address.
        timeout_s: how long to wait for the reply.
    """
    command = ["nsenter", f"--net={_NAMESPACES / node}", "ping", "-4", "-n", "-q", "-c", "1"]
    command += ["-W", f"{timeout_s:g}", *(["-I", interface] if interface else [])]
    try:
        done = subprocess.run(
            [*command, "--", destination],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=timeout_s + _MARGIN_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0
