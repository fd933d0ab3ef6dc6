"""Who encrypts a tunnel's packets: the kernel's ESP where it is there, else libipsec.

``ERFAILOVER_LAB_IPSEC`` set to ``kernel`` or ``libipsec`` in the lab's environment insists on one
of them, for tests and diagnosis.
"""

from __future__ import annotations

import os

KERNEL = "kernel"
LIBIPSEC = "libipsec"
VARIABLE = "ERFAILOVER_LAB_IPSEC"

_KEY = "0x" + 64 * "0"
_PROBE = (
    "ip link add probe type xfrm dev lo if_id 1 && "
    "ip xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x1000 mode tunnel if_id 1 "
    f"auth-trunc 'hmac(sha256)' {_KEY} 128 enc 'cbc(aes)' {_KEY} "
    "encap espinudp 4500 4500 0.0.0.0"
)

PROBE = ("unshare", "--net", "sh", "-c", _PROBE)
"""Fails where the kernel has no ESP: it lists and accepts policies all the same.

Root of a user namespace may run it; what it makes goes with its scratch network namespace.
"""


def get_demand() -> str:
    """Return which of the two the environment insists on, empty if any will do."""
    demand = os.environ.get(VARIABLE, "")
    if demand not in ("", KERNEL, LIBIPSEC):
        raise ValueError(f"{VARIABLE} is {demand!r}, not {KERNEL} or {LIBIPSEC}")
    return demand
