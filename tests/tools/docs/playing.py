"""Playing the pages: a folder of its own for each, and what a clone of the repository holds."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.tools.docs.pages import Page
from tests.tools.docs.shell import ROOT, Shell


def copy_of_clone(to: Path) -> Path:
    """What git would bring: the tracked files as they are now, and those that soon will be."""
    completed_process = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, completed_process.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, to / name)
    return to


@contextmanager
def shell_for(page: Page) -> Iterator[Shell]:
    """A shell in an empty folder, for a page's commands."""
    with tempfile.TemporaryDirectory(prefix="erfailover-page-") as name:
        folder = Path(name)
        variables = {"SOURCE": str(copy_of_clone(folder / "source"))}
        if page.installed:
            variables |= {"PATH": str(_erfailover(folder)), "PYTHON": sys.executable}
        with Shell(folder, variables) as shell:
            yield shell


def _erfailover(folder: Path) -> Path:
    """A folder with erfailover as it is in this work tree, run by this Python."""
    path = folder / "bin"
    path.mkdir()
    command = f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m erfailover "$@"\n'
    (path / "erfailover").write_text(command, encoding="utf-8")
    (path / "erfailover").chmod(0o755)
    return path
