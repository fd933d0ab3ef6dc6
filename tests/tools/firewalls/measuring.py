"""What a switch of a firewall hub interrupts, measured by packets at every change of the lab.

Owns the runs and the packets. Nothing here asks erfailover how long anything took.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from erfailover.lab.engine.lab import Lab
from tests.support.adopted_world import Arm
from tests.support.firewall_packets import SETTLED_S, Monitor, make_arm
from tests.support.firewall_world import (
    INTERNET,
    SPOKES,
    UNUSED,
    FirewallWorld,
    Shape,
    Spoke,
    build,
    write_site,
)
from tests.tools.bench.worlds import Served, Worlds

MODES = ("overlay", "replace")


class Kind(StrEnum):
    """A switch that is measured."""

    UNPLANNED = "failover, ExpressRoute is down"
    PLANNED = "failover, planned"
    FAILBACK = "failback"


class Traffic(StrEnum):
    """Traffic of a spoke that a switch may interrupt."""

    PREMISES = "premises"
    INTERNET = "Internet"
    SPOKES = "other spokes"


@dataclass(frozen=True, slots=True)
class Measured:
    """One switch: seconds without an answer of each spoke, by traffic.

    Attributes:
        moved: how many spokes reach the Internet by another appliance than before.
    """

    mode: str
    kind: Kind
    seed: int
    seconds: Mapping[Traffic, tuple[float, ...]]
    moved: int


@dataclass
class Interruptions:
    """For how long each spoke's traffic has had no answer since a moment."""

    lab: Lab
    monitor: Monitor
    seconds: dict[tuple[Traffic, str], float] = field(default_factory=dict)
    _down_since: dict[tuple[Traffic, str], float] = field(default_factory=dict)

    def install(self) -> Interruptions:
        """Look at every change from now on."""
        with self.lab.lock:
            self.lab.catch_up()
            self._look()
            self.lab.listen(self._look)
        return self

    def stop(self) -> dict[Traffic, tuple[float, ...]]:
        """Return the seconds of each spoke, by traffic.

        Raises:
            RuntimeError: something is still interrupted.
        """
        with self.lab.lock:
            self.lab.catch_up()
            self._look()
        if self._down_since:
            raise RuntimeError(f"still interrupted: {sorted(self._down_since)}")
        return {
            traffic: tuple(self.seconds.get((traffic, spoke.name), 0.0) for spoke in SPOKES)
            for traffic in Traffic
        }

    def _look(self) -> None:
        now = self.lab.world.now
        for traffic in Traffic:
            for spoke in SPOKES:
                key, works = (traffic, spoke.name), self._works(traffic, spoke)
                if works and key in self._down_since:
                    self.seconds[key] = self.seconds.get(key, 0.0) + now - self._down_since.pop(key)
                elif not works:
                    self._down_since.setdefault(key, now)

    def _works(self, traffic: Traffic, spoke: Spoke) -> bool:
        if traffic is Traffic.PREMISES:
            return self.monitor.is_connected(spoke)
        others = [other.address for other in SPOKES if other is not spoke]
        targets = [INTERNET] if traffic is Traffic.INTERNET else others
        return all(self.monitor.trace(spoke.nic, target).reached for target in targets)


class Measurer:
    """Makes the world once, and measures switches of it."""

    def __init__(self) -> None:
        self._worlds = Worlds()
        with self._worlds.serve(None, "", None) as served:
            arm = make_arm(served.environment, served.clock.sleep)
            self._world: FirewallWorld = build(arm, Shape())
            arm.pool.clear()
            self._snapshot = served.lab.snapshot()

    def close(self) -> None:
        """Remove what was written."""
        self._worlds.close()

    def measure(self, mode: str, seed: int, *, planned: bool) -> list[Measured]:
        """Switch to the backup hub and home again."""
        site = write_site(self._world.shape, mode)
        with self._worlds.serve(self._snapshot, site, seed) as served:
            if not planned:
                self._cut(served, cut=True)
            kind = Kind.PLANNED if planned else Kind.UNPLANNED
            away = self._run(served, mode, kind, seed, "ipsec")
            if not planned:
                self._cut(served, cut=False)
            served.clock.sleep(SETTLED_S)
            home = self._run(served, mode, Kind.FAILBACK, seed, "expressroute")
        return [away, home]

    def _run(self, served: Served, mode: str, kind: Kind, seed: int, target: str) -> Measured:
        monitor = Monitor(served.lab, self._world.shape)
        before = [self._find_exit(monitor, spoke.nic) for spoke in SPOKES]
        watch = Interruptions(served.lab, monitor).install()
        served.run_or_raise("switch", "--to", target, "--yes", "--planned")
        seconds = watch.stop()
        after = [self._find_exit(monitor, spoke.nic) for spoke in SPOKES]
        served.lab.world.listeners.remove(watch._look)
        moved = sum(one != other for one, other in zip(before, after, strict=True))
        return Measured(mode, kind, seed, seconds, moved)

    def _find_exit(self, monitor: Monitor, nic: str) -> str:
        """Return the hop by which what is for the Internet leaves."""
        hops = monitor.trace(nic, INTERNET).hops
        return next(hop for hop in hops if hop.startswith("Internet to"))

    def _cut(self, served: Served, *, cut: bool) -> None:
        """The primary's BGP session fails or comes back; the far end has noticed."""
        arm: Arm = make_arm(served.environment, served.clock.sleep)
        path = self._world.id("localNetworkGateways/lng-hub-to-onprem")
        body = arm.get(path)
        body["properties"]["bgpSettings"]["bgpPeeringAddress"] = UNUSED if cut else "192.168.2.254"
        arm.finish([arm.begin(path, body)])
        arm.pool.clear()
        served.clock.sleep(SETTLED_S)
