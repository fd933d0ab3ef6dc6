"""What a fault does to the request that it strikes.

Owns the effects of ``engine.faults`` on the answer, on the connection and on the operation that
the request starts; it does not decide which requests are struck. Every fault that struck is
returned, for the trace. A fault's own status, code and message are used if it has any, otherwise
those of ``core.errors`` and of recorded traffic.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial

from erfailover.lab.core import errors
from erfailover.lab.core.arm_url import parse
from erfailover.lab.core.operations import Doom
from erfailover.lab.core.protocol import Answer, Request, refused
from erfailover.lab.core.world import Body
from erfailover.lab.engine.cloud import Cloud
from erfailover.lab.engine.faults import Armed, Fault, Kind, Strike
from erfailover.lab.providers.registry import PROVIDERS

_READINGS = frozenset({Kind.EMPTY, Kind.STALE, Kind.INSTANCE_MISSING})
_ENDINGS = {
    Kind.FAILED: ("InternalServerError", "An error occurred."),
    Kind.CANCELLED: ("Canceled", "Operation was canceled."),
}
"""Recorded of failed polls; assumed of cancelled ones."""
ELSEWHERE = "5f7cf9e3-6c1c-4b5b-9c0a-1d2b1b7a9e11"
"""The tenant that owns what a fault says is in another one."""
SYNC = "syncremoteaddressspace"
_VERBS = {"GET": "read", "HEAD": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete"}


def around(
    lab: Cloud, request: Request, judge: Callable[[Request], Answer]
) -> tuple[Answer, Strike]:
    """Answer a request with the faults that strike it.

    ``judge`` does the work, and is not called where the fault comes before it. Gives back what
    struck, too.
    """
    lab.watch_for_stale_reads()
    strike = lab.faults.strike(request.method, request.path)
    if strike.other is not None and strike.other.fault.kind is Kind.UNSYNCED:
        request = _without_sync(request, strike)
    answer = _answer(lab, request, partial(judge, request), strike)
    if strike.delay_s:
        answer = replace(answer, pause_s=answer.pause_s + strike.delay_s)
    if strike.skew_s:
        date = format_datetime(datetime.now(UTC) + timedelta(seconds=strike.skew_s), usegmt=True)
        answer = replace(answer, headers={**answer.headers, "Date": date})
    return answer, strike


def _without_sync(request: Request, strike: Strike) -> Request:
    """The request without the parameter that syncs a peering."""
    if SYNC not in request.query:
        strike.spare()
    kept = {name: value for name, value in request.query.items() if name != SYNC}
    return replace(request, query=kept)


def _answer(lab: Cloud, request: Request, judge: Callable[[], Answer], strike: Strike) -> Answer:
    armed = strike.other
    if armed is None or armed.fault.kind is Kind.UNSYNCED:
        return _noted(lab, request, judge())
    instead = _instead(lab, request, armed)
    if instead is not None:
        return instead
    kind, fault = armed.fault.kind, armed.fault
    if kind is Kind.DROP_AFTER:
        return replace(judge(), drop=True)
    if kind is Kind.ANSWER_AFTER:
        judge()
        return _told(fault)
    if kind in _READINGS and request.method == "GET":
        return _misread(lab, request, judge(), strike)
    code, message = _ENDINGS.get(kind, ("", ""))
    doom = Doom(kind.value, fault.seconds, fault.code or code, fault.message or message, armed.id)
    lab.operations.doom = doom
    try:
        answer = _noted(lab, request, judge())
        met = lab.operations.doom is None
    finally:
        lab.operations.doom = None
    if not met:
        strike.spare()
    return answer


def _instead(lab: Cloud, request: Request, armed: Armed) -> Answer | None:
    """The answer of a fault that comes before any work; None for the others."""
    fault = armed.fault
    match fault.kind:
        case Kind.DROP_BEFORE:
            return Answer(503, drop=True, code="ConnectionDropped")
        case Kind.ANSWER:
            return _told(fault)
        case Kind.THROTTLE:
            wait_s = max(1, round(fault.seconds)) if fault.seconds else 10
            known = lab.identity
            refusal = errors.throttled(
                _VERBS.get(request.method, "write"), known.subscription, known.object_id, wait_s
            )
            return refused(refusal, lab.speed)
        case Kind.EXPIRED_TOKEN:
            return refused(lab.tokens.expired(request.base), lab.speed)
        case Kind.OTHER_TENANT:
            return refused(
                lab.tokens.of_another_tenant(request.base, lab.identity.tenant, ELSEWHERE),
                lab.speed,
            )
        case Kind.FORBIDDEN:
            target = parse(request.path, PROVIDERS)
            what = target.type.type if target.type else "Microsoft.Resources/subscriptions"
            action = f"{what}/{_VERBS.get(request.method, f'{target.name}/action')}"
            return refused(
                errors.forbidden(lab.identity.object_id, action, request.path), lab.speed
            )
        case _:
            return None


def _told(fault: Fault) -> Answer:
    """The answer that a fault carries."""
    headers = {name: str(value) for name, value in fault.headers.items()}
    body: Body | None = fault.body
    code = fault.code or ("" if body is not None else "InternalServerError")
    if body is None and fault.status >= 400:
        body = {"error": {"code": code, "message": fault.message or "An error occurred."}}
    return Answer(fault.status, body, headers, code=code if fault.status >= 400 else "")


def _misread(lab: Cloud, request: Request, answer: Answer, strike: Strike) -> Answer:
    """A read by GET that shows less, or what was."""
    assert strike.other is not None
    fault = strike.other.fault
    body = answer.body
    if answer.status == 200 and isinstance(body, dict):
        if fault.kind is Kind.EMPTY and "value" in body:
            return replace(answer, body={"value": []})
        if fault.kind is Kind.STALE:
            past = lab.history.at(_name(request), lab.world.now - fault.seconds)
            if past is not None:
                return replace(answer, body=past)
    strike.spare()
    return answer


def _noted(lab: Cloud, request: Request, answer: Answer) -> Answer:
    read = request.method == "GET" and answer.status == 200
    if lab.history.wanted and read and isinstance(answer.body, dict):
        lab.history.note(_name(request), lab.world.now, answer.body)
    return answer


def _name(request: Request) -> str:
    return f"GET {request.path.rstrip('/').lower()}"
