"""Stores of a site's state for tests, and two operators."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from erfailover.errors import LeaseLost, StateFailure
from erfailover.model.lease import AcquiredLease, Holder, LeaseState
from erfailover.runtime.state.local import LocalStore

NOW = 1_800_000_000.0
ANNA = Holder("anna", "ops1", 4242, "switch --to ipsec", "boot-1", "77")
BERT = Holder("bert", "ops2", 17, "drill start", "boot-2", "88")


@dataclass
class Wall:
    """A wall clock that stands where it is put."""

    at: float = NOW

    def __call__(self) -> float:
        return self.at


def store(
    folder: Path,
    wall: Callable[[], float] = lambda: NOW,
    lives: Callable[[Holder], bool | None] = lambda holder: None,
    runs: Callable[[Holder], bool] = lambda holder: False,
) -> LocalStore:
    return LocalStore(folder, wall, lives, runs)


@dataclass(eq=False)
class Remote:
    """A shared store in memory, which can be made to fail."""

    journal: bytes = b""
    down: bool = False
    lost: bool = False
    renewed: int = 0
    name: str = "azblob://there"
    renew_every_s: float = 3600.0
    relied_on_s: float = 10.0
    is_cheap: bool = False
    inner: LocalStore | None = None
    calls: list[str] = field(default_factory=list)

    def _call(self, what: str) -> None:
        self.calls.append(what)
        if self.down:
            raise StateFailure(f"{self.name} does not answer", "Mend it.")
        if self.lost and what in ("append", "renew"):
            raise LeaseLost("lost")

    def mend(self) -> tuple[str, ...]:
        return ()

    def keep_aside(self, lines: bytes) -> str:
        raise StateFailure("there is no copy on this machine")

    def read(self) -> bytes:
        self._call("read")
        return self.journal

    def append(self, lines: bytes) -> None:
        self._call("append")
        self.journal += lines

    def acquire(self, holder: Holder, *, take_over: bool) -> AcquiredLease:
        self._call("acquire")
        assert self.inner is not None
        return self.inner.acquire(holder, take_over=take_over)

    def look(self) -> LeaseState:
        self._call("look")
        assert self.inner is not None
        return self.inner.look()

    def renew(self) -> None:
        self._call("renew")
        self.renewed += 1

    def release(self) -> None:
        self._call("release")

    def close(self) -> None:
        """Nothing stays open."""
