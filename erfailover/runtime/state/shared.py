"""A shared store, and this machine's own beside it.

Every lease of the shared store is held together with this machine's own, so that a run that goes
on without the shared store (``--break-glass``) and one that has it never meet on one machine.
What was recorded here meanwhile is merged into the shared journal at the next lease.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from erfailover.errors import StateFailure
from erfailover.model.counting import format_count
from erfailover.model.lease import AcquiredLease, Holder, LeaseStanding, LeaseState
from erfailover.runtime.state.local import LocalStore
from erfailover.runtime.state.store import Store

BREAK_GLASS = "--break-glass"


@dataclass(eq=False)
class SharedStore:
    """A site's state in a store that several machines share.

    Attributes:
        remote: the shared store.
        local: this machine's own.
        break_glass: whether to continue with this machine's own if the shared one fails.
        say: tells the operator.
    """

    remote: Store
    local: LocalStore
    break_glass: bool = False
    say: Callable[[str], None] = lambda text: None
    _broken: bool = False

    @property
    def name(self) -> str:
        """Where the state is kept at the moment."""
        return self.local.name if self._broken else self.remote.name

    @property
    def renew_every_s(self) -> float:
        """The shorter of the two."""
        return min(self.remote.renew_every_s, self.local.renew_every_s)

    @property
    def relied_on_s(self) -> float:
        """That of the store which is in use."""
        return self.local.relied_on_s if self._broken else self.remote.relied_on_s

    @property
    def is_cheap(self) -> bool:
        """Whether this machine's own store is the only one in use."""
        return self._broken

    def read(self) -> bytes:
        """Return the shared journal, then what is not merged into it yet."""
        pending = self.local.read()
        if self._broken:
            return pending
        try:
            shared = self.remote.read()
        except StateFailure as failure:
            self._break(failure)
            return pending
        return shared + _select_missing(pending, shared)

    def append(self, lines: bytes) -> None:
        """Add lines to the shared journal; to this machine's own if that fails."""
        if not self._broken:
            try:
                self.remote.append(lines)
                return
            except StateFailure as failure:
                self._break(failure)
        self.local.append(lines)

    def mend(self) -> tuple[str, ...]:
        """Set aside what is damaged, of the shared journal and of this machine's own."""
        return self.local.mend() + (() if self._broken else self.remote.mend())

    def keep_aside(self, lines: bytes) -> str:
        """Keep lines in this machine's own journal; the next lease merges them."""
        return self.local.keep_aside(lines)

    def acquire(self, holder: Holder, *, take_over: bool) -> AcquiredLease:
        """Take both leases, then merge what was recorded without the shared store."""
        own = self.local.acquire(holder, take_over=take_over)
        if self._broken:
            return own
        try:
            lease = self.remote.acquire(holder, take_over=take_over)
        except StateFailure as failure:
            try:
                self._break(failure)
            except StateFailure:
                self.local.release()
                raise
            return own
        except BaseException:
            self.local.release()
            raise
        self._merge()
        return lease

    def look(self) -> LeaseState:
        """Return the state of the shared lease, or of this machine's if only that is held."""
        own = self.local.look()
        if own.standing is LeaseStanding.LIVE:
            return own
        return self.remote.look()

    def renew(self) -> None:
        """Make sure that both leases are ours."""
        self.local.renew()
        if not self._broken:
            try:
                self.remote.renew()
            except StateFailure as failure:
                if not self.break_glass:
                    raise
                self._break(failure)

    def release(self) -> None:
        """Give both leases up."""
        try:
            if not self._broken:
                self.remote.release()
        finally:
            self.local.release()
            self._broken = False

    def close(self) -> None:
        """Close every connection that was opened."""
        self.remote.close()

    def _break(self, failure: StateFailure) -> None:
        """Go on without the shared store, or raise what it failed of."""
        if not self.break_glass:
            raise StateFailure(
                failure.message,
                f"{failure.hint or 'Fix this.'} If it cannot wait, {BREAK_GLASS} continues with "
                "the state on this machine only; make sure that no other run changes the site.",
            ) from failure
        self._broken = True
        self.say(f"!! {BREAK_GLASS}: {failure.message}")
        self.say(
            f"!! Continuing with a lease and a journal on this machine only: {self.local.name}"
        )
        self.say("!! Other machines can write to the site at the same time.")

    def _merge(self) -> None:
        pending = self.local.read()
        if not pending:
            return
        missing = _select_missing(pending, self.remote.read())
        if missing:
            self.remote.append(missing)
            count = missing.count(b"\n")
            records = format_count(count, "record")
            self.say(f"Copied {records} of this machine's journal to {self.remote.name}.")
        self.local.retire_journal()


def _select_missing(pending: bytes, shared: bytes) -> bytes:
    """Return the whole lines of one journal that another lacks; a torn last line is left."""
    names = set(shared.split(b"\n"))
    lines = pending.split(b"\n")[:-1]
    return b"".join(line + b"\n" for line in lines if line.strip() and line not in names)
