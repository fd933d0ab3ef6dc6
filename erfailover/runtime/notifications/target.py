"""What every target of notifications has in common."""

from __future__ import annotations

from typing import Protocol

from erfailover.errors import Failure
from erfailover.model.watch import Notification


class DeliveryFailed(Failure):
    """A target did not accept a notification. The message holds no secret and no URL.

    Attributes:
        retry_after_s: how long the target asked to be left alone, in seconds; None if it did not.
    """

    exit_code = 5

    def __init__(
        self, message: str, hint: str | None = None, *, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message, hint)
        self.retry_after_s = retry_after_s


class Target(Protocol):
    """A place that notifications are sent to. Used by one thread, except for ``close``."""

    @property
    def place(self) -> str:
        """What identifies it without its secret: ``webhook env:HOOK``."""

    def prepare(self) -> None:
        """Check, before the first notification, that it can be used; sends nothing.

        Raises:
            UsageFailure: its secret is missing or is not of the expected form, or a package is
                not installed.
            Failure: its secret cannot be read at the moment.
        """

    def send(self, notification: Notification) -> None:
        """Send a notification; once it returns, the target has accepted it.

        Raises:
            DeliveryFailed: the target has not accepted it, or it is not known whether it has.
        """

    def close(self) -> None:
        """End what still runs."""
