"""Troubleshooting by message quotes what the product or Azure says."""

from __future__ import annotations

import ast
import re

import pytest

from tests.tools.docs.shell import ROOT

PAGE = (ROOT / "docs" / "troubleshooting.md").read_text("utf-8")


def constants() -> list[str]:
    """Return every text constant of the product."""
    files = sorted((ROOT / "erfailover").rglob("*.py"))
    trees = (ast.parse(file.read_text("utf-8")) for file in files)
    return [
        node.value
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


CONSTANTS = constants()


def messages() -> list[str]:
    """Return what the first column of the page quotes."""
    cells = (line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `"))
    return [text for cell in cells for text in re.findall(r"`([^`]+)`", cell)]


@pytest.mark.parametrize("message", messages())
def test_a_quoted_message_is_in_the_code(message: str) -> None:
    assert any(message in text for text in CONSTANTS)
