"""A wheel and an sdist that install and run outside the source tree; the container file."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from dockerfile_parse import DockerfileParser

from erfailover import __version__
from tests.tools.docs.playing import copy_of_clone
from tests.tools.docs.shell import ROOT, Shell

SLOW = [pytest.mark.slow, pytest.mark.timeout(600)]
EXTRAS = "lab"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what git would bring, so that building leaves nothing behind in this tree."""
    return copy_of_clone(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def built(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that was made from the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", str(folder), str(source))
    return folder


def run(*words: str, within: Path = ROOT) -> str:
    """Run a program; its standard output."""
    environment = os.environ | {"PIP_CONSTRAINT": str(ROOT / "constraints.txt")}
    ended = subprocess.run(words, cwd=within, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, f"{words}\n{ended.stdout}\n{ended.stderr}"
    return ended.stdout


class TestPackage:
    pytestmark = SLOW

    def test_a_registry_would_take_both_and_show_the_readme(self, built: Path) -> None:
        text = run("twine", "check", "--strict", *(str(path) for path in built.iterdir()))
        assert text.count("PASSED") == 2

    def test_they_hold_what_is_needed_and_no_more(self, built: Path) -> None:
        (wheel,), (sdist,) = built.glob("*.whl"), built.glob("*.tar.gz")
        installed = set(zipfile.ZipFile(wheel).namelist())
        data = {str(path.relative_to(ROOT)) for path in (ROOT / "erfailover/data").rglob("*.*")}
        assert data | {"erfailover/py.typed"} <= installed
        tops = {name.split("/")[0] for name in installed}
        assert tops == {"erfailover", f"erfailover-{__version__}.dist-info"}
        with tarfile.open(sdist) as archive:
            names = {getname.split("/", 1)[-1] for getname in archive.getnames()}
        needed = {"LICENSE", "README.md", "CHANGELOG.md", "docs/start.md", "mkdocs.yml"}
        assert needed | {"constraints.txt", "tests/tools/docs/blocks.py", "scripts/test"} <= names
        assert not {name for name in names if name.startswith((".cache", ".git/"))}

    def test_they_install_and_run_outside_the_source_tree(
        self, built: Path, tmp_path: Path
    ) -> None:
        (wheel,), (sdist,) = built.glob("*.whl"), built.glob("*.tar.gz")
        with Shell(tmp_path, {"WHEEL": f"{wheel}[{EXTRAS}]", "SDIST": str(sdist)}) as shell:
            run_or_fail(shell, "python3 -m venv venv && venv/bin/pip install --quiet $WHEEL")
            run_or_fail(shell, "PATH=$PWD/venv/bin:$PATH && mkdir elsewhere && cd elsewhere")
            assert __version__ in run_or_fail(shell, "erfailover --version")
            run_or_fail(shell, "erfailover init")
            # A lab comes up, and the site file's network is not in it yet.
            assert " to add, " in run_or_fail(shell, "erfailover provision --lab --dry-run")
            held = json.loads(run_or_fail(shell, "erfailover lab status -o json"))
            assert held["resources"] == {}
            run_or_fail(shell, "pip install --quiet --no-deps --force-reinstall $SDIST")
            assert __version__ in run_or_fail(shell, "erfailover --version")
            run_or_fail(shell, "erfailover init --force")

    def test_the_base_installs_without_a_compiler_and_only_the_diagram_needs_more(
        self, built: Path, tmp_path: Path
    ) -> None:
        (wheel,) = built.glob("*.whl")
        no_compiler = {"CC": "/bin/false", "CXX": "/bin/false", "WHEEL": str(wheel)}
        lab = f"{sys.executable} -m erfailover.lab"
        with Shell(tmp_path, no_compiler) as shell:
            run_or_fail(shell, "python3 -m venv venv")
            run_or_fail(shell, "venv/bin/pip install --quiet --only-binary :all: $WHEEL")
            run_or_fail(shell, "PATH=$PWD/venv/bin:$PATH")
            assert "pygraphviz" not in run_or_fail(shell, "pip list")
            assert "Usage: erfailover" in run_or_fail(shell, "erfailover --help")
            run_or_fail(shell, f"erfailover init && {lab} up")
            try:
                run_or_fail(shell, f'eval "$({lab} env)" && erfailover provision --yes')
                text = run_or_fail(shell, "erfailover status")
                assert "vnet1 is on ExpressRoute" in text
                assert "┌" in text, "the picture"
                refused = shell.run("erfailover diagram -f site.svg")
            finally:
                run_or_fail(shell, f"{lab} down")
        assert refused.exit_code == 2
        assert "pip install 'erfailover[diagram]'" in refused.output
        assert not (tmp_path / "work" / "site.svg").exists()


def run_or_fail(shell: Shell, command: str) -> str:
    """What a command printed that must end with 0."""
    ended = shell.run(command, 400)
    assert ended.exit_code == 0, f"{command}\n{ended.output}"
    return ended.output


def instructions(folder: Path) -> list[tuple[str, str]]:
    """The instructions of the container file, and what they are given."""
    # The parser knows but one name for such a file.
    shutil.copy(ROOT / "Containerfile", folder / "Dockerfile")
    parser = DockerfileParser(str(folder))
    return [(item["instruction"], item["value"]) for item in parser.structure]


def test_the_container_file_has_no_complaint_from_its_linter() -> None:
    run("hadolint", "Containerfile")


def test_the_container_runs_as_somebody_else_than_root_and_begins_with_erfailover(
    tmp_path: Path,
) -> None:
    by_name = dict(instructions(tmp_path))
    assert int(by_name["USER"]) > 0
    assert by_name["ENTRYPOINT"] == '["erfailover"]'
    assert (ROOT / ".containerignore").read_text() == (ROOT / ".dockerignore").read_text()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_container_builds_as_far_as_that_can_be_told_without_an_engine(
    source: Path, tmp_path: Path
) -> None:
    """The first stage's COPY and RUN lines are carried out, in a folder instead of an image."""
    prefix, ignored = tmp_path / "opt", (ROOT / ".containerignore").read_text().split()
    workdir = tmp_path / "image"
    workdir.mkdir()
    with Shell(tmp_path, {}) as shell:
        for instruction, value in instructions(tmp_path):
            words = value.split()
            if instruction == "FROM" and not value.endswith(" AS build"):
                break
            if instruction == "COPY":
                assert all(f"!{name}" in ignored for name in words[:-1]), "it is ignored"
                to = workdir / words[-1]
                for name in words[:-1]:
                    # COPY copies what is in a folder, cp the folder.
                    run_or_fail(
                        shell, f"cp -r -T {source / name} {to / name if words[-1] == './' else to}"
                    )
            if instruction == "RUN":
                command = value.replace("/opt/", f"{prefix}/").replace("python ", "python3 ")
                run_or_fail(shell, f"cd {workdir} && {command}")
        assert __version__ in run_or_fail(shell, f"{prefix}/erfailover/bin/erfailover --version")
