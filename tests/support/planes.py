"""A data plane with another name, whose news come from a test; the model does its work."""

from __future__ import annotations

from erfailover.lab.core.world import World
from erfailover.lab.machines.model_plane import ModelPlane


class OutsidePlane(ModelPlane):
    """The model under the other name, as it appears to a lab: with something to catch up with."""

    name = "linux"

    def __init__(self) -> None:
        self.attached: list[tuple[World, object]] = []
        self.has_news = False
        self.closed = 0
        super().__init__()

    def attach(self, world: World, saved: object = None) -> None:
        self.attached.append((world, saved))
        super().attach(world, saved)

    def catch_up(self) -> bool:
        news, self.has_news = self.has_news, False
        return news

    def close(self) -> None:
        self.closed += 1
