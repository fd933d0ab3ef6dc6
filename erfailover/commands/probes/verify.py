"""``erfailover verify``: the site's probes, each with what was expected and what came back."""

from __future__ import annotations

from erfailover.commands.context import Context
from erfailover.commands.output import screen
from erfailover.commands.probes import runner
from erfailover.errors import UnknownReading, UsageFailure, VerificationFailed
from erfailover.model.counting import counted, join_names
from erfailover.model.probes import RUN_COMMAND
from erfailover.planning.probes.results import ProbeResult, expectations
from erfailover.reporting import probes as told


def run(context: Context, expect: str | None) -> list[ProbeResult]:
    """Run every probe of the site and say whether all came out as expected.

    Args:
        context: the invocation.
        expect: ``office=down,internet=up``; what it does not name is expected up.

    Raises:
        VerificationFailed: a probe came out otherwise.
        UnknownReading: a probe could not be run.
    """
    site = context.site
    if not site.probes:
        raise UsageFailure(
            f"{context.site_file} names no probes", "Add some under probes: (erfailover init)."
        )
    try:
        expected = expectations(expect, list(site.probes))
    except ValueError as error:
        raise UsageFailure(f"--expect: {error}") from None
    by_azure = any(isinstance(each, RUN_COMMAND) for each in site.probes.values())
    how = "; Run Command takes about half a minute" if by_azure else ""
    context.output.info(f"Running {counted(len(expected), 'probe')} at once{how} ...")
    results = runner.run(context, expected)
    context.output.print_result(told.text(results, screen(context.environment)), told.data(results))
    wrong = [each for each in results if not each.as_expected]
    unknown = [each.name for each in wrong if each.up is None]
    failed = [each.name for each in wrong if each.up is not None]
    if unknown:
        also = f"; not as expected: {join_names(failed)}" if failed else ""
        raise UnknownReading(f"Unknown result of {join_names(unknown)}{also}")
    if wrong:
        raise VerificationFailed(f"not as expected: {join_names(failed)}")
    return results
