"""A cell's trouble as faults of the lab: what is armed before the run, and what on the way."""

from __future__ import annotations

from erfailover.lab.engine.faults import FOREVER, Fault, FaultKind
from tests.tools.campaign.cells import Cell, Moment
from tests.tools.campaign.troubles import FOR_GOOD, MACHINE, REFUSED, SOMEBODY, Trouble

TIME_OUT_S = 60.0
"""How long the controller waits for an answer; then its connection breaks without one."""
STALE_S = 20.0
PAGE = "<!DOCTYPE html><html><title>Sign in</title><body>Sign in to go on.</body></html>"


class Page(str):
    """A page in the place of Azure's JSON."""


def faults(cell: Cell) -> tuple[Fault, ...]:
    """The faults that are armed before the run; none where the trouble comes on the way."""
    call, trouble = cell.call, cell.trouble
    where = {"method": call.method, "path": call.path, "nth": call.nth}
    if trouble is Trouble.LEASE_LOST and cell.moment is Moment.BEFORE:
        trouble = Trouble.CONTENTION
    if trouble in REFUSED and cell.moment is Moment.DURING:
        trouble = Trouble.FAILED
    if trouble in ON_THE_WAY or (cell.moment is Moment.DURING and trouble not in ENDS):
        return ()
    if trouble in ENDS:
        return (Fault(ENDS[trouble], **where),)  # type: ignore[arg-type]
    if trouble is Trouble.STALE and call.missing_before:
        missing = {"status": 404, "code": "NotFound", "message": "Not found."}
        return (Fault(FaultKind.ANSWER, **missing, **where),)  # type: ignore[arg-type]
    if trouble is Trouble.STALE:
        return (Fault(FaultKind.STALE, seconds=STALE_S, **where),)  # type: ignore[arg-type]
    if trouble is Trouble.EMPTY:
        return (Fault(FaultKind.EMPTY, **where),)  # type: ignore[arg-type]
    if trouble is Trouble.EMPTY_ALWAYS:
        return (Fault(FaultKind.EMPTY, times=FOREVER, **where),)  # type: ignore[arg-type]
    return tuple(struck(trouble, after=cell.moment is Moment.LOST, **where))  # type: ignore[arg-type]


ON_THE_WAY = MACHINE | SOMEBODY | REFUSED | FOR_GOOD | {Trouble.KILLED, Trouble.LEASE_LOST}
"""What is brought about when the cell's call comes, or later."""
ENDS = {Trouble.FAILED: FaultKind.FAILED, Trouble.CANCELED: FaultKind.CANCELLED}


def struck(trouble: Trouble, *, after: bool, method: str, path: str, nth: int = 1) -> list[Fault]:
    """The faults by which one request meets a trouble, before or after its work is done."""
    drop = FaultKind.DROP_AFTER if after else FaultKind.DROP_BEFORE
    answer = FaultKind.ANSWER_AFTER if after else FaultKind.ANSWER

    def fault(kind: FaultKind, **more: object) -> Fault:
        return Fault(kind, method, path, nth, **more)  # type: ignore[arg-type]

    match trouble:
        case Trouble.THROTTLED:
            return [fault(FaultKind.THROTTLE, seconds=5.0)]
        case Trouble.CONTENTION:
            headers = {"Retry-After": "13"}
            return [fault(answer, status=429, code="RetryableError", headers=headers)]
        case Trouble.NOT_PROVISIONED:
            return [fault(answer, status=400, code="ReferencedResourceNotProvisioned")]
        case Trouble.IN_PROGRESS:
            return [fault(answer, status=409, code="AnotherOperationInProgress")]
        case Trouble.SERVER_ERROR:
            return [fault(answer, status=500, code="InternalServerError")]
        case Trouble.UNAVAILABLE:
            return [fault(answer, status=503, code="ServiceUnavailable")]
        case Trouble.RESET:
            return [fault(drop)]
        case Trouble.TIME_OUT:
            return [fault(FaultKind.DELAY, seconds=TIME_OUT_S), fault(drop)]
        case Trouble.LONG_WAIT:
            headers = {
                "Retry-After": "3600",
                "x-ms-ratelimit-remaining-subscription-writes": "0",
                "x-ms-ratelimit-remaining-subscription-reads": "0",
            }
            code = "SubscriptionRequestsThrottled"
            return [fault(answer, status=429, code=code, headers=headers)]
        case Trouble.HTML:
            return [fault(answer, status=200, body=Page(PAGE))]
        case Trouble.WRONG_TYPE:
            return [fault(answer, status=200, body=["not", "an", "object"])]
        case Trouble.POLL_404:
            message = "The operation was not found."
            return [fault(answer, status=404, code="NotFound", message=message, times=FOREVER)]
        case Trouble.EXPIRED_FOR_GOOD:
            return [fault(FaultKind.EXPIRED_TOKEN, times=FOREVER)]
        case Trouble.FORBIDDEN_FOR_GOOD:
            return [fault(FaultKind.FORBIDDEN, times=FOREVER)]
        case Trouble.EXPIRED:
            return [fault(FaultKind.EXPIRED_TOKEN)]
        case Trouble.FORBIDDEN:
            return [fault(FaultKind.FORBIDDEN)]
        case _:
            raise ValueError(f"{trouble} strikes no single request")
