"""Reads the site-to-site connections of a VPN gateway, with their local network gateways."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from ipaddress import IPv4Network

from erfailover.azure.client.answers import understood
from erfailover.azure.reader import Body, Reader
from erfailover.errors import AzureFailure, Kind
from erfailover.model.observed import Tunnel
from erfailover.model.resource_ids import last_of
from erfailover.model.routing import prefix_of
from erfailover.runtime.clock import all_at_once


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
    rows = [each for each in reader.connections_of(gateway_id, deadline_s) if far_end(each)]
    rows = [each for each in rows if wanted(each)]
    far = list(dict.fromkeys(map(far_end, rows)))
    ids = [*(str(each["id"]) for each in rows), *far]
    found = all_at_once(reader.clock, [partial(there, reader, each, deadline_s) for each in ids])
    local = dict(zip(far, found[len(rows) :], strict=True))
    return tuple(_tunnel(found[n], local[far_end(each)]) for n, each in enumerate(rows))


def far_end(connection: Body) -> str:
    """Return the id of a connection's local network gateway in lower case; empty without one."""
    far = (connection.get("properties") or {}).get("localNetworkGateway2") or {}
    return str(far.get("id") or "").lower()


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
    properties, far = connection.get("properties") or {}, local.get("properties") or {}
    texts = (far.get("localNetworkAddressSpace") or {}).get("addressPrefixes") or ()
    prefixes: tuple[IPv4Network, ...] = tuple(
        found for each in texts if (found := prefix_of(str(each))) is not None
    )
    return Tunnel(
        str(connection.get("name") or last_of(str(connection.get("id") or ""))),
        str(local.get("name") or ""),
        address=str(far.get("gatewayIpAddress") or ""),
        from_private_address=bool(properties.get("useLocalAzureIpAddress")),
        bgp=bool(properties.get("enableBgp")),
        status=str(properties.get("connectionStatus") or "Unknown"),
        prefixes=prefixes,
    )
