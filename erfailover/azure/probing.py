"""Runs probes with Run Command: every machine at once, one script a machine."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from erfailover import probes
from erfailover.azure.cloud import Azure
from erfailover.clock import all_at_once
from erfailover.errors import AzureFailure
from erfailover.probes import ProbeResult
from erfailover.site import Probe, Site

DEADLINE_S = 300.0
NAT_TRIES = 3


def run(azure: Azure, site: Site, expected: Mapping[str, bool]) -> list[ProbeResult]:
    """Run the probes named in ``expected`` and say what each came to."""
    by_machine: dict[str, dict[str, Probe]] = {}
    for name in expected:
        probe = site.probes[name]
        by_machine.setdefault(probe.machine, {})[name] = probe
    work = [
        partial(_on_machine, azure, site, machine, wanted, expected)
        for machine, wanted in by_machine.items()
    ]
    found = {
        result.name: result for results in all_at_once(azure.clock, work) for result in results
    }
    return [found[name] for name in expected]


def _on_machine(
    azure: Azure,
    site: Site,
    machine: str,
    wanted: Mapping[str, Probe],
    expected: Mapping[str, bool],
) -> list[ProbeResult]:
    output = _output(azure, site, machine, probes.ping_script(wanted))
    parts = probes.sections(output)
    results = []
    for name, probe in wanted.items():
        check = f"{machine} pings {probe.ping}"
        text = parts.get(name, output)
        up = probes.ping_passed(text)
        if probe.through and expected[name] and up:
            check += f" through the NAT of {probe.through}"
            entry = _nat_entry(azure, site, machine, probe)
            up = entry is not None
            text += f"\n{entry or f'no entry in the NAT table of {probe.through}'}"
        results.append(ProbeResult(name, check, up, expected[name], text))
    return results


def _nat_entry(azure: Azure, site: Site, machine: str, probe: Probe) -> str | None:
    """The flow in the NAT table; pinged again where it has expired meanwhile (30 s, Linux)."""
    assert probe.through is not None
    for attempt in range(NAT_TRIES):
        if attempt:
            _output(azure, site, machine, probes.ping_script({"again": probe}))
        output = _output(azure, site, probe.through, probes.nat_script(probe))
        entry = probes.nat_entry(output, probe)
        if entry:
            return entry
    return None


def _output(azure: Azure, site: Site, machine: str, script: list[str]) -> str:
    try:
        result = azure.run_command(site.machine_id(machine), script, DEADLINE_S)
    except AzureFailure as failure:
        return failure.message
    return "\n".join(filter(None, (result.stdout, result.stderr)))
