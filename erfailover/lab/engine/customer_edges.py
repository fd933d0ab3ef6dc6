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
"""Where a circuit counts what was asked for: whatever was asked for before is over."""


@dataclass(frozen=True, slots=True)
class Loss:
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
            raise ValueError(f"paths are {' and '.join(PATHS)}, not {', '.join(self.paths)}")
        if self.seconds < 0 or self.every < 0 or self.times < 0:
            raise ValueError("seconds, every and times are 0 or more")
        if self.times != 1 and not 0 < self.seconds < self.every:
            raise ValueError("to be lost again, seconds is above 0 and below every")


def find_circuit(lab: Cloud, name: str) -> Resource:
    """Return a circuit by its name or id.

    Raises:
        ValueError: there is none.
    """
    wanted = name.lower()
    for each in lab.world.of_type(rt.CIRCUIT):
        if wanted in (each.id.name.lower(), ids.key(each.id)):
            return each
    raise ValueError(f"there is no circuit {name}")


def lose(lab: Cloud, circuit: Resource, loss: Loss) -> None:
    """Let a circuit's sessions be lost from now on, as described."""
    episode = str(int(circuit.hidden.get(EPISODE, "0")) + 1)
    circuit.hidden[EPISODE] = episode
    _Event(lab, ids.key(circuit.id), episode, loss, down=True)()
    lab.world.changed()


def read_loss(paths: Sequence[str], seconds: float, every: float, times: int) -> Loss:
    """Return a loss from the parts of a request; ValueError if they are wrong."""
    return Loss(tuple(map(str, paths)), float(seconds), float(every), int(times))


@dataclass(frozen=True, slots=True)
class _Event:
    """The clock's event at which sessions are lost, or are back."""

    lab: Cloud
    circuit: str
    episode: str
    loss: Loss
    down: bool
    number: int = 1

    def __call__(self) -> None:
        """Change the sessions, unless something else was asked for since."""
        circuit, loss = self.lab.world.get(self.circuit), self.loss
        if circuit is None or circuit.hidden.get(EPISODE) != self.episode:
            return
        circuit_sessions.lose(circuit, *(loss.paths if self.down else ()))
        if self.down and loss.seconds:
            self._then(loss.seconds, down=False, number=self.number)
        elif not self.down and loss.times != self.number:
            self._then(loss.every - loss.seconds, down=True, number=self.number + 1)

    def _then(self, seconds: float, *, down: bool, number: int) -> None:
        following = _Event(self.lab, self.circuit, self.episode, self.loss, down, number)
        self.lab.world.at(self.lab.world.now + seconds, following)
