"""SVG to PNG by what a machine has, and what is said where it has nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from erfailover.commands.status import png
from erfailover.errors import UsageFailure

PICTURE = "<svg xmlns='http://www.w3.org/2000/svg' width='4' height='4'/>"


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with no renderer; the folder of its programs."""
    monkeypatch.setitem(sys.modules, "cairosvg", None)
    monkeypatch.setenv("PATH", f"{tmp_path}")
    return tmp_path


def program(folder: Path, name: str, script: str) -> None:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


def test_without_a_renderer_it_says_which_there_are_and_how_to_install_one(bare: Path) -> None:
    with pytest.raises(UsageFailure) as failure:
        png.find_renderer()
    assert "rsvg-convert and inkscape" in failure.value.message
    assert "pip install 'erfailover[png]'" in (failure.value.hint or "")


@pytest.mark.parametrize("name", ["rsvg-convert", "inkscape"])
def test_a_program_on_the_path_is_given_the_svg_and_its_output_is_the_png(
    bare: Path, name: str
) -> None:
    program(bare, name, r"read line; printf '\211PNG %s' \"$line\"".replace('\\"', '"'))
    assert png.find_renderer()(PICTURE + "\n") == b"\x89PNG " + PICTURE.encode()


def test_a_renderer_that_fails_is_quoted(bare: Path) -> None:
    program(bare, "rsvg-convert", "echo 'no fonts' >&2; exit 3")
    with pytest.raises(UsageFailure, match="no fonts"):
        png.find_renderer()(PICTURE)


def test_a_renderer_that_prints_no_png_is_not_believed(bare: Path) -> None:
    program(bare, "inkscape", "echo 'Welcome'")
    with pytest.raises(UsageFailure, match="exit code 0"):
        png.find_renderer()(PICTURE)
