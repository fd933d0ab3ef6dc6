"""``erfailover status``: read everything at once, judge, show."""

from __future__ import annotations

from erfailover.commands.context import Context
from erfailover.commands.hints import not_found_hint
from erfailover.commands.output import screen
from erfailover.commands.status import snapshot
from erfailover.errors import UnknownReading, VerificationFailed
from erfailover.model.claims import Verdict
from erfailover.planning.health import Health
from erfailover.reporting.words import path_name


def run(context: Context, *, details: bool = False) -> None:
    """Show the status of the site.

    Args:
        context: the invocation.
        details: show what the verdict rests on, and the tables.

    Raises:
        VerificationFailed: the active path is unhealthy.
        UnknownReading: what decides it could not be read.
    """
    found = snapshot.read_visibly(context)
    text = snapshot.text(found, screen(context.environment), details=details)
    data = snapshot.data(context, found) if context.output.shows_data else None
    context.output.print_result(text, data)
    health = found.health
    if health.healthy is None:
        raise UnknownReading(
            "the state of the active path is unknown: " + _first_reasons(found),
            None if found.observed.networks else not_found_hint(context.site),
        )
    if not health.healthy:
        raise VerificationFailed("the active path is not healthy", _next(health))


def _first_reasons(found: snapshot.StatusReading) -> str:
    """Why, for a group of spokes each; of many groups the first."""
    unsure = [each for each in found.picture.groups if each.sample.health.healthy is None]
    reasons = dict.fromkeys(each.condition.why.split("; ")[0] for each in unsure[:3])
    return "; ".join(reasons)


def _next(health: Health) -> str | None:
    """Return the command that helps: to the other path if it is ready, or what is in its way."""
    if health.other is None:
        return "erfailover doctor"
    if health.ready is Verdict.HOLDS:
        return f"erfailover switch --to {health.other}"
    return f"{path_name(health.other)} could not take over: erfailover doctor"
