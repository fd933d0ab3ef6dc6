"""The checks of where the tunnels' shared key is and which SSH keys may sign in. Pure.

Reads no file and no vault. No message repeats such a value, because it may be a secret in the
wrong place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from erfailover.config.yaml_source import Keys, Problem
from erfailover.model import ssh_keys
from erfailover.model.topology import TopologyMachine, TopologySharedKeys

SECRET_NAME = re.compile(r"[A-Za-z0-9-]{1,127}")
"""Key Vault's rule for the names of secrets (published: REST reference, Set Secret)."""

SECRET_VERSION = re.compile(r"[0-9a-f]{32}")


def check_shared_keys(keys: Keys, named: TopologySharedKeys | None) -> Iterator[Problem]:
    """Check the place of the tunnels' shared key.

    Args:
        keys: the place in the site file.
        named: the vault and its secret; None if the keys are generated.
    """
    if named is None:
        return
    if not _is_vault(named.key_vault):
        remedy = "'az keyvault show --name NAME --query properties.vaultUri' prints it"
        expected = "a key vault's URL like https://NAME.vault.azure.net"
        yield Problem((*keys, "key_vault"), expected, "something else", remedy)
    if not SECRET_NAME.fullmatch(named.secret):
        remedy = "give its name, not the shared key itself: do not put secrets in a site file"
        expected, actual = "a secret's name: 1 to 127 letters, digits and hyphens", "something else"
        yield Problem((*keys, "secret"), expected, actual, remedy)
    if named.version is not None and not SECRET_VERSION.fullmatch(named.version):
        expected, actual = "a version of the secret: 32 hexadecimal digits", "something else"
        yield Problem((*keys, "version"), expected, actual, "leave it out for the newest")


def _is_vault(url: str) -> bool:
    try:
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname or parts.port == 0:
            return False
    except ValueError:
        return False
    more = parts.path.strip("/") or parts.query or parts.fragment or parts.username
    return not more and "\\" not in url


def check_ssh_key(keys: Keys, machine: TopologyMachine) -> Iterator[Problem]:
    """Check a machine's public key; a file with one is read on use.

    Args:
        keys: the machine's place in the site file.
        machine: the machine.
    """
    text = machine.ssh_public_key
    if text is None or not ssh_keys.is_key(text):
        return
    fault = ssh_keys.find_fault(text)
    if fault:
        place = (*keys, "ssh_public_key")
        yield Problem(place, ssh_keys.EXPECTED, fault.found, fault.remedy)
