"""Runs a site's probes at once, from wherever each is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from erfailover.azure.readers import probes as readers_probes
from erfailover.commands.context import Context
from erfailover.commands.probes.local import LocalMachine
from erfailover.model.probes import LOCAL, LocalProbe
from erfailover.planning.probes.results import ProbeResult, build_result
from erfailover.runtime.clock import run_all

Work = Callable[[], list[ProbeResult]]


def build_here(context: Context) -> LocalMachine:
    """Return this machine, for the probes of a site."""
    return LocalMachine(context.site_file.path.absolute().parent, context.environment)


def run(context: Context, expected: Mapping[str, bool]) -> list[ProbeResult]:
    """Run the probes named in ``expected`` in parallel, and return the result of each."""
    probes = {name: context.site.probes[name] for name in expected}
    work: list[Work] = []
    local = build_here(context)
    for name, probe in probes.items():
        if isinstance(probe, LOCAL):
            work.append(partial(_ask_here, local, name, probe, expected[name]))
    if len(work) < len(probes):
        work += readers_probes.build_work(context.reader, context.site, probes, expected)
    try:
        done = run_all(context.clock, work)
    finally:
        local.stop()
    by_name = {result.name: result for results in done for result in results}
    return [by_name[name] for name in expected]


def _ask_here(
    local: LocalMachine, name: str, probe: LocalProbe, expected: bool
) -> list[ProbeResult]:
    return [build_result(name, probe, local.ask(probe), expected)]
