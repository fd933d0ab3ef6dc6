"""What no client of Azure can beat: the bound of a switch, by arithmetic alone.

Owns the arithmetic. It takes durations and limits as plain values, runs nothing, and imports
nothing of the controller. A bound is the largest of several relaxations, each of which holds by
itself for every client that keeps to the procedure (lend, peer, break, make, in this order for
each spoke), whatever it knows beforehand and in whichever order it serves the spokes:

- *chain*: a spoke's writes follow one another, since each owns the spoke's VNet or refers to it;
- *queue*: the writes that own the backup hub follow one another; before the first of them comes
  the shortest head of any spoke (none: the procedure begins with this write), and after the last
  of them the shortest tail;
- *hub*: a write that refers to the backup hub and one that owns it exclude each other, because
  Azure refuses both while the hub is ``Updating``. A spoke's peer and its make refer to the hub, so
  neither overlaps the queue: the queue and those two writes of any spoke follow one another;
- *tokens*: the k-th write cannot be sent before ARM has a token for it, nor before
  Microsoft.Network's window of five minutes has room.

Then BGP learns. A reading shows the table as it is when the reading ends, so it may begin while BGP
still learns: only the reading's token and the shortest duration that the seed can draw count.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from erfailover.lab.engine.throttling import Limits

DECIDING_POSTS = 3
"""Each table that decides is read by POST, which counts as a write: the peers and routes of the
target's gateway, and the routes of the other one, since leaving a healthy path is a question."""


@dataclass(frozen=True, slots=True)
class SpokeWrites:
    """How long the writes of one spoke take, in seconds, their first answers included.

    ``lend`` and ``peer`` are 0 where the site is prestaged.
    """

    break_: float
    make: float
    lend: float = 0.0
    peer: float = 0.0

    def compute_tails(self) -> tuple[float, ...]:
        """What each write on the spoke has ahead of it, itself included; the first one first."""
        ahead = [self.peer + self.break_ + self.make] if self.peer else []
        return (*ahead, self.break_ + self.make, self.make)


@dataclass(frozen=True, slots=True)
class Readings:
    """How long readings take, in seconds.

    ``deciding`` is the slowest of those that must precede the first write, ``arriving`` and
    ``leaving`` the shortest that can show the switch in the two gateways' tables.
    """

    deciding: float
    arriving: float
    leaving: float = 0.0


@dataclass(frozen=True, slots=True)
class Bound:
    """The least time of a switch, in seconds from its first write on.

    ``written_s`` until every make has ended, ``shown_s`` until readings show it all. ``rule`` is
    what decides: chain, queue, hub or tokens. ``deciding_s`` comes before.
    """

    written_s: float
    shown_s: float
    rule: str
    deciding_s: float

    @property
    def whole_s(self) -> float:
        """From the command's start on."""
        return self.deciding_s + self.shown_s


def compute_switch_bound(
    spokes: Sequence[SpokeWrites], readings: Readings, learn_s: float, limits: Limits
) -> Bound:
    """The bound of a switch of all spokes.

    Args:
        spokes: their writes, in any order.
        readings: how long the readings take.
        learn_s: how long BGP takes to show a change of peerings.
        limits: those on requests.
    """
    cold = any(spoke.lend for spoke in spokes)
    tails = [tail for spoke in spokes for tail in spoke.compute_tails()]
    if cold:
        tails += [spoke.lend + spoke.compute_tails()[0] for spoke in spokes]
    rules = {
        "chain": max(spoke.lend + spoke.compute_tails()[0] for spoke in spokes),
        "queue": queue_s(spokes) if cold else 0.0,
        "hub": hub_s(spokes) if cold else 0.0,
        "tokens": tokens_s(tails, limits, DECIDING_POSTS, readings.deciding),
    }
    rule = max(rules, key=lambda name: rules[name])  # of equal ones the first
    written_s = rules[rule]
    posted_s = arrival_s(len(tails) + 1, limits, DECIDING_POSTS, readings.deciding)
    arrived_s = max(written_s + learn_s, posted_s + readings.arriving)
    broken_s = max(spoke.lend + spoke.compute_tails()[0] - spoke.make for spoke in spokes)
    left_s = max(broken_s + learn_s, readings.leaving)
    return Bound(written_s, max(arrived_s, left_s), rule, readings.deciding)


def queue_s(spokes: Sequence[SpokeWrites]) -> float:
    """When the last make ends at the earliest, as far as the hub's queue decides."""
    return sum(spoke.lend for spoke in spokes) + min(spoke.compute_tails()[0] for spoke in spokes)


def hub_s(spokes: Sequence[SpokeWrites]) -> float:
    """When the last make ends at the earliest, as far as what refers to the hub decides."""
    return sum(spoke.lend for spoke in spokes) + max(spoke.peer + spoke.make for spoke in spokes)


def arrival_s(number: int, limits: Limits, used: int, age_s: float) -> float:
    """When the ``number``-th write (the first is 1) can be taken, in seconds from the first on.

    Args:
        number: which write.
        limits: those of ARM and of Microsoft.Network.
        used: how many writes were taken before the first, by readings that POST.
        age_s: how long before the first write the first of those was.
    """
    size, per_second = limits.writes
    left = min(size, size - used + age_s * per_second)
    by_tokens = max(0.0, (number - left) / per_second)
    windows, before = divmod(number + used - 1, limits.network_writes)
    if not windows:
        return by_tokens
    # No bucket holds more than its size when the window begins, however long it was left to fill.
    begins_s = windows * limits.network_window_s - age_s
    return max(by_tokens, begins_s + max(0.0, (before + 1 - size) / per_second))


def tokens_s(tails: Iterable[float], limits: Limits, used: int, age_s: float) -> float:
    """When the last make ends at the earliest, as far as tokens decide.

    Of the k writes with the longest tails (what each has ahead of it, itself included) the last
    one sent is sent no earlier than the k-th token, and then its tail follows.
    """
    ordered = sorted(tails, reverse=True)
    return max(
        arrival_s(number, limits, used, age_s) + tail for number, tail in enumerate(ordered, 1)
    )


@dataclass(frozen=True, slots=True)
class Tunnel:
    """How long the address, the gateway and the connection of one tunnel's end take."""

    address: float
    gateway: float
    connection: float


def compute_provision_bound(tunnels: Iterable[Tunnel]) -> float:
    """The longest chain of a provision: address, gateway, connection, in seconds."""
    return max(tunnel.address + tunnel.gateway + tunnel.connection for tunnel in tunnels)
