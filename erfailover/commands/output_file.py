"""Files that a command writes for its user: they replace a file of the same kind, nothing else.

So a mistyped name never costs a site file, a key or another command's input. Devices, pipes and
folders are refused too: results for another program go to standard output.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from erfailover.errors import UsageFailure
from erfailover.runtime import files, input_file

MOST_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class FileKind:
    """A kind of file.

    Attributes:
        name: with its article: ``a plan``.
        is_one: whether the content of a file is of this kind.
    """

    name: str
    is_one: Callable[[bytes], bool]


_SVG = re.compile(rb"\s*(<\?xml[^>]*>\s*)?<svg\b")
_SITE = re.compile(rb"^site\s*:", re.MULTILINE)
_REPORT_TEXT = re.compile(rb"^Run \w+, plan .*\n  erfailover ", re.MULTILINE)

PLAN = FileKind(
    "a saved plan",
    lambda content: _is_json(content) and b'"format": "erfailover-plan/' in content,
)
PICTURE = FileKind(
    "a picture",
    lambda content: content.startswith(b"\x89PNG\r\n") or bool(_SVG.match(content[:1000])),
)
REPORT = FileKind(
    "an erfailover report",
    lambda content: (
        (_is_json(content) and b'"format": "erfailover-report/' in content)
        or (content.startswith(b"<!DOCTYPE html>") and b"erfailover" in content)
        or bool(_REPORT_TEXT.search(content))
    ),
)
SITE = FileKind("a site file", lambda content: bool(_SITE.search(content)))


def check(file: Path, kind: FileKind, option: str = "") -> None:
    """Refuse to write where something other than a file of the same kind is, or nothing can be.

    Args:
        file: the file to write.
        kind: what will be written.
        option: the option that names it, for messages.

    Raises:
        UsageFailure: the message names the file and says what it is.
    """
    hint = "Name another file."
    text = f"{option} {file}".lstrip()
    try:
        content = input_file.read(file, MOST_BYTES)
    except FileNotFoundError:
        folder = file.parent
        if not folder.is_dir():
            raise UsageFailure(
                f"{text} cannot be written: the folder {folder} does not exist",
                f"mkdir -p {folder}",
            ) from None
        if not os.access(folder, os.W_OK):
            raise UsageFailure(f"{text} cannot be written: {folder} is read-only", hint) from None
        return
    except IsADirectoryError:
        raise UsageFailure(f"{text} is a folder; expected a file", hint) from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise UsageFailure(f"{text} cannot be written: {why}", hint) from None
    if content and not kind.is_one(content):
        what = "a site file" if SITE.is_one(content) else "something else"
        raise UsageFailure(
            f"{text} already exists and is {what}, not {kind.name}; it was not overwritten",
            "Name another file, or remove this one first.",
        )


def write(file: Path, content: str | bytes, kind: FileKind) -> None:
    """Write a file as a whole or not at all, if ``check`` allows it.

    Raises:
        UsageFailure: it was not written.
    """
    check(file, kind)
    try:
        files.write(file, content, files.SHARED)
    except OSError as error:
        raise UsageFailure(
            f"{file} cannot be written: {error.strerror or error}", "Name another file."
        ) from None


def _is_json(content: bytes) -> bool:
    return content.lstrip()[:1] == b"{"
