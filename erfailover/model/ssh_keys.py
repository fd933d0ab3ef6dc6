"""The public keys of SSH that a machine can be given. Pure.

Owns what Azure takes as ``keyData``: one key in OpenSSH's form, RSA of 2048 bits or more, or
Ed25519; ECDSA and others are not supported (published: "Create and manage SSH keys for
authentication to a Linux VM in Azure"). Never shows what it was given: it may be a private key.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

EXPECTED = "an SSH public key: 'ssh-ed25519 AAAA...', or 'ssh-rsa AAAA...' of 2048 bits or more"
SMALLEST_RSA = 2048

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


def strip_key(text: str) -> str:
    """Return a key as it is sent: without the line break at its end."""
    return text.strip()


def is_same_key(one: str, other: str) -> bool:
    """Whether two keys are the same; the comment behind a key does not count."""
    return one.split()[:2] == other.split()[:2]


def find_fault(text: str) -> Fault | None:
    """Return what keeps Azure from taking a text as a public key; None if nothing does."""
    text = strip_key(text)
    if "PRIVATE KEY" in text:
        return Fault("a private key", "keep it secret, and name its .pub file instead")
    if "BEGIN" in text:
        return Fault("a key that is not in OpenSSH format", "'ssh-keygen -i -f FILE' converts it")
    if not text:
        return Fault("nothing", "'ssh-keygen -t ed25519' creates a key; use its .pub file")
    if "\n" in text:
        return Fault(f"{len(text.splitlines())} lines", "give one key, in one line")
    words = text.split()
    if not words[1:]:
        return Fault("no key", "a key has at least two words: its type, then the key itself")
    return _find_key_fault(words[0], words[1])


def _find_key_fault(type_: str, data: str) -> Fault | None:
    if type_ not in ("ssh-rsa", "ssh-ed25519"):
        return Fault(
            f"the type {type_[:40]!r}",
            "Azure accepts RSA and Ed25519 only: 'ssh-keygen -t ed25519' creates one",
        )
    # 20 ms to load, for the few site files that hold a key.
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_ssh_public_key

    try:
        key = load_ssh_public_key(f"{type_} {data}".encode())
    except (ValueError, UnsupportedAlgorithm):
        return Fault(f"a damaged {type_} key", "copy the whole line of the .pub file")
    if isinstance(key, RSAPublicKey) and key.key_size < SMALLEST_RSA:
        remedy = "'ssh-keygen -t rsa -b 4096', or '-t ed25519', creates one that Azure accepts"
        return Fault(f"an RSA key of {key.key_size} bits", remedy)
    return None
