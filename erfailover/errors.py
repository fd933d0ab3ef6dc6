"""The ways a command can fail, each with the exit code of the documented table.

A message says what was expected and what was seen; a hint says what to do next. ``cli`` prints
both and exits with the code; no other module prints.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Self

LATIN_1 = 0xFF
"""The last code point that two hexadecimal digits can name."""

STYLE = r"\x1b\[[0-9;]*m"
"""A control sequence that sets a colour or style, and nothing else."""
DRAWING = rf"{STYLE}|\x1b\[\??[0-9;]*[A-HJKhlsu]|\r"
"""The sequences by which a live display is drawn: styles, the cursor, erasing, modes."""
_UNPRINTABLE = (
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ufeff"
    r"\ufff9-\ufffb\ud800-\udfff]"
)
"""C0 without tab and line feed, DEL, C1, what changes the direction of text, line separators, and
halves of surrogate pairs."""
_CLEAN = {text: re.compile(f"({text})|{_UNPRINTABLE}") for text in ("(?!)", STYLE, DRAWING)}


def escape_controls(text: str, allowed: str = "(?!)") -> str:
    """Return a text without characters that control a terminal; escapes replace them.

    The one place that decides what may be printed of what Azure, a file or a program said.

    Args:
        text: any text.
        allowed: the sequences that are left as they are, ``STYLE`` or ``DRAWING``; none by default.
    """
    if text.isascii() and text.isprintable():
        return text
    if allowed is not DRAWING:
        text = text.replace("\r\n", "\n")
    return _CLEAN[allowed].sub(lambda match: match[1] or _escape_char(match[0]), text)


def is_one_line(text: str) -> bool:
    """Whether a text can be printed as it is, on one line."""
    return "\n" not in text and "\t" not in text and escape_controls(text) == text


def _escape_char(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code <= LATIN_1 else f"\\u{code:04x}"


class Failure(Exception):
    """A command could not do what it was asked to do."""

    exit_code = 1

    def __init__(self, message: str, hint: str | None = None) -> None:
        self.message = escape_controls(message)
        self.hint = hint and escape_controls(hint)
        super().__init__(self.message)

    def reword(self, message: str, hint: str | None) -> Self:
        """Return the same failure with other words."""
        other = type(self).__new__(type(self), message)
        other.__dict__.update(self.__dict__)
        other.message, other.hint = message, hint
        return other


class UsageFailure(Failure):
    """The command line or the site file is wrong."""

    exit_code = 2


class LabFailure(Failure):
    """The lab did not start; the exit code is the lab's."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Refused(Failure):
    """A guard refused: a precondition, the lease, a confirmation."""

    exit_code = 3


class LeaseLost(Refused):
    """Another run holds the site's lease: nothing further may be written."""


class UnknownReading(Failure):
    """Something that had to be known could not be read."""

    exit_code = 4


class AzureErrorKind(StrEnum):
    """What an error of Azure means for what to do next."""

    THROTTLED = "throttled"
    """Too many requests: wait as long as Retry-After says."""
    CONTENTION = "contention"
    """Another operation holds the resource: try again soon."""
    SERVER = "server"
    """Azure failed: a write may have been done or not."""
    CONNECTION = "connection"
    """No answer came: a write may have been done or not."""
    AUTHENTICATION = "authentication"
    """The token was not accepted, or none could be obtained."""
    OTHER_TENANT = "in another tenant"
    """The token is not one of the tenant that owns the subscription: it concerns that one only."""
    NOT_FOUND = "not found"
    """The resource does not exist; its subscription, its group and its type do."""
    GROUP_NOT_FOUND = "no such resource group"
    SUBSCRIPTION_NOT_FOUND = "no such subscription"
    """It does not exist, or the identity has no right in it."""
    NOT_OFFERED = "not offered"
    """The cloud or the region does not know the type or the API version; the resource may exist."""
    OPERATION_LOST = "operation lost"
    """The URL of an accepted operation does not say how it ended: it may have been done or not."""
    NOT_SUPPORTED = "not supported"
    """erfailover has no client for such a resource: nothing was sent."""
    REFUSED = "refused"
    """Azure rejected the request; repeating it does not help."""
    DEADLINE = "deadline"
    """It took longer than we wait; it may still happen."""


MISPLACED = frozenset(
    {
        AzureErrorKind.SUBSCRIPTION_NOT_FOUND,
        AzureErrorKind.OTHER_TENANT,
        AzureErrorKind.GROUP_NOT_FOUND,
        AzureErrorKind.NOT_OFFERED,
    }
)
"""The request did not reach the resource: what is wrong is where it was looked for."""


class AzureFailure(Failure):
    """Azure refused, failed, or did not answer."""

    exit_code = 5

    def __init__(
        self,
        kind: AzureErrorKind,
        message: str,
        hint: str | None = None,
        *,
        code: str | None = None,
        status: int | None = None,
        retry_after_s: float | None = None,
        correlation_id: str | None = None,
        path: str = "",
    ) -> None:
        super().__init__(message, hint)
        self.kind = kind
        self.code = code
        self.status = status
        self.retry_after_s = retry_after_s
        self.correlation_id = correlation_id
        self.path = path

    @property
    def may_pass(self) -> bool:
        """Whether another operation holds the resource, or Azure did not say how long to wait."""
        return self.kind is AzureErrorKind.CONTENTION or (
            self.kind is AzureErrorKind.THROTTLED and self.retry_after_s is None
        )

    @property
    def outcome_unknown(self) -> bool:
        """Whether a write may have been done although it failed."""
        return self.kind in (
            AzureErrorKind.SERVER,
            AzureErrorKind.CONNECTION,
            AzureErrorKind.DEADLINE,
            AzureErrorKind.OPERATION_LOST,
        )


class StateFailure(Failure):
    """The site's journal or lease could not be read or written."""

    exit_code = 5


class VerificationFailed(Failure):
    """It was done, but its effect could not be verified."""

    exit_code = 6


class Interrupted(Failure):
    """The operator stopped it; the same command resumes it."""

    exit_code = 130
