"""The instance view of a running machine."""

from __future__ import annotations

from erfailover.lab.core.world import Body, Resource
from erfailover.lab.engine.cloud import Cloud

_WORDS = {"running": "VM running", "stopped": "VM stopped", "deallocated": "VM deallocated"}


def build_instance_view(lab: Cloud, machine: Resource) -> Body:
    """Return a machine's instance view: provisioning, power, agent (recorded form)."""
    when = lab.format_timestamp()
    state = machine.hidden.get("powerState", "")
    statuses: list[Body] = [
        {
            "code": f"ProvisioningState/{machine.state.lower()}",
            "level": "Info",
            "displayStatus": f"Provisioning {machine.state.lower()}",
            "time": when,
        }
    ]
    if state:
        statuses.append(
            {
                "code": f"PowerState/{state}",
                "level": "Info",
                "displayStatus": _WORDS[state],
            }
        )
    view: Body = {
        "computerName": machine.properties["osProfile"]["computerName"],
        "osName": "ubuntu",
        "osVersion": "24.04",
        "hyperVGeneration": "V2",
        "disks": [
            {
                "name": machine.properties["storageProfile"]["osDisk"]["name"],
                "statuses": [dict(statuses[0])],
            }
        ],
        "statuses": statuses,
    }
    if state == "stopped":  # recorded: the agent is shown until the machine is deallocated
        view["vmAgent"] = {
            "vmAgentVersion": "Unknown",
            "statuses": [
                {
                    "code": "ProvisioningState/Unavailable",
                    "level": "Warning",
                    "displayStatus": "Not Ready",
                    "message": "VM status blob is found but not yet populated.",
                    "time": when,
                }
            ],
        }
    if state == "running":
        view["vmAgent"] = {
            "vmAgentVersion": "2.12.0.4",
            "statuses": [
                {
                    "code": "ProvisioningState/succeeded",
                    "level": "Info",
                    "displayStatus": "Ready",
                    "message": "Guest Agent is running",
                    "time": when,
                }
            ],
            "extensionHandlers": [],
        }
    return view
