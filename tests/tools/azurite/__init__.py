"""Azurite, Microsoft's emulator of Azure Blob storage: installed from npm once, started by tests.

It serves https with a certificate of its own authority and takes the tokens that Entra would
issue (``--oauth basic``: issuer, audience and times are checked, the signature is not).
"""

from __future__ import annotations

import fcntl
import hashlib
import re
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import jwt
import trustme
from azure.core.credentials import AccessToken

SOURCE = Path(__file__).parent
CACHE = SOURCE.parents[2] / ".cache"
ACCOUNT = "devstoreaccount1"
LISTENS = re.compile(r"successfully listens on (https://[\d.]+:\d+)")


@dataclass(frozen=True)
class Azurite:
    """A running Azurite.

    Attributes:
        endpoint: the account's blob endpoint.
        ca_file: the authority to trust.
    """

    endpoint: str
    ca_file: Path


class Credential:
    """Tokens as Entra issues them for storage; Azurite does not check the signature."""

    def get_token(self, *scopes: str, **_: object) -> AccessToken:
        now = int(time.time())
        claims = {
            "iss": f"https://sts.windows.net/{uuid.UUID(int=7)}/",
            "aud": scopes[0].removesuffix("/.default"),
            "iat": now,
            "nbf": now,
            "exp": now + 3600,
        }
        return AccessToken(jwt.encode(claims, "k" * 32, algorithm="HS256"), now + 3600)


def ensure_installed() -> Path:
    """A folder with Azurite; installed from its lock file on first use, which takes a minute."""
    lock = (SOURCE / "package-lock.json").read_bytes()
    folder = CACHE / f"azurite-{hashlib.sha256(lock).hexdigest()[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as one_at_a_time:
        fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
        mark = folder / ".installed"
        if not mark.exists():
            for name in ("package.json", "package-lock.json"):
                shutil.copy(SOURCE / name, folder)
            npm = ["npm", "ci", "--no-audit", "--no-fund", "--silent", "--ignore-scripts"]
            subprocess.run(npm, cwd=folder, check=True)
            mark.touch()
    return folder


@contextmanager
def running(folder: Path, port: int = 0) -> Iterator[Azurite]:
    """Azurite on this machine while the context lasts.

    Args:
        folder: for what it keeps, its certificate and its authority; made where not there.
        port: where to listen; 0 for any.
    """
    ca_file, cert, key = folder / "azurite-ca.pem", folder / "azurite.pem", folder / "azurite.key"
    if not ca_file.exists():
        authority = trustme.CA()
        issued = authority.issue_cert("127.0.0.1", "localhost")
        authority.cert_pem.write_to_path(ca_file)
        issued.private_key_pem.write_to_path(key)
        cert.write_bytes(
            b"".join(cert_chain_pem.bytes() for cert_chain_pem in issued.cert_chain_pems)
        )
    process = subprocess.Popen(
        [
            str(ensure_installed() / "node_modules" / ".bin" / "azurite-blob"),
            *("--location", str(folder), "--disableTelemetry", "--skipApiVersionCheck"),
            *("--blobPort", str(port), "--cert", str(cert), "--key", str(key)),
            *("--oauth", "basic"),
        ],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield Azurite(f"{_listening(process)}/{ACCOUNT}", ca_file)
    finally:
        process.terminate()
        process.communicate()


def _listening(process: subprocess.Popen[str]) -> str:
    """Where it listens, once it says so."""
    assert process.stdout is not None
    message = ""
    for line in process.stdout:
        message += line
        match = LISTENS.search(line)
        if match:
            return match.group(1)
    raise AssertionError(f"Azurite did not start:\n{message}")
