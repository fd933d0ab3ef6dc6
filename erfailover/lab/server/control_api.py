"""The lab's own paths, outside of ARM: its clock, its trace, reachability for people.

Owns ``/lab/...``. They open to the lab's secret only, as a bearer token; a lab can refuse
them altogether, so that a test shows that a client knows nothing but ARM.
"""

from __future__ import annotations

import hmac
import json
from dataclasses import asdict
from pathlib import Path

from aiohttp import web

from erfailover.lab.auth.rbac import Access, read_roles
from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.protocol import Answer
from erfailover.lab.core.world import Body, Resource
from erfailover.lab.engine import faults
from erfailover.lab.engine.lab import Lab
from erfailover.lab.machines.reachability import reaches
from erfailover.lab.server.certificates import write_private


async def handle(lab: Lab, request: web.Request, path: str, body: bytes) -> Answer:
    """Answer a request to one of the lab's own paths."""
    if lab.refuse_lab_paths:
        return _error(403, "LabPathsRefused", "This lab refuses its own paths.")
    sent = request.headers.get("Authorization", "").encode()
    if not hmac.compare_digest(sent, f"Bearer {lab.identity.lab_secret}".encode()):
        return _error(401, "LabSecretRequired", "The lab's own paths need the lab's secret.")
    name = path.strip("/").lower().removeprefix("lab").strip("/")
    with lab.lock:
        lab.catch_up()
        match (request.method, name):
            case ("GET", "status"):
                return Answer(200, status(lab))
            case ("GET", "clock"):
                return Answer(200, clock(lab))
            case ("GET", "trace"):
                return Answer(200, {"value": [asdict(each) for each in lab.trace]})
            case ("GET", "reachability"):
                query = request.query
                return _reachability(lab, query.get("from", ""), query.get("to", ""))
            case ("POST", "reset"):
                lab.reset()
                return Answer(200, status(lab))
            case ("POST", "shutdown"):
                lab.stop()
                return Answer(202, status(lab))
            case ("POST", "save" | "restore"):
                return _snapshot(lab, name, body)
            case ("GET" | "PUT" | "DELETE", "role"):
                return _role(lab, request.method, body)
            case ("PUT", "metric"):
                return _metric(lab, body)
            case (_, named) if named.split("/")[0] == "faults":
                return _faults(lab, request.method, named.removeprefix("faults").strip("/"), body)
            case _:
                return _error(404, "NotFound", f"The lab has no path {path}.")


def _faults(lab: Lab, method: str, fault_id: str, body: bytes) -> Answer:
    match method:
        case "GET":
            return Answer(200, {"value": [faults.shown(each) for each in lab.faults.armed()]})
        case "POST":
            try:
                found = faults.read_faults(json.loads(body or b"null"))
            except ValueError as problem:
                return _error(400, "InvalidFault", str(problem))
            return Answer(200, {"ids": list(lab.add_faults(*found))})
        case "DELETE":
            return Answer(200, {"cleared": list(lab.clear_faults(fault_id))})
        case _:
            return _error(405, "MethodNotAllowed", f"Faults have no {method}.")


def _snapshot(lab: Lab, name: str, body: bytes) -> Answer:
    """Save the world to a file of this machine, or restore it from one."""
    try:
        file = Path(json.loads(body)["file"])
        if name == "save":
            write_private(file, lab.snapshot())
        else:
            lab.restore(file.read_bytes())
    except (ValueError, KeyError, TypeError, OSError) as problem:
        return _error(400, "InvalidSnapshot", str(problem))
    return Answer(200, {"resources": len(lab.world.resources), "now_s": lab.world.now})


def _role(lab: Lab, method: str, body: bytes) -> Answer:
    """What the lab's client may do: shown, limited to role definitions, or everything again."""
    if method == "PUT":
        try:
            lab.access = Access(read_roles(json.loads(body or b"null")))
        except ValueError as problem:
            return _error(400, "InvalidRole", str(problem))
    if method == "DELETE":
        lab.access = Access()
    return Answer(200, {"value": [asdict(each) for each in lab.access.assignments]})


def _metric(lab: Lab, body: bytes) -> Answer:
    """Let a metric of a resource have a value."""
    try:
        told = json.loads(body or b"null")
        lab.metrics.set(str(told["resource"]), str(told["metric"]), float(told["value"]))
    except (ValueError, KeyError, TypeError) as problem:
        return _error(400, "InvalidMetric", str(problem))
    return Answer(200, {key: told[key] for key in ("resource", "metric", "value")})


def clock(lab: Lab) -> Body:
    """The lab's time: modelled seconds, and how fast they pass."""
    return {"now_s": lab.world.now, "speed": lab.speed, "date": lab.timestamp()}


def status(lab: Lab) -> Body:
    """What the lab holds."""
    counts: dict[str, int] = {}
    for each in lab.world.resources.values():
        counts[each.id.type] = counts.get(each.id.type, 0) + 1
    return {
        "clock": clock(lab),
        "resources": counts,
        "operations_under_way": len(lab.operations.under_way()),
        "requests": len(lab.trace),
    }


def _reachability(lab: Lab, source: str, destination: str) -> Answer:
    machine = _machine(lab, source)
    if machine is None or not destination:
        text = "Give from=<id or name of a virtual machine> and to=<address>."
        return _error(400, "InvalidParameter", text)
    first = machine.properties["networkProfile"]["networkInterfaces"][0]["id"]
    nic = lab.world.get(first)
    if nic is None:
        return _error(404, "NotFound", f"Virtual machine {source} has no network interface.")
    trace = reaches(lab.world, lab.bgp, lab.machines, nic, destination)
    found = {"reached": trace.reached, "hops": list(trace.hops), "reason": trace.reason}
    return Answer(200, json.loads(json.dumps(found)))


def _machine(lab: Lab, name: str) -> Resource | None:
    found = lab.world.get(name)
    if found is not None:
        return found
    machines = (each for each in lab.world.of_type(rt.VM) if each.id.name.lower() == name.lower())
    return next(machines, None)


def _error(status_: int, code: str, message: str) -> Answer:
    return Answer(status_, {"error": {"code": code, "message": message}}, code=code)
