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
from erfailover.lab.arm.api_versions import not_offered, version_refused
from erfailover.lab.arm.odata import paged
from erfailover.lab.auth.tokens import AUXILIARY
from erfailover.lab.core import errors
from erfailover.lab.core.arm_url import Kind, Target, parse
from erfailover.lab.core.errors import Refused
from erfailover.lab.core.protocol import Answer, Request, refused
from erfailover.lab.engine.cloud import Cloud, Traced
from erfailover.lab.providers.compute import images, sizes
from erfailover.lab.providers.registry import PROVIDERS

log = logging.getLogger("erfailover.lab.arm")

READS = frozenset({"GET", "HEAD"})
_READS_BY_POST = frozenset({"effectiveroutetable", "learnedroutes", "nexthop"})
VERBS = frozenset({"GET", "HEAD", "PUT", "PATCH", "POST", "DELETE"})


def handle(lab: Cloud, request: Request) -> Answer:
    """Answer one request to ARM, at the lab's present time."""
    with lab.lock:
        answer, strike = fault_injection.around(lab, request, partial(_answer, lab))
        lab.trace.append(
            Traced(
                at_s=lab.world.now,
                method=request.method,
                path=request.path,
                status=answer.status,
                code=answer.code,
                write=_is_write(request),
                faults=strike.ids,
            )
        )
    return answer


def _answer(lab: Cloud, request: Request) -> Answer:
    remaining: dict[str, str] = {}
    answer = _judged(lab, request, remaining)
    return replace(answer, headers={**answer.headers, **remaining}) if remaining else answer


def _judged(lab: Cloud, request: Request, remaining: dict[str, str]) -> Answer:
    """Answer a request; ``remaining`` is given what is left of the limits, as headers."""
    try:
        lab.catch_up()
        return _judge(lab, request, remaining)
    except Refused as found:
        return refused(found.refusal, lab.speed)
    except Exception:
        log.exception("the lab failed at %s %s", request.method, request.path)
        text = "The lab met an error of its own; see its log."
        return refused(errors.Refusal(500, "InternalServerError", text), lab.speed)


def _is_write(request: Request) -> bool:
    """Whether a request changes anything: reads by POST do not."""
    if request.method != "POST":
        return request.method not in READS
    last = request.path.rstrip("/").rsplit("/", 1)[-1].lower()
    reads = last.startswith(("get", "check", "list")) or last in _READS_BY_POST
    return not reads and "/routetablessummary/" not in request.path.lower()


def _judge(lab: Cloud, request: Request, remaining: dict[str, str]) -> Answer:
    owner = _owner(lab, request.path)
    refusal = lab.tokens.check(request.base, request.headers.get("Authorization", ""), owner)
    refusal = refusal or lab.tokens.check_auxiliary(
        request.base, request.headers.get(AUXILIARY, "")
    )
    if refusal is not None:
        raise Refused(refusal)
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
        raise Refused(refusal)
    if request.method not in VERBS:
        raise Refused(errors.method_not_allowed(request.method, request.path))
    type_ = target.type.type if target.type is not None else target.name
    refusal = version_refused(request.api_version, type_, lab.today) or not_offered(
        request.api_version, type_, lab.newest_api_version
    )
    if refusal is not None:
        raise Refused(refusal)
    if target.subscription and target.subscription not in lab.subscriptions:
        raise Refused(errors.subscription_not_found(target.subscription))
    admission.admit(lab, request, target)
    return _route(lab, request, target)


def _owner(lab: Cloud, path: str) -> str:
    """Return the tenant that owns the subscription of a path; empty for a path outside of any."""
    parts = [each for each in path.lower().split("/") if each][:2]
    if len(parts) < 2 or parts[0] != "subscriptions" or parts[1] not in lab.subscriptions:
        return ""
    return lab.identity.owner_of(parts[1]).id


def _route(lab: Cloud, request: Request, target: Target) -> Answer:
    match target.kind:
        case Kind.ITEM:
            return _item(lab, request, target)
        case Kind.PART:
            return actions.part(lab, request, target)
        case Kind.GROUP:
            return resource_groups.handle(lab, request, target)
        case Kind.DEPLOYMENTS:
            return deployments.handle(lab, request, target)
        case Kind.EXTENSION:
            return admission.handle(lab, request, target)
        case Kind.IMAGES:
            parts = target.name.split("/")
            return images.answer(request, target.subscription, target.location, parts)
        case Kind.SIZES:
            return sizes.answer(request)
        case Kind.UNKNOWN:
            if not target.subscription:
                raise Refused(errors.no_such_path(request.path))
            raise Refused(errors.not_modelled(target.name))
        case _:
            return _read(lab, request, target)


def _item(lab: Cloud, request: Request, target: Target) -> Answer:
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
            raise Refused(errors.method_not_allowed(request.method, what))


def _read(lab: Cloud, request: Request, target: Target) -> Answer:
    registers = target.kind is Kind.PROVIDER and request.method == "POST"
    if request.method not in READS and not registers:
        raise Refused(errors.method_not_allowed(request.method, target.kind.value))
    match target.kind:
        case Kind.COLLECTION:
            return _listed(lab, request, reads.list_(lab, target))
        case Kind.RESOURCES:
            return _listed(lab, request, reads.list_resources(lab, request, target))
        case Kind.GROUPS:
            return _listed(lab, request, resource_groups.list_(lab, target))
        case Kind.OPERATION:
            return reads.operation(lab, request, target)
        case Kind.OPERATION_RESULT:
            return reads.operation_result(lab, request, target)
        case _:
            return directory.answer(lab, request, target)


def _listed(lab: Cloud, request: Request, answer: Answer) -> Answer:
    return paged(request, admission.visible(lab, answer), lab.page_size)
