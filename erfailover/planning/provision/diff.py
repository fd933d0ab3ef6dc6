"""Whether a resource is as it should be, and what to write if it is not. Pure.

Azure adds to every body what we did not ask for, so the desired body must be contained in the
existing one. What others have set stays: an update is the existing body with ours laid over it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from erfailover.model.arm_json import list_objects, parse_text
from erfailover.model.resource_ids import get_last_name
from erfailover.planning.provision.arm_bodies import Body, Reference, SecretName, WriteOnceValue

Lookup = Callable[[Reference], Any]
"""The value of a reference; None if its resource does not exist or has no value yet."""

READ_ONLY = frozenset(
    {"etag", "provisioningState", "resourceGuid", "vmId", "instanceView", "timeCreated"}
)
"""Properties that Azure reports and a client cannot set: they are not written."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that is not as it should be. Secrets are never compared."""

    path: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.path}: {self.found} -> {self.expected}"


def build_lookup(existing: Mapping[str, Body | None]) -> Lookup:
    """Return a lookup of references among bodies, by resource id in lower case."""

    def look(reference: Reference) -> Any:
        value: Any = existing.get(reference.resource_id.lower())
        for key in reference.path:
            value = value.get(key) if isinstance(value, dict) else None
        return value

    return look


def list_differences(desired: Body, existing: Body, lookup: Lookup) -> tuple[Difference, ...]:
    """Every wanted value that a resource does not have.

    Args:
        desired: the desired body.
        existing: the body that Azure answers.
        lookup: gives the values of references.
    """
    return tuple(_compare(desired, existing, "", lookup))


def _compare(desired: Any, existing: Any, path: str, lookup: Lookup) -> Iterator[Difference]:
    if isinstance(desired, SecretName | WriteOnceValue):
        return
    if isinstance(desired, Reference):
        value = lookup(desired)
        if value is None or not _is_same(value, existing, path):
            yield Difference(
                path, str(desired if value is None else value), _format_value(existing)
            )
    elif isinstance(desired, dict):
        inner = existing if isinstance(existing, dict) else {}
        for key, value in desired.items():
            yield from _compare(value, inner.get(key), f"{path}.{key}" if path else key, lookup)
    elif isinstance(desired, list) and any(isinstance(item, dict) for item in desired):
        yield from _compare_items(desired, existing, path, lookup)
    elif not _is_same(desired, existing, path):
        yield Difference(path, _format_value(desired), _format_value(existing))


def _compare_items(
    desired: list[Any], existing: Any, path: str, lookup: Lookup
) -> Iterator[Difference]:
    present = existing if isinstance(existing, list) else []
    for i, item in enumerate(desired):
        label = f"{path}[{item.get('name', get_last_name(str(item.get('id') or '')) or i)}]"
        match = _match(item, present, i)
        if match is None:
            yield Difference(label, "present", "absent")
        else:
            yield from _compare(item, match, label, lookup)


def _match(desired: Body, present: list[Any], position: int) -> Any:
    """Return the item of a list that a wanted item is about: by name, by id, or by position."""
    for key in ("name", "id"):
        if key in desired:
            same = str(desired[key]).lower()
            return next(
                (row for row in list_objects(present) if parse_text(row.get(key)).lower() == same),
                None,
            )
    return present[position] if position < len(present) else None


def _is_same(desired: Any, existing: Any, path: str) -> bool:
    """Whether two values mean the same to Azure."""
    if desired in (None, False, [], {}, "") and existing in (None, False, [], {}, ""):
        return True
    if desired == [] and isinstance(existing, list):
        return True
    if isinstance(desired, list):
        theirs = existing if isinstance(existing, list) else []
        return sorted(map(str, desired)) == sorted(map(str, theirs))
    if not isinstance(desired, str) or not isinstance(existing, str):
        return bool(desired == existing)
    if path == "location":
        return desired.lower().replace(" ", "") == existing.lower().replace(" ", "")
    if desired.startswith("/subscriptions/") or path.endswith((".vmSize", ".name", ".tier")):
        return desired.lower() == existing.lower()
    return desired == existing


def merge_body(desired: Body, existing: Body | None) -> Body:
    """Return the existing body without read-only fields, overlaid with the desired one.

    What is given at creation only stays as it is if the resource is there.
    """
    result = _overlay(
        desired if existing is None else _drop_write_once(desired), _drop_read_only(existing or {})
    )
    return dict(result) if isinstance(result, dict) else {}


def _overlay(desired: Any, existing: Any) -> Any:
    if isinstance(desired, dict):
        inner = dict(existing) if isinstance(existing, dict) else {}
        return inner | {key: _overlay(value, inner.get(key)) for key, value in desired.items()}
    if isinstance(desired, list) and any(isinstance(item, dict) for item in desired):
        present = list(existing) if isinstance(existing, list) else []
        result = list(present)
        for i, each in enumerate(desired):
            match = _match(each, present, i)
            if match is None:
                result.append(each)
            else:
                result[present.index(match)] = _overlay(each, match)
        return result
    if desired == [] and isinstance(existing, list):
        return existing
    return desired


def _drop_write_once(desired: Any) -> Any:
    """Return what is wanted of a resource that is there."""
    if isinstance(desired, dict):
        return {
            k: _drop_write_once(item)
            for k, item in desired.items()
            if not isinstance(item, WriteOnceValue)
        }
    return desired


def _drop_read_only(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _drop_read_only(item) for key, item in value.items() if key not in READ_ONLY}
    if isinstance(value, list):
        return [_drop_read_only(item) for item in value]
    return value


def resolve_body(body: Body, lookup: Lookup) -> Body:
    """Return a body with its references replaced by their values; secrets stay named.

    Raises:
        LookupError: a reference has no value yet; its argument names it.
    """

    def fill_value(placeholder: Any) -> Any:
        if not isinstance(placeholder, Reference):
            return placeholder
        existing = lookup(placeholder)
        if existing is None:
            raise LookupError(str(placeholder))
        return existing

    return dict(_replace_values(body, fill_value))


def fill_secrets(body: Body, secret: Callable[[str], str]) -> Body:
    """Return a body with its secrets, and what is given once, in it: for Azure's eyes only."""

    def fill_value(placeholder: Any) -> Any:
        if isinstance(placeholder, WriteOnceValue):
            return placeholder.value
        return secret(placeholder.name) if isinstance(placeholder, SecretName) else placeholder

    return dict(_replace_values(body, fill_value))


def _replace_values(value: Any, replace: Callable[[Any], Any]) -> Any:
    if isinstance(value, dict):
        return {key: _replace_values(item, replace) for key, item in value.items()}
    if isinstance(value, list):
        return [_replace_values(item, replace) for item in value]
    return replace(value)


def _format_value(value: Any) -> str:
    if value is None:
        return "absent"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, dict):
        return "other"
    return str(value)
