"""Reads the site-to-site connections of a VPN gateway, with their local network gateways."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from erfailover.azure.client.answers import understood
from erfailover.azure.reader import Reader
from erfailover.errors import AzureFailure, Kind
from erfailover.model.arm_json import Body, prefixes, section, text, truth
from erfailover.model.observed import Tunnel
from erfailover.model.resource_ids import last_of
from erfailover.runtime.clock import all_at_once

CONNECTION_STATES = ("Unknown", "Connecting", "Connected", "NotConnected")
"""``connectionStatus``, as Azure documents it; another value is kept as it is."""


def tunnels(
    reader: Reader,
    gateway_id: str,
    deadline_s: float,
    wanted: Callable[[Body], bool] = lambda listed: True,
) -> tuple[Tunnel, ...]:
    """Return a gateway's connections to local network gateways.

    Each is read by itself: a list leaves out ``useLocalAzureIpAddress`` (published: the list entity
    has no such field) and ``connectionStatus`` (reported: azure-powershell 2581).

    Args:
        reader: where to read.
        gateway_id: the gateway.
        deadline_s: how long each read may take, in seconds.
        wanted: which of the listed connections are read.

    Raises:
        AzureFailure: one of them could not be read.
    """
    listed = [each for each in reader.connections_of(gateway_id, deadline_s) if far_end(each)]
    listed = [each for each in listed if wanted(each) and text(each.get("id"))]
    far = list(dict.fromkeys(map(far_end, listed)))
    ids = [*(text(each.get("id")) for each in listed), *far]
    found = all_at_once(reader.clock, [partial(there, reader, each, deadline_s) for each in ids])
    local = dict(zip(far, found[len(listed) :], strict=True))
    return tuple(_tunnel(found[n], local[far_end(each)]) for n, each in enumerate(listed))


def far_end(connection: Body) -> str:
    """Return the id of a connection's local network gateway in lower case; empty without one."""
    return text(section(connection, "properties", "localNetworkGateway2").get("id")).lower()


def there(reader: Reader, resource_id: str, deadline_s: float) -> Body:
    """Return a resource that has to exist, as ARM JSON.

    Raises:
        AzureFailure: it does not exist, or could not be read.
    """
    found = reader.get(resource_id, deadline_s)
    if found is None:
        raise AzureFailure(Kind.NOT_FOUND, f"{last_of(resource_id)} does not exist in Azure")
    return found


@understood("GET of a connection")
def _tunnel(connection: Body, local: Body) -> Tunnel:
    properties, far = section(connection, "properties"), section(local, "properties")
    return Tunnel(
        text(connection.get("name")) or last_of(text(connection.get("id"))),
        text(local.get("name")),
        address=text(far.get("gatewayIpAddress")),
        from_private_address=truth(properties.get("useLocalAzureIpAddress")),
        bgp=truth(properties.get("enableBgp")),
        status=text(properties.get("connectionStatus"), CONNECTION_STATES) or "Unknown",
        prefixes=prefixes(section(far, "localNetworkAddressSpace").get("addressPrefixes")),
    )
