"""Whether a lab answers at an endpoint of this machine.

Real Azure is never at a loopback address, so an endpoint there is a lab's.
"""

from __future__ import annotations

import socket
from ipaddress import ip_address
from urllib.parse import urlsplit

from erfailover.errors import AzureErrorKind, AzureFailure

PATIENCE_S = 1.0
"""How long a connection to this machine may take, in wall seconds."""
HTTPS = 443


def insist_on_answer(endpoint: str) -> None:
    """Check that something accepts connections at a loopback endpoint; pass any other endpoint.

    Args:
        endpoint: the management endpoint, ``https://host:port``.

    Raises:
        AzureFailure: kind CONNECTION; nothing listens there.
    """
    address = urlsplit(endpoint)
    if not get_lab_address(endpoint):
        return
    try:
        socket.create_connection(
            (address.hostname or "", address.port or HTTPS), PATIENCE_S
        ).close()
    except OSError:
        raise AzureFailure(
            AzureErrorKind.CONNECTION,
            f"the lab at {endpoint} does not answer",
            "Start it with `erfailover lab up`, or open a new shell to use Azure "
            "(ERFAILOVER_ENDPOINT is set).",
        ) from None


def get_lab_address(endpoint: str) -> str:
    """Return ``host:port`` of a lab's endpoint; empty for any other endpoint."""
    address = urlsplit(endpoint)
    return address.netloc if _is_loopback(address.hostname or "") else ""


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
