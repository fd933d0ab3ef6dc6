"""Spans of time, and what of one is free of others."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

Span = tuple[float, float]
"""From a moment to just before another."""


class Spans:
    """Spans in order; those that overlap are joined."""

    def __init__(self, spans: Iterable[Span] = ()) -> None:
        joined: list[Span] = []
        for start, end in sorted(span for span in spans if span[1] > span[0]):
            if joined and start <= joined[-1][1]:
                joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
            else:
                joined.append((start, end))
        self.spans = joined
        self._starts = [start for start, _ in joined]

    def holds(self, at: float) -> bool:
        """Whether a moment lies in one."""
        index = bisect_right(self._starts, at) - 1
        return index >= 0 and at < self.spans[index][1]

    def touches(self, start: float, end: float) -> bool:
        """Whether one shares a moment with a span."""
        return self.holds(start) or bisect_right(self._starts, end) > bisect_right(
            self._starts, start
        )

    def clip(self, start: float, end: float) -> list[Span]:
        """What of them lies in a span."""
        first = max(0, bisect_right(self._starts, start) - 1)
        last = bisect_right(self._starts, end)
        clipped = [(max(a, start), min(b, end)) for a, b in self.spans[first:last]]
        return [(a, b) for a, b in clipped if b > a]


def find_longest_free(span: Span, obstacles: Iterable[Spans]) -> Span:
    """The longest part of a span in which there is no obstacle; an empty one if there is none."""
    taken = Spans(part for spans in obstacles for part in spans.clip(*span)).spans
    edges = [span[0], *(edge for part in taken for edge in part), span[1]]
    return max(zip(edges[::2], edges[1::2], strict=True), key=lambda part: part[1] - part[0])
