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
from typing import Any, Protocol, runtime_checkable

from aiohttp import web
from aiohttp.typedefs import Handler

from erfailover.lab.auth.rbac import Access, read_roles
from erfailover.lab.core import ids
from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.world import Body
from erfailover.lab.engine import customer_edges, faults
from erfailover.lab.engine.lab import Lab
from erfailover.lab.server.files import write_private

Action = Callable[[Lab, Any], Body]
"""An action on a request's JSON, or else its parameters; it raises ValueError if they are wrong."""


@runtime_checkable
class PacketPlane(Protocol):
    """A data plane with links that carry packets.

    Raises ValueError, with a message for the user, for what it cannot do.
    """

    def list_links(self) -> list[str]:
        """Return the names of the links."""

    def start_capture(self, link: str, file: str) -> int:
        """Write the packets of a link to a file of this machine; return the capture's number."""

    def end_capture(self, capture: int) -> int:
        """End a capture; return how many packets are in its file."""


_WITH_JSON = ("POST", "PUT")


def make_application(lab: Lab) -> web.Application:
    """Return the application of the lab's own paths, below ``/lab``."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if lab.refuse_lab_paths:
            return _build_error(403, "LabPathsRefused", "This lab refuses its own paths.")
        sent = request.headers.get("Authorization", "").encode(errors="surrogateescape")
        if not hmac.compare_digest(sent, f"Bearer {lab.identity.lab_secret}".encode()):
            return _build_error(
                401,
                "LabSecretRequired",
                "The lab's own paths require the lab's secret as a bearer token.",
            )
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
                    arguments = json.loads(body or b"null") if method in _WITH_JSON else parameters
                    return web.json_response(action(lab, arguments), status=status)
                except (ValueError, TypeError, OSError) as problem:
                    return _build_error(400, invalid, str(problem))

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
            route("GET", "/captures", _list_links, "NoPackets"),
            route("POST", "/captures", _start_capture, "InvalidCapture"),
            route("DELETE", "/captures/{id}", _end_capture, "InvalidCapture"),
        ]
    )
    return app


def _build_error(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"error": {"code": code, "message": message}}, status=status)


def _show_status(lab: Lab, _: Any) -> Body:
    """Return the lab's contents."""
    return {
        "clock": _show_clock(lab, _),
        "data_plane": lab.plane.name,
        "resources": Counter(resource.id.type for resource in lab.world.resources.values()),
        "operations_under_way": len(lab.operations.list_active()),
        "requests": len(lab.trace),
    }


def _show_clock(lab: Lab, _: Any) -> Body:
    """Return the lab's time: modelled seconds, and how fast they pass."""
    return {"now_s": lab.world.now, "speed": lab.speed, "date": lab.format_timestamp()}


def _show_trace(lab: Lab, _: Any) -> Body:
    return {"value": [asdict(entry) for entry in lab.trace]}


def _trace_packet(lab: Lab, arguments: Any) -> Body:
    """Trace a packet from a machine, by its name or id, to an address and back."""
    source, destination = arguments.get("from", "").lower(), arguments.get("to")
    machines = lab.world.iter_by_type(rt.VM)
    machine = next((m for m in machines if source in (m.id.name.lower(), ids.to_key(m.id))), None)
    if machine is None or not destination:
        raise ValueError("Give from=<id or name of a virtual machine> and to=<address>.")
    nic = lab.world.get(machine.properties["networkProfile"]["networkInterfaces"][0]["id"])
    if nic is None:
        raise ValueError(f"Virtual machine {source} has no network interface.")
    trace = lab.plane.trace_packet(nic, destination)
    return {"reached": trace.reached, "hops": trace.hops, "reason": trace.reason}


def _reset(lab: Lab, _: Any) -> Body:
    lab.reset()
    return _show_status(lab, _)


def _shut_down(lab: Lab, _: Any) -> Body:
    lab.stop()
    return _show_status(lab, _)


def _save(lab: Lab, arguments: Any) -> Body:
    """Save the world to a file of this machine."""
    write_private(Path(_read_field(arguments, "file")), lab.snapshot())
    return {"resources": len(lab.world.resources), "now_s": lab.world.now}


def _restore(lab: Lab, arguments: Any) -> Body:
    """Restore the world from a file of this machine."""
    lab.restore(Path(_read_field(arguments, "file")).read_bytes())
    return {"resources": len(lab.world.resources), "now_s": lab.world.now}


def _read_field(arguments: Any, name: str) -> Any:
    if not isinstance(arguments, dict) or name not in arguments:
        raise ValueError(f"The request must be a JSON object with the key {name!r}.")
    return arguments[name]


def _show_role(lab: Lab, _: Any) -> Body:
    """Return what the lab's client may do."""
    return {"value": [asdict(assignment) for assignment in lab.access.assignments]}


def _limit_role(lab: Lab, arguments: Any) -> Body:
    """Restrict the lab's client to the given role definitions."""
    lab.access = Access(read_roles(arguments))
    return _show_role(lab, arguments)


def _clear_role(lab: Lab, _: Any) -> Body:
    """Remove all restrictions of the lab's client."""
    lab.access = Access()
    return _show_role(lab, _)


def _set_metric(lab: Lab, arguments: Any) -> Body:
    fields = {name: _read_field(arguments, name) for name in ("resource", "metric", "value")}
    lab.metrics.set(str(fields["resource"]), str(fields["metric"]), float(fields["value"]))
    return fields


def _lose_sessions(lab: Lab, arguments: Any) -> Body:
    """Make edge routers lose the customer edge; without paths, restore all sessions."""
    circuit = customer_edges.find_circuit(lab, str(_read_field(arguments, "circuit")))
    names = ("paths", "seconds", "every", "times")
    loss = customer_edges.read_loss(*(_read_field(arguments, name) for name in names))
    customer_edges.lose_sessions(lab, circuit, loss)
    return {"circuit": str(circuit.id), "lost": list(loss.paths)}


def _show_faults(lab: Lab, _: Any) -> Body:
    return {"value": [faults.to_json(active) for active in lab.faults.list_active()]}


def _add_faults(lab: Lab, arguments: Any) -> Body:
    return {"ids": lab.add_faults(*faults.read_faults(arguments))}


def _clear_faults(lab: Lab, arguments: Any) -> Body:
    return {"cleared": lab.clear_faults(arguments.get("id", ""))}


def _list_links(lab: Lab, _: Any) -> Body:
    return {"links": _get_plane(lab).list_links()}


def _start_capture(lab: Lab, arguments: Any) -> Body:
    """Write the packets of a link to a file of this machine, until the capture is deleted."""
    link, file = (str(_read_field(arguments, name)) for name in ("link", "file"))
    return {"id": _get_plane(lab).start_capture(link, file)}


def _end_capture(lab: Lab, arguments: Any) -> Body:
    return {"packets": _get_plane(lab).end_capture(int(arguments["id"]))}


def _get_plane(lab: Lab) -> PacketPlane:
    if isinstance(lab.plane, PacketPlane):
        return lab.plane
    raise ValueError(
        "The lab runs on the model, which has no packets. Start it with: "
        "erfailover lab up --data-plane linux"
    )
