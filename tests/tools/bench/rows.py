"""What was measured: the plain values that the rows of the tables are made of.

Owns their form, and reads and writes them as JSON. Seconds are modelled (Azure's) unless a name
says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from statistics import mean
from typing import Any

from tests.tools.bench.watching import Bar


class Way(StrEnum):
    """How a switch is done."""

    AZ = "az"
    SDK = "sdk"
    COLD = "cold"
    PRESTAGED = "prestaged"


@dataclass(frozen=True, slots=True)
class Switch:
    """One switch of all spokes, one way, with one seed.

    ``whole_s`` is from the command's start until it had been told that all is done, ``decided_s``
    until its first write, ``command_s`` until it returned. ``bound_*`` are None where there is no
    bound to compare with. ``reckoned`` is set where the figure is arithmetic on smaller runs.
    """

    way: Way
    spokes: int
    seed: int
    whole_s: float
    decided_s: float = 0.0
    command_s: float = 0.0
    bound_whole_s: float | None = None
    bound_shown_s: float | None = None
    rule: str = ""
    requests: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    wall_s: float = 0.0
    cpu_s: float = 0.0
    reckoned: bool = False
    bars: tuple[Bar, ...] = ()
    each_s: float = 0.0
    """What one more spoke adds, where that is measured by itself."""
    with_pings_s: float = 0.0
    """The whole time with the pings of the proof of concept's notes, where they were typed."""

    @property
    def whole_ratio(self) -> float | None:
        """The whole time, from the command's start, over the bound and its deciding reading."""
        return None if not self.bound_whole_s else self.whole_s / self.bound_whole_s

    @property
    def shown_ratio(self) -> float | None:
        """The time from the first write on, over the bound."""
        if not self.bound_shown_s:
            return None
        return (self.whole_s - self.decided_s) / self.bound_shown_s


@dataclass(frozen=True, slots=True)
class Outage:
    """How long each spoke was without a path, as the lab's own routing sees it.

    Attributes:
        planned: whether the path that was left worked: then it counts from the first packet lost,
            otherwise from the command's start, and ``failed_s`` earlier from the failure.
        spokes_s: of each spoke, until the first packet that passes.
        probe_s: that of the first spoke, as a continuous probe measured it for the report; None
            without a probe, and if the path was down before the first question.
    """

    way: Way
    spokes: int
    seed: int
    planned: bool
    spokes_s: tuple[float, ...]
    failed_s: float = 0.0
    probe_s: float | None = None


@dataclass(frozen=True, slots=True)
class Compared:
    """Something measured and what it is held against, in seconds."""

    seed: int
    seconds: float
    against_s: float
    requests: int = 0

    @property
    def ratio(self) -> float:
        """The one over the other."""
        return self.seconds / self.against_s


YARDSTICK = "loading azure-identity and azure-mgmt-network"
"""The command by which the speed of the machine is judged."""


@dataclass(frozen=True, slots=True)
class Process:
    """A controller in a separate process. ``speed`` is the lab's clock, 0 where none ran."""

    command: str
    spokes: int
    cpu_s: float
    wall_s: float
    memory_mb: float
    requests: int = 0
    speed: float = 0.0


@dataclass(frozen=True, slots=True)
class Tables:
    """What route tables of so many prefixes cost, in seconds of the processor.

    Attributes:
        decoding_s: of ``json.loads`` of a gateway's routes.
        reading_s: of the same, from the answer's bytes to all conditions.
        status_s: of ``status`` with twelve spokes, which reads two gateways.
    """

    prefixes: int
    rows: int
    decoding_s: float
    reading_s: float
    status_s: float


@dataclass(frozen=True, slots=True)
class Measured:
    """All that one run of the benchmark measured."""

    switches: tuple[Switch, ...] = ()
    outages: tuple[Outage, ...] = ()
    status: tuple[Compared, ...] = ()
    status_by_az: tuple[Compared, ...] = ()
    provision: tuple[Compared, ...] = ()
    processes: tuple[Process, ...] = ()
    tables: tuple[Tables, ...] = ()
    """By the number of prefixes."""
    switches_of_prefixes: tuple[Process, ...] = ()
    """The same switch with few prefixes and with many."""
    setting: Mapping[str, str] = field(default_factory=dict)
    """The date, the machine and the versions."""

    def list_switches(self, way: Way, spokes: int) -> list[Switch]:
        """The switches done one way, one a seed."""
        return [switch for switch in self.switches if (switch.way, switch.spokes) == (way, spokes)]

    def extrapolate(self, sizes: Iterable[int]) -> Measured:
        """With az and the SDK at every size: beyond what was measured, by arithmetic.

        Both do one spoke after the other, so that every further spoke adds the same on average.
        """
        more: list[Switch] = []
        for way in (Way.AZ, Way.SDK):
            measured = sorted({switch.spokes for switch in self.switches if switch.way is way})
            for size in sizes if measured else ():
                if size not in measured:
                    more += self._reckon(way, measured, size)
        return replace(self, switches=(*self.switches, *more))

    def _reckon(self, way: Way, measured: list[int], size: int) -> list[Switch]:
        largest = max(measured)
        seconds = mean(switch.whole_s for switch in self.list_switches(way, largest))
        if len(measured) > 1:
            smallest = min(measured)
            first_s = mean(switch.whole_s for switch in self.list_switches(way, smallest))
            each_s = (seconds - first_s) / (largest - smallest)
        else:
            each_s = mean(switch.each_s for switch in self.list_switches(way, largest))
        whole_s = seconds + (size - largest) * each_s
        return [Switch(way, size, 0, whole_s, reckoned=True)] if each_s else []

    def sizes(self) -> list[int]:
        """The numbers of spokes measured."""
        return sorted({switch.spokes for switch in self.switches})

    def to_data(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return asdict(self)
