"""A key vault on loopback: one that challenges, wants a token for vaults, and holds secrets.

It answers as Azure's does (published: Key Vault REST reference and "Authentication, requests and
responses"; observed where an answer's text says so), and counts who asked how.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jwt

from erfailover.lab.server.certificates import load_authority

RESOURCE = "https://vault.azure.net"
FIRST, SECOND = "1" * 32, "2" * 32
"""Versions of secrets."""

RBAC = "Caller is not authorized to perform action on resource."
POLICY = (
    "The user, group or application 'appid=0;oid=0' does not have secrets get permission on key "
    "vault 'kv;location=westeurope'."
)
FIREWALL = "Client address is not authorized and caller is not a trusted service."
DISABLED = "Operation get is not allowed on a disabled secret."


@dataclass
class Vault:
    """A vault with its secrets, each a value by version, the newest last."""

    authority: str
    """Where it sends who has no token."""
    secrets: dict[str, dict[str, str]]
    resource: str = RESOURCE
    """What the token must be for, as its challenge says."""
    failing: list[tuple[int, str, str]] = field(default_factory=list)
    """Status, code and text of the next answers to who has a token."""
    host: str = field(default_factory=lambda: f"kv-{secrets.token_hex(6)}.vault.azure.net")
    """Its name in Azure: one of its own, since the SDK remembers each host's challenge."""
    port: int = 0
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Path and audience (empty without a token) of every request."""

    @property
    def address(self) -> str:
        """Where it is in Azure."""
        return f"https://{self.host}"

    @property
    def url(self) -> str:
        """Where it is on loopback."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def read(self) -> list[str]:
        """The path of every request that brought a token."""
        return [path for path, audience in self.asked if audience]

    def answer(self, path: str, authorization: str) -> tuple[int, Any]:
        """The status and the body for a request."""
        token = authorization.removeprefix("Bearer ")
        claims = jwt.decode(token, options={"verify_signature": False}) if token else {}
        self.asked.append((path, claims.get("aud", "")))
        if claims.get("aud") != self.resource:
            return 401, _error("Unauthorized", "AKV10000: Request is missing a Bearer token.")
        if self.failing:
            status, code, text = self.failing.pop(0)
            return status, _error(code, text)
        _, kind, name, version = (path.rstrip("/") + "//").split("/")[:4]
        versions = self.secrets.get(name, {})
        version = version or next(reversed(versions), "")
        if kind != "secrets" or version not in versions:
            text = f"A secret with (name/id) {name} was not found in this key vault."
            return 404, _error("SecretNotFound", text)
        id_ = f"https://{self.host}/secrets/{name}/{version}"
        attributes = {"enabled": True, "created": 1, "updated": 1, "recoveryLevel": "Recoverable"}
        return 200, {"value": versions[version], "id": id_, "attributes": attributes}


def _error(code: str, text: str) -> Any:
    return {"error": {"code": code, "message": text}}


@contextlib.contextmanager
def running(vault: Vault, ca_file: Path) -> Iterator[Vault]:
    """Serve a vault while the context lasts, with a certificate of the lab's authority.

    Args:
        vault: what is served; told its port.
        ca_file: the lab's authority; its key is beside it.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            """Answer one request."""
            path = urlsplit(self.path).path
            status, body = vault.answer(path, self.headers.get("Authorization", ""))
            content = json.dumps(body).encode()
            self.send_response(status)
            if status == 401:
                text = f'Bearer authorization="{vault.authority}", resource="{vault.resource}"'
                self.send_header("WWW-Authenticate", text)
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issued = load_authority(ca_file.parent).ca.issue_cert("127.0.0.1", vault.host)
    issued.configure_cert(context)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.daemon_threads = True
        server.block_on_close = False
        vault.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield vault
        finally:
            server.shutdown()
            thread.join(5)
