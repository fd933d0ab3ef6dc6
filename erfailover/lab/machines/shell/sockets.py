"""TCP connections of a modelled machine: their outcome and duration. Pure."""

from __future__ import annotations

from erfailover.lab.machines.reachability import Trace

LISTENING = frozenset({22})
"""Ports on which machines of the lab accept connections: sshd's, as in Azure's Ubuntu images."""
GIVES_UP_S = 130.0
"""How long Linux tries to connect without an answer (``tcp_syn_retries`` of 6: 127 s)."""


def predict_connection(trace: Trace, port: int) -> tuple[float, str]:
    """Return how long connecting takes in modelled seconds, and its error; empty for none.

    What answers outside of the lab's machines, the Internet or the network behind a circuit, is
    assumed to accept connections on every port, as it answers every ping.
    """
    if not trace.reached:
        return GIVES_UP_S, "Connection timed out"
    if trace.host and port not in LISTENING:
        return 0.0, "Connection refused"
    return 0.0, ""
