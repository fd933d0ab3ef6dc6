"""Failures of one signal alone, for an hour each: none may lead to a switch.

Owns the cases. Each begins on a healthy site in mode ``automatic``; afterwards everything works
again, and the watch must find that out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from erfailover.lab.engine.faults import FOREVER, Fault, FaultKind
from erfailover.lab.engine.lab import Lab
from erfailover.model.watch import WatchState
from tests.support.stage import Stage
from tests.tools.bench.worlds import Worlds
from tests.tools.watch_numbers.watched_sites import (
    WatchedSite,
    open_express,
    open_sample,
    watch_stage,
)

TABLES = "virtualNetworkGateways/{}/get*"
BEFORE_S, AFTER_S = 90.0, 900.0
OFFICE_UP = "office-up"
"""The probe succeeds if this file exists."""
Faults = Callable[[Lab], Sequence[Fault]]


@dataclass(frozen=True)
class Case:
    """A failure of one signal.

    Attributes:
        name: in words.
        faults: what goes wrong in the lab.
        probes_pass: whether the probe still succeeds.
        express: whether the site has an ExpressRoute gateway, and edge sessions as a signal.
    """

    name: str
    faults: Faults = lambda lab: ()
    probes_pass: bool = True
    express: bool = False


@dataclass(frozen=True)
class Single:
    """What the watch made of a case.

    Attributes:
        states: what it went through meanwhile.
        switches: how many it made: 0 is right.
        recovers: whether the site is HEALTHY again afterwards.
    """

    case: str
    hours: float
    states: tuple[str, ...]
    switches: int
    recovers: bool


def _find_gateway(lab: Lab, name: str) -> Any:
    gateways = lab.world.iter_by_type("Microsoft.Network/virtualNetworkGateways")
    return next(gateway for gateway in gateways if gateway.id.name == name)


def _answer(path: str, rows: Any) -> Fault:
    return Fault(FaultKind.ANSWER, "POST", path, times=FOREVER, status=200, body={"value": rows})


def _withdraw(lab: Lab) -> Sequence[Fault]:
    """The remote prefixes are no longer in the primary gateway's table."""
    rows = lab.plane.list_learned_routes(_find_gateway(lab, "vng1"))
    own = [row for row in rows if row["origin"] != "EBgp"]
    return [_answer("virtualNetworkGateways/vng1/getLearnedRoutes", own)]


def _disconnect(lab: Lab) -> Sequence[Fault]:
    """Nor is a peer connected."""
    rows = lab.plane.list_peers(_find_gateway(lab, "vng1"))
    peers = [{**row, "state": "Connecting", "routesReceived": 0} for row in rows]
    return [*_withdraw(lab), _answer("virtualNetworkGateways/vng1/getBgpPeerStatus", peers)]


def _idle_edges(lab: Lab) -> Sequence[Fault]:
    """The edge routers list the customer edge as Idle (the published example's words)."""
    row = {"neighbor": "192.168.1.1", "v": 4, "as": 65020, "upDown": "never"}
    return [_answer("*/routeTablesSummary/*", [{**row, "statePfxRcd": "Idle"}])]


def _always(kind: FaultKind, path: str = "*", method: str = "*", **more: Any) -> Faults:
    return lambda lab: [Fault(kind, method, path, times=FOREVER, **more)]


_EMPTY = _always(FaultKind.EMPTY, TABLES.format("vng1"), "POST")
_GONE = _always(FaultKind.DROP_BEFORE)
_THROTTLED = _always(FaultKind.THROTTLE, seconds=17.0)
_BROKEN = _always(FaultKind.ANSWER, TABLES.format("*"), "POST", status=500)
_HANGING = _always(FaultKind.STUCK, TABLES.format("*"), "POST", seconds=3600.0)
CASES = (
    Case("the primary gateway's tables are empty", _EMPTY),
    Case("the remote prefixes are withdrawn from the primary gateway's table", _withdraw),
    Case("its peers are down and the prefixes withdrawn", _disconnect),
    Case("the probes fail", probes_pass=False),
    Case("the probes fail, and the gateway's tables are empty", _EMPTY, probes_pass=False),
    Case("the edge sessions are down", _idle_edges, express=True),
    Case("Azure cannot be reached", _GONE),
    Case("Azure cannot be reached, and the probes fail", _GONE, probes_pass=False),
    Case("Azure throttles every request, and the probes fail", _THROTTLED, probes_pass=False),
    Case("reading the tables fails with 500, and so do the probes", _BROKEN, probes_pass=False),
    Case("reading the tables never ends, and the probes fail", _HANGING, probes_pass=False),
)


def measure_single(worlds: Worlds, case: Case, hours: float) -> Single:
    """Let a case last for some hours.

    Args:
        worlds: makes the site.
        case: what fails.
        hours: modelled.
    """
    with _open(worlds, case) as site:
        site.run_for(BEFORE_S)
        if site.states != [WatchState.HEALTHY]:
            raise RuntimeError(f"{case.name}: not healthy at first: {site.states}")
        site.states.clear()
        with site.lab.lock:
            faults = case.faults(site.lab)
        site.lab.add_faults(*faults)
        office = site.folder / OFFICE_UP
        if not case.probes_pass:
            office.unlink()
        site.run_for(hours * 3600.0)
        states = tuple(map(str, site.states))
        site.lab.clear_faults()
        office.touch()
        site.run_until(lambda: site.states[-1:] == [WatchState.HEALTHY], AFTER_S)
        recovers = site.states[-1:] == [WatchState.HEALTHY]
        return Single(case.name, hours, states, len(site.list_switches()), recovers)


@contextmanager
def _open(worlds: Worlds, case: Case) -> Iterator[WatchedSite]:
    watch = {"mode": "automatic", "probes": ["office"], "edge_sessions": case.express}
    sections = {"watch": watch, "probes": {"office": {"command": ["test", "-e", OFFICE_UP]}}}
    if case.express:
        with open_express(worlds, 2, None, **sections) as (stage, _), _watch(stage) as site:
            yield site
    else:
        with open_sample(worlds, None, **sections) as sample, _watch(sample.stage) as site:
            yield site


@contextmanager
def _watch(stage: Stage) -> Iterator[WatchedSite]:
    (stage.folder / OFFICE_UP).touch()
    with watch_stage(stage) as site:
        yield site
