"""``erfailover approve``: one person's approval of the switch that the watch has asked for."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from erfailover.commands.context import Context
from erfailover.errors import Refused
from erfailover.model.moments import format_moment, format_rfc3339
from erfailover.model.watch import Approval
from erfailover.runtime.state.process import describe_user
from erfailover.runtime.state.watch_records import change_approval, read_approval


def approve(context: Context, approval_id: str, wall: Callable[[], float] = time.time) -> None:
    """Show the plan that waits for approval, ask, and record the approval.

    Args:
        context: the invocation.
        approval_id: the id of the approval.
        wall: wall time, in seconds since 1970.

    Raises:
        Refused: no such approval waits, it has expired or was given, or the answer is no.
        StateFailure: the approval could not be read or recorded.
    """
    site = context.site.name
    by = describe_user()
    approval = _insist_on_waiting(read_approval(context.watch_store), approval_id, site, wall())
    context.output.present(approval.text)
    context.output.confirm(f"Approve the switch of {site} to {approval.target}?")
    at = wall()

    def change(current: Approval | None) -> Approval:
        waiting = _insist_on_waiting(current, approval_id, site, at)
        return replace(waiting, approved_by=by, approved_at=at)

    change_approval(context.watch_store, change)
    text = f"The switch of {site} to {approval.target} is approved. The watch applies it now."
    data = {
        "site": site,
        "id": approval.id,
        "target": str(approval.target),
        "created": format_rfc3339(approval.created),
        "expires": format_rfc3339(approval.expires),
        "approved_by": by,
        "approved_at": format_rfc3339(at),
    }
    context.output.print_result(text, data)


def _insist_on_waiting(
    approval: Approval | None, approval_id: str, site: str, now: float
) -> Approval:
    """Return the approval if it has the id and waits; otherwise raise ``Refused``."""
    if approval is None:
        raise Refused(
            f"{site} waits for no approval, so {approval_id} cannot be given",
            "The watch withdraws an approval that is no longer needed. See erfailover status.",
        )
    if approval.id != approval_id:
        raise Refused(
            f"approval {approval_id} is unknown or was superseded: {site} waits for {approval.id}, "
            f"a switch to {approval.target}, requested {format_moment(approval.created)}",
            f"To see its plan and approve it: erfailover approve {approval.id}",
        )
    if approval.approved_by is not None:
        at = "" if approval.approved_at is None else f" at {format_moment(approval.approved_at)}"
        raise Refused(
            f"approval {approval_id} was already given by {approval.approved_by}{at}",
            "See erfailover history for the run.",
        )
    if now >= approval.expires:
        raise Refused(
            f"approval {approval_id} expired at {format_moment(approval.expires)}",
            "If the switch is still needed, the watch asks again, with another id; or make it "
            f"yourself: erfailover switch --to {approval.target}",
        )
    return approval
