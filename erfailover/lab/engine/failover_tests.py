"""Site failover tests of ExpressRoute gateways: start, stop, and what is told of them.

Owns the record of a gateway's tests. Documented: a test needs circuits in two peering
locations, takes one location down for this gateway alone, and runs until it is stopped; a
single circuit has none. Shapes and statuses are those of Azure's reference; nobody has published an
answer, so codes are made up per run. That a test is listed from the moment Azure accepts it, as
Starting, and as Stopping until it is stopped, is assumed.
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
UNDER_WAY = frozenset({"Starting", "Running", "Stopping"})
ACTIONS = frozenset(
    {
        "startsitefailovertest",
        "stopsitefailovertest",
        "getfailoveralltestsdetails",
        "getfailoversingletestdetails",
    }
)


def locations(lab: Cloud, gateway: Resource) -> dict[str, list[Body]]:
    """The circuits that a gateway is connected to, by peering location."""
    found: dict[str, list[Body]] = {}
    for connection in lab.scene.connections(gateway.id):
        circuit = lab.world.get((connection.properties.get("peer") or {}).get("id", ""))
        if circuit is not None:
            place = str(circuit.properties["serviceProviderProperties"]["peeringLocation"])
            row = {"nrpResourceUri": circuit.body["id"], "name": circuit.body["name"]}
            row["connectionName"] = connection.body["name"]
            found.setdefault(place, []).append(row)
    return found


def refused(
    lab: Cloud, gateway: Resource, action: str, arguments: dict[str, str]
) -> Refusal | None:
    """Why a test may not be started, stopped or told of."""
    unknown, known = lab.scene.unknown, locations(lab, gateway)
    if gateway.properties.get("gatewayType") != "ExpressRoute":
        return unknown.refuse(
            "failover test of another gateway", f"Gateway {gateway.id} is no ExpressRoute gateway."
        )
    if action == "getfailoveralltestsdetails":
        return None
    place = arguments.get("peeringLocation", "")
    if not place:
        return errors.property_missing("peeringLocation", str(gateway.id))
    if place not in known:
        return errors.property_invalid("peeringLocation", place, ", ".join(sorted(known)))
    running = [each for each in _tests(gateway) if each["status"] in UNDER_WAY]
    if action == "startsitefailovertest":
        if len(known) < 2:
            return unknown.refuse(
                "failover test of a single site",
                f"Gateway {gateway.id} has circuits in one peering location only.",
            )
        if running:
            return unknown.refuse(
                "second failover test", f"A failover test of gateway {gateway.id} is running."
            )
    there = [
        each for each in running if (each["peeringLocation"], each["status"]) == (place, "Running")
    ]
    if action == "stopsitefailovertest" and not there:
        return unknown.refuse(
            "no failover test", f"No failover test of gateway {gateway.id} is running at {place}."
        )
    return None


def begin(lab: Cloud, gateway: Resource, action: str, arguments: dict[str, str]) -> None:
    """Take an action in that has just been accepted."""
    tests, place = _tests(gateway), arguments.get("peeringLocation", "")
    if action == "startsitefailovertest":
        known = locations(lab, gateway)
        tests.append(
            {
                "peeringLocation": place,
                "circuits": known.get(place, []),
                "status": "Starting",
                "startTime": lab.timestamp(),
                "endTime": "",
                "connections": _others(known, place),
                "testGuid": lab.fresh.guid(),
                "testType": "SingleSiteFailover",
                "issues": [],
            }
        )
    elif action == "stopsitefailovertest":
        _move(tests, UNDER_WAY, "Stopping")
    gateway.hidden[TESTS] = json.dumps(tests)


def failed(gateway: Resource, action: str) -> None:
    """Take in that an action failed: what it should have changed is as before (assumed)."""
    tests = _tests(gateway)
    if action == "startsitefailovertest":
        _move(tests, {"Starting"}, "StartFailed")
    elif action == "stopsitefailovertest":
        _move(tests, {"Stopping"}, "Running")
    gateway.hidden[TESTS] = json.dumps(tests)


def _move(tests: list[Body], out_of: Collection[str], status: str, **more: str) -> None:
    for each in tests:
        if each["status"] in out_of:
            each |= {"status": status, **more}


def arguments_of(body: Body | None, query: dict[str, str]) -> dict[str, str]:
    """What an action was asked: its query, or the stop parameters of its body."""
    found = {"peeringLocation": query.get("peeringlocation", "")}
    found["latest"] = query.get("fetchlatest", "")
    found["type"], found["id"] = query.get("type", ""), query.get("failovertestid", "")
    if body is not None:
        parameters = body.get("stopParameters", body)
        inner: Any = parameters if isinstance(parameters, dict) else {}
        found["peeringLocation"] = str(inner.get("peeringLocation") or "")
        found["successful"] = str(bool(inner.get("wasSimulationSuccessful")))
    return found


def finish(lab: Cloud, gateway: Resource, action: str, arguments: dict[str, str]) -> Any:
    """Carry an action out at the end of its operation; gives back its result."""
    tests = _tests(gateway)
    place = arguments.get("peeringLocation", "")
    match action:
        case "startsitefailovertest":
            _move(tests, {"Starting"}, "Running")
            gateway.hidden[FAILED] = place.lower()
        case "stopsitefailovertest":
            _move(tests, {"Stopping"}, "Completed", endTime=lab.timestamp())
            gateway.hidden[FAILED] = ""
        case "getfailoveralltestsdetails":
            if arguments.get("latest", "").lower() == "true":
                tests = list({each["peeringLocation"]: each for each in tests}.values())
            return [
                each for each in tests if arguments.get("type") in {"", "All", each["testType"]}
            ]
        case _:
            wanted = arguments.get("id", "")
            return [each for each in tests if ids.key(each["testGuid"]) == ids.key(wanted)]
    gateway.hidden[TESTS] = json.dumps(tests)
    return tests[-1]["testGuid"] if tests else ""


def _others(known: dict[str, list[Body]], place: str) -> list[Body]:
    """The connections by which traffic goes on."""
    return [
        {
            "nrpResourceUri": row["nrpResourceUri"],
            "name": row["connectionName"],
            "status": "Connected",
            "lastUpdatedTime": "",
        }
        for other, rows in known.items()
        if other != place
        for row in rows
    ]


def _tests(gateway: Resource) -> list[Body]:
    found: list[Body] = json.loads(gateway.hidden.get(TESTS, "[]"))
    return found
