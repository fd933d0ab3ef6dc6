"""Secrets come from variables and files, and no message repeats one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from erfailover.errors import UsageFailure
from erfailover.runtime.notifications.secret_value import SecretValue, read_local
from tests.support.notifications import SECRET


def test_a_value_comes_from_a_variable_or_a_file_without_blanks(tmp_path: Path) -> None:
    (tmp_path / "hook.txt").write_text(f"  https://x/{SECRET}\r\n\n")
    assert read_local("env:HOOK", tmp_path, {"HOOK": f" {SECRET}\n"}) == SECRET
    assert read_local("file:hook.txt", tmp_path, {}) == f"https://x/{SECRET}"
    assert read_local(f"file:{tmp_path}/hook.txt", Path("/"), {}) == f"https://x/{SECRET}"


@pytest.mark.parametrize(
    ("place", "content", "message"),
    [
        ("env:HOOK", None, "the variable HOOK of watch.notifications is not set"),
        ("file:none", None, "the file none of watch.notifications cannot be read: no such file"),
        ("file:.", None, "the file . of watch.notifications cannot be read: "),
        ("file:pipe", None, "a named pipe"),
        ("file:hook", b"", "found nothing"),
        ("file:hook", b" \n", "found nothing"),
        ("file:hook", f"{SECRET}\n{SECRET}".encode(), "found another text"),
        ("file:hook", f"{SECRET}\x1b[0m".encode(), "found another text"),
        ("file:hook", SECRET.encode() + b"\xff", "it is not text"),
        ("file:hook", SECRET.encode() * 9999, "it has more than 16 KiB"),
    ],
)
def test_what_cannot_be_read_is_named_by_its_place(
    tmp_path: Path, place: str, content: bytes | None, message: str
) -> None:
    os.mkfifo(tmp_path / "pipe")
    if content is not None:
        (tmp_path / "hook").write_bytes(content)
    with pytest.raises(UsageFailure) as caught:
        read_local(place, tmp_path, {})
    assert message in str(caught.value)
    assert SECRET not in f"{caught.value!r}{caught.value.hint}"


def test_a_value_is_read_once_until_it_is_forgotten() -> None:
    values = iter(["first", "second"])
    secret = SecretValue("env:HOOK", lambda: next(values))
    assert [secret.get(), secret.get()] == ["first", "first"]
    secret.forget()
    assert secret.get() == "second"
    assert "second" not in repr(secret)
