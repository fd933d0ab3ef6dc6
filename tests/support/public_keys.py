"""Keys of SSH for tests: of the right form, and nobody's."""

from __future__ import annotations

import base64


def encode_key(type_: bytes, *parts: bytes) -> str:
    """A key as OpenSSH writes it: the type, then each part with its length (RFC 4253)."""
    blob = b"".join(len(part).to_bytes(4, "big") + part for part in (type_, *parts))
    return f"{type_.decode()} {base64.b64encode(blob).decode()}"


def rsa(bits: int) -> str:
    """A key of type ``ssh-rsa`` with a modulus of so many bits."""
    modulus = (1 << (bits - 1)) + 12345
    return encode_key(b"ssh-rsa", b"\x01\x00\x01", modulus.to_bytes(bits // 8 + 1, "big"))


ED25519 = encode_key(b"ssh-ed25519", b"lab" * 10 + b"la")
ECDSA = encode_key(b"ecdsa-sha2-nistp256", b"nistp256", b"\x04" + b"x" * 64)
PRIVATE = (
    "-----BEGIN OPENSSH PRIVATE KEY-----\n"
    f"{base64.b64encode(b'hidden').decode()}\n"
    "-----END OPENSSH PRIVATE KEY-----\n"
)
RFC_4716 = f"---- BEGIN SSH2 PUBLIC KEY ----\n{ED25519.split()[1]}\n---- END SSH2 PUBLIC KEY ----"
