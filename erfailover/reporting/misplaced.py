"""What went wrong if a resource was looked for in the wrong place, and what to do. Pure.

Azure's code decides. A message names the subscription or the group, who named it and
what the identity sees, once for however many resources were looked for there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from erfailover.errors import AzureErrorKind, AzureFailure, Failure
from erfailover.model.azure_context import AzureContext, VisibleSubscription
from erfailover.model.counting import join_names
from erfailover.model.resource_ids import get_last_name

MOST = 4
"""How many subscriptions are named."""
MOST_MISSING = 3

TO_DOCTOR = "erfailover doctor"

OriginOf = Callable[[str], str]
"""Returns who names a subscription, a group or a resource; empty if that is not known."""


@dataclass(frozen=True)
class Facts:
    """What a message is made of.

    Attributes:
        context: where the command works, and as whom.
        visible: the subscriptions that the identity sees; None if that is not known.
        origin_of: who named something.
        version_from: who named the API version, as a sentence.
        may_provision: whether to suggest ``provision`` for what does not exist yet.
    """

    context: AzureContext
    visible: tuple[VisibleSubscription, ...] | None
    origin_of: OriginOf
    version_from: str = ""
    may_provision: bool = False


def explain_failure(failure: Failure, failures: Sequence[AzureFailure], facts: Facts) -> Failure:
    """Return a failure in words that name the place that was wrong.

    Args:
        failure: how the command failed.
        failures: the requests that did not reach a resource.
        facts: what is known besides.
    """
    message = failure.message
    for azure_failure in sorted(failures, key=lambda item: -len(item.message)):
        message = message.replace(azure_failure.message, _describe_failure(azure_failure, facts))
    for text in dict.fromkeys(_describe_failure(cause, facts) for cause in failures):
        if text in message:
            before, _, after = message.partition(text)
            message = before + text + after.replace(f"; {text}", "")
        else:
            message = f"{message}: {text}"
    hints = [
        *dict.fromkeys(_build_hint(cause, facts) for cause in failures),
        _get_own_hint(failure),
    ]
    return failure.reword(message, " ".join(filter(None, hints)))


def _get_own_hint(failure: Failure) -> str:
    """Return what a command advises by itself, unless it only sends the operator to look."""
    hint = "" if isinstance(failure, AzureFailure) else failure.hint or ""
    return "" if TO_DOCTOR in hint else hint


def select_causes(
    failure: Failure, all_found: Sequence[AzureFailure], subscription: str
) -> list[AzureFailure]:
    """Return the requests that a failure is due to: those it quotes, or the site's subscription."""
    quoted = [
        azure_failure for azure_failure in all_found if azure_failure.message in failure.message
    ]
    whole = (AzureErrorKind.SUBSCRIPTION_NOT_FOUND, AzureErrorKind.OTHER_TENANT)
    of_site = (
        azure_failure
        for azure_failure in all_found
        if azure_failure.kind in whole and _place(azure_failure)[0].lower() == subscription.lower()
    )
    return quoted or list(of_site)[:1]


def add_missing(failure: Failure, missing: Sequence[str], origin_of: OriginOf) -> Failure:
    """Return a failure whose hint says where the resources were looked for that do not exist.

    Args:
        failure: how the command failed.
        missing: the ids of what does not exist.
        origin_of: who named something.
    """
    named = [name for name in missing if f"{get_last_name(name)} does not exist" in failure.message]
    if not named:
        return failure
    lines = [f"{name}{_format_origin(origin_of(get_last_name(name)))}" for name in named]
    hint = f"Looked for {join_names(lines, MOST_MISSING)}."
    return failure.reword(failure.message, " ".join(filter(None, (hint, failure.hint))))


def _describe_failure(failure: AzureFailure, facts: Facts) -> str:
    subscription, group = _place(failure)
    if failure.kind is AzureErrorKind.NOT_OFFERED or not subscription:
        return failure.message
    code = f" ({failure.code})" if failure.code else ""
    name = next(
        (
            visible_subscription.name
            for visible_subscription in facts.visible or ()
            if visible_subscription.id == subscription
        ),
        "",
    )
    called = f"subscription {name} {subscription}" if name else f"subscription {subscription}"
    named = f"{called}{_format_origin(facts.origin_of(subscription))}"
    if failure.kind is AzureErrorKind.GROUP_NOT_FOUND and group:
        of_both = facts.origin_of(f"/subscriptions/{subscription}/resourceGroups/{group}")
        if of_both:
            return (
                f"resource group {group} does not exist in {called}{_format_origin(of_both)}{code}"
            )
        where = f"resource group {group}{_format_origin(facts.origin_of(group))}"
        return f"{where} does not exist in {named}{code}"
    if failure.kind is AzureErrorKind.OTHER_TENANT:
        return f"{named} is in another tenant than {_describe_identity(facts.context)}{code}"
    return f"{named} does not exist, or is not visible to {_describe_identity(facts.context)}{code}"


def _build_hint(failure: AzureFailure, facts: Facts) -> str:
    subscription, _ = _place(failure)
    if failure.kind is AzureErrorKind.NOT_OFFERED:
        return f"{(failure.hint or '').rstrip('.')}. {facts.version_from}"
    if not subscription:
        return failure.hint or ""
    others = [
        visible_subscription
        for visible_subscription in facts.visible or ()
        if visible_subscription.id.lower() != subscription.lower()
    ]
    parts = [
        _describe_visible(facts.visible, others),
        _suggest_remedy(failure, subscription, facts),
    ]
    if failure.kind is AzureErrorKind.GROUP_NOT_FOUND and facts.may_provision:
        parts.append("To create the network there: erfailover provision.")
    if failure.kind is AzureErrorKind.OTHER_TENANT:
        parts.append(failure.hint or "")
    return " ".join(filter(None, parts))


def _describe_visible(
    visible: Sequence[VisibleSubscription] | None, others: Sequence[VisibleSubscription]
) -> str:
    if visible is None:
        return ""
    if not visible:
        return "This identity sees no subscription."
    if not others:
        return "This identity sees no other subscription."
    named = [f"{other.name} ({other.id})" if other.name else other.id for other in others]
    also = "also " if len(others) < len(visible) else ""
    return f"This identity {also}sees {join_names(named, MOST)}."


def _suggest_remedy(failure: AzureFailure, subscription: str, facts: Facts) -> str:
    """Return what to correct, by who named the subscription."""
    if failure.kind is AzureErrorKind.GROUP_NOT_FOUND:
        return "Correct the resource group or the subscription."
    origin = facts.origin_of(subscription)
    role = "or have a role assigned in this one."
    if origin == "AZURE_SUBSCRIPTION_ID":
        return f"Set AZURE_SUBSCRIPTION_ID to another one, {role}"
    if origin == "the default of az":
        return f"Choose another one (az account set --subscription ID), {role}"
    if origin:
        return f"Correct it in {origin}, {role}"
    return "Azure named it, not the site file: have a role assigned there."


def _describe_identity(context: AzureContext) -> str:
    tenant = context.tenant_name or context.tenant
    return (context.identity or "this identity") + (f" of tenant {tenant}" if tenant else "")


def _format_origin(origin: str) -> str:
    return f" (from {origin})" if origin else ""


def _place(failure: AzureFailure) -> tuple[str, str]:
    """Return the subscription and the group of the request that failed; empty for none."""
    pieces = failure.path.strip("/").split("/")
    names = {key.lower(): value for key, value in zip(pieces[:4:2], pieces[1:4:2], strict=False)}
    return names.get("subscriptions", ""), names.get("resourcegroups", "")
