"""The URL of a target: a secret that is read from its place and kept in memory only.

Nothing here, and no message, repeats a value. A file may be readable by others: Kubernetes mounts
secrets in that way. Its permissions are the operator's decision, as for a private key.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from erfailover.errors import UsageFailure
from erfailover.runtime import input_file

VARIABLE, FILE = "env:", "file:"
"""How a place begins that is a variable or a file; any other is a secret of a Key Vault."""
MOST_BYTES = 16 * 1024
"""More than the longest URL; a file that is longer is something else."""


@dataclass(eq=False)
class SecretValue:
    """A secret that is read when it is first needed, and again once it was refused.

    Attributes:
        place: where it is: ``env:NAME``, ``file:PATH``, or the URL of a Key Vault secret.
        read: reads it.
    """

    place: str
    read: Callable[[], str] = field(repr=False)
    _value: str | None = field(default=None, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def get(self) -> str:
        """Return the secret.

        Raises:
            Failure: it cannot be read; see ``read_local``.
        """
        with self._lock:
            if self._value is None:
                self._value = self.read()
            return self._value

    def forget(self) -> None:
        """Have it read again next time: it may have been replaced."""
        with self._lock:
            self._value = None


def is_local(place: str) -> bool:
    """Return whether a place is a variable or a file, not a Key Vault."""
    return place.startswith((VARIABLE, FILE))


def read_local(place: str, folder: Path, environment: Mapping[str, str]) -> str:
    """Return the secret in a variable or a file, without blanks around it.

    Args:
        place: ``env:NAME`` or ``file:PATH``.
        folder: from which relative paths start: the site file's.
        environment: the variables.

    Raises:
        UsageFailure: there is none. The message names the place.
    """
    if place.startswith(VARIABLE):
        name = place.removeprefix(VARIABLE)
        value = environment.get(name)
        if value is None:
            raise UsageFailure(
                f"the variable {name} of watch.notifications is not set",
                f"Set {name} to the URL of the target for the process of erfailover watch.",
            )
    else:
        value = _read_file(folder, place.removeprefix(FILE))
    return check_value(place, value)


def check_value(place: str, value: str) -> str:
    """Return a secret without blanks around it.

    Raises:
        UsageFailure: it is empty, or is more than one line of printable text.
    """
    value = value.strip()
    if not value or not value.isprintable():
        raise UsageFailure(
            f"{place} of watch.notifications: expected one line with a URL, found "
            f"{'another text' if value else 'nothing'}",
            "Put the URL of the target there, and nothing else.",
        )
    return value


def _read_file(folder: Path, path: str) -> str:
    try:
        content = input_file.read(folder / Path(path).expanduser(), MOST_BYTES)
        return content.decode("utf-8")
    except input_file.FileTooLarge:
        problem = f"it has more than {input_file.format_size(MOST_BYTES)}"
    except OSError as error:
        problem = (error.strerror or type(error).__name__).lower()
    except UnicodeDecodeError:
        problem = "it is not text"
    except (RuntimeError, ValueError):
        problem = "the path is invalid"
    raise UsageFailure(
        f"the file {path} of watch.notifications cannot be read: {problem}",
        "Correct the path, or write the URL of the target into that file.",
    )
