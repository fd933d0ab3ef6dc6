"""Azure's limits on requests: ARM's token buckets, and Microsoft.Network's own.

Owns the buckets, and the headers that tell what is left in them. Time is the lab's modelled
time. Documented: a bucket for each principal and one, 15 times larger, for the subscription,
each for reads, writes and deletes; Microsoft.Network takes 1,000 writes and 10,000 reads in
five minutes, counted here from the first request of each such window (assumed). A POST counts
as a write (recorded: its answers carry the header of writes). A refused request costs nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from erfailover.lab.core.errors import Refusal, network_throttled, throttled

READS, WRITES, DELETES = "read", "write", "delete"


@dataclass(frozen=True, slots=True)
class Limits:
    """How many requests are taken: a bucket's size, and its tokens a second."""

    reads: tuple[int, float] = (250, 25.0)
    writes: tuple[int, float] = (200, 10.0)
    deletes: tuple[int, float] = (200, 10.0)
    subscription_factor: int = 15
    network_reads: int = 10_000
    network_writes: int = 1_000
    network_window_s: float = 300.0

    def bucket(self, kind: str) -> tuple[int, float]:
        """The size and the refill of a principal's bucket."""
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

    def wait_s(self) -> int:
        """Whole seconds until there is a token; 0 where there is one."""
        return max(0, math.ceil((1 - self.tokens) / self.per_second))


@dataclass(slots=True)
class Throttling:
    """What is left of the limits; with no limits everything is taken."""

    limits: Limits | None
    _buckets: dict[tuple[str, str, str], _Bucket] = field(default_factory=dict)
    _windows: dict[tuple[str, str], tuple[float, int]] = field(default_factory=dict)

    def take(
        self, method: str, path: str, subscription: str, principal: str, now: float
    ) -> tuple[dict[str, str], Refusal | None]:
        """Count a request at a modelled time.

        Returns:
            The headers that tell what is left, and why the request is not taken.
        """
        limits = self.limits
        if limits is None or not subscription:
            return {}, None
        kind = {"GET": READS, "HEAD": READS, "DELETE": DELETES}.get(method, WRITES)
        own = self._bucket(kind, subscription, principal, now, limits, 1)
        shared = self._bucket(kind, subscription, "", now, limits, limits.subscription_factor)
        wait_s = max(own.wait_s(), shared.wait_s())
        refusal = throttled(kind, subscription, principal, wait_s) if wait_s else None
        if refusal is None and "/providers/microsoft.network/" in path.lower():
            refusal = self._window(kind, method, subscription, now, limits)
        if refusal is None:
            own.tokens -= 1
            shared.tokens -= 1
        return {
            f"x-ms-ratelimit-remaining-subscription-{kind}s": str(int(own.tokens)),
            f"x-ms-ratelimit-remaining-subscription-global-{kind}s": str(int(shared.tokens)),
        }, refusal

    def _bucket(
        self, kind: str, subscription: str, principal: str, now: float, limits: Limits, factor: int
    ) -> _Bucket:
        key = kind, subscription, principal
        bucket = self._buckets.get(key)
        if bucket is None:
            size, per_second = limits.bucket(kind)
            bucket = _Bucket(size * factor, per_second * factor, size * factor, now)
            self._buckets[key] = bucket
        bucket.refill(now)
        return bucket

    def _window(
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
            return network_throttled(method, subscription, wait_s)
        self._windows[key] = began, count + 1
        return None
