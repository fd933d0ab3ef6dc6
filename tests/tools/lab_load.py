"""How the lab bears a large world: 2,000 VNets, 1,000 peerings, two gateways.

Builds the world by ARM requests, then times reads in the server (from the request to the bytes
of its answer, TLS apart) and a gateway's full table, and looks at the memory. Run it by
``scripts/lab-load``; ends with 1 where a limit is passed.
"""

from __future__ import annotations

import gc
import json
import resource
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from erfailover.lab.core import ids
from tests.support.direct import Direct
from tests.support.model import get_model

VNETS, SPOKES = 2000, 500
GET_MS, TABLE_MS, MEMORY_MB = 5.0, 50.0, 300.0


def build(loaded: Direct) -> None:
    """2,000 VNets, two of them hubs with a gateway each; 500 spokes use the first."""
    loaded.put(loaded.group, {})
    for number in range(VNETS - 2):
        prefix = f"{20 + number // 250}.{number % 250}.0.0/16"
        subnets = [{"name": "apps", "properties": {"addressPrefix": prefix.replace("/16", "/24")}}]
        space = {"addressPrefixes": [prefix]}
        loaded.put(f"virtualNetworks/s{number}", {"addressSpace": space, "subnets": subnets})
    for number in (1, 2):
        _hub(loaded, number)
    loaded.settle()
    for number in (1, 2):
        _gateway(loaded, number)
    loaded.settle()
    for number in (1, 2):
        _connect(loaded, number, 3 - number)
    loaded.settle()
    for number in range(SPOKES):
        _peer(loaded, "hub1", f"s{number}", allowGatewayTransit=True)
        loaded.settle()
        _peer(loaded, f"s{number}", "hub1", useRemoteGateways=True)
        loaded.settle()


def _hub(loaded: Direct, number: int) -> None:
    subnets = [{"name": "GatewaySubnet", "properties": {"addressPrefix": f"10.{number}.0.0/24"}}]
    space = {"addressPrefixes": [f"10.{number}.0.0/16"]}
    loaded.put(f"virtualNetworks/hub{number}", {"addressSpace": space, "subnets": subnets})
    loaded.put(
        f"publicIPAddresses/ip{number}",
        {"publicIPAllocationMethod": "Static"},
        sku={"name": "Standard"},
        zones=["1", "2", "3"],
    )


def _gateway(loaded: Direct, number: int) -> None:
    inner = {
        "subnet": loaded.reference(f"virtualNetworks/hub{number}/subnets/GatewaySubnet"),
        "publicIPAddress": loaded.reference(f"publicIPAddresses/ip{number}"),
    }
    loaded.put(
        f"virtualNetworkGateways/g{number}",
        {
            "gatewayType": "Vpn",
            "vpnType": "RouteBased",
            "enableBgp": True,
            "sku": {"name": "VpnGw1AZ", "tier": "VpnGw1AZ"},
            "bgpSettings": {"asn": 65000 + number},
            "ipConfigurations": [{"name": "default", "properties": inner}],
        },
    )


def _connect(loaded: Direct, number: int, other: int) -> None:
    public_ip = loaded.lab.world.get(loaded.id(f"publicIPAddresses/ip{other}"))
    assert public_ip is not None
    loaded.put(
        f"localNetworkGateways/l{number}",
        {
            "gatewayIpAddress": public_ip.properties["ipAddress"],
            "localNetworkAddressSpace": {"addressPrefixes": [f"10.{other}.0.0/16"]},
            "bgpSettings": {"asn": 65000 + other, "bgpPeeringAddress": f"10.{other}.0.254"},
        },
    )
    loaded.settle()
    loaded.put(
        f"connections/c{number}",
        {
            "connectionType": "IPsec",
            "enableBgp": True,
            "sharedKey": "key",
            "virtualNetworkGateway1": loaded.reference(f"virtualNetworkGateways/g{number}"),
            "localNetworkGateway2": loaded.reference(f"localNetworkGateways/l{number}"),
        },
    )


def _peer(loaded: Direct, local: str, other: str, **flags: bool) -> None:
    properties = {"remoteVirtualNetwork": loaded.reference(f"virtualNetworks/{other}"), **flags}
    loaded.put(f"virtualNetworks/{local}/virtualNetworkPeerings/to-{other}", properties)


def measure_cpu_ms(work: Callable[[], object]) -> float:
    """How much of the processor's time something takes, in milliseconds.

    Other programs on the machine do not count, so that the limits hold on a busy one too.
    """
    began = time.process_time()
    work()
    return (time.process_time() - began) * 1000


def reads(loaded: Direct) -> list[float]:
    """Milliseconds of single reads: every VNet, every peering of a spoke, every gateway."""
    paths = [f"virtualNetworks/s{number}" for number in range(VNETS - 2)]
    paths += [
        f"virtualNetworks/s{number}/virtualNetworkPeerings/to-hub1" for number in range(SPOKES)
    ]
    paths += ["virtualNetworkGateways/g1", "connections/c1", "publicIPAddresses/ip1"] * 20
    return [measure_cpu_ms(lambda path=path: read(loaded, path)) for path in paths]  # type: ignore[misc]


def read(loaded: Direct, path: str) -> None:
    """A GET, up to the bytes of its answer."""
    answer = loaded.ask("GET", path)
    assert answer.status == 200
    json.dumps(answer.body).encode()


def table(loaded: Direct, number: int) -> tuple[int, float]:
    """How many rows a gateway's table has, and how long the first reading of it takes."""
    gateway = loaded.lab.world.get(ids.to_key(loaded.id(f"virtualNetworkGateways/g{number}")))
    assert gateway is not None
    bgp = get_model(loaded.lab).bgp
    bgp._rebuild()  # what the last change left; nothing is remembered
    rows: list[Any] = []

    def look() -> None:
        rows.extend(bgp.list_learned_routes(gateway))
        json.dumps(rows).encode()

    milliseconds = measure_cpu_ms(look)
    return len(rows), milliseconds


def main() -> int:
    """Build, measure, print; 1 where a limit is passed."""
    loaded = Direct()
    seconds = measure_cpu_ms(lambda: build(loaded)) / 1000
    counts: dict[str, int] = {}
    for item in loaded.lab.world.resources.values():
        counts[item.id.type] = counts.get(item.id.type, 0) + 1
    print(f"built in {seconds:.1f} s: " + ", ".join(f"{n} {t}" for t, n in sorted(counts.items())))
    gc.collect()
    items = sorted(reads(loaded))
    p99 = items[int(len(items) * 0.99)]
    print(
        f"GET: {len(items)} reads, median {statistics.median(items):.3f} ms, "
        f"99th percentile {p99:.3f} ms, slowest {items[-1]:.2f} ms (limit {GET_MS:g} ms)"
    )
    slowest = 0.0
    for number in (1, 2):
        rows, milliseconds = table(loaded, number)
        slowest = max(slowest, milliseconds)
        print(f"table of g{number}: {rows} rows in {milliseconds:.1f} ms (limit {TABLE_MS:g} ms)")
    for path in ("virtualNetworks/hub1", "virtualNetworks"):
        milliseconds = measure_cpu_ms(lambda path=path: read(loaded, path))  # type: ignore[misc]
        print(f"GET of {path}: {milliseconds:.1f} ms")
    write = measure_cpu_ms(lambda: loaded.put("routeTables/r", {"routes": []}))
    print(f"a write: {write:.1f} ms")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"memory: {memory:.0f} MB (limit {MEMORY_MB:g} MB)")
    held = p99 < GET_MS and slowest < TABLE_MS and memory < MEMORY_MB
    print("within the limits" if held else "A LIMIT IS PASSED")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
