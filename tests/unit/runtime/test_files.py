"""Files that are written as a whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from erfailover.runtime import files


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    before = os.umask(0o027)
    yield
    os.umask(before)


@pytest.mark.parametrize(("mode", "permissions"), [(files.PRIVATE, 0o600), (files.SHARED, 0o640)])
def test_a_file_is_replaced_with_its_permissions(
    tmp_path: Path, mode: int, permissions: int
) -> None:
    file = tmp_path / "file"
    file.write_text("old")
    files.write(file, "naïve\n", mode)
    assert file.read_bytes() == b"na\xc3\xafve\n"
    assert file.stat().st_mode & 0o777 == permissions
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("fails", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    file = tmp_path / "file"
    file.write_text("old")
    monkeypatch.setattr(os, fails, fail)
    with pytest.raises(OSError, match="No space left"):
        files.write(file, "new")
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_the_content_is_on_the_disk_before_it_replaces_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    calls: dict[str, Callable[..., None]] = {"fsync": os.fsync, "replace": os.replace}

    def noted(name: str, *arguments: Any) -> None:
        order.append(name)
        calls[name](*arguments)

    for name in calls:
        monkeypatch.setattr(os, name, partial(noted, name))
    files.write(tmp_path / "file", "new")
    assert order == ["fsync", "replace"]


def test_a_folder_that_is_missing_is_the_error_that_is_raised(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        files.write(tmp_path / "none" / "file", "new")
