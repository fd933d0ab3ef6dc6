"""The shared keys of the tunnels and the machines' password: made, kept, never shown.

Owns one file in the site's state folder, readable by its owner alone and replaced in one piece.
A value given in the environment goes before all others; then a key vault's, if the site names
one, of which only the version is kept here; then a kept one; otherwise a value is generated.
No value is ever printed, logged, or part of a plan or a message.
"""

from __future__ import annotations

import json
import secrets
import string
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from erfailover.errors import UnknownReading, UsageFailure
from erfailover.model import plain_json
from erfailover.model.topology import ADMIN_PASSWORD
from erfailover.runtime import files, input_file

SHORTEST, LONGEST, KINDS = 12, 72, 3
"""What Azure asks of a machine's password (published: Linux VM FAQ)."""

FILE, MOST_BYTES = "secrets.json", 16 * 1024 * 1024
SHARED_KEY_VARIABLE = "ERFAILOVER_SHARED_KEY"
PASSWORD_VARIABLE = "ERFAILOVER_ADMIN_PASSWORD"

SHARED_KEY = "shared-key"
"""What the names of the shared keys begin with."""

SHARED_KEY_LENGTH = 48
SHARED_KEY_MOST = 128
PASSWORD_LENGTH = 40
CLASSES = (string.ascii_lowercase, string.ascii_uppercase, string.digits)


@dataclass(frozen=True, slots=True)
class VaultKey:
    """A shared key as it was read from a key vault.

    Attributes:
        id: the secret's id with its version, ``https://vault/secrets/name/version``; no secret.
        value: the key.
    """

    id: str
    value: str = field(repr=False)


@dataclass
class Secrets:
    """The secrets of one site on this machine. Safe to use from several threads."""

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Values of the environment: for a name, or for every shared key (``shared-key``)."""
    vault_id: str | None = None
    """The id of the key vault's secret that is the shared key; None if no vault is named."""
    _vault_key: VaultKey | None = None
    _local: dict[str, str] = field(default_factory=dict, repr=False)
    _written: dict[str, str] = field(default_factory=dict, repr=False)
    """What each resource was last given, by its id in lower case; of a vault's key the id."""
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @classmethod
    def open(
        cls, folder: Path, environment: Mapping[str, str], vault_id: str | None = None
    ) -> Secrets:
        """Return the secrets kept in a folder, and those given in the environment.

        Raises:
            UsageFailure: Azure does not accept a given value.
            UnknownReading: the file is damaged or may not be read.
        """
        by_name, written = _read(folder / FILE)
        return cls(folder, _read_given(environment), vault_id, None, by_name, written)

    @property
    def to_be_read(self) -> bool:
        """Whether a shared key must be read from the key vault before it can be written."""
        return self._is_in_vault(SHARED_KEY) and self._vault_key is None

    @property
    def vault_passed_over(self) -> bool:
        """Whether the site names a key vault and the environment a shared key."""
        return self.vault_id is not None and SHARED_KEY in self.environment

    def take(self, key: VaultKey) -> None:
        """Take over the shared key that was read from the vault, for this run.

        Raises:
            UsageFailure: Azure does not accept it.
        """
        if not _is_shared_key(key.value):
            blank = ", with a blank at the end" if key.value[-1:].isspace() else ""
            raise UsageFailure(
                f"{key.id} is not a valid shared key: expected 1 to 128 printable ASCII "
                f"characters, found {len(key.value)} characters{blank}",
                "Put a new version into the vault, or name another secret in the site file.",
            )
        with self._lock:
            self._vault_key = key

    def get_value(self, name: str) -> str:
        """Return a secret; generated, and kept before it is used if there is none."""
        with self._lock:
            value = self._get_given(name)
            if value is not None:
                return value
            if self._is_in_vault(name):
                if self._vault_key is None:
                    raise LookupError(f"{self.vault_id} has not been read")
                return self._vault_key.value
            if name not in self._local:
                self._local[name] = _generate(name)
                self._save()
            return self._local[name]

    def has_current_value(self, resource_id: str, name: str) -> bool:
        """Whether a resource was last given the secret's present value.

        If that is not certain, it may have another key than its opposite end.
        """
        with self._lock:
            written = self._written.get(resource_id.lower())
            if self._is_in_vault(name):
                return written is not None and self._is_vault_s(written)
            value = self._get_given(name) or self._local.get(name)
            return value is not None and written == value

    def note_written(self, resource_id: str, name: str) -> None:
        """Take down that a resource has the secret's present value."""
        value = self.get_value(name)
        with self._lock:
            if self._is_in_vault(name) and self._vault_key is not None:
                self._local.pop(name, None)
                self._written[resource_id.lower()] = self._vault_key.id
            else:
                self._local[name] = self._written[resource_id.lower()] = value
            self._save()

    def forget(self) -> None:
        """Remove every kept secret: what carried them is gone."""
        with self._lock:
            self._local.clear()
            self._written.clear()
            (self.folder / FILE).unlink(missing_ok=True)

    def _is_in_vault(self, name: str) -> bool:
        shared = name.split("/")[0] == SHARED_KEY
        return shared and self.vault_id is not None and self._get_given(name) is None

    def _is_vault_s(self, written: str) -> bool:
        """Whether what was written is the vault's key: the version read, or any until then."""
        if self._vault_key is not None:
            return written == self._vault_key.id
        named = str(self.vault_id)
        return written == named or written.startswith(f"{named}/")

    def _save(self) -> None:
        _write(self.folder / FILE, {"secrets": self._local, "written": self._written})

    def _get_given(self, name: str) -> str | None:
        return self.environment.get(name, self.environment.get(name.split("/")[0]))


def _read_given(environment: Mapping[str, str]) -> dict[str, str]:
    by_name: dict[str, str] = {}
    key = environment.get(SHARED_KEY_VARIABLE)
    if key is not None:
        if not _is_shared_key(key):
            raise UsageFailure(
                f"{SHARED_KEY_VARIABLE} is not a valid shared key",
                "Use 1 to 128 printable ASCII characters, or unset it to have one generated.",
            )
        by_name[SHARED_KEY] = key
    password = environment.get(PASSWORD_VARIABLE)
    if password is not None:
        if not SHORTEST <= len(password) <= LONGEST or _count_classes(password) < KINDS:
            raise UsageFailure(
                f"{PASSWORD_VARIABLE} is not a password that Azure accepts",
                "Use 12 to 72 characters with three of: lower case, upper case, digit, other. Or "
                "unset it to have one generated.",
            )
        by_name[ADMIN_PASSWORD] = password
    return by_name


def _is_shared_key(key: str) -> bool:
    """Whether Azure takes a text as a connection's shared key (documented)."""
    return 1 <= len(key) <= SHARED_KEY_MOST and key.isascii() and key.isprintable()


def _count_classes(password: str) -> int:
    """How many of Azure's four kinds of characters a password has (documented: three needed)."""
    count = sum(any(name in kind for name in password) for kind in CLASSES)
    return count + any(all(name not in kind for kind in CLASSES) for name in password)


def _generate(name: str) -> str:
    length = PASSWORD_LENGTH if name == ADMIN_PASSWORD else SHARED_KEY_LENGTH
    while True:
        value = "".join(secrets.choice("".join(CLASSES)) for _ in range(length))
        if _count_classes(value) == len(CLASSES):
            return value


def _read(file: Path) -> tuple[dict[str, str], dict[str, str]]:
    try:
        content = plain_json.parse_json(input_file.read(file, MOST_BYTES))
        value, written = content["secrets"], content["written"]
        if not all(isinstance(item, str) for part in (value, written) for item in part.values()):
            raise TypeError
        return dict(value), dict(written)
    except FileNotFoundError:
        return {}, {}
    except PermissionError:
        raise UnknownReading(
            f"{file} cannot be read: permission denied",
            "It belongs to the user who ran erfailover provision.",
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError, input_file.FileTooLarge):
        raise UnknownReading(
            f"{file} is damaged",
            "Move it away: provision then generates new shared keys and writes them to both "
            "ends of every tunnel.",
        ) from None


def _write(file: Path, parts: Mapping[str, Mapping[str, str]]) -> None:
    files.make_private_folder(file.parent)
    files.write(file, json.dumps({"version": 1, **parts}, indent=1, sort_keys=True))
