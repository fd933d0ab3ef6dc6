"""How many requests it takes to see a switch soon: overlapping readings of a gateway's table.

Simulates the readings that show a switch with durations drawn as the lab draws them, and prints for
several ways to overlap and poll them the mean number of requests and the mean delay since BGP has
learned the switch. Owns the simulation alone; the controller's choice is in ``route_watch``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from statistics import mean

from erfailover.commands.switch.route_watch import ARRIVING_LEADS_S, FIRST_POLL_S, POLLS_S
from erfailover.lab.core.timing import Durations
from tests.tools.bench import worlds

SETS = 3000
ACTION = "Microsoft.Network/virtualNetworkGateways/getlearnedroutes"
LEAST_S = 0.5
"""A reading that began less than this ago is not polled."""


@dataclass(frozen=True, slots=True)
class Way:
    """How readings overlap: how long before BGP has learned each begins, and when they are polled.

    All in seconds.
    """

    leads_s: tuple[float, ...]
    first_poll_s: float
    polls_s: float


CHOSEN = Way(ARRIVING_LEADS_S, FIRST_POLL_S, POLLS_S)
WAYS = (
    Way((5.0, 1.0, 0.5), 1.3, 0.7),
    Way((5.0, 1.0, 0.5, 0.0), 0.6, 0.5),
    Way((5.0, 1.0, 1.0, 0.5, 0.0), 0.6, 0.3),
    CHOSEN,
    Way((5.0, 1.0, 1.0, 0.5, 0.5, 0.0, 0.0), 0.3, 0.2),
)


def draw_durations(seed: int) -> Iterator[float]:
    """Yield the durations of one reading after the other of the backup's learned routes."""
    durations = Durations(seed)
    for number in count():
        yield durations.predict_seconds(ACTION, "post", "", worlds.BACKUP_GATEWAY.lower(), number)


def simulate(way: Way, durations: Iterator[float]) -> tuple[int, float]:
    """Return how many requests it took, and how long after BGP had learned the switch showed."""
    began = [-lead_s for lead_s in way.leads_s]
    ends = [at_s + next(durations) for at_s in began]
    requests = len(began)
    for poll in count():
        at_s, turn = way.first_poll_s + poll * way.polls_s, poll % len(began)
        if began[turn] > at_s - LEAST_S:
            continue
        requests += 1
        if ends[turn] > at_s:
            continue
        if ends[turn] >= 0.0:
            return requests, at_s
        began[turn], ends[turn] = at_s, at_s + next(durations)
        requests += 1
    raise AssertionError("unreachable")


def main(ways: Sequence[Way] = WAYS) -> None:
    """Print a row per way."""
    for way in ways:
        rows = [simulate(way, draw_durations(seed)) for seed in range(SETS)]
        requests, delay_s = mean(row[0] for row in rows), mean(row[1] for row in rows)
        mark = " (chosen)" if way == CHOSEN else ""
        print(f"{requests:.1f} requests: {delay_s:.1f} s after BGP has learned{mark}")


if __name__ == "__main__":
    main()
