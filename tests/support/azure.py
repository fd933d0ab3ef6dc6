"""The product's own connections to the lab, for tests that read or write beside the command."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from erfailover.azure.client.access import Access
from erfailover.azure.client.clouds import resolve
from erfailover.azure.reader import Reader
from erfailover.azure.session import Session
from erfailover.runtime.clock import Clock


@contextmanager
def session(clock: Clock) -> Iterator[Session]:
    """Connections to the endpoint and the subscription that the environment names."""
    access = Access(resolve("public", os.environ))
    result = Session(clock, os.environ["AZURE_SUBSCRIPTION_ID"], access)
    try:
        yield result
    finally:
        result.close()
        access.close()


@contextmanager
def reader(clock: Clock) -> Iterator[Reader]:
    """A reader on connections of its own."""
    with session(clock) as result:
        yield Reader(result)
