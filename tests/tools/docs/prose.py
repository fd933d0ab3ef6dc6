"""The prose of the product and of its documentation, with the place of each text.

Prose is every comment, docstring and other string of a module, every description of a JSON Schema,
every other data file, every help text and every page. Names of code, JSON keys and the outputs that
are generated into pages are not prose.
"""

from __future__ import annotations

import ast
import io
import json
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import click

from tests.tools.docs.shell import ROOT

_VALUE = "{}"
"""Replaces a value in an f-string, so that no phrase is found across it."""
_OUTPUT = re.compile(r"<!-- output:\S+ -->.*?<!-- /output:\S+ -->", re.DOTALL)
_JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_KEY = re.compile(r"`[\w.\[\]/-]+`")
"""A name of code or a JSON key on a page."""
_NAME = re.compile(r"[\w.\-/]*")
_ENTRY = re.compile(r"^ *\w+:", re.MULTILINE)
"""The name in an entry of ``Args:`` or ``Attributes:``."""


@dataclass(frozen=True)
class Prose:
    """A text and the line of its file at which it begins."""

    file: str
    line: int
    text: str


def read_module_prose(file: str, source: str) -> Iterator[Prose]:
    """Yield the comments, docstrings and strings of a module."""
    for line, text in _comments(source):
        yield Prose(file, line, text)
    parts: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            text = ""
            for part in node.values:
                if isinstance(part, ast.Constant):
                    parts.add(id(part))
                    text += str(part.value)
                else:
                    text += _VALUE
            yield Prose(file, node.lineno, text)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            is_name = _NAME.fullmatch(node.value)
            if id(node) not in parts and not is_name:
                yield Prose(file, node.lineno, _ENTRY.sub("", node.value))


def _comments(source: str) -> Iterator[tuple[int, str]]:
    """Yield the comments of a module; comments on consecutive lines are one text."""
    begin, lines = 0, list[str]()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        if lines and token.start[0] != begin + len(lines):
            yield begin, "\n".join(lines)
            lines = []
        if not lines:
            begin = token.start[0]
        lines.append(token.string.lstrip("# "))
    if lines:
        yield begin, "\n".join(lines)


def read_schema_prose(file: str, schema: Any) -> Iterator[Prose]:
    """Yield the descriptions of a JSON Schema; its keys are names."""
    if isinstance(schema, dict):
        if isinstance(schema.get("description"), str):
            yield Prose(file, 1, schema["description"])
        for value in schema.values():
            yield from read_schema_prose(file, value)
    elif isinstance(schema, list):
        for value in schema:
            yield from read_schema_prose(file, value)


def read_command_prose(command: click.Command, name: str) -> Iterator[Prose]:
    """Yield the help texts of a command, its options and its subcommands."""
    yield Prose(name, 1, command.help or "")
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            yield Prose(f"{name} {parameter.opts[0]}", 1, parameter.help or "")
    if isinstance(command, click.Group):
        for child in command.list_commands(click.Context(command)):
            result = command.get_command(click.Context(command), child)
            assert result is not None
            yield from read_command_prose(result, f"{name} {child}")


def read_product_prose() -> Iterator[Prose]:
    """Yield the prose of every module and data file."""
    folder = ROOT / "erfailover"
    for path in sorted(folder.rglob("*.py")):
        yield from read_module_prose(_name(path), path.read_text(encoding="utf-8"))
    for path in sorted((folder / "data").rglob("*")):
        if not path.is_file():
            continue
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            yield from read_schema_prose(_name(path), json.loads(text))
        else:
            yield Prose(_name(path), 1, _blank_out(_JINJA, text))


def read_page_prose(file: str, text: str) -> Prose:
    """Return a page without its generated outputs."""
    return Prose(file, 1, _blank_out(_KEY, _blank_out(_OUTPUT, text)))


def read_docs_prose() -> Iterator[Prose]:
    """Yield README, CHANGELOG and every page."""
    for path in (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))):
        yield read_page_prose(_name(path), path.read_text(encoding="utf-8"))


def _name(path: Any) -> str:
    return str(path.relative_to(ROOT))


def _blank_out(pattern: re.Pattern[str], text: str) -> str:
    """Return a text without what matches; lines keep their numbers."""
    return pattern.sub(lambda match: "\n" * match[0].count("\n"), text)
