"""What a switch came to: whether it is verified, and its report as text and as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from erfailover import conditions
from erfailover.commands.progress import duration
from erfailover.errors import Failure
from erfailover.model import Claim, Verdict
from erfailover.probes import ProbeResult
from erfailover.reporting import probes as checks
from erfailover.reporting.tables import MARK, PATH_NAMES
from erfailover.site import Path, Site

MANY = 10
"""From how many on a list is cut short for people."""


@dataclass
class Outcome:
    """What a switch came to. Times are seconds since the command began.

    Attributes:
        failed: the spokes that were not moved, and why.
        decision_s: until it was decided what to do, the operator's answer included.
        control_plane_s: until the last spoke used the other hub's gateway, in Azure's words.
        spokes_s: until the arriving hub's gateway originated each spoke's prefixes.
        excused: the hub being left has been asked for long enough whether it still originates
            the spokes: that it does not answer is no failure.
    """

    target: Path
    written: list[str] = field(default_factory=list)
    failed: dict[str, Failure] = field(default_factory=dict)
    claims: dict[str, tuple[Claim, Claim]] = field(default_factory=dict)
    probes: list[ProbeResult] = field(default_factory=list)
    decision_s: float = 0.0
    control_plane_s: float | None = None
    spokes_s: dict[str, float] = field(default_factory=dict)
    verified_s: float = 0.0
    excused: bool = False

    @property
    def data_plane_s(self) -> float | None:
        """Until the arriving hub's gateway originated the last spoke; None where it does not."""
        moved = [self.spokes_s.get(name) for name in self.claims]
        return None if not moved or None in moved else max(each for each in moved if each)


def verified(outcome: Outcome) -> bool:
    """Whether routes and probes show the switch.

    The target originates each spoke and the other hub no longer does. Where the first is UNKNOWN
    (a summarised prefix, a table that cannot be read), the probes decide. A dead gateway of the
    hub being left does not answer: that is waited for, but does not fail a switch.
    """
    arriving = conditions.all_of(pair[0] for pair in outcome.claims.values())
    leaving = conditions.all_of(pair[1] for pair in outcome.claims.values())
    if Verdict.FAILS in (arriving, leaving) or outcome.failed:
        return False
    if not all(each.as_expected for each in outcome.probes):
        return False
    if arriving is Verdict.UNKNOWN:
        return bool(outcome.probes)
    return leaving is Verdict.HOLDS or bool(outcome.probes) or outcome.excused


def probed(outcome: Outcome) -> bool:
    """Whether the probes were run and came out as they should."""
    return bool(outcome.probes) and all(each.as_expected for each in outcome.probes)


def missing(outcome: Outcome) -> list[str]:
    """What keeps a switch from being verified, in words."""
    claims = [claim for pair in outcome.claims.values() for claim in pair]
    found = [claim.seen for claim in claims if claim.verdict is not Verdict.HOLDS]
    return found + [f"probe {each.name} fails" for each in outcome.probes if not each.as_expected]


def data(site: Site, outcome: Outcome) -> dict[str, Any]:
    """The report of a switch as plain data."""
    return {
        "site": site.name,
        "to": str(outcome.target),
        "changed": outcome.written,
        "verified": verified(outcome),
        "failed": {name: failure.message for name, failure in outcome.failed.items()},
        "decision_s": round(outcome.decision_s, 1),
        "control_plane_s": _rounded(outcome.control_plane_s),
        "data_plane_s": _rounded(outcome.data_plane_s),
        "verified_s": round(outcome.verified_s, 1),
        "spokes_s": {name: round(at, 1) for name, at in outcome.spokes_s.items()},
        "routes": [
            {"spoke": spoke, "verdict": str(claim.verdict), "seen": claim.seen}
            for spoke, pair in outcome.claims.items()
            for claim in pair
        ],
        "probes": checks.data(outcome.probes),
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)


def text(site: Site, outcome: Outcome) -> str:
    """The report of a switch for people: the outcome first."""
    name = PATH_NAMES[outcome.target]
    moved = f"{len(outcome.claims)} of {len(site.spokes)} spokes of {site.name} are on {name}"
    first = moved if outcome.failed else f"{site.name} is on {name}"
    lines = [first + ("." if verified(outcome) else ", NOT verified.")]
    if outcome.written:
        lines.append(f"{len(outcome.written)} peering(s) written: {_some(outcome.written)}")
        lines.append(_times(outcome))
    else:
        lines.append("Nothing had to be changed.")
    lines += [f" FAILED  {spoke}: {each.message}" for spoke, each in outcome.failed.items()]
    for pair in list(outcome.claims.values())[:MANY]:
        lines += [f"{MARK[claim.verdict]:>7}  {claim.seen}" for claim in pair]
    if len(outcome.claims) > MANY:
        lines.append(f"         ... and {len(outcome.claims) - MANY} more (-o json tells all)")
    if outcome.probes:
        lines.append(checks.text(outcome.probes, brief=True))
    lines.append(f"To go back: erfailover switch --to {outcome.target.other}")
    return "\n".join(lines)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - MANY} more" if len(names) > MANY else ""
    return ", ".join(names[:MANY]) + more


def _times(outcome: Outcome) -> str:
    """The three times: decision, control plane, data plane."""
    parts = [f"decided after {duration(outcome.decision_s)}"]
    if outcome.control_plane_s is not None:
        parts.append(f"peerings switched after {duration(outcome.control_plane_s)}")
    if outcome.data_plane_s is not None:
        parts.append(f"routes show it after {duration(outcome.data_plane_s)}")
    parts.append(f"verified after {duration(outcome.verified_s)}")
    return ", ".join(parts)
