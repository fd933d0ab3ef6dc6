"""Keeps a run within Azure's limits on requests, so that it never meets them.

All threads of a run share one budget: ARM's token buckets, as documented, corrected by what the
headers of the answers say is left, and Microsoft.Network's own limit over five minutes. The
pacing policy makes every request of a client wait for its token. It decides nothing else about
requests.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from azure.core.pipeline.policies import SansIOHTTPPolicy

from erfailover.azure.client import deadline as deadlines
from erfailover.azure.client.errors import retry_after_s
from erfailover.errors import AzureErrorKind, AzureFailure
from erfailover.model.durations import format_duration
from erfailover.runtime import waits
from erfailover.runtime.clock import Clock

SHORTEST_S = 0.001
"""A shorter wait is none."""

READS, WRITES, DELETES = "reads", "writes", "deletes"
KINDS = {"GET": READS, "HEAD": READS, "DELETE": DELETES}
BUCKETS = {READS: (250.0, 25.0), WRITES: (200.0, 10.0), DELETES: (200.0, 10.0)}
"""A bucket's size, and its tokens a second, of one principal in one subscription (documented:
"Understand how Azure Resource Manager throttles requests"). A POST counts as a write (recorded)."""

NETWORK_LIMITS = {READS: 10_000, WRITES: 1_000}
NETWORK_WINDOW_S = 300.0
"""Requests of a subscription that Microsoft.Network takes in five minutes (documented)."""

TOLD_S = 1.0
"""A wait for a token that is shorter is not worth a word."""
SPARE = 2.0
"""Tokens that are left in a bucket for whoever else has the same identity."""
FOR_READINGS, FOR_READINGS_IN_WINDOW = 4.0, 40
"""Of the writes that ARM takes at once, and Microsoft.Network in its window, so many are left to
readings by POST: a switch of hundreds of spokes must not keep its own gate waiting."""
LOOKS_AT_ONCE, LOOKS_PER_S = 200.0, 14.0
"""How many looks at operations a run makes at once, and then a second: half of what ARM grants
for reads. The rest is for readings, and for whoever else has the same identity."""


@dataclass
class _Bucket:
    size: float
    per_second: float
    tokens: float
    at: float

    def refill(self, now: float) -> None:
        if now > self.at:
            self.tokens = min(self.size, self.tokens + (now - self.at) * self.per_second)
            self.at = now


@dataclass
class RateLimiter:
    """What a run may still ask of Azure.

    Attributes:
        writes: how many requests other than GET it has sent to a subscription.
    """

    clock: Clock
    writes: int = 0
    _buckets: dict[tuple[str, str], _Bucket] = field(default_factory=dict)
    _windows: dict[tuple[str, str], deque[float]] = field(default_factory=dict)
    _prepaid: set[str] = field(default_factory=set)
    _exempt: set[str] = field(default_factory=set)
    _waiting: dict[tuple[str, str], int] = field(default_factory=dict)
    _watching: int = 0
    _looks: _Bucket = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._looks = _Bucket(LOOKS_AT_ONCE, LOOKS_PER_S, LOOKS_AT_ONCE, self.clock.now())

    def take(self, method: str, url: str) -> None:
        """Take a token for a request, and wait until it is there.

        Args:
            method: HTTP's.
            url: the whole URL; one without a subscription has no limit that is known.

        Raises:
            AzureFailure: kind THROTTLED: the caller's deadline is earlier than that.
        """
        subscription = parse_subscription(url)
        if subscription is None:
            return
        with self._lock:
            if method == "PUT" and parse_path(url) in self._prepaid:
                self._prepaid.discard(parse_path(url))
                return
            if method == "PUT" and parse_path(url) in self._exempt:
                self._consume(method, subscription, is_network(url), 1)
                return
        self._wait_for(method, subscription, is_network(url), 1)

    def prepay(self, resource_ids: Iterable[str], within_s: float = math.inf) -> None:
        """Take the tokens of some writes to come, and wait until all of them are there.

        A spoke that was disconnected must be connected at once: its make does not wait for a token.

        Args:
            resource_ids: what is going to be written, once each.
            within_s: how long to wait for the tokens at most, in seconds.

        Raises:
            AzureFailure: kind THROTTLED: they are not there by then.
        """
        ids = list(resource_ids)
        with deadlines.apply_deadline(self.clock.now() + within_s):
            for subscription in {parse_subscription(id_) for id_ in ids} - {None}:
                lines = [id_ for id_ in ids if parse_subscription(id_) == subscription]
                self._wait_for("PUT", str(subscription), is_network(lines[0]), len(lines))
        with self._lock:
            self._prepaid.update(map(parse_path, ids))

    def forgo(self, resource_ids: Iterable[str]) -> None:
        """Give back the room of writes that are not going to be sent."""
        with self._lock:
            self._prepaid.difference_update(map(parse_path, resource_ids))

    def exempt(self, resource_ids: Iterable[str], exempt: bool) -> None:
        """Let the writes of some resources pass without waiting, or no longer.

        A write that restores a path never waits for a token.
        """
        change = self._exempt.update if exempt else self._exempt.difference_update
        with self._lock:
            change(map(parse_path, resource_ids))

    def _wait_for(self, method: str, subscription: str, network: bool, count: int) -> None:
        """Wait until there are so many tokens, and take them.

        A request never delays one that needs less: a reading passes writes that wait for the
        next window. Among themselves the waiting are spread over the time to come.
        """
        queue = method, subscription
        while True:
            with self._lock:
                lacking_s, per_second = self._compute_shortfall_s(
                    method, subscription, network, count
                )
                if lacking_s < SHORTEST_S:
                    self._consume(method, subscription, network, count)
                    return
                ahead = self._waiting.get(queue, 0)
                wait_s = lacking_s + ahead * count / per_second
                kind = KINDS.get(method, WRITES)
                if self.clock.now() + wait_s > deadlines.get_deadline():
                    raise AzureFailure(
                        AzureErrorKind.THROTTLED,
                        f"Azure's rate limit on {kind} is used up for another "
                        f"{format_duration(wait_s)}, longer than this request can wait",
                        "Run the command again later. Other clients that use this identity share "
                        "the limit.",
                        retry_after_s=wait_s,
                    )
                self._waiting[queue] = ahead + 1
            if wait_s >= TOLD_S:
                waits.tell(waits.Wait(f"waiting for Azure's rate limit on {kind}", wait_s))
            try:
                self.clock.sleep(wait_s)
            finally:
                with self._lock:
                    self._waiting[queue] -= 1

    def _compute_shortfall_s(
        self, method: str, subscription: str, network: bool, count: int
    ) -> tuple[float, float]:
        """How long it takes until there are so many tokens, and how many come a second."""
        now, kind, writes = self.clock.now(), KINDS.get(method, WRITES), method == "PUT"
        bucket = self._get_bucket(kind, subscription, now)
        spare = SPARE + (FOR_READINGS if writes else 0.0)
        lacking_s = max(0.0, (spare + count - bucket.tokens) / bucket.per_second)
        if network:
            window = self._get_window(kind, subscription, now)
            limit = NETWORK_LIMITS[READS if kind == READS else WRITES]
            room = limit - (FOR_READINGS_IN_WINDOW if writes else 0) - len(window)
            if room < count:
                freed = window[count - room - 1]
                lacking_s = max(lacking_s, freed + NETWORK_WINDOW_S + 1.0 - now)
        return lacking_s, bucket.per_second

    def _consume(self, method: str, subscription: str, network: bool, count: int) -> None:
        now, kind = self.clock.now(), KINDS.get(method, WRITES)
        self.writes += count if kind != READS else 0
        self._get_bucket(kind, subscription, now).tokens -= count
        if network:
            self._get_window(kind, subscription, now).extend([now] * count)

    def _get_window(self, kind: str, subscription: str, now: float) -> deque[float]:
        """When Microsoft.Network was asked in the last five minutes, the oldest first."""
        key = READS if kind == READS else WRITES, subscription
        window = self._windows.setdefault(key, deque())
        while window and window[0] <= now - NETWORK_WINDOW_S - 1.0:
            window.popleft()
        return window

    def _get_bucket(self, kind: str, subscription: str, now: float) -> _Bucket:
        key = kind, subscription
        if key not in self._buckets:
            size, per_second = BUCKETS[kind]
            self._buckets[key] = _Bucket(size, per_second, size, now)
        bucket = self._buckets[key]
        bucket.refill(now)
        return bucket

    def record_remaining(self, method: str, url: str, headers: Mapping[str, str]) -> None:
        """Apply what a response reports as left: other clients use the same bucket."""
        subscription = parse_subscription(url)
        kind = KINDS.get(method, WRITES)
        remaining = headers.get(f"x-ms-ratelimit-remaining-subscription-{kind}")
        if subscription is None or remaining is None or not remaining.isdecimal():
            return
        with self._lock:
            bucket = self._get_bucket(kind, subscription, self.clock.now())
            bucket.tokens = min(bucket.tokens, float(remaining))

    def record_refusal(self, method: str, url: str, wait_s: float) -> None:
        """Record that Azure throttled a request: this run sends none before its time is up.

        Args:
            method: HTTP's.
            url: what was requested.
            wait_s: what Azure says; it counts up to the deadline of the caller.
        """
        subscription = parse_subscription(url)
        wait_s = min(wait_s, deadlines.get_deadline() - self.clock.now())
        if subscription is None or wait_s <= 0.0:
            return
        with self._lock:
            bucket = self._get_bucket(KINDS.get(method, WRITES), subscription, self.clock.now())
            bucket.tokens = min(bucket.tokens, SPARE - wait_s * bucket.per_second)

    @contextmanager
    def share_polls(self) -> Iterator[None]:
        """While an operation is watched, the looks of all are spread over the budget."""
        with self._lock:
            self._watching += 1
        try:
            yield
        finally:
            with self._lock:
                self._watching -= 1

    def compute_poll_delay_s(self) -> float:
        """How long a look must keep off, at least, since others want to look too; in seconds."""
        with self._lock:
            self._looks.refill(self.clock.now())
            self._looks.tokens = max(self._looks.tokens - 1.0, 0.0)
            return max(0.0, self._watching - self._looks.tokens) / LOOKS_PER_S


def is_network(url: str) -> bool:
    """Whether a URL is Microsoft.Network's."""
    return "/providers/microsoft.network/" in url.lower()


def parse_path(url: str) -> str:
    """Return what a URL names, in lower case: a resource id."""
    actual = url.lower().partition("?")[0]
    return actual[actual.find("/subscriptions/") :]


def parse_subscription(url: str) -> str | None:
    """Return the subscription that a URL names, in lower case."""
    _, actual, rest = url.lower().partition("/subscriptions/")
    return rest.split("/", 1)[0].split("?", 1)[0] or None if actual else None


def is_exhausted(headers: Mapping[str, str]) -> bool:
    """Whether an answer says that a bucket has no token left."""
    return any(
        headers.get(f"x-ms-ratelimit-remaining-subscription-{kind}") == "0" for kind in BUCKETS
    )


class PacingPolicy(SansIOHTTPPolicy):  # type: ignore[type-arg]
    """Waits for a token before a request is sent."""

    def __init__(self, budget: RateLimiter) -> None:
        self._budget = budget

    def on_request(self, request: Any) -> None:
        """Take a token, and wait until it is there."""
        sent = request.http_request
        self._budget.take(sent.method, sent.url)

    def on_response(self, request: Any, response: Any) -> None:
        """Note what is left, and a refusal for asking too much.

        A 429 with tokens left in the bucket is another matter: contention, or a limit of
        Microsoft.Network's, which the one that met it waits out.
        """
        sent, answer = request.http_request, response.http_response
        self._budget.record_remaining(sent.method, sent.url, answer.headers)
        wait_s = retry_after_s(answer.headers)
        if (
            answer.status_code == HTTPStatus.TOO_MANY_REQUESTS
            and wait_s is not None
            and is_exhausted(answer.headers)
        ):
            self._budget.record_refusal(sent.method, sent.url, wait_s)
