"""The checks of a site file's ``watch`` section. Pure.

No message repeats a notification's target: it may be a secret in the wrong place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from erfailover.config.validate_probes import is_endpoint
from erfailover.config.yaml_source import Keys, Problem
from erfailover.model.site import Site
from erfailover.model.watch_settings import (
    AppriseTarget,
    CommandTarget,
    MaintenanceWindow,
    NotificationTarget,
    Watch,
)

SHORTEST_CONFIRMATION_S = 5.0
SHORTEST_INTERVAL_S, LONGEST_INTERVAL_S = 10.0, 3600.0
TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
SECRET = re.compile(
    r"env:[A-Za-z_][A-Za-z0-9_]*|file:.+|https://[^/?#@\s]+/secrets/[A-Za-z0-9-]+/?"
)
"""Where a secret is: a variable, a file, or a secret of a Key Vault."""
A_SECRET = "env:NAME, file:PATH, or the URL of a Key Vault secret"


def find_problems(site: Site) -> Iterator[Problem]:
    """Yield what is wrong with the section."""
    watch = site.watch
    yield from _check_times(watch)
    yield from _check_signals(site, watch)
    if watch.max_switches_per_day < 1:
        yield Problem(
            ("watch", "max_switches_per_day"), "at least 1", str(watch.max_switches_per_day)
        )
    if watch.drill_due_days < 0:
        yield Problem(
            ("watch", "drill_due_days"), "days, or 0 for never", str(watch.drill_due_days)
        )
    if watch.witness is not None and not is_endpoint(watch.witness):
        yield Problem(("watch", "witness"), "host:port, like 192.0.2.1:443", repr(watch.witness))
    for i, window in enumerate(watch.maintenance):
        yield from _check_window(("watch", "maintenance", i), window)
    for i, target in enumerate(watch.notifications):
        yield from _check_target(("watch", "notifications", i), target)


def _check_times(watch: Watch) -> Iterator[Problem]:
    if not SHORTEST_INTERVAL_S <= watch.interval_s <= LONGEST_INTERVAL_S:
        yield Problem(("watch", "interval_s"), "10 to 3600 seconds", f"{watch.interval_s:g}")
    if not SHORTEST_CONFIRMATION_S <= watch.confirm_after_s <= watch.interval_s:
        yield Problem(
            ("watch", "confirm_after_s"),
            "at least 5 seconds, and at most interval_s",
            f"{watch.confirm_after_s:g}",
        )
    for name in ("cooldown_s", "approval_expires_s", "backup_not_ready_s"):
        value = getattr(watch, name)
        if not 0 < value < float("inf"):
            yield Problem(("watch", name), "seconds, above 0", f"{value:g}")


def _check_signals(site: Site, watch: Watch) -> Iterator[Problem]:
    for i, name in enumerate(watch.probes):
        if name not in site.probes:
            known = ", ".join(site.probes) or "none"
            yield Problem(
                ("watch", "probes", i), "a probe of this file", repr(name), f"it has: {known}"
            )
    if watch.mode == "automatic" and not watch.edge_sessions and not watch.probes:
        yield Problem(
            ("watch", "mode"),
            "observe or approve, because the gateway is the only signal",
            "automatic",
            "two signals must agree before a switch: add probes: or edge_sessions: true",
        )


def _check_window(keys: Keys, window: MaintenanceWindow) -> Iterator[Problem]:
    for name in ("start", "end"):
        value = getattr(window, name)
        if not TIME.fullmatch(value):
            yield Problem(
                (*keys, name), 'a time of day in UTC, in quotes, like "22:00"', repr(value)
            )
    if window.start == window.end:
        yield Problem((*keys, "end"), "a time other than start", repr(window.end))


def _check_target(keys: Keys, target: NotificationTarget) -> Iterator[Problem]:
    if isinstance(target, CommandTarget):
        if not target.command or not target.command[0]:
            yield Problem((*keys, "command"), "a program and its arguments, as a list", "none")
        if not 0 < target.timeout_s < LONGEST_INTERVAL_S:
            expected = "seconds, above 0 and below 3600"
            yield Problem((*keys, "timeout_s"), expected, f"{target.timeout_s:g}")
        return
    name, value = (
        ("apprise", target.apprise)
        if isinstance(target, AppriseTarget)
        else ("webhook", target.webhook)
    )
    if not SECRET.fullmatch(value):
        yield Problem((*keys, name), A_SECRET, "another value", "the site file holds no secrets")
