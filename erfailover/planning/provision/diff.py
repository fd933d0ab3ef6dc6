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
"""The value of a reference; None if its resource is not there or has none yet."""

READ_ONLY = frozenset(
    {"etag", "provisioningState", "resourceGuid", "vmId", "instanceView", "timeCreated"}
)
"""What Azure reports about a resource and a client cannot set: left out of what is written."""


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


def list_differences(wanted: Body, found: Body, lookup: Lookup) -> tuple[Difference, ...]:
    """Every wanted value that a resource does not have.

    Args:
        wanted: the desired body.
        found: the body that Azure answers.
        lookup: gives the values of references.
    """
    return tuple(_compare(wanted, found, "", lookup))


def _compare(wanted: Any, found: Any, path: str, lookup: Lookup) -> Iterator[Difference]:
    if isinstance(wanted, SecretName | WriteOnceValue):
        return
    if isinstance(wanted, Reference):
        value = lookup(wanted)
        if value is None or not _is_same(value, found, path):
            yield Difference(path, str(wanted if value is None else value), _format_value(found))
    elif isinstance(wanted, dict):
        inner = found if isinstance(found, dict) else {}
        for key, value in wanted.items():
            yield from _compare(value, inner.get(key), f"{path}.{key}" if path else key, lookup)
    elif isinstance(wanted, list) and any(isinstance(each, dict) for each in wanted):
        yield from _compare_items(wanted, found, path, lookup)
    elif not _is_same(wanted, found, path):
        yield Difference(path, _format_value(wanted), _format_value(found))


def _compare_items(
    wanted: list[Any], found: Any, path: str, lookup: Lookup
) -> Iterator[Difference]:
    present = found if isinstance(found, list) else []
    for i, each in enumerate(wanted):
        label = f"{path}[{each.get('name', get_last_name(str(each.get('id') or '')) or i)}]"
        match = _match(each, present, i)
        if match is None:
            yield Difference(label, "present", "absent")
        else:
            yield from _compare(each, match, label, lookup)


def _match(wanted: Body, present: list[Any], position: int) -> Any:
    """Return the item of a list that a wanted item is about: by name, by id, or by position."""
    for key in ("name", "id"):
        if key in wanted:
            same = str(wanted[key]).lower()
            return next(
                (
                    each
                    for each in list_objects(present)
                    if parse_text(each.get(key)).lower() == same
                ),
                None,
            )
    return present[position] if position < len(present) else None


def _is_same(wanted: Any, found: Any, path: str) -> bool:
    """Whether two values mean the same to Azure."""
    if wanted in (None, False, [], {}, "") and found in (None, False, [], {}, ""):
        return True
    if wanted == [] and isinstance(found, list):
        return True
    if isinstance(wanted, list):
        theirs = found if isinstance(found, list) else []
        return sorted(map(str, wanted)) == sorted(map(str, theirs))
    if not isinstance(wanted, str) or not isinstance(found, str):
        return bool(wanted == found)
    if path == "location":
        return wanted.lower().replace(" ", "") == found.lower().replace(" ", "")
    if wanted.startswith("/subscriptions/") or path.endswith((".vmSize", ".name", ".tier")):
        return wanted.lower() == found.lower()
    return wanted == found


def merge_body(wanted: Body, found: Body | None) -> Body:
    """Return the existing body without read-only fields, overlaid with the desired one.

    What is given at creation only stays as it is if the resource is there.
    """
    result = _overlay(
        wanted if found is None else _drop_write_once(wanted), _drop_read_only(found or {})
    )
    return dict(result) if isinstance(result, dict) else {}


def _overlay(wanted: Any, found: Any) -> Any:
    if isinstance(wanted, dict):
        inner = dict(found) if isinstance(found, dict) else {}
        return inner | {key: _overlay(value, inner.get(key)) for key, value in wanted.items()}
    if isinstance(wanted, list) and any(isinstance(each, dict) for each in wanted):
        present = list(found) if isinstance(found, list) else []
        result = list(present)
        for i, each in enumerate(wanted):
            match = _match(each, present, i)
            if match is None:
                result.append(each)
            else:
                result[present.index(match)] = _overlay(each, match)
        return result
    if wanted == [] and isinstance(found, list):
        return found
    return wanted


def _drop_write_once(wanted: Any) -> Any:
    """Return what is wanted of a resource that is there."""
    if isinstance(wanted, dict):
        return {
            k: _drop_write_once(each)
            for k, each in wanted.items()
            if not isinstance(each, WriteOnceValue)
        }
    return wanted


def _drop_read_only(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _drop_read_only(each) for key, each in value.items() if key not in READ_ONLY}
    if isinstance(value, list):
        return [_drop_read_only(each) for each in value]
    return value


def resolve_body(body: Body, lookup: Lookup) -> Body:
    """Return a body with its references replaced by their values; secrets stay named.

    Raises:
        LookupError: a reference has no value yet; its argument names it.
    """

    def fill_value(placeholder: Any) -> Any:
        if not isinstance(placeholder, Reference):
            return placeholder
        found = lookup(placeholder)
        if found is None:
            raise LookupError(str(placeholder))
        return found

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
        return {key: _replace_values(each, replace) for key, each in value.items()}
    if isinstance(value, list):
        return [_replace_values(each, replace) for each in value]
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
