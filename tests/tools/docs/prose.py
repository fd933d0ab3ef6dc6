"""The prose of the product and of its documentation: where it is and what it says.

Owns what counts as prose: comments, docstrings and other strings of a module, whole data files,
and pages without the outputs that were generated into them.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass

from tests.tools.docs.shell import ROOT

_HOLE = "\N{HORIZONTAL ELLIPSIS}"
"""Stands in for a value in an f-string, so that no phrase is found across it."""
_OUTPUT = re.compile(r"<!-- output:\S+ -->.*?<!-- /output:\S+ -->", re.DOTALL)


@dataclass(frozen=True)
class Prose:
    """A text and the line of its file at which it begins."""

    file: str
    line: int
    text: str


def of_module(file: str, source: str) -> Iterator[Prose]:
    """Yield the comments, docstrings and strings of a module; names and code are not prose."""
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
                    text += _HOLE
            yield Prose(file, node.lineno, text)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if id(node) not in parts:
                yield Prose(file, node.lineno, node.value)


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


def without_outputs(page: str) -> str:
    """Return a page whose generated outputs are blank lines, so that line numbers stay right."""
    return _OUTPUT.sub(lambda match: "\n" * match[0].count("\n"), page)


def of_product() -> Iterator[Prose]:
    """Yield the prose of every module and data file."""
    for path in sorted((ROOT / "erfailover").rglob("*.py")):
        yield from of_module(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8"))
    for path in sorted((ROOT / "erfailover" / "data").rglob("*")):
        if path.is_file():
            file = str(path.relative_to(ROOT))
            yield Prose(file, 1, path.read_text(encoding="utf-8"))


def of_pages() -> Iterator[Prose]:
    """Yield README, CHANGELOG and every page."""
    pages = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
    for path in pages:
        text = without_outputs(path.read_text(encoding="utf-8"))
        yield Prose(str(path.relative_to(ROOT)), 1, text)
