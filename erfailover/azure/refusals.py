"""What Azure's refusals mean for a switch, and what to do about each.

Only advice rests on this: no decision of the controller depends on a code or text here, some of
which nobody has published.
"""

from __future__ import annotations

ADVICE = (
    (
        "RemoteVnetHasNoGateways",
        "Azure's rule: a VNet without a gateway cannot lend one. Check that the hub's gateway "
        "exists and that the peering leads to that hub.",
    ),
    (
        "AllowGatewayTransit flag set to false",
        "Azure's rule: use_remote_gateways needs allow_gateway_transit on the opposite side. "
        "Run the command again: it turns that on first.",
    ),
    (
        "another peering",
        "Azure's rule: one VNet uses remote gateways over one peering. Turn it off on the other "
        "peering named above; a peering that the site file does not know is yours to change.",
    ),
    (
        "VnetAddressSpacesOverlap",
        "Azure's rule: peered VNets must not overlap. Change one of the address spaces.",
    ),
    (
        "VnetAddressSpaceOverlapsWithAlreadyPeeredVnet",
        "Azure's rule: the VNets peered with one VNet must not overlap each other.",
    ),
    (
        "RemotePeeringIsDisconnected",
        "Azure's rule: a peering cannot be made while its opposite is Disconnected. Run the "
        "command again: it writes the opposite anew first.",
    ),
    (
        "AnotherPeeringAlreadyReferencesRemoteVnet",
        "Azure's rule: one peering between two VNets. There is one under another name: put that "
        "name into the site file.",
    ),
    (
        "LinkedAuthorizationFailed",
        "Azure's rule: a peering needs a right on either side. The identity lacks "
        "Microsoft.Network/virtualNetworks/peer/action on the other VNet, which may be in another "
        "subscription: have a role with it assigned there.",
    ),
    (
        "AuthorizationFailed",
        "The identity lacks the permission named above. A role assignment takes some minutes.",
    ),
    ("ScopeLocked", "A resource lock forbids it: az lock list shows it; its owner can remove it."),
    ("RequestDisallowedByPolicy", "A policy of the subscription forbids it; it is named above."),
    ("NonAzSkusNotAllowedForVPNGateway", "Take an AZ SKU (VpnGw1AZ) in the site file."),
)
"""What stands in a refusal's code or message, and what to do; the first that fits counts."""


def advice(code: str | None, message: str) -> str | None:
    """What a refusal means and what to do next; None where it is not known."""
    text = f"{code or ''}: {message}"
    return next((advised for mark, advised in ADVICE if mark in text), None)
