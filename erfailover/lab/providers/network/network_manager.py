"""Azure Virtual Network Manager, as far as a VNet shows it: its effective connectivity.

A manager itself is not modelled: a VNet's tag ``lab:network-manager``, ``Enforced`` or
``Unenforced``, represents a hub-and-spoke configuration that is deployed to it. Published: the
SDK's ``EffectiveConnectivityConfiguration``, whose settings are under ``properties``; with
``peeringEnforcement: Enforced`` its peerings cannot be changed outside of the manager. That they
are called ``ANM_...`` was seen in public. The code of that refusal is not published, and a manager
that redeploys its goal is not modelled.
"""

from __future__ import annotations

from erfailover.lab.core import ids
from erfailover.lab.core.errors import Refusal
from erfailover.lab.core.rule_context import RuleContext
from erfailover.lab.core.world import Body, Resource

TAG = "lab:network-manager"
EFFECTIVE = "listnetworkmanagereffectiveconnectivityconfigurations"
PREFIX = "anm_"


def list_effective(vnet: Resource) -> Body:
    """Return the configurations in effect for a VNet; none, or one."""
    state = str((vnet.body.get("tags") or {}).get(TAG) or "")
    if not state:
        return {"value": []}
    enforced = "Enforced" if state.lower() == "enforced" else "Unenforced"
    group = f"/subscriptions/{vnet.id.subscription}/resourceGroups/{vnet.id.resource_group}"
    manager = f"{group}/providers/Microsoft.Network/networkManagers/lab"
    return {
        "value": [
            {
                "id": f"{manager}/connectivityConfigurations/hub-and-spoke",
                "properties": {
                    "connectivityTopology": "HubAndSpoke",
                    "hubs": [],
                    "isGlobal": "False",
                    "connectivityCapabilities": {
                        "connectedGroupPrivateEndpointsScale": "Standard",
                        "connectedGroupAddressOverlap": "Allowed",
                        "peeringEnforcement": enforced,
                    },
                    "appliesToGroups": [],
                    "provisioningState": "Succeeded",
                    "deleteExistingPeering": "False",
                },
                "configurationGroups": [],
            }
        ]
    }


def validate_peering(
    context: RuleContext, peering_id: ids.ResourceId, vnet: Resource
) -> Refusal | None:
    """Return the refusal of a peering's write; None if no manager enforces it."""
    state = str((vnet.body.get("tags") or {}).get(TAG) or "")
    if state.lower() != "enforced" or not peering_id.name.lower().startswith(PREFIX):
        return None
    return context.unknown.refuse(
        "peering enforced by a network manager",
        f"Peering {peering_id} is enforced by a network manager and cannot be changed outside of "
        "it.",
    )
