"""Results of the POST actions, computed when the operation ends.

Owns the results of gateway reads, effective routes, run commands and power changes. The lab's
``plane`` has the routing tables and the output of machines.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from erfailover.lab.core import ids
from erfailover.lab.core.operations import Operation
from erfailover.lab.core.world import Body
from erfailover.lab.engine import failover_tests
from erfailover.lab.engine.cloud import Cloud
from erfailover.lab.engine.read_history import apply_read_fault
from erfailover.lab.machines.machines import CommandOutput
from erfailover.lab.providers import presentation
from erfailover.lab.routing import route_servers

OUTPUT_LIMIT = 4096
"""Run Command returns the last 4 KB of each stream (documented)."""

POWER_STATES = {
    "start": "running",
    "restart": "running",
    "poweroff": "stopped",
    "deallocate": "deallocated",
}


def compute_result(lab: Cloud, operation: Operation) -> None:
    """Compute an action's result and store it in its operation.

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
            operation.result = {"value": lab.plane.list_peers(resource)}
        case "getlearnedroutes":
            operation.result = {"value": lab.plane.list_learned_routes(resource)}
        case "getadvertisedroutes":
            rows = lab.plane.list_advertised_routes(resource, operation.arguments["peer"])
            operation.result = {"value": rows}
        case "routetablessummary/primary" | "routetablessummary/secondary":
            path = operation.action.partition("/")[2]
            operation.result = lab.plane.summarize_circuit(resource, path)
        case action if action in failover_tests.ACTIONS:
            arguments = operation.arguments
            operation.result = failover_tests.finish(lab, resource, action, arguments)
        case "learnedroutes":
            operation.result = route_servers.list_learned(lab.world, resource)
        case "effectiveroutetable":
            operation.result = {"value": lab.plane.list_effective_routes(resource)}
        case "nexthop":
            nic = lab.world.get(operation.arguments["nic"])
            if nic is not None:
                destination = operation.arguments["destination"]
                operation.result = lab.plane.find_next_hop(nic, destination)
        case "reset":
            lab.plane.restart_gateway(resource)
            # Documented: the gateway itself, once the operation has ended.
            operation.result = presentation.present_resource(
                lab.context, lab.plane, resource, read=False
            )
        case "runcommand":
            if operation.result is None:
                operation.result = build_run_command_output("", "the script ran for too long\n")
        case "start" | "restart" | "poweroff" | "deallocate":
            state = POWER_STATES[operation.action]
            resource.hidden["powerState"] = state
            if state == "running":
                lab.plane.boot(resource)
            else:
                lab.plane.stop(resource)
        case "sharedkey" | "sharedkey/reset":
            resource.hidden["sharedKey"] = operation.secrets[ids.to_key(resource.id)]["sharedKey"]
            if operation.action.endswith("reset"):
                operation.result = {"keyLength": int(operation.arguments["keyLength"])}
            else:
                operation.result = {"value": resource.hidden["sharedKey"]}
        case _:
            pass
    apply_read_fault(lab.history, lab.world.now, operation, resource)


@dataclass(frozen=True, slots=True)
class StartScript:
    """The event that starts a run command's script, once the agent has received it.

    The script then takes its own time, every packet at its own moment, so that machines see
    each other's traffic while it runs.
    """

    lab: Cloud
    operation_id: str

    def __call__(self) -> None:
        """Start the script; its end ends the operation."""
        operation = self.lab.operations.get(self.operation_id)
        if operation is None or operation.is_done:
            return
        ended = _ScriptEnd(self.lab, self.operation_id)
        machine = self.lab.world.get(operation.arguments["resource"])
        if machine is None:
            self.lab.operations.end(self.operation_id)
        else:
            script = json.loads(operation.arguments["script"])
            self.lab.plane.start_script(machine, script, ended)


@dataclass(frozen=True, slots=True)
class _ScriptEnd:
    """The end of a script: its output becomes the operation's result."""

    lab: Cloud
    operation_id: str

    def __call__(self, output: CommandOutput) -> None:
        operation = self.lab.operations.get(self.operation_id)
        if operation is not None and not operation.is_done:
            operation.result = build_run_command_output(output.stdout, output.stderr)
            self.lab.operations.end(self.operation_id)


def build_run_command_output(stdout: str, stderr: str) -> Body:
    """Return the output of Run Command for a Linux machine (documented form)."""
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
