"""The lab: a cloud whose operations end in its world, that is saved and restored."""

from __future__ import annotations

import logging

from erfailover.lab.core.operations import Operation
from erfailover.lab.engine import completion, snapshots
from erfailover.lab.engine.cloud import Cloud

log = logging.getLogger("erfailover.lab.lab")


class Lab(Cloud):
    """A cloud whose operations end in its world; its world can be written down."""

    def snapshot(self) -> bytes:
        """Everything the lab holds, written down: resources, operations, sessions, machines."""
        with self.lock:
            self.catch_up()
            return snapshots.save(self)

    def restore(self, data: bytes) -> None:
        """Hold again what was written down; time goes on from there.

        Raises SnapshotProblem where the data is anything else; the lab then stays as it is.
        """
        with self.lock:
            parts = snapshots.load(self, data)
            for name, part in parts.items():
                setattr(self, name, part)
            self._offset = self.world.now - self.clock.now()
            self.world.listeners = [self.bgp.refresh, self._follow, *self._listeners]

    def operation_ended(self, operation: Operation) -> None:
        """Carry out in the world what an operation that ends does to it."""
        try:
            if operation.doom is not None and operation.doom.spoils:
                completion.spoil(self, operation)
            else:
                completion.finish(self, operation)
        except Exception:
            # A fault of the lab: said in its log, and seen by whoever polls (recorded form).
            log.exception("the lab failed at the end of %s", operation.name)
            operation.status = "Failed"
            operation.error = {"code": "InternalServerError", "message": "An error occurred."}
