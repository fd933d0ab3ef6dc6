"""The flags of the story's peerings on either path."""

from __future__ import annotations

from typing import Any

OFFICE = "10.5.0.4"

ON_EXPRESSROUTE = {
    "vnet1-to-vnet2": "yes/yes/no/yes",
    "vnet2-to-vnet1": "yes/yes/yes/no",
}
ON_IPSEC = {
    "vnet1-to-vnet2": "yes/no/no/no",
    "vnet2-to-vnet1": "yes/no/no/no",
    "vnet1-to-vnet3": "yes/yes/no/yes",
    "vnet3-to-vnet1": "yes/yes/yes/no",
}


def flags(status: Any) -> dict[str, str]:
    names = (
        "allow_virtual_network_access",
        "allow_forwarded_traffic",
        "allow_gateway_transit",
        "use_remote_gateways",
    )
    return {
        item["name"]: "/".join("yes" if item[name] else "no" for name in names)
        for item in status["peerings"]
    }
