"""Where the web server of ``erfailover watch`` listens, its certificate and its token."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from erfailover.errors import UsageFailure
from erfailover.runtime import input_file

DEFAULT_LISTEN = "127.0.0.1:9817"
NO_SERVER = "none"
MOST_TOKEN_BYTES = 4096
LEAST_TOKEN_LENGTH = 20
LAST_PORT = 65_535
_ADDRESS = re.compile(
    r"(?:\[(?P<v6>[0-9a-fA-F:.]+)\]|(?P<host>[A-Za-z0-9.-]+)):(?P<port>[0-9]{1,5})"
)


@dataclass(frozen=True, slots=True)
class Address:
    """An address to listen on; port 0 means any that is free."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate chain and its key, as PEM files."""

    cert: Path
    key: Path

    def load_into(self, context: ssl.SSLContext) -> None:
        """Read both files; connections that begin later use them.

        Raises:
            UsageFailure: they cannot be read, or do not belong together.
        """
        for option, file in (("--tls-cert", self.cert), ("--tls-key", self.key)):
            _read(file, option, 1 << 20)
        try:
            context.load_cert_chain(self.cert, self.key, password=lambda: "")
        except (OSError, ValueError) as error:
            raise UsageFailure(
                f"--tls-cert {self.cert} and --tls-key {self.key} cannot be used: "
                f"{getattr(error, 'reason', None) or error}",
                "Give the certificate chain and its private key, not encrypted, as PEM files.",
            ) from None

    def build_context(self) -> ssl.SSLContext:
        """Return the TLS settings of a server.

        Raises:
            UsageFailure: the files cannot be used.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.load_into(context)
        return context


@dataclass(frozen=True, slots=True)
class WebSettings:
    """How the web server listens.

    Attributes:
        certificate: for https; None for http.
        token: what a client must send; None if this machine's users may read everything.
    """

    address: Address
    certificate: Certificate | None = None
    token: str | None = None


def parse_listen(text: str) -> Address | None:
    """Return the address that ``--listen`` names; None for ``none``.

    Raises:
        UsageFailure: it names none.
    """
    if text == NO_SERVER:
        return None
    match = _ADDRESS.fullmatch(text)
    if match is None or int(match["port"]) > LAST_PORT:
        raise UsageFailure(
            f"--listen {text} is no address",
            f"Expected HOST:PORT, such as {DEFAULT_LISTEN} or [::1]:9817, or {NO_SERVER}.",
        )
    host = match["v6"] or match["host"]
    return Address("127.0.0.1" if host == "localhost" else host, int(match["port"]))


def read_settings(
    listen: str, tls_cert: Path | None, tls_key: Path | None, token_file: Path | None
) -> WebSettings | None:
    """Return how the web server listens; None if there is none.

    Args:
        listen: the option ``--listen``.
        tls_cert: ``--tls-cert``, a PEM file.
        tls_key: ``--tls-key``, a PEM file.
        token_file: ``--token-file``; its first line is the token.

    Raises:
        UsageFailure: the address is invalid, a file cannot be read, or others than this machine
            could reach the server without TLS or without a token.
    """
    address = parse_listen(listen)
    if address is None:
        return None
    if (tls_cert is None) != (tls_key is None):
        raise UsageFailure(
            "--tls-cert and --tls-key belong together, and only one was given", "Give both."
        )
    certificate = Certificate(tls_cert, tls_key) if tls_cert and tls_key else None
    if not address.is_loopback and (certificate is None or token_file is None):
        raise UsageFailure(
            f"--listen {address} can be reached from other machines, so it needs TLS and a token",
            "Add --tls-cert, --tls-key and --token-file, or listen on 127.0.0.1.",
        )
    if certificate:
        certificate.build_context()
    return WebSettings(address, certificate, _read_token(token_file) if token_file else None)


def _read_token(file: Path) -> str:
    lines = _read(file, "--token-file", MOST_TOKEN_BYTES).decode("utf-8", "replace").split("\n")
    token = lines[0].strip()
    if len(token) < LEAST_TOKEN_LENGTH or not token.isascii() or not token.isprintable():
        raise UsageFailure(
            f"--token-file {file} has no usable token in its first line: expected at least "
            f"{LEAST_TOKEN_LENGTH} printable ASCII characters",
            f"openssl rand -hex 32 > {file}",
        )
    return token


def _read(file: Path, option: str, most_bytes: int) -> bytes:
    try:
        return input_file.read(file, most_bytes)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise UsageFailure(
            f"{option} {file} cannot be read: {why}", "Name a file that this user may read."
        ) from None
