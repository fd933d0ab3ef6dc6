"""The POST actions: what each answers, worked out when its operation ends.

Owns the results of gateway reads, effective routes, run commands and power changes. What a
routing table holds is ``bgp``'s business, what a machine prints ``machines``'.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from erfailover.lab import ids
from erfailover.lab.effective import effective_routes
from erfailover.lab.operations import Operation
from erfailover.lab.world import Body

if TYPE_CHECKING:
    from erfailover.lab.lab import Lab

OUTPUT_LIMIT = 4096
"""Run Command gives back the last 4 KB of each stream (documented)."""

POWER_STATES = {
    "start": "running",
    "restart": "running",
    "poweroff": "stopped",
    "deallocate": "deallocated",
}


def result_of(lab: Lab, operation: Operation) -> None:
    """Work out an action's result and put it into its operation.

    A resource that went meanwhile fails the operation with ``ResourceNotFound`` (assumed).
    """
    resource = lab.world.get(operation.arguments["resource"])
    if resource is None:
        operation.status = "Failed"
        operation.error = {
            "code": "ResourceNotFound",
            "message": f"Resource {operation.arguments['resource']} was not found.",
        }
        return
    operation.result_status = 200
    match operation.action:
        case "getbgppeerstatus":
            operation.result = {"value": lab.bgp.peers(resource)}
        case "getlearnedroutes":
            operation.result = {"value": lab.bgp.learned_routes(resource)}
        case "getadvertisedroutes":
            rows = lab.bgp.advertised_routes(resource, operation.arguments["peer"])
            operation.result = {"value": rows}
        case "effectiveroutetable":
            operation.result = {"value": effective_routes(lab.world, lab.bgp, resource)}
        case "runcommand":
            script = json.loads(operation.arguments["script"])
            output = lab.machines.run(resource, script)
            operation.result = run_command_output(output.stdout, output.stderr)
        case "start" | "restart" | "poweroff" | "deallocate":
            state = POWER_STATES[operation.action]
            resource.hidden["powerState"] = state
            if state == "running":
                lab.machines.boot(resource)
            else:
                lab.machines.stop(resource)
        case "sharedkey" | "sharedkey/reset":
            resource.hidden["sharedKey"] = operation.secrets[ids.key(resource.id)]["sharedKey"]
            if operation.action.endswith("reset"):
                operation.result = {"keyLength": int(operation.arguments["keyLength"])}
            else:
                operation.result = {"value": resource.hidden["sharedKey"]}
        case _:
            pass


def run_command_output(stdout: str, stderr: str) -> Body:
    """What Run Command answers for a Linux machine (documented form)."""
    message = (
        f"Enable succeeded: \n[stdout]\n{stdout[-OUTPUT_LIMIT:]}\n"
        f"[stderr]\n{stderr[-OUTPUT_LIMIT:]}"
    )
    return {
        "value": [
            {
                "code": "ProvisioningState/succeeded",
                "level": "Info",
                "displayStatus": "Provisioning succeeded",
                "message": message,
            }
        ]
    }
