"""What a switch came to: whether it is verified, and its report as text and as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from erfailover import conditions, report
from erfailover.commands.progress import duration
from erfailover.model import Claim, Verdict
from erfailover.probes import ProbeResult
from erfailover.site import Path, Site


@dataclass
class Outcome:
    """What a switch came to."""

    target: Path
    written: list[str] = field(default_factory=list)
    claims: dict[str, tuple[Claim, Claim]] = field(default_factory=dict)
    probes: list[ProbeResult] = field(default_factory=list)
    switched_s: float = 0.0
    verified_s: float = 0.0


def verified(outcome: Outcome) -> bool:
    """Whether routes and probes show the switch.

    The target originates each spoke and the other hub no longer does. Where that is UNKNOWN (a
    summarised prefix, a dead gateway that does not answer), the probes decide.
    """
    claims = [claim for pair in outcome.claims.values() for claim in pair]
    routes = conditions.all_of(claims)
    if routes is Verdict.FAILS or not all(each.as_expected for each in outcome.probes):
        return False
    return routes is Verdict.HOLDS or bool(outcome.probes)


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
        "switched_s": round(outcome.switched_s, 1),
        "verified_s": round(outcome.verified_s, 1),
        "routes": [
            {"spoke": spoke, "verdict": str(claim.verdict), "seen": claim.seen}
            for spoke, pair in outcome.claims.items()
            for claim in pair
        ],
        "probes": report.probes_data(outcome.probes),
    }


def text(site: Site, outcome: Outcome) -> str:
    """The report of a switch for people: the outcome first."""
    name = report.PATH_NAMES[outcome.target]
    lines = [f"{site.name} is on {name}" + ("." if verified(outcome) else ", NOT verified.")]
    if outcome.written:
        lines.append(
            f"{len(outcome.written)} peering(s) written in {duration(outcome.switched_s)}, "
            f"verified after {duration(outcome.verified_s)}: {', '.join(outcome.written)}"
        )
    else:
        lines.append("Nothing had to be changed.")
    for pair in outcome.claims.values():
        lines += [f"{report.MARK[claim.verdict]:>7}  {claim.seen}" for claim in pair]
    if outcome.probes:
        lines.append(report.probes_text(outcome.probes, brief=True))
    lines.append(f"To go back: erfailover switch --to {outcome.target.other}")
    return "\n".join(lines)
