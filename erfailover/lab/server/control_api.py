"""The lab's own paths, outside of ARM: its clock, trace, faults, snapshots and reachability.

Owns ``/lab/...``. These paths need the lab's secret as a bearer token. A lab can refuse all of
them, so that a test shows that a client knows nothing but ARM.
"""

from __future__ import annotations

import hmac
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from erfailover.lab.auth.rbac import Access, read_roles
from erfailover.lab.core import ids
from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.world import Body
from erfailover.lab.engine import customer_edges, faults
from erfailover.lab.engine.lab import Lab
from erfailover.lab.machines.reachability import reaches
from erfailover.lab.server.files import write_private

Action = Callable[[Lab, Any], Body]
"""Does what a request asks, with its JSON or else its parameters; ValueError if they are wrong."""

_WITH_JSON = ("POST", "PUT")


def application(lab: Lab) -> web.Application:
    """Return the application that serves a lab's own paths, below ``/lab``."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if lab.refuse_lab_paths:
            return _error(403, "LabPathsRefused", "This lab refuses its own paths.")
        sent = request.headers.get("Authorization", "").encode(errors="surrogateescape")
        if not hmac.compare_digest(sent, f"Bearer {lab.identity.lab_secret}".encode()):
            return _error(401, "LabSecretRequired", "The lab's own paths need the lab's secret.")
        try:
            return await handler(request)
        except web.HTTPException as refusal:
            code, text = refusal.reason.replace(" ", ""), f"{request.method} {request.path}"
            refusal.content_type = "application/json"
            refusal.text = json.dumps({"error": {"code": code, "message": text}})
            raise

    def route(
        method: str, path: str, action: Action, invalid: str = "InvalidRequest", status: int = 200
    ) -> web.RouteDef:
        async def handle(request: web.Request) -> web.Response:
            body = await request.read()
            parameters = {**request.query, **request.match_info}
            with lab.lock:
                lab.catch_up()
                try:
                    given = json.loads(body or b"null") if method in _WITH_JSON else parameters
                    return web.json_response(action(lab, given), status=status)
                except (ValueError, TypeError, OSError) as problem:
                    return _error(400, invalid, str(problem))

        return web.route(method, path, handle)

    app = web.Application(middlewares=[guard])
    app.add_routes(
        [
            route("GET", "/status", _show_status),
            route("GET", "/clock", _show_clock),
            route("GET", "/trace", _show_trace),
            route("GET", "/reachability", _trace_packet, "InvalidParameter"),
            route("POST", "/reset", _reset),
            route("POST", "/shutdown", _shut_down, status=202),
            route("POST", "/save", _save, "InvalidSnapshot"),
            route("POST", "/restore", _restore, "InvalidSnapshot"),
            route("GET", "/role", _show_role),
            route("PUT", "/role", _limit_role, "InvalidRole"),
            route("DELETE", "/role", _clear_role),
            route("PUT", "/metric", _set_metric, "InvalidMetric"),
            route("PUT", "/sessions", _lose_sessions, "InvalidLoss"),
            route("GET", "/faults", _show_faults),
            route("POST", "/faults", _add_faults, "InvalidFault"),
            route("DELETE", "/faults", _clear_faults),
            route("DELETE", "/faults/{id}", _clear_faults),
        ]
    )
    return app


def _error(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"error": {"code": code, "message": message}}, status=status)


def _show_status(lab: Lab, _: Any) -> Body:
    """Return what the lab holds."""
    return {
        "clock": _show_clock(lab, _),
        "resources": Counter(each.id.type for each in lab.world.resources.values()),
        "operations_under_way": len(lab.operations.under_way()),
        "requests": len(lab.trace),
    }


def _show_clock(lab: Lab, _: Any) -> Body:
    """Return the lab's time: modelled seconds, and how fast they pass."""
    return {"now_s": lab.world.now, "speed": lab.speed, "date": lab.timestamp()}


def _show_trace(lab: Lab, _: Any) -> Body:
    return {"value": [asdict(each) for each in lab.trace]}


def _trace_packet(lab: Lab, given: Any) -> Body:
    """Follow a packet from a machine, by its name or id, to an address and back."""
    source, destination = given.get("from", "").lower(), given.get("to")
    machines = lab.world.of_type(rt.VM)
    machine = next((m for m in machines if source in (m.id.name.lower(), ids.key(m.id))), None)
    if machine is None or not destination:
        raise ValueError("Give from=<id or name of a virtual machine> and to=<address>.")
    nic = lab.world.get(machine.properties["networkProfile"]["networkInterfaces"][0]["id"])
    if nic is None:
        raise ValueError(f"Virtual machine {source} has no network interface.")
    trace = reaches(lab.world, lab.bgp, lab.machines, nic, destination)
    return {"reached": trace.reached, "hops": trace.hops, "reason": trace.reason}


def _reset(lab: Lab, _: Any) -> Body:
    lab.reset()
    return _show_status(lab, _)


def _shut_down(lab: Lab, _: Any) -> Body:
    lab.stop()
    return _show_status(lab, _)


def _save(lab: Lab, given: Any) -> Body:
    """Save the world to a file of this machine."""
    write_private(Path(_field(given, "file")), lab.snapshot())
    return {"resources": len(lab.world.resources), "now_s": lab.world.now}


def _restore(lab: Lab, given: Any) -> Body:
    """Restore the world from a file of this machine."""
    lab.restore(Path(_field(given, "file")).read_bytes())
    return {"resources": len(lab.world.resources), "now_s": lab.world.now}


def _field(given: Any, name: str) -> Any:
    if not isinstance(given, dict) or name not in given:
        raise ValueError(f"a JSON object with {name!r} is needed")
    return given[name]


def _show_role(lab: Lab, _: Any) -> Body:
    """Return what the lab's client may do."""
    return {"value": [asdict(each) for each in lab.access.assignments]}


def _limit_role(lab: Lab, given: Any) -> Body:
    """Let the lab's client do what role definitions grant, and nothing else."""
    lab.access = Access(read_roles(given))
    return _show_role(lab, given)


def _clear_role(lab: Lab, _: Any) -> Body:
    """Let the lab's client do everything again."""
    lab.access = Access()
    return _show_role(lab, _)


def _set_metric(lab: Lab, given: Any) -> Body:
    found = {name: _field(given, name) for name in ("resource", "metric", "value")}
    lab.metrics.set(str(found["resource"]), str(found["metric"]), float(found["value"]))
    return found


def _lose_sessions(lab: Lab, given: Any) -> Body:
    """Let edge routers of a circuit lose the customer edge; without paths all are up again."""
    circuit = customer_edges.find_circuit(lab, str(_field(given, "circuit")))
    names = ("paths", "seconds", "every", "times")
    loss = customer_edges.read_loss(*(_field(given, name) for name in names))
    customer_edges.lose(lab, circuit, loss)
    return {"circuit": str(circuit.id), "lost": list(loss.paths)}


def _show_faults(lab: Lab, _: Any) -> Body:
    return {"value": [faults.shown(each) for each in lab.faults.armed()]}


def _add_faults(lab: Lab, given: Any) -> Body:
    return {"ids": lab.add_faults(*faults.read_faults(given))}


def _clear_faults(lab: Lab, given: Any) -> Body:
    return {"cleared": lab.clear_faults(given.get("id", ""))}
