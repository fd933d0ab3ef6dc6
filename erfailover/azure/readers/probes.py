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
from erfailover.model.arm_json import section, text
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
from erfailover.planning.probes.answers import Answer, of_next_hop, of_routes
from erfailover.planning.probes.machine_scripts import System
from erfailover.planning.probes.results import ProbeResult

NAT_TRIES = 3

Expected = Mapping[str, bool]
Work = Callable[[], list[ProbeResult]]


def work(reader: Reader, site: Site, wanted: Mapping[str, Probe], expected: Expected) -> list[Work]:
    """Return what asks the probes that Azure answers, to be done all at once."""
    by_machine: dict[str, dict[str, MachineProbe]] = {}
    asks: list[Work] = []
    for name, probe in wanted.items():
        if isinstance(probe, RUN_COMMAND):
            by_machine.setdefault(site.machine_id(probe.machine).lower(), {})[name] = probe
        elif isinstance(probe, InterfaceRoute):
            asks.append(partial(_route, reader, site, name, probe, expected[name]))
        elif isinstance(probe, NextHop):
            asks.append(partial(_next_hop, reader, site, name, probe, expected[name]))
    asks += [partial(_on_machine, reader, site, probes, expected) for probes in by_machine.values()]
    return asks


def _route(
    reader: Reader, site: Site, name: str, probe: InterfaceRoute, expected: bool
) -> list[ProbeResult]:
    """Ask what the effective routes of a network interface say of a prefix.

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
    return [results.result(name, probe, _timed(reader, answer, began), expected)]


def _next_hop(
    reader: Reader, site: Site, name: str, probe: NextHop, expected: bool
) -> list[ProbeResult]:
    began = reader.clock.now()
    machine = site.machine_id(probe.machine)
    asked = attempt(
        partial(network_watcher.next_hop, reader, machine, probe.address, probe.timeout_s)
    )
    answer = (
        Answer(None, asked.unknown or "no answer")
        if asked.value is None
        else of_next_hop(asked.value, probe)
    )
    return [results.result(name, probe, _timed(reader, answer, began), expected)]


def _on_machine(
    reader: Reader, site: Site, probes: Mapping[str, MachineProbe], expected: Expected
) -> list[ProbeResult]:
    """Ask the probes of one machine, in as few commands as their output allows."""
    machine = next(iter(probes.values())).machine
    system = _system(reader, site.machine_id(machine))
    found = []
    for names in machine_scripts.in_scripts(probes):
        began = reader.clock.now()
        asked = [probes[name] for name in names]
        output = _output(reader, site, machine, asked, system)
        took_s = round(reader.clock.now() - began, 1)
        for name, probe, answer in zip(
            names, asked, machine_scripts.answers(output, asked, took_s), strict=True
        ):
            if isinstance(probe, MachinePing) and probe.through and answer.up and expected[name]:
                answer = _timed(reader, _through(reader, site, probe, system, answer), began)
            found.append(results.result(name, probe, answer, expected[name]))
    return found


def _through(
    reader: Reader, site: Site, probe: MachinePing, system: System, pinged: Answer
) -> Answer:
    """Look the flow up in the NAT table, which forgets it 30 s after the last packet (Linux)."""
    assert probe.through is not None
    nat = site.machine_id(probe.through)
    looked = pinged
    for tried in range(NAT_TRIES):
        if tried:
            _output(reader, site, probe.machine, [probe], system)
        try:
            said = reader.run_command(nat, machine_scripts.nat_script(probe.ping), probe.timeout_s)
            looked = machine_scripts.nat_answer(said.stdout or said.stderr, probe)
        except AzureFailure as failure:
            looked = Answer(None, failure.message)
        if looked.up is not False:
            break
    but = ", " if looked.up else ", but "
    of = f"{looked.seen} of {probe.through}" if looked.up is False else looked.seen
    return Answer(looked.up, f"{pinged.seen}{but}{of}", f"{pinged.output}\n{looked.output or of}")


def _system(reader: Reader, machine_id: str) -> System:
    """Return the operating system of a machine; Linux if Azure does not tell it.

    A script for the other system prints no frames, so a wrong guess makes its probes unknown.
    """
    body = attempt(partial(reader.get, machine_id)).value
    disk = section(body, "properties", "storageProfile", "osDisk")
    windows = text(disk.get("osType")).lower() == System.WINDOWS.lower()
    return System.WINDOWS if windows else System.LINUX


def _output(
    reader: Reader, site: Site, machine: str, probes: Iterable[MachineProbe], system: System
) -> str:
    asked = list(probes)
    deadline_s = max(each.timeout_s for each in asked)
    lines = machine_scripts.script(asked, system)
    try:
        said = reader.run_command(site.machine_id(machine), lines, deadline_s, system.command_id)
    except AzureFailure as failure:
        return failure.message
    return said.stdout or said.stderr


def _timed(reader: Reader, answer: Answer, began: float) -> Answer:
    return replace(answer, took_s=round(reader.clock.now() - began, 1))
