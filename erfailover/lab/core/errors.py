"""ARM's refusals: one constructor for every error body that the lab answers with.

Owns the codes, messages, statuses and headers of refusals; it decides nothing and must never
read the world. Codes and messages are Azure's own if a public recording or issue shows
them ("recorded"); the others are marked "assumed".
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from erfailover.lab.core import ids
from erfailover.lab.core.world import Body


@dataclass(frozen=True, slots=True)
class Refusal:
    """One refusal: an HTTP status and ARM's error.

    ``details`` are (code, message) pairs; ``retry_after_s`` is the ``Retry-After`` in Azure's
    seconds, whole as Azure sends it; ``more`` are further keys of the error.
    """

    status: int
    code: str
    message: str
    details: tuple[tuple[str, str], ...] | None = None
    retry_after_s: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, object] = field(default_factory=dict)

    def to_body(self) -> Body:
        """Return the error as ARM formats it in JSON."""
        error: Body = {"code": self.code, "message": self.message, **self.more}
        if self.details is not None:
            error["details"] = [{"code": code, "message": text} for code, text in self.details]
        return {"error": error}


class RefusalError(Exception):
    """An exception that carries a refusal out of a request."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"{refusal.code}: {refusal.message}")
        self.refusal = refusal


_GATEWAY = {"x-ms-failure-cause": "gateway"}


WHERE_TO_READ_SINCE = dt.date(2020, 1, 1)
"""From this date on a 404 of ARM links to its explanation (recorded: 2018-05 to 2020-09)."""
WHAT_TO_DO_SINCE = dt.date(2019, 1, 1)
"""From this date on refused deletions name the remedy (recorded: 2018-04 to 2019-12)."""


def resource_not_found(resource_id: ids.ResourceId, today: dt.date = dt.date.max) -> Refusal:
    """Return the 404 of ARM's front door for a resource that does not exist (recorded)."""
    more = " For more details please go to https://aka.ms/ARMResourceNotFoundFix"
    return Refusal(
        404,
        "ResourceNotFound",
        f"The Resource '{resource_id.type}/{'/'.join(resource_id.names)}' under resource group "
        f"'{resource_id.resource_group}' was not found."
        + (more if today >= WHERE_TO_READ_SINCE else ""),
        headers=_GATEWAY,
    )


def child_not_found(resource_id: ids.ResourceId) -> Refusal:
    """Return the 404 of the provider for a missing child of an existing parent (recorded)."""
    return Refusal(404, "NotFound", f"Resource {resource_id} not found.", details=())


def group_not_found(group: str) -> Refusal:
    """Return the 404 for a resource group that does not exist (recorded)."""
    return Refusal(
        404,
        "ResourceGroupNotFound",
        f"Resource group '{group}' could not be found.",
        headers=_GATEWAY,
    )


def group_name_invalid(group: str, characters: str) -> Refusal:
    """Return the 400 for characters that no resource group name may contain (recorded)."""
    return Refusal(
        400,
        "InvalidResourceGroup",
        f"The provided resource group name '{group}' has these invalid characters: "
        f"'{characters}'. The name can only be a letter, digit, '-', '.', '(', ')' or '_'.",
    )


def subscription_not_found(subscription: str) -> Refusal:
    """Return the 404 for a subscription that the lab does not have (ARM's documented code)."""
    return Refusal(
        404,
        "SubscriptionNotFound",
        f"The subscription '{subscription}' could not be found.",
        headers=_GATEWAY,
    )


def parent_not_found(resource_id: ids.ResourceId) -> Refusal:
    """Return the 404 for a child whose parent does not exist (ARM's documented code)."""
    types = resource_id.type.split("/", 1)[1]
    return Refusal(
        404,
        "ParentResourceNotFound",
        f"Failed to perform 'write' on resource(s) of type '{types}', because the parent "
        f"resource '{resource_id.parent}' could not be found.",
        headers=_GATEWAY,
    )


def group_being_deleted(group: str) -> Refusal:
    """Return the 409 for a write into a resource group in deletion (ARM's documented code)."""
    return Refusal(
        409,
        "ResourceGroupBeingDeleted",
        f"The resource group '{group}' is in deprovisioning state and cannot perform this "
        "operation.",
    )


def api_version_missing() -> Refusal:
    """Return the 400 for a request without ``api-version`` (ARM's documented code)."""
    return Refusal(
        400,
        "MissingApiVersionParameter",
        "The api-version query parameter (?api-version=) is required for all requests.",
    )


def api_version_invalid(version: str) -> Refusal:
    """Return the 400 for a malformed ``api-version`` (ARM's documented code)."""
    return Refusal(
        400,
        "InvalidApiVersionParameter",
        f"The api-version '{version}' is invalid. The supported versions are dates, such as "
        "'2024-05-01'.",
    )


def api_version_unknown(version: str, type_: str) -> Refusal:
    """Return the 400 for an ``api-version`` that the provider lacks (ARM's documented code)."""
    name = type_.split("/", 1)[-1]
    return Refusal(
        400,
        "NoRegisteredProviderFound",
        f"No registered resource provider found for location '' and API version '{version}' for "
        f"type '{name}'. The supported api-versions are '2015-01-01' to today's.",
        headers=_GATEWAY,
    )


def resource_type_not_in_version(
    namespace: str, name: str, version: str, lines: list[str]
) -> Refusal:
    """Return the 404 for a type that a version lacks (reported: azure-powershell 12061)."""
    return Refusal(
        404,
        "InvalidResourceType",
        f"The resource type '{name}' could not be found in the namespace '{namespace}' for api "
        f"version '{version}'. The supported api-versions are '{','.join(lines)}'.",
    )


def content_invalid(reason: str) -> Refusal:
    """Return the 400 for a body that is not a JSON object (ARM's documented code)."""
    return Refusal(
        400,
        "InvalidRequestContent",
        f"The request content was invalid and could not be deserialized: '{reason}'.",
    )


def content_too_large(limit: int) -> Refusal:
    """Return the 413 for a body beyond ARM's limit of 4 MB."""
    return Refusal(
        413,
        "RequestContentTooLarge",
        f"The request content size exceeds the maximum size of {limit // 2**20} MB.",
    )


def format_invalid(reason: str) -> Refusal:
    """Return the 400 of Microsoft.Network for a property of the wrong JSON type (recorded)."""
    return Refusal(
        400, "InvalidRequestFormat", "Cannot parse the request.", details=(("InvalidJson", reason),)
    )


def prefix_invalid(prefix: str, resource_id: str) -> Refusal:
    """Return the 400 for an invalid address prefix (recorded)."""
    return Refusal(
        400,
        "InvalidAddressPrefixFormat",
        f"Address prefix {prefix} of resource {resource_id} is not formatted correctly. It "
        "should follow CIDR notation, for example 10.0.0.0/24.",
        details=(),
    )


def property_invalid(name: str, value: object, expected: str) -> Refusal:
    """Return the 400 for a property with a value outside its range (assumed code)."""
    return Refusal(
        400,
        "InvalidParameter",
        f"The value '{value}' of parameter {name} is not valid: {expected}.",
        details=(),
    )


def property_missing(name: str, resource_id: str) -> Refusal:
    """Return the 400 for a missing required property (assumed message)."""
    return Refusal(
        400,
        "MissingRequiredParameter",
        f"Value for required property {name} of resource {resource_id} is not specified.",
        details=(),
    )


def location_missing() -> Refusal:
    """Return the 400 for a tracked resource without a location (ARM's documented code)."""
    return Refusal(
        400, "LocationRequired", "The location property is required for this definition."
    )


def location_invalid(location: str) -> Refusal:
    """Return the 400 for an invalid location name (recorded)."""
    return Refusal(
        400,
        "InvalidResourceLocation",
        f"The specified location '{location}' is invalid. A location must consist of "
        "characters, whitespace, digit, or following symbols '(,)'.",
    )


def location_not_available(location: str, regions: Iterable[str]) -> Refusal:
    """Return the 400 for a resource group in a region that does not exist (recorded)."""
    return Refusal(
        400,
        "LocationNotAvailableForResourceGroup",
        f"The provided location '{location}' is not available for resource group. List of "
        f"available regions is '{','.join(regions)}'.",
    )


def location_changed(resource_id: ids.ResourceId, old: str, new: str) -> Refusal:
    """Return the 409 for a write that would move a resource (ARM's documented code)."""
    return Refusal(
        409,
        "InvalidResourceLocation",
        f"The resource '{resource_id.name}' already exists in location '{old}' in resource "
        f"group '{resource_id.resource_group}'. A resource with the same name cannot be "
        f"created in location '{new}'. Please select a new resource name.",
    )


def name_invalid(name: str) -> Refusal:
    """Return the 400 for a name with characters that Azure rejects (ARM's documented code)."""
    return Refusal(400, "InvalidResourceName", f"Resource name {name} is invalid.", details=())


def reference_missing(referenced: str, resource_id: str) -> Refusal:
    """Return the 400 for a reference to a resource that does not exist (recorded)."""
    return Refusal(
        400,
        "InvalidResourceReference",
        f"Resource {referenced} referenced by resource {resource_id} was not found. Please "
        "make sure that the referenced resource exists, and that both resources are in the "
        "same region.",
        details=(),
    )


def another_operation_in_progress(
    name: str, operation: str, resource_id: str, wait_s: int
) -> Refusal:
    """Return the 429 for a second write to a resource that is being written (recorded)."""
    return Refusal(
        429,
        "RetryableError",
        "A retryable error occurred.",
        details=(
            (
                "RetryableErrorDueToAnotherOperation",
                f"Operation {name} ({operation}) is updating resource {resource_id}. The call "
                f"can be retried in {wait_s} seconds.",
            ),
        ),
        retry_after_s=wait_s,
    )


def operation_in_progress(uri: str) -> Refusal:
    """Return the 409 for a subnet written while another one of its VNet is (recorded)."""
    return Refusal(
        409,
        "AnotherOperationInProgress",
        "Another operation on this or dependent resource is in progress. To retrieve status "
        f"of the operation use uri: {uri}.",
        details=(),
    )


def _describe_not_provisioned(referenced: str, resource_id: str, state: str, operation: str) -> str:
    return (
        f"Cannot proceed with operation because resource {referenced} used by resource "
        f"{resource_id} is not in Succeeded state. Resource is in {state} state and the last "
        f"operation that updated/is updating the resource is {operation}."
    )


def reference_not_provisioned(
    referenced: str, resource_id: str, state: str, operation: str
) -> Refusal:
    """Return the 400 for a reference to a resource that is being written (recorded)."""
    return Refusal(
        400,
        "ReferencedResourceNotProvisioned",
        _describe_not_provisioned(referenced, resource_id, state, operation),
        details=(),
    )


def reference_not_provisioned_retryable(
    referenced: str, resource_id: str, state: str, operation: str
) -> Refusal:
    """Return the 429 with the same error as a detail, as for a network interface (recorded)."""
    return Refusal(
        429,
        "RetryableError",
        "A retryable error occurred.",
        details=(
            (
                "ReferencedResourceNotProvisioned",
                _describe_not_provisioned(referenced, resource_id, state, operation),
            ),
        ),
        retry_after_s=10,
    )


def etag_mismatch(resource_id: str) -> Refusal:
    """Return the 412 for an ``If-Match`` that no longer matches (assumed message)."""
    return Refusal(
        412,
        "PreconditionFailed",
        f"The precondition given in the request headers evaluated to false for resource "
        f"{resource_id}.",
        details=(),
    )


def too_many_requests(kind: str, subscription: str, principal: str, wait_s: int) -> Refusal:
    """Return the 429 of ARM's token buckets (documented form)."""
    return Refusal(
        429,
        "SubscriptionRequestsThrottled",
        f"Number of '{kind}' requests for subscription '{subscription}' actor '{principal}' "
        f"exceeded. Please try again after '{wait_s}' seconds after additional tokens are "
        "available. Refer to https://aka.ms/arm-throttling for additional information.",
        retry_after_s=wait_s,
        headers=_GATEWAY,
    )


def too_many_network_requests(method: str, subscription: str, wait_s: int) -> Refusal:
    """Return the 429 of Microsoft.Network's own limit (recorded form)."""
    return Refusal(
        429,
        "SubscriptionRequestsThrottled",
        f"Number of requests for subscription '{subscription}' and operation "
        f"'{method}/SUBSCRIPTIONS/RESOURCEGROUPS/PROVIDERS/MICROSOFT.NETWORK/' exceeded the "
        f"backend storage limit. Please try again after '{wait_s}' seconds.",
        details=(),
        retry_after_s=wait_s,
    )


def authorization_failed(principal: str, action: str, scope: str) -> Refusal:
    """Return the 403 for a client without the required right (ARM's documented code)."""
    return Refusal(
        403,
        "AuthorizationFailed",
        f"The client '{principal}' with object id '{principal}' does not have authorization to "
        f"perform action '{action}' over scope '{scope}' or the scope is invalid. If access was "
        "recently granted, please refresh your credentials.",
        headers=_GATEWAY,
    )


def method_not_allowed(method: str, what: str) -> Refusal:
    """Return the 405 for a verb that the resource does not support."""
    return Refusal(
        405,
        "MethodNotAllowed",
        f"The http method '{method}' is not supported for a resource of type '{what}'.",
    )


def not_modelled(what: str) -> Refusal:
    """Return the 501 for what the lab does not model; it never invents a success."""
    return Refusal(501, "NotModelledByLab", f"The lab does not model {what}.")


def path_not_found(path: str) -> Refusal:
    """Return the 404 for a path that is not an ARM path."""
    return Refusal(404, "InvalidRequestUri", f"The request path '{path}' is not an ARM path.")


class UnknownCodes:
    """Codes for refusals whose code is unpublished.

    Each name gets a random code when the lab is made, so that nothing can come to depend on
    one; within a run the code stays the same.
    """

    def __init__(self, chance: random.Random) -> None:
        self._salt = chance.getrandbits(64)

    def get_code(self, name: str) -> str:
        """Return this run's code for a refusal."""
        chance = random.Random(f"{self._salt}:{name}")
        return "Lab" + "".join(chance.choice("BCDFGHJKLMNPQRSTVWXZ") for _ in range(10))

    def refuse(self, name: str, message: str, status: int = 400) -> Refusal:
        """Return a refusal with this run's code."""
        return Refusal(status, self.get_code(name), message, details=())
