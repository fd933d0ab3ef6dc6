"""Site failover tests of ExpressRoute gateways: start, stop, and details.

Owns the record of a gateway's tests. Documented: a test needs circuits in two peering locations,
takes one location down for this gateway alone, and runs until it is stopped; a single circuit has
none. Shapes and statuses are those of Azure's reference; real answers are unpublished, so codes are
made up per run. That a test is listed from the moment Azure accepts it, as Starting, and as
Stopping until it is stopped, is assumed.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from erfailover.lab.core import errors, ids
from erfailover.lab.core.errors import Refusal
from erfailover.lab.core.world import Body, Resource
from erfailover.lab.engine.cloud import Cloud
from erfailover.lab.routing.records import FAILED

TESTS = "failoverTests"
FEWEST_LOCATIONS = 2
"""A test needs circuits in two peering locations (documented)."""
UNDER_WAY = frozenset({"Starting", "Running", "Stopping"})
ACTIONS = frozenset(
    {
        "startsitefailovertest",
        "stopsitefailovertest",
        "getfailoveralltestsdetails",
        "getfailoversingletestdetails",
    }
)


def find_locations(lab: Cloud, gateway: Resource) -> dict[str, list[Body]]:
    """Return the circuits that a gateway is connected to, by peering location."""
    locations: dict[str, list[Body]] = {}
    for connection in lab.context.list_connections(gateway.id):
        circuit = lab.world.get((connection.properties.get("peer") or {}).get("id", ""))
        if circuit is not None:
            place = str(circuit.properties["serviceProviderProperties"]["peeringLocation"])
            row = {"nrpResourceUri": circuit.body["id"], "name": circuit.body["name"]}
            row["connectionName"] = connection.body["name"]
            locations.setdefault(place, []).append(row)
    return locations


def find_refusal(
    lab: Cloud, gateway: Resource, action: str, arguments: dict[str, str]
) -> Refusal | None:
    """Return the refusal of a test action; None if it is allowed."""
    unknown, locations = lab.context.unknown, find_locations(lab, gateway)
    if gateway.properties.get("gatewayType") != "ExpressRoute":
        return unknown.refuse(
            "failover test of another gateway", f"Gateway {gateway.id} is no ExpressRoute gateway."
        )
    if action == "getfailoveralltestsdetails":
        return None
    place = arguments.get("peeringLocation", "")
    if not place:
        return errors.property_missing("peeringLocation", str(gateway.id))
    if place not in locations:
        return errors.property_invalid("peeringLocation", place, ", ".join(sorted(locations)))
    running = [test for test in _get_tests(gateway) if test["status"] in UNDER_WAY]
    if action == "startsitefailovertest":
        if len(locations) < FEWEST_LOCATIONS:
            return unknown.refuse(
                "failover test of a single site",
                f"Gateway {gateway.id} has circuits in one peering location only.",
            )
        if running:
            return unknown.refuse(
                "second failover test", f"A failover test of gateway {gateway.id} is running."
            )
    there = [
        test for test in running if (test["peeringLocation"], test["status"]) == (place, "Running")
    ]
    if action == "stopsitefailovertest" and not there:
        return unknown.refuse(
            "no failover test", f"No failover test of gateway {gateway.id} is running at {place}."
        )
    return None


def begin(lab: Cloud, gateway: Resource, action: str, arguments: dict[str, str]) -> None:
    """Record an action that has just been accepted."""
    tests, place = _get_tests(gateway), arguments.get("peeringLocation", "")
    if action == "startsitefailovertest":
        locations = find_locations(lab, gateway)
        tests.append(
            {
                "peeringLocation": place,
                "circuits": locations.get(place, []),
                "status": "Starting",
                "startTime": lab.format_timestamp(),
                "endTime": "",
                "connections": _list_other_connections(locations, place),
                "testGuid": lab.generator.make_guid(),
                "testType": "SingleSiteFailover",
                "issues": [],
            }
        )
    elif action == "stopsitefailovertest":
        _move(tests, UNDER_WAY, "Stopping")
    gateway.hidden[TESTS] = json.dumps(tests)


def record_failure(gateway: Resource, action: str) -> None:
    """Undo the record of an action that failed (assumed)."""
    tests = _get_tests(gateway)
    if action == "startsitefailovertest":
        _move(tests, {"Starting"}, "StartFailed")
    elif action == "stopsitefailovertest":
        _move(tests, {"Stopping"}, "Running")
    gateway.hidden[TESTS] = json.dumps(tests)


def _move(tests: list[Body], out_of: Collection[str], status: str, **more: str) -> None:
    for test in tests:
        if test["status"] in out_of:
            test |= {"status": status, **more}


def read_arguments(body: Body | None, query: dict[str, str]) -> dict[str, str]:
    """Return an action's arguments: its query, or the stop parameters of its body."""
    arguments = {"peeringLocation": query.get("peeringlocation", "")}
    arguments["latest"] = query.get("fetchlatest", "")
    arguments["type"], arguments["id"] = query.get("type", ""), query.get("failovertestid", "")
    if body is not None:
        parameters = body.get("stopParameters", body)
        inner: Any = parameters if isinstance(parameters, dict) else {}
        arguments["peeringLocation"] = str(inner.get("peeringLocation") or "")
        arguments["successful"] = str(bool(inner.get("wasSimulationSuccessful")))
    return arguments


def finish(lab: Cloud, gateway: Resource, action: str, arguments: dict[str, str]) -> Any:
    """Complete an action at the end of its operation, and return its result."""
    tests = _get_tests(gateway)
    place = arguments.get("peeringLocation", "")
    match action:
        case "startsitefailovertest":
            _move(tests, {"Starting"}, "Running")
            gateway.hidden[FAILED] = place.lower()
        case "stopsitefailovertest":
            _move(tests, {"Stopping"}, "Completed", endTime=lab.format_timestamp())
            gateway.hidden[FAILED] = ""
        case "getfailoveralltestsdetails":
            if arguments.get("latest", "").lower() == "true":
                tests = list({test["peeringLocation"]: test for test in tests}.values())
            return [
                test for test in tests if arguments.get("type") in {"", "All", test["testType"]}
            ]
        case _:
            test_id = arguments.get("id", "")
            return [test for test in tests if ids.to_key(test["testGuid"]) == ids.to_key(test_id)]
    gateway.hidden[TESTS] = json.dumps(tests)
    return tests[-1]["testGuid"] if tests else ""


def _list_other_connections(locations: dict[str, list[Body]], place: str) -> list[Body]:
    """Return the connections that carry the traffic during a test."""
    return [
        {
            "nrpResourceUri": row["nrpResourceUri"],
            "name": row["connectionName"],
            "status": "Connected",
            "lastUpdatedTime": "",
        }
        for other, rows in locations.items()
        if other != place
        for row in rows
    ]


def _get_tests(gateway: Resource) -> list[Body]:
    tests: list[Body] = json.loads(gateway.hidden.get(TESTS, "[]"))
    return tests
