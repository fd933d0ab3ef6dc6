"""Threads with the SDK's clients, or asyncio with its aio clients: what a request costs.

Run it as ``python -m tests.tools.bench.clients``. It reads one VNet many times, as many at once as
a run has writes in flight, first by threads and then by coroutines, on a lab in the same process,
whose own thread is not counted. Prints both and their ratio.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from azure.identity import DefaultAzureCredential
from azure.identity.aio import DefaultAzureCredential as AioCredential
from azure.mgmt.network import NetworkManagementClient
from azure.mgmt.network.aio import NetworkManagementClient as AioClient

from erfailover.lab.core.clock import ScaledClock
from tests.tools.bench.machine import Meter, Spent
from tests.tools.bench.worlds import Worlds

REQUESTS, AT_ONCE = 600, 64
GROUP, NETWORK = "rg-we", "vnet1"


def read_by_threads(endpoint: str, subscription: str) -> None:
    """Read by a pool of threads."""
    with (
        DefaultAzureCredential() as credential,
        NetworkManagementClient(
            credential,
            subscription,
            base_url=endpoint,
            credential_scopes=[f"{endpoint}/.default"],
            retry_total=0,
        ) as client,
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):
        list(pool.map(lambda _: client.virtual_networks.get(GROUP, NETWORK), range(REQUESTS)))


def read_by_coroutines(endpoint: str, subscription: str) -> None:
    """Read by coroutines, as many at once."""
    asyncio.run(_by_coroutines(endpoint, subscription))


async def _by_coroutines(endpoint: str, subscription: str) -> None:
    gate = asyncio.Semaphore(AT_ONCE)
    authority = os.environ["REQUESTS_CA_BUNDLE"]  # aiohttp does not heed it
    async with (
        AioCredential(connection_verify=authority) as credential,
        AioClient(
            credential,
            subscription,
            base_url=endpoint,
            credential_scopes=[f"{endpoint}/.default"],
            retry_total=0,
            connection_verify=authority,
        ) as client,
    ):

        async def read() -> None:
            async with gate:
                await client.virtual_networks.get(GROUP, NETWORK)

        await asyncio.gather(*(read() for _ in range(REQUESTS)))


def measure_cost(work: Callable[[str, str], None]) -> Spent:
    """What it costs, loading and the first connection included once before."""
    endpoint, subscription = (
        os.environ[name] for name in ("ERFAILOVER_ENDPOINT", "AZURE_SUBSCRIPTION_ID")
    )
    work(endpoint, subscription)
    meter = Meter()
    work(endpoint, subscription)
    return meter.spent()


def main() -> None:
    """Measure both, side by side."""
    worlds = Worlds()
    try:
        world = worlds.get(1, False)
        with worlds.serve(world.snapshot, world.site, None, ScaledClock(100.0)) as served:
            served.lab.throttling.limits = None
            spent = {
                work.__name__: measure_cost(work) for work in (read_by_threads, read_by_coroutines)
            }
    finally:
        worlds.close()
    for name, item in spent.items():
        cpu_ms = item.cpu_s / REQUESTS * 1000
        print(f"{name}: {cpu_ms:.2f} ms of processor a request, {item.wall_s:.2f} s in all")
    ratio = spent["read_by_coroutines"].cpu_s / spent["read_by_threads"].cpu_s
    print(f"coroutines take {ratio:.2f} times the processor time of threads")


if __name__ == "__main__":
    main()
