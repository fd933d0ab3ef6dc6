"""The site file: from its text to a ``Site``, or to everything that is wrong with it.

Every problem is told at once, each with its line, the key, what was expected, what was found and
the remedy. Never calls Azure, and reads no secret: a site file holds none.
"""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass, replace
from functools import cache
from importlib import resources
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path as FilePath
from typing import Annotated, Any, ClassVar, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError

from erfailover.config.validate_site import problems as cross_checks
from erfailover.config.yaml_source import Keys, Problem, Source, Unreadable, dotted, parse
from erfailover.errors import UsageFailure
from erfailover.model.site import Site

SUBSCRIPTION_VARIABLE = "AZURE_SUBSCRIPTION_ID"


class SiteFileError(UsageFailure):
    """The site file is not there, cannot be read, or says what cannot be.

    Attributes:
        problems: all of them, in the order of the file.
    """

    def __init__(self, file: str, problems: list[Problem], hint: str | None = None) -> None:
        self.problems = tuple(sorted(problems, key=lambda each: each.line or 0))
        lines = [problem.text(file) for problem in self.problems]
        super().__init__("\n".join(lines) if lines else f"{file} cannot be used", hint)


def load(path: FilePath | str, environment: Mapping[str, str]) -> Site:
    """Read a site file.

    Args:
        path: of the file.
        environment: variables; ``AZURE_SUBSCRIPTION_ID`` fills in a subscription left out.

    Returns:
        The site; its subscription is None where neither names one.

    Raises:
        SiteFileError: with every problem found.
    """
    file = str(path)
    content = _content(FilePath(path))
    try:
        source = parse(content)
    except Unreadable as unreadable:
        raise SiteFileError(file, unreadable.problems) from unreadable
    site, problems = _site(source)
    if site is not None:
        problems = [
            replace(each, line=source.line(each.keys)) for each in cross_checks(site)
        ] + problems
    if problems or site is None:
        raise SiteFileError(file, problems)
    return replace(site, subscription=site.subscription or environment.get(SUBSCRIPTION_VARIABLE))


def template() -> str:
    """The commented site file of the proof of concept, as ``init`` writes it."""
    return (resources.files("erfailover") / "data" / "erfailover.yaml").read_text("utf-8")


def _content(path: FilePath) -> bytes:
    file = str(path)
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise SiteFileError(
            file,
            [Problem((), "a site file", "no such file")],
            "Run 'erfailover init' to write one, or name yours with --site or ERFAILOVER_SITE.",
        ) from None
    except IsADirectoryError:
        raise SiteFileError(
            file, [Problem((), "a site file", "a directory", "name the file in it")]
        ) from None
    except OSError as error:
        found = error.strerror or type(error).__name__
        raise SiteFileError(file, [Problem((), "a readable file", found.lower())]) from None


def _site(source: Source) -> tuple[Site | None, list[Problem]]:
    """The site that the values make, and what is wrong with them."""
    if not isinstance(source.values, dict):
        found = "nothing" if source.values is None else _described(source.values)
        remedy = "'erfailover init' writes a complete one"
        return None, [Problem((), "a site: keys and their values", found, remedy, 1)]
    problems = list(_bare_prefixes(source, source.values, (), Site))
    try:
        site = _adapter().validate_python(source.values)
    except ValidationError as error:
        known = {problem.keys for problem in problems}
        problems += [each for each in _translated(error, source) if each.keys not in known]
        return None, problems
    return site, problems


def _bare_prefixes(source: Source, value: Any, keys: Keys, type_: Any) -> Iterator[Problem]:
    """Prefixes without a length: the standard library would take one for a /32."""
    type_ = _plain(type_, value)
    if type_ is IPv4Network and not (isinstance(value, str) and "/" in value):
        if isinstance(value, str | int | float):
            yield _problem(source, keys, type_, value)
    elif isinstance(value, dict | list):
        entries = value.items() if isinstance(value, dict) else enumerate(value)
        for key, each in entries:
            inner = _inner(type_, key, value)
            if inner is not None:
                yield from _bare_prefixes(source, each, (*keys, key), inner)


def _translated(error: ValidationError, source: Source) -> Iterator[Problem]:
    """Pydantic's errors as problems of the file, each place once."""
    seen: set[Keys] = set()
    for each in error.errors(include_url=False):
        if _of_another_member(each["loc"], source.values):
            continue
        keys, value, missing = _place(source.values, each["loc"], each["type"])
        if keys in seen:
            continue
        seen.add(keys)
        type_ = _type_at(keys, source.values)
        if missing:
            line = source.line(keys)
            remedy = "add it; 'erfailover init' writes a file that shows how"
            yield Problem(keys, _expected(type_), "no such key", remedy, line)
        elif type_ is None:
            yield _unknown(source, keys)
        elif each["loc"] and each["loc"][-1] == "[key]":
            line, found = source.line(keys), f"{keys[-1]!r}"
            yield Problem(
                keys, f"{_expected(_key_type(keys, source.values))} as key", found, None, line
            )
        else:
            yield _problem(source, keys, type_, value)


def _place(values: Any, loc: tuple[str | int, ...], kind: str) -> tuple[Keys, Any, bool]:
    """Where an error stands in the file, what stands there, and whether nothing does.

    pydantic's location also names the member of a union that was tried; the file has no such key.
    """
    keys: Keys = ()
    for part in loc:
        if isinstance(values, dict) and kind == "missing" and part == loc[-1]:
            return (*keys, part), None, True
        found = _step(values, part)
        if found is not None:
            keys, values = (*keys, found[0]), found[1]
    return keys, values, False


def _step(values: Any, part: str | int) -> tuple[str | int, Any] | None:
    """The key or position of a location's part in a value, and what stands there."""
    if isinstance(values, list) and isinstance(part, int) and part < len(values):
        return part, values[part]
    if isinstance(values, dict):
        for key, value in values.items():
            if key == part or str(key) == str(part):
                return key, value
    return None


def _problem(source: Source, keys: Keys, type_: Any, value: Any) -> Problem:
    remedy = _remedy(_plain(type_), value)
    # Somebody may have written a shared key itself where only its place belongs.
    found = "something else" if keys[:2] == ("topology", "shared_keys") else _described(value)
    return Problem(keys, _expected(type_), found, remedy, source.line(keys))


def _unknown(source: Source, keys: Keys) -> Problem:
    above, key = _type_at(keys[:-1], source.values), str(keys[-1])
    allowed = _allowed(above)
    close = difflib.get_close_matches(key, allowed, 1, 0.6)
    expected = f"one of {', '.join(allowed)}"
    remedy = f"did you mean {close[0]!r}?" if close else "remove it"
    where = f" under {dotted(keys[:-1])}" if keys[:-1] else ""
    return Problem(keys, expected, f"the unknown key {key!r}{where}", remedy, source.line(keys))


def _remedy(type_: Any, value: Any) -> str | None:
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


def _plain(type_: Any, value: Any = None) -> Any:
    """A type without its annotations; of a union, the member that has the structure.

    Of several such members, the one that most of the value's keys, or words like them, are of;
    then the one that needs most of them.
    """
    if get_origin(type_) is Annotated:
        return _plain(get_args(type_)[0], value)
    if get_origin(type_) in (Union, types.UnionType):
        members = [_plain(each) for each in get_args(type_)]
        structured = [each for each in members if is_dataclass(each)]
        keys = [str(each) for each in value] if isinstance(value, dict) else []
        structured.sort(key=lambda each: _kinship(keys, each), reverse=True)
        return (structured or [each for each in members if each is not type(None)])[0]
    return type_


def _kinship(keys: list[str], type_: Any) -> tuple[int, int]:
    """How many keys a type has, or words like them; and how many of them it needs."""
    needed = [each.name for each in fields(type_) if _needed(each)]
    return sum(_like(key, type_) for key in keys), sum(key in needed for key in keys)


def _like(key: str, type_: Any) -> bool:
    return bool(difflib.get_close_matches(key, _allowed(type_), 1, 0.8))


def _of_another_member(loc: tuple[str | int, ...], values: Any) -> bool:
    """Whether an error is about a member of a union that the value was not meant for."""
    type_: Any = Site
    for part in loc:
        if get_origin(type_) in (Union, types.UnionType):
            members = [_plain(each) for each in get_args(type_)]
            meant = _plain(type_, values)
            others = [each for each in members if is_dataclass(each) and each is not meant]
            if part in [getattr(each, "__name__", "") for each in others]:
                return True
        found = _step(values, part)
        if found is not None:
            type_, values = _inner(type_, found[0], values), found[1]
    return False


def _allowed(type_: Any) -> list[str]:
    return [each.name for each in fields(type_)] if is_dataclass(type_) else []


@cache
def _adapter() -> TypeAdapter[Site]:
    """What validates a site; making it costs more than validating."""
    return TypeAdapter(Site)


@cache
def _hints(type_: type) -> dict[str, Any]:
    """The types of a class's fields; every value of a file asks for them."""
    return get_type_hints(type_, include_extras=True)


def _inner(type_: Any, key: str | int, value: Any = None) -> Any:
    """The type of what a key of a value leads to; None where it has no business there."""
    type_ = _plain(type_, value)
    if is_dataclass(type_) and isinstance(type_, type):
        hints = _hints(type_)
        if get_origin(hints.get(str(key))) is ClassVar:
            return None
        return hints.get(str(key))
    if get_origin(type_) is tuple:
        return get_args(type_)[0]
    if get_origin(type_) is not None and len(get_args(type_)) == 2:
        return get_args(type_)[1]
    return None


def _type_at(keys: Keys, values: Any) -> Any:
    """The type of a place in the file, as far as its values tell."""
    type_: Any = Site
    for key in keys:
        type_, found = _inner(type_, key, values), _step(values, key)
        values = found[1] if found is not None else None
    return _plain(type_, values) if isinstance(values, dict) else type_


def _key_type(keys: Keys, values: Any) -> Any:
    arguments = get_args(_plain(_type_at(keys[:-1], values)))
    return arguments[0] if arguments else str


def _expected(type_: Any) -> str:
    """A type in words."""
    if get_origin(type_) is Literal:
        return " or ".join(repr(each) for each in get_args(type_))
    if get_origin(type_) in (Union, types.UnionType):
        members = [each for each in get_args(type_) if each is not type(None)]
        return " or ".join(_expected(each) for each in members)
    type_ = _plain(type_)
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
        needed = [each.name for each in fields(type_) if _needed(each)]
        return f"keys and values ({', '.join(needed or _allowed(type_))})"
    if get_origin(type_) is tuple:
        return "a list"
    return "keys and values"


def _needed(field: Any) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _described(value: Any) -> str:
    """What stands in the file, in words."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "keys and values"
    if isinstance(value, list):
        return "a list"
    return repr(value)
