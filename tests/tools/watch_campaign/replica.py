"""``python -m erfailover`` as on a machine of its own, and wrong variants of it.

Usage: python -m tests.tools.watch_campaign.replica MACHINE VARIANT ARGUMENT ...

Processes of one machine know whether each other live; those of different machines do not. A
replica's machine has a name of its own, so that it knows nothing of the other ones.
"""

from __future__ import annotations

import signal
import sys
from typing import Any

from erfailover.cli.main import main
from erfailover.model.lease import AcquiredLease, Holder, LeaseRecord, LeaseStanding, LeaseState
from erfailover.runtime.state import lease_keeper, process

RIGHT, EVERYBODY_HAS_THE_LEASE = "right", "everybody-has-the-lease"
VARIANTS = (RIGHT, EVERYBODY_HAS_THE_LEASE)


def run() -> None:
    """Run the command line as on another machine."""
    machine, variant, *arguments = sys.argv[1:]
    process._read_machine = lambda: machine
    if variant == EVERYBODY_HAS_THE_LEASE:
        _grant_every_lease()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["erfailover", *arguments]
    main()


def _grant_every_lease() -> None:
    """Grant the leadership and the site's lease to everybody, for ever."""
    from erfailover.azure.blob_store import BlobStore

    def acquire(self: BlobStore, holder: Holder, *, take_over: bool) -> AcquiredLease:
        self._make_blob()
        record = LeaseRecord(holder, self.wall())
        return AcquiredLease(record, LeaseStanding.FREE, None, self.name)

    def append(self: BlobStore, lines: bytes) -> None:
        self._blob.append_block(lines, length=len(lines))

    def do_nothing(*_: Any, **__: Any) -> None:
        """Need no lease."""

    patched: Any = BlobStore
    patched.acquire, patched.append = acquire, append
    patched.renew = patched.release = do_nothing
    patched.look = lambda self: LeaseState(LeaseStanding.FREE)
    keeper: Any = lease_keeper.LeaseKeeper
    keeper.check, keeper.can_send = do_nothing, lambda *_: True


if __name__ == "__main__":
    run()
