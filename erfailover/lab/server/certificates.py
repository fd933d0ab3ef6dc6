"""The lab's certificate authority and the certificates it issues.

Owns the authority's files: the key is readable by its owner alone, and the authority stays
the same over restarts, so that clients need to trust it once.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme

from erfailover.lab.server.files import make_private_folder, write_private

NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Authority:
    """A lab's certificate authority; clients are configured to trust ``ca_file``."""

    ca: trustme.CA
    ca_file: Path

    def make_server_context(self) -> ssl.SSLContext:
        """Return the server's TLS context, with a new certificate for the loopback names."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.ca.issue_cert(*NAMES).configure_cert(context)
        return context


def load_authority(directory: Path) -> Authority:
    """Return the authority in a directory; create it if it is missing."""
    make_private_folder(directory)
    ca_file, key_file = directory / "ca.pem", directory / "ca.key"
    if ca_file.is_file() and key_file.is_file():
        return Authority(trustme.CA.from_pem(ca_file.read_bytes(), key_file.read_bytes()), ca_file)
    ca = trustme.CA(organization_name="erfailover lab")
    write_private(key_file, ca.private_key_pem.bytes())
    write_private(ca_file, ca.cert_pem.bytes())
    return Authority(ca, ca_file)
