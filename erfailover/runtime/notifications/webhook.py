"""A webhook: the event is posted as a CloudEvents 1.0 message in structured mode, as JSON.

Documented: CloudEvents 1.0.2, "HTTP Protocol Binding", section 3.2. The answer's status decides;
its body is not read.
"""

from __future__ import annotations

import ipaddress
import json
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from urllib.parse import urlsplit

import requests

from erfailover import __version__
from erfailover.errors import Failure, UsageFailure
from erfailover.model.watch import Notification
from erfailover.runtime import logs
from erfailover.runtime.notifications.secret_value import SecretValue
from erfailover.runtime.notifications.target import DeliveryFailed

CONTENT_TYPE = "application/cloudevents+json"
CONNECT_S, ANSWER_S = 5.0, 15.0
"""How long a connection and each part of an answer may take, in wall seconds."""
LONGEST_RETRY_AFTER_S = 3600.0
"""An answer can ask for no longer pause."""
SUCCESS, REDIRECTION = 2, 3
"""The classes of the statuses 200 to 299 and 300 to 399."""


@dataclass(eq=False)
class Webhook:
    """A URL that CloudEvents are posted to.

    Attributes:
        url: the URL, a secret as a whole.
    """

    url: SecretValue

    @property
    def place(self) -> str:
        """What identifies it without its secret: ``webhook env:HOOK``."""
        return f"webhook {self.url.place}"

    def prepare(self) -> None:
        """Read the URL and check it.

        Raises:
            UsageFailure: there is none, or it is not one that is sent to.
            Failure: it cannot be read at the moment.
        """
        check_url(self.url.get(), self.url.place)

    def send(self, notification: Notification) -> None:
        """Post a notification once; nothing is retried, and no redirect is followed.

        Raises:
            DeliveryFailed: the answer was not 2xx, or there was none in time.
        """
        try:
            self.prepare()
            self._post(self.url.get(), notification)
        except Failure as failure:
            self.url.forget()
            if isinstance(failure, DeliveryFailed):
                raise
            raise DeliveryFailed(failure.message, failure.hint) from None

    def close(self) -> None:
        """End nothing: a request ends by itself."""

    def _post(self, url: str, notification: Notification) -> None:
        problem: str | None = None
        logs.silence_libraries()  # urllib3 logs the path of every request
        try:
            with requests.post(
                url,
                data=json.dumps(notification.cloud_event).encode(),
                headers={"Content-Type": CONTENT_TYPE, "User-Agent": f"erfailover/{__version__}"},
                timeout=(CONNECT_S, ANSWER_S),
                allow_redirects=False,
                stream=True,  # the body is not read
            ) as answer:
                status, headers = answer.status_code, dict(answer.headers)
        except (requests.RequestException, OSError, ValueError) as error:
            problem = describe_error(error)
        if problem is not None:  # outside of the handler: the error quotes the URL
            raise DeliveryFailed(f"{self.place}: {problem}")
        if status // 100 == SUCCESS:
            return
        redirected = ", a redirect, which is not followed" if status // 100 == REDIRECTION else ""
        raise DeliveryFailed(
            f"{self.place}: the response was {format_status(status)}{redirected}",
            retry_after_s=read_retry_after(headers),
        )


def check_url(url: str, place: str) -> None:
    """Check that a URL can be posted to: https, or http to this machine.

    Raises:
        UsageFailure: it cannot. The message names the place only.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
        is_accepted = bool(host) and (
            parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host))
        )
    except ValueError:
        is_accepted = False
    if not is_accepted:
        raise UsageFailure(
            f"{place} of watch.notifications: expected a URL of https, or of http to this machine, "
            "found another text",
            "Put the webhook's URL there, and nothing else.",
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def describe_error(error: Exception) -> str:
    """Return why there was no answer, without anything that the error quotes."""
    kinds = (
        (requests.exceptions.ProxyError, "the proxy did not answer or refused"),
        (requests.exceptions.SSLError, "TLS failed: the certificate or the protocol"),
        (requests.exceptions.ConnectTimeout, f"no connection within {CONNECT_S:.0f} s"),
        (requests.exceptions.Timeout, f"no response within {ANSWER_S:.0f} s"),
        (requests.exceptions.InvalidURL, "the URL is invalid"),
        (requests.exceptions.ConnectionError, "no connection, or it broke before the response"),
    )
    for kind, text in kinds:
        if isinstance(error, kind):
            return text
    return f"no valid response ({type(error).__name__})"


def format_status(status: int) -> str:
    """Return a status for people: ``HTTP 503 (Service Unavailable)``."""
    try:
        return f"HTTP {status} ({HTTPStatus(status).phrase})"
    except ValueError:
        return f"HTTP {status}"


def read_retry_after(headers: dict[str, str]) -> float | None:
    """Return the seconds that an answer asks to wait, at most an hour; None if it asks for none.

    A date is compared with the answer's own date, so that this machine's clock does not matter.
    """
    by_name = {name.lower(): value for name, value in headers.items()}
    text = by_name.get("retry-after", "").strip()
    if not text:
        return None
    try:
        seconds = (
            float(text) if text.isascii() and text.isdecimal() else _count_until(text, by_name)
        )
    except (TypeError, ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_S)


def _count_until(text: str, by_name: dict[str, str]) -> float:
    until, now = parsedate_to_datetime(text), parsedate_to_datetime(by_name.get("date", ""))
    return (until - now).total_seconds()
