"""The POST actions: what each answers, worked out when its operation ends.

Owns the results of gateway reads, effective routes, run commands and power changes. What a
routing table holds is ``bgp``'s business, what a machine prints ``machines``'.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from erfailover.lab.core import ids
from erfailover.lab.core.operations import Operation
from erfailover.lab.core.world import Body
from erfailover.lab.engine import failover_tests
from erfailover.lab.engine.cloud import Cloud
from erfailover.lab.engine.read_history import read_wrongly
from erfailover.lab.machines.machines import CommandOutput
from erfailover.lab.providers import presentation
from erfailover.lab.routing import route_servers
from erfailover.lab.routing.effective_routes import effective_routes, next_hop

OUTPUT_LIMIT = 4096
"""Run Command gives back the last 4 KB of each stream (documented)."""

POWER_STATES = {
    "start": "running",
    "restart": "running",
    "poweroff": "stopped",
    "deallocate": "deallocated",
}


def result_of(lab: Cloud, operation: Operation) -> None:
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
        case "routetablessummary/primary" | "routetablessummary/secondary":
            path = operation.action.partition("/")[2]
            operation.result = lab.bgp.circuit_summary(resource, path)
        case action if action in failover_tests.ACTIONS:
            arguments = operation.arguments
            operation.result = failover_tests.finish(lab, resource, action, arguments)
        case "learnedroutes":
            operation.result = route_servers.learned(lab.world, resource)
        case "effectiveroutetable":
            operation.result = {"value": effective_routes(lab.world, lab.bgp, resource)}
        case "nexthop":
            nic = lab.world.get(operation.arguments["nic"])
            if nic is not None:
                destination = operation.arguments["destination"]
                operation.result = next_hop(lab.world, lab.bgp, nic, destination)
        case "reset":
            # Documented: the gateway itself, once the operation has ended.
            operation.result = presentation.shown(lab.scene, lab.bgp, resource, read=False)
        case "runcommand":
            if operation.result is None:
                operation.result = run_command_output("", "the script ran for too long\n")
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
    read_wrongly(lab.history, lab.world.now, operation, resource)


@dataclass(frozen=True, slots=True)
class StartScript:
    """The clock's event that begins a run command's script, once the agent has it.

    The script then takes its own time, every packet at its own moment, so that machines see
    each other's traffic while it runs.
    """

    lab: Cloud
    operation_id: str

    def __call__(self) -> None:
        """Begin; the operation ends with the script."""
        operation = self.lab.operations.get(self.operation_id)
        if operation is None or operation.done:
            return
        ended = _ScriptEnded(self.lab, self.operation_id)
        machine = self.lab.world.get(operation.arguments["resource"])
        if machine is None:
            self.lab.operations.end(self.operation_id)
        else:
            script = json.loads(operation.arguments["script"])
            self.lab.machines.start(machine, script, ended)


@dataclass(frozen=True, slots=True)
class _ScriptEnded:
    """What a script's end does: the output becomes the operation's result."""

    lab: Cloud
    operation_id: str

    def __call__(self, output: CommandOutput) -> None:
        operation = self.lab.operations.get(self.operation_id)
        if operation is not None and not operation.done:
            operation.result = run_command_output(output.stdout, output.stderr)
            self.lab.operations.end(self.operation_id)


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
