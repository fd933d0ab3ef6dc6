"""Watched sites as the page, the metrics and the health endpoints are given them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from erfailover.model.site import Path, Role
from erfailover.model.watch import (
    Approval,
    Event,
    EventType,
    Observation,
    Pause,
    Severity,
    Signal,
    SignalStatus,
    SiteView,
    SpokeState,
    WatchReading,
    WatchState,
)
from erfailover.planning.health import judge
from erfailover.reporting.diagram import drawing
from erfailover.reporting.diagram.site import build_sheet
from erfailover.reporting.status.headline import format_headline
from erfailover.reporting.topology.build import build_picture
from tests.support.sites import gateway, make_snapshot, make_state, route, site

NOW = 1_796_008_327.0
"""2026-11-30 03:12:07 UTC."""
UP = Observation(SignalStatus.UP, "2 of 2 peers Connected, 10.5.0.0/16 learned")
DOWN = Observation(SignalStatus.DOWN, "0 of 2 peers Connected, 10.5.0.0/16 not learned")
READY = Observation(SignalStatus.UP, "1 of 1 peers Connected, 10.5.0.0/16 learned")
HOSTILE = "<script>alert('x')</script>&\"'\u202e"


def make_spokes(count: int, path: str = "expressroute") -> tuple[SpokeState, ...]:
    return tuple(
        SpokeState(f"vnet-spoke-{number:03}", path, True) for number in range(1, count + 1)
    )


def make_event(number: int, text: str = "", **changes: Any) -> Event:
    event = Event(
        id=f"event-{number}",
        type=EventType.STATE_CHANGED,
        site="poc",
        at=NOW - 97.0 - 613.0 * number,
        severity=Severity.INFO,
        text=text or f"Reading {number} of the night: HEALTHY.",
        incident="state",
    )
    return replace(event, **changes)


def make_reading(**changes: Any) -> WatchReading:
    reading = WatchReading(
        at=NOW - 12.0,
        signals={
            Signal.GATEWAY: UP,
            Signal.EDGE: Observation(SignalStatus.UP, "primary and secondary sessions Connected"),
            Signal.PROBES: Observation(SignalStatus.UP, "erp and dns answer"),
        },
        backup=READY,
        spokes=make_spokes(2),
    )
    return replace(reading, **changes)


def make_view(**changes: Any) -> SiteView:
    """A healthy site."""
    view = SiteView(
        site="poc",
        mode="approve",
        leader="watch@hub-a, process 4242",
        is_leader=True,
        state=WatchState.HEALTHY,
        since=NOW - 5 * 86_400.0,
        reading=make_reading(),
        next_reading_at=NOW + 18.0,
        events=(
            make_event(0, "Drill on vnet-spoke-001 done: outage 14 s.", type=EventType.DRILL_ENDED),
            make_event(90, "The backup is ready.", severity=Severity.WARNING, resolves=True),
            make_event(
                91,
                "The backup is not ready: 0 of 1 peers Connected.",
                type=EventType.BACKUP_NOT_READY,
                severity=Severity.WARNING,
            ),
        ),
        counters={
            "readings": 14_400,
            "failed_readings": 3,
            "switches": 1,
            "failed_switches": 0,
            "notifications": 9,
            "failed_notifications": 1,
            "writes": 20,
        },
        reading_s=1.84,
        heartbeat_at=NOW - 1.0,
    )
    return replace(view, **changes)


def make_approval(**changes: Any) -> Approval:
    steps = "\n".join(
        f"  {number:2}  vnet-spoke-{number:03}: remote gateways off at the primary hub, on at the "
        "backup hub"
        for number in range(1, 13)
    )
    approval = Approval(
        id="7f3a-29c1",
        target=Path.IPSEC,
        created=NOW - 200.0,
        expires=NOW + 3400.0,
        text=f"Switch 12 spokes of poc to IPsec\n\n{steps}\n\nOutage per spoke: typically 12 s.",
        plan={},
    )
    return replace(approval, **changes)


def make_failed_view(count: int = 12, **changes: Any) -> SiteView:
    """A site whose primary path is down and whose switch waits for an approval."""
    spokes = tuple(replace(spoke, healthy=False) for spoke in make_spokes(count))
    events = (
        make_event(
            0,
            "Approval wanted: switch 12 spokes to IPsec (erfailover approve 7f3a-29c1).",
            type=EventType.APPROVAL_REQUESTED,
            severity=Severity.CRITICAL,
        ),
        make_event(
            1,
            "SUSPECT to FAILED: the primary gateway has no Connected peer, erp does not answer.",
            severity=Severity.CRITICAL,
        ),
        *(make_event(number) for number in range(2, 40)),
    )
    view = make_view(
        state=WatchState.FAILED,
        since=NOW - 205.0,
        reading=make_reading(
            signals={
                Signal.GATEWAY: DOWN,
                Signal.EDGE: Observation(
                    SignalStatus.UNKNOWN,
                    "the circuit's table could not be read: Azure answered 429",
                ),
                Signal.PROBES: Observation(SignalStatus.DOWN, "erp: no answer from 10.5.0.4:443"),
            },
            spokes=spokes,
            warnings=("Resource Health of er-circuit: Degraded since 03:01 UTC.",),
        ),
        approval=make_approval(),
        withheld="mode approve: the switch waits for erfailover approve 7f3a-29c1",
        events=events,
    )
    return replace(view, **changes)


def make_mixed_view(count: int = 300, **changes: Any) -> SiteView:
    """A site on the backup path with some spokes that are not, paused."""
    usual = make_spokes(count, "ipsec")
    odd: Sequence[SpokeState] = (
        SpokeState("vnet-erp-production-westeurope-001", "none", False),
        SpokeState("vnet-backup-vault", "expressroute", False),
        SpokeState("vnet-labs", "unknown", None),
    )
    middle = count // 2
    spokes = (*usual[:middle], *odd, *usual[middle + len(odd) :])
    view = make_view(
        site="plant-rotterdam",
        mode="automatic",
        state=WatchState.ON_BACKUP,
        since=NOW - 4000.0,
        reading=make_reading(spokes=spokes),
        pause=Pause("Carrier works on the circuit until 06:00.", NOW - 900.0, NOW + 9900.0, "anna"),
        withheld="paused by anna",
    )
    return replace(view, **changes)


def make_standby_view(**changes: Any) -> SiteView:
    """A site that another replica leads."""
    view = SiteView(
        site="poc", mode="automatic", leader="watch@hub-b, process 7", heartbeat_at=NOW - 1.0
    )
    return replace(view, **changes)


def draw_site(spokes: Sequence[SpokeState], prefix: str) -> str:
    """The diagram of a site whose spokes are on these paths, as the watch draws it."""
    of = site(*(spoke.name for spoke in spokes))
    main = Path.IPSEC if any(spoke.path == "ipsec" for spoke in spokes) else Path.EXPRESSROUTE
    plain = make_snapshot(of, {})
    own = "10.2.0.254" if main is Path.EXPRESSROUTE else "10.3.0.254"
    routes = [
        route(str(network), "Network", own)
        for item in plain.networks.values()
        for network in item.address_space
    ]
    learned = route("10.5.0.0/16")
    gateways = (
        gateway(Role.PRIMARY, learned, *(routes if main is Path.EXPRESSROUTE else ())),
        gateway(Role.BACKUP, learned, *(routes if main is Path.IPSEC else ())),
    )
    snapshot = make_snapshot(of, make_state(main, of), gateways)
    health = judge(of, snapshot, {})
    sheet = build_sheet(build_picture(of, snapshot, health, {}), format_headline(health))
    return drawing.render_inline(sheet, prefix)
