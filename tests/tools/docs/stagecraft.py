"""``python -m tests.tools.docs.stagecraft``: what a page needs to have happened, behind the scenes.

Usage: python -m tests.tools.docs.stagecraft LOCAL_NETWORK_GATEWAY ADDRESS GATEWAY STATE
    sets the BGP peering address, and returns when the gateway's peer at that address is in that
    state, in the lab that the environment names
"""

from __future__ import annotations

import os
import sys
import time

from azure.identity import DefaultAzureCredential
from azure.mgmt.network import NetworkManagementClient

GROUP = "rg-we"
TRIES = 120


def main(local_gateway: str, address: str, gateway: str, state: str) -> None:
    """Set the address and wait."""
    endpoint = os.environ["ERFAILOVER_ENDPOINT"]
    network = NetworkManagementClient(
        DefaultAzureCredential(),
        os.environ["AZURE_SUBSCRIPTION_ID"],
        base_url=endpoint,
        credential_scopes=[f"{endpoint}/.default"],
    )
    local_network_gateway = network.local_network_gateways.get(GROUP, local_gateway)
    assert local_network_gateway.bgp_settings is not None
    local_network_gateway.bgp_settings.bgp_peering_address = address
    network.local_network_gateways.begin_create_or_update(
        GROUP, local_gateway, local_network_gateway
    ).result()
    for _ in range(TRIES):
        bgp_peer_status_list_result = network.virtual_network_gateways.begin_get_bgp_peer_status(
            GROUP, gateway
        ).result()
        if any(
            bgp_peer_status.neighbor == address and bgp_peer_status.state == state
            for bgp_peer_status in bgp_peer_status_list_result.value or ()
        ):
            return
        time.sleep(10 / float(os.environ["ERFAILOVER_CLOCK_SPEED"]))
    sys.exit(f"{gateway}: the peer {address} is not {state}")


main(*sys.argv[1:])
