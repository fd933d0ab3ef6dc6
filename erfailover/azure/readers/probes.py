"""Runs the probes that Azure answers: pings by Run Command, and effective routes.

Each machine is sent one script: Run Command runs one at a time. Changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from erfailover.azure.reader import Reader
from erfailover.errors import AzureFailure
from erfailover.model.probes import InterfaceRoute, MachinePing
from erfailover.model.resource_ids import INTERFACE
from erfailover.model.site import Site
from erfailover.planning.probes import results as probes_results
from erfailover.planning.probes.answers import Answer, of_routes
from erfailover.planning.probes.results import ProbeResult

NAT_TRIES = 3


def pings(
    reader: Reader, site: Site, wanted: Mapping[str, MachinePing], expected: Mapping[str, bool]
) -> list[Callable[[], list[ProbeResult]]]:
    """The work of these pings: one script a machine, to be done at once."""
    by_machine: dict[str, dict[str, MachinePing]] = {}
    for name, probe in wanted.items():
        by_machine.setdefault(probe.machine, {})[name] = probe
    return [
        partial(_on_machine, reader, site, machine, mine, expected)
        for machine, mine in by_machine.items()
    ]


def route(
    reader: Reader, site: Site, name: str, probe: InterfaceRoute, expected: bool
) -> list[ProbeResult]:
    """What the effective routes of a network interface say of a prefix.

    Azure's answer is that of the running machine's interface (published: "View effective routes").
    """
    began = reader.clock.now()
    try:
        rows = reader.gateway_action(
            site.resource_id(INTERFACE, probe.interface),
            "get_effective_route_table",
            deadline_s=probe.timeout_s,
        )
        answer = of_routes(rows, probe)
    except AzureFailure as failure:
        answer = Answer(None, failure.message)
    took_s = round(reader.clock.now() - began, 1)
    return [probes_results.result(name, probe, replace(answer, took_s=took_s), expected)]


def _on_machine(
    reader: Reader,
    site: Site,
    machine: str,
    wanted: Mapping[str, MachinePing],
    expected: Mapping[str, bool],
) -> list[ProbeResult]:
    began = reader.clock.now()
    deadline_s = max(each.timeout_s for each in wanted.values())
    output = _output(reader, site, machine, probes_results.ping_script(wanted), deadline_s)
    took_s = reader.clock.now() - began
    parts = probes_results.sections(output)
    results = []
    for name, probe in wanted.items():
        check = f"{machine} pings {probe.ping}"
        text = parts.get(name, output)
        up, seen = probes_results.ping_passed(text), probes_results.ping_seen(text)
        if probe.through and expected[name] and up:
            check += f" through the NAT of {probe.through}"
            entry = _nat_entry(reader, site, machine, probe)
            up, took_s = entry is not None, reader.clock.now() - began
            missing = f"no entry in the NAT table of {probe.through}"
            seen += ", in the NAT table" if entry else f", but {missing}"
            text += f"\n{entry or missing}"
        answer = Answer(up, seen, text, round(took_s, 1))
        results.append(
            replace(probes_results.result(name, probe, answer, expected[name]), check=check)
        )
    return results


def _nat_entry(reader: Reader, site: Site, machine: str, probe: MachinePing) -> str | None:
    """The flow in the NAT table; pinged again where it has expired meanwhile (30 s, Linux)."""
    assert probe.through is not None
    for attempt in range(NAT_TRIES):
        if attempt:
            _output(
                reader, site, machine, probes_results.ping_script({"again": probe}), probe.timeout_s
            )
        output = _output(
            reader, site, probe.through, probes_results.nat_script(probe), probe.timeout_s
        )
        entry = probes_results.nat_entry(output, probe)
        if entry:
            return entry
    return None


def _output(reader: Reader, site: Site, machine: str, script: list[str], deadline_s: float) -> str:
    try:
        result = reader.run_command(site.machine_id(machine), script, deadline_s)
    except AzureFailure as failure:
        return failure.message
    return "\n".join(filter(None, (result.stdout, result.stderr)))
