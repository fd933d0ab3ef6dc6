"""The state of the site before and after a run, for the diagrams of its report.

It is read only if a report is wanted, and never holds up a run: a switch hands over what it has
read for its plan; what cannot be read is left out, and Ctrl-C skips it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from erfailover.commands.context import Context
from erfailover.errors import Failure
from erfailover.model.observed import SiteSnapshot
from erfailover.planning.health import judge
from erfailover.reporting.topology.build import build_picture
from erfailover.reporting.topology.model import HubPicture, Picture
from erfailover.runtime.journal import Journal

log = logging.getLogger("erfailover.commands.report_file")


@dataclass
class SiteStates:
    """The states of the site before and after one run.

    Attributes:
        context: the invocation.
        observed: what the run has read of the site for its plan; None to read it now.
    """

    context: Context
    observed: SiteSnapshot | None = None
    _before: Picture | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        if self._is_wanted and self.observed is None:
            self._before = self._read("before")

    @property
    def _is_wanted(self) -> bool:
        return self.context.report is not None

    def record(self, journal: Journal) -> None:
        """Record the state before the run, and the one that is read now. Never fails."""
        if not self._is_wanted:
            return
        body = {
            "before": self._draw_state(self._build_before),
            "after": self._draw_state(self._read_after),
        }
        journal.record_later("states", **body)

    def _build_before(self) -> Picture | None:
        if self.observed is None:
            return self._before
        site = self.context.site
        picture = build_picture(site, self.observed, judge(site, self.observed), {})
        hubs = tuple(map(_hide_connections, picture.hubs))
        return replace(picture, hubs=hubs)

    def _read_after(self) -> Picture | None:
        return self._read("after")

    def _draw_state(self, read: Any) -> Mapping[str, Any] | None:
        from erfailover.reporting.run import site_state

        try:
            value = read()
            return None if value is None else site_state.record(value)
        except Exception:  # a run is not lost for want of a picture of it
            log.debug("the state of the site could not be drawn", exc_info=True)
            return None

    def _read(self, when: str) -> Picture | None:
        """Read the site; None if it cannot be read, does not exist, or Ctrl-C was pressed."""
        from erfailover.commands.status import snapshot

        say = self.context.output.print_info
        say(f"Reading the state {when} the run for the report (Ctrl-C to skip) ...")
        try:
            reading = snapshot.read(self.context)
        except (Failure, KeyboardInterrupt) as problem:
            why = problem.message if isinstance(problem, Failure) else "skipped"
            say(f"The report will not show the state {when} the run: {why}")
            return None
        if not reading.observed.networks and not reading.observed.gateways:
            return None
        return reading.picture


def _hide_connections(hub: HubPicture) -> HubPicture:
    """Return a hub without a word on its connections: a switch does not ask for them."""
    return replace(hub, gateway=replace(hub.gateway, connections_unknown=None))
