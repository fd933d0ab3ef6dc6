"""Reads the site-to-site connections of a VPN gateway, with their local network gateways."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from erfailover.azure.client.answers import wrap_parse_errors
from erfailover.azure.reader import Reader
from erfailover.azure.readers.references import get_reference, read_required
from erfailover.model.arm_json import Body, get_section, parse_bool, parse_ipv4_prefixes, parse_text
from erfailover.model.observed import Tunnel
from erfailover.model.resource_ids import get_last_name
from erfailover.runtime.clock import run_all

CONNECTION_STATES = ("Unknown", "Connecting", "Connected", "NotConnected")
"""``connectionStatus``, as Azure documents it; another value is kept as it is."""


def read_tunnels(
    reader: Reader,
    gateway_id: str,
    deadline_s: float,
    predicate: Callable[[Body], bool] = lambda body: True,
) -> tuple[Tunnel, ...]:
    """Return a gateway's connections to local network gateways.

    Each is read by itself: a list leaves out ``useLocalAzureIpAddress`` (published: the list entity
    has no such field) and ``connectionStatus`` (reported: azure-powershell 2581).

    Args:
        reader: where to read.
        gateway_id: the gateway.
        deadline_s: how long each read may take, in seconds.
        predicate: which of the listed connections are read.

    Raises:
        AzureFailure: one of them could not be read.
    """
    rows = [
        connection
        for connection in reader.list_connections(gateway_id, deadline_s)
        if get_local_gateway_id(connection)
    ]
    rows = [row for row in rows if predicate(row) and parse_text(row.get("id"))]
    far = list(dict.fromkeys(map(get_local_gateway_id, rows)))
    ids = [*(parse_text(row.get("id")) for row in rows), *far]
    items = run_all(reader.clock, [partial(read_required, reader, id_, deadline_s) for id_ in ids])
    local = dict(zip(far, items[len(rows) :], strict=True))
    return tuple(
        _parse_tunnel(items[n], local[get_local_gateway_id(row)]) for n, row in enumerate(rows)
    )


def get_local_gateway_id(connection: Body) -> str:
    """Return the id of a connection's local network gateway in lower case; empty without one."""
    return get_reference(connection, "localNetworkGateway2").lower()


@wrap_parse_errors("GET of a connection")
def _parse_tunnel(connection: Body, local: Body) -> Tunnel:
    properties, far = get_section(connection, "properties"), get_section(local, "properties")
    return Tunnel(
        parse_text(connection.get("name")) or get_last_name(parse_text(connection.get("id"))),
        parse_text(local.get("name")),
        address=parse_text(far.get("gatewayIpAddress")),
        from_private_address=parse_bool(properties.get("useLocalAzureIpAddress")),
        bgp=parse_bool(properties.get("enableBgp")),
        status=parse_text(properties.get("connectionStatus"), CONNECTION_STATES) or "Unknown",
        prefixes=parse_ipv4_prefixes(
            get_section(far, "localNetworkAddressSpace").get("addressPrefixes")
        ),
    )
