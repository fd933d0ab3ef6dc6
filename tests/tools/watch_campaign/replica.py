"""``python -m erfailover`` as on a machine of its own, and wrong variants of it.

Usage: python -m tests.tools.watch_campaign.replica MACHINE VARIANT ARGUMENT ...

Processes of one machine know whether each other live; those of different machines do not. A
replica's machine has a name of its own, so that it knows nothing of the other ones.
"""

from __future__ import annotations

import signal
import sys
from contextlib import suppress
from typing import Any, cast

from erfailover.cli.main import main
from erfailover.errors import LeaseLost
from erfailover.runtime.state import lease_keeper, process

RIGHT, KEEPS_EVERY_LEASE = "right", "keeps-every-lease"
VARIANTS = (RIGHT, KEEPS_EVERY_LEASE)


def run() -> None:
    """Run the command line as on another machine."""
    machine, variant, *arguments = sys.argv[1:]
    process._read_machine = lambda: machine
    if variant == KEEPS_EVERY_LEASE:
        _keep_every_lease()
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


if __name__ == "__main__":
    run()
