"""Runs the probes that Azure answers: by Run Command, of effective routes, of next hops.

A machine runs one command at a time, so its probes share one script, or as few as their output
allows. Changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial

from erfailover.azure.reader import Reader
from erfailover.azure.readers import network_watcher
from erfailover.errors import AzureFailure
from erfailover.model.arm_json import get_section, parse_text
from erfailover.model.observed import attempt
from erfailover.model.probes import (
    RUN_COMMAND,
    InterfaceRoute,
    MachinePing,
    MachineProbe,
    NextHop,
    Probe,
)
from erfailover.model.resource_ids import INTERFACE
from erfailover.model.site import Site
from erfailover.planning.probes import machine_scripts, results
from erfailover.planning.probes.answers import Answer, judge_next_hop, judge_routes
from erfailover.planning.probes.machine_scripts import System
from erfailover.planning.probes.results import ProbeResult

NAT_TRIES = 3

Expected = Mapping[str, bool]
Work = Callable[[], list[ProbeResult]]


def build_work(
    reader: Reader, site: Site, selected: Mapping[str, Probe], expected: Expected
) -> list[Work]:
    """Return what asks the probes that Azure answers, to be done all at once."""
    by_machine: dict[str, dict[str, MachineProbe]] = {}
    asks: list[Work] = []
    for name, probe in selected.items():
        if isinstance(probe, RUN_COMMAND):
            by_machine.setdefault(site.build_machine_id(probe.machine).lower(), {})[name] = probe
        elif isinstance(probe, InterfaceRoute):
            asks.append(partial(_ask_route, reader, site, name, probe, expected[name]))
        elif isinstance(probe, NextHop):
            asks.append(partial(_ask_next_hop, reader, site, name, probe, expected[name]))
    asks += [
        partial(_ask_machine, reader, site, probes, expected) for probes in by_machine.values()
    ]
    return asks


def _ask_route(
    reader: Reader, site: Site, name: str, probe: InterfaceRoute, expected: bool
) -> list[ProbeResult]:
    """Ask what the effective routes of a network interface say of a prefix.

    Azure's answer is that of the running machine's interface (published: "View effective routes").
    """
    began = reader.clock.now()
    interface_id = site.build_resource_id(INTERFACE, probe.interface)
    answer = ask_effective_routes(reader, interface_id, probe)
    return [results.build_result(name, probe, _set_duration(reader, answer, began), expected)]


def ask_effective_routes(reader: Reader, interface_id: str, probe: InterfaceRoute) -> Answer:
    """Return what the effective routes of an interface say of a prefix."""
    try:
        rows = reader.read_gateway_action(
            interface_id, "get_effective_route_table", deadline_s=probe.timeout_s
        )
        return judge_routes(rows, probe)
    except AzureFailure as failure:
        return Answer(None, failure.message)


def _ask_next_hop(
    reader: Reader, site: Site, name: str, probe: NextHop, expected: bool
) -> list[ProbeResult]:
    began = reader.clock.now()
    machine = site.build_machine_id(probe.machine)
    reading = attempt(
        partial(network_watcher.read_next_hop, reader, machine, probe.address, probe.timeout_s)
    )
    answer = (
        Answer(None, reading.unknown or "no answer")
        if reading.value is None
        else judge_next_hop(reading.value, probe)
    )
    return [results.build_result(name, probe, _set_duration(reader, answer, began), expected)]


def _ask_machine(
    reader: Reader, site: Site, probes: Mapping[str, MachineProbe], expected: Expected
) -> list[ProbeResult]:
    """Ask the probes of one machine, in as few commands as their output allows."""
    machine = next(iter(probes.values())).machine
    system = _read_system(reader, site.build_machine_id(machine))
    rows = []
    for names in machine_scripts.group_names(probes):
        began = reader.clock.now()
        requested = [probes[name] for name in names]
        output = _run_script(reader, site, machine, requested, system)
        took_s = round(reader.clock.now() - began, 1)
        for name, probe, answer in zip(
            names, requested, machine_scripts.parse_answers(output, requested, took_s), strict=True
        ):
            if isinstance(probe, MachinePing) and probe.through and answer.up and expected[name]:
                answer = _set_duration(
                    reader, _check_nat(reader, site, probe, system, answer), began
                )
            rows.append(results.build_result(name, probe, answer, expected[name]))
    return rows


def _check_nat(
    reader: Reader, site: Site, probe: MachinePing, system: System, pinged: Answer
) -> Answer:
    """Look the flow up in the NAT table, which forgets it 30 s after the last packet (Linux)."""
    assert probe.through is not None
    nat = site.build_machine_id(probe.through)
    looked = pinged
    for tried in range(NAT_TRIES):
        if tried:
            _run_script(reader, site, probe.machine, [probe], system)
        try:
            command_result = reader.run_command(
                nat, machine_scripts.build_nat_script(probe.ping), probe.timeout_s
            )
            looked = machine_scripts.parse_nat_answer(
                command_result.stdout or command_result.stderr, probe
            )
        except AzureFailure as failure:
            looked = Answer(None, failure.message)
        if looked.up is not False:
            break
    but = ", " if looked.up else ", but "
    of = f"{looked.observation} of {probe.through}" if looked.up is False else looked.observation
    return Answer(
        looked.up, f"{pinged.observation}{but}{of}", f"{pinged.output}\n{looked.output or of}"
    )


def _read_system(reader: Reader, machine_id: str) -> System:
    """Return the operating system of a machine; Linux if Azure does not tell it.

    A script for the other system prints no frames, so a wrong guess makes its probes unknown.
    """
    body = attempt(partial(reader.get, machine_id)).value
    disk = get_section(body, "properties", "storageProfile", "osDisk")
    windows = parse_text(disk.get("osType")).lower() == System.WINDOWS.lower()
    return System.WINDOWS if windows else System.LINUX


def _run_script(
    reader: Reader, site: Site, machine: str, probes: Iterable[MachineProbe], system: System
) -> str:
    requested = list(probes)
    deadline_s = max(item.timeout_s for item in requested)
    lines = machine_scripts.build_script(requested, system)
    try:
        command_result = reader.run_command(
            site.build_machine_id(machine), lines, deadline_s, system.command_id
        )
    except AzureFailure as failure:
        return failure.message
    return command_result.stdout or command_result.stderr


def _set_duration(reader: Reader, answer: Answer, began: float) -> Answer:
    return replace(answer, took_s=round(reader.clock.now() - began, 1))
