"""The lab: a cloud whose operations change its world; saved and restored."""

from __future__ import annotations

import logging

from erfailover.lab.core.operations import Operation
from erfailover.lab.engine import completion, snapshots
from erfailover.lab.engine.cloud import Cloud

log = logging.getLogger("erfailover.lab.lab")


class Lab(Cloud):
    """A cloud whose operations change its world, and whose state can be saved."""

    def snapshot(self) -> bytes:
        """Return the lab's whole state: resources, operations, sessions, machines."""
        with self.lock:
            self.catch_up()
            return snapshots.save(self)

    def restore(self, data: bytes) -> None:
        """Restore a snapshot; the clock continues from the saved time.

        Raises SnapshotError if the data is anything else; the lab then stays unchanged.
        """
        with self.lock:
            parts = snapshots.load(self, data)
            kind, saved = parts.pop(snapshots.PLANE)
            for name, part in parts.items():
                setattr(self, name, part)
            self._offset = self.world.now - self.clock.now()
            self.attach_plane(saved if kind == self.plane.name else None)

    def finish_operation(self, operation: Operation) -> None:
        """Apply the effect of an operation that ends."""
        try:
            if operation.injected is not None and operation.injected.is_failure:
                completion.fail_operation(self, operation)
            else:
                completion.finish(self, operation)
        except Exception:
            # A fault of the lab: logged, and visible to polling clients (recorded form).
            log.exception("the lab failed at the end of %s", operation.name)
            operation.status = "Failed"
            operation.error = {"code": "InternalServerError", "message": "An error occurred."}
