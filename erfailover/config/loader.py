"""The site file: from its text to a ``Site``, or to everything that is wrong with it.

Every problem is reported at once, each with its line, the key, what was expected and found, and
the remedy. Never calls Azure, and reads no secret: a site file holds none.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from functools import cache
from importlib import resources
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path as FilePath
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from erfailover.config.validate_site import find_problems as cross_checks
from erfailover.config.yaml_source import (
    MOST_BYTES,
    Keys,
    Problem,
    Source,
    UnreadableYaml,
    build_missing,
    parse,
    shorten,
)
from erfailover.errors import UsageFailure
from erfailover.model.counting import format_count
from erfailover.model.site import Site, TenantCredential
from erfailover.model.site_file import is_required, list_classes
from erfailover.runtime import input_file

MOST_TOLD = 50
"""How many problems are reported at once."""
SUBSCRIPTION_VARIABLE = "AZURE_SUBSCRIPTION_ID"


class SiteFileError(UsageFailure):
    """The site file does not exist, cannot be read, or is not valid.

    Attributes:
        problems: in the order of the file; of unknown keys and the like at most ``MOST_TOLD``.
    """

    def __init__(self, file: str, problems: list[Problem], hint: str | None = None) -> None:
        self.problems = tuple(sorted(problems, key=lambda item: item.line or 0))
        lines = [problem.format_line(file) for problem in self.problems[:MOST_TOLD]]
        if (more := len(self.problems) - MOST_TOLD) > 0:
            lines.append(f"{file}: and {format_count(more, 'more problem')}")
        super().__init__("\n".join(lines) if lines else f"{file} cannot be used", hint)


def load(path: FilePath | str, environment: Mapping[str, str]) -> Site:
    """Read a site file.

    Args:
        path: of the file.
        environment: variables; ``AZURE_SUBSCRIPTION_ID`` fills in a subscription left out.

    Returns:
        The site; its subscription is None if neither names one.

    Raises:
        SiteFileError: with every problem found.
    """
    file = str(path)
    content = _read_content(FilePath(path))
    try:
        source = parse(content)
    except UnreadableYaml as unreadable:
        raise SiteFileError(file, unreadable.problems) from unreadable
    site, problems = _build_site(source)
    if site is not None:
        problems = [
            replace(cross_check, line=source.find_line(cross_check.keys))
            for cross_check in cross_checks(site)
        ]
    if problems or site is None:
        raise SiteFileError(file, problems)
    return replace(site, subscription=site.subscription or environment.get(SUBSCRIPTION_VARIABLE))


def find_line(path: FilePath, keys: Keys) -> int | None:
    """Return the line of a key of a site file; None if the file does not say."""
    try:
        return parse(path.read_bytes()).find_line(keys)
    except (OSError, UnreadableYaml):
        return None


def read_template() -> str:
    """Return the commented site file of the proof of concept, as ``init`` writes it."""
    return (resources.files("erfailover") / "data" / "erfailover.yaml").read_text("utf-8")


def _read_content(path: FilePath) -> bytes:
    file = str(path)
    try:
        return input_file.read(path, MOST_BYTES)
    except FileNotFoundError:
        raise SiteFileError(
            file,
            [Problem((), "a site file", "no such file", summary="site file not found")],
            "Run 'erfailover init' to write one, or name yours with --site or ERFAILOVER_SITE.",
        ) from None
    except IsADirectoryError:
        raise SiteFileError(
            file, [Problem((), "a site file", "a directory", "name the file in it")]
        ) from None
    except (OSError, ValueError) as error:
        result = getattr(error, "strerror", None) or "a name that no file can have"
        raise SiteFileError(file, [Problem((), "a readable file", result)]) from None


def _build_site(source: Source) -> tuple[Site | None, list[Problem]]:
    """Return the site that the values make, and what is wrong with them."""
    if not isinstance(source.values, dict):
        actual = "nothing" if source.values is None else _describe_value(source.values)
        remedy = "'erfailover init' writes a complete one"
        return None, [Problem((), "a site: keys and their values", actual, remedy, 1)]
    try:
        return _build_adapter().validate_python(source.values), []
    except ValidationError as error:
        of_place: dict[Keys, Problem] = {}
        for item in error.errors(include_url=False, include_input=False)[: MOST_TOLD + 1]:
            problem = _to_problem(item, source)
            of_place.setdefault(problem.keys, problem)
        return None, list(of_place.values())


@cache
def _build_adapter() -> TypeAdapter[Site]:
    """Return what validates a site; making it costs more than validating."""
    return TypeAdapter(Site)


def _to_problem(error: ErrorDetails, source: Source) -> Problem:
    """Return one of pydantic's errors as a problem of the file."""
    keys: Keys = ()
    type_, above, value = Site, Site, source.values
    for part in error["loc"]:
        if part == "[key]":
            expected = f"{_describe_type(get_args(above)[0])} as key"
            return Problem(keys, expected, repr(keys[-1]), None, source.find_line(keys))
        if _list_members(type_):
            type_ = _find_member(type_, part)
        else:
            keys, above, value = (*keys, part), type_, _get_item(value, part)
            type_ = _get_inner_type(type_, part)
    line = source.find_line(keys)
    if error["type"] == "missing":
        return build_missing(
            keys, _describe_type(type_), "'erfailover init' writes an example", line
        )
    if type_ is None:
        return _report_unknown_key(keys, [field.name for field in fields(above)], line)
    # A shared key itself may be written where only its place belongs.
    actual = "something else" if keys[:2] == ("topology", "shared_keys") else _describe_value(value)
    return Problem(keys, _describe_type(type_), actual, _suggest_remedy(type_, value), line)


def _get_item(value: Any, part: str | int) -> Any:
    """Return what a key or position of a value leads to; pydantic writes most keys as text."""
    if isinstance(value, dict):
        return next((item for key, item in value.items() if str(key) == str(part)), None)
    return value[part]


def _get_inner_type(type_: Any, part: str | int) -> Any:
    """Return the type of what a key or position leads to; None if a class has no such key."""
    if isinstance(type_, type) and is_dataclass(type_):
        return _get_field_types(type_).get(str(part))
    return get_args(type_)[0 if get_origin(type_) is tuple else 1]


@cache
def _get_field_types(class_: type) -> dict[str, Any]:
    """Return the types of a class's fields, without None: a key may be left out instead."""
    hints = get_type_hints(class_)
    return {field.name: _strip_none(hints[field.name]) for field in fields(class_)}


def _strip_none(type_: Any) -> Any:
    members = _list_members(type_)
    return members[0] if len(members) == 1 else type_


def _list_members(type_: Any) -> tuple[Any, ...]:
    """Return the members of a union other than None; none for any other type."""
    if get_origin(type_) not in (Union, UnionType):
        return ()
    return tuple(arg for arg in get_args(type_) if arg is not NoneType)


def _find_member(union: Any, tag: str | int) -> Any:
    """Return the class that pydantic chose of a union; the whole union if it chose none."""
    return next((class_ for class_ in list_classes(union) if class_.__name__ == tag), union)


def _report_unknown_key(keys: Keys, allowed: list[str], line: int | None) -> Problem:
    key = str(keys[-1])
    close = difflib.get_close_matches(key, allowed, 1, 0.6)
    names = ", ".join(allowed)
    remedy = f"did you mean {close[0]!r}? Known keys" if close else "remove it; known keys"
    actual = f"unknown key {shorten(key)!r}"
    return Problem(keys, f"one of {names}", actual, f"{remedy}: {names}", line, "unknown key")


def _suggest_remedy(type_: Any, value: Any) -> str | None:
    if type_ is TenantCredential and value == "managed-identity":
        return "a managed identity gets tokens for its home tenant only"
    if type_ is IPv4Network and isinstance(value, str):
        if "/" not in value:
            return f"add the prefix length, as in {value}/16"
        try:
            return f"did you mean {IPv4Network(value, strict=False)}?"
        except ValueError:
            return None
    if type_ is str and isinstance(value, bool | int | float):
        return "put it in quotes"
    return None


def _describe_type(type_: Any) -> str:
    """Return a type in words."""
    if get_origin(type_) is Literal:
        return " or ".join(repr(arg) for arg in get_args(type_))
    if members := _list_members(type_):
        return " or ".join(_describe_type(member) for member in members)
    simple = {
        str: "text",
        bool: "true or false",
        int: "a whole number",
        float: "a number",
        IPv4Address: "an IPv4 address like 10.1.0.4",
        IPv4Network: "an IPv4 prefix like 10.1.0.0/16",
    }
    if type_ in simple:
        return simple[type_]
    if is_dataclass(type_):
        required = [field.name for field in fields(type_) if is_required(field)]
        return f"keys and values ({', '.join(required or [field.name for field in fields(type_)])})"
    if get_origin(type_) is tuple:
        return "a list"
    return "keys and values"


def _describe_value(value: Any) -> str:
    """Return a value of the file, in words."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "keys and values"
    if isinstance(value, list):
        return "a list"
    return repr(shorten(value) if isinstance(value, str) else value)
