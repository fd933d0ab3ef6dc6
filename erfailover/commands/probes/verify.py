"""``erfailover verify``: the site's probes, each with what was expected and what came back."""

from __future__ import annotations

from collections.abc import Mapping

from erfailover.azure.readers.network import observe
from erfailover.commands.context import Context
from erfailover.commands.output import detect_screen
from erfailover.commands.probes import chosen_probes, runner
from erfailover.errors import UnknownReading, UsageFailure, VerificationFailed
from erfailover.model.counting import format_count, join_names
from erfailover.model.probes import LOCAL, RUN_COMMAND, Probe
from erfailover.planning.probes.results import ProbeResult, parse_expectations
from erfailover.reporting import probes as told

ROWS = "[].[name, up, expected, seen]"
"""The columns of ``-o tsv``."""


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
            f"{context.site_file} has no probes",
            "Add a probes: section; the file that erfailover init writes has examples.",
        )
    try:
        expected = parse_expectations(expect, list(site.probes))
    except ValueError as error:
        raise UsageFailure(f"--expect: {error}") from None
    if not all(isinstance(probe, LOCAL) for probe in site.probes.values()):
        context.connect()
    probes = _select_probes(context, expect)
    expected = {name: up for name, up in expected.items() if name in probes}
    by_azure = any(isinstance(probe, RUN_COMMAND) for probe in probes.values())
    how = "; Run Command takes about half a minute" if by_azure else ""
    running = f"Running {format_count(len(expected), 'probe')} in parallel{how}"
    with context.show_activity(running, announced=True):
        results = runner.run(context, expected)
    text = told.format_text(results, detect_screen(context.environment))
    context.output.print_result(text, told.build_data(results), ROWS)
    wrong = [result for result in results if not result.as_expected]
    unknown = [result.name for result in wrong if result.up is None]
    failed = [result.name for result in wrong if result.up is not None]
    if unknown:
        also = f"; not as expected: {join_names(failed)}" if failed else ""
        raise UnknownReading(f"unknown result: {join_names(unknown)}{also}")
    if wrong:
        raise VerificationFailed(f"not as expected: {join_names(failed)}")
    return results


def _select_probes(context: Context, expect: str | None) -> Mapping[str, Probe]:
    """Return the probes to run: all, or those of the chosen spokes and those in ``--expect``.

    Raises:
        UsageFailure: there are none.
    """
    site = context.site
    if not site.chosen:
        return site.probes
    networks = [spoke.virtual_network for spoke in site.spokes]
    observed = observe(context.reader, site, [], networks)
    named = {part.partition("=")[0].strip() for part in (expect or "").split(",")}
    probes = chosen_probes.select_probes(context, observed, named)
    if not probes:
        raise UsageFailure(
            f"no probe of {site.name} relates to {join_names(site.chosen, 12)}",
            "Name a probe with --expect, or run verify without --spoke.",
        )
    return probes
