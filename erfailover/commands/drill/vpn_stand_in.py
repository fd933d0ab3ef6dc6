"""The drill on a VPN gateway that stands in for ExpressRoute.

It sets the BGP peering address of the primary's local network gateway to an unused one, as the
proof of concept did, and back.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from erfailover.azure.readers.network import observe
from erfailover.commands.activity import Activity
from erfailover.commands.context import Context
from erfailover.commands.lease import Lease, hold_lease
from erfailover.commands.runs.recorder import record_run, settle
from erfailover.commands.runs.tasks import run_tasks
from erfailover.errors import UnknownReading, VerificationFailed
from erfailover.model.arm_json import get_section
from erfailover.model.observed import BgpPeer
from erfailover.model.resource_ids import LOCAL_GATEWAY, get_last_name
from erfailover.model.site import Drill, Role
from erfailover.model.tasks import Task
from erfailover.planning.conditions import CONNECTED

DEADLINE_S = 900.0


def run(context: Context, drill: Drill, *, start: bool) -> None:
    """Start or stop the drill, and return when the gateway's peers show it.

    Raises:
        VerificationFailed: the peers do not show it in time.
    """
    gateway_id = _build_gateway_id(context, drill)
    with hold_lease(context, "drill start" if start else "drill stop") as lease:
        _run(context, lease, drill, gateway_id, start=start)


def _build_gateway_id(context: Context, drill: Drill) -> str:
    return context.site.build_resource_id(LOCAL_GATEWAY, drill.local_network_gateway)


def _run(context: Context, lease: Lease, drill: Drill, gateway_id: str, *, start: bool) -> None:
    settle(context)
    body = context.reader.get(gateway_id)
    if body is None:
        raise UnknownReading(
            f"{drill.local_network_gateway} does not exist in Azure",
            "Check the subscription and the names in the site file: erfailover doctor",
        )
    address = drill.unused_bgp_peering_address if start else drill.bgp_peering_address
    now = get_section(body, "properties", "bgpSettings").get("bgpPeeringAddress")
    if now != str(address):
        what = "Cut" if start else "Repair"
        context.output.confirm(
            f"{what} the primary path: set the BGP peering address of "
            f"{drill.local_network_gateway} from {now} to {address}?"
        )
        _write(context, lease, gateway_id, body, str(address), start=start)
    peer = _wait(context, drill, start=start)
    word, gateway = "started" if start else "stopped", _get_gateway_name(context)
    text = f"Drill {word}: BGP peer {peer.neighbor} of {gateway} is {peer.state}."
    context.output.print_result(
        text,
        {
            "drill": word,
            "peer": peer.neighbor,
            "state": peer.state,
            "changed": now != str(address),
        },
    )


def _get_gateway_name(context: Context) -> str:
    return get_last_name(context.site.primary.gateway)


def _write(
    context: Context,
    lease: Lease,
    gateway_id: str,
    document: dict[str, Any],
    address: str,
    *,
    start: bool,
) -> None:
    body = {**document, "properties": {**get_section(document, "properties")}}
    body["properties"]["bgpSettings"] = {
        **get_section(document, "properties", "bgpSettings"),
        "bgpPeeringAddress": address,
    }
    name = get_last_name(gateway_id)
    plan = {"resource": gateway_id, "bgpPeeringAddress": address}
    with record_run(context, "drill start" if start else "drill stop", plan) as recorder:
        writer = lease.build_writer(recorder.record_accepted)
        task = Task(
            "drill",
            f"set the BGP peering address of {name} to {address}",
            partial(writer.write, gateway_id, body, DEADLINE_S),
            change="update",
            resource=gateway_id,
        )
        run_tasks(context, recorder, [task]).raise_first()


def _wait(context: Context, drill: Drill, *, start: bool) -> BgpPeer:
    """Wait until the primary's gateway lists the peer as it should be."""
    with context.show_activity(
        f"Reading the BGP peers of {_get_gateway_name(context)}"
    ) as activity:
        return _follow(context, drill, activity, start=start)


def _follow(context: Context, drill: Drill, activity: Activity, *, start: bool) -> BgpPeer:
    address = str(drill.unused_bgp_peering_address if start else drill.bgp_peering_address)
    deadline = context.clock.now() + DEADLINE_S
    message = "not read yet"
    while context.clock.now() < deadline:
        observed = observe(context.reader, context.site, [Role.PRIMARY], [])
        gateway = observed.gateways.get(Role.PRIMARY)
        peers = gateway.peers.value if gateway else None
        for peer in peers or ():
            message = f"{peer.neighbor} {peer.state}"
            if peer.neighbor == address and (peer.state == CONNECTED) is not start:
                return peer
        activity.say(f"Waiting for the BGP session: {message}")
        context.clock.sleep(10.0)
    raise VerificationFailed(
        f"{_get_gateway_name(context)}: {message}; expected BGP peer {address} "
        f"{'not Connected' if start else CONNECTED}",
        "Check: erfailover status",
    )
