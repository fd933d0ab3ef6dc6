"""Azure's limits on requests: ARM's token buckets, and Microsoft.Network's own.

Owns the buckets, and the headers with what remains in them. Time is the lab's modelled
time. Documented: a bucket for each principal and one, 15 times larger, for the subscription,
each for reads, writes and deletes; Microsoft.Network takes 1,000 writes and 10,000 reads in
five minutes, counted here from the first request of each such window (assumed). A POST counts
as a write (recorded: its answers carry the header of writes). A refused request costs nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from erfailover.lab.core.errors import Refusal, too_many_network_requests, too_many_requests

READS, WRITES, DELETES = "read", "write", "delete"


@dataclass(frozen=True, slots=True)
class Limits:
    """Request limits: a bucket's size, and its tokens per second."""

    reads: tuple[int, float] = (250, 25.0)
    writes: tuple[int, float] = (200, 10.0)
    deletes: tuple[int, float] = (200, 10.0)
    subscription_factor: int = 15
    network_reads: int = 10_000
    network_writes: int = 1_000
    network_window_s: float = 300.0

    def get_bucket(self, kind: str) -> tuple[int, float]:
        """Return the size and the refill rate of a principal's bucket."""
        return {READS: self.reads, WRITES: self.writes, DELETES: self.deletes}[kind]


@dataclass(slots=True)
class _Bucket:
    size: float
    per_second: float
    tokens: float
    at: float

    def refill(self, now: float) -> None:
        self.tokens = min(self.size, self.tokens + (now - self.at) * self.per_second)
        self.at = now

    def get_wait_s(self) -> int:
        """Return the whole seconds until a token is available; 0 if one is."""
        return max(0, math.ceil((1 - self.tokens) / self.per_second))


@dataclass(slots=True)
class Throttling:
    """The remaining request allowance; without limits every request passes."""

    limits: Limits | None
    _buckets: dict[tuple[str, str, str], _Bucket] = field(default_factory=dict)
    _windows: dict[tuple[str, str], tuple[float, int]] = field(default_factory=dict)

    def take(
        self, method: str, path: str, subscription: str, principal: str, now: float
    ) -> tuple[dict[str, str], Refusal | None]:
        """Count a request at a modelled time.

        Returns:
            The headers with what remains, and the refusal if the limit is exceeded.
        """
        limits = self.limits
        if limits is None or not subscription:
            return {}, None
        kind = {"GET": READS, "HEAD": READS, "DELETE": DELETES}.get(method, WRITES)
        own = self._get_bucket(kind, subscription, principal, now, limits, 1)
        shared = self._get_bucket(kind, subscription, "", now, limits, limits.subscription_factor)
        wait_s = max(own.get_wait_s(), shared.get_wait_s())
        refusal = too_many_requests(kind, subscription, principal, wait_s) if wait_s else None
        if refusal is None and "/providers/microsoft.network/" in path.lower():
            refusal = self._count_in_window(kind, method, subscription, now, limits)
        if refusal is None:
            own.tokens -= 1
            shared.tokens -= 1
        return {
            f"x-ms-ratelimit-remaining-subscription-{kind}s": str(int(own.tokens)),
            f"x-ms-ratelimit-remaining-subscription-global-{kind}s": str(int(shared.tokens)),
        }, refusal

    def _get_bucket(
        self, kind: str, subscription: str, principal: str, now: float, limits: Limits, factor: int
    ) -> _Bucket:
        key = kind, subscription, principal
        bucket = self._buckets.get(key)
        if bucket is None:
            size, per_second = limits.get_bucket(kind)
            bucket = _Bucket(size * factor, per_second * factor, size * factor, now)
            self._buckets[key] = bucket
        bucket.refill(now)
        return bucket

    def _count_in_window(
        self, kind: str, method: str, subscription: str, now: float, limits: Limits
    ) -> Refusal | None:
        reads = kind == READS
        limit = limits.network_reads if reads else limits.network_writes
        key = subscription, READS if reads else WRITES
        began, count = self._windows.get(key, (now, 0))
        if now >= began + limits.network_window_s:
            began, count = now, 0
        if count >= limit:
            wait_s = max(1, math.ceil(began + limits.network_window_s - now))
            return too_many_network_requests(method, subscription, wait_s)
        self._windows[key] = began, count + 1
        return None
