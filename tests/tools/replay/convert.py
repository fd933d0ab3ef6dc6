"""From a recording to its facts.

Owns what is left out and why, which resources a recording presumes, and what it shows of the
times: an operation is under way as long as the recording sees it so, and ends right after.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from erfailover.lab.core import ids
from erfailover.lab.core import resource_types as rt
from erfailover.lab.core.arm_url import Target, TargetKind, parse
from erfailover.lab.core.references import References
from erfailover.lab.providers.registry import PROVIDERS
from tests.tools.replay import bodies
from tests.tools.replay.facts import Facts, Step
from tests.tools.replay.presumed import invent_body
from tests.tools.replay.recording import Interaction
from tests.tools.replay.symbols import Symbols, own_address, template

Json = Any
UNFINISHED = frozenset({"inprogress", "running", "updating", "deleting", "accepted", "creating"})
BUSY = frozenset(
    {"RetryableError", "AnotherOperationInProgress", "ReferencedResourceNotProvisioned"}
)
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_READ_ONLY = frozenset(
    {
        "etag",
        "provisioningState",
        "resourceGuid",
        "instanceView",
        "vmId",
        "exactVersion",
        "macAddress",
        "appliedDnsServers",
        "internalDomainNameSuffix",
        "internalFqdn",
        "fqdn",
        "defaultSecurityRules",
        "defaultBgpIpAddresses",
        "tunnelIpAddresses",
    }
)


@dataclass(slots=True)
class _Operation:
    started: int
    resource: str
    last_seen_unfinished: int


@dataclass(slots=True)
class _Reading:
    """What has been read of a recording so far."""

    symbols: Symbols = field(default_factory=Symbols)
    steps: list[Step] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    shapes: dict[str, dict[str, str]] = field(default_factory=dict)
    operations: dict[str, _Operation] = field(default_factory=dict)
    there: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    """Resources that the recording presumes and never shows."""
    created: frozenset[str] = frozenset()
    """Resources that the recording creates itself."""
    shown: dict[str, Json] = field(default_factory=dict)
    """The first body that the recording shows of each resource."""


def convert(
    name: str, recording: list[Interaction], source: Mapping[str, str], fallback: dt.date
) -> Facts:
    """The facts of a recording; ``fallback`` is its date where it shows none."""
    reading = _Reading()
    reading.created = frozenset(
        ids.to_key(interaction.path)
        for interaction in recording
        if (interaction.method, interaction.status) == ("PUT", 201)
    )
    for without_repetition in recording:
        _remember(reading, without_repetition.response)
    for without_repetition in _drop_repeated_polls(_move_refusals(recording)):
        _take(reading, without_repetition)
    steps = list(reading.steps)
    for operation in reading.operations.values():
        steps[operation.started] = replace(
            steps[operation.started], unfinished_until=operation.last_seen_unfinished
        )
    dates = [interaction.date for interaction in recording if interaction.date is not None]
    is_kept = any("retry-after" in interaction.headers for interaction in recording)
    return Facts(
        name,
        source,
        dates[0] if dates else fallback,
        is_kept,
        tuple(steps),
        dict(sorted(reading.skipped.items())),
        reading.shapes,
    )


def _move_refusals(recording: list[Interaction]) -> list[Interaction]:
    """Refusals after the start of the operation that they name.

    Where a client sends several requests at once, the refusal may have been kept first.
    """
    interactions = list(recording)
    for interaction in recording:
        error = _error(interaction.response) if interaction.status >= 400 else None
        if error is None or error[0] not in BUSY:
            continue
        named = set(_GUID.findall(str(interaction.response).lower()))
        at = interactions.index(interaction)
        for number in range(at + 1, len(interactions)):
            if (
                _operation_name(interactions[number].headers.get("azure-asyncoperation", ""))
                in named
            ):
                interactions.insert(number, interactions.pop(at))
                break
    return interactions


def _drop_repeated_polls(recording: list[Interaction]) -> list[Interaction]:
    """Of polls that answer the same again and again, the first and the last."""
    interactions: list[Interaction] = []
    for interaction in recording:
        same = len(interactions) > 1 and all(
            _same(interaction, before) for before in interactions[-2:]
        )
        if same:
            interactions[-1] = interaction
        else:
            interactions.append(interaction)
    return interactions


def _same(one: Interaction, other: Interaction) -> bool:
    return one.method == "GET" == other.method and (
        (one.path, one.status, _status(one), _state(one.response))
        == (other.path, other.status, _status(other), _state(other.response))
    )


def _status(interaction: Interaction) -> str | None:
    return interaction.response.get("status") if isinstance(interaction.response, dict) else None


def _state(body: Json) -> str | None:
    properties = body.get("properties") if isinstance(body, dict) else None
    value = properties.get("provisioningState") if isinstance(properties, dict) else None
    return value if isinstance(value, str) else None


def _remember(reading: _Reading, body: Json) -> None:
    """Keep the first body shown of every resource, also of those inside others."""
    if isinstance(body, list):
        for item in body:
            _remember(reading, item)
    elif isinstance(body, dict):
        resource_id = ids.parse(body["id"]) if isinstance(body.get("id"), str) else None
        modelled = resource_id is not None and (
            not resource_id.types
            or PROVIDERS.find(resource_id.provider, resource_id.types) is not None
        )
        if modelled and isinstance(body.get("properties"), dict):
            reading.shown.setdefault(ids.to_key(body["id"]), body)
        for item in body.values():
            _remember(reading, item)


def _take(reading: _Reading, interaction: Interaction) -> None:
    target = parse(interaction.path, PROVIDERS)
    if target.kind in {TargetKind.OPERATION, TargetKind.OPERATION_RESULT}:
        _take_poll(reading, interaction, target)
        return
    reason = _left_out(reading, interaction, target)
    if reason is not None:
        reading.skipped[reason] += 1
        return
    before = _presume_for_request(reading, interaction, target)
    if before is None:
        reading.skipped["rests on what the recording never shows"] += 1
        return
    _take_request(reading, interaction, target, before)


def _left_out(reading: _Reading, interaction: Interaction, target: Target) -> str | None:
    if interaction.status >= 500:
        return "answered 5xx by Azure"
    if interaction.status == 400 and _names_what_is_not_served(str(interaction.response)):
        return "refused because of a type not served"
    served = {
        TargetKind.ITEM,
        TargetKind.COLLECTION,
        TargetKind.GROUP,
        TargetKind.GROUPS,
        TargetKind.PART,
    }
    if "/providers/microsoft.resources/deployments" in interaction.path.lower():
        return "template deployment"
    if target.kind not in served:
        what = target.name.split("/")
        return f"type not served: {'/'.join(what[:1] + what[1:2])}"
    if target.kind is TargetKind.PART and target.type is not None:
        shared = target.type.type == rt.CONNECTION and target.name.startswith("sharedkey")
        view = target.type.type == rt.VM and target.name == "instanceview"
        if not shared and not view and target.name not in target.type.actions:
            return f"action not served: {target.type.type}/{target.name}"
    return None


def _names_what_is_not_served(text: str) -> bool:
    """Whether a refusal names a resource of a type that the lab does not serve."""
    for value in re.findall(r"/subscriptions/[^\s'\",]+[^\s'\",.]", text):
        where = ids.parse("/".join(value.split("/")[:9]))
        types = where.types if where is not None else ()
        if where is not None and types and PROVIDERS.find(where.provider, types) is None:
            return True
    return False


def _key(target: Target) -> str:
    return ids.to_key(target.id) if target.id is not None else ""


def _presume_for_request(
    reading: _Reading, interaction: Interaction, target: Target
) -> tuple[tuple[str, Json], ...] | None:
    """What must be there before a request, and is not; None where nobody knows it."""
    rows: list[tuple[str, Json]] = []
    error = _error(interaction.response) if interaction.status >= 400 else None
    if target.kind is TargetKind.GROUPS or target.id is None:
        return ()
    makes_group = (
        interaction.method == "PUT"
        and target.kind is TargetKind.GROUP
        and interaction.status != 200
    )
    if not makes_group and interaction.method != "HEAD":
        if error is not None and error[0] == "ResourceGroupNotFound":
            return ()
        _presume_group(reading, target.id, rows)
    if interaction.status >= 400:
        return tuple(rows)
    if target.kind is TargetKind.COLLECTION:
        owner = target.id if target.id.types else None
        is_known = owner is None or _presume(reading, ids.to_key(owner), rows)
        return tuple(rows) if is_known else None
    if target.kind is TargetKind.GROUP or (
        interaction.method == "DELETE" and interaction.status == 204
    ):
        return tuple(rows)
    if interaction.method == "PUT" and target.kind is TargetKind.ITEM:
        parent = target.id.parent
        is_known = parent is None or _presume(reading, ids.to_key(parent), rows)
        is_known = is_known and _presume_references(reading, target.id, interaction.request, rows)
        if interaction.status == 200 and _key(target) not in reading.there:
            reading.shown.setdefault(_key(target), {**interaction.request, "id": str(target.id)})
            is_known = is_known and _presume(reading, _key(target), rows)
        return tuple(rows) if is_known else None
    return tuple(rows) if _presume(reading, _key(target), rows) else None


def _presume_group(reading: _Reading, where: ids.ResourceId, rows: list[tuple[str, Json]]) -> None:
    key = ids.to_key(where.group)
    if where.resource_group and key not in reading.there:
        body = reading.shown.get(key) or {"location": _any_location(reading)}
        value: Json = {"location": body["location"]}
        if "tags" in body:
            value["tags"] = reading.symbols.body(body["tags"], "tags")
        rows.append((reading.symbols.path(str(where.group)), value))
        reading.there.add(key)


def _any_location(reading: _Reading) -> str:
    dict_values = reading.shown.values()
    return next((str(item["location"]) for item in dict_values if "location" in item), "westus")


def _presume(reading: _Reading, key: str, rows: list[tuple[str, Json]]) -> bool:
    """Have a resource made before, and all that it refers to; False where nobody knows it."""
    if key in reading.there:
        return True
    if key in reading.unknown:
        return False
    body = reading.shown.get(key) or invent_body(key, reading.shown)
    where = _parse_canonical_id(str(body["id"])) if body is not None else None
    if where is None or body is None:
        return False
    _presume_group(reading, where, rows)
    reading.there.add(key)
    is_known = where.parent is None or _presume(reading, ids.to_key(where.parent), rows)
    if not is_known or not _presume_references(reading, where, body, rows):
        reading.there.discard(key)
        reading.unknown.add(key)
        return False
    desired = _writable(_drop_created_children(reading, where, body))
    if where.type.lower() == rt.VM.lower():
        profile = desired["properties"].setdefault("osProfile", {})
        profile["adminPassword"] = "secret"
    _exists(reading, desired | {"id": str(where)})
    rows.append((reading.symbols.path(str(where)), reading.symbols.body(desired)))
    return True


def _drop_created_children(reading: _Reading, where: ids.ResourceId, body: Json) -> Json:
    """A body without the children that the recording itself creates later."""
    properties = dict(body["properties"])
    for child in PROVIDERS.get_children(where.type):
        rows = properties.get(child.collection)
        if isinstance(rows, list):
            properties[child.collection] = [
                row
                for row in rows
                if ids.to_key(where.child(child.collection, str(row["name"])))
                not in reading.created
            ]
    return {**body, "properties": properties}


def _parse_canonical_id(text: str) -> ids.ResourceId | None:
    """An id with its type spelled as Azure does."""
    resource_id = ids.parse(text)
    result = (
        PROVIDERS.find(resource_id.provider, resource_id.types) if resource_id is not None else None
    )
    if resource_id is None or result is None:
        return resource_id
    provider, types = result.provider, result.types
    return ids.ResourceId(
        resource_id.subscription, resource_id.resource_group, provider, types, resource_id.names
    )


def _presume_references(
    reading: _Reading, where: ids.ResourceId, body: Json, items: list[tuple[str, Json]]
) -> bool:
    desired = [(where, body)]
    properties = body.get("properties") if isinstance(body, dict) else None
    for child in PROVIDERS.get_children(where.type):
        rows = properties.get(child.collection) if isinstance(properties, dict) else None
        for row in rows or ():
            desired.append((where.child(child.collection, str(row.get("name"))), row))
    is_known = True
    for owner, item in desired:
        for reference in References(PROVIDERS).read(owner, item or {}):
            target = ids.parse(reference.target)
            if target is None or PROVIDERS.find(target.provider, target.types) is None:
                continue
            is_known = _presume(reading, ids.to_key(target), items) and is_known
    return is_known


def _writable(body: Json) -> Json:
    """A body as a client may send it back."""
    if isinstance(body, dict):
        return {
            key: _writable(value)
            for key, value in body.items()
            if key not in _READ_ONLY and key != "virtualNetworkPeerings"
        }
    return [_writable(item) for item in body] if isinstance(body, list) else body


def _exists(reading: _Reading, body: Json) -> None:
    """Note a resource and its children as being there."""
    if not isinstance(body, dict):
        return
    where = ids.parse(body["id"]) if isinstance(body.get("id"), str) else None
    if where is None:
        return
    reading.there.add(ids.to_key(where))
    for child in PROVIDERS.get_children(where.type):
        for item in (body.get("properties") or {}).get(child.collection) or ():
            _exists(reading, item)


def _take_request(
    reading: _Reading,
    interaction: Interaction,
    target: Target,
    before: tuple[tuple[str, Json], ...],
) -> None:
    number = len(reading.steps)
    error = _error(interaction.response) if interaction.status >= 400 else None
    step = Step(
        method=interaction.method,
        path=reading.symbols.path(interaction.path),
        api_version=interaction.query.get("api-version", ""),
        status=interaction.status,
        query={
            key: own_address(value)
            for key, value in interaction.query.items()
            if key != "api-version"
        },
        body=reading.symbols.body(interaction.request) if interaction.method != "GET" else None,
        code=error[0] if error else None,
        message=template(error[1]) if error else None,
        headers=tuple(sorted(interaction.headers)),
        state=_state(interaction.response) if interaction.status < 400 else None,
        keys=_shape(reading, interaction.response) if interaction.status < 400 else None,
        before=before,
    )
    reading.steps.append(step)
    key = _key(target)
    if interaction.method == "GET":
        _note_unfinished(reading, key, _state(interaction.response), number)
    elif interaction.status < 400:
        _note_operation(reading, interaction, key, number)
        _track_existence(reading, interaction, target, key)
    elif error is not None and error[0] in BUSY:
        _seen_busy(reading, interaction, number)


def _error(body: Json) -> tuple[str, str] | None:
    value = body.get("error", body) if isinstance(body, dict) else None
    if not isinstance(value, dict) or "code" not in value:
        return None
    return str(value["code"]), str(value.get("message", ""))


def _shape(reading: _Reading, body: Json) -> str | None:
    if not isinstance(body, dict | list) or not body:
        return None
    by_name = bodies.shape(body)
    for name, shape in reading.shapes.items():
        if shape == by_name:
            return name
    name = f"k{len(reading.shapes) + 1}"
    reading.shapes[name] = by_name
    return name


def _operation_name(url: str) -> str:
    return url.split("?")[0].rstrip("/").rsplit("/", 1)[-1].lower()


def _note_operation(reading: _Reading, interaction: Interaction, key: str, number: int) -> None:
    urls = [interaction.headers.get(name, "") for name in ("azure-asyncoperation", "location")]
    names = {_operation_name(url) for url in urls if url}
    state = (_state(interaction.response) or "").lower()
    if not names and state not in UNFINISHED:
        return
    operation = _Operation(number, key, number)
    for name in names or {f"step {number}"}:
        reading.operations[name] = operation


def _track_existence(reading: _Reading, interaction: Interaction, target: Target, key: str) -> None:
    if interaction.method == "DELETE":
        inside = key + "/"
        reading.there = {one for one in reading.there if one != key and not one.startswith(inside)}
    elif interaction.method == "PUT" and target.kind in {TargetKind.ITEM, TargetKind.GROUP}:
        reading.there.add(key)
        body = interaction.response
        if isinstance(body, dict) and isinstance(body.get("id"), str):
            _exists(reading, body)


def _note_unfinished(reading: _Reading, key: str, state: str | None, number: int) -> None:
    """A resource was read: the operation on it is under way where its state says so."""
    if state is None or state.lower() not in UNFINISHED:
        return
    inside = key + "/"
    latest = [
        operation
        for operation in reading.operations.values()
        if operation.resource == key or operation.resource.startswith(inside)
    ]
    if latest:
        newest = max(latest, key=lambda one: one.started)
        newest.last_seen_unfinished = max(newest.last_seen_unfinished, number)


def _seen_busy(reading: _Reading, interaction: Interaction, number: int) -> None:
    """A refusal that names the operation, or the resource, that is in hand."""
    text = str(interaction.response)
    for name in _GUID.findall(text.lower()):
        if name in reading.operations:
            operation = reading.operations[name]
            operation.last_seen_unfinished = max(operation.last_seen_unfinished, number)
            return
    for value in re.findall(r"resource (/subscriptions/[^\s'\"]+?)[.,]?(?:\s|$)", text):
        _note_unfinished(reading, ids.to_key(value.rstrip(".")), "Updating", number)


def _take_poll(reading: _Reading, interaction: Interaction, target: Target) -> None:
    operation = reading.operations.get(target.name)
    if operation is None:
        reading.skipped["poll of an operation that was left out"] += 1
        return
    number = len(reading.steps)
    status = _status(interaction)
    monitor = target.kind is TargetKind.OPERATION_RESULT or "monitor" in interaction.query
    under_way = interaction.status == 202 if monitor else (status or "").lower() in UNFINISHED
    if under_way:
        operation.last_seen_unfinished = max(operation.last_seen_unfinished, number)
    error = interaction.response.get("error") if isinstance(interaction.response, dict) else None
    reading.steps.append(
        Step(
            method="GET",
            path="",
            api_version=interaction.query.get("api-version", ""),
            status=interaction.status,
            code=str(error["code"]) if isinstance(error, dict) and "code" in error else None,
            headers=tuple(sorted(interaction.headers)),
            operation=status if not monitor else None,
            polls=operation.started,
            by="location" if monitor else "azure-asyncoperation",
            keys=_shape(reading, interaction.response)
            if interaction.status < 400 and interaction.response
            else None,
        )
    )
