"""The loss of customer edges: a circuit's edge routers lose their sessions, once or repeatedly.

Owns what the lab's own paths do to these sessions; no request of ARM does. The gateways' own
sessions with the edge routers stay up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from erfailover.lab.core import ids
from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.world import Resource
from erfailover.lab.engine.cloud import Cloud
from erfailover.lab.routing import circuit_sessions
from erfailover.lab.routing.circuit_sessions import PATHS

EPISODE = "sessionsEpisode"
"""The hidden counter of a circuit's requests: each request replaces the earlier ones."""


@dataclass(frozen=True, slots=True)
class SessionLoss:
    """Which sessions are lost, for how long, and how often.

    Attributes:
        paths: of which edge routers; none for all sessions up.
        seconds: how long each time; 0 for good.
        every: from one loss to the next, in seconds; 0 for a single one.
        times: how often; 0 for no end.
    """

    paths: tuple[str, ...] = PATHS
    seconds: float = 0.0
    every: float = 0.0
    times: int = 1

    def __post_init__(self) -> None:
        if not set(self.paths) <= set(PATHS):
            raise ValueError(f"paths must be {' or '.join(PATHS)}, not {', '.join(self.paths)}.")
        if self.seconds < 0 or self.every < 0 or self.times < 0:
            raise ValueError("seconds, every and times must be 0 or more.")
        if self.times != 1 and not 0 < self.seconds < self.every:
            raise ValueError("For repeated losses, seconds must be above 0 and below every.")


def find_circuit(lab: Cloud, name: str) -> Resource:
    """Return a circuit by its name or id.

    Raises:
        ValueError: no circuit matches.
    """
    lowered = name.lower()
    for circuit in lab.world.iter_by_type(rt.CIRCUIT):
        if lowered in (circuit.id.name.lower(), ids.to_key(circuit.id)):
            return circuit
    raise ValueError(f"Circuit {name} does not exist.")


def lose_sessions(lab: Cloud, circuit: Resource, loss: SessionLoss) -> None:
    """Make a circuit lose its sessions from now on, as described."""
    episode = str(int(circuit.hidden.get(EPISODE, "0")) + 1)
    circuit.hidden[EPISODE] = episode
    _Event(lab, ids.to_key(circuit.id), episode, loss, down=True)()
    lab.world.notify_listeners()


def read_loss(paths: Sequence[str], seconds: float, every: float, times: int) -> SessionLoss:
    """Return the loss that a request describes; raise ValueError if it is invalid."""
    return SessionLoss(tuple(map(str, paths)), float(seconds), float(every), int(times))


@dataclass(frozen=True, slots=True)
class _Event:
    """The event at which sessions are lost or restored."""

    lab: Cloud
    circuit: str
    episode: str
    loss: SessionLoss
    down: bool
    number: int = 1

    def __call__(self) -> None:
        """Change the sessions, unless a later request replaced this one."""
        circuit, loss = self.lab.world.get(self.circuit), self.loss
        if circuit is None or circuit.hidden.get(EPISODE) != self.episode:
            return
        circuit_sessions.set_lost_edges(circuit, *(loss.paths if self.down else ()))
        if self.down and loss.seconds:
            self._schedule(loss.seconds, down=False, number=self.number)
        elif not self.down and loss.times != self.number:
            self._schedule(loss.every - loss.seconds, down=True, number=self.number + 1)

    def _schedule(self, seconds: float, *, down: bool, number: int) -> None:
        following = _Event(self.lab, self.circuit, self.episode, self.loss, down, number)
        self.lab.world.schedule(self.lab.world.now + seconds, following)
