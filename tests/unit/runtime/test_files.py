"""Files that are written as a whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from erfailover.lab.server import files as lab_files
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

    def record_call(name: str, *arguments: Any) -> None:
        order.append(name)
        calls[name](*arguments)

    for name in calls:
        monkeypatch.setattr(os, name, partial(record_call, name))
    files.write(tmp_path / "file", "new")
    assert order == ["fsync", "replace"]


def test_a_folder_that_is_missing_is_the_error_that_is_raised(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        files.write(tmp_path / "none" / "file", "new")


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077, 0o777])
@pytest.mark.parametrize("make", [files.make_private_folder, lab_files.make_private_folder])
def test_a_folder_and_those_above_are_the_owners_alone_whatever_the_umask(
    tmp_path: Path, mask: int, make: Callable[[Path], None]
) -> None:
    there = tmp_path / "there"
    there.mkdir()
    there.chmod(0o755)
    os.umask(mask)
    make(there / "er" / "state" / "sites")
    make(there / "er" / "state" / "sites")
    for folder in ("er", "er/state", "er/state/sites"):
        assert (there / folder).stat().st_mode & 0o777 == 0o700
    assert there.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("mask", [0o000, 0o777])
def test_private_files_are_the_owners_alone_whatever_the_umask(tmp_path: Path, mask: int) -> None:
    os.umask(mask)
    files.write(tmp_path / "written", "x")
    files.open_private(tmp_path / "opened").close()
    for name in ("written", "opened"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


def test_a_folder_of_ours_that_others_could_open_is_closed_to_them(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    folder.chmod(0o777)
    files.make_private_folder(folder)
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_name_of_any_length_that_the_system_takes_can_be_written(tmp_path: Path) -> None:
    file = tmp_path / ("x" * 255)
    files.write(file, "whole")
    assert file.read_text() == "whole"
