"""What a command writes for its user replaces a file of its own kind, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from erfailover.commands.output_file import PICTURE, PLAN, REPORT, SITE, FileKind, check, write
from erfailover.config.loader import read_template
from erfailover.errors import UsageFailure

CONTENTS = {
    "plan": b'{\n  "format": "erfailover-plan/1"\n}\n',
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"></svg>',
    "xml": b'<?xml version="1.0"?>\n<svg></svg>',
    "png": b"\x89PNG\r\n\x1a\n",
    "json report": b'{\n  "format": "erfailover-report/1"\n}\n',
    "html report": b'<!DOCTYPE html>\n<p class="who"><code>erfailover switch</code></p>',
    "text report": b"poc was switched.\n\nRun 12ab, plan 34cd\n  erfailover switch --to ipsec\n",
    "site": read_template().encode(),
    "site that quotes a plan": b'site: poc\n# "format": "erfailover-plan/1"\n',
    "json": b'{"a": 1}',
    "journal": b'{"at": "2026", "event": "begun", "run": "12ab"}\n',
    "lease": b'{"user": "anna", "token": "t"}',
    "html": b"<!DOCTYPE html>\n<p>mine</p>",
    "key": b"-----BEGIN OPENSSH PRIVATE KEY-----\n",
    "yaml": b"a: 1\n",
    "text": b"notes",
    "binary": bytes(range(256)),
}
OWN = {
    "plan": (PLAN, {"plan"}),
    "picture": (PICTURE, {"svg", "xml", "png"}),
    "report": (REPORT, {"json report", "html report", "text report"}),
    "site": (SITE, {"site", "site that quotes a plan"}),
}


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("kind", OWN)
def test_only_a_file_of_the_same_kind_is_replaced(tmp_path: Path, kind: str, content: str) -> None:
    desired, own = OWN[kind]
    file = tmp_path / "file"
    file.write_bytes(CONTENTS[content])
    if content in own:
        write(file, "new", desired)
        assert file.read_text() == "new"
        return
    with pytest.raises(UsageFailure, match="it was not overwritten") as refused:
        write(file, "new", desired)
    assert str(file) in refused.value.message
    assert refused.value.exit_code == 2
    assert file.read_bytes() == CONTENTS[content]


@pytest.mark.parametrize("kind", [PLAN, PICTURE, REPORT, SITE])
def test_a_new_file_and_an_empty_one_are_written(tmp_path: Path, kind: FileKind) -> None:
    (tmp_path / "empty").touch()
    for name in ("empty", "new"):
        write(tmp_path / name, "content", kind)
        assert (tmp_path / name).read_text() == "content"


def test_links_to_another_kind_of_file_are_refused_too(tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_bytes(CONTENTS["site"])
    (tmp_path / "soft").symlink_to(site)
    os.link(site, tmp_path / "hard")
    for name in ("soft", "hard"):
        with pytest.raises(UsageFailure, match="a site file"):
            write(tmp_path / name, "new", PLAN)
    assert site.read_bytes() == CONTENTS["site"]


def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    wrong = {
        str(tmp_path / "pipe"): "a named pipe",
        "/dev/zero": "a device",
        "/dev/null": "a device",
        str(tmp_path): "is a folder",
        str(tmp_path / "no" / "file"): "does not exist",
        str(tmp_path / ("x" * 300)): "File name too long",
        str(tmp_path / "pipe" / "file"): "cannot be written",
    }
    for name, why in wrong.items():
        with pytest.raises(UsageFailure, match=why):
            check(Path(name), PLAN)
