"""``python -m erfailover`` as on a machine of its own, and wrong variants of it.

Usage: python -m tests.tools.watch_campaign.replica MACHINE VARIANT ARGUMENT ...

Processes of one machine know whether each other live; those of different machines do not. A
replica's machine has a name of its own, so that it knows nothing of the other ones.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from erfailover.cli.main import main
from erfailover.errors import LeaseLost
from erfailover.runtime.state import lease_keeper, process

RIGHT, KEEPS_EVERY_LEASE = "right", "keeps-every-lease"
VARIANTS = (RIGHT, KEEPS_EVERY_LEASE)
KILLED_AT, KILLED_DONE = "WATCH_CAMPAIGN_KILLED_AT", "WATCH_CAMPAIGN_KILLED_DONE"
"""Variables: the writes to the journal at which the first writer, then the second, is killed, and
whether the store has that record first."""


def run() -> None:
    """Run the command line as on another machine."""
    machine, variant, *arguments = sys.argv[1:]
    process._read_machine = lambda: machine
    if variant == KEEPS_EVERY_LEASE:
        _keep_every_lease()
    if text := os.environ.get(KILLED_AT):
        _end_at_records([int(number) for number in text.split(",")])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["erfailover", *arguments]
    main()


def _keep_every_lease() -> None:
    """Never notice that a lease is lost: neither the leadership's nor the site's."""
    from erfailover.azure.blob_store import BlobStore

    store, keeper = cast(Any, BlobStore), cast(Any, lease_keeper.LeaseKeeper)
    right_renew, right_append = store.renew, store.append

    def renew(self: BlobStore) -> None:
        with suppress(LeaseLost):
            right_renew(self)

    def append(self: BlobStore, lines: bytes) -> None:
        with suppress(LeaseLost):
            right_append(self, lines)

    store.renew, store.append = renew, append
    keeper.check = lambda *_: None
    keeper.can_send = lambda *_: True


def _end_at_records(numbers: Sequence[int]) -> None:
    """Kill this process at a write to the journal; a file tells the next that one was killed."""
    from erfailover.azure.blob_store import BlobStore

    store, right_append = cast(Any, BlobStore), BlobStore.append
    written = 0

    def append(self: BlobStore, lines: bytes) -> None:
        nonlocal written
        written += 1
        killed = len([*Path().glob("killed-*")])
        dies = killed < len(numbers) and written == numbers[killed]
        if not dies or os.environ.get(KILLED_DONE):
            right_append(self, lines)
        if dies:
            Path(f"killed-{killed}").touch()
            os.kill(os.getpid(), signal.SIGKILL)

    store.append = append


if __name__ == "__main__":
    run()
