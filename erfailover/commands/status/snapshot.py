"""One reading of a site for ``status``: everything at once, judged, as text and as plain data."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from erfailover.azure.readers.cache import ReadingCache
from erfailover.azure.readers.circuits import read_circuits_by_role, read_stand_in_address
from erfailover.azure.readers.network import add_advertised_if_needed, add_other_gateways, observe
from erfailover.commands.context import Context
from erfailover.errors import Failure, StateFailure
from erfailover.model.circuits import Circuits
from erfailover.model.history import RunRecord, collect_runs, find_unfinished
from erfailover.model.observed import Reading, SiteSnapshot
from erfailover.model.site import Path, Role, Site
from erfailover.model.watch import Pause
from erfailover.planning.doctor.environment import JOURNAL_REMEDY
from erfailover.planning.drill.state import DrillState, build_drill_state
from erfailover.planning.health import Health, judge
from erfailover.planning.iac.drift import IacDrift, find_drift
from erfailover.planning.switch import gates
from erfailover.reporting.run import history
from erfailover.reporting.screen import Screen
from erfailover.reporting.status import drift, part_of_site
from erfailover.reporting.status import drill as drills
from erfailover.reporting.status import pause as pauses
from erfailover.reporting.status import text as status_text
from erfailover.reporting.status.brief import format_brief
from erfailover.reporting.topology.build import build_picture
from erfailover.reporting.topology.model import Picture
from erfailover.reporting.way_back import explain_refusals
from erfailover.reporting.words import limit_lines
from erfailover.runtime.clock import run_all
from erfailover.runtime.state.process import is_alive
from erfailover.runtime.state.watch_records import read_pause_record


@dataclass(frozen=True)
class StatusReading:
    """A site as read at one moment, and what follows from it."""

    observed: SiteSnapshot
    circuits: dict[Role, Circuits]
    drill: DrillState
    health: Health
    picture: Picture
    open_run: RunRecord | None
    """The last run of the site, if it is unfinished."""
    as_code: IacDrift | None
    remarks: tuple[str, ...] = ()
    """Where the site file differs from Azure, with the line to change."""
    state_problems: tuple[str, ...] = ()
    """What is wrong with the journal and the lease, and what to do."""
    of_part: tuple[str, ...] = ()
    """That only some spokes were read, and how the rest of a mixed site can follow."""
    way_back_refused: str | None = None
    """Why a switch back from the unfinished run would be refused now; None if it would not be."""
    pause: Pause | None = None
    """The pause of the site's watch; None if it is not paused, or that is not known."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What comes first: a drill, an unfinished run, what infrastructure code would undo."""
        parts = [
            drills.format_text(self.drill),
            None if self.pause is None else pauses.format_text(self.pause),
            *self.state_problems,
            None
            if self.open_run is None
            else history.format_open(self.open_run, is_alive, self.way_back_refused),
            drift.format_text(self.as_code) if self.as_code is not None else None,
            *self.of_part,
            *limit_lines(self.remarks),
        ]
        return tuple(filter(None, parts))


def read(context: Context) -> StatusReading:
    """Read everything that a status shows.

    Raises:
        AzureFailure: a failure that affects every read.
    """
    observed, connected, stand_in = _read(context)
    site = context.use_names_of(observed)
    health = judge(site, observed, connected)
    drill = build_drill_state(site, connected.get(Role.PRIMARY), stand_in)
    open_run, pause, problems = _read_state(context)
    return StatusReading(
        observed=observed,
        circuits=connected,
        drill=drill,
        health=health,
        picture=build_picture(site, observed, health, connected, drill),
        open_run=open_run,
        as_code=find_drift(site, observed),
        remarks=context.remarks,
        state_problems=problems,
        of_part=part_of_site.list_notes(site, observed, health),
        way_back_refused=_explain_way_back_refusal(site, observed, open_run),
        pause=pause,
    )


def _explain_way_back_refusal(
    site: Site, observed: SiteSnapshot, run: RunRecord | None
) -> str | None:
    """Return why a switch back from a run would be refused now; None if it would not be."""
    if run is None or run.target is None:
        return None
    back = Path(run.target).other
    return explain_refusals(back, gates.list_refusals(site, observed, back)) or None


def _read_state(context: Context) -> tuple[RunRecord | None, Pause | None, tuple[str, ...]]:
    """Return the last run, if it is unfinished, the pause, and what is wrong with the state."""
    open_run, pause, problems = None, None, []
    try:
        lines = context.journal.read()
    except StateFailure as failure:
        problems.append(f"Whether a run is unfinished is unknown: {failure.message}")
    else:
        try:
            pause = read_pause_record(context.watch_store).find_pause(time.time())
        except StateFailure as failure:
            problems.append(" ".join(filter(None, (f"{failure.message}.", failure.hint))))
        open_run = find_unfinished(collect_runs(lines.records))
        if lines.damage:
            text = lines.describe_damage(context.store.name)
            problems.append(f"{text[0].upper()}{text[1:]}. {JOURNAL_REMEDY}")
    try:
        context.store.look()
    except Failure as failure:
        problems.append(" ".join(filter(None, (f"{failure.message}.", failure.hint))))
    return open_run, pause, tuple(dict.fromkeys(problems))


def read_visibly(context: Context) -> StatusReading:
    """Return the same, and show on a terminal meanwhile that Azure is being read."""
    with context.show_reading():
        return read(context)


def build_data(context: Context, reading: StatusReading) -> dict[str, Any]:
    """Return a reading as plain data; documented in ``docs/reference.md``."""
    return {
        "subscription": context.site_file.subscription.to_data(),
        **status_text.build_data(context.site, reading.observed, reading.health),
        "connections": drills.build_circuits_data(reading.circuits),
        "drill": drills.build_data(reading.drill),
        "pause": pauses.build_data(reading.pause),
        "as_code": None if reading.as_code is None else drift.build_data(reading.as_code),
        "remarks": list(reading.remarks),
        "unfinished": history.build_open_data(reading.open_run, is_alive, reading.way_back_refused),
        "state_problems": list(reading.state_problems),
    }


def format_text(reading: StatusReading, screen: Screen, *, details: bool = False) -> str:
    """Return a reading for people: so that it fits a terminal, or with every table."""
    if not details:
        return format_brief(reading.picture, reading.notes, screen)
    parts = [status_text.format_details(reading.picture, reading.observed, reading.notes, screen)]
    parts += [drills.format_circuits(circuit, screen) for circuit in reading.circuits.values()]
    return "\n\n".join(filter(None, parts))


def _read(context: Context) -> tuple[SiteSnapshot, dict[Role, Circuits], Reading[str] | None]:
    """Read everything at once: VNets, gateways, their connections, the stand-in of the drill.

    Many VNets of a subscription are read by one list, as a switch reads them.
    """
    site, reader = context.site, context.reader
    networks: Sequence[str] = site.list_network_names()
    reads: list[Any] = [
        partial(ReadingCache(reader, site).observe, networks),
        partial(observe, reader, site, networks=()),
        partial(read_stand_in_address, reader, site),
        partial(read_circuits_by_role, reader, site),
    ]
    spokes, gateways, stand_in, connected = run_all(context.clock, reads)
    observed = SiteSnapshot(
        gateways.taken_at,
        spokes.networks,
        gateways.gateways,
        {**spokes.unknown, **gateways.unknown},
        route_tables=spokes.route_tables,
    )
    observed = add_advertised_if_needed(reader, add_other_gateways(reader, site, observed))
    return observed, {role: connected[role] for role in observed.gateways}, stand_in
