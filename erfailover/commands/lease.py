"""The site's write lease: held while a command changes something, and required by every write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from erfailover.azure.session import OnWait, Session
from erfailover.azure.writer import OnAccepted, Writer
from erfailover.commands.context import Context
from erfailover.errors import Refused, StateFailure
from erfailover.model.command_line import format_spoke_options
from erfailover.model.counting import join_names
from erfailover.model.fencing import Write
from erfailover.model.history import OwedSpokes, collect_runs, find_owed
from erfailover.model.lease import AcquiredLease, LeaseStanding
from erfailover.runtime.state.lease_keeper import LeaseKeeper
from erfailover.runtime.state.process import build_holder


@dataclass(frozen=True)
class Lease:
    """The site's write lease while this command holds it; the source of every writer."""

    session: Session
    held: LeaseKeeper
    acquired: AcquiredLease

    def build_writer(
        self, accepted: OnAccepted, waiting: OnWait | None = None, write: Write = Write.OTHER
    ) -> Writer:
        """Return a writer that checks the lease before every write.

        Args:
            accepted: called for every write that Azure accepted.
            waiting: called before each retry; None for the session's own.
            write: what its writes are for.
        """
        return Writer(self.session, partial(self.held.check, write), accepted, waiting)


@contextmanager
def hold_lease(context: Context, command: str, *, completes: bool = False) -> Iterator[Lease]:
    """Hold the site's write lease; the one that this command already holds, if it does.

    Args:
        context: the invocation.
        command: what is done, for other operators: ``switch --to ipsec``. The chosen spokes are
            added.
        completes: whether the command completes what a lost holder was moving; any other is
            refused as long as that may have no path.

    Raises:
        Refused: another run holds the lease, or has taken it over meanwhile.
        StateFailure: the store of the lease cannot be reached.
    """
    if context.lease is not None:
        yield context.lease
        return
    session = context.session
    me = build_holder(command + format_spoke_options(context.site.chosen))
    with context.show_activity("Acquiring the site's lease"):
        lease = context.store.acquire(me, take_over=context.take_over)
    speed = getattr(context.clock, "speed", 1.0)
    with LeaseKeeper(context.store, context.site.timing.step_deadline_s / speed) as held:
        if lease.standing is not LeaseStanding.FREE:
            _report_take_over(context, lease)
        _mend_journal(context)
        if not completes:
            _refuse_if_unsettled(context, lease)
        context.lease = Lease(session, held, lease)
        try:
            yield context.lease
        finally:
            context.lease = None


def find_unsettled(context: Context, lease: AcquiredLease) -> OwedSpokes | None:
    """Return the spokes that the lost holder of a lease was moving, and may still move."""
    if lease.standing is LeaseStanding.FREE:
        return None
    return find_owed(collect_runs(context.read_records()))


def _refuse_if_unsettled(context: Context, lease: AcquiredLease) -> None:
    owed = find_unsettled(context, lease)
    if owed is not None:
        raise Refused(
            f"{join_names(owed.spokes, 12)} may have NO path: run {owed.run} lost its lease during "
            f"a switch to {owed.target}",
            f"Run this first: {owed.to_continue}",
        )


def _mend_journal(context: Context) -> None:
    """Set a damaged journal aside and report it; the command continues in any case."""
    lines = context.journal.read()
    if not lines.damage:
        return
    context.told_of_damage = True
    say, name = context.output.warn, context.store.name
    say(f"!! {lines.describe_damage(name)}.")
    try:
        names = context.store.mend()
    except StateFailure as failure:
        say(f"!! The damaged journal could not be set aside: {failure.message}")
        names = ()
    for text in names:
        say(f"!! It is kept as {text}. A new journal has every record that could be read.")
    say(
        "!! Continuing: Azure's state decides what is left to do. If a missing record is of a "
        "peering that erfailover created, that peering is kept."
    )


def _report_take_over(context: Context, lease: AcquiredLease) -> None:
    """Say, and record, whose lease was taken over."""
    previous = lease.previous
    who = previous.describe(lease.record.since) if previous else "an unknown holder"
    context.output.warn(f"Took over the {lease.standing} lease of {who}")
    context.journal.write(
        "took-over",
        standing=str(lease.standing),
        holder=previous.holder.name if previous else "an unknown holder",
        command=previous.holder.command if previous else None,
        since=previous.since_text if previous else None,
    )
