"""The public keys of SSH that a machine can be given. Pure.

Owns what Azure takes as ``keyData``: one key in OpenSSH's form, RSA of 2048 bits or more, or
Ed25519; ECDSA and others are not supported (published: "Create and manage SSH keys for
authentication to a Linux VM in Azure"). Never shows what it was given: it may be a private key.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

EXPECTED = "a public key of SSH: 'ssh-ed25519 AAAA...', 'ssh-rsa AAAA...' of 2048 bits or more"
SMALLEST_RSA = 2048
ED25519_BYTES = 32

KEY_TEXT = re.compile(r"\s*(?:-----?\s?BEGIN|AAAA[A-Za-z0-9+/]{20}|[a-z][\w@.-]*\s+AAAA)")
"""How a key begins, in whatever form; anything else is the path of a file."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a key, and what to do; neither shows the key."""

    found: str
    remedy: str


def is_key(text: str) -> bool:
    """Whether a site file's ``ssh_public_key`` is a key, and not the path of a file with one."""
    return bool(KEY_TEXT.match(text)) or "\n" in text.strip()


def one_line(text: str) -> str:
    """A key as it is sent: without the line break at its end."""
    return text.strip()


def same(one: str, other: str) -> bool:
    """Whether two keys are the same; the comment behind a key does not count."""
    return one.split()[:2] == other.split()[:2]


def fault(text: str) -> Fault | None:
    """What keeps Azure from taking a text as a public key; None where nothing does."""
    text = one_line(text)
    if "PRIVATE KEY" in text:
        return Fault("a private key", "keep that one to yourself and name its .pub file")
    if "BEGIN" in text:
        return Fault(
            "a key in another form than OpenSSH's", "'ssh-keygen -i -f FILE' prints it in that form"
        )
    if not text:
        return Fault("nothing", "'ssh-keygen -t ed25519' makes a key; take the .pub file")
    if "\n" in text:
        return Fault(f"{len(text.splitlines())} lines", "give one key, in one line")
    words = text.split()
    if len(words) < 2:
        return Fault("no key", "it has two words or more: the type, the key, a comment")
    return _key_fault(words[0], words[1])


def _key_fault(type_: str, data: str) -> Fault | None:
    if type_ not in ("ssh-rsa", "ssh-ed25519"):
        return Fault(
            f"the type {type_[:40]!r}",
            "Azure takes RSA and Ed25519 only: 'ssh-keygen -t ed25519' makes such a key",
        )
    damaged = Fault(f"a damaged {type_} key", "copy the whole line of the .pub file")
    try:
        parts = _parts(base64.b64decode(data, validate=True))
    except (binascii.Error, ValueError):
        return damaged
    if parts[:1] != [type_.encode()] or len(parts) != (3 if type_ == "ssh-rsa" else 2):
        return damaged
    if type_ == "ssh-ed25519":
        return None if len(parts[1]) == ED25519_BYTES else damaged
    bits = int.from_bytes(parts[2], "big").bit_length()
    if bits < SMALLEST_RSA:
        remedy = "'ssh-keygen -t rsa -b 4096', or '-t ed25519', makes one that Azure takes"
        return Fault(f"an RSA key of {bits} bits", remedy)
    return None


def _parts(blob: bytes) -> list[bytes]:
    """The length-prefixed strings of a key (RFC 4253, section 6.6)."""
    parts = []
    while blob:
        length = int.from_bytes(blob[:4], "big")
        if len(blob) < 4 + length:
            raise ValueError("cut off")
        parts.append(blob[4 : 4 + length])
        blob = blob[4 + length :]
    return parts
