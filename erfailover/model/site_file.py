"""How pydantic reads the classes of a site from its file. Pure; the parts of the site's shape.

Loads pydantic only when ``config`` asks for a schema: a command that reads no site file needs none.
"""

from __future__ import annotations

from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from datetime import date
from difflib import get_close_matches
from ipaddress import IPv4Network
from itertools import islice
from typing import Annotated, Any, ClassVar, Union, get_args

MOST_KEYS = 40
"""How many keys decide the class of a value: no class has half as many."""


class Section:
    """The base of every class that is written as keys and values: no others are allowed."""

    __slots__ = ()
    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}


@dataclass(frozen=True, slots=True)
class ChosenByKeys:
    """Marks a union: which member a value is depends on the keys that it has.

    Most of the keys, or words like them, are of the chosen class; of two such classes it is the
    one that requires more of them. A value without keys belongs to a member without keys.
    """

    def __get_pydantic_core_schema__(self, union: Any, handler: Any) -> Any:
        """Return pydantic's schema of the union, with the class names as tags."""
        from pydantic import Discriminator, Tag

        def choose_tag(value: Any) -> str | None:
            if not isinstance(value, dict):
                return "value" if len(classes) < len(members) else None
            keys = [str(key) for key in islice(value, MOST_KEYS)]
            return max(classes, key=lambda class_: _count_common_keys(keys, class_)).__name__

        members, classes = get_args(union), list_classes(union)
        tagged = [
            Annotated[member, Tag(member.__name__ if member in classes else "value")]
            for member in members
        ]
        return handler.generate_schema(Annotated[Union[tuple(tagged)], Discriminator(choose_tag)])  # noqa: UP007


@dataclass(frozen=True, slots=True)
class WithLength:
    """Marks a prefix: without a length, the standard library would take it for a /32."""

    def __get_pydantic_core_schema__(self, type_: Any, handler: Any) -> Any:
        """Return pydantic's schema of the prefix, behind a check of what is written."""
        from pydantic import BeforeValidator

        return handler.generate_schema(Annotated[type_, BeforeValidator(_require_length)])


@dataclass(frozen=True, slots=True)
class WrittenAsDate:
    """Marks a text that YAML takes for a date unless it is in quotes."""

    def __get_pydantic_core_schema__(self, type_: Any, handler: Any) -> Any:
        """Return pydantic's schema of the text, behind one that turns a date back into it."""
        from pydantic import BeforeValidator

        return handler.generate_schema(Annotated[type_, BeforeValidator(_convert_date)])


ApiVersion = Annotated[str, WrittenAsDate()]
Prefix = Annotated[IPv4Network, WithLength()]


def list_classes(union: Any) -> list[type]:
    """Return the members of a union that are written as keys and values."""
    members = get_args(union)
    return [member for member in members if isinstance(member, type) and is_dataclass(member)]


def is_required(field: Field[Any]) -> bool:
    """Return whether a site file must have the key of a field."""
    return field.default is MISSING and field.default_factory is MISSING


def _count_common_keys(keys: list[str], class_: Any) -> tuple[int, int]:
    names = [field.name for field in fields(class_)]
    required = [field.name for field in fields(class_) if is_required(field)]
    like = sum(bool(get_close_matches(key, names, 1, 0.8)) for key in keys)
    return like, sum(key in required for key in keys)


def _convert_date(value: object) -> object:
    return value.isoformat() if type(value) is date else value


def _require_length(value: object) -> object:
    if isinstance(value, str) and "/" in value:
        return value
    raise ValueError("a prefix without its length")
