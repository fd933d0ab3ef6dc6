"""The ARM service: from a request to its answer, without any HTTP.

Owns the order in which a request is judged: token, api-version, subscription, path, verb; and
the trace. It never lets an exception out: what it did not foresee is a 500 that it counts as
a fault of the lab.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial

from erfailover.lab.arm import (
    actions,
    admission,
    deployments,
    directory,
    fault_injection,
    reads,
    resource_groups,
    writes,
)
from erfailover.lab.arm.api_versions import validate_offered, validate_version
from erfailover.lab.arm.odata import select_page
from erfailover.lab.auth.tokens import AUXILIARY
from erfailover.lab.core import errors
from erfailover.lab.core.arm_url import Target, TargetKind, parse
from erfailover.lab.core.errors import RefusalError
from erfailover.lab.core.protocol import Answer, Request, answer_refusal
from erfailover.lab.engine.cloud import Cloud, TraceEntry
from erfailover.lab.providers.compute import images, sizes
from erfailover.lab.providers.registry import PROVIDERS

log = logging.getLogger("erfailover.lab.arm")

READS = frozenset({"GET", "HEAD"})
_READS_BY_POST = frozenset({"effectiveroutetable", "learnedroutes", "nexthop"})
VERBS = frozenset({"GET", "HEAD", "PUT", "PATCH", "POST", "DELETE"})


def handle(lab: Cloud, request: Request) -> Answer:
    """Answer one request to ARM, at the lab's current time."""
    with lab.lock:
        answer, hit = fault_injection.answer_with_faults(lab, request, partial(_answer, lab))
        lab.trace.append(
            TraceEntry(
                at_s=lab.world.now,
                method=request.method,
                path=request.path,
                status=answer.status,
                code=answer.code,
                write=_is_write(request),
                faults=hit.ids,
            )
        )
    return answer


def _answer(lab: Cloud, request: Request) -> Answer:
    remaining: dict[str, str] = {}
    answer = _answer_or_refuse(lab, request, remaining)
    return replace(answer, headers={**answer.headers, **remaining}) if remaining else answer


def _answer_or_refuse(lab: Cloud, request: Request, remaining: dict[str, str]) -> Answer:
    """Answer a request; put the remaining limits into ``remaining``, as headers."""
    try:
        lab.catch_up()
        return _check_and_route(lab, request, remaining)
    except RefusalError as error:
        return answer_refusal(error.refusal, lab.speed)
    except Exception:
        log.exception("the lab failed at %s %s", request.method, request.path)
        text = "The lab failed with an internal error. See its log."
        return answer_refusal(errors.Refusal(500, "InternalServerError", text), lab.speed)


def _is_write(request: Request) -> bool:
    """Return whether a request changes anything: reads by POST do not."""
    if request.method != "POST":
        return request.method not in READS
    last = request.path.rstrip("/").rsplit("/", 1)[-1].lower()
    reads = last.startswith(("get", "check", "list")) or last in _READS_BY_POST
    return not reads and "/routetablessummary/" not in request.path.lower()


def _check_and_route(lab: Cloud, request: Request, remaining: dict[str, str]) -> Answer:
    owner = _find_owner(lab, request.path)
    refusal = lab.tokens.check(request.base, request.headers.get("Authorization", ""), owner)
    refusal = refusal or lab.tokens.check_auxiliary(
        request.base, request.headers.get(AUXILIARY, "")
    )
    if refusal is not None:
        raise RefusalError(refusal)
    target = parse(request.path, PROVIDERS)
    headers, refusal = lab.throttling.take(
        request.method,
        request.path,
        target.subscription.lower(),
        lab.identity.object_id,
        lab.world.now,
    )
    remaining |= headers
    if refusal is not None:
        raise RefusalError(refusal)
    if request.method not in VERBS:
        raise RefusalError(errors.method_not_allowed(request.method, request.path))
    type_ = target.type.type if target.type is not None else target.name
    refusal = validate_version(request.api_version, type_, lab.today) or validate_offered(
        request.api_version, type_, lab.newest_api_version
    )
    if refusal is not None:
        raise RefusalError(refusal)
    if target.subscription and target.subscription not in lab.subscriptions:
        raise RefusalError(errors.subscription_not_found(target.subscription))
    admission.admit(lab, request, target)
    return _route(lab, request, target)


def _find_owner(lab: Cloud, path: str) -> str:
    """Return the tenant that owns the subscription of a path; empty for a path outside of any."""
    parts = [part for part in path.lower().split("/") if part][:2]
    if parts[:1] != ["subscriptions"] or not parts[1:] or parts[1] not in lab.subscriptions:
        return ""
    return lab.identity.find_owner(parts[1]).id


def _route(lab: Cloud, request: Request, target: Target) -> Answer:
    match target.kind:
        case TargetKind.ITEM:
            return _answer_item(lab, request, target)
        case TargetKind.PART:
            return actions.answer_part(lab, request, target)
        case TargetKind.GROUP:
            return resource_groups.handle(lab, request, target)
        case TargetKind.DEPLOYMENTS:
            return deployments.handle(lab, request, target)
        case TargetKind.EXTENSION:
            return admission.handle(lab, request, target)
        case TargetKind.IMAGES:
            parts = target.name.split("/")
            return images.answer(request, target.subscription, target.location, parts)
        case TargetKind.SIZES:
            return sizes.answer(request)
        case TargetKind.UNKNOWN:
            if not target.subscription:
                raise RefusalError(errors.path_not_found(request.path))
            raise RefusalError(errors.not_modelled(target.name))
        case _:
            return _answer_read(lab, request, target)


def _answer_item(lab: Cloud, request: Request, target: Target) -> Answer:
    match request.method:
        case "GET" | "HEAD":
            return reads.get(lab, request, target)
        case "PUT":
            return writes.put(lab, request, target)
        case "PATCH":
            return writes.patch(lab, request, target)
        case "DELETE":
            return writes.delete(lab, request, target)
        case _:
            what = target.type.type if target.type else request.path
            raise RefusalError(errors.method_not_allowed(request.method, what))


def _answer_read(lab: Cloud, request: Request, target: Target) -> Answer:
    registers = target.kind is TargetKind.PROVIDER and request.method == "POST"
    if request.method not in READS and not registers:
        raise RefusalError(errors.method_not_allowed(request.method, target.kind.value))
    match target.kind:
        case TargetKind.COLLECTION:
            return _answer_list(lab, request, reads.list_(lab, target))
        case TargetKind.RESOURCES:
            return _answer_list(lab, request, reads.list_resources(lab, request, target))
        case TargetKind.GROUPS:
            return _answer_list(lab, request, resource_groups.list_(lab, target))
        case TargetKind.OPERATION:
            return reads.poll_operation(lab, request, target)
        case TargetKind.OPERATION_RESULT:
            return reads.poll_operation_result(lab, request, target)
        case _:
            return directory.answer(lab, request, target)


def _answer_list(lab: Cloud, request: Request, answer: Answer) -> Answer:
    return select_page(request, admission.filter_visible(lab, answer), lab.page_size)
