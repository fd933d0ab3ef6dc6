"""The drill of an ExpressRoute site: Azure's own site failover test of the primary gateway.

It cuts the gateway off the circuits at one peering location, for real and until it is stopped,
so ``--yes`` is not enough: the gateway's name has to be typed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from erfailover.azure.failover_tests import start_failover_test, stop_failover_test
from erfailover.azure.readers.circuits import read_circuits, read_failover_tests
from erfailover.azure.readers.network import observe
from erfailover.azure.writer import Writer
from erfailover.commands.activity import Activity
from erfailover.commands.context import Context
from erfailover.commands.lease import Lease, hold_lease
from erfailover.commands.runs.recorder import record_run, settle
from erfailover.commands.runs.tasks import run_tasks
from erfailover.errors import UnknownReading, UsageFailure, VerificationFailed
from erfailover.model.circuits import Circuits, FailoverTest
from erfailover.model.conditions import ConditionStatus
from erfailover.model.counting import join_names
from erfailover.model.observed import EXPRESSROUTE, Gateway
from erfailover.model.resource_ids import get_last_name
from erfailover.model.site import Role, SiteFailoverTest
from erfailover.model.tasks import Task
from erfailover.planning import conditions
from erfailover.planning.drill.site_failover import check_start, check_stop, list_other_connections
from erfailover.runtime.clock import run_all

DEADLINE_S = 900.0
PEERS_S = 120.0
"""How long the gateway's peers may take to show what the test has done; published: traffic has
failed over within 15 s, typically."""


def start(context: Context, drill: SiteFailoverTest, typed: str | None) -> None:
    """Start the test, and return when the gateway shows it.

    Args:
        context: the invocation.
        drill: which peering location to cut off.
        typed: the gateway's name, as typed on the command line.

    Raises:
        Refused: there is no such test of this gateway, or its name was not typed.
        UnknownReading: what that rests on could not be read.
        VerificationFailed: the test does not show as Running in time.
    """
    with hold_lease(context, "drill start") as lease:
        settle(context)
        gateway, circuits = _read(context)
        place, running = check_start(circuits, drill.peering_location)
        if running is None:
            name = circuits.gateway_name
            context.output.present(_describe_prefixes(context, gateway))
            context.output.confirm_by_name(
                f"This disconnects {name} from its circuits at {place} until erfailover drill "
                "stop. Traffic that no other circuit carries is lost.",
                name,
                typed,
                f"Use --gateway {name} to skip the prompt (--yes is not enough).",
            )

            def act(writer: Writer) -> None:
                start_failover_test(writer, context.reader, circuits.gateway_id, place, DEADLINE_S)

            _write(context, lease, circuits, "start", place, act)
        test = _wait(context, circuits, place, under_way=True)
        text = _wait_for_peers(context, circuits.gateway_name, some_down=True)
        context.output.print_result(
            f"{text}\nTo stop it: erfailover drill stop\n"
            f"Drill started: a site failover test of {circuits.gateway_name} disconnects it from "
            f"{place}.",
            {
                "drill": "started",
                "gateway": circuits.gateway_name,
                "peering_location": place,
                "status": test.status if test else None,
                "peers": text,
                "changed": running is None,
            },
        )


def stop(context: Context) -> None:
    """Stop the primary gateway's test that is in progress; return when Azure shows it.

    Raises:
        Refused: the primary is no ExpressRoute gateway.
        UnknownReading: its tests could not be read.
        VerificationFailed: the test does not end in time.
    """
    with hold_lease(context, "drill stop") as lease:
        settle(context)
        gateway, circuits = _read(context)
        if context.site.drill is None and circuits.gateway_type != EXPRESSROUTE:
            raise UsageFailure(
                f"{context.site_file} has no drill",
                "Add a drill: section; see docs/reference.md, or the file that erfailover init "
                "writes.",
            )
        name, test = circuits.gateway_name, check_stop(circuits)
        if test is None:
            context.output.print_result(
                f"No site failover test of {name} is running.",
                {"drill": "stopped", "gateway": name, "changed": False},
            )
            return
        place = test.peering_location
        learned = conditions.check_gateway_learned(
            gateway, Role.PRIMARY, context.site.remote_prefixes
        )
        verified = list_other_connections(circuits, place, learned.status is ConditionStatus.HOLDS)
        if test.status != "Stopping":
            if test.status == "Starting":
                _wait(context, circuits, place, under_way=True)
            context.output.confirm(f"Stop the site failover test of {name} at {place}?")

            def act(writer: Writer) -> None:
                stop_failover_test(
                    writer, context.reader, circuits.gateway_id, place, DEADLINE_S, verified
                )

            _write(context, lease, circuits, "stop", place, act)
        _wait(context, circuits, place, under_way=False)
        text = _wait_for_peers(context, circuits.gateway_name, some_down=False)
        withstood = bool(verified) and all(pair[2] for pair in verified)
        outcome = "withstood" if withstood else "was NOT shown to withstand"
        context.output.print_result(
            f"Drill stopped: {name} {outcome} the loss of {place} ({learned.message}). {text}",
            {
                "drill": "stopped",
                "gateway": name,
                "peering_location": place,
                "successful": withstood,
                "connections": [
                    {"name": item, "peering_location": where, "verified": is_visible}
                    for item, where, is_visible in verified
                ],
                "peers": text,
                "changed": test.status != "Stopping",
            },
        )


def _read(context: Context) -> tuple[Gateway, Circuits]:
    """Return the primary gateway and its circuits, read in parallel."""
    site, reader = context.site, context.reader
    gateway_id = site.build_gateway_id(site.primary.gateway)
    reads: list[Callable[[], Any]] = [
        partial(observe, reader, site, [Role.PRIMARY], []),
        partial(read_circuits, reader, gateway_id),
    ]
    with context.show_activity(f"Reading {get_last_name(gateway_id)}, its peers and its circuits"):
        observed, value = run_all(context.clock, reads)
    gateway = observed.gateways.get(Role.PRIMARY)
    if gateway is None:
        why = join_names(observed.unknown.values(), comma="; ")
        raise UnknownReading(why or f"{gateway_id} could not be read")
    return gateway, value


def _describe_prefixes(context: Context, gateway: Gateway) -> str:
    learned = conditions.check_gateway_learned(gateway, Role.PRIMARY, context.site.remote_prefixes)
    whole = conditions.check_all_peers_connected(gateway, Role.PRIMARY)
    return f"Now: {learned.message}. {whole.message}."


def _write(
    context: Context,
    lease: Lease,
    circuits: Circuits,
    verb: str,
    place: str,
    act: Callable[[Writer], None],
) -> None:
    plan = {"resource": circuits.gateway_id, "peeringLocation": place, "siteFailoverTest": verb}
    with record_run(context, f"drill {verb}", plan) as recorder:
        task = Task(
            "drill",
            f"{verb} the site failover test of {circuits.gateway_name} at {place}",
            partial(act, lease.build_writer(recorder.record_accepted)),
            change="update",
            resource=circuits.gateway_id,
        )
        run_tasks(context, recorder, [task]).raise_first()


def _wait(
    context: Context, circuits: Circuits, place: str, *, under_way: bool
) -> FailoverTest | None:
    """Wait until the test at a location is Running, or has ended."""
    with context.show_activity(f"Reading the site failover test at {place}") as activity:
        return _follow(context, circuits, place, activity, under_way=under_way)


def _follow(
    context: Context, circuits: Circuits, place: str, activity: Activity, *, under_way: bool
) -> FailoverTest | None:
    deadline = context.clock.now() + DEADLINE_S
    message = "not read yet"
    while True:
        tests = read_failover_tests(context.reader, circuits.gateway_id)
        here = [
            failover_test
            for failover_test in tests.value or ()
            if failover_test.peering_location.lower() == place.lower()
        ]
        test = here[-1] if here else None
        if tests.value is None:
            message = tests.unknown or message
        else:
            message = f"the test at {place} is {test.status if test else 'not listed'}"
            ended = test is None or not test.under_way
            if not under_way and ended:
                return test
            if under_way and test is not None and test.status == "Running":
                return test
            if under_way and test is not None and not test.under_way:
                break
        if context.clock.now() >= deadline:
            break
        activity.say(f"Waiting for Azure: {message}")
        context.clock.sleep(10.0)
    desired = "Running" if under_way else "no longer under way"
    raise VerificationFailed(
        f"{circuits.gateway_name}: {message}; expected {desired}", "Check: erfailover status"
    )


def _wait_for_peers(context: Context, gateway_name: str, *, some_down: bool) -> str:
    """Wait for the gateway's edge peers to show the test; return a description of them.

    They are shown and decide nothing: an edge may be down for another reason.
    """
    deadline = context.clock.now() + PEERS_S
    with context.show_activity(f"Waiting for the edge peers of {gateway_name}"):
        while True:
            observed = observe(context.reader, context.site, [Role.PRIMARY], [])
            gateway = observed.gateways.get(Role.PRIMARY)
            peers = conditions.select_external_peers(gateway)
            up = [peer for peer in peers if peer.state == conditions.CONNECTED]
            if peers and (len(up) < len(peers)) is some_down:
                break
            if context.clock.now() >= deadline:
                break
            context.clock.sleep(5.0)
    if not peers:
        return "The gateway's peers could not be read."
    text = ", ".join(f"{peer.neighbor} {peer.state}" for peer in peers)
    return f"{len(up)} of {len(peers)} edge peers are Connected: {text}."
