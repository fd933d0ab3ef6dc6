"""``erfailover status``: read everything at once, judge, show."""

from __future__ import annotations

from erfailover.commands.context import Context
from erfailover.commands.hints import explain_not_found
from erfailover.commands.output import detect_screen
from erfailover.commands.status import snapshot
from erfailover.errors import UnknownReading, VerificationFailed
from erfailover.reporting.status.part_of_site import suggest_command
from erfailover.reporting.words import describe_no_path

ROWS = "spokes[].[name, path, healthy, prestaged]"
"""The columns of ``-o tsv``; documented in ``docs/reference.md``, as those of other commands."""


def run(context: Context, *, details: bool = False) -> None:
    """Show the status of the site.

    Args:
        context: the invocation.
        details: show the conditions behind the verdict, and the tables.

    Raises:
        VerificationFailed: the active path is unhealthy.
        UnknownReading: what decides it could not be read.
    """
    reading = snapshot.read_visibly(context)
    text = snapshot.format_text(reading, detect_screen(context.environment), details=details)
    data = snapshot.build_data(context, reading) if context.output.shows_data else None
    context.output.print_result(text, data, ROWS)
    health = reading.health
    if health.healthy is None:
        raise UnknownReading(
            "the state of the active path is unknown: " + _format_reasons(reading),
            None if reading.observed.networks else explain_not_found(context.site),
        )
    if not health.healthy:
        command = suggest_command(context.site, reading.observed, health)
        cut_off = [spoke.name for spoke in health.spokes if spoke.path == "none"]
        if not cut_off:
            raise VerificationFailed("the active path is not healthy", command)
        run = reading.open_run
        hint = run.to_continue if run is not None and run.to_continue else command
        raise VerificationFailed(describe_no_path(cut_off), hint)


def _format_reasons(reading: snapshot.StatusReading) -> str:
    """Return the reasons, one per group of spokes; of many groups, those of the first."""
    unsure = [group for group in reading.picture.groups if group.sample.health.healthy is None]
    reasons = dict.fromkeys(group.condition.why.split("; ")[0] for group in unsure[:3])
    return "; ".join(reasons)
