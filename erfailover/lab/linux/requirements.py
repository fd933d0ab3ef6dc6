"""What the Linux data plane needs of this machine.

A stand-in until the real checks are merged: it finds nothing missing.
"""

from __future__ import annotations


def list_missing() -> list[str]:
    """Return what is missing, a line each, with the one apt-get command that installs it."""
    return []
