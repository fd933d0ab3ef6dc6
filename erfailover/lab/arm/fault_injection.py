"""Effects of a fault on the request that it hits.

Owns the effects of ``engine.faults`` on the answer, on the connection and on the operation that
the request starts; it does not decide which requests are hit. Every fault that hit is
returned, for the trace. A fault's own status, code and message are used if it has any, otherwise
those of ``core.errors`` and of recorded traffic.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from http import HTTPStatus

from erfailover.lab.core import errors
from erfailover.lab.core.arm_url import parse
from erfailover.lab.core.operations import InjectedOutcome
from erfailover.lab.core.protocol import Answer, Request, answer_refusal
from erfailover.lab.core.world import Body
from erfailover.lab.engine.cloud import Cloud
from erfailover.lab.engine.faults import ActiveFault, Fault, FaultHit, FaultKind
from erfailover.lab.providers.registry import PROVIDERS

_READINGS = frozenset({FaultKind.EMPTY, FaultKind.STALE, FaultKind.INSTANCE_MISSING})
_ENDINGS = {
    FaultKind.FAILED: ("InternalServerError", "An error occurred."),
    FaultKind.CANCELLED: ("Canceled", "Operation was canceled."),
}
"""Recorded of failed polls; assumed of cancelled ones."""
ELSEWHERE = "5f7cf9e3-6c1c-4b5b-9c0a-1d2b1b7a9e11"
"""The tenant that owns what a fault says is in another one."""
SYNC = "syncremoteaddressspace"
_VERBS = {"GET": "read", "HEAD": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete"}


def answer_with_faults(
    lab: Cloud, request: Request, judge: Callable[[Request], Answer]
) -> tuple[Answer, FaultHit]:
    """Answer a request with the faults that hit it, and return those faults.

    ``judge`` does the work; it is not called if a fault precedes it.
    """
    lab.watch_for_stale_reads()
    hit = lab.faults.apply(request.method, request.path)
    if hit.other is not None and hit.other.fault.kind is FaultKind.UNSYNCED:
        request = _strip_sync(request, hit)
    answer = _answer(lab, request, partial(judge, request), hit)
    if hit.delay_s:
        answer = replace(answer, pause_s=answer.pause_s + hit.delay_s)
    if hit.skew_s:
        date = format_datetime(datetime.now(UTC) + timedelta(seconds=hit.skew_s), usegmt=True)
        answer = replace(answer, headers={**answer.headers, "Date": date})
    return answer, hit


def _strip_sync(request: Request, hit: FaultHit) -> Request:
    """Return the request without the parameter that syncs a peering."""
    if SYNC not in request.query:
        hit.release_other()
    query = {name: value for name, value in request.query.items() if name != SYNC}
    return replace(request, query=query)


def _answer(lab: Cloud, request: Request, judge: Callable[[], Answer], hit: FaultHit) -> Answer:
    active_fault = hit.other
    if active_fault is None or active_fault.fault.kind is FaultKind.UNSYNCED:
        return _record_read(lab, request, judge())
    instead = _answer_instead(lab, request, active_fault)
    if instead is not None:
        return instead
    kind, fault = active_fault.fault.kind, active_fault.fault
    if kind is FaultKind.DROP_AFTER:
        return replace(judge(), drop=True)
    if kind is FaultKind.ANSWER_AFTER:
        judge()
        return _build_answer(fault)
    if kind in _READINGS and request.method == "GET":
        return _misread(lab, request, judge(), hit)
    code, message = _ENDINGS.get(kind, ("", ""))
    injected = InjectedOutcome(
        kind.value, fault.seconds, fault.code or code, fault.message or message, active_fault.id
    )
    lab.operations.injected = injected
    try:
        answer = _record_read(lab, request, judge())
        met = lab.operations.injected is None
    finally:
        lab.operations.injected = None
    if not met:
        hit.release_other()
    return answer


def _answer_instead(lab: Cloud, request: Request, active_fault: ActiveFault) -> Answer | None:
    """Return the answer of a fault that precedes any work; None for other faults."""
    fault = active_fault.fault
    match fault.kind:
        case FaultKind.DROP_BEFORE:
            return Answer(503, drop=True, code="ConnectionDropped")
        case FaultKind.ANSWER:
            return _build_answer(fault)
        case FaultKind.THROTTLE:
            wait_s = max(1, round(fault.seconds)) if fault.seconds else 10
            identity = lab.identity
            refusal = errors.too_many_requests(
                _VERBS.get(request.method, "write"),
                identity.subscription,
                identity.object_id,
                wait_s,
            )
            return answer_refusal(refusal, lab.speed)
        case FaultKind.EXPIRED_TOKEN:
            return answer_refusal(lab.tokens.refuse_expired(request.base), lab.speed)
        case FaultKind.OTHER_TENANT:
            return answer_refusal(
                lab.tokens.refuse_other_tenant(request.base, lab.identity.tenant, ELSEWHERE),
                lab.speed,
            )
        case FaultKind.FORBIDDEN:
            target = parse(request.path, PROVIDERS)
            what = target.type.type if target.type else "Microsoft.Resources/subscriptions"
            action = f"{what}/{_VERBS.get(request.method, f'{target.name}/action')}"
            return answer_refusal(
                errors.authorization_failed(lab.identity.object_id, action, request.path), lab.speed
            )
        case _:
            return None


def _build_answer(fault: Fault) -> Answer:
    """Return the answer that a fault carries."""
    headers = {name: str(value) for name, value in fault.headers.items()}
    body: Body | None = fault.body
    code = fault.code or ("" if body is not None else "InternalServerError")
    if body is None and fault.status >= HTTPStatus.BAD_REQUEST:
        body = {"error": {"code": code, "message": fault.message or "An error occurred."}}
    return Answer(
        fault.status, body, headers, code=code if fault.status >= HTTPStatus.BAD_REQUEST else ""
    )


def _misread(lab: Cloud, request: Request, answer: Answer, hit: FaultHit) -> Answer:
    """Return an empty or stale answer to a GET."""
    assert hit.other is not None
    fault = hit.other.fault
    body = answer.body
    if answer.status == HTTPStatus.OK and isinstance(body, dict):
        if fault.kind is FaultKind.EMPTY and "value" in body:
            return replace(answer, body={"value": []})
        if fault.kind is FaultKind.STALE:
            past = lab.history.find(_name_read(request), lab.world.now - fault.seconds)
            if past is not None:
                return replace(answer, body=past)
    hit.release_other()
    return answer


def _record_read(lab: Cloud, request: Request, answer: Answer) -> Answer:
    read = request.method == "GET" and answer.status == HTTPStatus.OK
    if lab.history.is_recording and read and isinstance(answer.body, dict):
        lab.history.record(_name_read(request), lab.world.now, answer.body)
    return answer


def _name_read(request: Request) -> str:
    return f"GET {request.path.rstrip('/').lower()}"
