"""Apprise: Slack, Teams, PagerDuty, mail and others, each by a URL that is a secret.

Apprise's log quotes URLs, tokens and answers of servers on every level (seen in its source, 2.3:
``Could not load ... URL`` as a warning, the whole URL and the answer's body at DEBUG). So nothing
that it logs passes; only the HTTP status of a failure is taken from it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from erfailover.errors import Failure, UsageFailure
from erfailover.model.watch import Event, Notification, Severity
from erfailover.runtime import logs
from erfailover.runtime.notifications.secret_value import SecretValue
from erfailover.runtime.notifications.target import DeliveryFailed
from erfailover.runtime.notifications.webhook import format_status

LOGGER = "apprise"
STATUS = re.compile(r"\berror=([1-5][0-9]{2})\b")
"""How Apprise logs the status of a refused request."""

KINDS = MappingProxyType(
    {Severity.INFO: "info", Severity.WARNING: "warning", Severity.CRITICAL: "failure"}
)
"""Apprise's words for severities; an event that ends an incident is a ``success``."""

INCIDENT_PARAMETERS: Mapping[str, Mapping[str, str | None]] = MappingProxyType(
    {
        "pagerduty": {"dedup": None, "action": "map"},
        "splunk": {"entity_id": None},
        "victorops": {"entity_id": None},
    }
)
"""Services that keep incidents: by the scheme of their URLs, the parameters that name the incident
(None) and have a ``success`` resolve it. Documented in Apprise's pages on each service."""


@dataclass(eq=False)
class AppriseTarget:
    """A service that Apprise can send to.

    Attributes:
        url: Apprise's URL, a secret as a whole.
    """

    url: SecretValue

    @property
    def place(self) -> str:
        """What identifies it without its secret: ``apprise env:SLACK``."""
        return f"apprise {self.url.place}"

    def prepare(self) -> None:
        """Load Apprise, read the URL and check that Apprise knows such URLs.

        Raises:
            UsageFailure: Apprise is not installed, or the URL is missing or unknown.
            Failure: the URL cannot be read at the moment.
        """
        self._build_sender(_load_apprise(), self.url.get())

    def send(self, notification: Notification) -> None:
        """Send a notification once.

        Raises:
            DeliveryFailed: Apprise reported a failure. Why is known only as an HTTP status, if
                there was one: the rest may hold the URL.
        """
        try:
            apprise = _load_apprise()
            url = add_incident(self.url.get(), notification.event)
            sender = self._build_sender(apprise, url)
            self._notify(apprise, sender, notification)
        except Failure as failure:
            self.url.forget()
            if isinstance(failure, DeliveryFailed):
                raise
            raise DeliveryFailed(failure.message, failure.hint) from None

    def close(self) -> None:
        """End nothing: a request ends by itself."""

    def _build_sender(self, apprise: Any, url: str) -> Any:
        asset = apprise.AppriseAsset(
            app_id="erfailover",
            app_desc="erfailover watch",
            async_mode=False,
            secure_logging=True,
            http_redirects=False,
            image_url_mask="",
            image_url_logo="",
        )
        service = None
        with suppress(Exception):  # of a plugin: its message may quote the URL
            service = apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
        if service is None:
            raise UsageFailure(
                f"{self.url.place} of watch.notifications: expected one URL of a service that "
                "Apprise knows, found another text",
                "Try it with Apprise's own command: apprise --dry-run URL",
            )
        sender = apprise.Apprise(asset=asset)
        sender.add(service)
        return sender

    def _notify(self, apprise: Any, sender: Any, notification: Notification) -> None:
        is_accepted, problem = False, "Apprise reported a failure"
        statuses: list[int] = []
        token = _statuses.set(statuses)
        try:
            is_accepted = bool(
                sender.notify(
                    title=notification.title,
                    body=notification.body,
                    notify_type=_get_kind(notification.event),
                    body_format=apprise.NotifyFormat.TEXT,
                )
            )
        except Exception as error:  # of a plugin: its message may quote the URL
            problem = f"Apprise failed ({type(error).__name__})"
        finally:
            _statuses.reset(token)
        if is_accepted:
            return
        if statuses:
            problem += f": the response was {format_status(statuses[-1])}"
        raise DeliveryFailed(
            f"{self.place}: {problem}", "Apprise's own command shows more: apprise -vv URL"
        )


def add_incident(url: str, event: Event) -> str:
    """Return a URL with the key of the event's incident, if the service keeps incidents.

    What the URL sets itself is left as it is.
    """
    try:
        parts = urlsplit(url)
        present = {name.lower() for name in parse_qs(parts.query, keep_blank_values=True)}
    except ValueError:
        return url
    parameters = INCIDENT_PARAMETERS.get(parts.scheme.lower(), {})
    added = "&".join(
        f"{name}={quote(event.incident if value is None else value, safe='')}"
        for name, value in parameters.items()
        if name not in present
    )
    if not added:
        return url
    return f"{url}{'&' if parts.query else '?'}{added}"


def _get_kind(event: Event) -> str:
    return "success" if event.resolves else KINDS[event.severity]


def _load_apprise() -> Any:
    """Return Apprise, with its log silenced.

    Raises:
        UsageFailure: it is not installed.
    """
    _silence_log()
    try:
        import apprise
    except ModuleNotFoundError as error:
        if str(error.name).split(".")[0] != "apprise":
            raise
    else:
        return apprise
    raise UsageFailure(
        "watch.notifications has a target of Apprise, but the package for it is not installed",
        "Install it: pip install 'erfailover[watch]'",
    )


_statuses: ContextVar[list[int] | None] = ContextVar("statuses", default=None)
"""The statuses of the request that is under way; Apprise's own threads inherit it."""


class _StatusFilter(logging.Filter):
    """Lets nothing of Apprise's log pass; keeps the HTTP statuses for the sender."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Take the status from a record, and drop the record."""
        statuses = _statuses.get()
        if statuses is not None and (match := STATUS.search(record.getMessage())):
            statuses.append(int(match[1]))
        return False


_FILTER = _StatusFilter()


def _silence_log() -> None:
    logs.silence_libraries()
    log = logging.getLogger(LOGGER)
    log.setLevel(logging.WARNING)  # the level at which statuses are logged
    log.addFilter(_FILTER)  # adding it again changes nothing
