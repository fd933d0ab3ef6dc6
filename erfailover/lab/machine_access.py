"""Who may sign in to a virtual machine: what Azure refuses of passwords and SSH keys.

Pure. Nobody signs in to a machine of the lab; only what ARM checks is here.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator

from erfailover.lab import errors, ids
from erfailover.lab.errors import Refusal
from erfailover.lab.world import Body, Resource

SMALLEST_RSA = 2048
"""Bits (published: REST specification of Microsoft.Compute, ``SshPublicKey.keyData``)."""


def refused(
    vm_id: ids.ResourceId, properties: Body, known: Resource | None, secrets: dict[str, str]
) -> Refusal | None:
    """Why a machine may not be written so.

    Args:
        vm_id: the machine.
        properties: of its body, filled in.
        known: the machine as it is; None for a new one.
        secrets: what was taken out of the body.
    """
    system: Body = properties["osProfile"]
    linux: Body = system.get("linuxConfiguration") or {}
    if known is not None:
        return _change_refused(linux, known)
    keys = _keys(linux)
    password = "adminPassword" in secrets and not linux.get("disablePasswordAuthentication")
    if not keys and not password:
        # Observed, by clients of Terraform; so too with a password that is switched off (assumed).
        return _invalid(
            "linuxConfiguration",
            "Authentication using either SSH or by user name and password must be enabled in "
            "Linux profile.",
        )
    return next(_keys_refused(keys, str(system.get("adminUsername"))), None)


def _keys(linux: Body) -> list[Body]:
    ssh = linux.get("ssh")
    found = ssh.get("publicKeys") if isinstance(ssh, dict) else None
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _keys_refused(keys: list[Body], user: str) -> Iterator[Refusal]:
    for each in keys:
        path = f"/home/{user}/.ssh/authorized_keys"
        if each.get("path") != path:
            yield _invalid(  # observed, the two blanks included
                "linuxConfiguration.ssh.publicKeys.path",
                "Destination path for SSH public keys is currently limited to its default value "
                f"{path}  due to a known issue in Linux provisioning agent.",
            )
        text = str(each.get("keyData") or "")
        if text.lstrip().startswith("---- BEGIN SSH2 PUBLIC KEY"):
            yield errors.not_modelled("keys in the form of RFC 4716")
        elif not _valid(text):
            parameter = "linuxConfiguration.ssh.publicKeys.keyData"  # observed
            yield _invalid(parameter, f"The value of parameter {parameter} is invalid.")


def _change_refused(linux: Body, known: Resource) -> Refusal | None:
    """409 for what stays as it was made (observed for both)."""
    before: Body = (known.properties.get("osProfile") or {}).get("linuxConfiguration") or {}
    switch = "disablePasswordAuthentication"
    if bool(linux.get(switch)) != bool(before.get(switch)):
        return _changed(f"linuxConfiguration.{switch}")
    if _keys(linux) != _keys(before):
        return _changed("linuxConfiguration.ssh.publicKeys")
    return None


def _changed(parameter: str) -> Refusal:
    text = f"Changing property '{parameter}' is not allowed."
    return Refusal(409, "PropertyChangeNotAllowed", text, more={"target": parameter})


def _invalid(parameter: str, text: str) -> Refusal:
    return Refusal(400, "InvalidParameter", text, more={"target": parameter})


def _valid(text: str) -> bool:
    """Whether Azure takes a key: RSA of 2048 bits or more, or Ed25519, and no ECDSA.

    Published: "Create and manage SSH keys for authentication to a Linux VM in Azure". What it
    answers to another kind is assumed to be what it answers to a text that is none (observed).
    """
    words = text.split()
    if len(words) < 2 or "\n" in text.strip():
        return False
    parts = _parts(words[1])
    if parts is None or parts[0] != words[0].encode():
        return False
    if words[0] == "ssh-ed25519":
        return len(parts) == 2 and len(parts[1]) == 32
    if words[0] != "ssh-rsa" or len(parts) != 3:
        return False
    return int.from_bytes(parts[2], "big").bit_length() >= SMALLEST_RSA


def _parts(encoded: str) -> list[bytes] | None:
    """The length-prefixed strings in a key; None where it is damaged."""
    try:
        blob = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None
    parts = []
    while blob:
        end = 4 + int.from_bytes(blob[:4], "big")
        if len(blob) < end:
            return None
        parts.append(blob[4:end])
        blob = blob[end:]
    return parts or None
