"""The shared keys of the tunnels and the machines' password: made, kept, never shown.

Owns one file in the site's state folder, readable by its owner alone and replaced in one piece.
A value given in the environment goes before a kept one; what is neither is generated. No value
is ever printed, logged, or part of a plan or a message.
"""

from __future__ import annotations

import json
import os
import secrets
import string
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from erfailover.errors import UnknownReading, UsageFailure
from erfailover.topology import ADMIN_PASSWORD

FILE = "secrets.json"
SHARED_KEY_VARIABLE = "ERFAILOVER_SHARED_KEY"
PASSWORD_VARIABLE = "ERFAILOVER_ADMIN_PASSWORD"

SHARED_KEY_LENGTH = 48
PASSWORD_LENGTH = 40
CLASSES = (string.ascii_lowercase, string.ascii_uppercase, string.digits)


@dataclass
class Secrets:
    """The secrets of one site on this machine. Safe to use from several threads."""

    folder: Path
    given: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Values of the environment: for a name, or for every shared key (``shared-key``)."""
    _kept: dict[str, str] = field(default_factory=dict, repr=False)
    _written: dict[str, str] = field(default_factory=dict, repr=False)
    """What each resource was last given, by its id in lower case."""
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @classmethod
    def open(cls, folder: Path, environment: Mapping[str, str]) -> Secrets:
        """The secrets kept in a folder, and those given in the environment.

        Raises:
            UsageFailure: a given value is none that Azure takes.
            UnknownReading: the file is damaged or may not be read.
        """
        kept, written = _read(folder / FILE)
        return cls(folder, _given(environment), kept, written)

    def value(self, name: str) -> str:
        """A secret; generated, and kept before it is used, where there is none."""
        with self._lock:
            given = self._given_for(name)
            if given is not None:
                return given
            if name not in self._kept:
                self._kept[name] = _generated(name)
                self._save()
            return self._kept[name]

    def carries(self, resource_id: str, name: str) -> bool:
        """Whether a resource was last given the secret's present value.

        Where that is not certain, it may have another key than its opposite end.
        """
        with self._lock:
            value = self._given_for(name) or self._kept.get(name)
            return value is not None and self._written.get(resource_id.lower()) == value

    def wrote(self, resource_id: str, name: str) -> None:
        """Take down that a resource has the secret's present value."""
        value = self.value(name)
        with self._lock:
            self._kept[name] = self._written[resource_id.lower()] = value
            self._save()

    def forget(self) -> None:
        """Remove every kept secret: what carried them is gone."""
        with self._lock:
            self._kept.clear()
            self._written.clear()
            (self.folder / FILE).unlink(missing_ok=True)

    def _save(self) -> None:
        _write(self.folder / FILE, {"secrets": self._kept, "written": self._written})

    def _given_for(self, name: str) -> str | None:
        return self.given.get(name, self.given.get(name.split("/")[0]))


def _given(environment: Mapping[str, str]) -> dict[str, str]:
    given: dict[str, str] = {}
    key = environment.get(SHARED_KEY_VARIABLE)
    if key is not None:
        if not 1 <= len(key) <= 128 or not key.isascii() or not key.isprintable():
            raise UsageFailure(
                f"{SHARED_KEY_VARIABLE} is no shared key that Azure takes",
                "Give 1 to 128 printable ASCII characters, or unset it to have one generated.",
            )
        given["shared-key"] = key
    password = environment.get(PASSWORD_VARIABLE)
    if password is not None:
        if not 12 <= len(password) <= 72 or _classes(password) < 3:
            raise UsageFailure(
                f"{PASSWORD_VARIABLE} is no password that Azure takes",
                "Give 12 to 72 characters with three of: lower case, upper case, digit, other. "
                "Or unset it to have one generated.",
            )
        given[ADMIN_PASSWORD] = password
    return given


def _classes(password: str) -> int:
    """How many of Azure's four kinds of characters a password has (documented: three needed)."""
    known = sum(any(each in kind for each in password) for kind in CLASSES)
    return known + any(all(each not in kind for kind in CLASSES) for each in password)


def _generated(name: str) -> str:
    length = PASSWORD_LENGTH if name == ADMIN_PASSWORD else SHARED_KEY_LENGTH
    while True:
        value = "".join(secrets.choice("".join(CLASSES)) for _ in range(length))
        if _classes(value) == len(CLASSES):
            return value


def _read(file: Path) -> tuple[dict[str, str], dict[str, str]]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        kept, written = content["secrets"], content["written"]
        if not all(isinstance(each, str) for part in (kept, written) for each in part.values()):
            raise TypeError
        return dict(kept), dict(written)
    except FileNotFoundError:
        return {}, {}
    except PermissionError:
        raise UnknownReading(
            f"{file} may not be read", "It belongs to the user who ran erfailover provision."
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UnknownReading(
            f"{file} is damaged",
            "Move it away: provision then generates new shared keys and writes them to both "
            "ends of every tunnel.",
        ) from None


def _write(file: Path, parts: Mapping[str, Mapping[str, str]]) -> None:
    """Replace the file in one piece, readable by its owner alone."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file.parent.chmod(0o700)
    temporary = file.with_name(f"{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
    content = json.dumps({"version": 1, **parts}, indent=1, sort_keys=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(file)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
