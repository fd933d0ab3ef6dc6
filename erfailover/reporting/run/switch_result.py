"""The result of a switch as plain data: for its journal and its report. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from erfailover.model.resource_ids import get_last_name
from erfailover.model.site import ROLE_OF_PATH, Site
from erfailover.planning.probes.outage import OutageMeter
from erfailover.planning.switch.result import Outcome, is_verified
from erfailover.reporting import probes as checks


def build_data(site: Site, outcome: Outcome, tallies: Iterable[OutageMeter] = ()) -> dict[str, Any]:
    """Return the result of a switch so far; also of one that failed or was interrupted.

    Args:
        site: what was switched.
        outcome: its outcome so far.
        tallies: what the continuous probes have counted.
    """
    return {
        "site": site.name,
        "to": str(outcome.target),
        "planned": outcome.planned,
        "changed": outcome.written,
        "verified": bool(outcome.verified_s) and is_verified(outcome),
        "failed": {name: failure.message for name, failure in outcome.failed.items()},
        "left_out": {name: condition.message for name, condition in outcome.left_out.items()},
        "decision_s": round(outcome.decision_s, 1),
        "answer_s": round(outcome.answer_s, 1),
        "control_plane_s": _round_s(outcome.control_plane_s),
        "data_plane_s": _round_s(outcome.data_plane_s),
        "verified_s": round(outcome.verified_s, 1),
        "spokes_s": {name: round(at, 1) for name, at in outcome.spokes_s.items()},
        "gates_s": {name: round(at, 1) for name, at in outcome.gates_s.items()},
        "routes": [
            {"spoke": spoke, "verdict": str(condition.status), "seen": condition.message}
            for spoke, pair in outcome.conditions.items()
            for condition in (*pair, *filter(None, [outcome.next_hops.get(spoke)]))
        ],
        "probes": checks.build_data(outcome.probes),
        "continuous": [tally.to_data() for tally in tallies],
        "gateway": get_last_name(site.get_hub(ROLE_OF_PATH[outcome.target]).gateway),
        "spokes": [spoke.name for spoke in site.spokes],
    }


def _round_s(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)
